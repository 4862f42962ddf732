//! `[[channel]]` rules on every transport: who may read and write what, what a channel keeps, and rules that change while
//! clients are connected.

use crate::support::http::HttpClient;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, OPERATOR_KEY, TestServer, wait_until};
use serde_json::json;
use tidings::Config;
use tungstenite::protocol::frame::coding::CloseCode;

const RULES: &str = r#"
[[channel]]
match = "news:*"
read = ["anyone"]
history_count = 2

[[channel]]
match = "chat:**"
read = ["anyone"]
write = ["anyone"]
history_bytes = 0
publication_bytes = 20

[[channel]]
match = "closed"
read = ["nobody"]
write = ["nobody"]
"#;

fn config(rules: &str) -> Config {
    let mut config = Config::from_toml("rules.toml", rules).expect("valid");
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config
}

fn start(rules: &str) -> TestServer {
    TestServer::start(|config| config.channel_rules = self::config(rules).channel_rules)
}

/// The status and code of a request over HTTP.
fn asked(server: &TestServer, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> (u16, String) {
    let answer = HttpClient::connect(server.address()).request(method, path, fields, body);
    let code = if answer.status < 300 { String::new() } else { answer.code() };
    (answer.status, code)
}

/// Rows: channel, then what an anonymous client may do: read, write; and the code of what is refused.
const ROWS: &[(&str, bool, bool, &str)] = &[
    ("news:a", true, false, "token_needed"),
    ("news:a:b", false, false, "token_needed"),
    ("chat:a:b", true, true, ""),
    ("closed", false, false, "forbidden"),
    ("other", false, false, "token_needed"),
];

#[test]
fn rules_hold_over_http_on_sockets_and_on_event_streams() {
    let server = start(RULES);
    for &(channel, read, write, code) in ROWS {
        let path = format!("/channels/{channel}");
        let status = |may: bool| {
            if may {
                200
            } else if code == "forbidden" {
                403
            } else {
                401
            }
        };
        let said = |may: bool| (status(may), if may { String::new() } else { code.to_owned() });
        assert_eq!(asked(&server, "GET", &path, &[], b""), said(read), "GET {channel}");
        assert_eq!(asked(&server, "POST", &path, &[], b"1"), said(write), "POST {channel}");
        let waits = [("Expect", "100-continue")];
        assert_eq!(asked(&server, "POST", &path, &waits, b"1"), said(write), "POST {channel} with Expect");
        let stream = [("Accept", "text/event-stream")];
        if !read {
            assert_eq!(asked(&server, "GET", &path, &stream, b""), said(read), "stream of {channel}");
        }
        let mut socket = WsClient::connect(server.address());
        let answer = socket.request(json!({"method": "GET", "path": path}));
        assert_eq!(answer["status"], status(read), "{answer}");
        let answer = socket.post(channel, &json!(1));
        assert_eq!(answer["status"], status(write), "{answer}");
        if !write {
            assert_eq!(answer["error"]["code"], code);
        }
        let manage = asked(&server, "DELETE", &path, &[], b"");
        assert_eq!(manage.0, 401, "{channel}: emptying is never open to everyone");
        // An operator may do everything.
        for (method, body) in [("GET", &b""[..]), ("POST", b"1"), ("DELETE", b"")] {
            assert_eq!(asked(&server, method, &path, &[OPERATOR], body).0, 200, "{method} {channel}");
        }
    }
}

#[test]
fn a_refusal_names_the_rule_and_what_would_allow_it() {
    let server = start(RULES);
    let said = HttpClient::connect(server.address()).request("POST", "/channels/news:a", &[], b"1").text();
    assert!(said.contains("[[channel]] 1 (match = \\\"news:*\\\") lets token, key write"), "{said}");
    let said = HttpClient::connect(server.address()).request("GET", "/channels/x", &[], b"").text();
    assert!(said.contains("no [[channel]] rule matches"), "{said}");
    let mut socket = WsClient::connect_to(server.address(), "/channels/closed", &[]);
    let close = socket.read_close().expect("a Close");
    assert_eq!(close.code, CloseCode::from(4403));
    assert!(close.reason.starts_with("forbidden: the rule [[channel]] 3"), "{}", close.reason);
}

#[test]
fn what_proves_nothing_is_refused_where_rules_apply() {
    let server = start(RULES);
    let wrong = [("Authorization", "Bearer something")];
    assert_eq!(asked(&server, "GET", "/channels/news:a", &wrong, b""), (401, "token_invalid".to_owned()));
    let answer = HttpClient::connect(server.address()).request("GET", "/channels/news:a", &wrong, b"");
    assert!(!answer.text().contains("something"), "{}", answer.text());
    // A proxy's own password is none of ours, and probes and pages are for everybody.
    assert_eq!(asked(&server, "GET", "/channels/news:a", &[("Authorization", "Basic YTpi")], b"").0, 200);
    assert_eq!(asked(&server, "GET", "/livez", &wrong, b"").0, 200);
    assert_eq!(asked(&server, "GET", "/", &wrong, b"").0, 200);
    let mut socket = WsClient::connect(server.address());
    let answer = socket.request(json!({"method": "AUTH", "token": "something"}));
    assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(401), &json!("token_invalid")));
    assert_eq!(socket.request(json!({"method": "AUTH", "token": OPERATOR_KEY}))["status"], 200);
    socket.subscribe("closed");
}

