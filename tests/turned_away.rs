//! Sockets that policy refuses: a page can read why, nothing it sends is executed, and it does not stay.

use crate::support::frames::{RawSocket, TEXT, frame, handshake};
use crate::support::http::{HttpClient, get};
use crate::support::process::Process;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use std::time::Duration;

/// Opens a socket as a page of `origin`.
fn open(server: &TestServer, path: &str, origin: &str) -> RawSocket {
    RawSocket::open_with(server.address(), path, &[("Origin", origin)]).0
}

/// A page saw a bare 403: its script could tell it from no network failure.
#[test]
fn a_page_of_a_foreign_origin_can_read_why_its_socket_is_refused() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        for path in ["/ws", "/channels/law", "/echo", "/"] {
            for (origin, code, start) in [
                (
                    "http://evil.example",
                    4403,
                    "origin_not_allowed: start the server with --allow-origin http://evil.example ",
                ),
                ("null", 4403, "origin_not_allowed: start the server with --dev or --allow-origin null "),
                ("file://", 4403, "origin_not_allowed: start the server with --dev or --allow-origin file:// "),
                ("http://a b", 4403, "origin_not_allowed: the Origin \"http://a b\" is none that browsers send"),
            ] {
                let (told, reason) = open(&server, path, origin).read_close();
                assert_eq!(told, Some(code), "{path} {origin}");
                assert!(reason.starts_with(start) && reason.len() <= 123, "{path} {origin}: {reason}");
            }
        }
        let fields = [("Origin", "http://evil.example"), ("Host", "evil.example")];
        let mut client = HttpClient::connect(server.address());
        client.raw.send(String::from_utf8(handshake("/ws", &fields)).expect("text").replace("Host: localhost\r\n", ""));
        let (code, reason) = RawSocket::after_head(client).read_close();
        assert_eq!(code, Some(4421));
        assert!(
            reason.starts_with("misdirected_request: start the server with --allow-host evil.example "),
            "{reason}"
        );
        // However long the origin is, what is sent is a Close frame.
        let long = format!("https://{}.example", "a".repeat(240));
        let (code, reason) = open(&server, "/ws", &long).read_close();
        assert_eq!((code, reason.len()), (Some(4403), 123));
    });
}

#[test]
fn nothing_that_is_sent_on_a_refused_socket_is_executed() {
    let server = TestServer::start(|_| ());
    let post = frame(TEXT, br#"{"id":1,"method":"POST","path":"/channels/law","data":1}"#);
    let mut client = HttpClient::connect(server.address());
    client.raw.send([handshake("/ws", &[("Origin", "http://evil.example")]), post.clone()].concat());
    let mut socket = RawSocket::after_head(client);
    socket.raw.send(&post);
    assert_eq!(socket.read_close().0, Some(4403));
    assert_eq!(get(server.address(), "/channels/law").json()["offset"], 0);
    assert_eq!(server.metric("tidings_connections{transport=\"websocket\"}"), 0.0);
}

#[test]
fn a_handshake_that_is_itself_wrong_keeps_its_status() {
    let server = TestServer::start(|_| ());
    let whole = String::from_utf8(handshake("/ws", &[("Origin", "http://evil.example")])).expect("text");
    for (wrong, status) in [
        (whole.replace("Sec-WebSocket-Version: 13", "Sec-WebSocket-Version: 8"), 426),
        (whole.replace("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: ?"), 400),
        (whole.replace("Connection: Upgrade", "Connection: close"), 400),
        // A program has no origin and reads statuses.
        (whole.replace("Origin: http://evil.example", "X: y").replace("Host: localhost", "Host: evil.example"), 421),
        (whole.replacen("GET", "POST", 1).replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n"), 403),
    ] {
        assert_eq!(HttpClient::connect(server.address()).exchange(&wrong).status, status, "{wrong}");
    }
}

/// A second, however long other sockets may take to answer a Close.
#[test]
fn a_refused_socket_that_stays_is_cut() {
    let server = TestServer::start(|config| config.websocket.close_wait = Duration::from_secs(3600));
    let mut socket = open(&server, "/ws", "http://evil.example");
    assert_eq!(socket.read_close().0, Some(4403));
    assert!(socket.next().is_none(), "our side stays open, and the server ends");
    wait_until("it is gone", || server.metric("tidings_connections{transport=\"refused\"}") == 0.0);
}

#[test]
fn so_many_refused_sockets_are_told_why_at_a_time_and_the_next_are_told_by_a_status() {
    let server = TestServer::start(|config| {
        config.websocket.refused_sockets = 2;
        config.websocket.close_wait = Duration::from_secs(3600);
    });
    let next = || {
        let mut client = HttpClient::connect(server.address());
        client.raw.send(handshake("/ws", &[("Origin", "http://evil.example")]));
        (client.read_answer(false).status, client)
    };
    let held = [next(), next()];
    assert_eq!(held.each_ref().map(|(status, _)| *status), [101, 101]);
    // They are cut after a second; until then there is no room.
    let (status, _client) = next();
    let waiting = server.metric("tidings_connections{transport=\"refused\"}");
    assert!(status == 403 || waiting < 2.0, "{status} with {waiting}");
    drop(held);
    wait_until("there is room again", || next().0 == 101);
    let none = TestServer::start(|config| config.websocket.refused_sockets = 0);
    let mut client = HttpClient::connect(none.address());
    client.raw.send(handshake("/ws", &[("Origin", "http://evil.example")]));
    assert_eq!(client.read_answer(false).status, 403);
}

/// Whoever runs the server learns what to set, once for each origin and not once for each attempt.
#[test]
fn what_was_refused_to_whom_and_what_would_allow_it_is_logged_once_a_minute() {
    let process = Process::start(&["--reactors", "1"]);
    let mut peers = Vec::new();
    for origin in ["http://evil.example", "http://evil.example", "null", "http://evil.example", "null"] {
        let (mut socket, _) = RawSocket::open_with(process.address, "/ws", &[("Origin", origin)]);
        peers.push(socket.raw.stream.local_addr().expect("an address").to_string());
        assert_eq!(socket.read_close().0, Some(4403));
    }
    let mut client = HttpClient::connect(process.address);
    for _ in 0..3 {
        assert_eq!(client.request("POST", "/channels/law", &[("X-Real-IP", "203.0.113.9")], b"1").status, 403);
    }
    process.signal("TERM");
    let (_, log) = process.wait();
    let lines: Vec<&str> = log.lines().filter(|line| line.contains(" WARN policy_refused ")).collect();
    assert_eq!(lines.len(), 3, "{log}");
    for (line, flag, peer, reason) in [
        (lines[0], "--allow-origin http://evil.example", Some(&peers[0]), "origin_not_allowed"),
        (lines[1], "--dev or --allow-origin null", Some(&peers[2]), "origin_not_allowed"),
        (lines[2], "--allow-anonymous-publish", None, "publishing_not_allowed"),
    ] {
        assert!(line.contains(flag) && line.contains(&format!("reason={reason}")), "{line}");
        assert!(peer.is_none_or(|peer| line.contains(&format!("peer={peer}"))), "{line}");
    }
}
