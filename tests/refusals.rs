//! Every refusal over HTTP: its status, its code, a message that says what to do, and what becomes of the connection.

use crate::support::http::{Answer, HttpClient, get, post, request_bytes};
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, wait_until, with_one_and_two_reactors};
use std::sync::mpsc;
use std::time::Duration;

const HANDSHAKE: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| config.server.reactors = reactors)
}

/// A refusal has a JSON body with a code and a sentence.
fn assert_refusal(answer: &Answer, status: u16, code: &str, what: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{what}: {}", answer.text());
    assert_eq!(answer.field("Content-Type"), Some("application/json"), "{what}");
    let message = answer.json()["error"]["message"].as_str().expect("a message").to_owned();
    assert!(message.len() > 15, "{what}: {message}");
}

/// Sends a request; it must be refused so, and the connection kept or ended as told. Other connections are untouched.
fn refused(server: &TestServer, request: impl AsRef<[u8]>, status: u16, code: &str, kept: bool) -> Answer {
    let what = String::from_utf8_lossy(request.as_ref()).chars().take(200).collect::<String>();
    let mut client = HttpClient::connect(server.address());
    let answer = client.exchange(request);
    assert_refusal(&answer, status, code, &what);
    assert_eq!(answer.field("Connection") == Some("close"), !kept, "{what}");
    assert!(if kept { client.is_kept() } else { client.is_ended() }, "{what}");
    answer
}

#[test]
fn what_is_no_http_is_400_and_the_connection_ends() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut healthy = HttpClient::connect(server.address());
        for request in [
            "NONSENSE\r\n\r\n",
            "{\"id\":1}\r\n\r\n",
            "GET  /livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /livez HTTP/1.1\nHost: localhost\r\n\r\n",
            "GET livez HTTP/1.1\r\nHost: localhost\r\n\r\n",
            "GET /livez HTTP/1.1\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: a b\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nX : a\r\n\r\n",
            "GET /livez HTTP/1.1\r\nHost: localhost\r\nX: a\r\n b\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: gzip, chunked\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n12\r\n0\r\n\r\n",
            "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
            "GET /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1",
            "DELETE /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1",
        ] {
            refused(&server, request, 400, "bad_request", false);
            // What follows on such a connection is nobody's request.
            refused(
                &server,
                format!("{request}GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n"),
                400,
                "bad_request",
                false,
            );
            assert!(healthy.is_kept());
        }
        assert_eq!(get(server.address(), "/channels/a").json()["offset"], 0);
    });
}

#[test]
fn a_request_that_asks_wrongly_is_400_and_the_connection_stays() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let long = format!("/channels/{}", "x".repeat(256));
        let event = format!("/channels/a?event={}", "x".repeat(201));
        for (method, target, fields, body, code) in [
            ("GET", "/channels/a%5Cb", "", "", "bad_channel"),
            ("GET", "/channels/a/b", "", "", "bad_channel"),
            ("GET", "/channels/%2e%2e", "", "", "bad_channel"),
            ("GET", "/channels/", "", "", "bad_channel"),
            ("GET", "/channels/a%0A", "", "", "bad_channel"),
            ("GET", "/channels/a%FF", "", "", "bad_channel"),
            ("GET", "/channels/a%zz", "", "", "bad_channel"),
            ("GET", long.as_str(), "", "", "bad_channel"),
            ("DELETE", "/channels/a*", "", "", "bad_channel"),
            ("GET", "/channels/a?last=0", "", "", "bad_request"),
            ("GET", "/channels/a?last=x", "", "", "bad_request"),
            ("GET", "/channels/a?lats=1", "", "", "unknown_option"),
            ("POST", "/channels/a?evnet=x", "", "1", "unknown_option"),
            ("POST", event.as_str(), "", "1", "bad_request"),
            ("POST", "/channels/a?exclude=x", "", "1", "bad_exclude"),
            ("POST", "/channels/a", "Idempotency-Key: \r\n", "1", "bad_request"),
            ("POST", "/channels/a", "", "", "bad_json"),
            ("POST", "/channels/a", "", "{", "bad_json"),
            ("POST", "/channels/a", "Content-Type: text/plain\r\n", "\u{0}", ""),
            ("POST", "/ws", "", "{\"method\":\"GTE\",\"path\":\"/livez\"}", "bad_request"),
            ("POST", "/ws", "", "[{\"method\":\"GET\",\"path\":\"/livez\"},1]", "mixed_batch"),
        ] {
            let length = if method == "POST" { format!("Content-Length: {}\r\n", body.len()) } else { String::new() };
            let request = format!("{method} {target} HTTP/1.1\r\nHost: localhost\r\n{fields}{length}\r\n{body}");
            if code.is_empty() {
                assert_eq!(HttpClient::connect(server.address()).exchange(request).status, 200);
            } else {
                refused(&server, request, 400, code, true);
            }
        }
        let most = format!("/channels/{}", "x".repeat(255));
        assert_eq!(post(server.address(), &most, "1").status, 200);
    });
}

