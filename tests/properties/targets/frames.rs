//! The frame decoder, as server and as client, against tungstenite's `WebSocketContext`.
//!
//! Input: a letter or digit of settings, then frames. A frame is its first byte as it stands, a byte of length (see
//! [`add_frame`]), and the payload before masking.

use super::Target;
use super::input::Input;
use std::io::{ErrorKind, Read, Result as IoResult, Write};
use tidings::model::code::Code;
use tidings::wire::frame::{Decoded, Decoder, Event, FrameError, FrameLimits, Role, unmask};
use tungstenite::protocol::{Role as TheirRole, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

const OPEN: &str = "same, open";
const CLOSED: &str = "same, closed";
const REFUSED: &str = "same, refused";
const EARLIER: &str = "same messages, refused before the whole frame is there";
const BAD_GATEWAY: &str = "differs: 1014 may be sent";
const FORBIDDEN: &str = "differs: a forbidden close code is an error, not a Close of 1002";
const MINIMAL: &str = "differs: a length must be minimal";
const CONTROL: &str = "differs: the length of a control frame is one byte";
const FRAGMENTS: &str = "differs: fragments have a number";

pub(crate) const TARGET: Target = Target {
    name: "frames",
    check,
    outcomes: &[OPEN, CLOSED, REFUSED, EARLIER, BAD_GATEWAY, FORBIDDEN, MINIMAL, CONTROL, FRAGMENTS],
    words: &[
        "\u{81}\x05hello",
        "\x01\x02ab",
        "\u{80}\x01c",
        "\u{89}\x00",
        "\u{88}\x02\x03\u{e8}",
        "🦀",
        "\u{7f}\u{80}",
    ],
};

/// A message that owns its bytes, ours or theirs.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How a stream stands for us when all of it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Refused(FrameError),
}

/// How it stands for tungstenite.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Open,
    Closed,
    BadText,
    TooBig,
    BadProtocol,
}

struct Case {
    role: Role,
    limits: FrameLimits,
    piece: usize,
    stream: Vec<u8>,
}

fn check(data: &[u8]) -> &'static str {
    let case = Case::new(data);
    let ours = decode(&case, case.piece);
    let smallest = if case.stream.len() < 4000 { 1 } else { 997 };
    for piece in [smallest, usize::MAX] {
        let again = decode(&case, piece);
        assert_eq!(ours, again, "in pieces of {} and of {piece}: {:02x?}", case.piece, case.stream);
    }
    let theirs = ask(&case);
    compare(&ours, &theirs, case.role)
        .unwrap_or_else(|| panic!("as {:?}\nours {ours:?}\ntheirs {theirs:?}\nstream {:02x?}", case.role, case.stream))
}

impl Case {
    fn new(data: &[u8]) -> Case {
        let mut input = Input::new(data);
        let settings = input.byte();
        let role = if settings & 1 == 0 { Role::Server } else { Role::Client };
        let message_bytes = if settings & 2 == 0 { 100_000 } else { 200 };
        let fragments = if settings & 4 == 0 { 1000 } else { 3 };
        let piece = [2, 3, 7, 90][usize::from(settings >> 3) & 3];
        let mut stream = Vec::new();
        while !input.is_empty() && stream.len() < 200_000 {
            add_frame(&mut stream, &mut input, role);
        }
        // A large stream in small pieces costs much and shows little.
        let piece = piece.max(stream.len() / 300);
        Case { role, limits: FrameLimits { message_bytes, fragments }, piece, stream }
    }
}

