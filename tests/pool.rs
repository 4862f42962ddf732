//! The worker pool: what goes there, that a full one drops and reorders nothing, and what it is good for.

use crate::support::frames::{RawSocket, TEXT, frame};
use crate::support::http;
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const POOL: &str = "tidings_parsed_total{where=\"pool\"}";
const INLINE: &str = "tidings_parsed_total{where=\"inline\"}";

/// JSON of about `bytes` bytes that takes some parsing.
fn large(bytes: usize) -> String {
    let item = r#"{"id":12345,"name":"caf\u00e9","price":19.990,"tags":["a","b"],"nested":{"ok":true}}"#;
    let items = vec![item; bytes / (item.len() + 1)];
    format!("[{}]", items.join(","))
}

/// A POST of exactly `size` bytes, as a frame's text.
fn post_of(size: usize) -> String {
    let around = r#"{"id":1,"method":"POST","path":"/channels/x","data":""}"#.len();
    format!(r#"{{"id":1,"method":"POST","path":"/channels/x","data":"{}"}}"#, "x".repeat(size - around))
}

#[test]
fn what_reaches_the_threshold_is_parsed_in_the_pool_and_the_rest_is_not() {
    let server = TestServer::start(|config| config.server.inline_parse_bytes = 2000);
    let mut socket = RawSocket::open(server.address(), "/ws");
    for (size, pooled) in [(1999, 0.0), (2000, 1.0), (60_000, 2.0), (100, 2.0)] {
        let inline = server.metric(INLINE);
        let before = server.metric(POOL);
        socket.send(TEXT, post_of(size).as_bytes());
        assert_eq!(socket.next_json()["status"], 200);
        assert_eq!(server.metric(POOL), pooled, "{size} bytes");
        assert_eq!(server.metric(INLINE) - inline, 1.0 - (pooled - before), "{size} bytes");
    }
    let body = large(100_000);
    assert_eq!(http::post(server.address(), "/channels/x", &body).status, 200);
    assert_eq!(server.metric(POOL), 3.0, "bodies go there too");
}

#[test]
fn a_threshold_of_zero_sends_everything_and_inf_sends_nothing() {
    for (threshold, all) in [(0, true), (usize::MAX, false)] {
        let server = TestServer::start(|config| config.server.inline_parse_bytes = threshold);
        let mut socket = RawSocket::open(server.address(), "/ws");
        for text in ["GET".to_owned(), "GET /livez".to_owned(), "7".to_owned(), post_of(60_000)] {
            socket.send(TEXT, text.as_bytes());
            socket.next_text();
        }
        assert_eq!(http::post(server.address(), "/channels/x", &large(500_000)).status, 200);
        let (pool, inline) = (server.metric(POOL), server.metric(INLINE));
        assert_eq!((pool, inline), if all { (5.0, 0.0) } else { (0.0, 5.0) });
    }
}

/// Many connections send large and small requests in turns at a pool that takes one job at a time; each one's answers
/// come in its own order, and each publication is there once, in its publisher's order.
#[test]
fn what_follows_a_job_that_met_a_full_pool_does_not_overtake_it() {
    const PUBLISHERS: usize = 8;
    const ROUNDS: usize = 30;
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.delivery.worker_queue_jobs = 1;
        });
        let mut reader = WsClient::connect(server.address());
        reader.subscribe("brief");
        let filling = large(60_000);
        std::thread::scope(|scope| {
            for publisher in 0..PUBLISHERS {
                let (address, filling) = (server.address(), &filling);
                scope.spawn(move || {
                    let mut socket = RawSocket::open(address, "/ws");
                    let mut output = socket.raw.stream.try_clone().expect("a second handle");
                    let sending = scope.spawn(move || {
                        for round in 0..ROUNDS {
                            let path = "\"method\":\"POST\",\"path\":\"/channels";
                            let (a, b) = (2 * round, 2 * round + 1);
                            let large = format!(r#"{{"id":{a},{path}/large{publisher}","data":{filling}}}"#);
                            let small = format!(r#"{{"id":{b},{path}/brief","data":[{publisher},{round}]}}"#);
                            let both = [frame(TEXT, large.as_bytes()), frame(TEXT, small.as_bytes())].concat();
                            output.write_all(&both).expect("the server reads");
                        }
                    });
                    for id in 0..2 * ROUNDS {
                        let answer = socket.next_json();
                        assert_eq!((&answer["id"], &answer["status"]), (&json!(id), &json!(200)), "{answer}");
                    }
                    sending.join().expect("the sender");
                });
            }
            let mut next = [0; PUBLISHERS];
            for offset in 1..=PUBLISHERS * ROUNDS {
                let push = reader.next_json();
                let Some([publisher, round]) = push["data"].as_array().map(Vec::as_slice) else { panic!("{push}") };
                let publisher = publisher.as_u64().expect("a number") as usize;
                assert_eq!((&push["offset"], round), (&json!(offset), &json!(next[publisher])), "{push}");
                next[publisher] += 1;
            }
        });
        for publisher in 0..PUBLISHERS {
            let snapshot = http::get(server.address(), &format!("/channels/large{publisher}?last=1")).json();
            assert_eq!(snapshot["offset"], ROUNDS, "nothing is dropped");
            assert_eq!(snapshot["publications"][0]["data"], serde_json::from_str::<Value>(&filling).expect("JSON"));
        }
        assert!(server.metric("tidings_pool_full_total") > 0.0, "the pool was full");
        assert_eq!(server.metric(POOL), (PUBLISHERS * ROUNDS) as f64);
    });
}

