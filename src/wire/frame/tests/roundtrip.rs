//! What the encoder writes, the decoder reads; and tungstenite formats the same bytes.

use super::super::{Decoder, FrameLimits, Opcode, Role, close_frame, header, write_frame, write_masked};
use super::{End, Seen, feed, serve};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};
use tungstenite::protocol::frame::coding::OpCode;
use tungstenite::protocol::frame::{Frame, FrameHeader};

fn read_as_client(input: &[u8]) -> (Vec<Seen>, End) {
    let limits = FrameLimits { message_bytes: 1 << 20, fragments: 1 };
    feed(&mut Decoder::new(Role::Client), &limits, [input])
}

fn expected(opcode: Opcode, payload: &[u8]) -> Seen {
    match opcode {
        Opcode::Text => Seen::Text(payload.to_vec()),
        Opcode::Ping => Seen::Ping(payload.to_vec()),
        Opcode::Pong => Seen::Pong(payload.to_vec()),
        _ => Seen::Binary(payload.to_vec()),
    }
}

fn payloads() -> impl Strategy<Value = (Opcode, Vec<u8>)> {
    let control = prop_oneof![Just(Opcode::Ping), Just(Opcode::Pong)];
    prop_oneof![
        "\\PC{0,200}".prop_map(|text| (Opcode::Text, text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..400).prop_map(|bytes| (Opcode::Binary, bytes)),
        (control, proptest::collection::vec(any::<u8>(), 0..126)),
        (65_530_usize..65_545, any::<u8>()).prop_map(|(length, byte)| (Opcode::Binary, vec![byte; length])),
    ]
}

proptest! {
    #[test]
    fn what_a_server_writes_a_client_reads((opcode, payload) in payloads()) {
        let mut out = Vec::new();
        write_frame(&mut out, opcode, &payload);
        assert_eq!(read_as_client(&out), (vec![expected(opcode, &payload)], End::Open));
    }

    #[test]
    fn what_a_client_writes_a_server_reads((opcode, payload) in payloads(), mask in any::<[u8; 4]>()) {
        let mut out = Vec::new();
        write_masked(&mut out, opcode, true, &payload, mask);
        let limits = FrameLimits { message_bytes: 1 << 20, fragments: 1 };
        assert_eq!(serve(&out, &limits), (vec![expected(opcode, &payload)], End::Open));
    }

    #[test]
    fn a_goodbye_is_read_as_it_was_said(code in 3000_u16..5000, reason in "\\PC{0,60}") {
        let (seen, end) = read_as_client(&close_frame(code, &reason));
        let Some(Seen::Close(Some((said, why)))) = seen.first() else { panic!("{seen:?}") };
        assert_eq!((*said, end), (code, End::Closed));
        assert!(reason.starts_with(why.as_str()));
        assert!(why.len() == reason.len() || (120..=123).contains(&why.len()));
    }
}

#[test]
fn the_bytes_are_those_of_the_codec() {
    for length in [0, 1, 125, 126, 127, 65_535, 65_536, 70_000] {
        let payload = vec![b'x'; length];
        for opcode in [Opcode::Text, Opcode::Binary, Opcode::Continue] {
            let (mut ours, mut theirs) = (Vec::new(), Vec::new());
            write_frame(&mut ours, opcode, &payload);
            Frame::message(payload.clone(), OpCode::from(opcode), true).format(&mut theirs).expect("a vector grows");
            assert_eq!(ours, theirs, "{opcode:?} {length}");
            let (bytes, size) = header(opcode, length);
            assert_eq!(bytes[..size], theirs[..theirs.len() - length]);
        }
    }
}

#[test]
fn the_longest_header_fits() {
    let (bytes, size) = header(Opcode::Binary, usize::MAX);
    let plain = FrameHeader { opcode: Opcode::Binary.into(), ..FrameHeader::default() };
    assert_eq!((size, plain.len(usize::MAX as u64)), (10, 10));
    assert_eq!(bytes, [0x82, 127, 255, 255, 255, 255, 255, 255, 255, 255]);
}

#[test]
fn a_reason_is_cut_between_characters() {
    assert_eq!(close_frame(1000, ""), b"\x88\x02\x03\xe8");
    assert_eq!(close_frame(1008, &"x".repeat(200)).len(), 2 + 125);
    let frame = close_frame(1001, &"服".repeat(60));
    assert_eq!(frame.len(), 2 + 2 + 123);
    let frame = close_frame(1001, &format!("x{}", "服".repeat(60)));
    assert_eq!(frame.len(), 2 + 2 + 121);
    assert_eq!(read_as_client(&frame).0, [Seen::Close(Some((1001, format!("x{}", "服".repeat(40)))))]);
}
