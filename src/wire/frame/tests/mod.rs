//! What the tests of the decoder share: a caller that reads in pieces, and events that own their bytes.

mod deflated;
mod differential;
mod generator;
mod limits;
mod oracle;
mod roundtrip;
mod rules;
mod streaming;

use super::{Decoded, Decoder, Event, FrameError, FrameLimits, Kind, Opcode, Role, write_masked};

/// An event that owns its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Seen {
    Text(Vec<u8>),
    Binary(Vec<u8>),
    Deflated(Kind, Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    Close(Option<(u16, String)>),
}

/// How a stream stands when all of it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Closed,
    Refused(FrameError),
}

const MASK: [u8; 4] = [0xA1, 0x02, 0x73, 0xFE];

fn own(event: Event<'_>) -> Seen {
    match event {
        Event::Text(text) => {
            std::str::from_utf8(&text).expect("text is UTF-8");
            Seen::Text(text.to_vec())
        }
        Event::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Event::Deflated(kind, bytes) => Seen::Deflated(kind, bytes.to_vec()),
        Event::Ping(bytes) => Seen::Ping(bytes.to_vec()),
        Event::Pong(bytes) => Seen::Pong(bytes.to_vec()),
        Event::Close(said) => Seen::Close(said.map(|(code, reason)| (code, reason.to_owned()))),
    }
}

/// Gives `pieces` to the decoder as a connection would: what was not consumed comes again before the next piece.
fn feed<'a>(
    decoder: &mut Decoder,
    limits: &FrameLimits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
) -> (Vec<Seen>, End) {
    let (mut seen, mut buffer) = (Vec::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        let mut offset = 0;
        while offset < buffer.len() {
            let (consumed, decoded) = decoder.decode(&mut buffer[offset..], limits);
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
    }
    (seen, End::Open)
}

/// All of a stream at once, to a new server.
fn serve(stream: &[u8], limits: &FrameLimits) -> (Vec<Seen>, End) {
    feed(&mut Decoder::new(Role::Server), limits, [stream])
}

/// All of a stream byte by byte, to a new server.
fn serve_bytes(stream: &[u8], limits: &FrameLimits) -> (Vec<Seen>, End) {
    feed(&mut Decoder::new(Role::Server), limits, stream.chunks(1))
}

/// What both ways of reading say, which must be the same, under the default limits.
fn both(stream: &[u8]) -> (Vec<Seen>, End) {
    let whole = serve(stream, &FrameLimits::default());
    assert_eq!(whole, serve_bytes(stream, &FrameLimits::default()), "{stream:02x?}");
    whole
}

fn masked(opcode: Opcode, fin: bool, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    write_masked(&mut out, opcode, fin, payload, MASK);
    out
}

/// Several masked frames in a row.
fn stream(frames: &[(Opcode, bool, &[u8])]) -> Vec<u8> {
    frames.iter().flat_map(|(opcode, fin, payload)| masked(*opcode, *fin, payload)).collect()
}
