//! HTTP/1.1 and 1.0 on real sockets: keep-alive, pipelining, bodies in any pieces, HEAD, OPTIONS, half-closed clients.

use crate::support::http::{Answer, HttpClient, get, get_as_operator, post, request_bytes};
use crate::support::raw::RawClient;
use crate::support::{OPERATOR, TestServer, with_one_and_two_reactors};
use serde_json::json;
use std::time::{Duration, SystemTime};

fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| config.server.reactors = reactors)
}

fn assert_common_fields(answer: &Answer) {
    let date = httpdate::parse_http_date(answer.field("Date").expect("Date")).expect("an HTTP date");
    let off = SystemTime::now().duration_since(date).unwrap_or_else(|error| error.duration());
    assert!(off < Duration::from_secs(60), "{off:?}");
    assert_eq!(answer.field("Vary"), Some("Accept, Origin"));
    // What has a tag may be kept, and asked for again.
    let caching = if answer.field("ETag").is_some() { "private, no-cache" } else { "no-store" };
    assert_eq!(answer.field("Cache-Control"), Some(caching));
    assert_eq!(answer.field("X-Content-Type-Options"), Some("nosniff"));
}

#[test]
fn answers_carry_date_type_length_and_what_caches_need() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        for (target, status, content_type) in [
            ("/channels/a", 200, "application/json"),
            ("/channels", 200, "application/json"),
            ("/livez", 200, "text/plain; charset=utf-8"),
            ("/readyz", 200, "text/plain; charset=utf-8"),
            ("/metrics", 200, "text/plain; version=0.0.4"),
            ("/nothing", 404, "application/json"),
        ] {
            let answer = get_as_operator(server.address(), target);
            assert_eq!(answer.status, status, "{target}");
            assert_common_fields(&answer);
            assert_eq!(answer.field("Content-Type"), Some(content_type), "{target}");
            assert_eq!(answer.field("Content-Length"), Some(answer.body.len().to_string().as_str()));
            assert_eq!(answer.field("X-Accel-Buffering"), None);
            assert_eq!(answer.field("Access-Control-Allow-Origin"), None);
        }
        let posted = post(server.address(), "/channels/a", "1");
        assert_common_fields(&posted);
        assert_eq!(posted.field("Content-Type"), Some("application/json"));
    });
}

#[test]
fn a_stream_says_that_it_is_one_and_that_nobody_may_hold_it_back() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut stream = RawClient::connect(server.address());
        stream.send(request_bytes("GET", "/channels/a", &[("Accept", "text/event-stream")], b""));
        stream.read_until(b"\r\n\r\n");
        let head = String::from_utf8(stream.received.clone()).expect("UTF-8");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        for line in [
            "Content-Type: text/event-stream",
            "Transfer-Encoding: chunked",
            "X-Accel-Buffering: no",
            "Cache-Control: no-store, no-transform",
            "Vary: Accept, Origin",
            "Date: ",
        ] {
            assert!(head.contains(&format!("\r\n{line}")), "{line} is missing in {head}");
        }
        assert!(!head.contains("Content-Length"), "{head}");
        stream.read_until(b"event: position\n");
    });
}

#[test]
fn a_connection_serves_one_request_after_the_other_until_somebody_says_close() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut client = HttpClient::connect(server.address());
        for offset in 1..=20 {
            let answer = client.request("POST", "/channels/kept", &[], b"1");
            assert_eq!(answer.json()["offset"], offset);
            assert_eq!(answer.field("Connection"), None);
        }
        let last = client.request("GET", "/channels/kept?last=1", &[("Connection", "x, CLOSE")], b"");
        assert_eq!((last.status, last.field("Connection")), (200, Some("close")));
        assert!(client.is_ended());
    });
}

