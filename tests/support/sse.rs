//! A reader of event streams: undoes the chunks and hands out one block after the other.

use super::raw::RawClient;
use std::net::SocketAddr;

/// One block of a stream.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Block {
    pub(crate) id: Option<String>,
    pub(crate) event: Option<String>,
    /// The `data:` lines, joined with LF as `EventSource` does.
    pub(crate) data: String,
}

/// An open stream.
pub(crate) struct SseClient {
    pub(crate) raw: RawClient,
    body: Vec<u8>,
    ended: bool,
}

impl SseClient {
    /// Opens the stream of a channel, behind `last_event_id` if there is one.
    pub(crate) fn open(address: SocketAddr, channel: &str, last_event_id: Option<&str>) -> SseClient {
        let fields: Vec<_> = last_event_id.map(|id| ("Last-Event-ID", id)).into_iter().collect();
        SseClient::open_with(address, channel, &fields)
    }

    /// Opens the stream of a channel with these fields.
    pub(crate) fn open_with(address: SocketAddr, channel: &str, fields: &[(&str, &str)]) -> SseClient {
        let mut raw = RawClient::connect(address);
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        raw.send(format!(
            "GET /channels/{channel} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{fields}\r\n"
        ));
        raw.read_until(b"\r\n\r\n");
        assert!(raw.received.starts_with(b"HTTP/1.1 200 "), "{:?}", String::from_utf8_lossy(&raw.received));
        let end = raw.received.windows(4).position(|window| window == b"\r\n\r\n").expect("it was found") + 4;
        raw.received.drain(..end);
        SseClient { raw, body: Vec::new(), ended: false }
    }

    /// The next block that is no comment; `None` at the end of the stream.
    pub(crate) fn next_block(&mut self) -> Option<Block> {
        loop {
            if let Some(end) = self.body.windows(2).position(|window| window == b"\n\n") {
                let text = String::from_utf8(self.body.drain(..end + 2).collect()).expect("a stream is UTF-8");
                if let Some(block) = parse(&text) {
                    return Some(block);
                }
            } else if self.ended || (!self.undo_chunk() && self.raw.read_more() == 0) {
                return None;
            }
        }
    }

    /// Moves one whole chunk from what was received into the body; false when none is there.
    fn undo_chunk(&mut self) -> bool {
        let received = &mut self.raw.received;
        let Some(line) = received.windows(2).position(|window| window == b"\r\n") else { return false };
        let digits = std::str::from_utf8(&received[..line]).expect("a chunk's size is text");
        let size = usize::from_str_radix(digits, 16).unwrap_or_else(|_| panic!("no chunk size: {digits:?}"));
        let (start, end) = (line + 2, line + 2 + size);
        if received.len() < end + 2 {
            return false;
        }
        assert_eq!(&received[end..end + 2], b"\r\n", "a chunk ends with CR LF");
        self.body.extend_from_slice(&received[start..end]);
        self.ended = size == 0;
        received.drain(..end + 2);
        true
    }
}

fn parse(text: &str) -> Option<Block> {
    let mut block = Block::default();
    let mut lines = Vec::new();
    let mut is_empty = true;
    for line in text.lines().filter(|line| !line.is_empty() && !line.starts_with(':')) {
        let (name, value) = line.split_once(": ").unwrap_or((line, ""));
        // When to come back is no event: with nothing else it is the end of a drain.
        is_empty &= name == "retry";
        match name {
            "id" => block.id = Some(value.to_owned()),
            "event" => block.event = Some(value.to_owned()),
            "data" => lines.push(value),
            _ => {}
        }
    }
    block.data = lines.join("\n");
    (!is_empty).then_some(block)
}
