//! What clients hear of a server that ends, before it closes them: when to come back, each at a time of its own.

use crate::support::TestServer;
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use serde_json::Value;
use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

const PROTOCOL: &str = include_str!("../src/protocol/tidings/PROTOCOL.md");
const SPREAD: Duration = Duration::from_secs(30);
/// Longer than anything here takes: a test that needs it has failed.
const LONG: Duration = Duration::from_secs(60);

/// The example of the protocol's text.
fn example() -> Value {
    let line = PROTOCOL.lines().find(|line| line.starts_with("{\"reconnect\":")).expect("an example");
    serde_json::from_str(line).expect("JSON")
}

fn names(message: &Value) -> Vec<&String> {
    message.as_object().expect("an object").keys().collect()
}

/// 200 connections were closed, and came back, at the same moment.
#[test]
fn clients_are_advised_to_come_back_at_times_that_are_spread() {
    const CLIENTS: usize = 200;
    for reactors in [1, 2] {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.drain_spread = SPREAD;
        });
        let mut sockets: Vec<WsClient> = (0..CLIENTS).map(|_| WsClient::connect(server.address())).collect();
        let stopping = std::thread::spawn(move || server.stop(LONG));
        let example = example();
        let mut advised: Vec<u64> = Vec::new();
        for socket in &mut sockets {
            let said = socket.next_json();
            assert_eq!((names(&said), &said["reconnect"]), (names(&example), &example["reconnect"]));
            advised.push(said["after_ms"].as_u64().expect("a number"));
        }
        // They leave, as they would at their time: the drain ends with the last of them.
        drop(sockets);
        assert_eq!(stopping.join().expect("no panic"), 0);
        advised.sort_unstable();
        println!("{CLIENTS} connections, {reactors} reactors: from {} to {} ms", advised[0], advised[CLIENTS - 1]);
        let within = SPREAD.as_millis() as u64;
        assert!(advised[CLIENTS - 1] <= within);
        // In each tenth of the time about a tenth of them: a hundredth of the clients more or less for each end of a part, and for
        // the time at its end in which those that ignore it are closed.
        for tenth in 0..10 {
            let part = within / 10 * tenth..within / 10 * (tenth + 1);
            let count = advised.iter().filter(|after| part.contains(after)).count();
            assert!((10..=26).contains(&count), "{count} in {part:?}: {advised:?}");
        }
        assert!(advised.iter().collect::<BTreeSet<_>>().len() > CLIENTS * 9 / 10, "drawn for each: {advised:?}");
    }
}

/// Their `retry:` was drawn when they began, which may be hours ago.
#[test]
fn event_streams_are_told_anew_when_to_come_back() {
    let server = TestServer::start(|_| ());
    let mut streams: Vec<SseClient> = (0..40).map(|_| SseClient::open(server.address(), "d", None)).collect();
    for stream in &mut streams {
        stream.next_block().expect("the position");
    }
    let stopping = std::thread::spawn(move || server.stop(LONG));
    let mut told = BTreeSet::new();
    for stream in &mut streams {
        let raw: &mut RawClient = &mut stream.raw;
        let text = String::from_utf8(raw.read_to_end().to_vec()).expect("UTF-8");
        let block = text.strip_suffix("\n\n\r\n0\r\n\r\n").unwrap_or_else(|| panic!("the last of it: {text:?}"));
        let (_, retry) = block.rsplit_once("retry: ").unwrap_or_else(|| panic!("no time: {text:?}"));
        let retry: u64 = retry.parse().expect("a number, and nothing after it");
        assert!((1000..=3000).contains(&retry), "around sse.retry, 2 s: {retry}");
        told.insert(retry);
    }
    assert!(told.len() > 20, "{told:?}");
    drop(streams);
    assert_eq!(stopping.join().expect("no panic"), 0);
}

/// A signal after the thread that waits for signals had ended raised SIGPIPE in its own handler, again and again, for ever.
#[test]
fn signals_until_the_very_end_keep_no_server_from_ending() {
    for _ in 0..5 {
        let process = Process::start(&[]);
        // Ends with the server, which is gone then.
        let flood = format!("while kill -USR1 {} 2>/dev/null; do :; done", process.id());
        let mut flood = Command::new("sh").args(["-c", &flood]).spawn().expect("a shell");
        process.signal("TERM");
        let (status, log) = process.wait_for(LONG);
        assert!(status.success(), "{status}: {log}");
        flood.wait().expect("it ends");
    }
}
