//! Clients that outlive servers: readers over sockets and event streams that resume, publishers over HTTP that ask again, and the
//! account of what became of each publication.

use crate::support::PATIENCE;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tungstenite::{HandshakeError, Message};

/// The one channel.
const CHANNEL: &str = "rolling";
/// What the last publication says: a reader ends with it.
const LAST: &str = "last";
/// Between two publications of a publisher.
const PAUSE: Duration = Duration::from_millis(2);

/// What goes wrong at a door: nothing of it may happen.
#[derive(Debug, Default)]
pub(super) struct Doors {
    /// Connects that were refused or reset.
    refused: AtomicU64,
    /// Requests that ended without an answer, on whichever connection.
    unanswered: AtomicU64,
}

impl Doors {
    /// Connects refused or reset, and requests without an answer.
    pub(super) fn counts(&self) -> (u64, u64) {
        (self.refused.load(Ordering::Relaxed), self.unanswered.load(Ordering::Relaxed))
    }

    fn connect(&self, address: SocketAddr) -> Result<TcpStream> {
        let connected = TcpStream::connect(address);
        self.refused.fetch_add(u64::from(connected.is_err()), Ordering::Relaxed);
        let stream = connected?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// Counts a request that had no answer.
    fn answered<T>(&self, outcome: Result<T>) -> Result<T> {
        self.unanswered.fetch_add(u64::from(outcome.is_err()), Ordering::Relaxed);
        outcome
    }
}

/// Where a publication is: its epoch, and its offset in it.
pub(super) type Place = (String, u64);

/// What a reader has seen.
#[derive(Debug, Default)]
pub(super) struct Seen {
    epoch: String,
    offset: u64,
    /// What came, by its place.
    pub(super) received: BTreeMap<Place, String>,
    /// Where it began to read in each epoch, and that it was told so: what is before is not its.
    pub(super) begins: BTreeMap<String, u64>,
    /// How often it resumed with everything, and how often it was told that something is missing.
    pub(super) resumed: usize,
    pub(super) told: usize,
    has_ended: bool,
}

impl Seen {
    fn position(&self) -> Option<String> {
        (!self.epoch.is_empty()).then(|| format!("{}:{}", self.epoch, self.offset))
    }

    /// The answer to a subscription: where it goes on, and whether that is where it was.
    fn begin(&mut self, epoch: &str, offset: u64, recovered: Option<bool>) {
        match recovered {
            Some(true) => {
                assert_eq!(epoch, self.epoch, "another epoch cannot be the same place");
                self.resumed += 1;
            }
            Some(false) => self.told += 1,
            None => assert!(self.epoch.is_empty(), "one that comes back is told whether it has everything"),
        }
        if recovered != Some(true) {
            assert!(!self.begins.contains_key(epoch), "nobody loses his place in an epoch that goes on");
            self.epoch = epoch.to_owned();
            self.offset = offset;
            self.begins.insert(epoch.to_owned(), offset);
        }
    }

    fn take(&mut self, offset: u64, data: &str) {
        assert_eq!(offset, self.offset + 1, "no gap and no double in {}", self.epoch);
        self.offset = offset;
        self.has_ended |= data == LAST;
        let before = self.received.insert((self.epoch.clone(), offset), data.to_owned());
        assert!(before.is_none(), "twice: {}:{offset}", self.epoch);
    }