#[test]
fn a_post_to_a_bad_channel_is_told_so_and_not_that_its_method_takes_no_body() {
    let server = start(1);
    for target in ["/channels/a%5Cb", "/channels/a/b", "/channels/", "/channels/a%zz"] {
        refused(&server, request_bytes("POST", target, &[], b"1"), 400, "bad_channel", true);
    }
}

#[test]
fn unknown_places_are_404_and_unknown_methods_405_with_those_that_are_allowed() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        for target in ["/nothing", "/channel/a", "/ws/", "//ws", "/Livez", "/subscriptions/a"] {
            refused(&server, request_bytes("GET", target, &[], b""), 404, "not_found", true);
        }
        refused(&server, request_bytes("POST", "/nothing", &[], b"1"), 404, "not_found", false);
        refused(&server, request_bytes("DELETE", "/channels/never", &[OPERATOR], b""), 404, "unknown_channel", true);
        for (method, target, allow) in [
            ("PUT", "/channels/a", "GET, HEAD, POST, DELETE, OPTIONS"),
            ("BREW", "/channels/a", "GET, HEAD, POST, DELETE, OPTIONS"),
            ("PUT", "/ws", "GET, POST, OPTIONS"),
            ("PUT", "/echo", "GET, OPTIONS"),
            ("DELETE", "/livez", "GET, HEAD, OPTIONS"),
            ("PATCH", "/metrics", "GET, HEAD, OPTIONS"),
            ("get", "/livez", "GET, HEAD, OPTIONS"),
        ] {
            let answer = refused(&server, request_bytes(method, target, &[], b""), 405, "method_not_allowed", true);
            assert_eq!(answer.field("Allow"), Some(allow), "{method} {target}");
        }
        refused(&server, request_bytes("PUT", "/channels/a", &[], b"1"), 405, "method_not_allowed", false);
    });
}

#[test]
fn a_body_may_be_as_large_as_its_limit_and_not_one_byte_larger() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.http.body_bytes = 2000;
        });
        let json = |bytes: usize| format!("\"{}\"", "x".repeat(bytes - 2));
        let chunked = |pieces: &[&str]| {
            let chunks: String = pieces.iter().map(|piece| format!("{:x}\r\n{piece}\r\n", piece.len())).collect();
            format!(
                "POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{chunks}0\r\n\r\n"
            )
        };
        let (most, more) = (json(2000), json(2001));
        let mut client = HttpClient::connect(server.address());
        for request in [
            request_bytes("POST", "/channels/a", &[], most.as_bytes()),
            chunked(&[&most]).into_bytes(),
            chunked(&[&most[..1], &most[1..1999], &most[1999..]]).into_bytes(),
        ] {
            assert_eq!(client.exchange(request).status, 200);
        }
        for request in [
            request_bytes("POST", "/channels/a", &[], more.as_bytes()),
            b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2001\r\n\r\n".to_vec(),
            b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551615\r\n\r\n".to_vec(),
            b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18446744073709551616\r\n\r\n".to_vec(),
            chunked(&[&more]).into_bytes(),
            chunked(&[&more[..2000], &more[2000..]]).into_bytes(),
            b"POST /channels/a HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n7d1\r\n".to_vec(),
        ] {
            refused(&server, request, 413, "body_too_large", false);
        }
        assert_eq!(get(server.address(), "/channels/a").json()["offset"], 3);
    });
}

