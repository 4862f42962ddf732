//! Clients that speak HTTP, with their models: one that asks and is answered, and one that reads an event stream.

use super::ledger::Ledger;
use super::socket_client::channel;
use rand::RngExt;
use rand::rngs::StdRng;
use serde_json::Value;
use std::collections::VecDeque;

/// What a request in progress is about.
#[derive(Debug)]
enum Asked {
    Post { channel: String, number: u64 },
    Get { channel: String },
    Page,
    Other,
}

/// Asks, waits for the answers, asks again.
#[derive(Debug, Default)]
pub(super) struct AskingClient {
    asked: VecDeque<Asked>,
    /// The server said that it will close.
    pub(super) is_over: bool,
}

impl AskingClient {
    /// Whether there is nothing to wait for.
    pub(super) fn is_answered(&self) -> bool {
        self.asked.is_empty()
    }

    /// The next request, or several behind each other; nothing while one is in progress.
    pub(super) fn speak(&mut self, random: &mut StdRng, channels: usize, ledger: &mut Ledger) -> Vec<u8> {
        if !self.asked.is_empty() || self.is_over {
            return Vec::new();
        }
        let count = if random.random_bool(0.5) { 1 } else { random.random_range(2..6) };
        (0..count).flat_map(|_| self.ask(random, channels, ledger)).collect()
    }

