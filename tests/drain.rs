//! The drain: everybody is told in their own way, what was asked is answered, nobody delays the end for ever.

use crate::support::http::{HttpClient, get, request_bytes};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, wait_until, with_one_and_two_reactors};
use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// Longer than any drain here takes: a test that needs it has failed.
const LONG: Duration = Duration::from_secs(60);

/// A server whose own deadlines are all far away, so that nothing but what is tested ends a connection.
fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| {
        config.server.reactors = reactors;
        config.websocket.close_wait = LONG;
        config.http.head_timeout = LONG;
        config.http.body_timeout = LONG;
    })
}

/// Stops the server on a thread of its own; returns when it no longer accepts.
fn begin_stop(server: TestServer, drain: Duration) -> JoinHandle<usize> {
    let address = server.address();
    let stopping = std::thread::spawn(move || server.stop(drain));
    wait_until("new connections are refused", || is_refused(address));
    stopping
}

/// A client whose request the server waits for: it has to send four bytes more, and does not.
fn awaited_for_its_body(process: &Process) -> HttpClient {
    let mut client = HttpClient::connect(process.address);
    client
        .raw
        .send("POST /channels/d HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
    assert_eq!(client.read_answer(false).status, 100);
    client
}

fn is_refused(address: SocketAddr) -> bool {
    match TcpStream::connect(address) {
        Ok(_) => false,
        Err(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
    }
}

/// Bytes that the server has read, the question included.
fn bytes_read(server: &TestServer) -> usize {
    server.metric("tidings_bytes_total{direction=\"in\"}") as usize
}

/// Waits until the server has read so many bytes more than `before`, besides those of the questions.
fn wait_for_bytes(server: &TestServer, before: usize, bytes: usize) {
    let question = request_bytes("GET", "/metrics", &[OPERATOR], b"").len();
    let mut expected = before + bytes;
    wait_until("the bytes are read", || {
        expected += question;
        bytes_read(server) >= expected
    });
}

#[test]
fn a_drain_is_over_as_soon_as_the_last_connection_is_gone() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut idle = HttpClient::connect(server.address());
        assert!(idle.is_kept());
        let began = Instant::now();
        let stopping = begin_stop(server, LONG);
        assert!(idle.is_ended());
        drop(idle);
        assert_eq!(stopping.join().expect("no panic"), 0);
        assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    });
}

#[test]
fn a_request_whose_body_is_half_sent_is_answered_and_its_connection_ends() {
    with_one_and_two_reactors(|reactors| {
        for framing in ["Content-Length: 4\r\n\r\n12", "Transfer-Encoding: chunked\r\n\r\n4\r\n12"] {
            let server = start(reactors);
            let mut client = HttpClient::connect(server.address());
            assert!(client.is_kept());
            let before = bytes_read(&server);
            let half = format!("POST /channels/d HTTP/1.1\r\nHost: localhost\r\n{framing}");
            client.raw.send(&half);
            wait_for_bytes(&server, before, half.len());
            let stopping = begin_stop(server, LONG);
            let answer = client.exchange(if framing.contains("chunked") { "34\r\n0\r\n\r\n" } else { "34" });
            assert_eq!((answer.status, answer.field("Connection")), (200, Some("close")));
            assert_eq!(answer.json()["offset"], 1);
            assert!(client.is_ended());
            drop(client);
            assert_eq!(stopping.join().expect("no panic"), 0);
        }
    });
}

#[test]
fn a_request_whose_head_has_begun_is_answered_too_and_readyz_says_503_by_then() {
    with_one_and_two_reactors(|reactors| {
        for (target, status) in [("/readyz", 503), ("/livez", 200), ("/channels/d", 200)] {
            let server = start(reactors);
            let mut client = HttpClient::connect(server.address());
            assert_eq!(client.request("GET", "/readyz", &[], b"").status, 200);
            let before = bytes_read(&server);
            let begun = format!("GET {target} HTTP/1.1\r\n");
            client.raw.send(&begun);
            wait_for_bytes(&server, before, begun.len());
            let stopping = begin_stop(server, LONG);
            let answer = client.exchange("Host: localhost\r\n\r\n");
            assert_eq!((answer.status, answer.field("Connection")), (status, Some("close")), "{target}");
            if status == 503 {
                assert_eq!((answer.code().as_str(), answer.says_when()), ("server_shutdown", true));
            }
            assert!(client.is_ended());
            drop(client);
            assert_eq!(stopping.join().expect("no panic"), 0);
        }
    });
}