/// Round trips of `GET /livez` on one connection while four others flood large JSON, in microseconds, sorted; and the share
/// of the reactor's ticks that took more than a millisecond.
fn livez_under_flood(inline_parse_bytes: usize, span: Duration) -> (Vec<u64>, f64) {
    let server = TestServer::start(|config| config.server.inline_parse_bytes = inline_parse_bytes);
    let flood = format!(r#"{{"method":"POST","path":"/channels/flood","data":{}}}"#, large(60 * 1024));
    let flood = frame(TEXT, flood.as_bytes());
    let mut idle = RawSocket::open(server.address(), "/ws");
    let stop = AtomicBool::new(false);
    let mut trips = Vec::new();
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                let mut socket = RawSocket::open(server.address(), "/ws");
                while !stop.load(Ordering::Acquire) {
                    socket.raw.send(&flood);
                }
            });
        }
        let until = Instant::now() + span;
        while Instant::now() < until {
            let sent = Instant::now();
            idle.send(TEXT, b"GET /livez");
            assert_eq!(idle.next_text(), r#"{"status":200}"#);
            trips.push(sent.elapsed().as_micros() as u64);
            // One request every so often: an idle connection, not a fifth flood.
            std::thread::sleep(Duration::from_millis(2));
        }
        stop.store(true, Ordering::Release);
    });
    let parsed = (server.metric(POOL), server.metric(INLINE));
    assert!(if inline_parse_bytes == usize::MAX { parsed.0 == 0.0 } else { parsed.0 > 0.0 }, "{parsed:?}");
    let within = |bound: &str| server.metric(&format!("tidings_loop_lag_seconds_bucket{{le=\"{bound}\"}}"));
    let over_1_ms = 1.0 - within("0.001") / within("+Inf");
    trips.sort_unstable();
    (trips, over_1_ms)
}

#[test]
fn a_flood_of_large_json_leaves_an_idle_connection_answered() {
    for (how, threshold) in [("with the pool", 4096), ("all on the reactor", usize::MAX)] {
        let (trips, over_1_ms) = livez_under_flood(threshold, Duration::from_secs(2));
        let at = |share: f64| trips[((trips.len() - 1) as f64 * share) as usize];
        assert!(!trips.is_empty(), "it was never answered");
        println!(
            "livez beside four floods of 60 KiB JSON, one reactor, {how}: {} round trips, p50 {} µs, p99 {} µs, most {} µs; loop lag over 1 ms in {:.1} % of ticks",
            trips.len(),
            at(0.5),
            at(0.99),
            at(1.0),
            100.0 * over_1_ms
        );
    }
}