#[test]
fn heads_and_targets_may_be_as_large_as_their_limits_and_not_larger() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.http.head_bytes = 3000;
            config.http.target_bytes = 1024;
            config.http.headers = 10;
        });
        let target = |bytes: usize| request_bytes("GET", &format!("/livez?{}", "x".repeat(bytes - 7)), &[], b"");
        let head = |bytes: usize| {
            let bare = request_bytes("GET", "/livez", &[("X", "")], b"").len();
            request_bytes("GET", "/livez", &[("X", &"x".repeat(bytes - bare))], b"")
        };
        // Host is one of them.
        let fields = |count: usize| request_bytes("GET", "/livez", &vec![("X", "x"); count - 1], b"");
        let mut client = HttpClient::connect(server.address());
        for request in [target(1024), head(3000), fields(10)] {
            assert_eq!(client.exchange(request).status, 200);
        }
        refused(&server, target(1025), 414, "uri_too_long", false);
        refused(&server, head(3001), 431, "head_too_large", false);
        refused(&server, fields(11), 431, "head_too_large", false);
        // Nobody waits for the end of a head that is too large already.
        refused(&server, &head(3001)[..3000], 431, "head_too_large", false);
        refused(&server, &target(1025)[..1030], 414, "uri_too_long", false);
    });
}

#[test]
fn media_types_hosts_and_versions_have_their_statuses() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        for content_type in ["multipart/form-data; boundary=x", "Multipart/Mixed", "text/plain; charset=utf-16"] {
            let request = request_bytes("POST", "/channels/a", &[("Content-Type", content_type)], b"--x--");
            refused(&server, request, 415, "unsupported_media_type", true);
        }
        refused(
            &server,
            request_bytes("GET", "/channels/a", &[("Host", "example.com")], b""),
            421,
            "misdirected_request",
            true,
        );
        for version in ["2.0", "3.0", "0.9"] {
            let request = format!("GET /livez HTTP/{version}\r\nHost: localhost\r\n\r\n");
            refused(&server, request, 505, "version_not_supported", false);
        }
        refused(&server, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505, "version_not_supported", false);
    });
}

#[test]
fn a_socket_that_is_asked_for_in_the_wrong_way_is_426_or_400() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let asked = |target: &str, fields: &str| format!("GET {target} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        for request in [
            asked("/ws", ""),
            asked("/echo", ""),
            asked("/ws", &HANDSHAKE.replace("websocket", "h2c")),
            asked("/ws", &HANDSHAKE.replace(": 13", ": 8")),
            asked("/channels/a", &HANDSHAKE.replace(": 13", ": 12")),
        ] {
            let answer = refused(&server, request, 426, "upgrade_required", true);
            assert_eq!(answer.field("Sec-WebSocket-Version"), Some("13"));
            assert_eq!(answer.field("Upgrade"), Some("websocket"));
            assert!(answer.fields.iter().any(|field| *field == ("Connection".to_owned(), "Upgrade".to_owned())));
        }
        for fields in [
            HANDSHAKE.replace("Connection: Upgrade", "Connection: close, x"),
            HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "?"),
            HANDSHAKE.replace("Sec-WebSocket-Key", "X-Key"),
            format!("{HANDSHAKE}Sec-WebSocket-Protocol: a b\r\n"),
        ] {
            let kept = !fields.contains("close");
            refused(&server, asked("/ws", &fields), 400, "bad_request", kept);
        }
    });
}

#[test]
fn one_connection_too_many_is_503_until_another_leaves() {
    let server = TestServer::start(|config| config.server.connections = 3);
    let mut held: Vec<HttpClient> = (0..3).map(|_| HttpClient::connect(server.address())).collect();
    assert!(held.iter_mut().all(HttpClient::is_kept));
    for request in [request_bytes("GET", "/channels/a", &[], b""), request_bytes("POST", "/channels/a", &[], b"1")] {
        let answer = refused(&server, request, 503, "too_many_connections", false);
        assert!(answer.says_when());
    }
    // A browser's socket is told by a Close, since its page cannot read a status.
    let mut browser = WsClient::connect_to(server.address(), "/ws", &[("Origin", "http://localhost:1")]);
    let close = browser.read_close().expect("a Close with a code");
    assert_eq!((u16::from(close.code), close.reason.as_str()), (1013, "too_many_connections"));
    drop(browser);
    assert!(held.iter_mut().all(HttpClient::is_kept), "those who are there are not disturbed");
    held.pop();
    wait_until("there is room again", || get(server.address(), "/channels/a").status == 200);
    assert_eq!(held[0].request("GET", "/channels/a", &[], b"").json()["offset"], 0);
}