#[test]
fn a_token_among_the_subprotocols_is_used_and_never_chosen() {
    let server = start(RULES);
    let offer = format!("chat, tidings.token.{OPERATOR_KEY}");
    let mut socket = WsClient::connect_to(server.address(), "/ws", &[("Sec-WebSocket-Protocol", &offer)]);
    socket.subscribe("closed");
    let alone = format!("tidings.token.{OPERATOR_KEY}");
    let key = [
        ("Upgrade", "websocket"),
        ("Connection", "Upgrade"),
        ("Sec-WebSocket-Version", "13"),
        ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
        ("Sec-WebSocket-Protocol", &alone),
    ];
    let refused = HttpClient::connect(server.address()).request("GET", "/ws", &key, b"");
    assert_eq!(refused.status, 400);
    assert!(refused.text().contains("offer tidings.v1 or chat beside it") && !refused.text().contains(OPERATOR_KEY));
}

#[test]
fn a_channel_keeps_and_takes_what_its_rule_says() {
    let server = start(RULES);
    for data in 1..=3 {
        for channel in ["news:a", "chat:a", "other"] {
            let position = server.publish(channel, data.to_string()).expect("published");
            assert_eq!(position.offset, data);
        }
    }
    let kept = |channel: &str| {
        let answer =
            HttpClient::connect(server.address()).request("GET", &format!("/channels/{channel}"), &[OPERATOR], b"");
        answer.json()["publications"].as_array().expect("a list").len()
    };
    assert_eq!(["news:a", "chat:a", "other"].map(kept), [2, 0, 3]);
    let long = format!("\"{}\"", "x".repeat(18));
    assert_eq!(asked(&server, "POST", "/channels/chat:a", &[], long.as_bytes()).0, 200, "20 bytes");
    let longer = format!("\"{}\"", "x".repeat(19));
    for fields in [&[][..], &[OPERATOR]] {
        let (status, code) = asked(&server, "POST", "/channels/chat:a", fields, longer.as_bytes());
        assert_eq!((status, code.as_str()), (413, "publication_too_large"), "21 bytes");
    }
    let error = server.publish("chat:a", &longer).expect_err("the program's own, too");
    assert!(error.to_string().contains("publication_bytes"), "{error}");
}

#[test]
fn subscriptions_that_new_rules_forbid_end_and_say_why() {
    for reactors in [1, 2] {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.channel_rules = self::config(RULES).channel_rules;
        });
        let mut socket = WsClient::connect(server.address());
        socket.subscribe("news:a");
        socket.subscribe("chat:a");
        let mut stream = SseClient::open(server.address(), "news:b", None);
        let mut stays = SseClient::open(server.address(), "chat:b", None);
        let mut operator = WsClient::connect_to(server.address(), "/ws", &[OPERATOR]);
        operator.subscribe("news:a");
        let subscribed = |count: f64| server.metric("tidings_subscriptions") == count;
        wait_until("all are subscribed", || subscribed(5.0));
        server.change_rules(&self::config("[[channel]]\nmatch = \"chat:*\"\nread = [\"anyone\"]\n")).expect("valid");
        let ended = socket.next_push();
        assert_eq!((&ended["channel"], &ended["ended"]), (&json!("news:a"), &json!(true)), "{ended}");
        assert_eq!((&ended["status"], &ended["error"]["code"]), (&json!(401), &json!("token_needed")));
        let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
        assert_eq!(last.event.as_deref(), Some("refused"));
        assert!(last.data.contains("token_needed"), "{}", last.data);
        wait_until("two have ended", || subscribed(3.0));
        for channel in ["news:a", "chat:a", "chat:b"] {
            server.publish(channel, "7").expect("published");
        }
        assert_eq!(socket.next_push()["channel"], "chat:a", "nothing of news:a came");
        let block = std::iter::from_fn(|| stays.next_block()).find(|block| block.data == "7");
        assert!(block.is_some(), "the other stream goes on");
        assert_eq!(operator.next_push()["channel"], "news:a");
        // What it asks from now on is judged by the new rules, and open mode does not come back by them.
        assert_eq!(socket.post("chat:a", &json!(1))["error"]["code"], "token_needed");
        assert_eq!(socket.request(json!({"method": "GET", "path": "/channels/news:a"}))["status"], 401);
    }
}

#[test]
fn a_server_with_rules_may_listen_to_the_network_and_one_without_may_not() {
    let mut open = Config::default();
    open.server.listen = vec!["0.0.0.0:0".parse().expect("an address")];
    assert!(open.check().is_err());
    open.channel_rules = config(RULES).channel_rules;
    open.check().expect("rules say who may do what");
    open.server.allow_anonymous_publish = true;
    let error = open.check().expect_err("two answers").to_string();
    assert!(error.contains("write = [\"anyone\"]"), "{error}");
}

#[test]
fn signing_in_as_less_ends_what_is_no_longer_allowed() {
    // Rules alone know operators and everybody else: the other way around is tested with tokens.
    let server = start(RULES);
    let mut socket = WsClient::connect(server.address());
    socket.subscribe("news:a");
    assert_eq!(socket.request(json!({"method": "AUTH", "token": OPERATOR_KEY}))["status"], 200);
    server.publish("news:a", "1").expect("published");
    assert_eq!(socket.next_push()["data"], 1, "nothing ended");
    assert_eq!(server.subscribers("news:a"), 1);
}