/// A frame with up to 239 bytes of payload, or (for the length bytes behind that) one of the oddities.
fn add_frame(stream: &mut Vec<u8>, input: &mut Input<'_>, role: Role) {
    let (first, length) = (input.byte(), input.byte());
    let mut mask_bit = if role == Role::Server { 0x80 } else { 0 };
    let mut repeated = |count: usize| vec![input.byte(); count];
    let payload = match length {
        240 => repeated(300),
        241 => repeated(66_000),
        242 => repeated(126),
        243 => repeated(65_535),
        244..=247 => repeated(4),
        248 => {
            mask_bit ^= 0x80;
            repeated(3)
        }
        249 => return stream.push(first),
        _ => input.take(usize::from(length.min(239))).to_vec(),
    };
    stream.push(first);
    let size = payload.len();
    match length {
        244 => stream.extend([mask_bit | 126, 0, 4]),
        245 => stream.extend([mask_bit | 127, 0, 0, 0, 0, 0, 0, 0, 4]),
        246 => stream.extend([mask_bit | 127, 0x80, 0, 0, 0, 0, 0, 0, 4]),
        247 => stream.extend([mask_bit | 127, 0, 0, 0, 0xff, 0, 0, 0, 4]),
        _ if size < 126 => stream.push(mask_bit | size as u8),
        _ if size < 65_536 => {
            stream.push(mask_bit | 126);
            stream.extend((size as u16).to_be_bytes());
        }
        _ => {
            stream.push(mask_bit | 127);
            stream.extend((size as u64).to_be_bytes());
        }
    }
    let mask = if mask_bit == 0 { [0; 4] } else { [first, 0x5A, !first, 7] };
    if mask_bit != 0 {
        stream.extend(mask);
    }
    let start = stream.len();
    stream.extend(payload);
    unmask(&mut stream[start..], mask, 0);
}

/// Reads a stream as a connection does: what was not consumed comes again before the next piece.
fn decode(case: &Case, piece: usize) -> (Vec<Seen>, End) {
    let mut decoder = Decoder::new(case.role);
    let (mut seen, mut buffer, mut received) = (Vec::new(), Vec::new(), 0);
    for piece in case.stream.chunks(piece) {
        buffer.extend_from_slice(piece);
        received += piece.len();
        let mut offset = 0;
        while offset < buffer.len() {
            let (consumed, decoded) = decoder.decode(&mut buffer[offset..], &case.limits);
            offset += consumed;
            match decoded {
                Ok(Decoded::NeedMore) => break,
                Ok(Decoded::Event(event)) => seen.push(own(event)),
                Err(error) => return (seen, End::Refused(error)),
            }
            if matches!(seen.last(), Some(Seen::Close(_))) {
                return (seen, End::Closed);
            }
        }
        buffer.drain(..offset);
        assert!(buffer.len() <= 130, "{} bytes left to the caller", buffer.len());
        let held = decoder.held_bytes();
        assert!(held <= 2 * received + 128, "{held} bytes held for {received} received");
    }
    (seen, End::Open)
}

fn own(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => {
            std::str::from_utf8(&text).expect("text is UTF-8");
            Seen::Text(text.to_vec())
        }
        Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Event::Deflated(kind, _) => panic!("a compressed {kind:?} without the extension"),
        Event::Ping(bytes) => Seen::Ping(bytes.to_vec()),
        Event::Pong(bytes) => Seen::Pong(bytes.to_vec()),
        Event::Close(said) => Seen::Close(said.map(|(code, reason)| (code, reason.to_owned()))),
    }
}

/// The stream as a socket, which swallows what is written to it.
struct Pieces<'a>(&'a [u8], usize);

impl Read for Pieces<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> IoResult<usize> {
        let count = self.0.len().min(self.1).min(buffer.len());
        if count == 0 {
            return Err(ErrorKind::WouldBlock.into());
        }
        let (now, later) = self.0.split_at(count);
        buffer[..count].copy_from_slice(now);
        self.0 = later;
        Ok(count)
    }
}

impl Write for Pieces<'_> {
    fn write(&mut self, buffer: &[u8]) -> IoResult<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> IoResult<()> {
        Ok(())
    }
}

