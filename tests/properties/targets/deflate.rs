//! Messages compressed by us and inflated by flate2, compressed by flate2 and inflated by us, and noise for both.
//!
//! Input: a letter (`o` ours to theirs, `t` theirs to ours, otherwise noise), a digit of settings, then a message a line
//! (for noise: the payload). Behind a `\x01` in a message comes a flush of theirs.

use super::Target;
use super::input::Input;
use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};
use tidings::wire::deflate::{Codec, Contexts, InflateFault, Tuning};
use tidings::wire::frame::{Decoded, Decoder, Event, FrameLimits, Kind, Opcode, Role, write_masked};
use zlib_rs::{Inflate, InflateFlush};

const OURS: &str = "theirs reads ours";
const AS_IT_IS: &str = "not worth compressing";
const THEIRS: &str = "ours reads theirs";
const NOISE: &str = "noise that both read";
const BROKEN: &str = "noise that both refuse";
const TOO_BIG: &str = "larger than the limit";
const STRICTER: &str = "differs: a distance in front of the message, which flate2 reads as zeros, is an error";

pub(crate) const TARGET: Target = Target {
    name: "deflate",
    check,
    outcomes: &[OURS, AS_IT_IS, THEIRS, NOISE, BROKEN, TOO_BIG, STRICTER],
    words: &[
        "\u{1}",
        "\n",
        "hello hello hello",
        "{\"price\":1.10}",
        "aaaaaaaaaaaaaaaaaaaaaaaa",
        "\u{0}",
        "\u{f2}\u{48}",
        "\u{0}\u{0}\u{ff}\u{ff}",
    ],
};

const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// A message that is repeated is no longer: more than the largest window, and than what is inflated at a time.
const LONGEST: usize = 40_000;
/// No message is larger.
const LIMIT: usize = 100_000;
const TUNING: Tuning = Tuning { level: 6, least_bytes: 1, most_bytes: usize::MAX };

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let (letter, settings) = (input.byte(), input.byte());
    match letter {
        b'o' => ours_to_theirs(&mut input, settings),
        b't' => theirs_to_ours(&mut input, settings),
        _ => noise(input.rest(), settings),
    }
}

/// A message of the input; a line of one digit and more stands for that many times the rest.
fn message(input: &mut Input<'_>) -> Vec<u8> {
    match input.line() {
        [digit @ b'1'..=b'9', rest @ ..] => {
            let times = (usize::from(digit - b'0') * 40).min(LONGEST / rest.len().max(1));
            rest.repeat(times)
        }
        line => line.to_vec(),
    }
}

