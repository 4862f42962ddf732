//! Messages in pieces: handed out without a copy when whole, put together when not, refused before the rest arrives.

use super::super::{Decoded, Decoder, Event, FrameLimits, Opcode, Payload, Role, utf8};
use super::{End, Seen, feed, masked, serve, stream};

#[test]
fn a_whole_frame_is_handed_out_where_it_lies() {
    let mut input = masked(Opcode::Text, true, b"in place");
    let place = input[6..].as_ptr();
    let mut decoder = Decoder::new(Role::Server);
    let (consumed, decoded) = decoder.decode(&mut input, &FrameLimits::default());
    let Ok(Decoded::Event(Event::Text(Payload::Borrowed(text)))) = decoded else { panic!("{decoded:?}") };
    assert_eq!((consumed, text.as_ptr(), &*text), (14, place, &b"in place"[..]));
    assert_eq!(decoder.held_bytes(), 0);
}

#[test]
fn every_split_in_two_gives_the_same() {
    let input = stream(&[
        (Opcode::Text, true, "one: 服务器 🦀".as_bytes()),
        (Opcode::Ping, true, b"ping"),
        (Opcode::Binary, false, &[1; 200]),
        (Opcode::Pong, true, b"pong"),
        (Opcode::Continue, true, &[2; 70]),
        (Opcode::Close, true, b"\x0f\xa0enough"),
    ]);
    let whole = serve(&input, &FrameLimits::default());
    assert_eq!((whole.0.len(), whole.1), (5, End::Closed));
    for at in 0..=input.len() {
        let (front, back) = input.split_at(at);
        let split = feed(&mut Decoder::new(Role::Server), &FrameLimits::default(), [front, back]);
        assert_eq!(split, whole, "split at {at}");
    }
}

#[test]
fn every_truncation_needs_more() {
    let input = masked(Opcode::Text, true, "a服b".as_bytes());
    for at in 0..input.len() {
        assert_eq!(serve(&input[..at], &FrameLimits::default()), (Vec::new(), End::Open), "cut at {at}");
    }
}

#[test]
fn bad_text_is_refused_before_the_rest_of_its_frame_arrives() {
    let mut payload = vec![b'a'; 10_000];
    payload[4_000] = 0xFF;
    let input = masked(Opcode::Text, true, &payload);
    let good = 8 + 4_000;
    assert_eq!(serve(&input[..good], &FrameLimits::default()), (Vec::new(), End::Open));
    assert_eq!(serve(&input[..=good], &FrameLimits::default()), (Vec::new(), End::Refused(utf8::INVALID)));
}

#[test]
fn a_character_that_cannot_end_well_is_refused_at_the_byte_that_shows_it() {
    for (beginning, wrong) in [(&b"\xf4"[..], 0x90), (b"\xed", 0xA0), (b"\xe0", 0x9F), (b"\xf0\x9f", b'x'), (b"", 0xC0)]
    {
        let mut payload = b"text ".to_vec();
        payload.extend_from_slice(beginning);
        let good = 6 + payload.len();
        payload.push(wrong);
        payload.extend_from_slice(b"and more");
        let input = masked(Opcode::Text, true, &payload);
        let mut decoder = Decoder::new(Role::Server);
        assert_eq!(feed(&mut decoder, &FrameLimits::default(), input[..good].chunks(1)).1, End::Open);
        assert_eq!(
            feed(&mut decoder, &FrameLimits::default(), [&input[good..=good]]).1,
            End::Refused(utf8::INVALID),
            "{beginning:02x?} {wrong:02x}"
        );
    }
}

#[test]
fn a_bad_fragment_is_refused_before_the_next() {
    let input = masked(Opcode::Text, false, b"\xc3\x28");
    assert_eq!(serve(&input, &FrameLimits::default()).1, End::Refused(utf8::INVALID));
}

#[test]
fn messages_follow_each_other_after_one_in_pieces() {
    let limits = FrameLimits::default();
    let mut decoder = Decoder::new(Role::Server);
    let input = stream(&[(Opcode::Binary, true, &[5; 40]), (Opcode::Text, true, b"next")]);
    let (seen, end) = feed(&mut decoder, &limits, [&input[..20], &input[20..]]);
    assert_eq!((seen, end), (vec![Seen::Binary(vec![5; 40]), Seen::Text(b"next".to_vec())], End::Open));
    assert!(!decoder.is_mid_message());
    assert_eq!(decoder.held_bytes(), 0);
}
