//! Limits of clients over real sockets: what is over them is refused with its own code, the setting, and the time to wait.

mod identified;

use crate::support::frames::RawSocket;
use crate::support::http::{Answer, HttpClient, get, post};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::time::Duration;
use tidings::{Config, ConnectionRate, Counted, LimitsConfig, Rate};

fn rate(text: &str) -> Option<Rate> {
    Rate::parse(text, Counted::Pieces).expect("a rate")
}

fn server(reactors: usize, adjust: impl FnOnce(&mut LimitsConfig)) -> TestServer {
    TestServer::start(|config| {
        config.server.reactors = reactors;
        adjust(&mut config.limits);
    })
}

/// That a refusal over HTTP is this one.
#[track_caller]
fn check(answer: &Answer, code: &str, setting: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (429, code), "{}", answer.text());
    let seconds: u64 = answer.field("Retry-After").expect("when").parse().expect("seconds");
    let ms = answer.json()["error"]["retry_after_ms"].as_u64().expect("the time");
    assert_eq!(seconds, ms.div_ceil(1000), "both say the true time");
    check_message(&answer.json(), setting);
}

/// That a refusal on a socket is this one.
#[track_caller]
fn check_refused(answer: &Value, code: &str, setting: &str) {
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!(code)), "{answer}");
    assert!(answer["error"]["retry_after_ms"].as_u64() > Some(0), "{answer}");
    check_message(answer, setting);
}

#[track_caller]
fn check_message(answer: &Value, setting: &str) {
    let message = answer["error"]["message"].as_str().expect("a message");
    assert!(message.contains(&format!("({setting})")) && message.contains("try again in "), "{message}");
}

#[test]
fn requests_over_the_rate_are_refused_on_a_socket_which_goes_on() {
    with_one_and_two_reactors(|reactors| {
        let server = server(reactors, |limits| limits.connection_requests = ConnectionRate::Set(rate("1/h burst 5")));
        let mut socket = WsClient::connect(server.address());
        let livez = json!({"method": "GET", "path": "/livez"});
        for _ in 0..5 {
            assert_eq!(socket.request(livez.clone())["status"], 200);
        }
        for request in [
            livez.clone(),
            json!({"method": "GET", "path": "/channels/a"}),
            json!({"method": "POST", "path": "/channels/a", "data": 1}),
            json!({"method": "AUTH", "token": OPERATOR_KEY}),
        ] {
            check_refused(&socket.request(request), "too_many_requests", "limits.connection_requests");
        }
        // What cannot be read was read all the same.
        socket.send_text("{");
        check_refused(&socket.next_json(), "too_many_requests", "limits.connection_requests");
        assert_eq!(server.hub().stats().published, 0, "what was refused did not happen");
        assert_eq!(WsClient::connect(server.address()).request(livez)["status"], 200, "another connection");
        assert_eq!(server.metric("tidings_refused_total{reason=\"too_many_requests\"}"), 5.0);
        assert!(server.metric("tidings_limits_busy") >= 1.0);
    });
}

