//! Peers that send much that says nothing, or say their last word too early: a session ends, or goes on, and keeps little.

use super::super::RECORDS_PER_OPEN_MAX;
use super::{BOTH, Fault, PLAIN_BYTES_MAX, Pair};
use crate::tls::failure::Failure;
use crate::tls::forged::Forger;
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};
use std::io::Write as _;

/// A session with one that seals what it likes in its client's place.
fn forged(version: &'static SupportedProtocolVersion) -> (Pair, Forger) {
    let mut pair = Pair::open(version);
    let client = std::mem::replace(&mut pair.client, Pair::new(version).client);
    (pair, Forger::of(client))
}

/// The first message of a client, without the header of its record.
fn hello(version: &'static SupportedProtocolVersion) -> Vec<u8> {
    let mut sealed = Vec::new();
    Pair::new(version).client.write_tls(&mut sealed).expect("memory");
    sealed.split_off(5)
}

/// Each byte in a record of its own, as they are before there are keys.
fn bytewise(message: &[u8]) -> Vec<u8> {
    message.iter().flat_map(|byte| [22, 3, 1, 0, 1, *byte]).collect()
}

fn take(pair: &mut Pair, sealed: &[u8]) -> Result<(), Failure> {
    pair.rest.extend_from_slice(sealed);
    pair.take(64 * 1024).map_err(|fault| fault.failure())
}

#[test]
fn records_without_a_byte_are_few_in_a_row_or_the_session_ends() {
    for version in BOTH {
        let (mut pair, mut forger) = forged(version);
        for _ in 0..100 {
            take(&mut pair, &[forger.data(b""), forger.data(b"x")].concat()).expect("few in a row");
        }
        assert_eq!(pair.plain, [b'x'; 100]);
        let count = (0..100).position(|_| take(&mut pair, &forger.data(b"")) == Err(Failure::Misbehaved));
        assert!(count.is_some_and(|count| count <= 64), "{count:?}");
    }
}

#[test]
fn changes_of_keys_are_few_in_a_row_and_what_answers_them_does_not_pile_up() {
    let mut pair = Pair::open(&TLS13);
    // The client asks for an answer to each of them, and reads none.
    for _ in 0..300 {
        pair.client.refresh_traffic_keys().expect("TLS 1.3");
        pair.client.writer().write_all(b"x").expect("room");
        pair.feed_session(usize::MAX, 64 * 1024).expect("one at a time");
    }
    assert_eq!(pair.plain, [b'x'; 300]);
    assert!(pair.session.unsent.len() < 100, "{} bytes wait", pair.session.unsent.len());
    pair.say(b"with another key").expect("open");
    assert_eq!(pair.heard(), b"with another key");
    let count = (0..100).position(|_| {
        pair.client.refresh_traffic_keys().expect("TLS 1.3");
        pair.feed_session(usize::MAX, 64 * 1024).is_err_and(|fault| fault.failure() == Failure::Misbehaved)
    });
    assert!(count.is_some_and(|count| count <= 64), "{count:?}");
}

#[test]
fn another_handshake_in_an_old_session_is_refused_and_a_third_ends_it() {
    let (mut pair, mut forger) = forged(&TLS12);
    let hello = hello(&TLS12);
    take(&mut pair, &forger.handshake(&hello)).expect("it is only refused");
    assert_eq!(pair.session.unsent.first(), Some(&21), "by an alert");
    take(&mut pair, &forger.data(b"x")).expect("and the session goes on");
    assert_eq!(pair.plain, b"x");
    assert_eq!(take(&mut pair, &forger.handshake(&hello)), Err(Failure::Misbehaved));
    let (mut pair, mut forger) = forged(&TLS13);
    assert_eq!(take(&mut pair, &forger.handshake(&hello)), Err(Failure::Misbehaved), "TLS 1.3 has none");
}

#[test]
fn warnings_are_few_or_the_session_ends() {
    const USER_CANCELED: u8 = 90;
    for version in BOTH {
        let (mut pair, mut forger) = forged(version);
        let count = (0..20).position(|_| take(&mut pair, &forger.alert(1, USER_CANCELED)).is_err());
        assert!(count.is_some_and(|count| count < 10), "{count:?}");
    }
}

/// Of 82 KiB in records of a byte all 3,700 were opened at once, which took milliseconds, and counted as so many bytes.
#[test]
fn of_many_small_records_a_part_is_opened_at_once() {
    for version in BOTH {
        let (mut pair, mut forger) = forged(version);
        let mut sealed: Vec<u8> = (0..2 * RECORDS_PER_OPEN_MAX + 1).flat_map(|_| forger.data(b"x")).collect();
        let length = sealed.len();
        let opened = pair.session.open(&mut sealed, &mut [0; 4 * PLAIN_BYTES_MAX]).expect("open");
        assert_eq!((opened.plain, opened.is_full), (RECORDS_PER_OPEN_MAX, true));
        assert!(opened.used < length / 2);
        take(&mut pair, &sealed[opened.used..]).expect("the others");
        assert_eq!(pair.plain.len(), RECORDS_PER_OPEN_MAX + 1);
        assert!(pair.rest.is_empty());
    }
}

