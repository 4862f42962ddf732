//! What a client may send and what it becomes: the limits it can ask for, media types, encodings, marks.

use crate::support::TestServer;
use crate::support::frames::{BINARY, RawSocket, TEXT};
use crate::support::http::{HttpClient, get};
use crate::support::with_one_and_two_reactors;
use crate::support::ws::WsClient;
use serde_json::json;

/// JSON of exactly `length` bytes.
fn json_of(length: usize) -> String {
    format!("\"{}\"", "x".repeat(length - 2))
}

#[test]
fn what_limits_tells_is_what_the_server_takes_and_one_byte_more_is_refused() {
    let server = TestServer::start(|config| {
        config.server.inline_parse_bytes = 1_000;
        config.websocket.message_bytes = 2_000;
        config.http.body_bytes = 3_000;
        config.websocket.binary = false;
    });
    let told = json!({"message_bytes": 2_000, "body_bytes": 3_000, "binary": false, "batch": 100});
    assert_eq!(get(server.address(), "/limits").json(), told);
    let mut socket = WsClient::connect(server.address());
    let answer = socket.request(json!({"method": "GET", "path": "/limits"}));
    assert_eq!(
        answer,
        json!({"id": 1, "status": 200, "message_bytes": 2_000, "body_bytes": 3_000, "binary": false, "batch": 100})
    );

    for (length, status) in [(3_000, 200), (3_001, 413)] {
        let body = json_of(length);
        let answer = HttpClient::connect(server.address()).request("POST", "/channels/a", &[], body.as_bytes());
        assert_eq!(answer.status, status, "{length}");
    }
    socket.send_text(&json_of(2_000));
    assert_eq!(socket.next_text(), "服务器收到POST请求,并返回数据");
    socket.send_text(&json_of(2_001));
    assert_eq!(socket.read_close().map(|close| u16::from(close.code)), Some(1009));
    let mut raw = RawSocket::open(server.address(), "/ws");
    raw.send(TEXT, b"GET /limits");
    assert_eq!(raw.next_json()["binary"], false);
    raw.send(BINARY, b"{\"method\":\"GET\",\"path\":\"/limits\"}\n");
    assert_eq!(raw.read_close().0, Some(1003));
}

#[test]
fn limits_can_be_asked_without_the_right_to_publish_or_to_administer() {
    let server = TestServer::start(|_| {});
    let from_elsewhere = [("X-Forwarded-For", "203.0.113.7")];
    let mut client = HttpClient::connect(server.address());
    assert_eq!(client.request("POST", "/channels/a", &from_elsewhere, b"1").status, 403);
    assert_eq!(client.request("GET", "/limits", &from_elsewhere, b"").status, 200);
    assert_eq!(client.request("HEAD", "/limits", &from_elsewhere, b"").status, 200);
    assert_eq!(client.request("DELETE", "/limits", &[], b"").status, 405);
    assert_eq!(client.request("GET", "/limits/", &[], b"").status, 404);
}

/// What is published when `body` is sent as `content_type`: the data as it stands in a snapshot, or the refusal's code.
fn published(client: &mut HttpClient, content_type: &str, body: &[u8]) -> String {
    let fields = [("Content-Type", content_type)];
    let answer = client.request("POST", "/channels/a", &fields, body);
    if answer.status != 200 {
        let message = answer.json()["error"]["message"].as_str().unwrap_or_default().to_owned();
        return format!("{} {} {message}", answer.status, answer.code());
    }
    let snapshot = client.request("GET", "/channels/a?last=1", &[], b"").text();
    let data = snapshot.split_once("\"data\":").map(|(_, data)| data.trim_end().trim_end_matches("}]}"));
    data.unwrap_or_default().to_owned()
}

/// Which text `/ws` answers to a body, and what that published to the plain channel.
fn posted_to_ws(client: &mut HttpClient, content_type: &str, body: &[u8]) -> (u16, String) {
    let fields = [("Content-Type", content_type)];
    let answer = client.request("POST", "/ws", &fields, body);
    (answer.status, answer.text())
}

#[test]
fn fetch_with_json_stringify_publishes_json_and_not_a_string() {
    with_one_and_two_reactors(|reactors| {
        // Small bodies are read by a reactor, and one that is larger than this by a worker.
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.inline_parse_bytes = 64;
        });
        let mut client = HttpClient::connect(server.address());
        let large = format!("[{}1]", "1, ".repeat(100));
        for body in ["{\"price\": 1.10}", "[1,2]", &large] {
            assert_eq!(published(&mut client, "text/plain;charset=UTF-8", body.as_bytes()), body);
        }
        assert_eq!(published(&mut client, "text/plain", b"{not json}"), "\"{not json}\"");
        assert_eq!(published(&mut client, "text/plain", b"42"), "\"42\"");
        // POST /ws follows the same rules, so a page may send it requests without setting a media type.
        let request = br#"{"id":1,"method":"POST","path":"/channels/a","data":[2]}"#;
        let (status, text) = posted_to_ws(&mut client, "text/plain;charset=UTF-8", request);
        assert!(status == 200 && text.starts_with("{\"id\":1,\"status\":200"), "{status} {text}");
    });
}