#[test]
fn a_batch_counts_each_of_its_requests_wherever_it_is_executed() {
    // Here, and by a worker.
    for inline_parse_bytes in [usize::MAX, 0] {
        let server = TestServer::start(|config| {
            config.server.inline_parse_bytes = inline_parse_bytes;
            config.limits.connection_requests = ConnectionRate::Set(rate("1/h burst 5"));
        });
        let [read, write] =
            [r#"{"method":"GET","path":"/livez"}"#, r#"{"method":"POST","path":"/channels/a","data":1}"#];
        let batch = format!("[{}]", [read, write].repeat(4).join(","));
        let statuses = |answers: &Value| -> Vec<u64> {
            let all = answers.as_array().unwrap_or_else(|| panic!("{answers}"));
            all.iter().filter_map(|answer| answer["status"].as_u64()).collect()
        };
        let expected = [200, 200, 200, 200, 200, 429, 429, 429];
        let mut socket = WsClient::connect(server.address());
        socket.send_text(&batch);
        assert_eq!(statuses(&socket.next_json()), expected);
        assert_eq!(statuses(&post(server.address(), "/ws", &batch).json()), expected);
        assert_eq!(server.hub().stats().published, 4);
    }
}

#[test]
fn requests_over_http_are_refused_with_the_time_and_the_connection_goes_on() {
    let server = server(1, |limits| limits.connection_requests = ConnectionRate::Set(rate("1/h burst 4")));
    let mut client = HttpClient::connect(server.address());
    for (method, target, body, status) in [
        ("GET", "/channels/a", "", 200),
        ("POST", "/channels/a", "1", 200),
        // What does not get as far as a channel counts as well.
        ("GET", "/nowhere", "", 404),
        ("GET", "/tidings.js", "", 200),
    ] {
        assert_eq!(client.request(method, target, &[], body.as_bytes()).status, status, "{method} {target}");
    }
    for (method, target, body) in [
        ("GET", "/channels/a", ""),
        ("POST", "/channels/a", "1"),
        ("GET", "/nowhere", ""),
        ("GET", "/tidings.js", ""),
        ("OPTIONS", "/channels/a", ""),
        ("GET", "/limits", ""),
    ] {
        let refused = client.request(method, target, &[], body.as_bytes());
        check(&refused, "too_many_requests", "limits.connection_requests");
    }
    assert_eq!(client.request("HEAD", "/channels/a", &[], b"").status, 429);
    assert_eq!(
        (client.request("GET", "/livez", &[], b"").status, client.is_kept()),
        (200, true),
        "probes are answered"
    );
    assert_eq!(client.request("GET", "/channels/a", &[OPERATOR], b"").status, 200, "operators have no limits");
}

#[test]
fn an_event_stream_over_the_rate_says_so_and_comes_back_later() {
    let server = server(1, |limits| limits.connection_requests = ConnectionRate::Set(rate("1/h burst 1")));
    let mut client = HttpClient::connect(server.address());
    assert_eq!(client.request("GET", "/channels/a", &[], b"").status, 200);
    let stream = client.request("GET", "/channels/a", &[("Accept", "text/event-stream")], b"");
    assert_eq!(stream.status, 200, "any other status makes EventSource give up for good");
    let text = stream.text();
    let retry = text.lines().find_map(|line| line.strip_prefix("retry: ")).expect("a time");
    assert!((3_599_000..=3_600_000).contains(&retry.parse::<u64>().expect("a number")), "{text}");
    assert!(text.contains("event: refused") && text.contains("\"code\":\"too_many_requests\""), "{text}");
    assert!(text.contains(",\"retry_after_ms\":3"), "{text}");
    assert!(SseClient::open(server.address(), "a", None).next_block().is_some(), "another connection has its stream");
}

#[test]
fn publications_have_a_rate_of_their_own_on_every_transport() {
    with_one_and_two_reactors(|reactors| {
        let server = server(reactors, |limits| {
            limits.connection_publications = ConnectionRate::Set(rate("1/h burst 2"));
        });
        let code = ("too_many_publications", "limits.connection_publications");
        let mut socket = WsClient::connect(server.address());
        for _ in 0..2 {
            assert_eq!(socket.post("a", &json!(1))["status"], 200);
        }
        check_refused(&socket.post("a", &json!(1)), code.0, code.1);
        socket.send_text("{\"plain\":1}");
        check_refused(&socket.next_json(), code.0, code.1);
        socket.subscribe("a");
        let mut client = HttpClient::connect(server.address());
        for _ in 0..2 {
            assert_eq!(client.request("POST", "/channels/a", &[], b"1").status, 200);
        }
        check(&client.request("POST", "/channels/a", &[], b"1"), code.0, code.1);
        assert_eq!(client.request("GET", "/channels/a", &[], b"").json()["offset"], 4, "reading has no such limit");
    });
}

#[test]
fn by_default_nothing_is_limited_in_open_mode() {
    let server = TestServer::start(|_| ());
    let mut socket = RawSocket::open(server.address(), "/ws");
    let request = r#"{"method":"POST","path":"/channels/a","data":1}"#;
    let batch = format!("[{}]", [request; 100].join(","));
    for _ in 0..30 {
        socket.send(crate::support::frames::TEXT, batch.as_bytes());
        assert!(!socket.next_text().contains("\"status\":429"));
    }
    assert_eq!(server.hub().stats().published, 3000, "more than the default of a connection");
    assert_eq!(server.metric("tidings_limits_busy"), 0.0, "nothing is counted");
}

#[test]
fn limits_by_address_never_hold_for_this_machine() {
    let server = server(1, |limits| {
        limits.address_connections = 1;
        limits.address_new_connections = rate("1/h");
        limits.address_requests = rate("1/h");
        limits.address_publications = rate("1/h");
    });
    let held = WsClient::connect(server.address());
    for _ in 0..5 {
        assert_eq!(
            (post(server.address(), "/channels/a", "1").status, get(server.address(), "/limits").status),
            (200, 200)
        );
    }
    drop(held);
}

/// What one second gives back is allowed after one second: the one test here that waits, for as long as the server says.
#[test]
fn what_is_refused_is_allowed_after_the_time_that_it_says() {
    let server = server(1, |limits| limits.connection_requests = ConnectionRate::Set(rate("20/s burst 1")));
    let mut socket = WsClient::connect(server.address());
    let livez = json!({"method": "GET", "path": "/livez"});
    for _ in 0..5 {
        let mut answer = socket.request(livez.clone());
        if answer["status"] != 200 {
            let wait = answer["error"]["retry_after_ms"].as_u64().expect("the time");
            assert!((1..=50).contains(&wait), "{answer}");
            std::thread::sleep(Duration::from_millis(wait));
            answer = socket.request(livez.clone());
        }
        assert_eq!(answer["status"], 200);
    }
}

#[test]
fn a_rate_that_is_none_is_refused_with_its_place_and_what_is_expected() {
    let wrong = Config::from_toml("t.toml", "[limits]\nuser_requests = \"often\"\nkey_bytes = \"1MB\"\ntracked = 5");
    let problems = wrong.expect_err("three mistakes").to_string();
    for said in [
        "t.toml:2:17: \"limits.user_requests\" must be a rate such as \"100/s\" or \"1000/m burst 200\", or \"off\", not \"often\"",
        "t.toml:3:13: \"limits.key_bytes\" must be a rate such as \"10MB/s\" or \"64KiB/s burst 1MiB\", or \"off\", not \"1MB\"",
        "t.toml:4:11: \"limits.tracked\" must be 1000 to 67108864, not 5",
    ] {
        assert!(problems.contains(said), "{problems}");
    }
}
