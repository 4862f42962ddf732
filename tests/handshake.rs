//! How a socket is opened: what a handshake must have, what it may have, and what comes right behind it.

use crate::support::frames::{KEY, RawSocket, TEXT, frame, handshake};
use crate::support::http::{Answer, HttpClient, get, post};
use crate::support::raw::RawClient;
use crate::support::{TestServer, with_one_and_two_reactors};
use serde_json::json;

const PLAIN_ANSWER: &str = "服务器收到GET请求";

fn ask(server: &TestServer, head: &str) -> Answer {
    let mut client = HttpClient::connect(server.address());
    client.raw.send(head);
    client.read_answer(false)
}

/// A handshake on `/ws` of exactly these fields (and Host).
fn upgrade(server: &TestServer, fields: &str) -> Answer {
    ask(server, &format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"))
}

#[test]
fn a_handshake_needs_its_four_fields_and_takes_them_in_every_spelling() {
    let server = TestServer::start(|_| {});
    let key = format!("Sec-WebSocket-Key: {KEY}\r\n");
    for (connection, upgrade_field, version, status) in [
        ("Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 101),
        ("connection: UPGRADE\r\n", "upgrade: WebSocket\r\n", "sec-websocket-version: 13\r\n", 101),
        ("Connection: keep-alive, Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 101),
        ("Connection: keep-alive ,\tupgrade ,\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version:13\r\n", 101),
        (
            "Connection: keep-alive\r\nConnection: Upgrade\r\n",
            "Upgrade: h2c\r\nUpgrade: websocket\r\n",
            "Sec-WebSocket-Version: 13\r\n",
            101,
        ),
        ("Connection: Upgrade\r\n", "Upgrade: h2c, websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 101),
        ("Connection: Upgrades\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 400),
        ("Connection: keep-alive\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 400),
        ("", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 13\r\n", 400),
        ("Connection: Upgrade\r\n", "Upgrade: websockets\r\n", "Sec-WebSocket-Version: 13\r\n", 426),
        ("Connection: Upgrade\r\n", "", "Sec-WebSocket-Version: 13\r\n", 426),
        ("Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 8\r\n", 426),
        ("Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "Sec-WebSocket-Version: 14\r\n", 426),
        ("Connection: Upgrade\r\n", "Upgrade: websocket\r\n", "", 426),
    ] {
        let answer = upgrade(&server, &format!("{connection}{upgrade_field}{version}{key}"));
        assert_eq!(answer.status, status, "{connection}{upgrade_field}{version}: {answer:?}");
        match status {
            101 => {
                assert_eq!(answer.field("Sec-WebSocket-Accept"), Some("s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
                assert_eq!(answer.field("Upgrade"), Some("websocket"));
                assert_eq!(answer.field("Connection"), Some("Upgrade"));
                assert_eq!(answer.field("Sec-WebSocket-Extensions"), None);
            }
            426 => assert_eq!(answer.field("Sec-WebSocket-Version"), Some("13")),
            _ => assert_eq!(answer.code(), "bad_request"),
        }
    }
}

#[test]
fn a_key_is_any_base64_of_sane_length_and_is_answered_as_the_standard_says() {
    let server = TestServer::start(|_| {});
    let base = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n";
    for (key, accept) in
        [(KEY, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), ("dGhlIHNhbHQgYSBub3Q=", "3ZClkQAfukXyB7loppiOrRWEHe8=")]
    {
        let answer = upgrade(&server, &format!("{base}Sec-WebSocket-Key: {key}\r\n"));
        assert_eq!((answer.status, answer.field("Sec-WebSocket-Accept")), (101, Some(accept)));
    }
    let (longest, longer) = ("a".repeat(64), "a".repeat(65));
    for (key, status) in [
        ("aaaaaaaaaaaaaaaa", 101),
        (&*longest, 101),
        (&*longer, 400),
        ("aaaaaaaaaaaaaaa", 400),
        ("", 400),
        ("not base64 at all!!!", 400),
        ("====", 400),
        ("dGhlIHNhbXBsZSBub25jZQ=x", 400),
    ] {
        let answer = upgrade(&server, &format!("{base}Sec-WebSocket-Key: {key}\r\n"));
        assert_eq!(answer.status, status, "{key}");
    }
    assert_eq!(upgrade(&server, base).status, 400, "no key at all");
    let twice = format!("{base}Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Key: {KEY}\r\n");
    assert_eq!(upgrade(&server, &twice).status, 400, "two keys");
}

#[test]
fn the_first_subprotocol_offered_that_is_spoken_is_agreed_and_otherwise_none() {
    let server = TestServer::start(|_| {});
    for (offered, agreed) in [
        (&["tidings.v1"][..], Some("tidings.v1")),
        (&["chat"], Some("chat")),
        (&["superchat"], Some("superchat")),
        (&["superchat, chat"], Some("superchat")),
        (&["chat, superchat, tidings.v1"], Some("chat")),
        (&["mqtt, tidings.v1, chat"], Some("tidings.v1")),
        (&["mqtt", "chat"], Some("chat")),
        (&["mqtt"], None),
        (&["Chat"], None),
        (&[], None),
    ] {
        let fields: Vec<_> = offered.iter().map(|value| ("Sec-WebSocket-Protocol", *value)).collect();
        let (mut socket, answer) = RawSocket::open_with(server.address(), "/ws", &fields);
        assert_eq!(answer.field("Sec-WebSocket-Protocol"), agreed, "{offered:?}");
        socket.send(TEXT, b"GET");
        let strict = agreed == Some("tidings.v1");
        assert_eq!(socket.next_text().contains("not_a_request"), strict, "{offered:?}");
    }
}

#[test]
fn an_empty_list_of_protocols_or_extensions_offers_nothing_and_is_no_fault() {
    let server = TestServer::start(|_| {});
    let rest = format!(
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    for name in ["Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions"] {
        for value in ["", " ", ",", " , ,"] {
            let answer = upgrade(&server, &format!("{rest}{name}:{value}\r\n"));
            assert_eq!((answer.status, answer.field(name)), (101, None), "{name}:{value}");
        }
        let answer = upgrade(&server, &format!("{rest}{name}: ;\r\n"));
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"), "{name}");
    }
}

#[test]
fn frames_right_behind_the_handshake_in_the_same_write_are_served() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut bytes = handshake("/ws", &[]);
        bytes.extend(frame(TEXT, b"GET"));
        bytes.extend(frame(TEXT, br#"{"id":1,"method":"GET","path":"/channels/early"}"#));
        bytes.extend(frame(TEXT, br#"{"id":2,"method":"POST","path":"/channels/early","data":1}"#));
        let mut client = HttpClient::connect(server.address());
        client.raw.send(bytes);
        assert_eq!(client.read_answer(false).status, 101);
        let mut socket = RawSocket { raw: client.raw };
        assert_eq!(socket.next_text(), PLAIN_ANSWER);
        assert_eq!(socket.next_json()["id"], 1);
        assert_eq!(socket.next_text(), r#"{"channel":"early","offset":1,"data":1}"#);
        assert_eq!(socket.next_json()["id"], 2);
    });
}

#[test]
fn a_handshake_may_come_byte_by_byte() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    let mut bytes = handshake("/ws", &[]);
    bytes.extend(frame(TEXT, b"GET"));
    client.raw.send_in_pieces(&bytes, 1);
    assert_eq!(client.read_answer(false).status, 101);
    assert_eq!(RawSocket { raw: client.raw }.next_text(), PLAIN_ANSWER);
}

#[test]
fn a_post_is_an_ordinary_post_even_when_it_carries_upgrade_fields() {
    let server = TestServer::start(|_| {});
    let fields = [
        ("Connection", "Upgrade"),
        ("Upgrade", "websocket"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", KEY),
    ];
    let mut client = HttpClient::connect(server.address());
    let answer = client.request("POST", "/ws", &fields, br#"{"name":"Ada"}"#);
    assert_eq!((answer.status, answer.text().trim_end()), (200, "服务器收到POST请求,并返回数据"));
    assert_eq!(answer.field("Content-Type"), Some("text/plain; charset=utf-8"));
    let answer = client.request("POST", "/ws", &fields, b"not JSON");
    assert_eq!((answer.status, answer.code()), (400, "bad_json".to_owned()));
    let answer = client.request("GET", "/channels/inbox", &[], b"");
    assert_eq!(answer.json()["publications"], json!([{"offset": 1, "data": {"name": "Ada"}}]));
}

#[test]
fn a_socket_opened_on_a_channel_is_subscribed_and_its_first_frame_is_the_answer() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        for data in ["1", "2", "3"] {
            assert_eq!(post(server.address(), "/channels/opened", data).status, 200);
        }
        let mut socket = RawSocket::open(server.address(), "/channels/opened");
        let answer = socket.next_json();
        assert_eq!(
            (&answer["status"], &answer["offset"], &answer["publications"]),
            (&json!(200), &json!(3), &json!([]))
        );
        assert!(answer["connection"].is_string() && answer.get("id").is_none(), "{answer}");
        let since = format!("/channels/opened?since={}:1", answer["epoch"].as_str().expect("an epoch"));
        let mut resumed = RawSocket::open(server.address(), &since);
        let answer = resumed.next_json();
        assert_eq!(answer["recovered"], true);
        assert_eq!(answer["publications"], json!([{"offset": 2, "data": 2}, {"offset": 3, "data": 3}]));
        let mut last = RawSocket::open(server.address(), "/channels/opened?last=1");
        assert_eq!(last.next_json()["publications"], json!([{"offset": 3, "data": 3}]));
        post(server.address(), "/channels/opened", "4");
        for socket in [&mut socket, &mut resumed, &mut last] {
            assert_eq!(socket.next_text(), r#"{"channel":"opened","offset":4,"data":4}"#);
        }
    });
}

#[test]
fn a_socket_on_a_bad_channel_is_refused_by_status() {
    let server = TestServer::start(|_| {});
    for path in ["/channels/a%5Cb", "/channels/a/b", "/channels/.", "/channels/%zz", "/channels/x?last=0"] {
        let mut client = HttpClient::connect(server.address());
        client.raw.send(handshake(path, &[]));
        let refused = client.read_answer(false);
        if refused.status == 101 {
            // The path is good and its options are not: the socket is told by a Close.
            assert_eq!(RawSocket { raw: client.raw }.read_close().0, Some(1008), "{path}");
        } else {
            assert_eq!(refused.status, 400, "{path}");
        }
    }
}

/// A page cannot read that status.
#[test]
fn a_page_on_a_bad_channel_or_path_is_told_by_a_close() {
    let server = TestServer::start(|_| {});
    for (path, code, start) in [
        ("/channels/a%5Cb", 1008, "bad_channel: "),
        ("/channels/a/b", 1008, "bad_channel: in a URL a \"/\" inside a channel's name is written %2F"),
        ("/channels/x?last=0", 1008, "bad_request: "),
        ("/nowhere", 4404, "not_found: there is no WebSocket at \"/nowhere\": connect to /ws, or "),
        ("/tidings.js", 4404, "not_found: there is no WebSocket at \"/tidings.js\": connect to /ws, or "),
    ] {
        let (mut socket, _) = RawSocket::open_with(server.address(), path, &[("Origin", "http://localhost")]);
        let (told, reason) = socket.read_close();
        assert_eq!(told, Some(code), "{path}");
        assert!(reason.starts_with(start), "{path}: {reason}");
    }
    let mut client = HttpClient::connect(server.address());
    client.raw.send(handshake("/nowhere", &[]));
    let refused = client.read_answer(false);
    assert_eq!(refused.status, 404);
    assert!(refused.text().contains("connect to /ws"), "{}", refused.text());
}

#[test]
fn an_upgrade_at_the_address_alone_is_one_at_ws() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        for fields in [&[][..], &[("Origin", "http://localhost")]] {
            let (mut socket, _) = RawSocket::open_with(server.address(), "/", fields);
            socket.send(TEXT, b"GET");
            assert_eq!(socket.next_text(), PLAIN_ANSWER);
        }
        assert_eq!(get(server.address(), "/").field("Content-Type"), Some("text/html; charset=utf-8"));
    });
}

#[test]
fn a_foreign_host_without_an_origin_is_served() {
    let server = TestServer::start(|_| {});
    let head = String::from_utf8(handshake("/ws", &[])).expect("ASCII").replace("Host: localhost", "Host: example.com");
    let mut client = HttpClient { raw: RawClient::connect(server.address()) };
    client.raw.send(&head);
    assert_eq!(client.read_answer(false).status, 101);
    let mut socket = RawSocket { raw: client.raw };
    socket.send(TEXT, b"GET");
    assert_eq!(socket.next_text(), PLAIN_ANSWER);
    let page = head.replace("example.com\r\n", "example.com\r\nOrigin: http://example.com\r\n");
    let mut client = HttpClient::connect(server.address());
    client.raw.send(&page);
    let (code, _) = RawSocket::after_head(client).read_close();
    assert_eq!(code, Some(4421), "with an Origin it is a page, and its host is not ours");
}