#[test]
fn a_request_line_may_follow_one_empty_line_and_name_the_whole_address() {
    let server = start(1);
    let mut client = HttpClient::connect(server.address());
    assert_eq!(client.exchange("\r\nGET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
    assert_eq!(client.exchange("GET http://127.0.0.1:1/livez HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 200);
    assert_eq!(client.exchange("GET http://evil.example/channels/a HTTP/1.1\r\nHost: localhost\r\n\r\n").status, 421);
    assert_eq!(client.exchange("GET /livez HTTP/1.9\r\nHost: localhost\r\n\r\n").status, 200);
    assert!(client.is_kept());
}

/// Ten requests of all kinds with the status of their answers; the channel is empty before and after.
fn mixed_requests() -> Vec<(&'static str, u16)> {
    vec![
        ("GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("POST /channels/p HTTP/1.1\r\nHost: localhost\r\nContent-Length: 7\r\n\r\n{\"n\":1}", 200),
        ("GET /channels/p HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        ("HEAD /channels/p HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (
            "POST /channels/p HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"n\r\n4;x=y\r\n\":2}\r\n0\r\nT: 1\r\n\r\n",
            200,
        ),
        ("GET /nothing HTTP/1.1\r\nHost: localhost\r\n\r\n", 404),
        ("OPTIONS /channels/p HTTP/1.1\r\nHost: localhost\r\n\r\n", 204),
        ("PUT /channels/p HTTP/1.1\r\nHost: localhost\r\n\r\n", 405),
        ("GET /channels/p?last=1 HTTP/1.1\r\nHost: localhost\r\n\r\n", 200),
        (
            "DELETE /channels/p HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer the-key-of-the-tests-0123456789\r\n\r\n",
            200,
        ),
    ]
}

fn assert_mixed_answers(client: &mut HttpClient, round: u64) {
    let mut answers = Vec::new();
    for (request, status) in mixed_requests() {
        let answer = client.read_answer(request.starts_with("HEAD"));
        assert_eq!(answer.status, status, "{request}");
        answers.push(answer);
    }
    let (first, second) = (2 * round + 1, 2 * round + 2);
    assert_eq!(answers[0].text(), "alive\n");
    assert_eq!(answers[1].json()["offset"], first);
    assert_eq!(answers[2].json()["publications"], json!([{"offset": first, "data": {"n": 1}}]));
    assert_eq!(answers[3].field("Content-Length"), answers[2].field("Content-Length"));
    assert_eq!(answers[4].json()["offset"], second);
    assert_eq!(answers[5].code(), "not_found");
    assert_eq!(answers[7].code(), "method_not_allowed");
    assert_eq!(answers[8].json()["publications"], json!([{"offset": second, "data": {"n": 2}}]));
    assert_eq!(answers[9].json()["offset"], second);
    assert!(client.raw.received.is_empty());
}

#[test]
fn ten_pipelined_requests_are_answered_in_order_whole_or_byte_by_byte() {
    with_one_and_two_reactors(|reactors| {
        for inline in [usize::MAX, 0] {
            let server = TestServer::start(|config| {
                config.server.reactors = reactors;
                config.server.inline_parse_bytes = inline;
            });
            let bytes: String = mixed_requests().into_iter().map(|(request, _)| request).collect();
            let mut client = HttpClient::connect(server.address());
            client.raw.send(&bytes);
            assert_mixed_answers(&mut client, 0);
            client.raw.send_in_pieces(bytes.as_bytes(), 1);
            assert_mixed_answers(&mut client, 1);
            for (round, size) in [(2, 2), (3, 7), (4, 100)] {
                client.raw.send_in_pieces(bytes.as_bytes(), size);
                assert_mixed_answers(&mut client, round);
            }
        }
    });
}

/// Those before it are executed at once, those after it wait for the worker, and for what it answers.
#[test]
fn a_body_for_a_worker_and_a_page_keep_their_places_among_pipelined_posts() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut client = HttpClient::connect(server.address());
        let post = |body: &str| request_bytes("POST", "/channels/w", &[], body.as_bytes());
        let large = format!("\"{}\"", "x".repeat(40_000));
        let page = request_bytes("GET", "/metrics", &[OPERATOR], b"");
        for round in 0..20 {
            let requests =
                [post("1"), post("2"), post(&large), post("4"), page.clone(), post("5"), post(&large), post("7")];
            client.raw.send(requests.concat());
            let mut offset = 7 * round;
            for place in 0..requests.len() {
                let answer = client.read_answer(false);
                assert_eq!(answer.status, 200, "{place}");
                if place == 4 {
                    assert!(answer.text().contains("tidings_publications"), "{}", answer.text());
                } else {
                    offset += 1;
                    assert_eq!(answer.json()["offset"], offset, "{place}");
                }
            }
        }
    });
}

#[test]
fn a_body_is_read_whole_wherever_the_network_cuts_its_request() {
    let server = start(1);
    let mut client = HttpClient::connect(server.address());
    // With one reactor an answer here means that what was sent before on the other connection has been read.
    let mut barrier = HttpClient::connect(server.address());
    let length = "POST /channels/cut HTTP/1.1\r\nHost: localhost\r\nContent-Length: 11\r\n\r\n{\"a\": 1.10}";
    let chunked = "POST /channels/cut HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n4\r\n{\"a\"\r\n07;q=\"x\"\r\n: 1.10}\r\n0\r\nTrailer: x\r\n\r\n";
    let mut offset = 0;
    for request in [length, chunked] {
        for cut in 1..request.len() {
            client.raw.send(&request[..cut]);
            assert!(barrier.is_kept());
            client.raw.send(&request[cut..]);
            offset += 1;
            let answer = client.read_answer(false);
            assert_eq!((answer.status, answer.json()["offset"].as_u64()), (200, Some(offset)), "cut at {cut}");
        }
    }
    let snapshot = get(server.address(), "/channels/cut?last=1000").text();
    assert_eq!(snapshot.matches("\"data\":{\"a\": 1.10}").count() as u64, offset);
}

#[test]
fn head_never_streams_and_has_no_body() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        post(server.address(), "/channels/h", "{\"a\":1}");
        let mut client = HttpClient::connect(server.address());
        for target in ["/channels/h", "/livez", "/readyz", "/channels", "/nothing"] {
            let head = client.request("HEAD", target, &[], b"");
            let full = client.request("GET", target, &[], b"");
            assert_eq!(head.status, full.status, "{target}");
            assert_eq!(head.field("Content-Type"), full.field("Content-Type"));
            assert_eq!(head.field("Content-Length"), full.field("Content-Length"));
            let of_stream = client.request("HEAD", target, &[("Accept", "text/event-stream")], b"");
            assert_eq!((of_stream.status, of_stream.field("Transfer-Encoding")), (full.status, None));
        }
        assert_eq!(server.metric("tidings_connections{transport=\"sse\"}"), 0.0);
    });
}

