//! Law 10 on running servers: who may read and publish, by Origin, Host, listener and traces of a proxy; operators have a key.

use crate::support::frames::RawSocket;
use crate::support::http::{Answer, HttpClient, get, post, request_bytes};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, with_one_and_two_reactors};
use serde_json::json;
use std::process::Command;
use tidings::{Config, Server};

/// Which listener a row asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum On {
    /// 127.0.0.1 with nothing configured.
    Loopback,
    /// 127.0.0.1 with an origin and a host configured.
    Configured,
    /// 0.0.0.0 with open publishing, reached over 127.0.0.1.
    Public,
    /// The same with a host configured.
    Named,
}
use On::{Configured, Loopback, Named, Public};

fn start(on: On, reactors: usize) -> TestServer {
    TestServer::start(|config| {
        config.server.reactors = reactors;
        match on {
            Loopback => {}
            Configured => {
                config.server.allow_origin = vec!["https://app.example".to_owned()];
                config.server.allow_host = vec!["push.example".to_owned()];
            }
            Public | Named => {
                if on == Named {
                    config.server.allow_host = vec!["push.example".to_owned()];
                }
                config.server.listen = vec!["0.0.0.0:0".parse().expect("an address")];
                config.server.allow_anonymous_publish = true;
            }
        }
    })
}

/// How a request asks; each must see the same law.
const WS: &str = "WS";
const SSE: &str = "SSE";

/// Listener, methods, Host, Origin (`-` for none, `PORT` for the server's), a proxy's trace, and the status: 0 for success.
type Row = (On, &'static [&'static str], &'static str, &'static str, bool, u16);

const ALL: &[&str] = &["GET", "HEAD", SSE, WS, "POST", "DELETE"];
const READS: &[&str] = &["GET", "HEAD", SSE];

const ROWS: &[Row] = &[
    // No page behind it: a host of this server, or an article's requests word for word.
    (Loopback, ALL, "localhost", "-", false, 0),
    (Loopback, ALL, "127.0.0.1:PORT", "-", false, 0),
    (Loopback, ALL, "[::1]:8080", "-", false, 0),
    (Loopback, READS, "example.com", "-", false, 421),
    (Loopback, READS, "localhost.evil.example", "-", false, 421),
    (Loopback, &["DELETE"], "example.com", "-", false, 421),
    (Loopback, &[WS, "POST"], "example.com", "-", false, 0),
    (Loopback, ALL, "evil.example", "-", false, 421),
    // Pages of this machine.
    (Loopback, ALL, "localhost:PORT", "http://localhost:PORT", false, 0),
    (Loopback, ALL, "127.0.0.1:PORT", "http://localhost:3000", false, 0),
    (Loopback, ALL, "localhost", "https://127.0.0.1:5173", false, 0),
    (Loopback, ALL, "localhost", "http://[::1]", false, 0),
    // Pages from elsewhere.
    (Loopback, ALL, "localhost", "http://evil.example", false, 403),
    (Loopback, ALL, "localhost", "null", false, 403),
    (Loopback, ALL, "localhost", "http://localhost.evil.example", false, 403),
    (Loopback, ALL, "localhost", "ftp://localhost", false, 403),
    (Loopback, ALL, "localhost", "https://app.example", false, 403),
    // DNS rebinding: the page's own name points here.
    (Loopback, ALL, "evil.example:PORT", "http://evil.example:PORT", false, 421),
    (Loopback, ALL, "evil.example", "http://localhost", false, 421),
    // Through a proxy: reading only, but for those with the key.
    (Loopback, &["GET", "HEAD", SSE, WS, "DELETE"], "localhost", "-", true, 0),
    (Loopback, &["POST"], "localhost", "-", true, 403),
    (Loopback, &["POST"], "localhost", "http://localhost", true, 403),
    // What is configured, and nothing near it.
    (Configured, ALL, "localhost", "https://app.example", false, 0),
    (Configured, &["GET", "HEAD", SSE, WS, "DELETE"], "push.example", "https://push.example", false, 0),
    (Configured, &["POST"], "push.example", "https://push.example", false, 403),
    (Configured, &["GET", "HEAD", SSE, WS, "DELETE"], "push.example:1", "-", false, 0),
    (Configured, &["POST"], "push.example:1", "-", false, 403),
    (Configured, ALL, "localhost", "http://app.example", false, 403),
    (Configured, ALL, "localhost", "https://sub.app.example", false, 403),
    (Configured, ALL, "localhost", "null", false, 403),
    (Configured, ALL, "app.example", "https://app.example", false, 421),
    // A listener for everybody: any host, and only its own pages.
    (Public, ALL, "127.0.0.1:PORT", "-", false, 0),
    (Public, ALL, "push.example", "-", false, 0),
    (Public, ALL, "push.example", "https://push.example", false, 0),
    (Public, ALL, "push.example", "-", true, 0),
    // Once a host is set, it holds there too: a rebound name is not answered.
    (Named, ALL, "push.example", "-", false, 0),
    (Named, ALL, "127.0.0.1:PORT", "-", false, 0),
    (Named, ALL, "evil.example:PORT", "http://evil.example:PORT", false, 421),
    (Named, ALL, "evil.example", "-", false, 421),
    (Named, ALL, "example.com", "-", false, 421),
    (Public, ALL, "localhost:PORT", "http://localhost:PORT", false, 0),
    (Public, ALL, "localhost:PORT", "http://localhost:3000", false, 403),
    (Public, ALL, "push.example", "http://evil.example", false, 403),
    (Public, ALL, "push.example", "null", false, 403),
];