#[test]
fn a_stream_whose_head_ends_during_the_drain_is_refused_in_a_stream() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut client = HttpClient::connect(server.address());
        let before = bytes_read(&server);
        let begun = "GET /channels/d HTTP/1.1\r\nAccept: text/event-stream\r\n";
        client.raw.send(begun);
        wait_for_bytes(&server, before, begun.len());
        let stopping = begin_stop(server, LONG);
        client.raw.send("Host: localhost\r\n\r\n");
        let text = String::from_utf8(client.raw.read_to_end().to_vec()).expect("UTF-8");
        assert!(text.starts_with("HTTP/1.1 200 OK\r\n"), "a browser gives up on any other: {text}");
        assert!(text.contains("\nevent: refused\ndata: {\"code\":\"server_shutdown\",\"message\":\""), "{text}");
        assert!(text.contains("\r\n\r\n") && text.contains("retry: ") && text.ends_with("\r\n0\r\n\r\n"), "{text}");
        drop(client);
        assert_eq!(stopping.join().expect("no panic"), 0);
    });
}

#[test]
fn a_handshake_during_the_drain_is_refused_by_status_or_by_close_for_browsers() {
    with_one_and_two_reactors(|reactors| {
        for browser in [false, true] {
            let server = start(reactors);
            let mut client = HttpClient::connect(server.address());
            let before = bytes_read(&server);
            let begun = "GET /ws HTTP/1.1\r\nHost: localhost\r\n";
            client.raw.send(begun);
            wait_for_bytes(&server, before, begun.len());
            let stopping = begin_stop(server, LONG);
            let origin = if browser { "Origin: http://localhost:1\r\n" } else { "" };
            let answer = client.exchange(format!(
                "{origin}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ));
            if browser {
                assert_eq!(answer.status, 101);
                let close = b"\x88\x11\x03\xf4server_shutdown";
                client.raw.read_until(close);
                assert_eq!(client.raw.read_to_end(), close);
            } else {
                assert_eq!((answer.status, answer.code().as_str()), (503, "server_shutdown"));
                assert!(client.is_ended());
            }
            drop(client);
            assert_eq!(stopping.join().expect("no panic"), 0);
        }
    });
}

#[test]
fn a_publisher_that_waits_for_room_gets_its_answer_before_the_end() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.publish_wait = LONG;
            config.delivery.mailbox_entries = 2;
        });
        let (go_on, wait) = mpsc::channel::<()>();
        let subscription = server.subscribe("d", move |_| assert!(wait.recv().is_err())).expect("subscribed");
        let mut client = HttpClient::connect(server.address());
        for _ in 0..2 {
            assert_eq!(client.request("POST", "/channels/d", &[], b"1").status, 200);
        }
        client.raw.send(request_bytes("POST", "/channels/d", &[], b"1"));
        wait_until("it waits", || server.metric("tidings_publish_waits_total") > 0.0);
        let stopping = begin_stop(server, LONG);
        drop(go_on);
        let answer = client.read_answer(false);
        assert_eq!((answer.status, &answer.json()["offset"]), (200, &3.into()));
        assert!(client.is_ended());
        drop(client);
        assert_eq!(stopping.join().expect("no panic"), 0);
        drop(subscription);
    });
}

