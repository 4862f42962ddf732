//! The limits, from both sides, and the memory a decoder takes.

use super::super::{Decoded, Decoder, Event, FrameLimits, Opcode, Payload, Role, header};
use super::{End, Seen, feed, masked, serve, serve_bytes, stream};
use crate::model::code::Code;

fn limits(message_bytes: usize, fragments: u32) -> FrameLimits {
    FrameLimits { message_bytes, fragments }
}

#[test]
fn an_idle_decoder_is_sixteen_bytes_and_holds_nothing() {
    assert_eq!(size_of::<Decoder>(), 16);
    assert_eq!(Decoder::new(Role::Server).held_bytes(), 0);
}

#[test]
fn a_message_of_exactly_the_limit_passes() {
    for length in [0, 100, 125, 126, 65_535, 65_536] {
        let payload = vec![b'x'; length];
        for opcode in [Opcode::Text, Opcode::Binary] {
            let input = masked(opcode, true, &payload);
            assert_eq!(serve(&input, &limits(length, 1)).1, End::Open, "{length}");
            if length > 0 {
                assert_eq!(serve(&input, &limits(length - 1, 1)), (Vec::new(), End::Refused(header::TOO_BIG)));
            }
        }
    }
    assert_eq!(header::TOO_BIG.reason, Code::MessageTooBig);
}

#[test]
fn fragments_count_together() {
    let input = stream(&[(Opcode::Text, false, b"12345"), (Opcode::Continue, true, b"67890")]);
    assert_eq!(serve(&input, &limits(10, 9)), (vec![Seen::Text(b"1234567890".to_vec())], End::Open));
    assert_eq!(serve(&input, &limits(9, 9)), (Vec::new(), End::Refused(header::TOO_BIG)));
    assert_eq!(serve_bytes(&input, &limits(9, 9)), (Vec::new(), End::Refused(header::TOO_BIG)));
}

#[test]
fn the_header_alone_is_too_big() {
    let input = masked(Opcode::Binary, true, &[0; 1001]);
    assert_eq!(serve(&input[..8], &limits(1000, 1)).1, End::Refused(header::TOO_BIG));
    let huge = [0x82, 0xFF, 0x7F, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3, 4];
    assert_eq!(serve(&huge, &limits(usize::MAX - 1, 1)).1, End::Open);
    assert_eq!(serve(&huge, &limits(1000, 1)).1, End::Refused(header::TOO_BIG));
}

#[test]
fn control_frames_are_no_part_of_the_message() {
    let input =
        stream(&[(Opcode::Text, false, b"123"), (Opcode::Ping, true, &[b'p'; 125]), (Opcode::Continue, true, b"45")]);
    assert_eq!(serve(&input, &limits(5, 2)).1, End::Open);
}

#[test]
fn fragments_have_a_number() {
    let frames = |count: usize| -> Vec<u8> {
        let mut frames = vec![(Opcode::Text, count == 1, &b"x"[..])];
        frames.extend((1..count).map(|index| (Opcode::Continue, index + 1 == count, &b""[..])));
        stream(&frames)
    };
    let message = vec![Seen::Text(b"x".to_vec())];
    for most in [1, 2, 5, 1000] {
        assert_eq!(serve(&frames(most as usize), &limits(10, most)), (message.clone(), End::Open));
        let refused = (Vec::new(), End::Refused(header::TOO_MANY_FRAGMENTS));
        assert_eq!(serve(&frames(most as usize + 1), &limits(10, most)), refused);
    }
    assert_eq!(header::TOO_MANY_FRAGMENTS.reason, Code::TooManyFragments);
}

#[test]
fn a_header_that_announces_sixteen_mebibytes_allocates_nothing() {
    let limits = limits(16 << 20, 1);
    let header = [0x82, 0xFF, 0, 0, 0, 0, 1, 0, 0, 0, 1, 2, 3, 4];
    let mut decoder = Decoder::new(Role::Server);
    assert_eq!(feed(&mut decoder, &limits, [&header[..]]), (Vec::new(), End::Open));
    let bare = decoder.held_bytes();
    assert!(bare <= 96, "{bare} bytes for a header");
    assert_eq!(feed(&mut decoder, &limits, [&[0; 1000][..]]), (Vec::new(), End::Open));
    assert_eq!(decoder.held_bytes() - bare, 1000);
}

#[test]
fn memory_stays_below_twice_what_came_and_ends_exact() {
    let (limits, total) = (limits(1 << 20, 1), 300_001);
    let input = masked(Opcode::Binary, true, &vec![9; total]);
    let (mut decoder, mut came) = (Decoder::new(Role::Server), 0);
    for piece in input.chunks(1700) {
        let mut piece = piece.to_vec();
        let (consumed, decoded) = decoder.decode(&mut piece, &limits);
        came += consumed;
        assert!(decoder.held_bytes() <= 2 * came + 96, "{} for {came}", decoder.held_bytes());
        if let Ok(Decoded::Event(Event::Binary(Payload::Owned(message)))) = decoded {
            assert_eq!((message.len(), message.capacity()), (total, total));
        }
    }
    assert_eq!((came, decoder.held_bytes()), (input.len(), 0));
}

