//! Limits of clients by a clock that the test moves: what is read later, what is refused, and which places come back.

use super::{Client, Rehearsal, UPGRADE, masked};
use crate::config::{Config, ConnectionRate, Counted, Rate};
use crate::model::peer_address::PeerAddress;
use std::net::IpAddr;
use std::time::Duration;

const LIVEZ: &str = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n";
const SECOND: Duration = Duration::from_secs(1);

/// A server with these limits, to which everyone may publish.
fn server(limits: &str) -> Rehearsal {
    let text = format!("[server]\nallow_anonymous_publish = true\n[websocket]\necho = \"on\"\n[limits]\n{limits}");
    Rehearsal::new(&Config::from_toml("limits.toml", &text).expect("settings"))
}

fn address(text: &str) -> PeerAddress {
    text.parse::<IpAddr>().expect("an address").into()
}

/// Connects a client of an address, which says something at once.
fn say(server: &mut Rehearsal, from: &str, bytes: &[u8]) -> Client {
    let client = server.connect_from(address(from), false);
    server.send(client, bytes);
    server.turn();
    client
}

/// What was written to a client since the last call, as text.
fn heard(server: &mut Rehearsal, client: Client) -> String {
    String::from_utf8_lossy(&server.take_writes(client).concat()).into_owned()
}

fn upgrade(path: &str, fields: &str) -> Vec<u8> {
    format!("GET {path} {}", UPGRADE.replacen("\r\n", &format!("\r\n{fields}"), 1)).into_bytes()
}

fn post(bytes: usize) -> Vec<u8> {
    let body = format!("\"{}\"", "x".repeat(bytes - 2));
    format!("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {bytes}\r\n\r\n{body}").into_bytes()
}

/// Lets whole seconds pass, each with a turn.
fn pass(server: &mut Rehearsal, seconds: u64) {
    for _ in 0..seconds {
        server.pass(SECOND);
        server.turn();
    }
}

