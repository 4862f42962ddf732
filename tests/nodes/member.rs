//! Members of a cluster's traffic: each has one socket at one node, reads channels, publishes to them, and comes back at another
//! node when its own is gone.

use super::account::{LAST, Line, Place, Seen};
use super::calls::{Outcome, post};
use crate::support::PATIENCE;
use crate::support::http::get;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Error, ErrorKind, Result};
use std::net::{SocketAddr, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tungstenite::{Message, WebSocket};

/// How long a member waits for a message before it looks at what else there is to do.
const LOOK: Duration = Duration::from_millis(5);
/// Between two attempts to connect or to subscribe.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a test with members may take.
const LIMIT: Duration = Duration::from_secs(900);

/// What all members of a test share.
pub(super) struct Traffic {
    /// The nodes that run.
    pub(super) nodes: Mutex<Vec<SocketAddr>>,
    pub(super) channels: Vec<String>,
    /// Nobody publishes any more; readers read to the last publication of each channel.
    pub(super) over: AtomicBool,
    /// The test has failed: nobody waits for anything any more.
    failed: AtomicBool,
    /// What is published: each number once.
    pub(super) numbers: AtomicU64,
    /// Whether something is done to Redis by which readers may be told that they miss something.
    pub(super) may_reset: bool,
    /// Whether Redis may be away for longer than an answer waits for the push that it led to (1 s), which comes after it then.
    pub(super) may_be_away: bool,
    /// How many were answered so far.
    pub(super) answered: AtomicU64,
}

/// What one member does.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Role {
    /// Which node it begins with.
    pub(super) node: usize,
    /// Whether it reads all channels.
    pub(super) reads: bool,
    /// Whether it is a reader of one channel over an event stream instead, and nothing else.
    pub(super) is_stream: bool,
    /// Publications that are on their way at a time; 0 publishes nothing.
    pub(super) window: usize,
    /// At least this long between two of them.
    pub(super) pace: Duration,
    /// Whether each has an idempotency key, with which it is sent again until its outcome is known.
    pub(super) is_keyed: bool,
}

impl Traffic {
    pub(super) fn new(nodes: &[SocketAddr], channels: usize) -> Traffic {
        Traffic {
            nodes: Mutex::new(nodes.to_vec()),
            channels: (0..channels).map(|number| format!("traffic:{number}")).collect(),
            over: AtomicBool::new(false),
            failed: AtomicBool::new(false),
            numbers: AtomicU64::new(0),
            may_reset: false,
            may_be_away: false,
            answered: AtomicU64::new(0),
        }
    }

    /// The node with this number, counted around.
    pub(super) fn node(&self, number: usize) -> Option<SocketAddr> {
        let nodes = self.nodes.lock().expect("no panic");
        nodes.get(number % nodes.len().max(1)).copied()
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Relaxed)
    }

    fn is_over(&self) -> bool {
        self.over.load(Ordering::Relaxed)
    }

    /// Has members go on until `during` has ended, and all readers have the last publication of each channel, which is
    /// published then; what each has seen.
    pub(super) fn run(&self, roles: &[Role], during: impl FnOnce()) -> Vec<Seen> {
        std::thread::scope(|scope| {
            let run = |role: Role| {
                if role.is_stream { super::streams::read(self, role.node) } else { Member::new(self, role).run() }
            };
            let members: Vec<_> = roles.iter().map(|role| scope.spawn(move || run(*role))).collect();
            if let Err(failure) = catch_unwind(AssertUnwindSafe(during)) {
                self.failed.store(true, Ordering::Relaxed);
                resume_unwind(failure);
            }
            self.over.store(true, Ordering::Relaxed);
            let mut last = Seen::default();
            for (channel, number) in self.channels.iter().zip(LAST..) {
                self.publish_last(channel, number, &mut last);
            }
            if self.may_reset {
                // It may lie in what a reader is told that it misses.
                let mut number = LAST + self.channels.len() as u64;
                while members.iter().any(|member| !member.is_finished()) {
                    std::thread::sleep(Duration::from_millis(500));
                    for channel in &self.channels {
                        self.publish_last(channel, number, &mut last);
                        number += 1;
                    }
                }
            }
            let seen = members.into_iter().map(|member| member.join().expect("it ends well"));
            seen.chain([last]).collect()
        })
    }

    /// Publishes what readers of a channel end with, again and again until it is answered.
    fn publish_last(&self, channel: &str, number: u64, seen: &mut Seen) {
        let until = Instant::now() + LIMIT;
        loop {
            let node = self.node(0).expect("a node runs");
            let answer = post(node, channel, &number.to_string(), Some(&format!("last-{number}")));
            if let Ok(Outcome::At(place)) = answer {
                seen.answered.push((channel.to_owned(), place, number));
                return;
            }
            assert!(Instant::now() < until, "{channel}: {answer:?}");
            std::thread::sleep(PAUSE);
        }
    }
}

