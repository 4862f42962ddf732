//! Sessions against rustls' own client, byte by byte and in pieces, and what breaks them.

use super::{Fault, Opened, PLAIN_BYTES_MAX, SEALED_BYTES_MAX, Session};
use crate::tls::both_ends::localhost;
use rustls::pki_types::ServerName;
use rustls::{ClientConnection, ProtocolVersion, SupportedProtocolVersion};
use std::io::{Cursor, Read as _, Write as _};

#[path = "session_floods.rs"]
mod floods;

const BOTH: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

/// A session with its client, and the bytes between them.
struct Pair {
    session: Session,
    client: ClientConnection,
    /// Sealed bytes that were not opened.
    rest: Vec<u8>,
    /// What was opened.
    plain: Vec<u8>,
    heard: Vec<u8>,
    is_full: bool,
}

impl Pair {
    fn new(version: &'static SupportedProtocolVersion) -> Pair {
        let (server, client) = localhost(&[version]);
        let session = Session::new(&server).expect("a session");
        let name = ServerName::try_from("localhost").expect("a name");
        let client = ClientConnection::new(client, name).expect("a client");
        Pair { session, client, rest: Vec::new(), plain: Vec::new(), heard: Vec::new(), is_full: false }
    }

    /// One that is through its handshake.
    fn open(version: &'static SupportedProtocolVersion) -> Pair {
        let mut pair = Pair::new(version);
        while pair.client.is_handshaking() || pair.session.is_handshaking() {
            pair.feed_session(usize::MAX, 64 * 1024).expect("a handshake");
            pair.feed_client();
        }
        pair
    }

    /// What the client has to send, in pieces of `size` bytes, into `room` bytes at a time.
    fn feed_session(&mut self, size: usize, room: usize) -> Result<(), Fault> {
        let mut sealed = Vec::new();
        while self.client.wants_write() {
            self.client.write_tls(&mut sealed).expect("memory");
        }
        for piece in sealed.chunks(size.min(sealed.len().max(1))) {
            self.rest.extend_from_slice(piece);
            self.take(room)?;
        }
        Ok(())
    }

    fn take(&mut self, room: usize) -> Result<(), Fault> {
        loop {
            let mut plain = vec![0; room];
            let Opened { used, plain: size, is_full, .. } = self.session.open(&mut self.rest, &mut plain)?;
            self.rest.drain(..used);
            self.plain.extend_from_slice(&plain[..size]);
            self.is_full |= is_full;
            if !is_full {
                return Ok(());
            }
        }
    }

    /// What the session has to send.
    fn feed_client(&mut self) {
        let mut sealed = Cursor::new(std::mem::take(&mut self.session.unsent));
        while (sealed.position() as usize) < sealed.get_ref().len() {
            self.client.read_tls(&mut sealed).expect("memory");
            self.client.process_new_packets().expect("a session");
            // It keeps one record for its reader, and takes no more before that is read.
            let mut part = [0; PLAIN_BYTES_MAX];
            while let Ok(read @ 1..) = self.client.reader().read(&mut part) {
                self.heard.extend_from_slice(&part[..read]);
            }
        }
    }

    /// Seals and delivers.
    fn say(&mut self, plain: &[u8]) -> Result<(), Fault> {
        let mut out = vec![0; SEALED_BYTES_MAX];
        for part in plain.chunks(PLAIN_BYTES_MAX) {
            let size = self.session.seal(part, &mut self.rest, &mut out)?;
            self.session.unsent.extend_from_slice(&out[..size]);
        }
        Ok(())
    }

    /// What the client has heard.
    fn heard(&mut self) -> Vec<u8> {
        self.feed_client();
        std::mem::take(&mut self.heard)
    }
}

#[test]
fn what_is_said_arrives_whole_on_both_sides_in_pieces_of_any_size() {
    for version in BOTH {
        for size in [1, 7, 1000, usize::MAX] {
            let mut pair = Pair::new(version);
            while pair.client.is_handshaking() || pair.session.is_handshaking() {
                pair.feed_session(size, 64 * 1024).expect("a handshake");
                pair.feed_client();
            }
            assert_eq!(pair.client.protocol_version(), Some(version.version));
            let long: Vec<u8> = (0..100_000_u32).map(|at| at as u8).collect();
            for text in [&b"x"[..], b"hello", &long] {
                // A client keeps 64 KiB of what it is to send, and no more.
                for part in text.chunks(32 * 1024) {
                    pair.client.writer().write_all(part).expect("room");
                    pair.feed_session(size, 20_000).expect("open");
                }
                assert_eq!(std::mem::take(&mut pair.plain), text);
                pair.say(text).expect("it is open");
                assert_eq!(pair.heard(), text);
            }
            assert!(pair.is_full || size < 32 * 1024, "more records at once than there is room for");
            assert!(pair.rest.is_empty() && pair.session.unsent.is_empty());
        }
    }
}

