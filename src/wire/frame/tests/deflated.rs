//! The bit of compressed messages (RFC 7692 section 6): where it may stand, and what limits hold for them.

use super::super::{Decoder, FrameError, FrameLimits, Kind, Opcode, Role, header, write_masked};
use super::{End, MASK, Seen, feed, masked};
use crate::wire::deflate::wire_limit;

const RSV1: u8 = 0x40;
const LIMITS: FrameLimits = FrameLimits { message_bytes: 1000, fragments: 4 };

/// Frames in a row, each with further bits in its first byte.
fn frames(frames: &[(u8, Opcode, bool, &[u8])]) -> Vec<u8> {
    let mut input = Vec::new();
    for (bits, opcode, is_final, payload) in frames {
        let start = input.len();
        write_masked(&mut input, *opcode, *is_final, payload, MASK);
        input[start] |= bits;
    }
    input
}

/// What a decoder with the extension makes of it, whole and byte by byte.
fn both(input: &[u8]) -> (Vec<Seen>, End) {
    let whole = feed(&mut Decoder::with_deflate(Role::Server), &LIMITS, [input]);
    let split = feed(&mut Decoder::with_deflate(Role::Server), &LIMITS, input.chunks(1));
    assert_eq!(whole, split, "{input:02x?}");
    whole
}

fn refused(input: &[u8], error: FrameError) {
    assert_eq!(both(input), (Vec::new(), End::Refused(error)), "{input:02x?}");
}

#[test]
fn compressed_messages_come_out_as_such_and_unchecked() {
    let input = frames(&[
        (RSV1, Opcode::Text, true, b"\xff\xfe"),
        (RSV1, Opcode::Binary, true, b""),
        (RSV1, Opcode::Text, false, b"\xff"),
        (0, Opcode::Ping, true, b"between"),
        (0, Opcode::Continue, false, b""),
        (0, Opcode::Continue, true, b"\x80"),
        (0, Opcode::Text, true, b"plain"),
    ]);
    let seen = vec![
        Seen::Deflated(Kind::Text, b"\xff\xfe".to_vec()),
        Seen::Deflated(Kind::Binary, Vec::new()),
        Seen::Ping(b"between".to_vec()),
        Seen::Deflated(Kind::Text, b"\xff\x80".to_vec()),
        Seen::Text(b"plain".to_vec()),
    ];
    assert_eq!(both(&input), (seen, End::Open));
}

#[test]
fn the_bit_stands_on_the_first_frame_of_a_message_alone() {
    for control in [Opcode::Ping, Opcode::Pong, Opcode::Close] {
        refused(&frames(&[(RSV1, control, true, b"")]), header::MISPLACED_RSV1);
    }
    let on_a_continuation = [(RSV1, Opcode::Text, false, &b"a"[..]), (RSV1, Opcode::Continue, true, b"b")];
    refused(&frames(&on_a_continuation), header::MISPLACED_RSV1);
    refused(&frames(&[(0, Opcode::Text, false, b"a"), (RSV1, Opcode::Continue, true, b"b")]), header::MISPLACED_RSV1);
    for bits in [0x10, 0x20, 0x30, 0x50, 0x60, 0x70] {
        refused(&frames(&[(bits, Opcode::Text, true, b"")]), header::RESERVED_BITS);
    }
}

#[test]
fn without_the_extension_the_bit_is_refused() {
    let input = frames(&[(RSV1, Opcode::Text, true, b"")]);
    let outcome = feed(&mut Decoder::new(Role::Server), &LIMITS, [&input[..]]);
    assert_eq!(outcome, (Vec::new(), End::Refused(header::RESERVED_BITS)));
}

#[test]
fn a_compressed_message_may_be_a_little_larger_than_its_limit_on_the_wire_and_no_more() {
    let most = wire_limit(LIMITS.message_bytes);
    let (fits, too_big) = (vec![0; most], vec![0; most + 1]);
    let seen = vec![Seen::Deflated(Kind::Binary, fits.clone())];
    assert_eq!(both(&frames(&[(RSV1, Opcode::Binary, true, &fits)])), (seen.clone(), End::Open));
    refused(&frames(&[(RSV1, Opcode::Binary, true, &too_big)])[..8], header::TOO_BIG);
    let (first, second) = fits.split_at(600);
    let in_two = [(RSV1, Opcode::Binary, false, first), (0, Opcode::Continue, true, second)];
    assert_eq!(both(&frames(&in_two)), (seen, End::Open));
    let second = &too_big[600..];
    refused(&frames(&[(RSV1, Opcode::Binary, false, first), (0, Opcode::Continue, true, second)]), header::TOO_BIG);
    // A plain message has the limit itself, with the extension too.
    assert_eq!(both(&masked(Opcode::Binary, true, &[0; 1000])).1, End::Open);
    refused(&masked(Opcode::Binary, true, &[0; 1001])[..8], header::TOO_BIG);
}

#[test]
fn fragments_of_compressed_messages_are_counted_like_others() {
    let mut four = vec![(RSV1, Opcode::Text, false, &b""[..])];
    four.resize(LIMITS.fragments as usize, (0, Opcode::Continue, false, b""));
    assert_eq!(both(&frames(&four)), (Vec::new(), End::Open));
    four.push((0, Opcode::Continue, true, b""));
    refused(&frames(&four), header::TOO_MANY_FRAGMENTS);
}
