//! Who listens: over sockets, event streams and the library, coming and going at random.

use super::payload::Payload;
use super::publishers::name;
use super::{CHANNELS, Flood, any_channel};
use crate::support::PATIENCE;
use crate::support::json::{items, member};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use rand::RngExt;
use rand::rngs::StdRng;
use std::collections::BTreeMap;
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, channel};
use std::thread::{Builder, Scope, ScopedJoinHandle};
use std::time::Duration;
use tidings::Subscription;
use tungstenite::Message;

/// How far a subscriber has come on one channel.
#[derive(Debug, Clone)]
pub(super) struct Track {
    epoch: String,
    pub(super) offset: u64,
}

impl Track {
    pub(super) fn at(epoch: &str, offset: u64) -> Track {
        Track { epoch: epoch.to_owned(), offset }
    }

    /// The next publication: it must be the next one.
    pub(super) fn receive(&mut self, flood: &Flood<'_>, channel: usize, offset: u64, payload: &Payload) {
        assert_eq!(offset, self.offset + 1, "channel {channel}: a gap, a duplicate or a reorder");
        flood.ledger.saw(channel, offset, payload);
        self.offset = offset;
    }

    fn position(&self) -> String {
        format!("{}:{}", self.epoch, self.offset)
    }
}

/// What a push says: its channel, offset and payload; `None` for an answer.
pub(super) fn push_of(text: &str) -> Option<(usize, u64, Payload)> {
    if !text.starts_with("{\"channel\":") {
        return None;
    }
    Some((channel_of(text), offset_of(text), Payload::of_object(text)))
}

fn offset_of(object: &str) -> u64 {
    member(object, "offset").and_then(|digits| digits.parse().ok()).unwrap_or_else(|| panic!("no offset: {object}"))
}

fn channel_of(object: &str) -> usize {
    let name = member(object, "channel").expect("a channel").trim_matches('"');
    name.strip_prefix("flood-").and_then(|digits| digits.parse().ok()).expect("one of ours")
}

