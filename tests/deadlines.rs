//! Deadlines of HTTP: slow heads and bodies are 408, idle connections end, and nobody else notices.

use crate::support::http::{HttpClient, get, request_bytes};
use crate::support::{PATIENCE, TestServer, wait_until, with_one_and_two_reactors};
use std::io::Write;
use std::time::{Duration, Instant};

const SHORT: Duration = Duration::from_millis(200);
/// Longer than any test waits.
const LONG: Duration = Duration::from_secs(600);

fn start(reactors: usize, head: Duration, body: Duration, idle: Duration) -> TestServer {
    TestServer::start(|config| {
        config.server.reactors = reactors;
        config.http.head_timeout = head;
        config.http.body_timeout = body;
        config.http.idle_timeout = idle;
    })
}

/// Waits for the refusal of a slow client, while a healthy one on the same server is served; it comes neither early nor late.
fn assert_408(server: &TestServer, sent: &str, code: &str) {
    let mut healthy = HttpClient::connect(server.address());
    let mut slow = HttpClient::connect(server.address());
    let began = Instant::now();
    slow.raw.send(sent);
    while began.elapsed() < SHORT {
        assert!(healthy.is_kept());
    }
    let answer = slow.read_answer(false);
    assert!(began.elapsed() < PATIENCE);
    assert_eq!((answer.status, answer.code().as_str()), (408, code), "{sent}");
    assert_eq!(answer.field("Connection"), Some("close"));
    assert!(slow.is_ended());
    assert!(healthy.is_kept());
}

#[test]
fn a_head_that_does_not_end_is_408() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, SHORT, LONG, LONG);
        for sent in ["G", "GET /livez HTTP/1.1\r\n", "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r"] {
            assert_408(&server, sent, "head_timeout");
        }
        assert_eq!(server.metric("tidings_refused_total{reason=\"head_timeout\"}"), 3.0);
    });
}

#[test]
fn a_head_that_drips_is_408_too_since_its_time_counts_from_its_first_byte() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, SHORT, LONG, LONG);
        let mut slow = HttpClient::connect(server.address());
        slow.raw.send("GET /livez HTTP/1.1\r\nHost: localhost\r\nX: ");
        let began = Instant::now();
        // Until the server has had enough; its answer comes while bytes are still sent.
        while slow.raw.is_silent_for(Duration::from_millis(10)) {
            assert!(began.elapsed() < PATIENCE, "a dripping head holds its connection for ever");
            slow.raw.send("x");
        }
        assert_eq!(server.metric("tidings_refused_total{reason=\"head_timeout\"}"), 1.0);
    });
}

#[test]
fn a_body_that_stays_shorter_than_it_said_is_408() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, LONG, SHORT, LONG);
        for framing in [
            "Content-Length: 4\r\n\r\n123",
            "Content-Length: 4\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n",
            "Transfer-Encoding: chunked\r\n\r\n4\r\n1234\r\n",
        ] {
            assert_408(&server, &format!("POST /channels/a HTTP/1.1\r\nHost: localhost\r\n{framing}"), "body_timeout");
        }
        assert_eq!(get(server.address(), "/channels/a").json()["offset"], 0);
    });
}

#[test]
fn a_slow_body_that_comes_in_time_is_published() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, SHORT, LONG, SHORT);
        let mut client = HttpClient::connect(server.address());
        client.raw.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\r\n12");
        // Longer than the deadlines for heads and between requests, which do not count now.
        assert!(client.raw.is_silent_for(3 * SHORT));
        assert_eq!(client.exchange("34").json()["offset"], 1);
    });
}

#[test]
fn a_connection_that_says_nothing_ends_without_a_word() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, SHORT, LONG, LONG);
        let mut mute = HttpClient::connect(server.address());
        assert!(mute.is_ended());
        let server = start(reactors, LONG, LONG, SHORT);
        let mut idle = HttpClient::connect(server.address());
        assert!(idle.is_kept());
        assert!(idle.is_ended());
        assert_eq!(server.metric("tidings_connections_closed_total{reason=\"idle_timeout\"}"), 1.0);
    });
}

