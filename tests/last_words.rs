//! What was read before a Close is answered before the Close is (law 2), whoever closes and why, and wherever requests are
//! executed: a client that is closed for a fault knows that its oldest unanswered request is the one at fault.

use crate::support::TestServer;
use crate::support::frames::{BINARY, CLOSE, PING, PONG, RawSocket, TEXT, frame, header};
use crate::support::wait_until;
use serde_json::{Value, json};
use std::sync::mpsc::{Sender, channel};
use std::time::Duration;
use tidings::server::Subscription;

/// Everything is parsed by workers, everything where it is read, and a mixture.
const INLINE_PARSE_BYTES: [usize; 3] = [0, usize::MAX, 60];

fn start(inline_parse_bytes: usize) -> TestServer {
    TestServer::start(|config| {
        config.server.inline_parse_bytes = inline_parse_bytes;
        config.server.workers = 2;
        config.websocket.binary = false;
        config.websocket.message_bytes = 4096;
        config.websocket.fragments = 4;
    })
}

/// What ends a connection, and the code and the beginning of the reason that it is closed with.
fn endings() -> Vec<(&'static str, Vec<u8>, Option<u16>)> {
    let first_fragment = 0x01;
    let fragments: Vec<u8> =
        frame(first_fragment, b"\"").into_iter().chain((0..6).flat_map(|_| frame(0x00, b"x"))).collect();
    vec![
        ("a Close with a code", frame(CLOSE, &1000_u16.to_be_bytes()), Some(1000)),
        ("a Close without one", frame(CLOSE, b""), None),
        ("a Close that is wrong", frame(CLOSE, b"x"), Some(1002)),
        ("an unknown opcode", frame(0x83, b"x"), Some(1002)),
        ("a reserved bit", frame(TEXT | 0x40, b"x"), Some(1002)),
        ("no mask", vec![TEXT, 1, b'x'], Some(1002)),
        ("a binary message", frame(BINARY, b"{\"method\":\"GET\",\"path\":\"/livez\"}\n"), Some(1003)),
        ("text that is not UTF-8", frame(TEXT, b"\"\xff\""), Some(1007)),
        ("a message that is too big", frame(TEXT, &[b'1'; 5000]), Some(1009)),
        ("the head of one", header(TEXT, 1 << 30), Some(1009)),
        ("too many fragments", fragments, Some(1008)),
    ]
}

/// Requests of several kinds and sizes; each is answered by its id, or by an array of ids.
fn requests(name: &str) -> Vec<(String, Value)> {
    let path = format!("/channels/{name}");
    let pad = "x".repeat(200);
    vec![
        (json!({"id": 1, "method": "GET", "path": path}).to_string(), json!(1)),
        (json!({"id": 2, "method": "POST", "path": path, "data": pad}).to_string(), json!(2)),
        (json!({"id": 3, "method": "GET", "path": "/livez"}).to_string(), json!(3)),
        (
            json!([{"id": 4, "method": "GET", "path": path, "once": true, "last": 5},
                   {"id": 5, "method": "POST", "path": path, "data": 1}])
            .to_string(),
            json!([4, 5]),
        ),
        (json!({"id": 6, "method": "POST", "path": "/channels/*", "data": 1}).to_string(), json!(6)),
        (json!({"id": 7, "method": "DELETE", "path": format!("/subscriptions/{name}")}).to_string(), json!(7)),
    ]
}

/// The ids that answers have up to the Close, and the Close's code and reason.
fn answered(socket: &mut RawSocket) -> (Vec<Value>, Option<u16>, String) {
    let mut ids = Vec::new();
    loop {
        let (first, payload) = socket.next().expect("a Close comes before the end");
        match first {
            TEXT => {
                let value: Value = serde_json::from_slice(&payload).expect("JSON");
                match value {
                    Value::Array(answers) => ids.push(answers.iter().map(|answer| answer["id"].clone()).collect()),
                    answer if answer.get("status").is_some() => ids.push(answer["id"].clone()),
                    _push => {}
                }
            }
            CLOSE => {
                let code = payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                assert_eq!(socket.next(), None, "nothing follows the Close");
                return (ids, code, String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned());
            }
            PONG => {}
            other => panic!("a frame of kind {other:#x}"),
        }
    }
}

