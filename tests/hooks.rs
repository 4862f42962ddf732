//! Callbacks of the embedding program: asked about connections, reads and writes on every transport, on both sides.

use crate::support::http::{self, HttpClient};
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer};
use std::sync::{Arc, Mutex, mpsc};
use tidings::{Config, Denied, Hooks, OperatorKey, Server};
use tungstenite::Message;

fn config(inline_parse_bytes: usize) -> Config {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
    config.server.inline_parse_bytes = inline_parse_bytes;
    config
}

fn start(hooks: Hooks, inline_parse_bytes: usize) -> TestServer {
    TestServer::of(Server::start_with(config(inline_parse_bytes), hooks).expect("the server starts"))
}

/// Bytes of a payload from which on workers parse: all inline, and all in the pool.
const WHERE: [usize; 2] = [4096, 1];

/// A handshake as it is sent.
fn handshake(target: &str, fields: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{fields}\r\n"
    )
}

#[test]
fn a_connection_is_refused_by_a_status_and_a_page_by_a_close_that_says_why() {
    let hooks = Hooks::default().on_connect(|connecting| match (connecting.query(), connecting.authorization()) {
        (Some("ticket=17"), _) | (_, Some("Bearer let-me-in")) => Ok(()),
        _ => Err(Denied::new("get a ticket first")),
    });
    let server = start(hooks, WHERE[0]);
    let mut program = RawClient::connect(server.address());
    program.send(handshake("/ws?ticket=16", ""));
    program.read_until(b"get a ticket first");
    assert!(program.received.starts_with(b"HTTP/1.1 403 "), "{:?}", String::from_utf8_lossy(&program.received));

    let mut page = WsClient::connect_to(server.address(), "/ws", &[("Origin", "http://localhost")]);
    let Ok(Message::Close(Some(close))) = page.socket.read() else { panic!("no Close") };
    assert_eq!((u16::from(close.code), close.reason.as_str()), (4403, "forbidden: get a ticket first"));

    let accept = [("Accept", "text/event-stream")];
    let stream = HttpClient::connect(server.address()).request("GET", "/channels/a", &accept, b"");
    assert_eq!((stream.status, stream.code().as_str()), (403, "forbidden"));
    assert!(stream.text().contains("get a ticket first"));

    // Those that are let in, and what is no connection to be held.
    WsClient::connect_to(server.address(), "/ws?ticket=17", &[]).subscribe("a");
    WsClient::connect_to(server.address(), "/channels/a", &[("Authorization", "Bearer let-me-in")]);
    assert_eq!(http::get(server.address(), "/channels/a").status, 200);
    assert_eq!(http::post(server.address(), "/channels/a", "1").status, 200);
}

/// Pages about the server are most wanted when it is busy.
#[test]
fn pages_are_made_while_all_workers_wait_for_the_program() {
    let (gate, is_open) = mpsc::channel::<()>();
    let (asked, is_asked) = mpsc::channel();
    let is_open = Mutex::new(is_open);
    let hooks = Hooks::default().on_write(move |_| {
        asked.send(()).expect("the test waits");
        // Until the test opens the gate, by dropping it.
        let _ = is_open.lock().expect("no panic").recv();
        Ok(())
    });
    let mut config = config(WHERE[1]);
    config.server.workers = 2;
    let server = TestServer::of(Server::start_with(config, hooks).expect("the server starts"));
    let mut publishers: Vec<WsClient> = (0..8).map(|_| WsClient::connect(server.address())).collect();
    for publisher in &mut publishers {
        publisher.send_text(r#"{"id":1,"method":"POST","path":"/channels/x","data":1}"#);
    }
    // Both ask, and all other jobs wait for theirs.
    for _ in 0..2 {
        is_asked.recv().expect("a worker asks");
    }
    for (target, expected) in [("/metrics", "\ntidings_publications_total 0\n"), ("/channels", "\"channels\":[]")] {
        let page = HttpClient::connect(server.address()).request("GET", target, &[OPERATOR], b"");
        assert!(page.status == 200 && page.text().contains(expected), "{}", page.text());
    }
    drop(gate);
    for publisher in &mut publishers {
        assert_eq!(publisher.next_json()["status"], 200);
    }
}

#[test]
fn a_read_is_refused_on_every_transport_and_the_others_go_on() {
    for inline_parse_bytes in WHERE {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&asked);
        let hooks = Hooks::default().on_read(move |reading| {
            seen.lock().expect("no panic").push((reading.channel().to_owned(), reading.subscribes()));
            if reading.channel() == "secret" { Err(Denied::new("it is secret")) } else { Ok(()) }
        });
        let server = start(hooks, inline_parse_bytes);
        let refused = http::get(server.address(), "/channels/secret");
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
        assert!(refused.text().contains("it is secret"));
        let accept = [("Accept", "text/event-stream")];
        let stream = HttpClient::connect(server.address()).request("GET", "/channels/secret", &accept, b"");
        assert_eq!(stream.status, 403);
        let mut socket = WsClient::connect(server.address());
        socket.send_text(
            r#"[{"id":1,"method":"GET","path":"/channels/secret"},{"id":2,"method":"GET","path":"/channels/open"}]"#,
        );
        let answers = socket.next_json();
        assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&403.into(), &200.into()), "{answers}");
        assert_eq!((&answers[0]["id"], &answers[0]["error"]["message"]), (&1.into(), &"it is secret".into()));
        assert_eq!(server.hub().stats().interest, 1);
        let seen = asked.lock().expect("no panic").clone();
        let expected = [("secret", false), ("secret", true), ("secret", true), ("open", true)];
        assert_eq!(seen, expected.map(|(channel, subscribes)| (channel.to_owned(), subscribes)));
        // The program's own calls are not asked about.
        assert!(server.history("secret", tidings::Replay::standard()).is_ok());
        assert!(server.subscribe("secret", |_| {}).is_ok());
        assert_eq!(asked.lock().expect("no panic").len(), 4);
    }
}