#[test]
fn options_tells_the_methods_of_each_place() {
    let server = start(1);
    let mut client = HttpClient::connect(server.address());
    for (target, allow) in [
        ("*", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/channels/x", "GET, HEAD, POST, DELETE, OPTIONS"),
        ("/ws", "GET, POST, OPTIONS"),
        ("/echo", "GET, OPTIONS"),
        ("/livez", "GET, HEAD, OPTIONS"),
        ("/metrics", "GET, HEAD, OPTIONS"),
    ] {
        let answer = client.request("OPTIONS", target, &[], b"");
        assert_eq!((answer.status, answer.field("Allow")), (204, Some(allow)), "{target}");
        assert_eq!(answer.field("Content-Length"), None);
        assert_eq!(answer.field("Access-Control-Allow-Methods"), None);
    }
    assert!(client.is_kept());
}

#[test]
fn a_half_closed_client_still_gets_every_answer() {
    with_one_and_two_reactors(|reactors| {
        for inline in [usize::MAX, 0] {
            let server = TestServer::start(|config| {
                config.server.reactors = reactors;
                config.server.inline_parse_bytes = inline;
            });
            let large = format!("[\"{}\"]", "x".repeat(200_000));
            for (requests, statuses) in [
                (vec![request_bytes("GET", "/livez", &[], b"")], vec![200]),
                (vec![request_bytes("GET", "/channels/half", &[], b"")], vec![200]),
                (vec![request_bytes("POST", "/channels/half", &[], b"1")], vec![200]),
                (vec![request_bytes("POST", "/channels/half", &[], large.as_bytes())], vec![200]),
                (vec![request_bytes("POST", "/channels/half", &[], b"1"); 30], vec![200; 30]),
                (vec![request_bytes("GET", "/channels/half?last=1000", &[], b""); 4], vec![200; 4]),
                (vec![request_bytes("PUT", "/livez", &[], b""), b"NONSENSE\r\n\r\n".to_vec()], vec![405, 400]),
            ] {
                let mut client = HttpClient::connect(server.address());
                client.raw.send(requests.concat());
                client.raw.end_output();
                for status in statuses {
                    assert_eq!(client.read_answer(false).status, status);
                }
                assert!(client.is_ended());
            }
        }
    });
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut client = HttpClient::connect(server.address());
        for (offset, framing, body) in
            [(1, "Content-Length: 3", "1.5"), (2, "Transfer-Encoding: chunked", "3\r\n1.5\r\n0\r\n\r\n")]
        {
            client.raw.send(format!(
                "POST /channels/e HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{framing}\r\n\r\n"
            ));
            assert_eq!(client.read_answer(false).status, 100);
            assert!(client.raw.received.is_empty());
            let answer = client.exchange(body);
            assert_eq!((answer.status, answer.json()["offset"].as_u64()), (200, Some(offset)));
        }
        // Who sends the body without waiting needs no word, and neither does HTTP/1.0.
        let impatient = client.request("POST", "/channels/e", &[("Expect", "100-continue")], b"2");
        assert_eq!((impatient.status, impatient.json()["offset"].as_u64()), (200, Some(3)));
        let (name, value) = OPERATOR;
        client.raw.send(format!(
            "POST /channels/e HTTP/1.0\r\n{name}: {value}\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"
        ));
        assert_eq!(client.exchange("4").status, 200);
    });
}