#[test]
fn the_limit_of_connections_is_one_for_all_reactors_however_they_share_them() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.connections = 21;
        });
        let mut held: Vec<HttpClient> = (0..21).map(|_| HttpClient::connect(server.address())).collect();
        assert!(held.iter_mut().all(HttpClient::is_kept));
        refused(&server, request_bytes("GET", "/channels/a", &[], b""), 503, "too_many_connections", false);
        assert!(held.iter_mut().all(HttpClient::is_kept));
    });
}

#[test]
fn a_publisher_whose_subscribers_take_no_more_is_told_503_after_the_wait() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.server.publish_wait = Duration::from_millis(100);
            config.delivery.mailbox_entries = 2;
        });
        let (go_on, wait) = mpsc::channel::<()>();
        let subscription = server.subscribe("busy", move |_| assert!(wait.recv().is_err())).expect("subscribed");
        let mut client = HttpClient::connect(server.address());
        // What the callback holds still counts, so there is room for two.
        for _ in 0..2 {
            assert_eq!(client.request("POST", "/channels/busy", &[], b"1").status, 200);
        }
        let answer = client.request("POST", "/channels/busy", &[], b"1");
        assert_refusal(&answer, 503, "busy", "a full mailbox");
        assert_eq!((answer.says_when(), answer.field("Connection")), (true, None));
        assert_eq!(client.request("POST", "/channels/other", &[], b"1").status, 200, "other channels are not busy");
        assert_eq!(client.request("GET", "/channels/busy", &[], b"").json()["offset"], 2);
        drop(go_on);
        wait_until("there is room again", || client.request("POST", "/channels/busy", &[], b"1").status == 200);
        assert_eq!(client.request("GET", "/channels/busy", &[], b"").json()["offset"], 3);
        drop(subscription);
    });
}

#[test]
fn total_limits_are_503_and_cost_nobody_else_anything() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.channels.total = 2;
            config.channels.per_connection = 2;
        });
        for name in ["a", "b"] {
            assert_eq!(post(server.address(), &format!("/channels/{name}"), "1").status, 200);
        }
        let answer = refused(&server, request_bytes("POST", "/channels/c", &[], b"1"), 503, "channels_full", true);
        assert!(answer.says_when());
        assert_eq!(get(server.address(), "/channels/a").json()["offset"], 1);
        assert_eq!(post(server.address(), "/channels/b", "1").json()["offset"], 2);
    });
}

/// Both were counted as `overloaded`, for their status; all kinds of 400 as `bad_request`.
#[test]
fn refusals_that_share_a_status_were_counted_as_one() {
    let server = TestServer::start(|config| {
        config.server.reactors = 1;
        config.server.publish_wait = Duration::from_millis(50);
        config.delivery.mailbox_entries = 2;
        config.channels.total = 1;
        config.channels.per_connection = 1;
    });
    let (go_on, wait) = mpsc::channel::<()>();
    let subscription = server.subscribe("busy", move |_| assert!(wait.recv().is_err())).expect("subscribed");
    let mut client = HttpClient::connect(server.address());
    for _ in 0..2 {
        assert_eq!(client.request("POST", "/channels/busy", &[], b"1").status, 200);
    }
    let requests: [(&str, &str, &[u8], u32); 5] = [
        ("busy", "/channels/busy", b"1", 2),
        ("channels_full", "/channels/new", b"1", 1),
        ("bad_json", "/channels/busy", b"{", 3),
        ("bad_channel", "/channels/a*b", b"1", 1),
        ("unknown_option", "/channels/busy?last=1", b"1", 1),
    ];
    for (code, target, body, times) in requests {
        for _ in 0..times {
            assert_eq!(client.request("POST", target, &[], body).code(), code);
        }
    }
    for (code, _, _, times) in requests {
        let counted = server.metric(&format!("tidings_refused_total{{reason=\"{code}\"}}"));
        assert_eq!(counted, f64::from(times), "{code}");
    }
    assert_eq!(server.metric("tidings_refused_total{reason=\"bad_request\"}"), 0.0);
    drop(go_on);
    drop(subscription);
}