#[test]
fn a_socket_that_sends_too_fast_is_read_later_and_loses_nothing() {
    let mut server = server("connection_bytes = \"10KiB/s burst 20KiB\"");
    for path in ["/ws", "/echo"] {
        let client = server.open(path);
        let before = server.written(client).expect("it is open");
        let request = r#"{"id":1,"method":"GET","path":"/livez"}"#;
        // 100 KiB at once: a read takes 65 KiB, for which it waits until 20 KiB at most are owed.
        let count = 100 * 1024 / masked(request.as_bytes()).len();
        server.send(client, &masked(request.as_bytes()).repeat(count));
        server.turn();
        let answers = |server: &mut Rehearsal| {
            let written = server.written(client).expect("it is open") - before;
            let of_one = if path == "/ws" { r#"{"id":1,"status":200}"#.len() } else { request.len() };
            written as usize / (of_one + 2)
        };
        let first = answers(&mut server);
        assert!((200..count * 7 / 10).contains(&first), "{path}: {first} of {count} at once");
        pass(&mut server, 4);
        assert_eq!(answers(&mut server), first, "{path}: it is not read");
        pass(&mut server, 1);
        assert!(answers(&mut server) > first, "{path}: it is read again");
        pass(&mut server, 20);
        assert_eq!(answers(&mut server), count, "{path}: nothing was lost");
    }
}

/// Its pong, or the end of its message, waits in the kernel.
#[test]
fn no_deadline_punishes_what_is_read_later() {
    let mut config = Config::default();
    config.limits.connection_bytes =
        ConnectionRate::Set(Rate::parse("1KiB/s burst 1KiB", Counted::Bytes).expect("a rate"));
    config.websocket.message_timeout = 2 * SECOND;
    config.websocket.ping_idle = 2 * SECOND;
    config.websocket.pong_wait = SECOND;
    let mut server = Rehearsal::new(&config);
    let client = server.open("/ws");
    // Eight seconds' worth: a message, and half of another.
    let frames = [masked(&b"1".repeat(6000)), masked(&b"1".repeat(6000))[..2000].to_vec()].concat();
    server.send(client, &frames);
    server.turn();
    heard(&mut server, client);
    pass(&mut server, 6);
    assert_eq!(heard(&mut server, client), "", "no ping and no Close");
    server.send(client, &masked(&b"1".repeat(6000))[2000..]);
    pass(&mut server, 1);
    assert!(heard(&mut server, client).contains("POST"), "the second message was taken");
}

#[test]
fn a_socket_that_would_wait_for_more_than_ten_seconds_is_closed() {
    let mut server = server("connection_bytes = \"1KiB/s burst 1KiB\"");
    let client = server.open("/ws");
    heard(&mut server, client);
    server.send(client, &masked(&b"1".repeat(12 * 1024)));
    server.turn();
    let said = server.take_writes(client).concat();
    assert_eq!((said[0], &said[2..4]), (0x88, &4429_u16.to_be_bytes()[..]));
    let reason = String::from_utf8_lossy(&said[4..]);
    assert_eq!(
        reason,
        "too_many_bytes: this connection sends more bytes than 1 KiB/s (limits.connection_bytes); try again in 12 s"
    );
}

#[test]
fn bodies_over_http_are_read_later_and_refused_if_their_client_owes_too_much() {
    let mut server = server("address_bytes = \"10KiB/s\"");
    let first = say(&mut server, "192.0.2.1", &post(60_000));
    assert!(heard(&mut server, first).starts_with("HTTP/1.1 200"), "it is published");
    server.send(first, LIVEZ.as_bytes());
    server.turn();
    assert_eq!(heard(&mut server, first), "", "the connection is not read");
    let second = say(&mut server, "192.0.2.1", &post(60_000));
    assert!(heard(&mut server, second).starts_with("HTTP/1.1 200"), "its client owes less than ten seconds");
    let third = say(&mut server, "192.0.2.1", &post(10_000));
    let refused = heard(&mut server, third);
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("\"too_many_bytes\""), "{refused}");
    assert!(refused.contains("\r\nRetry-After: 11\r\n") && refused.contains("(limits.address_bytes)"), "{refused}");
    let other = say(&mut server, "192.0.2.2", &post(10_000));
    assert!(heard(&mut server, other).starts_with("HTTP/1.1 200"), "another address owes nothing");
    assert_eq!(server.hub().stats().published, 3, "what was refused is not published");
    pass(&mut server, 11);
    assert!(heard(&mut server, first).starts_with("HTTP/1.1 200"), "and is then");
}

#[test]
fn an_address_that_has_as_many_connections_as_it_may_is_refused_on_every_transport() {
    let mut server = server("address_connections = 2");
    let held = [(); 2].map(|()| say(&mut server, "2001:db8::1", LIVEZ.as_bytes()));
    assert!(held.iter().all(|client| heard(&mut server, *client).starts_with("HTTP/1.1 200")));
    let refused = |server: &mut Rehearsal, bytes: &[u8]| {
        let client = say(server, "2001:db8::2", bytes);
        heard(server, client)
    };
    let said = refused(&mut server, &post(10));
    assert!(said.starts_with("HTTP/1.1 429") && said.contains("too_many_connections_of_address"), "{said}");
    assert!(said.contains("\r\nConnection: close\r\n") && said.contains("limits.address_connections"), "{said}");
    let said = refused(&mut server, &upgrade("/ws", ""));
    assert!(said.starts_with("HTTP/1.1 429"), "{said}");
    let said = refused(&mut server, &upgrade("/ws", "Origin: http://localhost\r\n"));
    assert!(
        said.starts_with("HTTP/1.1 101") && said.contains("too_many_connections_of_address: this address has 2"),
        "{said}"
    );
    let stream = b"GET /channels/a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let said = refused(&mut server, stream);
    assert!(said.starts_with("HTTP/1.1 200") && said.contains("event: refused"), "{said}");
    let said = refused(&mut server, LIVEZ.as_bytes());
    assert!(said.starts_with("HTTP/1.1 200"), "health checks are answered: {said}");
    let other = say(&mut server, "2001:db8:0:1::1", &post(10));
    assert!(heard(&mut server, other).starts_with("HTTP/1.1 200"), "another /64");
}