    fn ask(&mut self, random: &mut StdRng, channels: usize, ledger: &mut Ledger) -> Vec<u8> {
        let channel = channel(random, channels);
        let (request, asked) = match random.random_range(0..10) {
            0..6 => {
                let padding = [0, 50, 500, 3500][random.random_range(0..4)];
                let (number, data) = ledger.compose(padding);
                let body = if random.random_bool(0.3) {
                    let (first, second) = data.split_at(data.len() / 2);
                    let chunks = format!("{:x}\r\n{first}\r\n{:x}\r\n{second}\r\n0\r\n\r\n", first.len(), second.len());
                    format!("Transfer-Encoding: chunked\r\n\r\n{chunks}")
                } else {
                    format!("Content-Length: {}\r\n\r\n{data}", data.len())
                };
                let head = "Host: localhost\r\nContent-Type: application/json\r\n";
                (format!("POST /channels/{channel} HTTP/1.1\r\n{head}{body}"), Asked::Post { channel, number })
            }
            6 => ("GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), Asked::Page),
            7..9 => (format!("GET /channels/{channel} HTTP/1.1\r\nHost: localhost\r\n\r\n"), Asked::Get { channel }),
            _ => ("GET /nowhere HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), Asked::Other),
        };
        self.asked.push_back(asked);
        request.into_bytes()
    }

    /// Looks at what came; what is not complete stays.
    pub(super) fn hear(&mut self, received: &mut Vec<u8>, ledger: &mut Ledger) {
        while self.hear_one(received, ledger) {}
    }

    fn hear_one(&mut self, received: &mut Vec<u8>, ledger: &mut Ledger) -> bool {
        let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return false };
        let head = std::str::from_utf8(&received[..end]).expect("ASCII");
        let status: u16 = head[9..12].parse().expect("a status");
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length: usize = length.map_or(0, |digits| digits.parse().expect("a length"));
        if received.len() < end + 4 + length {
            return false;
        }
        self.is_over |= head.contains("Connection: close");
        let body: Vec<u8> = received.drain(..end + 4 + length).skip(end + 4).collect();
        let body: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        match self.asked.pop_front() {
            Some(Asked::Post { channel, number }) => match status {
                200 | 201 => {
                    let offset = body["offset"].as_u64().expect("an offset");
                    ledger.happened.published += 1;
                    ledger.placed(&channel, body["epoch"].as_str().expect("an epoch"), offset, number);
                }
                503 => {
                    ledger.happened.refused_busy += 1;
                    ledger.refused(number);
                }
                408 => self.is_over = true,
                other => panic!("{other}: {body}"),
            },
            Some(Asked::Get { channel }) if status == 200 => {
                let epoch = body["epoch"].as_str().expect("an epoch");
                for publication in body["publications"].as_array().expect("publications") {
                    let offset = publication["offset"].as_u64().expect("an offset");
                    ledger.saw(&channel, epoch, offset, &publication["data"]);
                }
            }
            Some(Asked::Page) if status == 200 => ledger.happened.pages += 1,
            Some(Asked::Page | Asked::Get { .. }) => assert!(matches!(status, 408 | 503), "{status}: {body}"),
            Some(Asked::Other) => assert!(matches!(status, 404 | 408 | 503), "{status}: {body}"),
            // It waited too long, or the server is going.
            None => assert!(matches!(status, 408 | 503), "an answer to nothing: {status}"),
        }
        if self.is_over {
            // Nobody will know what became of the others.
            self.asked.clear();
        }
        true
    }
}

/// Reads an event stream.
#[derive(Debug)]
pub(super) struct StreamClient {
    channel: String,
    /// Bytes of the stream without its chunks.
    text: String,
    has_head: bool,
    position: Option<(String, u64)>,
    since: Option<(String, u64)>,
    /// The stream ended as streams do, or was refused.
    pub(super) is_over: bool,
}

impl StreamClient {
    /// A reader and its request.
    pub(super) fn new(random: &mut StdRng, channels: usize) -> (StreamClient, Vec<u8>) {
        let channel = channel(random, channels);
        let request =
            format!("GET /channels/{channel} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        let client =
            StreamClient { channel, text: String::new(), has_head: false, position: None, since: None, is_over: false };
        (client, request.into_bytes())
    }

    /// The same reader, coming back with the last position it knows.
    pub(super) fn again(self) -> (StreamClient, Vec<u8>) {
        let since = self.position.or(self.since);
        let field =
            since.as_ref().map_or(String::new(), |(epoch, offset)| format!("Last-Event-ID: {epoch}:{offset}\r\n"));
        let request = format!(
            "GET /channels/{} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{field}\r\n",
            self.channel
        );
        let client =
            StreamClient { text: String::new(), has_head: false, position: None, since, is_over: false, ..self };
        (client, request.into_bytes())
    }

    /// Where it stands, once it knows.
    pub(super) fn position(&self) -> Option<(&str, String)> {
        self.position.as_ref().map(|(epoch, offset)| (self.channel.as_str(), format!("{epoch}:{offset}")))
    }

    /// Looks at what came; what is not complete stays.
    pub(super) fn hear(&mut self, received: &mut Vec<u8>, ledger: &mut Ledger) {
        if !self.has_head {
            let Some(end) = received.windows(4).position(|four| four == b"\r\n\r\n") else { return };
            let head = String::from_utf8(received.drain(..end + 4).collect()).expect("ASCII");
            self.has_head = true;
            if !head.starts_with("HTTP/1.1 200 ") {
                assert!(
                    head.starts_with("HTTP/1.1 408 "),
                    "a head that came too late is all that has a status: {head}"
                );
                self.is_over = true;
            }
        }
        while !self.is_over && self.take_chunk(received) {}
        while let Some(end) = self.text.find("\n\n") {
            let block: String = self.text.drain(..end + 2).collect();
            self.block(&block, ledger);
        }
    }

    fn take_chunk(&mut self, received: &mut Vec<u8>) -> bool {
        let Some(line) = received.windows(2).position(|two| two == b"\r\n") else { return false };
        let size = std::str::from_utf8(&received[..line]).expect("ASCII");
        let size = usize::from_str_radix(size, 16).expect("a chunk begins with its size");
        if received.len() < line + 2 + size + 2 {
            return false;
        }
        let chunk: Vec<u8> = received.drain(..line + 2 + size + 2).skip(line + 2).take(size).collect();
        self.is_over = size == 0;
        self.text.push_str(&String::from_utf8(chunk).expect("UTF-8"));
        true
    }

    fn block(&mut self, block: &str, ledger: &mut Ledger) {
        let field = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
        let Some(id) = field("id: ") else {
            let refused = field("event: ") == Some("refused") && self.position.is_none();
            // A drain says anew when to come back.
            let retries = block.lines().filter(|line| !line.is_empty()).all(|line| line.starts_with("retry: "));
            return assert!(
                refused || retries || block.starts_with(':'),
                "a block without an id is a comment, or says when to come back: {block}"
            );
        };
        let (epoch, offset) = id.rsplit_once(':').expect("a position");
        let offset: u64 = offset.parse().expect("an offset");
        let data: Value = serde_json::from_str(field("data: ").expect("data")).expect("JSON");
        ledger.happened.blocks += 1;
        match field("event: ") {
            Some("position") => {
                let recovered = data["recovered"].as_bool();
                assert_eq!(
                    recovered.is_some(),
                    self.since.is_some(),
                    "who comes back is told whether it has all: {block}"
                );
                match &self.since {
                    Some((known, at)) if recovered == Some(true) => {
                        ledger.happened.recovered += 1;
                        assert_eq!((known.as_str(), *at), (epoch, offset), "it goes on where it was left");
                    }
                    Some(_) => ledger.happened.not_recovered += 1,
                    None => {}
                }
            }
            // Of the simulated world: every reset begins a new epoch.
            Some("reset") => assert_eq!(offset, 0),
            None => {
                let (known, before) = self.position.as_ref().expect("the position comes first");
                assert_eq!((known.as_str(), before + 1), (epoch, offset), "a gap, a duplicate or a reorder: {block}");
                ledger.saw(&self.channel, epoch, offset, &data);
            }
            Some(other) => panic!("nobody publishes an event {other}"),
        }
        self.position = Some((epoch.to_owned(), offset));
    }
}