#[test]
fn what_was_read_before_a_close_or_a_fault_is_answered_before_the_close() {
    for inline_parse_bytes in INLINE_PARSE_BYTES {
        let server = start(inline_parse_bytes);
        for (index, (what, ending, code)) in endings().into_iter().enumerate() {
            let requests = requests(&format!("c{index}"));
            let expected: Vec<Value> = requests.iter().map(|(_, ids)| ids.clone()).collect();
            let mut bytes: Vec<u8> = requests.iter().flat_map(|(text, _)| frame(TEXT, text.as_bytes())).collect();
            bytes.extend(frame(PING, b"?"));
            bytes.extend(ending);
            // What stands after the last word counts for nothing.
            bytes.extend(frame(TEXT, br#"{"id":99,"method":"POST","path":"/channels/never","data":1}"#));
            for size in [usize::MAX, 1000, 97] {
                let mut socket = RawSocket::open(server.address(), "/ws");
                // A refused client's socket may be closed before it has sent everything.
                for piece in bytes.chunks(size.min(bytes.len())) {
                    if std::io::Write::write_all(&mut socket.raw.stream, piece).is_err() {
                        break;
                    }
                }
                let (ids, closed_with, reason) = answered(&mut socket);
                let context = format!("{what}, in pieces of {size}, inline below {inline_parse_bytes}: {reason}");
                assert_eq!((&ids, closed_with), (&expected, code), "{context}");
            }
        }
        let never = crate::support::http::get(server.address(), "/channels/never").json();
        assert_eq!(never["offset"], 0, "nothing after a Close is executed");
    }
}

#[test]
fn a_client_that_says_goodbye_and_ends_its_output_gets_its_answers_first() {
    for inline_parse_bytes in INLINE_PARSE_BYTES {
        let server = start(inline_parse_bytes);
        for with_close in [true, false] {
            let mut socket = RawSocket::open(server.address(), "/ws");
            let requests = requests(&format!("end-{with_close}"));
            let expected: Vec<Value> = requests.iter().map(|(_, ids)| ids.clone()).collect();
            let mut bytes: Vec<u8> = requests.iter().flat_map(|(text, _)| frame(TEXT, text.as_bytes())).collect();
            if with_close {
                bytes.extend(frame(CLOSE, &1000_u16.to_be_bytes()));
            }
            socket.raw.send(&bytes);
            socket.raw.end_output();
            if with_close {
                let (ids, code, _) = answered(&mut socket);
                assert_eq!((ids, code), (expected, Some(1000)), "inline below {inline_parse_bytes}");
                continue;
            }
            // Without a Close there is none in return, but what was asked is answered all the same.
            let mut ids = Vec::new();
            while let Some((_, payload)) = socket.next() {
                match serde_json::from_slice(&payload).expect("JSON") {
                    Value::Array(answers) => ids.push(answers.iter().map(|answer| answer["id"].clone()).collect()),
                    answer if answer.get("status").is_some() => ids.push(answer["id"].clone()),
                    _push => {}
                }
            }
            assert_eq!(ids, expected, "inline below {inline_parse_bytes}");
        }
    }
}

/// A subscription that takes nothing out of its mailbox until it is released, or dropped, also when a test fails.
struct Stuck {
    /// Ended before the subscription, whose end waits for the callback.
    gate: Sender<()>,
    subscription: Subscription,
}

impl Stuck {
    fn reading(server: &TestServer, channel_name: &str) -> Stuck {
        let (gate, released) = channel::<()>();
        let subscription = server.subscribe(channel_name, move |_| {
            // An error is the release.
            let _ = released.recv();
        });
        let subscription = subscription.expect("a channel's name");
        Stuck { gate, subscription }
    }

    /// Lets it take everything; the subscription is returned and stays until it is dropped.
    fn release(self) -> Subscription {
        drop(self.gate);
        self.subscription
    }
}

/// A publication that waits for room in somebody's mailbox is answered before the fault after it is.
#[test]
fn a_request_that_waits_for_room_is_answered_before_the_close() {
    for inline_parse_bytes in [0, usize::MAX] {
        let server = TestServer::start(|config| {
            config.delivery.mailbox_entries = 2;
            config.server.publish_wait = Duration::from_millis(200);
            config.server.inline_parse_bytes = inline_parse_bytes;
        });
        let _reader = Stuck::reading(&server, "full");
        let mut socket = RawSocket::open(server.address(), "/ws");
        let post = |id: u64| json!({"id": id, "method": "POST", "path": "/channels/full", "data": id}).to_string();
        let mut bytes: Vec<u8> = (1..=3).flat_map(|id| frame(TEXT, post(id).as_bytes())).collect();
        bytes.extend(frame(0x83, b"no such opcode"));
        socket.raw.send(&bytes);
        let (ids, code, reason) = answered(&mut socket);
        assert_eq!((ids, code), (vec![json!(1), json!(2), json!(3)], Some(1002)), "{reason}");
        assert!(server.metric("tidings_publish_waits_total") >= 1.0, "something had to wait");
    }
}

/// A drain is no excuse: who waits for an answer when the server stops has it before the goodbye.
#[test]
fn what_waits_for_room_when_the_server_stops_is_answered_before_the_goodbye() {
    for inline_parse_bytes in [0, usize::MAX] {
        let server = TestServer::start(|config| {
            config.delivery.mailbox_entries = 2;
            config.server.publish_wait = Duration::from_millis(500);
            config.server.inline_parse_bytes = inline_parse_bytes;
        });
        let reader = Stuck::reading(&server, "full");
        let mut socket = RawSocket::open(server.address(), "/ws");
        let mut sent = Vec::new();
        while server.metric("tidings_publish_waits_total") < 1.0 {
            let id = sent.len() as u64 + 1;
            let post = json!({"id": id, "method": "POST", "path": "/channels/full", "data": id}).to_string();
            socket.send(TEXT, post.as_bytes());
            sent.push(json!(id));
            wait_until("it is published or waits", || {
                server.hub().stats().published == id || server.metric("tidings_publish_waits_total") >= 1.0
            });
        }
        let stopping = std::thread::spawn(move || server.stop(Duration::from_secs(10)));
        let (ids, code, _) = answered(&mut socket);
        let _kept = reader.release();
        assert_eq!(ids, sent, "inline below {inline_parse_bytes}");
        assert!(matches!(code, Some(1001 | 1012)), "{code:?}");
        drop(socket);
        assert_eq!(stopping.join().expect("it stops"), 0);
    }
}