/// A subscriber's work, which knows its own number.
type Subscriber = fn(&Flood<'_>, usize);

/// Starts subscribers of every kind.
pub(super) fn start<'s, 'e>(scope: &'s Scope<'s, 'e>, flood: &'e Flood<'e>) -> Vec<ScopedJoinHandle<'s, ()>> {
    let kinds: [(&str, Subscriber); 9] = [
        ("text 1", |flood, who| over_sockets(flood, who, false)),
        ("text 2", |flood, who| over_sockets(flood, who, false)),
        ("text 3", |flood, who| over_sockets(flood, who, false)),
        ("binary 1", |flood, who| over_sockets(flood, who, true)),
        ("binary 2", |flood, who| over_sockets(flood, who, true)),
        ("stream 1", over_streams),
        ("stream 2", over_streams),
        ("library 1", by_the_library),
        ("library 2", by_the_library),
    ];
    let spawn = |(who, (name, run)): (usize, (&str, Subscriber))| {
        Builder::new().name(format!("subscriber {name}")).spawn_scoped(scope, move || run(flood, 100 + who))
    };
    kinds.into_iter().enumerate().map(|kind| spawn(kind).expect("a thread")).collect()
}

fn over_sockets(flood: &Flood<'_>, who: usize, binary: bool) {
    let mut random = flood.random(who);
    let mut tracks: BTreeMap<usize, Track> = BTreeMap::new();
    loop {
        flood.ledger.session();
        let mut session = Session {
            client: WsClient::connect(flood.server.address()),
            flood,
            binary,
            live: BTreeMap::new(),
            next_id: 0,
        };
        for _ in 0..random.random_range(1..=CHANNELS) {
            let channel = any_channel(&mut random);
            if !session.live.contains_key(&channel) {
                let known = tracks.get(&channel).filter(|_| random.random_bool(0.8));
                session.subscribe(channel, known);
            }
        }
        let mut quota = random.random_range(0..150);
        flood.board.note(format!("reads {quota} messages, at {:?}", session.live));
        while quota > 0 && !session.is_over() {
            session.read();
            quota -= 1;
        }
        let over = session.is_over();
        if random.random_bool(0.3) {
            let channel = *session.live.keys().next().expect("it subscribed to something");
            session.unsubscribe(channel);
        }
        let Session { client, live, .. } = session;
        tracks.extend(live);
        vanish(client, &mut random);
        if over {
            return;
        }
    }
}

/// One socket of a subscriber.
struct Session<'f> {
    client: WsClient,
    flood: &'f Flood<'f>,
    binary: bool,
    live: BTreeMap<usize, Track>,
    next_id: u64,
}

impl Session<'_> {
    fn is_over(&self) -> bool {
        self.live.iter().all(|(channel, track)| self.flood.ledger.is_over(*channel, track.offset))
    }

    /// Subscribes behind what is known; replay and live must meet exactly.
    fn subscribe(&mut self, channel: usize, known: Option<&Track>) {
        let since = known.map_or_else(String::new, |track| format!(",\"since\":\"{}\"", track.position()));
        let answer = self.ask("GET", &format!("/channels/{}", name(channel)), &since);
        assert_eq!(member(&answer, "status"), Some("200"), "{answer}");
        let epoch = member(&answer, "epoch").expect("an epoch").trim_matches('"');
        let publications = items(member(&answer, "publications").expect("a replay"));
        let mut track = Track::at(epoch, offset_of(&answer));
        match (known, member(&answer, "recovered")) {
            (Some(before), Some("true")) => {
                let mut replayed = before.clone();
                for publication in publications {
                    let payload = Payload::of_object(publication);
                    replayed.receive(self.flood, channel, offset_of(publication), &payload);
                }
                assert_eq!(replayed.offset, track.offset, "a replay ends at the answer's position");
                self.flood.ledger.resumed(true);
                track = replayed;
            }
            (Some(before), Some("false")) => {
                assert!(publications.is_empty() && track.offset > before.offset + 40, "{before:?}: {answer}");
                self.flood.ledger.resumed(false);
            }
            (None, None) => assert!(publications.is_empty()),
            other => panic!("{other:?}: {answer}"),
        }
        self.live.insert(channel, track);
    }

    /// After the answer to an unsubscribe no push follows.
    fn unsubscribe(&mut self, channel: usize) {
        let answer = self.ask("DELETE", &format!("/subscriptions/{}", name(channel)), "");
        assert_eq!(member(&answer, "status"), Some("200"), "{answer}");
        let before = self.live.get(&channel).map(|track| track.offset);
        for _ in 0..3 {
            self.ask("GET", "/livez", "");
        }
        assert_eq!(self.live.get(&channel).map(|track| track.offset), before, "a push after an unsubscribe");
    }

    fn ask(&mut self, method: &str, path: &str, more: &str) -> String {
        let id = self.next_id;
        self.next_id += 1;
        let request = format!("{{\"id\":{id},\"method\":\"{method}\",\"path\":\"{path}\"{more}}}");
        self.flood.board.note(format!("asks {request}"));
        if self.binary {
            self.client.send_binary(format!("{request}\n").into_bytes());
        } else {
            self.client.send_text(&request);
        }
        loop {
            if let Some(answer) = self.read() {
                assert_eq!(member(&answer, "id"), Some(&id.to_string()[..]), "{answer}");
                return answer;
            }
        }
    }

    /// Takes one message; an answer is returned.
    fn read(&mut self) -> Option<String> {
        let (channel, offset, payload) = match self.client.next() {
            Message::Text(text) => match push_of(&text) {
                Some(push) => {
                    assert!(!self.binary || matches!(push.2, Payload::Json(_)), "binary data comes in binary frames");
                    push
                }
                None => return Some(text.to_string()),
            },
            Message::Binary(bytes) => {
                assert!(self.binary, "a binary frame for a subscriber that reads text");
                let end = bytes.iter().position(|byte| *byte == b'\n').expect("a line");
                let line = std::str::from_utf8(&bytes[..end]).expect("UTF-8");
                let content_type = member(line, "content_type").expect("a type").trim_matches('"').to_owned();
                let payload = Payload::Binary { content_type, bytes: bytes[end + 1..].to_vec() };
                (channel_of(line), offset_of(line), payload)
            }
            other => panic!("{other:?}"),
        };
        let track = self.live.get_mut(&channel).expect("pushes come on subscribed channels only");
        track.receive(self.flood, channel, offset, &payload);
        None
    }
}

/// Leaves in one of the ways in which clients leave.
fn vanish(mut client: WsClient, random: &mut StdRng) {
    match random.random_range(0..4) {
        0 => reset(client.socket.get_ref()),
        1 => {
            client.socket.close(None).expect("a live socket");
            while client.socket.read().is_ok() {}
        }
        2 => {
            // Requests that nobody will hear the answers to.
            client.send_text(
                "[{\"method\":\"GET\",\"path\":\"/channels/flood-0\"},{\"method\":\"GET\",\"path\":\"/livez\"}]",
            );
            client.send_text("GET /channels/flood-1");
        }
        _ => {}
    }
}

