//! The far end of a connection: reads what it is sent with httparse, tungstenite and flate2, and takes no nonsense.

use super::json;
use flate2::{Decompress, FlushDecompress, Status};
use std::collections::{HashMap, VecDeque};
use std::io::{ErrorKind, Read, Result as IoResult, Write};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// What the peer waits for.
enum Phase {
    Http,
    Socket(Box<Socket>),
    Stream {
        chunked: bool,
    },
    /// The other side said its last word.
    Over,
}

struct Socket {
    context: WebSocketContext,
    inflater: Option<Decompress>,
    server_takeover: bool,
    /// The requests that must be answered next, in this order.
    expected: VecDeque<Expected>,
    /// The last push of each channel that is subscribed, by its raw name.
    offsets: HashMap<String, Option<u64>>,
}

/// What the answer to a frame must be: those without an id may be silent, so they are not waited for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Expected {
    /// An object with this id, as JSON.
    Id(String),
    /// An array with an object for each item, and their ids.
    Batch(Vec<Option<String>>),
}

/// See the module.
pub(crate) struct Peer {
    phase: Phase,
    inbox: Vec<u8>,
    /// For each request under way whether it was a HEAD, whose answer has no body.
    asked: VecDeque<bool>,
    /// What must be answered behind a 101 that has not come.
    early: VecDeque<Expected>,
    /// Messages come back as they were, so they need not be JSON.
    pub(crate) echo: bool,
    /// Some were compressed.
    pub(crate) inflated: usize,
    /// Every publication reaches every subscriber: nobody asked to be left out.
    pub(crate) exact: bool,
    /// The text of an event stream that has not been looked at.
    text: Vec<u8>,
}

/// What is there for tungstenite to read; it may write what it likes.
struct Wire<'a>(&'a mut Vec<u8>);

impl Read for Wire<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let count = self.0.len().min(buffer.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        buffer[..count].copy_from_slice(&self.0[..count]);
        self.0.drain(..count);
        Ok(count)
    }
}

impl Write for Wire<'_> {
    fn write(&mut self, buffer: &[u8]) -> IoResult<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

impl Peer {
    pub(crate) fn new() -> Peer {
        Peer {
            phase: Phase::Http,
            inbox: Vec::new(),
            asked: VecDeque::new(),
            early: VecDeque::new(),
            echo: false,
            inflated: 0,
            exact: true,
            text: Vec::new(),
        }
    }

    /// The server took a request.
    pub(crate) fn asked(&mut self, is_head: bool) {
        self.asked.push_back(is_head);
    }

    /// The server took a frame that it must answer.
    pub(crate) fn expect(&mut self, expected: Expected) {
        if let Phase::Socket(socket) = &mut self.phase {
            socket.expected.push_back(expected);
        } else {
            // The 101 is still on its way.
            self.early.push_back(expected);
        }
    }

    /// Takes bytes and reads whatever is complete.
    pub(crate) fn receive(&mut self, bytes: &[u8]) {
        self.inbox.extend_from_slice(bytes);
        while self.read_one() {}
    }

    /// The stream ended in good order: nothing may be half said.
    pub(crate) fn check_end(&self) {
        let whole = match &self.phase {
            Phase::Http | Phase::Over => self.inbox.is_empty(),
            Phase::Socket(_) => panic!("a socket ended without a Close"),
            Phase::Stream { chunked } => !chunked,
        };
        assert!(whole, "the stream ended in the middle: {}", self.inbox.escape_ascii());
    }

    /// The server has nothing more to say for now: what it began is finished.
    pub(crate) fn check_boundary(&self) {
        assert!(self.inbox.is_empty(), "something is half said: {}", self.inbox.escape_ascii());
        if let Phase::Socket(socket) = &self.phase {
            assert_eq!(socket.expected, [], "requests that were not answered");
        }
    }

    /// Reads one answer, message or block; false when there is none.
    fn read_one(&mut self) -> bool {
        if self.inbox.is_empty() {
            return false;
        }
        match &mut self.phase {
            Phase::Http => self.read_answer(),
            Phase::Socket(_) => self.read_message(),
            Phase::Stream { chunked: true } => self.read_chunk(),
            Phase::Stream { chunked: false } => {
                self.text.append(&mut self.inbox);
                self.read_blocks();
                false
            }
            Phase::Over => panic!("something behind the last word: {}", self.inbox.escape_ascii()),
        }
    }