#[test]
fn what_curl_d_sends_is_json_or_refused_with_the_place_and_not_published_as_a_form() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    const FORM: &str = "application/x-www-form-urlencoded";
    for (body, place) in
        [("{'a':1}", "line 1 column 2"), ("{\"a\":1,}", "line 1 column 8"), ("[1,2", "line 1 column 4")]
    {
        let refused = published(&mut client, FORM, body.as_bytes());
        assert!(refused.starts_with("400 bad_json ") && refused.contains(place), "{body}: {refused}");
        let (status, text) = posted_to_ws(&mut client, FORM, body.as_bytes());
        assert!(status == 400 && text.contains("\"status\":400") && text.contains(place), "{body}: {status} {text}");
    }
    assert_eq!(published(&mut client, FORM, b"{\"a\":1}"), "{\"a\":1}");
    assert_eq!(published(&mut client, FORM, b"a={1}"), "{\"a\":\"{1}\"}");
    let channel = client.request("GET", "/channels/a", &[], b"").json();
    assert_eq!(channel["offset"], 2, "nothing of what was refused was published: {channel}");
}

#[test]
fn a_byte_order_mark_in_front_is_skipped_wherever_text_comes_in() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    for content_type in ["application/json", "application/x-www-form-urlencoded", "text/plain"] {
        assert_eq!(published(&mut client, content_type, "\u{feff}{\"a\":1}".as_bytes()), "{\"a\":1}", "{content_type}");
    }
    let plain = posted_to_ws(&mut client, "application/json", "\u{feff}[1]".as_bytes());
    assert_eq!(plain, (200, "服务器收到POST请求,并返回数据".to_owned()));
    let mut socket = WsClient::connect(server.address());
    socket.send_text("\u{feff}GET");
    assert_eq!(socket.next_text(), "服务器收到GET请求");
    for (frame, id) in [
        ("\u{feff}{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}", json!(1)),
        ("\u{feff}GET /livez", json!(null)),
        ("POST /channels/b \u{feff}[7]", json!(null)),
        ("GET /channels/b {\"last\":1}", json!(null)),
    ] {
        socket.send_text(frame);
        if !frame.starts_with("POST") {
            let answer = socket.next_json();
            assert_eq!((&answer["status"], &answer["id"]), (&json!(200), &id), "{frame}");
            if frame.contains("last") {
                assert_eq!(answer["publications"], json!([{"offset": 1, "data": [7]}]));
            }
        }
    }
    socket.send_binary("\u{feff}{\"id\":2,\"method\":\"GET\",\"path\":\"/livez\"}\n".into());
    assert_eq!(socket.next_json(), json!({"id": 2, "status": 200}));
    let position = server.publish("b", "\u{feff} {\"from\":\"the library\"} ").expect("it is JSON");
    assert_eq!(position.offset, 2);
    let snapshot = client.request("GET", "/channels/b?last=1", &[], b"").json();
    assert_eq!(snapshot["publications"][0]["data"], json!({"from": "the library"}));
}

#[test]
fn a_body_with_a_content_encoding_is_refused_and_not_published_under_the_plain_type() {
    let server = TestServer::start(|_| {});
    let mut client = HttpClient::connect(server.address());
    for target in ["/channels/a", "/ws"] {
        for coding in ["gzip", "br", "Deflate", "identity, gzip", "unheard-of"] {
            let fields = [("Content-Type", "image/svg"), ("Content-Encoding", coding)];
            let answer = client.request("POST", target, &fields, b"\x1f\x8b\x08\0");
            assert_eq!((answer.status, answer.code().as_str()), (415, "unsupported_encoding"), "{target} {coding}");
            assert_eq!(answer.field("Accept-Encoding"), Some("identity"), "{target} {coding}");
        }
        for coding in ["", "identity", "Identity, identity"] {
            let fields = [("Content-Type", "image/svg"), ("Content-Encoding", coding)];
            let answer = client.request("POST", target, &fields, b"<svg/>");
            assert_eq!(answer.status, 200, "{target} {coding}");
        }
    }
    // Another 415 must not speak of encodings (RFC 9110 section 12.5.3).
    let multipart = client.request("POST", "/channels/a", &[("Content-Type", "multipart/mixed")], b"x");
    assert_eq!((multipart.status, multipart.field("Accept-Encoding")), (415, None));
    // A client that waits before it sends its body is not told to go on.
    let waits = [("Expect", "100-continue"), ("Content-Encoding", "gzip"), ("Content-Length", "9")];
    for target in ["/channels/a", "/ws"] {
        let mut client = HttpClient::connect(server.address());
        let mut head = format!("POST {target} HTTP/1.1\r\nHost: localhost\r\n");
        waits.iter().for_each(|(name, value)| head.push_str(&format!("{name}: {value}\r\n")));
        assert_eq!(client.exchange(format!("{head}\r\n")).status, 415, "{target}");
    }
    assert_eq!(get(server.address(), "/channels/a").json()["offset"], 3);
}