/// The request of a row, and the status that success has.
fn request(method: &str, fields: &str) -> (String, u16) {
    match method {
        SSE => (format!("GET /channels/law HTTP/1.1\r\n{fields}Accept: text/event-stream\r\n\r\n"), 200),
        WS => (
            format!(
                "GET /channels/law HTTP/1.1\r\n{fields}Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            ),
            101,
        ),
        "POST" => (format!("POST /channels/law HTTP/1.1\r\n{fields}Content-Length: 1\r\n\r\n1"), 200),
        "DELETE" => {
            let (name, value) = OPERATOR;
            (format!("DELETE /channels/law HTTP/1.1\r\n{fields}{name}: {value}\r\n\r\n"), 200)
        }
        method => (format!("{method} /channels/law HTTP/1.1\r\n{fields}\r\n"), 200),
    }
}

/// Reads the head of an answer alone: a stream's body has no end.
fn status_of(client: &mut HttpClient) -> (u16, String) {
    client.raw.read_until(b"\r\n\r\n");
    let text = String::from_utf8_lossy(&client.raw.received).into_owned();
    (text.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status"), text)
}

#[test]
fn every_transport_and_verb_obeys_the_same_table() {
    with_one_and_two_reactors(|reactors| {
        for listener in [Loopback, Configured, Public, Named] {
            let server = start(listener, reactors);
            let port = server.address().port();
            let address = ([127, 0, 0, 1], port).into();
            assert_eq!(post(address, "/channels/law", "0").status, 200);
            for (_, methods, host, origin, forwarded, status) in ROWS.iter().filter(|row| row.0 == listener) {
                for method in *methods {
                    let mut fields = format!("Host: {host}\r\n");
                    if *origin != "-" {
                        fields.push_str(&format!("Origin: {origin}\r\n"));
                    }
                    if *forwarded {
                        fields.push_str("X-Forwarded-For: 203.0.113.9\r\n");
                    }
                    let (bytes, success) = request(method, &fields.replace("PORT", &port.to_string()));
                    // A page's script cannot read the status of a socket's handshake: it gets a Close (law 9).
                    let told_by_close = *method == WS && *origin != "-" && *status != 0;
                    let expected = if *status == 0 || told_by_close { success } else { *status };
                    let mut client = HttpClient::connect(address);
                    client.raw.send(&bytes);
                    let (got, head) = status_of(&mut client);
                    assert_eq!(got, expected, "{listener:?}: {bytes}");
                    if told_by_close {
                        let (code, reason) = RawSocket::after_head(client).read_close();
                        assert_eq!(code, Some(4000 + *status), "{bytes} {reason}");
                        continue;
                    }
                    // A page that may ask may read the answer too, a refusal among them.
                    let may_read =
                        *origin != "-" && got != 101 && (*status == 0 || head.contains("publishing_not_allowed"));
                    assert_eq!(head.contains("Access-Control-Allow-Origin"), may_read, "{bytes} {head}");
                }
            }
        }
    });
}

#[test]
fn a_refusal_says_what_would_allow_the_request() {
    let server = start(Loopback, 1);
    let ask =
        |fields: &[(&str, &str)]| HttpClient::connect(server.address()).request("GET", "/channels/a", fields, b"");
    let origin = ask(&[("Origin", "https://app.example")]);
    assert_eq!((origin.status, origin.code().as_str()), (403, "origin_not_allowed"));
    assert!(origin.text().contains("--allow-origin https://app.example"), "{}", origin.text());
    let host = ask(&[("Host", "push.example")]);
    assert_eq!((host.status, host.code().as_str()), (421, "misdirected_request"));
    assert!(host.text().contains("--allow-host push.example"), "{}", host.text());
}

/// The advice named origins that the setting refused: `null`, `file://`, `chrome-extension://…`.
#[test]
fn an_origin_that_a_refusal_names_is_one_that_the_setting_takes() {
    let refusing = start(Loopback, 1);
    for origin in [
        "null",
        "file://",
        "https://app.example:8443",
        "chrome-extension://mhjfbmdgcfjbbpaeojofohoefgiehjai",
        "capacitor://localhost",
        "http://[2001:db8::7]:3000",
    ] {
        let mut client = HttpClient::connect(refusing.address());
        let refused = client.request("POST", "/channels/law", &[("Origin", origin)], b"1");
        let text = refused.text();
        assert_eq!((refused.status, refused.code().as_str()), (403, "origin_not_allowed"), "{text}");
        let named = text.split("--allow-origin ").nth(1).and_then(|rest| rest.split(' ').next()).expect("what to set");
        let allowing = TestServer::start(|config| config.server.allow_origin = vec![named.to_owned()]);
        let mut client = HttpClient::connect(allowing.address());
        let answer = client.request("POST", "/channels/law", &[("Origin", origin)], b"1");
        assert_eq!((answer.status, answer.field("Access-Control-Allow-Origin")), (200, Some(origin)), "{named}");
    }
    for malformed in ["http://a/b", "a", "http://a http://b", "*"] {
        let mut client = HttpClient::connect(refusing.address());
        let text = client.request("POST", "/channels/law", &[("Origin", malformed)], b"1").text();
        assert!(text.contains("none that browsers send") && !text.contains("--allow-origin"), "{text}");
    }
}

#[test]
fn names_below_an_origin_and_all_origins_can_be_allowed() {
    for (setting, origin, status) in [
        ("https://*.example.com", "https://a.example.com", 200),
        ("https://*.example.com", "https://example.com", 403),
        ("https://app.example/", "https://app.example", 200),
        ("*", "https://anything.example", 200),
        ("*", "null", 200),
    ] {
        let server = TestServer::start(|config| config.server.allow_origin = vec![setting.to_owned()]);
        let mut client = HttpClient::connect(server.address());
        let answer = client.request("POST", "/channels/law", &[("Origin", origin)], b"1");
        assert_eq!(answer.status, status, "{setting} {origin}");
        assert_eq!(answer.field("Access-Control-Allow-Origin"), (status == 200).then_some(origin), "never a star");
    }
}

/// `--dev` is for pages that were opened as files.
#[test]
fn dev_lets_pages_in_that_were_opened_as_files() {
    for (arguments, status) in [(vec![], 403), (vec!["--dev"], 200)] {
        let process = Process::start(&arguments);
        for origin in ["null", "file://"] {
            let mut client = HttpClient::connect(process.address);
            let answer = client.request("POST", "/channels/law", &[("Origin", origin)], b"1");
            assert_eq!(answer.status, status, "{arguments:?} {origin}");
            assert!(status == 200 || answer.text().contains("--dev"), "{}", answer.text());
        }
    }
}

#[test]
fn every_trace_of_a_proxy_counts_as_remote_on_a_loopback_listener() {
    with_one_and_two_reactors(|reactors| {
        let server = start(Loopback, reactors);
        assert_eq!(post(server.address(), "/channels/law", "0").status, 200);
        for field in [
            "Forwarded",
            "Via",
            "X-Forwarded-For",
            "x-forwarded-proto",
            "X-FORWARDED-HOST",
            "X-Real-IP",
            "X-Client-IP",
            "CF-Connecting-IP",
            "True-Client-IP",
            "Fastly-Client-IP",
            "X-Envoy-External-Address",
            "x-envoy-peer-metadata-id",
        ] {
            let mut client = HttpClient::connect(server.address());
            let mut ask = |method: &str, target: &str, body: &[u8]| {
                let answer = client.request(method, target, &[(field, "x")], body);
                (answer.status, if answer.status < 300 { String::new() } else { answer.code() })
            };
            let refused = |code: &str| (403, code.to_owned());
            let needs_operator = (401, "operator_needed".to_owned());
            assert_eq!(ask("POST", "/channels/law", b"1"), refused("publishing_not_allowed"), "{field}");
            assert_eq!(ask("POST", "/ws", b"1"), refused("publishing_not_allowed"), "{field}");
            assert_eq!(ask("DELETE", "/channels/law", b""), needs_operator, "{field}");
            assert_eq!(ask("GET", "/metrics", b""), needs_operator, "{field}");
            assert_eq!(ask("GET", "/channels", b""), needs_operator, "{field}");
            assert_eq!(ask("GET", "/channels/law", b"").0, 200, "{field}");
            assert_eq!(ask("GET", "/readyz", b"").0, 200, "{field}");
        }
        assert_eq!(get(server.address(), "/channels/law").json()["offset"], 1);
    });
}

#[test]
fn a_socket_through_a_proxy_reads_but_neither_publishes_nor_administers() {
    with_one_and_two_reactors(|reactors| {
        let server = start(Loopback, reactors);
        let mut socket = WsClient::connect_to(server.address(), "/ws", &[("X-Forwarded-For", "203.0.113.9")]);
        socket.subscribe("law");
        let posted = socket.post("law", &json!(1));
        assert_eq!((&posted["status"], &posted["error"]["code"]), (&json!(403), &json!("publishing_not_allowed")));
        let deleted = socket.request(json!({"method": "DELETE", "path": "/channels/law"}));
        assert_eq!((&deleted["status"], &deleted["error"]["code"]), (&json!(401), &json!("operator_needed")));
        socket.send_text("{\"plain\":1}");
        assert_eq!(socket.next_json()["error"]["code"], "publishing_not_allowed");
        socket.send_binary(b"{\"method\":\"POST\",\"path\":\"/channels/law\"}\nbytes".to_vec());
        assert_eq!(socket.next_json()["error"]["code"], "publishing_not_allowed");
        server.publish("law", "2").expect("published");
        assert_eq!(socket.next_json(), json!({"channel": "law", "offset": 1, "data": 2}));
    });
}

#[test]
fn open_publishing_through_a_proxy_is_what_the_flag_is_for() {
    let server = TestServer::start(|config| config.server.allow_anonymous_publish = true);
    let mut client = HttpClient::connect(server.address());
    assert_eq!(client.request("POST", "/channels/law", &[("Via", "1.1 p")], b"1").status, 200);
    assert_eq!(client.request("DELETE", "/channels/law", &[("Via", "1.1 p")], b"").status, 401);
}

/// A loopback peer that named a loopback host was an operator, so everybody was behind a plain proxy, and so was any page of
/// a local port.
#[test]
fn no_address_and_no_host_makes_an_operator() {
    with_one_and_two_reactors(|reactors| {
        for listener in [Loopback, Public] {
            let server = start(listener, reactors);
            assert_eq!(server.publish("law", "0").expect("published").offset, 1);
            let mut client = HttpClient::connect(([127, 0, 0, 1], server.address().port()).into());
            for (method, target) in [("GET", "/metrics"), ("GET", "/channels"), ("DELETE", "/channels/law")] {
                for fields in [
                    vec![("Host", "localhost")],
                    vec![("Host", "127.0.0.1:80")],
                    vec![("Host", "localhost"), ("Origin", "http://localhost")],
                ] {
                    let answer = client.request(method, target, &fields, b"");
                    assert_eq!(
                        (answer.status, answer.code().as_str()),
                        (401, "operator_needed"),
                        "{target} {fields:?}"
                    );
                    assert_eq!(answer.field("WWW-Authenticate"), Some("Bearer"));
                    assert!(answer.text().contains("Authorization: Bearer"), "{}", answer.text());
                    let wrong =
                        [fields.clone(), vec![("Authorization", "Bearer the-key-of-the-tests-012345678_")]].concat();
                    let answer = client.request(method, target, &wrong, b"");
                    assert_eq!((answer.status, answer.code().as_str()), (403, "admin_only"), "{target} {fields:?}");
                    let right = [fields, vec![OPERATOR]].concat();
                    assert_eq!(client.request(method, target, &right, b"").status, 200, "{target}");
                }
            }
            // The key takes the place of no other rule.
            let foreign = [OPERATOR, ("Origin", "http://evil.example")];
            assert_eq!(client.request("GET", "/metrics", &foreign, b"").status, 403);
        }
    });
}

#[test]
fn an_operator_publishes_through_a_proxy() {
    let server = start(Loopback, 1);
    let mut client = HttpClient::connect(server.address());
    assert_eq!(client.request("POST", "/channels/law", &[("Via", "1.1 p"), OPERATOR], b"1").status, 200);
    assert_eq!(client.request("POST", "/channels/law", &[("Via", "1.1 p")], b"1").status, 403);
}

/// Requests that follow AUTH in the same read are executed after it.
#[test]
fn a_socket_signs_in_by_its_first_frame() {
    with_one_and_two_reactors(|reactors| {
        for inline in [usize::MAX, 0] {
            let server = TestServer::start(|config| {
                config.server.reactors = reactors;
                config.server.inline_parse_bytes = inline;
            });
            server.publish("law", "0").expect("published");
            let mut socket = WsClient::connect_to(server.address(), "/ws", &[("Via", "1.1 p")]);
            socket.send_text(&json!({"id": 1, "method": "DELETE", "path": "/channels/law"}).to_string());
            socket.send_text(&json!({"id": 2, "method": "AUTH", "token": "something-else-entirely"}).to_string());
            socket.send_text(&json!({"id": 3, "method": "DELETE", "path": "/channels/law"}).to_string());
            socket.send_text(&json!({"id": 4, "method": "AUTH", "token": OPERATOR_KEY}).to_string());
            socket.send_text(&json!({"id": 5, "method": "DELETE", "path": "/channels/law"}).to_string());
            socket.send_text(&json!({"id": 6, "method": "POST", "path": "/channels/law", "data": 1}).to_string());
            // Signing in with something else later takes nothing away.
            socket.send_text(&json!({"id": 7, "method": "AUTH", "token": ""}).to_string());
            socket.send_text(&json!({"id": 8, "method": "DELETE", "path": "/channels/law"}).to_string());
            let answers: Vec<_> = (0..8).map(|_| socket.next_json()).collect();
            let told = |answer: &serde_json::Value| (answer["id"].as_u64(), answer["status"].as_u64());
            let expected = [401, 401, 401, 200, 200, 200, 401, 200]
                .into_iter()
                .zip(1..)
                .map(|(status, id)| (Some(id), Some(status)));
            assert_eq!(answers.iter().map(told).collect::<Vec<_>>(), expected.collect::<Vec<_>>(), "{answers:?}");
            assert_eq!(answers[3], json!({"id": 4, "status": 200}));
            assert!(
                answers.iter().all(|answer| answer["status"] == 200 || answer["error"]["code"] == "operator_needed")
            );
        }
    });
}

#[test]
fn auth_stands_alone_and_on_a_socket() {
    let server = start(Loopback, 1);
    let mut socket = WsClient::connect(server.address());
    let delete = json!({"method": "DELETE", "path": "/channels/law"});
    socket.send_text(&json!([{"method": "AUTH", "token": OPERATOR_KEY}, delete]).to_string());
    let answers = socket.next_json();
    assert_eq!((&answers[0]["status"], &answers[1]["status"]), (&json!(400), &json!(401)), "{answers}");
    for (wrong, code) in [
        (json!({"method": "AUTH"}), "bad_request"),
        (json!({"method": "AUTH", "token": 1}), "bad_request"),
        (json!({"method": "AUTH", "token": "x", "path": "/ws"}), "unknown_member"),
        (json!({"method": "GET", "path": "/channels/law", "token": "x"}), "unknown_member"),
    ] {
        let answer = socket.request(wrong.clone());
        assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(400), &json!(code)), "{wrong}: {answer}");
    }
    let body = json!({"method": "AUTH", "token": OPERATOR_KEY}).to_string();
    let answer = post(server.address(), "/ws", &body);
    assert_eq!((answer.status, answer.code().as_str()), (400, "bad_request"));
    assert!(answer.text().contains("Authorization: Bearer KEY"), "{}", answer.text());
}