    /// Reads by `once`, which is a connection each time, until the last publication has come.
    fn read(mut self, once: impl Fn(&mut Seen) -> Result<()>) -> Seen {
        let until = Instant::now() + Duration::from_secs(600);
        while !self.has_ended {
            // Why a connection ended is told by what follows: a gap, or none.
            let outcome = once(&mut self);
            assert!(Instant::now() < until, "still in vain: {outcome:?}");
        }
        self
    }
}

fn offset_of(value: &Value) -> u64 {
    value["offset"].as_u64().unwrap_or_else(|| panic!("an offset: {value}"))
}

fn text_of(value: &Value) -> &str {
    value["data"].as_str().unwrap_or_else(|| panic!("data: {value}"))
}

fn io_error(error: tungstenite::Error) -> Error {
    match error {
        tungstenite::Error::Io(error) => error,
        other => Error::other(other.to_string()),
    }
}

/// Reads over sockets.
pub(super) fn over_sockets(address: SocketAddr, doors: &Doors) -> Seen {
    Seen::default().read(|seen| {
        let stream = doors.connect(address)?;
        let opened = match tungstenite::client(format!("ws://{address}/ws"), stream) {
            Ok((socket, _)) => Ok(socket),
            // An answer, too: it comes to a handshake that crosses the beginning of a drain.
            Err(HandshakeError::Failure(tungstenite::Error::Http(answer))) if answer.status() == 503 => {
                return Err(ErrorKind::ConnectionAborted.into());
            }
            Err(HandshakeError::Failure(error)) => Err(io_error(error)),
            Err(HandshakeError::Interrupted(_)) => Err(ErrorKind::TimedOut.into()),
        };
        let mut socket = doors.answered(opened)?;
        let mut ask = json!({"id": 1, "method": "GET", "path": format!("/channels/{CHANNEL}")});
        if let Some(position) = seen.position() {
            ask["since"] = position.into();
        }
        socket.send(Message::text(ask.to_string())).map_err(io_error)?;
        while !seen.has_ended {
            let Message::Text(text) = socket.read().map_err(io_error)? else { continue };
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["id"] == 1 {
                assert_eq!(message["status"], 200, "{message}");
                let list = message["publications"].as_array().expect("a list");
                let epoch = message["epoch"].as_str().expect("an epoch");
                seen.begin(epoch, offset_of(&message), message["recovered"].as_bool());
                list.iter().for_each(|one| seen.take(offset_of(one), text_of(one)));
            } else if message["offset"].is_u64() {
                seen.take(offset_of(&message), text_of(&message));
            } else {
                assert!(message["reconnect"].is_string(), "{message}");
            }
        }
        Ok(())
    })
}

/// Reads over event streams, as a browser does it, but comes back at once.
pub(super) fn over_streams(address: SocketAddr, doors: &Doors) -> Seen {
    Seen::default().read(|seen| {
        let mut stream = doors.connect(address)?;
        let since = seen.position().map(|position| format!("Last-Event-ID: {position}\r\n")).unwrap_or_default();
        let ask =
            format!("GET /channels/{CHANNEL} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{since}\r\n");
        let mut text = Vec::new();
        let begun = stream.write_all(ask.as_bytes()).and_then(|()| read_until(&mut stream, &mut text, b"\r\n\r\n"));
        doors.answered(begun)?;
        assert!(text.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&text));
        while !seen.has_ended {
            // A publication here has no blank line in it, so that blocks are found without undoing chunks.
            while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
                let block = String::from_utf8(text.drain(..end + 2).collect()).expect("UTF-8");
                take_block(seen, &block);
            }
            if more(&mut stream, &mut text)? == 0 {
                return Err(ErrorKind::UnexpectedEof.into());
            }
        }
        Ok(())
    })
}

fn take_block(seen: &mut Seen, block: &str) {
    let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let Some(id) = line("id: ") else {
        // The end of a drain says when to come back; one that comes during it is told so.
        assert!(line("event: ").is_none_or(|event| event == "refused"), "{block:?}");
        return;
    };
    let (epoch, offset) = id.split_once(':').expect("a position");
    let (offset, data) = (offset.parse().expect("an offset"), line("data: ").expect("data"));
    match line("event: ") {
        Some("position") => {
            let said: Value = serde_json::from_str(data).expect("JSON");
            // What is replayed follows: it goes on from where it was.
            seen.begin(epoch, offset, said["recovered"].as_bool());
        }
        None => seen.take(offset, serde_json::from_str::<Value>(data).expect("JSON").as_str().expect("a text")),
        Some(event) => panic!("{event}: {block:?}"),
    }
}

