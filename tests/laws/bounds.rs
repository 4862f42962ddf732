//! Laws 5 to 7: limits, memory, whole frames, and readers that do not read.

use crate::support::frames::{BINARY, handshake, header};
use crate::support::http::HttpClient;
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{PATIENCE, TestServer, http, wait_until};
use serde_json::json;
use std::time::Duration;
use tungstenite::Message;

#[test]
fn one_connection_subscribes_to_as_many_channels_as_it_may() {
    let server = TestServer::start(|config| config.channels.per_connection = 3);
    let mut client = WsClient::connect(server.address());
    for n in 0..3 {
        client.subscribe(&format!("c{n}"));
    }
    let fourth = json!({"method": "GET", "path": "/channels/c3"});
    let refused = client.request(fourth.clone());
    assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(429), &json!("too_many_subscriptions")));
    assert_eq!(server.hub().stats().interest, 3, "what was refused is not counted");
    client.subscribe("c0");
    assert_eq!(server.hub().stats().interest, 3, "the same channel again is no further one");
    client.request(json!({"method": "DELETE", "path": "/subscriptions/c0"}));
    assert_eq!(client.request(fourth)["status"], 200);
}

#[test]
fn a_channel_too_many_is_refused_and_the_others_go_on() {
    let server = TestServer::start(|config| {
        config.channels.total = 2;
        config.channels.per_connection = 2;
    });
    let post = |name: &str| http::post(server.address(), &format!("/channels/{name}"), "1");
    assert_eq!((post("a").status, post("b").status), (200, 200));
    let refused = post("c");
    assert_eq!((refused.status, refused.code().as_str(), refused.says_when()), (503, "channels_full", true));
    let mut client = WsClient::connect(server.address());
    let answer = client.request(json!({"method": "GET", "path": "/channels/c"}));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(503), &json!("channels_full")));
    assert_eq!(post("a").json()["offset"], 2);
}

/// B4: it took one publisher a second to stop everybody's publishing for as long as a history is kept.
#[test]
fn a_full_history_delivers_on_says_what_is_not_kept_and_nobody_else_loses_any() {
    let server = TestServer::start(|config| {
        config.history.total_bytes = 40_000;
        config.history.bytes = 40_000;
        config.history.count = 10;
        config.history.replay_bytes = 40_000;
    });
    let body = format!("\"{}\"", "x".repeat(3_000));
    for _ in 0..10 {
        assert_eq!(http::post(server.address(), "/channels/old", &body).json().get("kept"), None);
    }
    let (mut reader, mut publisher) = (WsClient::connect(server.address()), WsClient::connect(server.address()));
    let at = reader.subscribe("young");
    let since = format!("{}:0", at["epoch"].as_str().expect("an epoch"));
    let large = format!("\"{}\"", "y".repeat(30_000));
    let answer = http::post(server.address(), "/channels/young", &large);
    let whole = json!({"channel": "young", "epoch": at["epoch"], "offset": 1, "kept": false});
    assert_eq!((answer.status, answer.json()), (200, whole));
    let data: serde_json::Value = serde_json::from_str(&large).expect("JSON");
    let answer = publisher.post("young", &data);
    assert_eq!((&answer["status"], &answer["offset"], &answer["kept"]), (&json!(200), &json!(2), &json!(false)));
    for offset in 1..=2 {
        let push = reader.next_json();
        assert_eq!((&push["offset"], &push["data"]), (&json!(offset), &data), "whoever listens gets it");
    }
    let resumed = http::get(server.address(), &format!("/channels/young?since={since}")).json();
    assert_eq!((&resumed["recovered"], &resumed["offset"]), (&json!(false), &json!(2)), "no silent hole: {resumed}");
    let kept = http::get(server.address(), "/channels/old").json();
    assert_eq!(kept["publications"].as_array().map(Vec::len), Some(10), "the others keep theirs");
    assert_eq!(http::post(server.address(), "/channels/old", &body).json().get("kept"), None, "its own oldest went");
    assert_eq!(server.metric("tidings_publications_not_kept_total"), 2.0);
    let small = http::post(server.address(), "/channels/young", "1").json();
    assert_eq!((&small["offset"], small.get("kept")), (&json!(3), None), "what fits is kept");
}

#[test]
fn memory_follows_bytes_received_and_not_bytes_announced() {
    const CONNECTIONS: usize = 1_000;
    let process = Process::start(&["--reactors", "1", "--workers", "1"]);
    let mut sockets: Vec<RawClient> = (0..CONNECTIONS).map(|_| RawClient::connect(process.address)).collect();
    for socket in &mut sockets {
        socket.send(handshake("/ws", &[]));
        socket.read_until(b"\r\n\r\n");
    }
    let before = process.pss();
    let bytes_in = || {
        let page = http::get_as_operator(process.address, "/metrics").text();
        let line = page.lines().find(|line| line.starts_with("tidings_bytes_total{direction=\"in\"}")).expect("a line");
        line.rsplit(' ').next().and_then(|digits| digits.parse::<usize>().ok()).expect("a number")
    };
    let start = bytes_in();
    for socket in &mut sockets {
        socket.send([header(BINARY, 60 * 1024), b"x".to_vec()].concat());
    }
    wait_until("everything is read", || bytes_in() >= start + 9 * CONNECTIONS);
    let each = process.pss().saturating_sub(before) / CONNECTIONS;
    println!("a frame of 60 KiB announced and one byte sent: {each} bytes each");
    assert!(each < 1024, "{each} bytes for each frame that was only announced");
}

