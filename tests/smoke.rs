//! One of everything: POST, snapshot, stream and socket see the same publication.

use crate::support::ws::WsClient;
use crate::support::{TestServer, http, raw::RawClient, with_one_and_two_reactors};
use serde_json::json;

#[test]
fn everybody_who_gets_a_channel_is_told_at_once() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut socket = WsClient::connect(server.address());
        let answer = socket.subscribe("stocks");
        assert_eq!(answer["offset"], 0);
        let mut stream = RawClient::connect(server.address());
        stream.send("GET /channels/stocks HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        stream.read_until(b"event: position\n");
        let posted = http::post(server.address(), "/channels/stocks", "{\"price\":1.10}");
        assert_eq!((posted.status, posted.json()["offset"].clone()), (200, json!(1)));
        assert_eq!(socket.next_text(), "{\"channel\":\"stocks\",\"offset\":1,\"data\":{\"price\":1.10}}");
        stream.read_until(b"data: {\"price\":1.10}\n\n");
        let snapshot = http::get(server.address(), "/channels/stocks").json();
        assert_eq!(snapshot["publications"][0]["offset"], 1);
    });
}