/// Thousands of them in 82 KiB took tens of milliseconds, in which nobody else was served.
#[test]
fn of_many_changes_of_keys_a_part_is_made_at_once_and_counted() {
    let mut pair = Pair::open(&TLS13);
    let mut sealed = Vec::new();
    for _ in 0..40 {
        (0..30).for_each(|_| pair.client.refresh_traffic_keys().expect("TLS 1.3"));
        pair.client.writer().write_all(b"x").expect("room");
        while pair.client.wants_write() {
            pair.client.write_tls(&mut sealed).expect("memory");
        }
    }
    let opened = pair.session.open(&mut sealed, &mut [0; 4 * PLAIN_BYTES_MAX]).expect("open");
    assert_eq!((opened.plain + opened.silent, opened.is_full), (RECORDS_PER_OPEN_MAX, true));
    assert_eq!(opened.silent, RECORDS_PER_OPEN_MAX - RECORDS_PER_OPEN_MAX / 31);
    take(&mut pair, &sealed[opened.used..]).expect("the others");
    assert_eq!(opened.plain + pair.plain.len(), 40);
}

#[test]
fn a_message_in_pieces_is_seen_whole_before_something_is_said() {
    let (mut pair, mut forger) = forged(&TLS12);
    // Its end is beyond what is opened at once.
    let mut sealed: Vec<u8> = (0..RECORDS_PER_OPEN_MAX - 9).flat_map(|_| forger.data(b"x")).collect();
    sealed.extend(hello(&TLS12).iter().flat_map(|byte| forger.handshake(&[*byte])).collect::<Vec<u8>>());
    sealed.extend((0..2 * RECORDS_PER_OPEN_MAX).flat_map(|_| forger.data(b"y")).collect::<Vec<u8>>());
    let opened = pair.session.open(&mut sealed, &mut [0; 4 * PLAIN_BYTES_MAX]).expect("open");
    assert!(opened.is_full && opened.plain > RECORDS_PER_OPEN_MAX - 9, "{opened:?}");
    // Of whole records that wait, the session sees nothing meanwhile.
    let mut out = vec![0; super::SEALED_BYTES_MAX];
    pair.session.seal(b"meanwhile", &mut [], &mut out).expect("open");
    take(&mut pair, &sealed[opened.used..]).expect("the others");
    assert_eq!(opened.plain + pair.plain.len(), 3 * RECORDS_PER_OPEN_MAX - 9);
}

/// rustls' own loop over a socket did not end here (CVE-2024-32650).
#[test]
fn a_last_word_within_the_handshake_is_none_and_nothing_waits_for_more() {
    // In clear, so anybody on the way may have said it.
    let last_word = [21, 3, 3, 0, 2, 1, 0];
    for version in BOTH {
        for begun in [false, true] {
            let mut pair = Pair::new(version);
            let mut sealed = Vec::new();
            if begun {
                pair.client.write_tls(&mut sealed).expect("memory");
            }
            sealed.extend(last_word);
            let outcome = take(&mut pair, &sealed);
            assert!(outcome.is_err() || pair.rest.is_empty() && !pair.session.is_peer_closed(), "{outcome:?}");
            assert!(pair.session.is_handshaking() && matches!(pair.say(b"early"), Err(Fault::Closed)));
            pair.session.close(&mut []);
        }
    }
}

/// rustls was asked for its alert without the bytes that had come, and panicked: of a message in pieces it remembers where they are.
#[test]
fn what_breaks_a_message_in_pieces_breaks_its_session_alone() {
    for version in BOTH {
        let begun = bytewise(&hello(version)[..3]);
        // Of another kind, of no kind, too long, and not to be read in clear.
        for broken in
            [&[23, 3, 3, 0, 1, 0][..], &[99, 3, 3, 0, 1, 0], &[22, 3, 3, 255, 255, 0], &[21, 3, 3, 0, 2, 2, 40]]
        {
            let mut pair = Pair::new(version);
            assert!(take(&mut pair, &[&begun[..], broken].concat()).is_err(), "{broken:?}");
            assert!(pair.session.unsent.first().is_none_or(|first| *first == 21), "{broken:?}");
            // As when its connection is closed.
            pair.session.close(&mut []);
            assert!(matches!(pair.say(b"more"), Err(Fault::Closed)));
        }
    }
}

#[test]
fn a_handshake_may_come_in_records_of_a_byte() {
    for version in BOTH {
        let mut pair = Pair::new(version);
        let mut sealed = Vec::new();
        pair.client.write_tls(&mut sealed).expect("memory");
        take(&mut pair, &bytewise(&sealed[5..])).expect("it is only slow");
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.feed_client();
            pair.feed_session(usize::MAX, 64 * 1024).expect("a handshake");
        }
        pair.client.writer().write_all(b"hello").expect("room");
        pair.feed_session(1, 64 * 1024).expect("open");
        assert_eq!(pair.plain, b"hello");
    }
}
