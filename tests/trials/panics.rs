//! Panics in every thread that does clients' work, again and again: each ends the connection that it was about, and nobody else's.

use crate::support::frames::RawSocket;
use crate::support::http::{HttpClient, post};
use crate::support::ws::WsClient;
use crate::support::{OPERATOR_KEY, TestServer};
use serde_json::json;
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;
use tidings::{Config, Hooks, OperatorKey, Server};

const REACTORS: usize = 2;
const WORKERS: usize = 4;
/// How often each thread panics at least.
const TIMES: usize = 50;
/// What a callback says that fails, as these tests want.
const TRAP: &str = "a callback that fails, as this test wants";
/// Clients beside them, each with a channel of its own.
const OTHERS: usize = 4;

type ByThread = Arc<Mutex<BTreeMap<String, usize>>>;

/// A server whose callback panics for one channel, and which thread it was.
fn server(inline_parse_bytes: usize) -> (TestServer, ByThread) {
    let panicked = ByThread::default();
    let counts = Arc::clone(&panicked);
    let hooks = Hooks::default().on_write(move |writing| {
        if writing.channel() == "trap" {
            let name = std::thread::current().name().unwrap_or("?").to_owned();
            *counts.lock().expect("no panic").entry(name).or_default() += 1;
            panic!("{TRAP}");
        }
        Ok(())
    });
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
    (config.server.reactors, config.server.workers) = (REACTORS, WORKERS);
    config.server.inline_parse_bytes = inline_parse_bytes;
    (TestServer::of(Server::start_with(config, hooks).expect("the server starts")), panicked)
}

/// Clients that publish on a socket and read their own publications, until it is over; how many each had.
fn others(address: SocketAddr, over: &Arc<AtomicBool>) -> Vec<JoinHandle<u64>> {
    let other = |index| {
        let over = Arc::clone(over);
        std::thread::spawn(move || {
            let channel = format!("other-{index}");
            let mut socket = WsClient::connect(address);
            socket.subscribe(&channel);
            let mut offset = 0;
            while !over.load(Ordering::Relaxed) {
                offset += 1;
                assert_eq!(socket.post(&channel, &json!(offset))["status"], 200);
                assert_eq!(socket.next_push(), json!({"channel": channel, "offset": offset, "data": offset}));
                std::thread::sleep(Duration::from_millis(1));
            }
            offset
        })
    };
    (0..OTHERS).map(other).collect()
}

/// Steps into the trap by a request, and by a socket; both on connections of their own, which end.
fn step(address: SocketAddr) {
    let mut client = HttpClient::connect(address);
    let answer = client.request("POST", "/channels/trap", &[], b"1");
    assert_eq!((answer.status, answer.code().as_str()), (500, "internal_error"));
    assert!(client.is_ended());
    let mut socket = RawSocket::open(address, "/ws");
    socket.send(crate::support::frames::TEXT, br#"{"id":1,"method":"POST","path":"/channels/trap","data":1}"#);
    assert_eq!(socket.read_close().0, Some(1011));
}

/// Panics that the test wants are not printed.
fn without_words() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(TRAP) {
            before(panic);
        }
    }));
}

#[test]
#[ignore = "run by tests/faults failures"]
fn panics_in_every_reactor_and_worker_end_one_connection_each() {
    without_words();
    // Parsed by the reactors, and all by the workers.
    for (inline_parse_bytes, kind, threads) in [(usize::MAX, "reactor", REACTORS), (1, "worker", WORKERS)] {
        let (server, panicked) = server(inline_parse_bytes);
        let over = Arc::new(AtomicBool::new(false));
        let others = others(server.address(), &over);
        let all_have =
            |counts: &BTreeMap<String, usize>| counts.len() == threads && counts.values().all(|n| *n >= TIMES);
        let (mut steps, mut held) = (0, Vec::new());
        while !all_have(&panicked.lock().expect("no panic")) {
            step(server.address());
            steps += 2;
            // A connection's worker follows from its place, so that others have to be taken.
            held.push(HttpClient::connect(server.address()));
            assert!(held.last_mut().is_some_and(HttpClient::is_kept));
            if held.len() > 2 * WORKERS {
                held.clear();
            }
            assert!(steps < 100 * TIMES * threads, "some thread gets no work: {panicked:?}");
        }
        drop(held);
        over.store(true, Ordering::Relaxed);
        let served: u64 = others.into_iter().map(|other| other.join().expect("nobody else notices")).sum();
        let counts = panicked.lock().expect("no panic").clone();
        println!(
            "panics: {steps} in {kind}s, by thread {counts:?}; {OTHERS} others published and read {served}, 0 lost"
        );
        assert!(counts.keys().all(|name| name.starts_with(kind)), "{counts:?}");
        assert_eq!(server.metric("tidings_panics_total"), steps as f64);
        assert_eq!(post(server.address(), "/channels/after", "1").status, 200);
        assert_eq!(server.stop(Duration::from_secs(5)), 0);
    }
}
