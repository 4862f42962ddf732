//! Laws 8 and 9: names of connections that are gone, and input that means no good.

use super::Gate;
use crate::support::frames::handshake;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{PATIENCE, TestServer, http, wait_until, with_one_and_two_reactors};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::io::Write;
use std::time::Duration;

/// The answer is made while its connection is gone and its slot belongs to somebody else.
#[test]
fn an_answer_for_a_connection_that_is_gone_is_counted_and_reaches_nobody_else() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = PATIENCE;
    });
    let gate = Gate::on(&server, "full");
    let mut first = WsClient::connect(server.address());
    first.subscribe("bait");
    let post = json!({"id": "first", "method": "POST", "path": "/channels/full", "data": 1}).to_string();
    for _ in 0..3 {
        first.send_text(&post);
    }
    wait_until("the third waits", || server.metric("tidings_publish_waits_total") == 1.0);
    socket2::SockRef::from(first.socket.get_ref()).set_linger(Some(Duration::ZERO)).expect("a live socket");
    drop(first);
    // It waits and is not read, so its end is noticed by a write.
    wait_until("the first is gone", || {
        server.publish("bait", "1").expect("there is room");
        server.metric("tidings_connections{transport=\"websocket\"}") == 0.0
    });
    let mut second: Vec<WsClient> = (0..4).map(|_| WsClient::connect(server.address())).collect();
    drop(gate.open());
    wait_until("its answer is counted", || server.metric("tidings_stale_ids_total") >= 1.0);
    assert_eq!(server.hub().stats().channels, 2);
    let executed = http::get(server.address(), "/channels/full").json();
    assert_eq!(executed["offset"], 3, "what was read before the end is executed");
    for client in &mut second {
        client.request(json!({"method": "GET", "path": "/livez"}));
        assert!(client.pushed.is_empty(), "{:?}", client.pushed);
    }
}

/// A peer may be cut off in the middle of what it sends.
fn send_noise(client: &mut RawClient, bytes: &[u8]) {
    let _ = client.stream.write_all(bytes);
}

#[test]
fn noise_kills_nothing_and_is_counted_by_reason() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.inline_parse_bytes = 100;
        });
        let mut witness = WsClient::connect(server.address());
        witness.subscribe("quiet");
        let mut random = StdRng::seed_from_u64(20_260_101);
        for round in 0..1_000 {
            let mut client = RawClient::connect(server.address());
            let mut noise: Vec<u8> = (0..random.random_range(1..400)).map(|_| random.random()).collect();
            match round % 5 {
                0 => {}
                1 => {
                    // Almost a request: one that is right but for a few bytes.
                    let mut request =
                        http::request_bytes("POST", "/channels/x?event=e", &[("Accept", "*/*")], b"{\"a\":1}");
                    for _ in 0..random.random_range(1..4) {
                        let at = random.random_range(0..request.len());
                        request[at] = random.random();
                    }
                    noise = request;
                }
                2 => {
                    client.send(handshake("/ws", &[]));
                    client.read_until(b"\r\n\r\n");
                }
                3 => {
                    client.send(handshake("/ws", &[]));
                    let text = String::from_utf8_lossy(&noise).into_owned();
                    noise = crate::support::frames::frame(0x81 + (round as u8 & 1), text.as_bytes());
                }
                _ => {
                    client.send(handshake("/echo", &[]));
                    noise.insert(0, 0x81 + (round as u8 & 1));
                }
            }
            let pieces = random.random_range(1..4);
            for piece in noise.chunks(noise.len().div_ceil(pieces)) {
                send_noise(&mut client, piece);
            }
        }
        let answer = witness.request(json!({"method": "POST", "path": "/channels/quiet", "data": 1}));
        assert_eq!((&answer["status"], witness.pushed.len()), (&json!(200), 1));
        assert_eq!(server.metric("tidings_panics_total"), 0.0);
        for reason in ["bad_request", "protocol_error"] {
            let counted = server.metric(&format!("tidings_refused_total{{reason=\"{reason}\"}}"));
            assert!(counted >= 50.0, "{reason}: {counted}");
        }
        drop(witness);
        wait_until("everybody is gone", || server.metric("tidings_connections") == 1.0);
    });
}