fn ours_to_theirs(input: &mut Input<'_>, settings: u8) -> &'static str {
    let bits = 9 + settings % 7;
    let keeps = settings & 0x10 != 0;
    let level = 1 + settings / 7 % 9;
    let mut codec = Codec::new(Tuning { level, ..TUNING });
    let mut contexts = Contexts::new(keeps.then_some(bits), false, codec.tuning());
    let mut theirs = Decompress::new(false);
    let mut outcome = AS_IT_IS;
    while !input.is_empty() {
        let message = message(input);
        let packed = if keeps { codec.deflate_on(&mut contexts, &message) } else { codec.deflate(bits, &message) };
        let Some(packed) = packed.map(<[u8]>::to_vec) else {
            assert!(!keeps || message.is_empty(), "only an empty message is not compressed with a kept window");
            continue;
        };
        assert!(keeps || packed.len() < message.len(), "{} bytes for {}", packed.len(), message.len());
        let read = inflate(&mut theirs, &packed, usize::MAX).expect("flate2 reads it");
        assert_eq!(read.0, message);
        if !keeps {
            theirs.reset(false);
            assert_eq!(within_window(&packed, bits, message.len()), message, "with a window of {bits} bits");
        }
        let ours = codec.inflate(&packed, message.len());
        if !keeps {
            assert_eq!(ours.as_deref(), Ok(&message[..]));
            assert_eq!(codec.inflate(&packed, message.len() - 1), Err(InflateFault::TooBig));
        }
        outcome = OURS;
    }
    outcome
}

/// The message, read by an inflater that has no more than the window: it gives one byte at a time.
fn within_window(packed: &[u8], bits: u8, length: usize) -> Vec<u8> {
    let mut inflater = Inflate::new(false, bits);
    let whole: Vec<u8> = packed.iter().chain(&TAIL).copied().collect();
    let (mut message, mut byte) = (Vec::new(), [0]);
    while message.len() < length {
        let (taken, made) = (inflater.total_in() as usize, inflater.total_out());
        inflater.decompress(&whole[taken..], &mut byte, InflateFlush::NoFlush).expect("no distance beyond the window");
        assert!(inflater.total_out() > made, "it ends before the message does");
        message.push(byte[0]);
    }
    message
}

fn theirs_to_ours(input: &mut Input<'_>, settings: u8) -> &'static str {
    let keeps = settings & 0x10 != 0;
    let mut codec = Codec::new(TUNING);
    let mut contexts = Contexts::new(None, keeps, &TUNING);
    let mut theirs = Compress::new(Compression::new(u32::from(settings % 10)), false);
    let flush = [FlushCompress::Sync, FlushCompress::Full, FlushCompress::None][usize::from(settings / 10) % 3];
    let ends = settings & 0x20 != 0 && !keeps;
    let mut outcome = AS_IT_IS;
    while !input.is_empty() {
        let message = message(input);
        if message.len() > LIMIT {
            continue;
        }
        let mut packed = Vec::with_capacity(message.len() * 2 + 1000);
        for piece in message.split_inclusive(|byte| *byte == 1) {
            compress(&mut theirs, piece, &mut packed, flush);
        }
        // A stream may also say that it is over; RFC 7692 section 7.2.3.4 adds an empty block then.
        if ends {
            compress(&mut theirs, b"", &mut packed, FlushCompress::Finish);
            packed.push(0);
        } else {
            compress(&mut theirs, b"", &mut packed, FlushCompress::Sync);
            while !packed.ends_with(&TAIL) {
                compress(&mut theirs, b"", &mut packed, FlushCompress::Sync);
            }
            packed.truncate(packed.len() - TAIL.len());
        }
        if !keeps {
            theirs.reset();
        }
        let arrived = through_frames(&packed, usize::from(settings));
        assert_eq!(codec.inflate_on(&mut contexts, &arrived, message.len()).as_ref(), Ok(&message));
        if !message.is_empty() && !keeps {
            assert_eq!(codec.inflate(&arrived, message.len() - 1), Err(InflateFault::TooBig));
        }
        outcome = THEIRS;
    }
    outcome
}

fn compress(theirs: &mut Compress, bytes: &[u8], out: &mut Vec<u8>, flush: FlushCompress) {
    let mut rest = bytes;
    loop {
        out.reserve(1000);
        let before = theirs.total_in();
        theirs.compress_vec(rest, out, flush).expect("a compressor takes everything");
        rest = &rest[(theirs.total_in() - before) as usize..];
        if rest.is_empty() && out.len() < out.capacity() {
            return;
        }
    }
}

/// Sends a payload as a compressed message in fragments of so many bytes, and reads it again.
fn through_frames(packed: &[u8], bytes: usize) -> Vec<u8> {
    let mut stream = Vec::new();
    let pieces: Vec<&[u8]> = if packed.is_empty() { vec![packed] } else { packed.chunks(bytes.max(20)).collect() };
    for (index, piece) in pieces.iter().enumerate() {
        let (start, last) = (stream.len(), index + 1 == pieces.len());
        let opcode = if index == 0 { Opcode::Text } else { Opcode::Continue };
        write_masked(&mut stream, opcode, last, piece, [1, 2, 3, index as u8]);
        stream[start] |= if index == 0 { 0x40 } else { 0 };
    }
    let limits = FrameLimits { message_bytes: 1 << 24, fragments: 1 << 20 };
    let whole = stream.len();
    match Decoder::with_deflate(Role::Server).decode(&mut stream, &limits) {
        (used, Ok(Decoded::Event(Event::Deflated(Kind::Text, payload)))) if used == whole => payload.to_vec(),
        other => panic!("no compressed message: {other:?}"),
    }
}

fn noise(payload: &[u8], settings: u8) -> &'static str {
    let limit = [64, 1000, LIMIT][usize::from(settings % 3)];
    let mut codec = Codec::new(TUNING);
    let ours = codec.inflate(payload, limit);
    let again = codec.inflate(payload, limit);
    assert_eq!(ours, again, "the memory of the last message shows");
    let mut contexts = Contexts::new(None, true, &TUNING);
    let kept = codec.inflate_on(&mut contexts, payload, limit);
    if let Ok(message) = kept {
        assert!(message.len() <= limit);
    }
    let mut theirs = Decompress::new(false);
    let read = if payload.is_empty() { Some((Vec::new(), true)) } else { inflate(&mut theirs, payload, limit) };
    // A message is complete where a block begins: the last one may follow.
    let read = read.filter(|(message, ended)| {
        *ended || message.len() > limit || {
            let status = theirs.decompress(&[3, 0], &mut [0], FlushDecompress::None);
            status.is_ok_and(|status| status == Status::StreamEnd)
        }
    });
    match (ours, read) {
        (Ok(message), Some((read, _))) => {
            assert!(message.len() <= limit);
            assert_eq!(message, read);
            NOISE
        }
        (Err(InflateFault::TooBig), Some((read, _))) => {
            assert!(read.len() > limit, "{} bytes are within {limit}", read.len());
            TOO_BIG
        }
        // What is wrong may stand behind the limit, where one of the two never looks.
        (Err(InflateFault::TooBig), None) => TOO_BIG,
        (Err(InflateFault::Broken), None) => BROKEN,
        (Err(InflateFault::Broken), Some(_)) => STRICTER,
        (Ok(message), None) => panic!("flate2 refuses what we read as {}", message.escape_ascii()),
    }
}

/// Inflates a payload and its tail, at most a little beyond the limit; the message, and whether its last stream ended.
fn inflate(theirs: &mut Decompress, payload: &[u8], limit: usize) -> Option<(Vec<u8>, bool)> {
    let (mut message, mut ended) = (Vec::new(), false);
    for piece in [payload, &TAIL] {
        if ended && piece == TAIL {
            break;
        }
        let mut rest = piece;
        loop {
            if std::mem::take(&mut ended) {
                theirs.reset(false);
            }
            let (before, mut chunk) = (theirs.total_in(), Vec::with_capacity(4096));
            let status = theirs.decompress_vec(rest, &mut chunk, FlushDecompress::Sync).ok()?;
            let taken = (theirs.total_in() - before) as usize;
            rest = &rest[taken..];
            message.extend_from_slice(&chunk);
            ended = status == Status::StreamEnd;
            if message.len() > limit {
                return Some((message, ended));
            }
            if rest.is_empty() && (ended || chunk.len() < chunk.capacity()) {
                break;
            }
            if taken == 0 && chunk.is_empty() && !ended {
                return None;
            }
        }
    }
    Some((message, ended))
}
