//! Laws 1 to 3: what comes when, and what is said about a gap.

use super::Gate;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{PATIENCE, TestServer, http, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Runs `act` while somebody publishes to `name` as fast as possible.
fn under_publications(server: &TestServer, name: &str, act: impl FnOnce()) {
    /// Ends the publisher when the test has seen enough, or has failed.
    struct End<'e>(&'e AtomicBool);
    impl Drop for End<'_> {
        fn drop(&mut self) {
            self.0.store(true, Ordering::Relaxed);
        }
    }
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                server.publish(name, "1").expect("there is room");
            }
        });
        let _end = End(&over);
        act();
    });
}

#[test]
fn a_publisher_that_meets_a_full_mailbox_is_not_read_until_there_is_room() {
    for inline_parse_bytes in [0, usize::MAX] {
        let server = TestServer::start(|config| {
            config.delivery.mailbox_entries = 2;
            config.server.publish_wait = PATIENCE;
            config.server.inline_parse_bytes = inline_parse_bytes;
        });
        let gate = Gate::on(&server, "full");
        let mut client = WsClient::connect(server.address());
        for id in 1..=3 {
            client.send_text(&json!({"id": id, "method": "POST", "path": "/channels/full", "data": id}).to_string());
        }
        client.send_text("{\"id\":4,\"method\":\"GET\",\"path\":\"/livez\"}");
        assert_eq!((&client.next_json()["offset"], &client.next_json()["offset"]), (&json!(1), &json!(2)));
        crate::support::wait_until("the third waits", || server.metric("tidings_publish_waits_total") == 1.0);
        assert_eq!(server.hub().stats().published, 2, "no offset before there is room");
        let mut other = WsClient::connect(server.address());
        assert_eq!(other.post("elsewhere", &json!(1))["status"], 200, "nobody else waits");
        drop(gate.open());
        let (third, fourth) = (client.next_json(), client.next_json());
        assert_eq!((&third["id"], &third["offset"], &fourth["id"]), (&json!(3), &json!(3), &json!(4)));
    }
}

#[test]
fn a_publisher_that_waited_long_enough_is_told_busy_and_took_no_offset() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = Duration::from_millis(50);
    });
    let gate = Gate::on(&server, "full");
    for n in 1..=2 {
        assert_eq!(http::post(server.address(), "/channels/full", "1").json()["offset"], n);
    }
    let refused = http::post(server.address(), "/channels/full", "1");
    assert_eq!((refused.status, refused.code().as_str(), refused.says_when()), (503, "busy", true));
    let mut client = WsClient::connect(server.address());
    assert_eq!(client.post("full", &json!(1))["error"]["code"], "busy");
    let (seen, _subscription) = gate.open();
    let two: Vec<u64> = seen.iter().take(2).collect();
    assert_eq!(two, [1, 2]);
    assert_eq!(client.post("full", &json!(1))["offset"], 3);
    assert_eq!(server.metric("tidings_publish_busy_total"), 2.0);
}

/// Small requests are executed where they are read and large ones by a worker: their order is the sender's all the same.
#[test]
fn requests_of_mixed_sizes_are_executed_and_answered_in_the_order_sent() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.workers = 3;
        });
        let mut client = WsClient::connect(server.address());
        client.subscribe("mixed");
        for round in 0..20 {
            let mut offset = 30 * round;
            for id in 0..30 {
                let pad = "x".repeat([0, 9_000, 10, 0, 30_000, 4_096][id % 6]);
                let request = json!({"id": id, "method": "POST", "path": "/channels/mixed", "data": [id, pad]});
                client.socket.write(tungstenite::Message::text(request.to_string())).expect("the server reads");
            }
            client.socket.flush().expect("the server reads");
            for id in 0..30 {
                offset += 1;
                let (push, answer) = (client.next_json(), client.next_json());
                assert_eq!((&push["offset"], &push["data"][0]), (&json!(offset), &json!(id)));
                assert_eq!((&answer["id"], &answer["offset"]), (&json!(id), &json!(offset)));
            }
        }
        assert!(server.metric("tidings_parsed_total{where=\"pool\"}") >= 100.0);
        assert!(server.metric("tidings_parsed_total{where=\"inline\"}") >= 100.0);
    });
}

