//! Publications that replicas must have before they are answered (`redis.replicas`).

use super::{log_of, node, published, stop};
use crate::support::http::{HttpClient, get, post};
use crate::support::process::Process;
use crate::support::redis::{self, Redis};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::Value;
use std::time::{Duration, Instant};

/// A publication that too few replicas have is answered within this.
const CALM: Duration = Duration::from_secs(4);

/// Publishes under a key; the status and the answer.
fn with_key(node: &Process, key: &str, json: &str) -> (u16, Value) {
    let headers = [("Idempotency-Key", key), ("Content-Type", "application/json")];
    let answer = HttpClient::connect(node.address).request("POST", "/channels/a", &headers, json.as_bytes());
    (answer.status, answer.json())
}

#[test]
fn a_publication_is_answered_when_its_replicas_have_it_and_unknown_when_they_have_not() {
    if !redis::is_here("replicas") {
        return;
    }
    let primary = Redis::start(&[]);
    let replica = Redis::replica_of(&primary, &[]);
    let node = node(&primary.url(), &["--redis.replicas", "1"]);
    let mut reader = WsClient::connect(node.address);
    reader.subscribe("a");
    for number in 1..=100 {
        published(&post(node.address, "/channels/a", &number.to_string()));
        assert_eq!(reader.next_json()["offset"], number);
    }
    let has = |redis: &Redis| redis.ask(&["LLEN", "td:{a}h"]).integer();
    assert_eq!((has(&replica), has(&primary)), (100, 100), "what was answered is there");
    replica.signal("STOP");
    let began = Instant::now();
    let (status, answer) = with_key(&node, "k", "101");
    let took = began.elapsed();
    assert_eq!((status, &answer["error"]["code"]), (503, &Value::from("outcome_unknown")), "{answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|text| text.contains("of 1 replicas")), "{answer}");
    assert!(took < CALM, "{took:?}");
    assert_eq!(reader.next_json()["offset"], 101, "readers need no replica");
    // Reading goes on meanwhile.
    assert_eq!(get(node.address, "/channels/a").status, 200);
    replica.signal("CONT");
    wait_until("it is known, as the same publication", || with_key(&node, "k", "101").0 == 200);
    assert_eq!(with_key(&node, "k", "101").1["offset"], 101);
    published(&post(node.address, "/channels/a", "102"));
    assert_eq!((reader.next_json()["offset"].as_i64(), has(&replica)), (Some(102), 102));
    let log = log_of(node);
    assert!(log.contains("replicas_missing") && log.contains("replicas_back"), "{log}");
}

#[test]
fn without_as_many_replicas_as_are_asked_for_nothing_is_answered_as_published() {
    if !redis::is_here("too few replicas") {
        return;
    }
    let primary = Redis::start(&[]);
    let node = node(&primary.url(), &["--redis.replicas", "1"]);
    let answer = post(node.address, "/channels/a", "1");
    assert_eq!(answer.status, 503, "{answer:?}");
    stop(node);
}
