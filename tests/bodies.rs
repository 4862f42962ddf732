//! What a client may send and what it becomes: the limits it can ask for, media types, encodings, marks.

use crate::support::TestServer;
use crate::support::frames::{BINARY, RawSocket, TEXT};
use crate::support::http::{HttpClient, get};
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