#[test]
fn a_write_is_refused_on_every_transport_with_what_it_would_publish_in_view() {
    for inline_parse_bytes in WHERE {
        let hooks = Hooks::default().on_write(|writing| match (writing.data(), writing.content_type()) {
            (b"13", None) => Err(Denied::new(format!("no 13 on {}", writing.channel()))),
            (_, Some(content_type)) => Err(Denied::new(format!("no {content_type}"))),
            _ if writing.event() == Some("alarm") => Err(Denied::new("no alarms")),
            _ => Ok(()),
        });
        let server = start(hooks, inline_parse_bytes);
        let address = server.address();
        let refused = http::post(address, "/channels/a", "13");
        assert_eq!((refused.status, refused.code().as_str()), (403, "forbidden"));
        assert!(refused.text().contains("no 13 on a"));
        assert_eq!(http::post(address, "/channels/a?event=alarm", "1").status, 403);
        assert_eq!(http::post(address, "/channels/a?event=tick", "1").status, 200);
        let binary = [("Content-Type", "image/png")];
        assert_eq!(HttpClient::connect(address).request("POST", "/channels/a", &binary, b"x").status, 403);
        let mut socket = WsClient::connect(address);
        socket.send_text(r#"{"id":7,"method":"POST","path":"/channels/a","data":13}"#);
        let answer = socket.next_json();
        assert_eq!((&answer["status"], &answer["error"]["message"]), (&403.into(), &"no 13 on a".into()));
        // A plain message is a publication to the plain channel.
        socket.send_text("13");
        assert!(socket.next_text().contains("no 13 on"));
        socket.send_text(r#"{"id":8,"method":"POST","path":"/channels/a","data":14}"#);
        assert_eq!(socket.next_json()["status"], 200);
        assert_eq!(server.hub().stats().published, 2);
        assert!(server.publish("a", "13").is_ok(), "the program's own calls are not asked about");
    }
}

#[test]
fn a_callback_is_not_asked_about_what_the_configuration_forbids() {
    let hooks = Hooks::default().on_write(|_| panic!("it was asked")).on_connect(|_| panic!("it was asked"));
    let server = start(hooks, WHERE[0]);
    let forwarded = [("X-Forwarded-For", "203.0.113.7")];
    assert_eq!(HttpClient::connect(server.address()).request("POST", "/channels/a", &forwarded, b"1").status, 403);
    let mut page = RawClient::connect(server.address());
    page.send(handshake("/ws", "Origin: https://elsewhere.example\r\n"));
    page.read_until(b"origin_not_allowed");
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
}

/// Law 9 holds for the code of the embedding program, too.
#[test]
fn a_callback_that_panics_ends_one_connection_and_nothing_else() {
    for inline_parse_bytes in WHERE {
        let hooks = Hooks::default().on_write(|writing| {
            assert!(writing.channel() != "trap", "a callback that fails, as this test wants");
            Ok(())
        });
        let server = start(hooks, inline_parse_bytes);
        let mut other = WsClient::connect(server.address());
        other.subscribe("a");
        assert_eq!(http::post(server.address(), "/channels/trap", "1").status, 500);
        assert_eq!(http::post(server.address(), "/channels/a", "1").status, 200);
        assert_eq!(other.next_json()["offset"], 1);
        assert_eq!(server.metric("tidings_panics_total"), 1.0);
    }
}
