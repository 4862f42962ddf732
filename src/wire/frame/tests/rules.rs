//! One test per rule of RFC 6455 that a frame can break, and the order in which good frames come out.

use super::super::{Decoder, FrameError, FrameLimits, Opcode, Role, close, decoder, header, utf8};
use super::{End, Seen, both, feed, masked, stream};
use crate::model::code::Code;

/// The stream is refused after `seen`, with `error`, split or not.
fn refused(input: &[u8], seen: &[Seen], error: FrameError) {
    assert_eq!(both(input), (seen.to_vec(), End::Refused(error)), "{input:02x?}");
}

#[test]
fn messages_and_control_frames_come_out_in_order() {
    let input = stream(&[
        (Opcode::Text, true, "服务器".as_bytes()),
        (Opcode::Binary, true, b"\x00\xff"),
        (Opcode::Ping, true, b"are you there"),
        (Opcode::Pong, true, b""),
        (Opcode::Text, true, b""),
        (Opcode::Close, true, b"\x03\xe8bye"),
    ]);
    let seen = vec![
        Seen::Text("服务器".as_bytes().to_vec()),
        Seen::Binary(b"\x00\xff".to_vec()),
        Seen::Ping(b"are you there".to_vec()),
        Seen::Pong(Vec::new()),
        Seen::Text(Vec::new()),
        Seen::Close(Some((1000, "bye".to_owned()))),
    ];
    assert_eq!(both(&input), (seen, End::Closed));
}

#[test]
fn control_frames_may_stand_between_fragments() {
    let input = stream(&[
        (Opcode::Text, false, b"a\xe6\x9c"),
        (Opcode::Ping, true, b"1"),
        (Opcode::Continue, false, b""),
        (Opcode::Pong, true, b"2"),
        (Opcode::Continue, true, b"\x8db"),
        (Opcode::Binary, false, b""),
        (Opcode::Continue, true, b""),
    ]);
    let seen = vec![
        Seen::Ping(b"1".to_vec()),
        Seen::Pong(b"2".to_vec()),
        Seen::Text("a服b".as_bytes().to_vec()),
        Seen::Binary(Vec::new()),
    ];
    assert_eq!(both(&input), (seen, End::Open));
}

#[test]
fn a_close_may_interrupt_a_message() {
    let input = stream(&[(Opcode::Text, false, b"begun"), (Opcode::Close, true, b"")]);
    assert_eq!(both(&input), (vec![Seen::Close(None)], End::Closed));
}

#[test]
fn reserved_bits_and_opcodes_are_refused_at_their_byte() {
    for bit in [0x40, 0x20, 0x10] {
        refused(&[0x81 | bit], &[], header::RESERVED_BITS);
    }
    for opcode in [3, 4, 5, 6, 7, 0xB, 0xC, 0xD, 0xE, 0xF] {
        refused(&[0x80 | opcode], &[], header::RESERVED_OPCODE);
    }
}

#[test]
fn a_control_frame_is_whole_and_short() {
    for opcode in [0x8, 0x9, 0xA] {
        refused(&[opcode], &[], header::FRAGMENTED_CONTROL);
        refused(&[0x80 | opcode, 0x80 | 126], &[], header::LONG_CONTROL);
        refused(&[0x80 | opcode, 0x80 | 127], &[], header::LONG_CONTROL);
    }
    assert_eq!(both(&masked(Opcode::Ping, true, &[7; 125])), (vec![Seen::Ping(vec![7; 125])], End::Open));
}

#[test]
fn the_role_decides_about_the_mask() {
    refused(&[0x81, 0x05], &[], header::NOT_MASKED);
    let mut client = Decoder::new(Role::Client);
    let answer = feed(&mut client, &FrameLimits::default(), [&masked(Opcode::Text, true, b"x")[..]]);
    assert_eq!(answer, (Vec::new(), End::Refused(header::MASKED)));
}

#[test]
fn fragments_have_a_beginning_and_one_message_at_a_time() {
    refused(&masked(Opcode::Continue, true, b"x"), &[], header::NOTHING_TO_CONTINUE);
    refused(&masked(Opcode::Continue, false, b"x"), &[], header::NOTHING_TO_CONTINUE);
    for opcode in [Opcode::Text, Opcode::Binary] {
        let input = stream(&[(Opcode::Text, false, b"x"), (opcode, true, b"y")]);
        refused(&input, &[], header::UNFINISHED_MESSAGE);
    }
    let input = stream(&[(Opcode::Text, true, b"x"), (Opcode::Continue, true, b"y")]);
    refused(&input, &[Seen::Text(b"x".to_vec())], header::NOTHING_TO_CONTINUE);
}

#[test]
fn a_length_takes_as_few_bytes_as_it_can() {
    refused(&[0x82, 0xFE, 0, 125, 1, 2, 3, 4], &[], header::LONG_WINDED);
    refused(&[0x82, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 1, 2, 3, 4], &[], header::LONG_WINDED);
    refused(&[0x82, 0xFF, 0x80, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4], &[], header::TOP_BIT);
    for length in [0, 1, 125, 126, 127, 65_535] {
        let bytes = vec![3; length];
        assert_eq!(both(&masked(Opcode::Binary, true, &bytes)), (vec![Seen::Binary(bytes)], End::Open));
    }
}

#[test]
fn text_is_utf8_whole_or_in_fragments() {
    refused(&masked(Opcode::Text, true, b"ab\xffcd"), &[], utf8::INVALID);
    let input = stream(&[(Opcode::Text, false, b"\xe6\x9c"), (Opcode::Continue, true, b"x")]);
    refused(&input, &[], utf8::INVALID);
    let input = stream(&[(Opcode::Text, false, b"\xe6"), (Opcode::Continue, true, b"\x9c")]);
    refused(&input, &[], utf8::UNFINISHED);
    let input = stream(&[(Opcode::Text, false, b"\xe6"), (Opcode::Continue, true, b"")]);
    refused(&input, &[], utf8::UNFINISHED);
    assert_eq!(utf8::INVALID.reason, Code::InvalidUtf8);
    let binary = b"\xff\xfe".to_vec();
    assert_eq!(both(&masked(Opcode::Binary, true, &binary)), (vec![Seen::Binary(binary)], End::Open));
}

#[test]
fn a_close_says_nothing_or_something_sensible() {
    refused(&masked(Opcode::Close, true, b"\x03"), &[], close::HALF_A_CODE);
    for code in [0_u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65_535] {
        refused(&masked(Opcode::Close, true, &code.to_be_bytes()), &[], close::FORBIDDEN_CODE);
    }
    refused(&masked(Opcode::Close, true, b"\x03\xe8\xff"), &[], close::BAD_REASON);
    assert_eq!(close::BAD_REASON.reason, Code::InvalidUtf8);
}

#[test]
fn nothing_is_taken_after_a_close_or_an_error() {
    let limits = FrameLimits::default();
    let text = masked(Opcode::Text, true, b"late");
    for last in [masked(Opcode::Close, true, b""), masked(Opcode::Continue, true, b"")] {
        let mut decoder = Decoder::new(Role::Server);
        let _ = feed(&mut decoder, &limits, [&last[..]]);
        assert_eq!(feed(&mut decoder, &limits, [&text[..]]), (Vec::new(), End::Refused(decoder::ENDED)));
    }
}

#[test]
fn an_empty_input_needs_more() {
    let mut decoder = Decoder::new(Role::Server);
    let (consumed, decoded) = decoder.decode(&mut [], &FrameLimits::default());
    assert_eq!(consumed, 0);
    assert!(matches!(decoded, Ok(super::Decoded::NeedMore)));
}
