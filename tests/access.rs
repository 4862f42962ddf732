//! Law 10 on running servers: who may read, publish and administer, by Origin, Host, listener and traces of a proxy.

use crate::support::http::{Answer, HttpClient, get, post, request_bytes};
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};
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
}
use On::{Configured, Loopback, Public};

fn start(on: On, reactors: usize) -> TestServer {
    TestServer::start(|config| {
        config.server.reactors = reactors;
        match on {
            Loopback => {}
            Configured => {
                config.server.allow_origin = vec!["https://app.example".to_owned()];
                config.server.allow_host = vec!["push.example".to_owned()];
            }
            Public => {
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
const OTHERS: &[&str] = &[WS, "POST", "DELETE"];

const ROWS: &[Row] = &[
    // No page behind it: plain reads need a host of this server, the rest comes from no browser.
    (Loopback, ALL, "localhost", "-", false, 0),
    (Loopback, ALL, "127.0.0.1:PORT", "-", false, 0),
    (Loopback, ALL, "[::1]:8080", "-", false, 0),
    (Loopback, READS, "example.com", "-", false, 421),
    (Loopback, READS, "localhost.evil.example", "-", false, 421),
    (Loopback, OTHERS, "example.com", "-", false, 0),
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
    // Through a proxy: reading only.
    (Loopback, &["GET", "HEAD", SSE, WS], "localhost", "-", true, 0),
    (Loopback, &["POST", "DELETE"], "localhost", "-", true, 403),
    (Loopback, &["POST", "DELETE"], "localhost", "http://localhost", true, 403),
    // What is configured, and nothing near it.
    (Configured, ALL, "localhost", "https://app.example", false, 0),
    (Configured, ALL, "push.example", "https://push.example", false, 0),
    (Configured, ALL, "push.example:1", "-", false, 0),
    (Configured, ALL, "localhost", "http://app.example", false, 403),
    (Configured, ALL, "localhost", "https://sub.app.example", false, 403),
    (Configured, ALL, "localhost", "null", false, 403),
    (Configured, ALL, "app.example", "https://app.example", false, 421),
    // A listener for everybody: any host, only its own pages, and administration on the machine itself.
    (Public, ALL, "127.0.0.1:PORT", "-", false, 0),
    (Public, &["GET", "HEAD", SSE, WS, "POST"], "push.example", "-", false, 0),
    (Public, &["DELETE"], "push.example", "-", false, 403),
    (Public, &["GET", "HEAD", SSE, WS, "POST"], "push.example", "https://push.example", false, 0),
    (Public, &["GET", "HEAD", SSE, WS, "POST"], "push.example", "-", true, 0),
    (Public, &["DELETE"], "localhost", "-", true, 403),
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
        for listener in [Loopback, Configured, Public] {
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
                    let expected = if *status == 0 { success } else { *status };
                    let mut client = HttpClient::connect(address);
                    client.raw.send(&bytes);
                    let (got, head) = status_of(&mut client);
                    assert_eq!(got, expected, "{listener:?}: {bytes}");
                    // A page that may ask may read the answer too, a refusal among them.
                    let may_read = *origin != "-" && got != 101 && (*status == 0 || *forwarded);
                    assert_eq!(head.contains("Access-Control-Allow-Origin"), may_read, "{bytes} {head}");
                }
            }
        }
    });
}

#[test]
fn a_refusal_says_what_would_allow_the_request() {
    let server = start(Loopback, 1);
    let ask = |fields: &[(&str, &str)]| HttpClient::connect(server.address()).request("GET", "/livez", fields, b"");
    let origin = ask(&[("Origin", "https://app.example")]);
    assert_eq!((origin.status, origin.code().as_str()), (403, "origin_not_allowed"));
    assert!(origin.text().contains("--allow-origin https://app.example"), "{}", origin.text());
    let host = ask(&[("Host", "push.example")]);
    assert_eq!((host.status, host.code().as_str()), (421, "misdirected_request"));
    assert!(host.text().contains("--allow-host push.example"), "{}", host.text());
}

#[test]
fn every_trace_of_a_proxy_counts_as_remote_on_a_loopback_listener() {
    with_one_and_two_reactors(|reactors| {
        let server = start(Loopback, reactors);
        assert_eq!(post(server.address(), "/channels/law", "0").status, 200);
        for field in ["Forwarded", "Via", "X-Forwarded-For", "x-forwarded-proto", "X-FORWARDED-HOST"] {
            let mut client = HttpClient::connect(server.address());
            let mut ask = |method: &str, target: &str, body: &[u8]| {
                let answer = client.request(method, target, &[(field, "x")], body);
                (answer.status, if answer.status < 300 { String::new() } else { answer.code() })
            };
            let refused = |code: &str| (403, code.to_owned());
            assert_eq!(ask("POST", "/channels/law", b"1"), refused("publishing_not_allowed"), "{field}");
            assert_eq!(ask("POST", "/ws", b"1"), refused("publishing_not_allowed"), "{field}");
            assert_eq!(ask("DELETE", "/channels/law", b""), refused("admin_only"), "{field}");
            assert_eq!(ask("GET", "/metrics", b""), refused("admin_only"), "{field}");
            assert_eq!(ask("GET", "/channels", b""), refused("admin_only"), "{field}");
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
        assert_eq!((&deleted["status"], &deleted["error"]["code"]), (&json!(403), &json!("admin_only")));
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
    assert_eq!(client.request("DELETE", "/channels/law", &[("Via", "1.1 p")], b"").status, 403);
}

#[test]
fn operators_ask_on_the_machine_itself_even_where_everybody_may_come_in() {
    with_one_and_two_reactors(|reactors| {
        let server = start(Public, reactors);
        let mut client = HttpClient::connect(([127, 0, 0, 1], server.address().port()).into());
        for target in ["/metrics", "/channels"] {
            for (fields, status) in [
                (vec![("Host", "localhost")], 200),
                (vec![("Host", "127.0.0.1:80")], 200),
                // A name that somebody else's DNS points here.
                (vec![("Host", "push.example")], 403),
                (vec![("Host", "localhost"), ("X-Forwarded-For", "203.0.113.9")], 403),
                (vec![("Host", "localhost"), ("Origin", "http://evil.example")], 403),
            ] {
                assert_eq!(client.request("GET", target, &fields, b"").status, status, "{target} {fields:?}");
            }
        }
    });
}

#[test]
fn a_listener_for_everybody_does_not_start_without_the_flag_and_says_so() {
    for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
        let mut config = Config::default();
        config.server.listen = vec![address.parse().expect("an address")];
        let Err(error) = Server::start(config) else { panic!("{address} is open to everybody") };
        assert!(error.to_string().contains("--allow-anonymous-publish"), "{error}");
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
        let allowed = values(&answer, "Access-Control-Allow-Headers").concat();
        for name in ["Content-Type", "Authorization", "Idempotency-Key"] {
            assert!(allowed.contains(name), "{name} is missing in {allowed}");
        }
        assert!(answer.fields.iter().all(|(_, value)| value != "*"), "{:?}", answer.fields);
    }
    for origin in ["https://evil.example", "null"] {
        let answer = client.request("OPTIONS", "/channels/c", &preflight(origin), b"");
        assert_eq!((answer.status, answer.code().as_str()), (403, "origin_not_allowed"));
        assert_eq!(values(&answer, "Access-Control-Allow-Methods"), [""; 0]);
    }
    assert_eq!(client.exchange(request_bytes("OPTIONS", "/channels/c", &[], b"")).status, 204);
}