#[test]
fn a_large_message_is_put_together_in_lent_memory_once_some_of_it_has_come() {
    const LEAST: usize = 32 * 1024;
    let payload: Vec<u8> = (0..3 * LEAST).map(|at| (at % 251) as u8).collect();
    for (came, lent, is_taken) in [
        (LEAST, 4 * LEAST, true),
        (LEAST, 3 * LEAST, true),
        (LEAST, 3 * LEAST - 1, false),
        (LEAST - 1, 4 * LEAST, false),
        (2 * LEAST, 4 * LEAST, true),
    ] {
        let mut input = masked(Opcode::Binary, true, &payload);
        let (mut decoder, limits) = (Decoder::new(Role::Server), limits(1 << 20, 1));
        let (start, rest) = input.split_at_mut(14 + came);
        let mut memory = Some(vec![7; lent]);
        let lender = |least| memory.take_if(|memory| memory.capacity() >= least);
        assert!(matches!(decoder.decode_lent(start, &limits, lender), (_, Ok(Decoded::NeedMore))));
        assert_eq!(memory.is_none(), is_taken, "{came} of {} came, {lent} were offered", payload.len());
        // What is memory that was used before may be read into; new memory is not.
        assert_eq!(decoder.room().map(|room| room.len()), is_taken.then_some(payload.len() - came));
        let (_, Ok(Decoded::Event(Event::Binary(Payload::Owned(message))))) = decoder.decode(rest, &limits) else {
            panic!("the message is complete");
        };
        assert_eq!((message == payload, message.capacity() == lent), (true, is_taken));
    }
}

/// Read into the message itself, in any pieces, a message is what it is through an input, and its faults are found.
#[test]
fn what_is_read_into_a_message_is_unmasked_and_checked_in_place() {
    const START: usize = 32 * 1024;
    let text = "wörter und 🦀".repeat(10_000);
    let payload = text.as_bytes();
    for (fault, step) in [(None, 5_000), (None, 100_001), (None, 1_000_000), (Some(payload.len() - 9_000), 5_000)] {
        let mut payload = payload.to_vec();
        if let Some(place) = fault {
            payload[place] = 0xFF;
        }
        let mut input = masked(Opcode::Text, true, &payload);
        let (start, mut rest) = input.split_at_mut(14 + START);
        let (mut decoder, limits) = (Decoder::new(Role::Server), limits(1 << 20, 1));
        // Longer than needed, and of another message.
        let (_, first) = decoder.decode_lent(start, &limits, |least| Some(vec![0xFE; least + 77]));
        assert!(matches!(first, Ok(Decoded::NeedMore)));
        let mut said = Ok(Decoded::NeedMore);
        while let Some(room) = decoder.room() {
            let count = room.len().min(step).min(rest.len());
            let piece = rest.split_off_mut(..count).expect("there is more");
            room[..count].copy_from_slice(piece);
            said = decoder.filled(count);
            if !matches!(said, Ok(Decoded::NeedMore)) {
                break;
            }
        }
        if matches!(said, Ok(Decoded::NeedMore)) {
            // Less than is worth it.
            said = decoder.decode(rest, &limits).1;
        }
        match (fault, said) {
            (None, Ok(Decoded::Event(Event::Text(message)))) => assert!(*message == *payload),
            (Some(_), Err(error)) => {
                assert_eq!(error.reason, crate::model::code::Code::InvalidUtf8);
                assert_eq!((decoder.held_bytes(), decoder.room()), (0, None), "its memory is freed");
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn no_room_is_shown_between_messages_and_frames() {
    let (mut decoder, limits) = (Decoder::new(Role::Server), limits(1 << 20, 9));
    assert_eq!(decoder.room(), None);
    assert!(matches!(decoder.filled(7), Ok(Decoded::NeedMore)), "nothing happens");
    let mut first = masked(Opcode::Binary, false, &[1; 40_000]);
    let lender = |least: usize| Some(vec![0; 2 * least]);
    assert!(matches!(decoder.decode_lent(&mut first, &limits, lender), (_, Ok(Decoded::NeedMore))));
    assert_eq!(decoder.room(), None, "a header comes next");
}

#[test]
fn an_error_and_a_close_free_the_message_under_way() {
    for last in [(Opcode::Text, true, &b""[..]), (Opcode::Close, true, b"")] {
        let mut decoder = Decoder::new(Role::Server);
        let input = stream(&[(Opcode::Binary, false, &[1; 5000]), last]);
        assert_ne!(feed(&mut decoder, &FrameLimits::default(), [&input[..]]).1, End::Open);
        assert_eq!(decoder.held_bytes(), 0);
        assert!(!decoder.is_mid_message());
    }
}
