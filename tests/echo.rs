//! `/echo`: to whom it is open, and that it is closed to everybody else with a word about the setting.

use crate::support::frames::{RawSocket, TEXT, handshake, header};
use crate::support::http::HttpClient;
use crate::support::{OPERATOR, TestServer};
use tidings::config::EchoFor;

/// What a handshake at `/echo` with these fields is answered.
fn status(server: &TestServer, fields: &[(&str, &str)]) -> u16 {
    let mut client = HttpClient::connect(server.address());
    client.raw.send(handshake("/echo", fields));
    let answer = client.read_answer(false);
    if answer.status != 101 {
        assert_eq!(answer.code(), "forbidden");
        assert!(answer.text().contains("websocket.echo"), "{}", answer.text());
    }
    answer.status
}

#[test]
fn the_echo_is_open_to_those_who_come_directly_and_to_nobody_else_unless_asked_for() {
    let forwarded = [("X-Forwarded-For", "203.0.113.9")];
    let start = |echo: Option<EchoFor>, anonymous: bool| {
        TestServer::start(|config| {
            config.server.allow_anonymous_publish = anonymous;
            if let Some(echo) = echo {
                config.websocket.echo = echo;
            }
        })
    };
    // Being let publish is no reason to be sent anything back.
    for anonymous in [false, true] {
        let server = start(None, anonymous);
        assert_eq!(status(&server, &[]), 101);
        assert_eq!(status(&server, &forwarded), 403);
        assert_eq!(status(&server, &[forwarded[0], OPERATOR]), 101);
    }
    let on = start(Some(EchoFor::On), false);
    assert_eq!([status(&on, &[]), status(&on, &forwarded)], [101, 101]);
    let off = start(Some(EchoFor::Off), true);
    assert_eq!([status(&off, &[]), status(&off, &[OPERATOR])], [403, 403]);
}

#[test]
fn a_message_of_a_mebibyte_comes_back_and_one_more_byte_does_not() {
    let server = TestServer::start(|_| {});
    let mut socket = RawSocket::open(server.address(), "/echo");
    let text = vec![b'e'; 1 << 20];
    socket.send(TEXT, &text);
    assert!(socket.next() == Some((TEXT, text)));
    socket.raw.send([header(TEXT, (1 << 20) + 1), vec![0; 4]].concat());
    let (code, reason) = socket.read_close();
    assert_eq!((code, reason.split(':').next()), (Some(1009), Some("message_too_big")));
}

/// From the second on they are read into the memory of earlier ones, and what follows them into another place.
#[test]
fn large_messages_and_what_follows_each_come_back_whole_and_in_order() {
    let server = TestServer::start(|config| config.server.reactors = 1);
    let mut sockets: Vec<_> = (0..2).map(|_| RawSocket::open(server.address(), "/echo")).collect();
    let sizes = [1 << 20, 5, 70_000, 65_536, 65_535, 300_000, 1, 0, 999_999, 40_000, 40_001, 700_000, 20];
    for round in 0..3 {
        let message = |place: usize, socket: usize, size: usize| -> Vec<u8> {
            (0..size).map(|at| b' ' + ((at / 7 + place * 31 + socket * 11 + round) % 90) as u8).collect()
        };
        for (place, pair) in sizes.windows(2).enumerate() {
            for (number, socket) in sockets.iter_mut().enumerate() {
                socket.send(TEXT, &message(place, number, pair[0]));
                socket.send(TEXT, &message(place, number, pair[1]));
            }
            for (number, socket) in sockets.iter_mut().enumerate() {
                for size in pair {
                    let expected = (TEXT, message(place, number, *size));
                    assert!(socket.next() == Some(expected), "round {round}, {size} bytes");
                }
            }
        }
    }
}