/// Makes the drop of a stream a reset.
fn reset(stream: &TcpStream) {
    socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("a live socket");
}

fn over_streams(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    let channel = any_channel(&mut random);
    let mut known: Option<Track> = None;
    loop {
        flood.ledger.session();
        let before = known.take_if(|_| random.random_bool(0.9));
        flood.board.note(format!("opens a stream of {channel} behind {before:?}"));
        let id = before.as_ref().map(Track::position);
        let mut stream = SseClient::open(flood.server.address(), &name(channel), id.as_deref());
        let first = stream.next_block().expect("the position");
        assert_eq!(first.event.as_deref(), Some("position"));
        let position = first.id.expect("a position");
        let (epoch, offset) = position.split_once(':').expect("epoch:offset");
        let mut track = Track::at(epoch, offset.parse().expect("a number"));
        if let Some(before) = before {
            let recovered = member(&first.data, "recovered") == Some("true");
            flood.ledger.resumed(recovered);
            assert!(recovered || track.offset > before.offset + 40, "{before:?} {track:?}");
            assert!(!recovered || track.offset == before.offset, "{before:?} {track:?}");
        }
        let mut quota = random.random_range(0..150);
        flood.board.note(format!("reads {quota} blocks of {channel}, from {track:?}"));
        while quota > 0 && !flood.ledger.is_over(channel, track.offset) {
            let block = stream.next_block().expect("the stream goes on");
            let id = block.id.expect("an id");
            let (own_epoch, offset) = id.split_once(':').expect("epoch:offset");
            assert_eq!(own_epoch, track.epoch);
            track.receive(flood, channel, offset.parse().expect("a number"), &Payload::of_stream(&block.data));
            quota -= 1;
        }
        if random.random_bool(0.5) {
            reset(&stream.raw.stream);
        }
        if flood.ledger.is_over(channel, track.offset) {
            return;
        }
        known = Some(track);
    }
}

/// A library subscription, with what its callback saw.
pub(super) struct Witness {
    subscription: Subscription,
    seen: Receiver<(u64, Payload)>,
}

/// Listens to a channel by the library.
pub(super) fn witness(flood: &Flood<'_>, index: usize) -> Witness {
    slow_witness(flood, index, Duration::ZERO)
}

fn slow_witness(flood: &Flood<'_>, index: usize, pause: Duration) -> Witness {
    let (sender, seen) = channel();
    let subscription = flood.server.subscribe(&name(index), move |publication| {
        std::thread::sleep(pause);
        // The other end is gone when a subscriber has seen enough.
        let _ = sender.send((publication.offset(), Payload::of_publication(publication)));
    });
    Witness { subscription: subscription.expect("a subscription"), seen }
}

impl Witness {
    /// Sees everything to the end, and ends.
    pub(super) fn finish(self, flood: &Flood<'_>, index: usize) {
        let mut track = Track::at("", self.subscription.position.offset);
        while !flood.ledger.is_over(index, track.offset.saturating_sub(1)) {
            let (offset, payload) = self.seen.recv_timeout(PATIENCE).expect("the rest comes");
            track.receive(flood, index, offset, &payload);
        }
    }
}

fn by_the_library(flood: &Flood<'_>, who: usize) {
    let mut random = flood.random(who);
    loop {
        flood.ledger.session();
        let index = any_channel(&mut random);
        // The slowest fill their mailboxes for longer than publishers wait.
        let (pause, quota) = match random.random_range(0..10) {
            0 => (Duration::from_millis(50), random.random_range(0..4)),
            1..4 => (Duration::from_micros(300), random.random_range(0..50)),
            _ => (Duration::ZERO, random.random_range(0..100)),
        };
        let mut quota: usize = quota;
        let witness = slow_witness(flood, index, pause);
        let mut track = Track::at("", witness.subscription.position.offset);
        flood.board.note(format!("listens to {quota} of {index}, from {track:?}"));
        while quota > 0 && !flood.ledger.is_over(index, track.offset) {
            let (offset, payload) = witness.seen.recv_timeout(PATIENCE).expect("the rest comes");
            track.receive(flood, index, offset, &payload);
            quota -= 1;
        }
        if flood.ledger.is_over(index, track.offset) {
            return;
        }
    }
}