#[test]
fn loopback_and_unix_sockets_have_no_limits_by_address() {
    let mut server = server("address_connections = 1\naddress_requests = \"1/h\"\naddress_new_connections = \"1/h\"");
    for from in ["127.0.0.1", "127.3.2.1", "::1", "::ffff:127.0.0.1", "::"] {
        for _ in 0..5 {
            let client = say(&mut server, from, &post(10).repeat(3));
            assert_eq!(heard(&mut server, client).matches("HTTP/1.1 200").count(), 3, "{from}");
        }
    }
}

#[test]
fn connections_that_are_opened_too_fast_are_refused_with_the_true_time() {
    let mut server = server("address_new_connections = \"2/m burst 2\"");
    let open = |server: &mut Rehearsal| {
        let client = say(server, "192.0.2.1", &post(10));
        heard(server, client)
    };
    assert!(open(&mut server).starts_with("HTTP/1.1 200") && open(&mut server).starts_with("HTTP/1.1 200"));
    let refused = open(&mut server);
    assert!(refused.starts_with("HTTP/1.1 429") && refused.contains("\r\nRetry-After: 30\r\n"), "{refused}");
    assert!(
        refused.contains("\"too_many_new_connections\"") && refused.contains("\"retry_after_ms\":30000"),
        "{refused}"
    );
    pass(&mut server, 29);
    assert!(open(&mut server).starts_with("HTTP/1.1 429"));
    pass(&mut server, 1);
    assert!(open(&mut server).starts_with("HTTP/1.1 200"), "what was refused was not counted");
}

/// What ends a connection.
type End = fn(&mut Rehearsal, Client);

/// The ways in which a connection ends, and how each is brought about.
const ENDS: &[(&str, End)] = &[
    ("lost", |server, client| server.engine.lose(client.slot)),
    ("ended by its peer", |server, client| server.end(client)),
    ("closed by its client", |server, client| server.send(client, &[0x88, 0x80, 1, 2, 3, 4])),
    ("faulty", |server, client| server.send(client, &[0x81, 0x00])),
    ("silent", |server, _| pass(server, 60)),
    ("panicked", |server, client| server.send(client, b"mine:step")),
    ("too fast", |server, client| server.send(client, &masked(&b"1".repeat(60_000)).repeat(4))),
    ("cut off", |server, _| server.engine.cut_off_all()),
];

#[test]
fn a_place_comes_back_however_a_connection_ends() {
    for (way, end) in ENDS {
        let mut server = server("address_connections = 1\nconnection_bytes = \"1KiB/s burst 1KiB\"");
        for path in ["/ws", "/channels/a", "/echo"] {
            let client = say(&mut server, "192.0.2.1", &upgrade(path, ""));
            assert!(heard(&mut server, client).starts_with("HTTP/1.1 101"), "{way} {path}");
            let refused = say(&mut server, "192.0.2.1", &upgrade(path, ""));
            assert!(heard(&mut server, refused).starts_with("HTTP/1.1 429"), "{way} {path}");
            end(&mut server, client);
            // Whatever it waits for: a pong, the answer to a Close, the end of its peer's side.
            pass(&mut server, 60);
            assert_eq!(server.connections(), 0, "{way} {path}");
        }
        let limiter = server.engine.limiter();
        assert_eq!(limiter.figures(crate::access::limits::Moment::default()).capped, 0, "{way}");
    }
}

#[test]
fn places_of_http_connections_and_streams_come_back_too() {
    let mut server = server("address_connections = 1");
    let stream = b"GET /channels/a HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    for bytes in [&b""[..], b"GET /liv", LIVEZ.as_bytes(), &post(10), &post(100)[..90], stream, b"\0\0\r\n\r\n"] {
        let client = say(&mut server, "192.0.2.1", bytes);
        server.end(client);
        pass(&mut server, 200);
        assert_eq!(server.connections(), 0, "{:?}", String::from_utf8_lossy(bytes));
        let next = say(&mut server, "192.0.2.1", LIVEZ.as_bytes());
        assert!(heard(&mut server, next).starts_with("HTTP/1.1 200"), "{:?}", String::from_utf8_lossy(bytes));
        let refused = say(&mut server, "192.0.2.1", &post(10));
        assert!(heard(&mut server, refused).starts_with("HTTP/1.1 429"), "it is counted");
        server.engine.lose(next.slot);
        pass(&mut server, 200);
    }
}
