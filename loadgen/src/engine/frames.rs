//! WebSocket messages of one connection: read by the server's own decoder in its role as a client, or, for some
//! connections, by tungstenite's client, so that a mistake that both ends share is seen.

use crate::adapters::Kind;
use std::io::{self, Read, Write};
use tidings::wire::deflate::{Codec, Contexts};
use tidings::wire::frame::{Decoded, Decoder, Event, FrameLimits, Opcode, Role, write_masked};
use tungstenite::Message;
use tungstenite::protocol::{Role as TungsteniteRole, WebSocketConfig, WebSocketContext};

/// The largest message that is read.
const LIMITS: FrameLimits = FrameLimits { message_bytes: 64 << 20, fragments: 1 << 20 };
/// RSV1 says that a message is compressed (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// What came.
#[derive(Debug)]
pub(super) enum Incoming<'a> {
    /// A message.
    Message(&'a [u8]),
    /// To be answered with a pong.
    Ping(&'a [u8]),
    /// The server's goodbye: a code and a reason.
    Close(Option<(u16, &'a str)>),
}

/// Reads the messages of one connection.
#[derive(Debug)]
pub(super) enum Frames {
    /// With the server's decoder.
    Ours(Decoder),
    /// The same with a window that the server keeps from message to message.
    Kept(Box<(Decoder, Contexts)>),
    /// With tungstenite's.
    Checked(Box<Checked>),
}

/// tungstenite's client, and what was read for it.
#[derive(Debug)]
pub(super) struct Checked {
    context: WebSocketContext,
    /// What it wants to send by itself is not sent: pongs and goodbyes are this program's.
    unsent: Vec<u8>,
}

/// What was read, as tungstenite wants to read it.
struct Feed<'a> {
    input: &'a [u8],
    unsent: &'a mut Vec<u8>,
}

impl Frames {
    /// For a connection without compression.
    pub(super) fn new(checked: bool) -> Frames {
        if !checked {
            return Frames::Ours(Decoder::new(Role::Client));
        }
        let limits = Some(LIMITS.message_bytes);
        let config = WebSocketConfig::default().read_buffer_size(4096).max_message_size(limits).max_frame_size(limits);
        let context = WebSocketContext::new(TungsteniteRole::Client, Some(config));
        Frames::Checked(Box::new(Checked { context, unsent: Vec::new() }))
    }

    /// For one with it; `kept` says that the server keeps its window.
    pub(super) fn with_deflate(kept: bool, codec: &Codec) -> Frames {
        let decoder = Decoder::with_deflate(Role::Client);
        match kept {
            true => Frames::Kept(Box::new((decoder, Contexts::new(None, true, codec.tuning())))),
            false => Frames::Ours(decoder),
        }
    }

    /// Whether this is tungstenite.
    pub(super) fn is_checked(&self) -> bool {
        matches!(self, Frames::Checked(_))
    }

    /// Goes through what was read; how many bytes are done with. The rest is to be given again with more after it.
    pub(super) fn read(
        &mut self,
        input: &mut [u8],
        codec: &mut Codec,
        sink: &mut impl FnMut(Incoming<'_>),
    ) -> Result<usize, String> {
        match self {
            Frames::Ours(decoder) => read_ours(decoder, None, input, codec, sink),
            Frames::Kept(both) => read_ours(&mut both.0, Some(&mut both.1), input, codec, sink),
            Frames::Checked(checked) => checked.read(input, sink).map(|()| input.len()),
        }
    }
}

fn read_ours(
    decoder: &mut Decoder,
    mut contexts: Option<&mut Contexts>,
    input: &mut [u8],
    codec: &mut Codec,
    sink: &mut impl FnMut(Incoming<'_>),
) -> Result<usize, String> {
    let mut at = 0;
    while at < input.len() {
        let (consumed, decoded) = decoder.decode(&mut input[at..], &LIMITS);
        at += consumed;
        match decoded.map_err(|error| format!("a frame that breaks the standard: {error}"))? {
            Decoded::NeedMore => break,
            Decoded::Event(Event::Text(payload) | Event::Binary(payload)) => sink(Incoming::Message(&payload)),
            Decoded::Event(Event::Deflated(_, payload)) => {
                let inflated = match contexts.as_deref_mut() {
                    Some(contexts) => codec.inflate_on(contexts, &payload, LIMITS.message_bytes),
                    None => codec.inflate(&payload, LIMITS.message_bytes),
                };
                sink(Incoming::Message(&inflated.map_err(|fault| format!("a compressed message: {fault:?}"))?));
            }
            Decoded::Event(Event::Ping(payload)) => sink(Incoming::Ping(payload)),
            Decoded::Event(Event::Pong(_)) => {}
            Decoded::Event(Event::Close(close)) => {
                sink(Incoming::Close(close));
                // Nothing counts after a Close (RFC 6455 section 5.5.1), and the decoder would object to it.
                return Ok(input.len());
            }
        }
    }
    Ok(at)
}

impl Checked {
    fn read(&mut self, input: &[u8], sink: &mut impl FnMut(Incoming<'_>)) -> Result<(), String> {
        let mut feed = Feed { input, unsent: &mut self.unsent };
        loop {
            match self.context.read(&mut feed) {
                Ok(Message::Text(text)) => sink(Incoming::Message(text.as_bytes())),
                Ok(Message::Binary(bytes)) => sink(Incoming::Message(&bytes)),
                Ok(Message::Ping(payload)) => sink(Incoming::Ping(&payload)),
                Ok(Message::Close(frame)) => {
                    let close = frame.as_ref().map(|frame| (frame.code.into(), frame.reason.as_str()));
                    sink(Incoming::Close(close));
                    return Ok(());
                }
                Ok(Message::Pong(_) | Message::Frame(_)) => {}
                Err(tungstenite::Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(format!("tungstenite's client objects: {error}")),
            }
        }
    }
}

impl Read for Feed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.input.is_empty() {
            // An empty read would be the end of the connection to tungstenite, and an error.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        self.input.read(buffer)
    }
}

impl Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unsent.clear();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Appends one message as a client sends it, compressed if a codec is given and it becomes smaller by that.
pub(super) fn write(out: &mut Vec<u8>, kind: Kind, payload: &[u8], mask: [u8; 4], codec: Option<&mut Codec>) {
    let opcode = match kind {
        Kind::Text => Opcode::Text,
        Kind::Binary => Opcode::Binary,
    };
    match codec.and_then(|codec| codec.deflate(15, payload)) {
        Some(packed) => {
            let start = out.len();
            write_masked(out, opcode, true, packed, mask);
            // The mask covers the payload alone (RFC 6455 section 5.3), so the header can be changed after it.
            out[start] |= RSV1;
        }
        None => write_masked(out, opcode, true, payload, mask),
    }
}

#[cfg(test)]
mod tests {
    use super::{Frames, Incoming, write};
    use crate::adapters::Kind;
    use tidings::wire::deflate::{Codec, Tuning};
    use tidings::wire::frame::{Opcode, write_deflated, write_frame};

    fn codec() -> Codec {
        Codec::new(Tuning { level: 1, least_bytes: 16, most_bytes: 1 << 20 })
    }

    fn read(frames: &mut Frames, bytes: &[u8], cut: usize) -> Result<Vec<String>, String> {
        let (mut heard, mut rest) = (Vec::new(), Vec::new());
        for piece in bytes.chunks(cut) {
            rest.extend_from_slice(piece);
            let used = frames.read(&mut rest, &mut codec(), &mut |incoming| {
                heard.push(match incoming {
                    Incoming::Message(bytes) => String::from_utf8_lossy(bytes).into_owned(),
                    other => format!("{other:?}"),
                });
            })?;
            rest.drain(..used);
        }
        Ok(heard)
    }

    #[test]
    fn both_readers_hear_the_same_however_the_bytes_come() {
        let mut bytes = Vec::new();
        write_frame(&mut bytes, Opcode::Text, b"one");
        write_frame(&mut bytes, Opcode::Ping, b"p");
        write_frame(&mut bytes, Opcode::Binary, &[b'x'; 300]);
        write_frame(&mut bytes, Opcode::Close, &[&1001_u16.to_be_bytes()[..], b"away"].concat());
        for cut in [1, 2, 7, 1000] {
            let ours = read(&mut Frames::new(false), &bytes, cut).expect("frames");
            assert_eq!(
                ours,
                [
                    "one".to_owned(),
                    "Ping([112])".to_owned(),
                    "x".repeat(300),
                    "Close(Some((1001, \"away\")))".to_owned()
                ]
            );
            assert_eq!(read(&mut Frames::new(true), &bytes, cut).expect("frames"), ours);
        }
    }

    #[test]
    fn both_refuse_a_masked_frame_of_a_server() {
        let mut bytes = Vec::new();
        write(&mut bytes, Kind::Text, b"masked", [1, 2, 3, 4], None);
        assert!(read(&mut Frames::new(false), &bytes, 100).expect_err("masked").contains("breaks the standard"));
        assert!(read(&mut Frames::new(true), &bytes, 100).expect_err("masked").contains("tungstenite"));
    }

    #[test]
    fn compressed_messages_are_read_and_written() {
        let text = "all work and no play makes jack a dull boy ".repeat(20);
        let mut codec = codec();
        let packed = codec.deflate(15, text.as_bytes()).expect("it becomes smaller").to_vec();
        let mut bytes = Vec::new();
        write_deflated(&mut bytes, Opcode::Text, &packed);
        let heard = read(&mut Frames::with_deflate(false, &codec), &bytes, 9).expect("frames");
        assert_eq!(heard, std::slice::from_ref(&text));
        let mut out = Vec::new();
        write(&mut out, Kind::Text, text.as_bytes(), [0; 4], Some(&mut codec));
        assert!(out.len() < text.len() / 4 && out[0] == 0xC1);
        out.clear();
        write(&mut out, Kind::Text, b"short", [0; 4], Some(&mut codec));
        assert_eq!(out[0], 0x81, "what is not worth it goes out unchanged");
    }
}
