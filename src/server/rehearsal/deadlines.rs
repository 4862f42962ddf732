//! Deadlines by a clock that the test moves: what ends when, and what wins more time.

use super::{Client, Rehearsal};
use crate::config::Config;
use std::time::Duration;

/// Opens a connection and sends `bytes` at once.
fn say(server: &mut Rehearsal, bytes: &[u8]) -> Client {
    let client = server.connect();
    server.send(client, bytes);
    server.turn();
    client
}

fn post(length: usize) -> Vec<u8> {
    format!("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n").into_bytes()
}

/// Lets time pass in small steps, each with a turn.
fn pass(server: &mut Rehearsal, span: Duration) {
    for _ in 0..span.as_secs().max(1) {
        server.pass(Duration::from_secs(1).min(span));
        server.turn();
    }
}

/// Browsers of old and some libraries send an empty line after the body of a POST (RFC 9112 section 2.2). It began a head,
/// and ten seconds later an answer that nobody had asked for lay in the connection.
#[test]
fn an_empty_line_after_a_post_starts_no_head_timer() {
    for blank in ["\r\n", "\r"] {
        let mut server = Rehearsal::new(&Config::default());
        let request = [post(1), b"1".to_vec(), blank.as_bytes().to_vec()].concat();
        let client = say(&mut server, &request);
        let answered = server.written(client);
        assert!(answered > Some(0));
        pass(&mut server, Duration::from_secs(60));
        assert_eq!(server.written(client), answered, "nothing unasked is said after {blank:?}");
        // The rest of it, and a head whose time begins with its own first byte.
        server.send(client, &b"\r\nGET /livez"[blank.len()..]);
        server.turn();
        pass(&mut server, Duration::from_secs(9));
        server.send(client, b" HTTP/1.1\r\nHost: localhost\r\n\r\n");
        server.turn();
        let again = server.written(client);
        assert!(again > answered, "the next request is answered");
        server.send(client, b"\r\n");
        pass(&mut server, Duration::from_secs(70));
        assert_eq!(server.written(client), again);
        pass(&mut server, Duration::from_secs(10));
        assert_eq!(server.written(client), None, "an empty line does not renew the time between requests");
    }
}

/// A mebibyte over a line of 100 KiB/s took ten seconds and one over 25 KiB/s was refused after 30 s.
#[test]
fn a_body_has_as_much_more_time_as_has_come_of_it_at_the_least_rate() {
    let config = Config::default();
    let (rate, size) = (config.http.body_rate, 200 * 1024);
    // At twice the least rate it is published long after the 30 s; at half of it, it is refused soon after them.
    for (bytes_per_second, is_taken, over_after) in [(2 * rate, true, 101), (rate / 2, false, 61)] {
        let mut server = Rehearsal::new(&config);
        let client = say(&mut server, &[post(size), b"\"".to_vec()].concat());
        let mut sent = 1;
        let mut seconds = 0;
        while server.written(client) == Some(0) {
            let count = bytes_per_second.min(size - sent);
            sent += count;
            let mut piece = vec![b'x'; count];
            if sent == size {
                *piece.last_mut().expect("something is left to send") = b'"';
            }
            server.send(client, &piece);
            server.pass(Duration::from_secs(1));
            server.turn();
            seconds += 1;
            assert!(seconds < 200, "neither taken nor refused");
        }
        assert_eq!(server.hub().stats().published, u64::from(is_taken), "after {seconds} s");
        assert!((over_after - 5..=over_after).contains(&seconds), "{bytes_per_second} bytes a second: {seconds} s");
    }
}

/// Who is refused while it sends, and reads only when it has sent everything, was reset after five seconds.
#[test]
fn a_refused_upload_is_read_on_while_it_makes_progress_and_not_for_ever() {
    let config = Config::default();
    let refused: [(&str, Vec<u8>); 4] = [
        ("413", post(100 << 20)),
        ("404", b"POST /nowhere HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999\r\n\r\n".to_vec()),
        ("421", b"POST /channels/a HTTP/1.1\r\nHost: elsewhere.test\r\nContent-Length: 99999999\r\n\r\n".to_vec()),
        (
            "413",
            b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nFFFFFFF\r\n".to_vec(),
        ),
    ];
    for (status, head) in refused {
        let mut server = Rehearsal::new(&config);
        let (busy, idle) = (say(&mut server, &head), say(&mut server, &head));
        assert!(server.written(busy) > Some(0), "{status} is said at once");
        for second in 0..20 {
            server.send(busy, &[b'x'; 10_000]);
            server.pass(Duration::from_secs(1));
            server.turn();
            assert!(server.written(busy).is_some(), "{status}: cut off after {second} s of sending");
            assert_eq!(server.written(idle).is_some(), second < 5, "{status}: after {second} s of silence");
        }
        for _ in 0..20 {
            server.send(busy, &[b'x'; 10_000]);
            server.pass(Duration::from_secs(1));
            server.turn();
        }
        assert_eq!(server.written(busy), None, "{status}: read on for ever");
    }
}