#[test]
fn a_stream_ends_with_its_last_chunk() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut stream = RawClient::connect(server.address());
        stream.send(request_bytes("GET", "/channels/d", &[("Accept", "text/event-stream")], b""));
        stream.read_until(b"event: position\n");
        for n in 1..=500 {
            server.publish("d", n.to_string()).expect("published");
        }
        let stopping = begin_stop(server, LONG);
        let text = String::from_utf8(stream.read_to_end().to_vec()).expect("UTF-8");
        for n in 1..=500 {
            assert!(text.contains(&format!("\ndata: {n}\n\n")), "{n} is missing");
        }
        let (_, last) = text.rsplit_once("data: 500\n\n\r\n").expect("the last publication");
        // When to come back, and the end.
        assert!(last.contains("\r\nretry: ") && last.ends_with("\n\n\r\n0\r\n\r\n"), "{last:?}");
        drop(stream);
        assert_eq!(stopping.join().expect("no panic"), 0);
    });
}

#[test]
fn a_socket_gets_what_is_queued_and_then_a_close_with_1012() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut sockets: Vec<WsClient> = (0..4).map(|_| WsClient::connect(server.address())).collect();
        sockets.iter_mut().for_each(|socket| drop(socket.subscribe("d")));
        let data = format!("\"{}\"", "x".repeat(1000));
        for _ in 0..500 {
            server.publish("d", &data).expect("published");
        }
        let stopping = begin_stop(server, LONG);
        for socket in &mut sockets {
            for offset in 1..=500 {
                assert_eq!(socket.next_json()["offset"], offset);
            }
            let close = socket.read_close().expect("a Close with a code");
            assert_eq!((u16::from(close.code), close.reason.as_str()), (1012, "server_shutdown"));
            // Reading on sends the answer to the Close and finds the end.
            assert!(socket.socket.read().is_err());
        }
        drop(sockets);
        assert_eq!(stopping.join().expect("no panic"), 0);
    });
}

#[test]
fn who_does_not_read_is_cut_off_when_the_drain_is_over_and_counted() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.websocket.close_wait = LONG;
            config.delivery.outbox_bytes = 64 << 20;
            config.delivery.mailbox_bytes = 64 << 20;
        });
        let mut slow: Vec<WsClient> = (0..3).map(|_| WsClient::connect(server.address())).collect();
        slow.iter_mut().for_each(|socket| drop(socket.subscribe("d")));
        let data = format!("\"{}\"", "x".repeat(500_000));
        for _ in 0..40 {
            server.publish("d", &data).expect("published");
        }
        wait_until("bytes wait for the slow", || server.metric("tidings_outbox_bytes") > 3e6);
        let began = Instant::now();
        let stopping = begin_stop(server, Duration::from_millis(300));
        assert_eq!(stopping.join().expect("no panic"), 3);
        let took = began.elapsed();
        assert!((Duration::from_millis(300)..Duration::from_secs(10)).contains(&took), "{took:?}");
    });
}

#[test]
fn readyz_says_503_at_once_while_the_port_stays_open_for_the_delay() {
    let process = Process::start_by(&[], 1024, "[server]\ndrain_delay = \"1h\"\n", &["--reactors", "2"]);
    let mut old = WsClient::connect(process.address);
    assert_eq!(get(process.address, "/readyz").status, 200);
    process.signal("TERM");
    wait_until("it is not ready", || get(process.address, "/readyz").status == 503);
    // Both reactors know, and everything else goes on.
    for _ in 0..20 {
        let answer = get(process.address, "/readyz");
        assert_eq!((answer.status, answer.code().as_str()), (503, "server_shutdown"));
        assert_eq!(get(process.address, "/livez").status, 200);
    }
    old.subscribe("d");
    let mut new = WsClient::connect(process.address);
    new.subscribe("d");
    assert_eq!(crate::support::http::post(process.address, "/channels/d", "1").status, 200);
    assert_eq!((old.next_json()["offset"].clone(), new.next_json()["offset"].clone()), (1.into(), 1.into()));
    process.signal("TERM");
    let (status, log) = process.wait();
    assert!(status.code().is_some_and(|code| code != 0), "the second signal waits for no delay: {log}");
}

