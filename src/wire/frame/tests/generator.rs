//! Random frame streams from a seed: mostly good ones, and each way to break the rules now and then.

use super::super::{FrameLimits, Opcode, write_masked};
use rand::rngs::SmallRng;
use rand::{Rng, RngExt, SeedableRng};

/// A stream of frames, how it is split into reads, and the limits it meets.
pub(super) struct Case {
    pub(super) bytes: Vec<u8>,
    pub(super) pieces: Vec<usize>,
    pub(super) limits: FrameLimits,
}

impl Case {
    pub(super) fn new(seed: u64) -> Case {
        let mut rng = SmallRng::seed_from_u64(seed);
        let fragments = if rng.random_ratio(1, 20) { 3 } else { 1000 };
        let message_bytes = if rng.random_ratio(1, 2) { 200 } else { 100_000 };
        let mut bytes = Vec::new();
        for _ in 0..rng.random_range(1..8) {
            add_something(&mut bytes, &mut rng);
        }
        if rng.random_ratio(1, 10) {
            bytes.truncate(rng.random_range(0..=bytes.len()));
        }
        if rng.random_ratio(1, 10) && !bytes.is_empty() {
            let at = rng.random_range(0..bytes.len());
            bytes[at] ^= 1 << rng.random_range(0..8);
        }
        let pieces = split(bytes.len(), &mut rng);
        Case { bytes, pieces, limits: FrameLimits { message_bytes, fragments } }
    }

    /// The stream in the pieces it is read in.
    pub(super) fn reads(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.bytes[..];
        self.pieces.iter().map(move |&length| {
            let (piece, behind) = rest.split_at(length);
            rest = behind;
            piece
        })
    }
}

fn split(mut rest: usize, rng: &mut SmallRng) -> Vec<usize> {
    let most = [1, 3, 20, 200, usize::MAX][rng.random_range(0..5_usize)].max(rest / 300);
    let mut pieces = Vec::new();
    while rest > 0 {
        let piece = rng.random_range(1..=most.min(rest));
        pieces.push(piece);
        rest -= piece;
    }
    pieces
}

fn add_something(out: &mut Vec<u8>, rng: &mut SmallRng) {
    match rng.random_range(0..100) {
        0..40 => add_message(out, rng),
        40..70 => add_fragments(out, rng),
        70..90 => add_control(out, rng),
        90..93 => add_close(out, rng),
        93..96 => add_raw(out, rng),
        _ => add_odd_header(out, rng),
    }
}

fn add_frame(out: &mut Vec<u8>, opcode: Opcode, fin: bool, payload: &[u8], rng: &mut SmallRng) {
    write_masked(out, opcode, fin, payload, rng.random());
}

fn add_message(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let (opcode, payload) = message(rng);
    add_frame(out, opcode, true, &payload, rng);
}

fn add_fragments(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let (mut opcode, payload) = message(rng);
    let pieces = split(payload.len(), rng);
    let mut rest = &payload[..];
    for length in pieces.into_iter().take(6) {
        let (piece, behind) = rest.split_at(length);
        add_frame(out, opcode, false, piece, rng);
        (rest, opcode) = (behind, Opcode::Continue);
        if rng.random_ratio(1, 4) {
            add_control(out, rng);
        }
    }
    if !rng.random_ratio(1, 30) {
        add_frame(out, opcode, true, rest, rng);
    }
}

fn add_control(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let opcode = if rng.random() { Opcode::Ping } else { Opcode::Pong };
    let most = if rng.random_ratio(1, 30) { 130 } else { 30 };
    let payload = bytes(rng.random_range(0..=most), rng);
    add_frame(out, opcode, !rng.random_ratio(1, 60), &payload, rng);
}

fn add_close(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let mut payload = match rng.random_range(0..4) {
        0 => rng.random::<u16>().to_be_bytes().to_vec(),
        1 => rng.random_range(990..1020_u16).to_be_bytes().to_vec(),
        2 => rng.random_range(2990..5010_u16).to_be_bytes().to_vec(),
        _ => 1000_u16.to_be_bytes().to_vec(),
    };
    if rng.random() {
        payload.extend(text(rng.random_range(0..40), rng));
    }
    if rng.random_ratio(1, 4) {
        payload.truncate(rng.random_range(0..3));
    }
    add_frame(out, Opcode::Close, true, &payload, rng);
}

fn add_raw(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let length = rng.random_range(0..20);
    out.extend(bytes(length, rng));
}

/// A frame whose first two bytes are whatever they are: reserved bits and opcodes, no mask, long lengths.
fn add_odd_header(out: &mut Vec<u8>, rng: &mut SmallRng) {
    let start = out.len();
    add_message(out, rng);
    match rng.random_range(0..4) {
        0 => out[start] ^= 0x10 << rng.random_range(0..3),
        1 => out[start] = (out[start] & 0xF0) | rng.random_range(0..16_u8),
        2 => out[start + 1] &= 0x7F,
        _ => lengthen(out, start, rng),
    }
}

/// Writes a frame with a length in more bytes than it needs, or with one that is far too large.
fn lengthen(out: &mut Vec<u8>, start: usize, rng: &mut SmallRng) {
    let length = rng.random_range(0..126_u8);
    out.truncate(start);
    match rng.random_range(0..3) {
        0 => out.extend([0x82, 0xFE, 0, length]),
        1 => out.extend([0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0, length]),
        _ => out.extend([0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, length]),
    }
    out.extend(bytes(usize::from(length) + 4, rng));
}

fn message(rng: &mut SmallRng) -> (Opcode, Vec<u8>) {
    let length = match rng.random_range(0..200) {
        0 => rng.random_range(65_530..65_545),
        1..20 => rng.random_range(120..230),
        _ => rng.random_range(0..60),
    };
    if rng.random_ratio(1, 3) { (Opcode::Binary, bytes(length, rng)) } else { (Opcode::Text, text(length, rng)) }
}

fn bytes(length: usize, rng: &mut SmallRng) -> Vec<u8> {
    let mut bytes = vec![0; length];
    rng.fill_bytes(&mut bytes);
    bytes
}

/// About `length` bytes of text; one in fifteen is not quite UTF-8.
fn text(length: usize, rng: &mut SmallRng) -> Vec<u8> {
    let alphabet = if rng.random() { "abc \"{}" } else { "aé服\u{7ff}\u{800}\u{d7ff}\u{e000}🦀\u{10ffff}" };
    let alphabet: Vec<char> = alphabet.chars().collect();
    let mut text = String::new();
    while text.len() < length {
        text.push(alphabet[rng.random_range(0..alphabet.len())]);
    }
    let mut bytes = text.into_bytes();
    if rng.random_ratio(1, 15) && !bytes.is_empty() {
        let at = rng.random_range(0..bytes.len());
        match rng.random_range(0..3) {
            0 => bytes[at] = rng.random(),
            1 => bytes.truncate(at),
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}
