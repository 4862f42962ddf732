//! Frames to send (RFC 6455 section 5.2): whole ones, headers for shared payloads, and masked ones for clients.

use super::mask;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// The maximum length of a Close frame's reason: 125 bytes less the code (RFC 6455 section 5.5).
const CLOSE_REASON_BYTES: usize = 123;

/// The longest payload whose length fits in the second byte.
const SHORT_BYTES_MAX: usize = 125;

/// The bit of a message's last frame.
const FIN: u8 = 0x80;

/// The bit that says that a message is compressed (RFC 7692 section 6).
const RSV1: u8 = 0x40;

/// The kinds of frame (RFC 6455 section 11.8).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Opcode {
    /// A further fragment of a message.
    Continue,
    /// A text message, or its first fragment.
    Text,
    /// A binary message, or its first fragment.
    Binary,
    /// Ends the connection.
    Close,
    /// Asks for a Pong.
    Ping,
    /// Answers a Ping.
    Pong,
}

impl From<Opcode> for OpCode {
    fn from(opcode: Opcode) -> Self {
        match opcode {
            Opcode::Continue => OpCode::Data(Data::Continue),
            Opcode::Text => OpCode::Data(Data::Text),
            Opcode::Binary => OpCode::Data(Data::Binary),
            Opcode::Close => OpCode::Control(Control::Close),
            Opcode::Ping => OpCode::Control(Control::Ping),
            Opcode::Pong => OpCode::Control(Control::Pong),
        }
    }
}

/// The header of an unmasked, unfragmented frame with `len` bytes of payload, and how many of the ten bytes it takes.
#[must_use]
#[inline]
pub fn header(opcode: Opcode, len: usize) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    if len <= SHORT_BYTES_MAX {
        bytes[0] = FIN | u8::from(OpCode::from(opcode));
        bytes[1] = len as u8;
        return (bytes, 2);
    }
    long_header(opcode, len)
}

fn long_header(opcode: Opcode, len: usize) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut room = &mut bytes[..];
    format(opcode, true, None, len, &mut room);
    let unused = room.len();
    (bytes, 10 - unused)
}

/// Appends one unmasked, unfragmented frame: what a server sends. A control frame's payload is at most 125 bytes.
#[inline]
pub fn write_frame(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    if payload.len() <= SHORT_BYTES_MAX {
        out.reserve(2 + payload.len());
        out.extend_from_slice(&[FIN | u8::from(OpCode::from(opcode)), payload.len() as u8]);
    } else {
        let (bytes, size) = long_header(opcode, payload.len());
        out.reserve(size + payload.len());
        out.extend_from_slice(&bytes[..size]);
    }
    out.extend_from_slice(payload);
}

/// Appends one unmasked frame that is a whole compressed message (RFC 7692 section 6): `packed` is its payload.
pub fn write_deflated(out: &mut Vec<u8>, opcode: Opcode, packed: &[u8]) {
    let start = out.len();
    write_frame(out, opcode, packed);
    out[start] |= RSV1;
}

/// The payload of one unmasked whole frame, as the functions above write it.
#[must_use]
pub fn payload_of(frame: &[u8]) -> &[u8] {
    let header = match frame.get(1) {
        Some(0..=125) => 2,
        // No mask: what a server writes has none.
        Some(126) => 4,
        _ => 10,
    };
    frame.get(header..).unwrap_or_default()
}

/// Whether one whole frame, as the functions above write it, is a compressed message.
#[must_use]
pub fn is_deflated(frame: &[u8]) -> bool {
    frame.first().is_some_and(|first| first & RSV1 != 0)
}

/// A server's Close frame (RFC 6455 section 5.5.1). The reason is cut at the last character that fits in 123 bytes.
#[must_use]
pub fn close_frame(code: u16, reason: &str) -> Vec<u8> {
    close_frame_of(code, [reason, "", ""])
}

/// The same with a reason in parts: a label, what stands between, and a sentence.
#[must_use]
pub fn close_frame_of(code: u16, reason: [&str; 3]) -> Vec<u8> {
    let length = reason.iter().map(|part| part.len()).sum::<usize>().min(CLOSE_REASON_BYTES);
    let mut frame = Vec::with_capacity(4 + length);
    // Room for the header, whose length is known once the parts have been cut.
    frame.extend_from_slice(&[0, 0]);
    frame.extend_from_slice(&code.to_be_bytes());
    for part in reason {
        // Cut between characters: a reason that is not UTF-8 is an error to its reader (section 5.5.1).
        let room = 4 + CLOSE_REASON_BYTES - frame.len();
        frame.extend_from_slice(&part.as_bytes()[..part.floor_char_boundary(room)]);
    }
    let (bytes, size) = header(Opcode::Close, frame.len() - 2);
    debug_assert_eq!(size, 2, "a control frame has two bytes of header");
    frame[..2].copy_from_slice(&bytes[..2]);
    frame
}

/// Appends one masked frame: what a client sends (RFC 6455 section 5.3). `fin` is false for all fragments but the last.
pub fn write_masked(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8], mask: [u8; 4]) {
    out.reserve(14 + payload.len());
    format(opcode, fin, Some(mask), payload.len(), out);
    let start = out.len();
    out.extend_from_slice(payload);
    mask::unmask(&mut out[start..], mask, 0);
}

fn format(opcode: Opcode, is_final: bool, mask: Option<[u8; 4]>, length: usize, out: &mut impl std::io::Write) {
    let header = FrameHeader { is_final, opcode: opcode.into(), mask, ..FrameHeader::default() };
    header.format(length as u64, out).expect("a vector grows and ten bytes hold every unmasked header");
}