#[test]
fn after_an_unsubscribe_is_answered_no_push_follows() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let mut client = WsClient::connect(server.address());
        under_publications(&server, "busy", || {
            for _ in 0..100 {
                client.subscribe("busy");
                client.next_push();
                let answer = client.request(json!({"method": "DELETE", "path": "/subscriptions/busy"}));
                assert_eq!(answer["status"], 200);
                client.pushed.clear();
                client.request(json!({"method": "GET", "path": "/livez"}));
                assert!(client.pushed.is_empty(), "{:?}", client.pushed);
            }
        });
    });
}

/// Pushes wait behind the answer of the batch that subscribes, and must not follow it when the batch also unsubscribed.
#[test]
fn a_batch_that_unsubscribes_what_it_subscribed_is_followed_by_no_push() {
    let server = TestServer::start(|config| {
        config.server.workers = 2;
        config.server.inline_parse_bytes = 0;
    });
    let mut client = WsClient::connect(server.address());
    let batch = json!([
        {"method": "GET", "path": "/channels/busy"},
        {"method": "POST", "path": "/channels/busy", "data": "own"},
        {"method": "DELETE", "path": "/subscriptions/busy"},
    ]);
    under_publications(&server, "busy", || {
        for id in 0..200 {
            client.send_text(&batch.to_string());
            client.send_text(&json!({"id": id, "method": "GET", "path": "/livez"}).to_string());
            let answers = client.next_json();
            assert_eq!(answers.as_array().map(Vec::len), Some(3), "{answers}");
            assert_eq!(client.next_json()["id"], id);
        }
    });
    assert_eq!(server.hub().stats().interest, 0);
}

#[test]
fn a_gap_longer_than_the_replay_limit_is_told_and_can_be_paged() {
    let server = TestServer::start(|config| config.history.replay_count = 10);
    for n in 1..=45 {
        server.publish("long", n.to_string()).expect("there is room");
    }
    let mut client = WsClient::connect(server.address());
    let read = |client: &mut WsClient, options: Value| {
        let mut request = json!({"method": "GET", "path": "/channels/long"});
        request.as_object_mut().expect("an object").extend(options.as_object().expect("an object").clone());
        client.request(request)
    };
    let epoch = read(&mut client, json!({"once": true, "last": 1}))["epoch"].as_str().expect("an epoch").to_owned();
    for (from, recovered) in [(34, false), (35, true), (45, true), (46, false), (0, false)] {
        let answer = read(&mut client, json!({"since": format!("{epoch}:{from}")}));
        assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(recovered), &json!(45)), "from {from}: {answer}");
        let replayed = answer["publications"].as_array().expect("an array").len();
        assert_eq!(replayed, if recovered { 45 - from } else { 0 });
    }
    let (mut at, mut paged) = (0, Vec::new());
    loop {
        let page = read(&mut client, json!({"once": true, "since": format!("{epoch}:{at}"), "limit": 7}));
        let offsets = page["publications"].as_array().expect("an array").iter().map(|own| own["offset"].as_u64());
        paged.extend(offsets.map(|offset| offset.expect("a number")));
        if page["offset"] == at {
            break;
        }
        at = page["offset"].as_u64().expect("a number");
    }
    assert!(paged.into_iter().eq(1..=45), "everything, once, in order");
    let lost = read(&mut client, json!({"since": "another1:3"}));
    assert_eq!((&lost["recovered"], &lost["offset"]), (&json!(false), &json!(45)));
}

/// A half-closed connection still gets its answer when a worker makes it.
#[test]
fn a_request_in_the_pool_is_answered_to_a_client_that_has_ended_its_output() {
    let server = TestServer::start(|config| config.server.inline_parse_bytes = 0);
    let mut raw = RawClient::connect(server.address());
    raw.send(http::request_bytes("POST", "/channels/half", &[], format!("\"{}\"", "x".repeat(200_000)).as_bytes()));
    raw.end_output();
    raw.read_until(b"\"offset\":1");
}