/// What tungstenite makes of the stream.
fn ask(case: &Case) -> (Vec<Seen>, Verdict) {
    let config = WebSocketConfig::default()
        .read_buffer_size(0)
        .max_message_size(Some(case.limits.message_bytes))
        .max_frame_size(Some(case.limits.message_bytes));
    let role = if case.role == Role::Server { TheirRole::Server } else { TheirRole::Client };
    let mut context = WebSocketContext::new(role, Some(config));
    let mut socket = Pieces(&case.stream, case.piece);
    let mut seen = Vec::new();
    loop {
        let verdict = match context.read(&mut socket) {
            Ok(Message::Text(text)) => {
                seen.push(Seen::Text(text.as_bytes().to_vec()));
                continue;
            }
            Ok(Message::Binary(bytes)) => {
                seen.push(Seen::Binary(bytes.to_vec()));
                continue;
            }
            Ok(Message::Ping(bytes)) => {
                seen.push(Seen::Ping(bytes.to_vec()));
                continue;
            }
            Ok(Message::Pong(bytes)) => {
                seen.push(Seen::Pong(bytes.to_vec()));
                continue;
            }
            Ok(Message::Close(said)) => {
                seen.push(Seen::Close(said.map(|frame| (frame.code.into(), frame.reason.to_string()))));
                continue;
            }
            Ok(Message::Frame(frame)) => panic!("a raw frame was read: {frame}"),
            Err(Error::Io(error)) if error.kind() == ErrorKind::WouldBlock => Verdict::Open,
            Err(Error::ConnectionClosed) => Verdict::Closed,
            Err(Error::Utf8(_)) => Verdict::BadText,
            Err(Error::Capacity(_)) => Verdict::TooBig,
            Err(Error::Protocol(_)) => Verdict::BadProtocol,
            Err(other) => panic!("the oracle failed: {other}"),
        };
        return (seen, verdict);
    }
}

/// How the two agree, or in which of the known ways they differ; `None` is a bug.
fn compare(
    (seen, end): &(Vec<Seen>, End),
    (theirs, verdict): &(Vec<Seen>, Verdict),
    role: Role,
) -> Option<&'static str> {
    let same = seen == theirs;
    let error = match end {
        End::Open => return (same && *verdict == Verdict::Open).then_some(OPEN),
        // As a client tungstenite waits for the server to end the stream, and may find more.
        End::Closed if same => return (*verdict == Verdict::Closed || role == Role::Client).then_some(CLOSED),
        End::Closed => return is_bad_gateway(seen, theirs).then_some(BAD_GATEWAY),
        End::Refused(error) => *error,
    };
    let listed = match error.detail {
        "a close code that must not be sent" => {
            let turned = theirs.split_last().is_some_and(|(last, rest)| *last == rewritten() && rest == seen);
            return (turned || same).then_some(FORBIDDEN);
        }
        "a length encoded in more bytes than it needs" => Some(MINIMAL),
        "a control frame of more than 125 bytes" if *theirs != *seen => Some(CONTROL),
        "a message in more fragments than the limit (websocket.fragments)" => Some(FRAGMENTS),
        _ => None,
    };
    match (listed, *verdict) {
        (Some(listed), _) => theirs.starts_with(seen).then_some(listed),
        _ if !same => None,
        (_, Verdict::Open) => Some(EARLIER),
        (_, Verdict::Closed) => None,
        (_, verdict) => same_reason(error.reason, verdict).then_some(REFUSED),
    }
}

/// What tungstenite makes of a close code that must not be sent.
fn rewritten() -> Seen {
    Seen::Close(Some((1002, "Protocol violation".to_owned())))
}

fn is_bad_gateway(seen: &[Seen], theirs: &[Seen]) -> bool {
    let (Some((ours, before)), Some((last, their_before))) = (seen.split_last(), theirs.split_last()) else {
        return false;
    };
    before == their_before && *last == rewritten() && matches!(ours, Seen::Close(Some((1014, _))))
}

/// Text and size are judged last here, so they must be what tungstenite saw too; a frame may break several other rules.
fn same_reason(reason: Code, verdict: Verdict) -> bool {
    match reason {
        Code::InvalidUtf8 => verdict == Verdict::BadText,
        Code::MessageTooBig => verdict == Verdict::TooBig,
        _ => true,
    }
}