/// Asks for far more than the kernel's buffers hold, without reading any of it; how many answers there should be.
fn ask_without_reading(server: &TestServer) -> (HttpClient, usize) {
    server.publish("large", format!("\"{}\"", "x".repeat(200_000))).expect("published");
    let mut client = HttpClient::connect(server.address());
    let requests = 200;
    client.raw.send(request_bytes("GET", "/channels/large", &[], b"").repeat(requests));
    (client, requests)
}

#[test]
fn a_client_that_takes_no_answers_is_asked_for_no_more_requests_and_dropped_in_the_end() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, LONG, SHORT, LONG);
        let (_client, _) = ask_without_reading(&server);
        wait_until("it is dropped", || {
            // One answer at a time waits, however many were asked for.
            assert!(server.metric("tidings_outbox_bytes") < 600_000.0);
            server.metric("tidings_connections_closed_total{reason=\"idle_timeout\"}") == 1.0
        });
        assert!(get(server.address(), "/livez").status == 200);
    });
}

#[test]
fn a_client_that_reads_late_gets_every_answer() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, LONG, LONG, LONG);
        let (mut client, requests) = ask_without_reading(&server);
        wait_until("answers wait", || server.metric("tidings_outbox_bytes") > 0.0);
        for _ in 0..requests {
            let answer = client.read_answer(false);
            assert_eq!((answer.status, answer.body.len() > 200_000), (200, true));
        }
        assert!(client.is_kept());
    });
}

#[test]
fn each_request_has_its_deadlines_for_itself() {
    with_one_and_two_reactors(|reactors| {
        let wait = Duration::from_millis(800);
        let server = start(reactors, wait, wait, wait);
        let mut client = HttpClient::connect(server.address());
        let began = Instant::now();
        // Together far longer than each deadline, each one for itself well within it.
        while began.elapsed() < 2 * wait {
            client.raw.send("POST /channels/a HTTP/1.1\r\nHost: localhost\r\n");
            assert!(client.raw.is_silent_for(wait / 8));
            client.raw.send("Content-Length: 1\r\n\r\n");
            assert!(client.raw.is_silent_for(wait / 8));
            assert_eq!(client.exchange("1").status, 200);
        }
    });
}

#[test]
fn who_was_refused_and_neither_leaves_nor_stops_sending_is_cut_off() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.websocket.close_wait = SHORT;
            config.http.body_timeout = SHORT;
        });
        let mut stayer = HttpClient::connect(server.address());
        let mut sender = HttpClient::connect(server.address());
        assert_eq!(stayer.exchange("NONSENSE\r\n\r\n").status, 400);
        let announced = "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 999999999\r\n\r\n";
        assert_eq!(sender.exchange(announced).status, 413);
        let began = Instant::now();
        // Its answer is not destroyed by what it still sends, but it is not listened to for ever.
        while sender.raw.stream.write_all(&[b'x'; 4096]).is_ok() {
            assert!(began.elapsed() < PATIENCE, "a refused client can send for ever");
        }
        // Nobody but the one who asks.
        wait_until("both are gone", || server.metric("tidings_connections") <= 1.0);
    });
}

#[test]
fn waiting_for_a_refused_client_to_leave_costs_nothing() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, LONG, LONG, LONG);
        let mut stayer = HttpClient::connect(server.address());
        assert_eq!(stayer.exchange("NONSENSE\r\n\r\n").status, 400);
        assert!(stayer.is_ended());
        let before = server.metric("tidings_ticks_total");
        std::thread::sleep(Duration::from_secs(1));
        let ticks = server.metric("tidings_ticks_total") - before;
        // A few for those who ask, and some for deadlines.
        assert!(ticks < 200.0, "{ticks} turns in one second in which nothing happened");
    });
}

/// A client that sends all it has before it reads, as most do, learns why it was refused.
#[test]
fn an_upload_that_is_refused_reads_413_and_no_reset() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.websocket.close_wait = SHORT;
            config.http.body_timeout = LONG;
        });
        let mut client = HttpClient::connect(server.address());
        let size: usize = 4 << 20;
        client.raw.send(format!("POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: {size}\r\n\r\n"));
        // Far longer than a peer that is closed has otherwise.
        for piece in vec![b'x'; size].chunks(64 * 1024) {
            client.raw.send(piece);
            std::thread::sleep(SHORT / 10);
        }
        let answer = client.read_answer(false);
        assert_eq!((answer.status, answer.code().as_str()), (413, "body_too_large"));
        assert!(client.is_ended());
    });
}