#[test]
fn after_the_delay_everybody_is_told_and_the_end_is_clean() {
    let delay = Duration::from_millis(400);
    let process = Process::start_by(&[], 1024, "[server]\ndrain_delay = \"400ms\"\n", &["--reactors", "2"]);
    let mut socket = WsClient::connect(process.address);
    let began = Instant::now();
    process.signal("TERM");
    assert_eq!(socket.read_close().map(|close| u16::from(close.code)), Some(1012));
    assert!(began.elapsed() >= delay, "{:?}", began.elapsed());
    assert!(socket.socket.read().is_err());
    drop(socket);
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drained 1 connections, cut 0"), "{log}");
}

#[test]
fn goodbyes_are_spread_evenly_and_those_who_wait_for_theirs_hear_on() {
    const SOCKETS: u32 = 20;
    let spread = Duration::from_secs(1);
    let server = TestServer::start(|config| config.server.drain_spread = spread);
    let mut sockets: Vec<WsClient> = (0..SOCKETS).map(|_| WsClient::connect(server.address())).collect();
    sockets.iter_mut().for_each(|socket| drop(socket.subscribe("d")));
    let mut client = HttpClient::connect(server.address());
    client.raw.send(b"POST /channels/d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n");
    let began = Instant::now();
    let stopping = std::thread::spawn(move || server.stop(LONG));
    for (place, socket) in (0..SOCKETS).zip(&mut sockets) {
        // None of them heeds it.
        let advised = socket.next_json()["after_ms"].as_u64().map(Duration::from_millis).expect("when to leave");
        if place == 1 {
            // The first has gone: what is published now reaches the others before their own Close.
            assert_eq!(client.exchange("1").status, 200);
        }
        if place > 1 {
            assert_eq!(socket.next_json()["offset"], 1, "socket {place}");
        }
        while let Ok(message) = socket.socket.read() {
            if let tungstenite::Message::Close(close) = message {
                assert_eq!(close.map(|close| u16::from(close.code)), Some(1012));
            }
        }
        // Later than it was advised to leave, so that one that heeds it is never closed before.
        let due = advised;
        assert!(
            began.elapsed() >= due.saturating_sub(Duration::from_millis(1)),
            "socket {place}: {:?}",
            began.elapsed()
        );
    }
    drop((sockets, client));
    assert_eq!(stopping.join().expect("no panic"), 0);
}

#[test]
fn those_that_ignore_their_close_are_cut_a_second_after_the_last_that_did_not() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut deaf: Vec<WsClient> = (0..3).map(|_| WsClient::connect(server.address())).collect();
        deaf.iter_mut().for_each(|socket| drop(socket.subscribe("d")));
        let began = Instant::now();
        let stopping = begin_stop(server, LONG);
        assert_eq!(stopping.join().expect("no panic"), 0, "they have everything");
        let took = began.elapsed();
        assert!((Duration::from_secs(1)..LONG).contains(&took), "{took:?}");
    });
}