fn more(stream: &mut TcpStream, into: &mut Vec<u8>) -> Result<usize> {
    let mut buffer = [0; 16 * 1024];
    let read = stream.read(&mut buffer)?;
    into.extend_from_slice(&buffer[..read]);
    Ok(read)
}

fn read_until(stream: &mut TcpStream, into: &mut Vec<u8>, needle: &[u8]) -> Result<()> {
    while !into.windows(needle.len()).any(|window| window == needle) {
        if more(stream, into)? == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
    }
    Ok(())
}

/// Publishes on kept connections until `is_over`; where each publication is, as its answer says.
pub(super) fn publish(
    address: SocketAddr,
    number: usize,
    doors: &Doors,
    is_over: impl Fn() -> bool,
) -> BTreeMap<Place, String> {
    let (mut accepted, mut stream) = (BTreeMap::new(), None);
    for count in 0.. {
        if is_over() {
            break;
        }
        let data = format!("{number}-{count}");
        let Ok(own) = stream.take().map_or_else(|| doors.connect(address), Ok) else { continue };
        let Ok((place, kept)) = doors.answered(post(own, &data)) else { continue };
        stream = kept;
        accepted.insert(place, data);
        std::thread::sleep(PAUSE);
    }
    accepted
}

/// Publishes the text with which readers end.
pub(super) fn publish_last(address: SocketAddr, doors: &Doors) {
    let stream = doors.connect(address).expect("it listens");
    post(stream, LAST).expect("it is published");
}

/// Publishes once; where that is, and the connection if it is kept.
fn post(mut stream: TcpStream, data: &str) -> Result<(Place, Option<TcpStream>)> {
    let body = format!("\"{data}\"");
    let length = body.len();
    let ask = format!(
        "POST /channels/{CHANNEL} HTTP/1.1\r\nHost: localhost\r\nIdempotency-Key: {data}\r\nContent-Length: {length}\r\n\r\n{body}"
    );
    stream.write_all(ask.as_bytes())?;
    let mut answer = Vec::new();
    // A body is one object without another in it.
    read_until(&mut stream, &mut answer, b"}")?;
    let text = String::from_utf8(answer).expect("UTF-8");
    assert!(text.starts_with("HTTP/1.1 200 "), "{text}");
    let (head, body) = text.split_once("\r\n\r\n").expect("a head");
    let body: Value = serde_json::from_str(body).expect("JSON");
    let place = (body["epoch"].as_str().expect("an epoch").to_owned(), offset_of(&body));
    Ok((place, (!head.contains("Connection: close")).then_some(stream)))
}

/// Holds what a reader saw against what was accepted: how many publications it missed, all of them in gaps that it was told of.
pub(super) fn missed(seen: &Seen, accepted: &BTreeMap<Place, String>) -> usize {
    for (place, data) in &seen.received {
        assert!(data == LAST || accepted.get(place).is_none_or(|own| own == data), "{place:?} is {data}");
    }
    let met: BTreeSet<&String> = seen.begins.keys().collect();
    let is_missed = |place: &&Place| !seen.received.contains_key(*place);
    let missing: Vec<&Place> = accepted.keys().filter(is_missed).collect();
    for (epoch, offset) in &missing {
        // Before it came to this epoch, after it had to leave it, or in one that it never met: each change was told.
        let is_inside = seen.begins.get(epoch).is_some_and(|begin| offset > begin)
            && seen.received.range((epoch.clone(), *offset)..).next().is_some_and(|((own, _), _)| own == epoch);
        assert!(!is_inside, "{epoch}:{offset} is missing in the midst of what it read");
    }
    assert_eq!(seen.told + 1, met.len(), "each change of the epoch is told");
    missing.len()
}