type Socket = WebSocket<TcpStream>;

/// See the module.
struct Member<'t> {
    traffic: &'t Traffic,
    role: Role,
    /// Connections so far.
    tries: usize,
    seen: Seen,
    /// What it published and was not answered yet: by its number, the channel.
    waiting: BTreeMap<u64, String>,
    /// What is sent again, with its key.
    again: BTreeMap<u64, String>,
    sent: Instant,
}

impl<'t> Member<'t> {
    fn new(traffic: &'t Traffic, role: Role) -> Member<'t> {
        let seen = Seen::default();
        Member { traffic, role, tries: 0, seen, waiting: BTreeMap::new(), again: BTreeMap::new(), sent: Instant::now() }
    }

    /// Goes on until nothing is left to do.
    fn run(mut self) -> Seen {
        let until = Instant::now() + LIMIT;
        while !self.is_done() {
            let outcome = self.connect().and_then(|mut socket| self.exchange(&mut socket));
            self.seen.ends += usize::from(outcome.is_err());
            // Whatever was on its way may have been published.
            for (number, channel) in std::mem::take(&mut self.waiting) {
                self.is_unknown(number, channel, "");
            }
            assert!(Instant::now() < until, "still not done: {outcome:?}");
            if outcome.is_err() {
                std::thread::sleep(PAUSE);
            }
        }
        self.seen
    }

    fn is_done(&self) -> bool {
        if self.traffic.has_failed() {
            return true;
        }
        let has_read = !self.role.reads || self.seen.has_ended(&self.traffic.channels);
        self.traffic.is_over() && has_read && self.waiting.is_empty() && self.again.is_empty()
    }

    /// What it waits for.
    fn missing(&self) -> Vec<String> {
        let lacks = |channel: &&String| !self.seen.has_ended(std::slice::from_ref(*channel));
        let lines = self.traffic.channels.iter().filter(lacks);
        let nodes = self.traffic.nodes.lock().expect("no panic").clone();
        let lines = lines.map(|channel| {
            let own = self.seen.lines.get(channel).and_then(Line::position);
            // Where each node is, since one of them may be behind.
            let there = nodes.iter().map(|node| get(*node, &format!("/channels/{channel}?last=1")).text());
            format!("the last of {channel} after {own:?}; nodes say {:?}", there.collect::<Vec<_>>())
        });
        lines.chain(self.waiting.keys().map(|number| format!("the answer to {number}"))).collect()
    }

    fn connect(&mut self) -> Result<Socket> {
        let number = self.role.node + self.tries;
        self.tries += 1;
        let node = self.traffic.node(number).ok_or(ErrorKind::NotConnected)?;
        let stream = TcpStream::connect_timeout(&node, PATIENCE)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let (mut socket, _) = tungstenite::client(format!("ws://{node}/ws"), stream).map_err(Error::other)?;
        if self.role.reads {
            self.subscribe(&mut socket)?;
        }
        socket.get_ref().set_read_timeout(Some(LOOK))?;
        Ok(socket)
    }

    /// Subscribes to all channels, each after what was read of it.
    fn subscribe(&mut self, socket: &mut Socket) -> Result<()> {
        for channel in &self.traffic.channels {
            let mut ask = json!({"id": channel, "method": "GET", "path": format!("/channels/{channel}")});
            if let Some(position) = self.seen.lines.get(channel).and_then(Line::position) {
                ask["since"] = position.into();
            }
            send(socket, &ask)?;
            let answer = loop {
                let message = read(socket)?.ok_or(ErrorKind::TimedOut)?;
                if message["id"] == channel.as_str() {
                    break message;
                }
                self.take(&message);
            };
            if answer["status"] != 200 {
                // The engine is away, or this node ends: it comes back later.
                assert_eq!(answer["status"], 503, "{answer}");
                return Err(Error::other(answer.to_string()));
            }
            let (epoch, offset) = place_of(&answer);
            self.seen.begin(channel, &epoch, offset, answer["recovered"].as_bool());
            for one in answer["publications"].as_array().expect("a list") {
                self.seen.take(channel, offset_of(one), number_of(one));
            }
        }
        Ok(())
    }

    /// Publishes and reads until the connection ends or nothing is left to do.
    fn exchange(&mut self, socket: &mut Socket) -> Result<()> {
        let mut heard = Instant::now();
        while !self.is_done() {
            self.publish(socket)?;
            if let Some(message) = read(socket)? {
                self.take(&message);
                heard = Instant::now();
            }
            if !self.traffic.is_over() {
                // It may be silent for long while Redis is away, and has its time when that is over.
                heard = Instant::now();
            }
            let is_quiet = heard.elapsed() > PATIENCE;
            assert!(
                !is_quiet,
                "{} at {:?} waits in vain for {:?}",
                self.role.node,
                socket.get_ref().peer_addr(),
                self.missing()
            );
        }
        // Whether the other end hears of it does not matter.
        let _ = socket.close(None);
        Ok(())
    }

    /// Sends as much as its window and its pace allow.
    fn publish(&mut self, socket: &mut Socket) -> Result<()> {
        while self.waiting.len() < self.role.window && self.sent.elapsed() >= self.role.pace {
            let (number, channel) = match self.again.pop_first() {
                Some(again) => again,
                None if self.traffic.is_over() => return Ok(()),
                None => {
                    let number = self.traffic.numbers.fetch_add(1, Ordering::Relaxed);
                    let which = usize::try_from(number).expect("a small number") % self.traffic.channels.len();
                    (number, self.traffic.channels[which].clone())
                }
            };
            let mut ask =
                json!({"id": number, "method": "POST", "path": format!("/channels/{channel}"), "data": number});
            if self.role.is_keyed {
                ask["key"] = format!("key-{number}").into();
            }
            self.sent = Instant::now();
            self.waiting.insert(number, channel);
            send(socket, &ask)?;
        }
        Ok(())
    }

    fn take(&mut self, message: &Value) {
        if let Some(number) = message["id"].as_u64() {
            self.take_answer(number, message);
        } else if message["reset"] == true {
            let (epoch, offset) = place_of(message);
            self.seen.reset(channel_of(message), &epoch, offset);
        } else if message["offset"].is_u64() {
            self.seen.take(channel_of(message), offset_of(message), number_of(message));
        } else {
            assert!(message["reconnect"].is_string(), "{message}");
        }
    }

    fn take_answer(&mut self, number: u64, answer: &Value) {
        let channel = self.waiting.remove(&number).expect("it was asked");
        if answer["status"] == 200 {
            let place: Place = place_of(answer);
            // The own push comes before the answer.
            let line = self.seen.lines.get(&channel);
            let is_first = !self.role.reads || line.is_some_and(|line| line.is_past(&place));
            assert!(is_first || self.traffic.may_be_away, "{channel} {place:?}: {line:?}");
            self.traffic.answered.fetch_add(1, Ordering::Relaxed);
            self.seen.answered.push((channel, place, number));
            return;
        }
        let code = answer["error"]["code"].as_str().expect("a code");
        match code {
            "outcome_unknown" => self.is_unknown(number, channel, code),
            // With a key it is tried again, and may then be published.
            _ if self.role.is_keyed => drop(self.again.insert(number, channel)),
            "busy" | "engine_unavailable" | "store_full" => self.seen.refused.push((number, code.to_owned())),
            _ => panic!("{answer}"),
        }
    }

    fn is_unknown(&mut self, number: u64, channel: String, code: &str) {
        if self.role.is_keyed {
            self.again.insert(number, channel);
        } else {
            self.seen.unknown.push((number, code.to_owned()));
        }
    }
}

fn send(socket: &mut Socket, ask: &Value) -> Result<()> {
    socket.send(Message::text(ask.to_string())).map_err(io_error)
}

/// The next message; `None` when none has come in the time that the socket waits.
fn read(socket: &mut Socket) -> Result<Option<Value>> {
    loop {
        return match socket.read().map_err(io_error) {
            Ok(Message::Text(text)) => Ok(Some(serde_json::from_str(&text).expect("JSON"))),
            Ok(_) => continue,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => Ok(None),
            Err(error) => Err(error),
        };
    }
}

fn io_error(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => Error::other(other.to_string()),
    }
}

fn offset_of(value: &Value) -> u64 {
    value["offset"].as_u64().unwrap_or_else(|| panic!("an offset: {value}"))
}

fn number_of(value: &Value) -> u64 {
    value["data"].as_u64().unwrap_or_else(|| panic!("a number: {value}"))
}

fn channel_of(value: &Value) -> &str {
    value["channel"].as_str().unwrap_or_else(|| panic!("a channel: {value}"))
}

fn place_of(value: &Value) -> Place {
    (value["epoch"].as_str().unwrap_or_else(|| panic!("an epoch: {value}")).to_owned(), offset_of(value))
}