/// Complete records are left while the session answers: they must not be opened in between, nor get lost.
#[test]
fn what_is_left_for_want_of_room_waits_while_something_is_said() {
    for version in BOTH {
        let mut pair = Pair::open(version);
        for _ in 0..3 {
            pair.client.writer().write_all(&[b'x'; PLAIN_BYTES_MAX]).expect("room");
        }
        let mut sealed = Vec::new();
        while pair.client.wants_write() {
            pair.client.write_tls(&mut sealed).expect("memory");
        }
        let mut plain = vec![0; PLAIN_BYTES_MAX];
        let opened = pair.session.open(&mut sealed, &mut plain).expect("open");
        assert_eq!((opened.plain, opened.is_full), (PLAIN_BYTES_MAX, true));
        let mut out = vec![0; SEALED_BYTES_MAX];
        // Nothing of it: it is not why the session waits.
        let size = pair.session.seal(b"meanwhile", &mut [], &mut out).expect("open");
        pair.session.unsent.extend_from_slice(&out[..size]);
        assert_eq!(pair.heard(), b"meanwhile");
        pair.rest = sealed.split_off(opened.used);
        pair.take(64 * 1024).expect("open");
        assert_eq!(pair.plain.len(), 2 * PLAIN_BYTES_MAX);
    }
}

#[test]
fn a_peer_that_says_its_last_word_may_still_be_answered() {
    for version in BOTH {
        let mut pair = Pair::open(version);
        pair.client.writer().write_all(b"bye").expect("room");
        pair.client.send_close_notify();
        pair.feed_session(usize::MAX, 64 * 1024).expect("open");
        assert_eq!((&pair.plain[..], pair.session.is_peer_closed()), (&b"bye"[..], true));
        // Whatever follows is dropped.
        assert_eq!(pair.session.open(&mut [22; 100], &mut [0; PLAIN_BYTES_MAX]).expect("dropped").used, 100);
        // TLS 1.2 wants an answer at once, and lets nothing follow (RFC 5246 section 7.2.1); rustls lets us say more.
        pair.say(b"goodbye").expect("our side is open");
        pair.session.close(&mut []);
        let sent = pair.session.unsent.len();
        pair.session.close(&mut []);
        assert_eq!(pair.session.unsent.len(), sent, "once");
        assert_eq!(pair.heard(), b"goodbye");
        assert!(matches!(pair.say(b"more"), Err(Fault::Closed)));
    }
}

#[test]
fn what_is_not_tls_is_broken_and_answered_by_an_alert() {
    for version in BOTH {
        // An alert (21) that is fatal (2), in clear before there are keys.
        for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[22, 3, 1, 0, 5, 1, 0, 0, 1, 0], &[0; 64], &[23; 64]] {
            let mut session = Session::new(&localhost(&[version]).0).expect("a session");
            let mut sealed = bytes.to_vec();
            let fault = session.open(&mut sealed, &mut [0; PLAIN_BYTES_MAX]).expect_err("it is no TLS");
            assert!(matches!(fault, Fault::Broken(_)), "{fault}");
            assert_eq!(session.unsent.first(), Some(&21), "{bytes:?}: {fault}");
        }
        let mut pair = Pair::open(version);
        pair.client.writer().write_all(b"hello").expect("room");
        let mut sealed = Vec::new();
        pair.client.write_tls(&mut sealed).expect("memory");
        let last = sealed.len() - 1;
        sealed[last] ^= 1;
        assert!(pair.session.open(&mut sealed, &mut [0; PLAIN_BYTES_MAX]).is_err(), "it was changed on its way");
        assert!(!pair.session.unsent.is_empty(), "and is answered");
    }
    assert_eq!(rustls::version::TLS13.version, ProtocolVersion::TLSv1_3);
}

#[test]
fn nothing_is_said_before_the_handshake_is_over() {
    let mut pair = Pair::new(&rustls::version::TLS13);
    assert!(matches!(pair.say(b"early"), Err(Fault::Closed)));
    pair.session.close(&mut []);
    assert!(pair.session.unsent.is_empty());
}