    fn read_answer(&mut self) -> bool {
        let mut lines = [httparse::EMPTY_HEADER; 40];
        let mut answer = httparse::Response::new(&mut lines);
        let size = match answer.parse(&self.inbox) {
            Ok(httparse::Status::Complete(size)) => size,
            Ok(httparse::Status::Partial) => return false,
            Err(error) => panic!("no HTTP ({error}): {}", self.inbox.escape_ascii()),
        };
        let field = |name: &str| {
            let found = answer.headers.iter().find(|line| line.name.eq_ignore_ascii_case(name));
            found.map(|line| std::str::from_utf8(line.value).expect("text").to_owned())
        };
        let (length, kind) = (field("content-length"), field("content-type").unwrap_or_default());
        let (chunked, closes) = (field("transfer-encoding").is_some(), field("connection"));
        let (accept, extension) = (field("sec-websocket-accept"), field("sec-websocket-extensions"));
        match answer.code.expect("complete") {
            100 => {
                self.inbox.drain(..size);
                return true;
            }
            101 => {
                assert!(accept.is_some_and(|accept| accept.len() == 28 && accept.ends_with('=')));
                self.asked.pop_front();
                self.inbox.drain(..size);
                let mut socket = Socket::new(extension.as_deref());
                socket.expected.append(&mut self.early);
                self.phase = Phase::Socket(Box::new(socket));
                return true;
            }
            200..600 => {}
            other => panic!("status {other}"),
        }
        let is_head = self.asked.front().copied().unwrap_or(false);
        if kind == "text/event-stream" {
            assert!(!is_head, "a stream for a HEAD");
            self.asked.pop_front();
            self.inbox.drain(..size);
            self.phase = Phase::Stream { chunked };
            return true;
        }
        assert!(!chunked, "an answer in chunks");
        let length = if is_head || answer.code == Some(204) {
            0
        } else {
            length.expect("an answer has a length").parse().expect("a number")
        };
        if self.inbox.len() - size < length {
            return false;
        }
        let body = self.inbox[size..size + length].to_vec();
        if kind == "application/json" && !is_head {
            let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(&body).is_ok();
            assert!(is_json, "no JSON: {}", body.escape_ascii());
        }
        self.asked.pop_front();
        self.inbox.drain(..size + length);
        if closes.is_some_and(|value| value.eq_ignore_ascii_case("close")) {
            self.phase = Phase::Over;
        }
        true
    }

    fn read_message(&mut self) -> bool {
        let Phase::Socket(socket) = &mut self.phase else { return false };
        let Some((mut frame, compressed)) = socket.take_frame(&mut self.inbox) else { return false };
        self.inflated += usize::from(compressed);
        match socket.context.read(&mut Wire(&mut frame)) {
            Ok(Message::Text(text)) if !self.echo => socket.check_text(&text, self.exact),
            Ok(Message::Binary(bytes)) if !self.echo => {
                let end = bytes.iter().position(|byte| *byte == b'\n').expect("a binary push has a line");
                socket.check_text(std::str::from_utf8(&bytes[..end]).expect("a line of text"), self.exact);
            }
            Ok(Message::Close(said)) => {
                let said = said.map(|frame| (u16::from(frame.code), frame.reason.to_string()));
                let rewritten = said.as_ref().is_some_and(|(_, reason)| reason == "Protocol violation");
                assert!(!rewritten, "a close code that must not be sent");
                // Who is cut off loses its answers with everything else that it did not read.
                let is_cut_off =
                    said.is_some_and(|(_, reason)| matches!(&*reason, "slow_consumer" | "outbound_budget"));
                assert!(
                    is_cut_off || socket.expected.is_empty(),
                    "not answered before the Close: {:?}",
                    socket.expected
                );
                self.phase = Phase::Over;
            }
            Ok(Message::Text(_) | Message::Binary(_) | Message::Ping(_) | Message::Pong(_)) => {}
            Ok(other) => panic!("a raw frame: {other:?}"),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => panic!("a frame that is no message"),
            Err(error) => panic!("tungstenite does not take it: {error}"),
        }
        assert!(frame.is_empty());
        true
    }

    fn read_chunk(&mut self) -> bool {
        let (line, size) = match httparse::parse_chunk_size(&self.inbox) {
            Ok(httparse::Status::Complete(found)) => found,
            Ok(httparse::Status::Partial) => return false,
            Err(_) => panic!("no chunk: {}", self.inbox.escape_ascii()),
        };
        let size = usize::try_from(size).expect("a chunk in memory");
        if self.inbox.len() < line + size + 2 {
            return false;
        }
        assert_eq!(&self.inbox[line + size..line + size + 2], b"\r\n", "behind a chunk");
        self.text.extend_from_slice(&self.inbox[line..line + size]);
        self.inbox.drain(..line + size + 2);
        self.read_blocks();
        if size == 0 {
            assert!(self.text.is_empty(), "the last block is whole");
            self.phase = Phase::Over;
        }
        true
    }

    /// Looks at every complete block of an event stream.
    fn read_blocks(&mut self) {
        while let Some(end) = self.text.windows(2).position(|pair| pair == b"\n\n") {
            let block = String::from_utf8(self.text.drain(..end + 2).collect()).expect("UTF-8");
            for line in block.lines().filter(|line| !line.is_empty()) {
                let known = ["retry: ", "event: ", "id: ", "data: ", ":"].iter().any(|name| line.starts_with(name));
                assert!(known, "an event stream has no line {line:?}");
            }
        }
    }
}