#[test]
fn a_pong_never_lands_inside_a_push() {
    let server = TestServer::start(|config| config.delivery.outbox_bytes = 64 * 1024 * 1024);
    let mut client = WsClient::connect(server.address());
    client.subscribe("large");
    let body = format!("\"{}\"", "x".repeat(1_000_000));
    for n in 0..12_u8 {
        assert_eq!(http::post(server.address(), "/channels/large", &body).status, 200);
        client.socket.send(Message::Ping(vec![n].into())).expect("the server reads");
    }
    let (mut pushes, mut pongs) = (0, 0_u8);
    while (pushes, pongs) != (12, 12) {
        match client.socket.read().expect("only whole frames come") {
            Message::Pong(payload) => {
                assert_eq!(payload[..], [pongs]);
                pongs += 1;
            }
            Message::Text(text) => {
                assert_eq!(
                    text.len(),
                    body.len() + format!("{{\"channel\":\"large\",\"offset\":{},\"data\":}}", pushes + 1).len()
                );
                pushes += 1;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_reader_that_never_reads_is_closed_while_the_others_get_everything() {
    let server = TestServer::start(|config| config.websocket.close_wait = Duration::from_secs(20));
    let mut sleeper = WsClient::connect(server.address());
    sleeper.subscribe("fast");
    let (taken, reads) = std::sync::mpsc::channel::<u64>();
    let reader = {
        let mut client = WsClient::connect(server.address());
        client.subscribe("fast");
        std::thread::spawn(move || {
            for offset in 1..=300 {
                assert_eq!(client.next_json()["offset"], offset);
                taken.send(offset).expect("the test listens");
            }
        })
    };
    let body = format!("\"{}\"", "x".repeat(60_000));
    for n in 0..300 {
        server.publish("fast", &body).expect("there is room");
        // It reads, so it keeps up with somebody who does not run away.
        if n >= 8 {
            reads.recv_timeout(PATIENCE).expect("it reads");
        }
    }
    reader.join().expect("it gets everything");
    // What had begun is ended, and then comes the reason: no frame is cut in two.
    let close = sleeper.read_close().expect("a reason");
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1008, "slow_consumer"));
    drop(sleeper);
    wait_until("it is gone", || server.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}") == 1.0);
    wait_until("its memory too", || server.metric("tidings_outbound_bytes") == 0.0);
}

/// Each of them is below its own limit when they are over it together.
#[test]
fn the_global_budget_bounds_what_all_slow_readers_hold_together() {
    const BUDGET: usize = 4 * 1024 * 1024;
    const SLEEPERS: usize = 20;
    let server = TestServer::start(|config| {
        config.delivery.outbox_bytes = BUDGET;
        config.delivery.mailbox_bytes = BUDGET;
        config.websocket.echo_message_bytes = 1024 * 1024;
        config.delivery.outbound_total_bytes = BUDGET;
        config.server.publish_wait = Duration::from_millis(20);
    });
    let mut sleepers: Vec<WsClient> = (0..SLEEPERS).map(|_| WsClient::connect(server.address())).collect();
    sleepers.iter_mut().for_each(|client| drop(client.subscribe("fast")));
    let body = format!("\"{}\"", "x".repeat(60_000));
    let (mut most, mut busy) = (0.0_f64, 0);
    let cut = || server.metric("tidings_connections_closed_total{reason=\"outbound_budget\"}");
    for n in 0..1_000 {
        busy += usize::from(server.publish("fast", &body).is_err());
        if n % 10 == 0 {
            most = most.max(server.metric("tidings_outbound_bytes"));
            if server.metric("tidings_connections{transport=\"websocket\"}") == 0.0 {
                break;
            }
        }
    }
    println!("at most {most} bytes of {BUDGET}; {busy} publications were refused");
    assert!(most <= (BUDGET + SLEEPERS * 61_000 + 1_000_000) as f64, "{most} bytes");
    drop(sleepers);
    wait_until("the memory is back", || server.metric("tidings_outbound_bytes") == 0.0);
    assert!(cut() >= 1.0, "somebody was cut off for the budget");
}

/// A body as large as an outbox is more than it holds once it is base64, and was taken for the backlog of a slow reader.
#[test]
fn a_publication_larger_than_the_outbox_reaches_a_reader_that_was_up_to_date() {
    // So large that a part which the kernel takes at once makes no difference.
    const LIMIT: usize = 16 << 20;
    let server = TestServer::start(|config| {
        config.http.body_bytes = LIMIT;
        config.delivery.outbox_bytes = LIMIT;
    });
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    // A small window, so that the kernel cannot take it all at once.
    socket.set_recv_buffer_size(8 * 1024).expect("a window");
    socket.connect(&server.address().into()).expect("the server accepts");
    let mut reader = RawClient::on(socket.into());
    reader.send("GET /channels/large HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
    reader.read_until(b"event: position\n");
    let body = vec![0xff; LIMIT];
    let fields = [("Content-Type", "application/octet-stream")];
    let answer = HttpClient::connect(server.address()).request("POST", "/channels/large", &fields, &body);
    assert_eq!(answer.status, 200, "{}", answer.text());
    wait_until("it waits in the outbox", || server.metric("tidings_outbox_bytes") > LIMIT as f64);
    assert_eq!(http::post(server.address(), "/channels/other", "1").status, 200);
    while !reader.received.ends_with(b"\"}\n\n\r\n") {
        assert_ne!(reader.read_more(), 0, "the stream ended in the middle of the publication");
    }
    assert_eq!(server.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}"), 0.0);
}