/// A browser that stays open made every restart a failure: it closes idle connections only when it needs one.
#[test]
fn peers_that_have_everything_and_keep_their_side_open_are_no_failure() {
    let process = Process::start(&["--reactors", "2"]);
    let mut idle = HttpClient::connect(process.address);
    assert_eq!(idle.exchange("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
    let mut vanished = WsClient::connect(process.address);
    vanished.subscribe("d");
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("drained 0 connections, cut 2, 0 of them before they had everything"), "{log}");
}

#[test]
fn a_request_in_progress_is_waited_for_though_others_ignore_their_close() {
    let server = start(1);
    let deaf = WsClient::connect(server.address());
    let mut client = HttpClient::connect(server.address());
    assert!(client.is_kept());
    let before = bytes_read(&server);
    let half = "POST /channels/d HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\n1";
    client.raw.send(half);
    wait_for_bytes(&server, before, half.len());
    let stopping = begin_stop(server, LONG);
    // Longer than the deaf alone would be waited for.
    std::thread::sleep(Duration::from_millis(2500));
    assert_eq!(client.exchange("2").status, 200);
    drop(client);
    assert_eq!(stopping.join().expect("no panic"), 0);
    drop(deaf);
}

#[test]
fn the_first_signal_drains_and_the_exit_code_says_that_all_went_well() {
    for signal in ["TERM", "INT"] {
        let process = Process::start(&["--reactors", "2"]);
        let mut socket = WsClient::connect(process.address);
        socket.subscribe("d");
        assert_eq!(get(process.address, "/readyz").status, 200);
        process.signal(signal);
        assert_eq!(socket.read_close().map(|close| u16::from(close.code)), Some(1012));
        assert!(socket.socket.read().is_err());
        drop(socket);
        let (status, errors) = process.wait();
        assert_eq!(status.code(), Some(0), "{errors}");
    }
}

#[test]
fn the_second_signal_ends_at_once_and_the_exit_code_says_so() {
    let process = Process::start(&["--reactors", "2"]);
    let _client = awaited_for_its_body(&process);
    process.signal("TERM");
    wait_until("new connections are refused", || is_refused(process.address));
    let began = Instant::now();
    process.signal("TERM");
    let (status, errors) = process.wait();
    assert_eq!(status.code(), Some(75), "connections were left: {errors}");
    assert!(began.elapsed() < Duration::from_secs(10), "the drain may take 30 s");
}

#[test]
fn signals_that_ask_for_something_else_than_the_end_do_not_end_the_process() {
    let names = ["USR1", "PIPE", "ALRM", "VTALRM", "PROF", "IO", "XFSZ"];
    let process = Process::start(&["--reactors", "1"]);
    let mut socket = WsClient::connect(process.address);
    for name in names {
        process.signal(name);
    }
    socket.subscribe("d");
    process.signal("TERM");
    assert!(socket.read_close().is_some(), "it drains");
    drop(socket);
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(log.contains("signal=SIGUSR1\n"), "{log}");
}

#[test]
fn a_server_that_leaves_is_not_ready_and_serves_until_it_is_ended() {
    let process = Process::start(&["--reactors", "2"]);
    let mut before = WsClient::connect(process.address);
    before.subscribe("d");
    assert_eq!(get(process.address, "/readyz").status, 200);
    process.signal("USR2");
    wait_until("it is not ready", || get(process.address, "/readyz").status == 503);
    // Whichever reactor takes it.
    for _ in 0..8 {
        assert_eq!((get(process.address, "/readyz").status, get(process.address, "/livez").status), (503, 200));
        let mut later = WsClient::connect(process.address);
        assert_eq!(later.post("d", &serde_json::json!(1))["status"], 200);
        assert_eq!(before.next_push()["data"], 1);
    }
    assert_eq!(process.metric("tidings_drain_state{state=\"leaving\"}"), 1.0);
    process.signal("USR2");
    process.signal("TERM");
    assert!(before.read_close().is_some(), "it drains");
    drop(before);
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
}

/// 0, 1, 2, 75 and 78: what scripts and service managers tell apart.
#[test]
fn the_exit_code_says_what_became_of_a_server() {
    let output = |arguments: &[&str]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_tidings"));
        let output = command.arg("serve").args(arguments).output().expect("it runs");
        (output.status.code(), String::from_utf8(output.stderr).expect("UTF-8"))
    };
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let (code, said) = output(&["--listen", &address]);
    assert!(code == Some(1) && said.contains("cannot listen on"), "{said}");
    assert_eq!(output(&["--no-such-flag"]).0, Some(2));
    for wrong in [
        &["--http.headers", "1"][..],
        &["--config", "/nowhere.toml"],
        &["--listen", "0.0.0.0:0"],
        &["--operator-key-file", "/nowhere"],
    ] {
        let (code, said) = output(wrong);
        assert_eq!(code, Some(78), "{wrong:?} {said}");
    }
    // A request that nobody ends, and a drain that waits for nothing.
    let process = Process::start(&["--server.drain_timeout", "0s"]);
    let _client = awaited_for_its_body(&process);
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(75), "{log}");
}