impl Socket {
    fn new(extension: Option<&str>) -> Socket {
        let config = WebSocketConfig::default().read_buffer_size(0);
        let answered = |parameter| extension.is_some_and(|extension| extension.contains(parameter));
        Socket {
            context: WebSocketContext::new(Role::Client, Some(config)),
            inflater: extension.map(|_| Decompress::new(false)),
            server_takeover: !answered("server_no_context_takeover"),
            expected: VecDeque::new(),
            offsets: HashMap::new(),
        }
    }

    /// Takes one frame; a compressed one is inflated, for tungstenite does not know them.
    fn take_frame(&mut self, inbox: &mut Vec<u8>) -> Option<(Vec<u8>, bool)> {
        let (first, second) = (*inbox.first()?, *inbox.get(1)?);
        let (header, length) = match second & 0x7F {
            126 => (4, usize::from(u16::from_be_bytes([*inbox.get(2)?, *inbox.get(3)?]))),
            127 => (10, usize::try_from(u64::from_be_bytes(inbox.get(2..10)?.try_into().ok()?)).ok()?),
            short => (2, usize::from(short)),
        };
        assert!(second & 0x80 == 0, "a server masks nothing");
        if inbox.len() < header + length {
            return None;
        }
        let frame: Vec<u8> = inbox.drain(..header + length).collect();
        if first & 0x40 == 0 {
            return Some((frame, false));
        }
        let message = self.inflate(&frame[header..]);
        let mut plain = vec![first & !0x40, 127];
        plain.extend((message.len() as u64).to_be_bytes());
        plain.extend(message);
        Some((plain, true))
    }

    fn inflate(&mut self, packed: &[u8]) -> Vec<u8> {
        let inflater = self.inflater.as_mut().expect("compressed without an agreement");
        let mut message = Vec::new();
        for piece in [packed, &[0, 0, 0xFF, 0xFF]] {
            let mut rest = piece;
            loop {
                let (before_in, mut chunk) = (inflater.total_in(), Vec::with_capacity(4096));
                let status = inflater.decompress_vec(rest, &mut chunk, FlushDecompress::Sync).expect("DEFLATE data");
                assert_ne!(status, Status::StreamEnd, "our streams never end");
                rest = &rest[(inflater.total_in() - before_in) as usize..];
                message.extend_from_slice(&chunk);
                if rest.is_empty() && chunk.len() < chunk.capacity() {
                    break;
                }
            }
        }
        if !self.server_takeover {
            inflater.reset(false);
        }
        message
    }

    /// A text from the server is one of the two plain answers, an answer, an array of them, or a push.
    fn check_text(&mut self, text: &str, exact: bool) {
        if text == "服务器收到GET请求" || text == "服务器收到POST请求,并返回数据" {
            return;
        }
        assert!(json::is_json(text.as_bytes()), "no JSON: {text}");
        if let Some(items) = json::items(text) {
            let ids = items.iter().map(|item| self.check_object(item, exact)).collect();
            assert_eq!(self.expected.pop_front(), Some(Expected::Batch(ids)), "{text}");
        } else if let Some(id) = self.check_object(text, exact) {
            assert_eq!(self.expected.pop_front(), Some(Expected::Id(id)), "{text}");
        }
    }

    /// Checks an answer or push; its id.
    fn check_object(&mut self, text: &str, exact: bool) -> Option<String> {
        let members = json::members(text).expect("an object");
        let get = |name: &str| {
            members.iter().find(|(key, _)| key.as_deref() == Some(name)).map(|(_, value)| (*value).to_owned())
        };
        let (channel, offset) = (get("channel"), get("offset"));
        let Some(status) = get("status") else {
            let channel = channel.expect("a push names its channel");
            self.check_push(&channel, offset, get("reset").is_some(), exact);
            return None;
        };
        let status: u16 = status.parse().expect("a number");
        assert!((200..600).contains(&status), "{text}");
        match channel {
            // A subscription begins.
            Some(channel) if get("connection").is_some() => {
                self.offsets.entry(channel).or_default();
            }
            // One ends.
            Some(channel) if offset.is_none() => {
                self.offsets.remove(&channel);
            }
            _ => {}
        }
        get("id")
    }

    /// Laws 1 and 2: pushes come to who is subscribed, each behind the one before.
    fn check_push(&mut self, channel: &str, offset: Option<String>, resets: bool, exact: bool) {
        let offset: u64 = offset.expect("a push has an offset").parse().expect("a number");
        let last =
            self.offsets.get_mut(channel).unwrap_or_else(|| panic!("a push on {channel}, which is not subscribed"));
        let follows = match *last {
            _ if resets => offset == 0,
            None => true,
            Some(last) if exact => offset == last + 1,
            Some(last) => offset > last,
        };
        assert!(follows, "{channel}: {last:?} is followed by {offset}");
        *last = Some(offset);
    }
}