#[test]
fn a_listener_for_everybody_does_not_start_without_the_flag_and_says_so() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut config = Config::default();
        config.server.listen = vec![address.parse().expect("an address")];
        let Err(error) = Server::start(config) else { panic!("{address} is open to everybody") };
        assert!(error.to_string().contains("server.allow_anonymous_publish"), "{error}");
    }
    let output = Command::new(env!("CARGO_BIN_EXE_tidings")).args(["serve", "--listen", "0.0.0.0:0"]).output();
    let output = output.expect("the binary runs");
    let errors = String::from_utf8(output.stderr).expect("UTF-8");
    assert!(!output.status.success() && output.stdout.is_empty());
    assert!(errors.contains("--allow-anonymous-publish"), "{errors}");
}

fn values<'a>(answer: &'a Answer, name: &str) -> Vec<&'a str> {
    let named = answer.fields.iter().filter(|(own, _)| own.eq_ignore_ascii_case(name));
    named.map(|(_, value)| value.as_str()).collect()
}

#[test]
fn pages_of_allowed_origins_can_read_answers_and_refusals_and_no_others_can() {
    with_one_and_two_reactors(|reactors| {
        let server = start(Configured, reactors);
        let mut client = HttpClient::connect(server.address());
        let page = ("Origin", "https://app.example");
        for (method, target, body) in [
            ("GET", "/channels/c", &b""[..]),
            ("POST", "/channels/c", b"1"),
            ("POST", "/channels/c", b"{"),
            ("GET", "/nothing", b""),
            ("PUT", "/livez", b""),
        ] {
            let answer = client.request(method, target, &[page], body);
            assert_eq!(values(&answer, "Access-Control-Allow-Origin"), ["https://app.example"], "{method} {target}");
            assert_eq!(values(&answer, "Access-Control-Expose-Headers"), ["Retry-After"]);
            assert_eq!(values(&answer, "Access-Control-Allow-Credentials"), [""; 0]);
            assert_eq!(values(&answer, "Vary"), ["Accept, Origin"]);
        }
        let stranger = client.request("GET", "/channels/c", &[("Origin", "https://evil.example")], b"");
        assert_eq!((stranger.status, values(&stranger, "Access-Control-Allow-Origin").len()), (403, 0));
    });
}