#[test]
fn a_refused_request_is_not_told_to_go_on() {
    let server = TestServer::start(|config| config.http.body_bytes = 1024);
    for (target, fields, status) in [
        ("/channels/e", "Content-Length: 1025\r\n", 413),
        ("/channels/e", "Content-Length: 5\r\nOrigin: http://evil.example\r\n", 403),
        ("/channels/e", "Content-Length: 5\r\nX-Forwarded-For: 1.2.3.4\r\n", 403),
        ("/channels/e", "Content-Length: 5\r\nContent-Type: multipart/form-data\r\n", 415),
        ("/channels/e?evnet=x", "Content-Length: 5\r\n", 400),
        ("/channels/a%5Cb", "Content-Length: 5\r\n", 400),
        ("/channels/e", "Transfer-Encoding: chunked\r\nOrigin: null\r\n", 403),
        ("/channels/e?evnet=x", "Transfer-Encoding: chunked\r\n", 400),
        ("/livez", "Content-Length: 5\r\n", 405),
        ("/nothing", "Content-Length: 5\r\n", 404),
    ] {
        let mut client = HttpClient::connect(server.address());
        let answer = client
            .exchange(format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n{fields}\r\n"));
        assert_eq!(answer.status, status, "{target} {fields}");
        // Whether the body will come nobody knows, so nothing can follow it.
        assert_eq!(answer.field("Connection"), Some("close"), "{target} {fields}");
        assert!(client.is_ended());
    }
    assert_eq!(get(server.address(), "/channels/e").json()["offset"], 0);
}

#[test]
fn http_1_0_is_served_one_request_at_a_time_unless_it_asks_to_be_kept() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        for (request, status, kept) in [
            ("GET /livez HTTP/1.0\r\n\r\n", 200, false),
            ("GET /livez HTTP/1.0\r\nHost: localhost\r\n\r\n", 200, false),
            ("GET /channels/o HTTP/1.0\r\nHost: example.com\r\n\r\n", 421, false),
            // Proxies speak it as they come, so it publishes only with a key.
            ("POST /channels/o HTTP/1.0\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1", 403, false),
            ("HEAD /channels/o HTTP/1.0\r\n\r\n", 200, false),
            ("GET /livez HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", 200, true),
            ("GET /livez HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", 200, false),
            ("POST /channels/o HTTP/1.0\r\n{operator}Content-Length: 1\r\n\r\n1", 200, false),
            ("POST /channels/o HTTP/1.0\r\n{operator}Connection: keep-alive\r\nContent-Length: 1\r\n\r\n2", 200, true),
            ("POST /channels/o HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\n", 400, false),
            (
                "GET /ws HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                426,
                false,
            ),
        ] {
            let mut client = HttpClient::connect(server.address());
            let (name, value) = OPERATOR;
            let answer = client.exchange(request.replace("{operator}", &format!("{name}: {value}\r\n")));
            assert_eq!(answer.status, status, "{request}");
            assert_eq!(answer.field("Transfer-Encoding"), None);
            assert!(answer.field("Content-Length").is_some());
            if kept {
                assert_eq!(answer.field("Connection"), Some("keep-alive"), "{request}");
                assert!(client.is_kept());
            } else {
                assert!(client.is_ended(), "{request}");
            }
        }
        assert_eq!(get(server.address(), "/channels/o").json()["offset"], 2);
    });
}

#[test]
fn a_stream_over_http_1_0_runs_bare_to_the_close() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut stream = RawClient::connect(server.address());
        stream.send("GET /channels/bare HTTP/1.0\r\nConnection: keep-alive\r\nAccept: text/event-stream\r\n\r\n");
        stream.read_until(b"\"offset\":0}\n\n");
        server.publish("bare", "{\"a\": 1}").expect("published");
        stream.read_until(b"data: {\"a\": 1}\n\n");
        let stopping = std::thread::spawn(move || server.stop(Duration::from_secs(20)));
        let text = String::from_utf8(stream.read_to_end().to_vec()).expect("UTF-8");
        drop(stream);
        assert_eq!(stopping.join().expect("no panic"), 0);
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.contains("\r\nConnection: close") && !head.contains("Transfer-Encoding"), "{head}");
        // The last block says when to come back: a server that stops draws that anew for each stream.
        let (pushed, last) = body.split_once("data: {\"a\": 1}\n\n").expect("the push");
        assert!(pushed.starts_with("retry: ") && last.starts_with("retry: ") && last.ends_with("\n\n"), "{body}");
    });
}