#[test]
fn credentials_are_allowed_where_they_are_set() {
    let server = TestServer::start(|config| {
        config.server.allow_origin = vec!["https://app.example".to_owned()];
        config.http.allow_credentials = true;
    });
    let mut client = HttpClient::connect(server.address());
    let page = ("Origin", "https://app.example");
    for (method, more) in [("GET", vec![]), ("OPTIONS", vec![("Access-Control-Request-Method", "POST")])] {
        let answer = client.request(method, "/channels/c", &[vec![page], more].concat(), b"");
        assert_eq!(values(&answer, "Access-Control-Allow-Credentials"), ["true"], "{method}");
        assert_eq!(values(&answer, "Access-Control-Allow-Origin"), ["https://app.example"], "{method}");
    }
    client.raw.send("GET /channels/c HTTP/1.1\r\nHost: localhost\r\nOrigin: https://app.example\r\nAccept: text/event-stream\r\n\r\n");
    let (status, head) = status_of(&mut client);
    assert!(status == 200 && head.contains("\r\nAccess-Control-Allow-Credentials: true\r\n"), "{head}");
}

#[test]
fn a_preflight_names_what_pages_may_send_and_has_no_wildcard() {
    let server = start(Configured, 1);
    let mut client = HttpClient::connect(server.address());
    let preflight = |origin| [("Origin", origin), ("Access-Control-Request-Method", "POST")];
    for target in ["/channels/c", "/ws", "/livez", "*"] {
        let answer = client.request("OPTIONS", target, &preflight("https://app.example"), b"");
        assert_eq!(answer.status, 204, "{target}");
        assert_eq!(values(&answer, "Access-Control-Allow-Origin"), ["https://app.example"]);
        assert_eq!(values(&answer, "Access-Control-Allow-Methods"), ["GET, POST, DELETE, OPTIONS"]);
        assert_eq!(values(&answer, "Access-Control-Expose-Headers"), ["Retry-After"]);
        assert_eq!(values(&answer, "Access-Control-Allow-Credentials"), [""; 0]);
        let allowed = values(&answer, "Access-Control-Allow-Headers").concat();
        for name in ["Content-Type", "Authorization", "Idempotency-Key"] {
            assert!(allowed.contains(name), "{name} is missing in {allowed}");
        }
        assert!(answer.fields.iter().all(|(_, value)| value != "*"), "{:?}", answer.fields);
    }
    // Cache-Control, a tracer's field and pages' own failed in their preflights.
    let asked = [("Access-Control-Request-Headers", "cache-control,traceparent,x-own")];
    let answer =
        client.request("OPTIONS", "/channels/c", &[&preflight("https://app.example")[..], &asked].concat(), b"");
    assert_eq!(values(&answer, "Access-Control-Allow-Headers"), ["cache-control, traceparent, x-own"]);
    for origin in ["https://evil.example", "null"] {
        let answer = client.request("OPTIONS", "/channels/c", &preflight(origin), b"");
        assert_eq!((answer.status, answer.code().as_str()), (403, "origin_not_allowed"));
        assert_eq!(values(&answer, "Access-Control-Allow-Methods"), [""; 0]);
    }
    assert_eq!(client.exchange(request_bytes("OPTIONS", "/channels/c", &[], b"")).status, 204);
}
