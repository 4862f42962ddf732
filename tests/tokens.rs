//! Tokens on every transport and in every way to present them, what they allow, and what happens when their time is over.

use crate::support::http::HttpClient;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until};
use aws_lc_rs::hmac;
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};
use tidings::Config;
use tungstenite::protocol::frame::coding::CloseCode;

pub(crate) const SECRET: &str = "0123456789abcdef0123456789abcdef";

pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs()
}

/// A token with these claims and the usual ones where they say nothing.
pub(crate) fn token(claims: &Value) -> String {
    let mut all = json!({"iss": "app", "aud": "tidings", "sub": "ann", "exp": now() + 600,
        "grants": [{"channels": ["chat:*"], "may": ["read", "write"]}]});
    for (name, value) in claims.as_object().expect("claims") {
        all[name] = value.clone();
    }
    let parts =
        [json!({"alg": "HS256", "typ": "JWT"}), all].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let signed = parts.join(".");
    let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
    format!("{signed}.{}", BASE64URL_NOPAD.encode(hmac::sign(&key, signed.as_bytes()).as_ref()))
}

/// A server with one issuer, for which this is set as well, and with other blocks after it.
fn start(more: &str) -> TestServer {
    let text = format!(
        "[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\nsecret = \"{SECRET}\"\nleeway = 0\n{more}\n"
    );
    let config = Config::from_toml("tokens.toml", &text).expect("valid");
    TestServer::start(|own| {
        own.issuers = config.issuers;
        own.channel_rules = config.channel_rules;
    })
}

/// The status and code of a request over HTTP.
fn asked(server: &TestServer, method: &str, path: &str, fields: &[(&str, &str)]) -> (u16, String) {
    let body: &[u8] = if method == "POST" { b"1" } else { b"" };
    let answer = HttpClient::connect(server.address()).request(method, path, fields, body);
    assert!(!answer.text().contains("eyJ"), "no token is repeated: {}", answer.text());
    let code = if answer.status < 300 { String::new() } else { answer.code() };
    (answer.status, code)
}

#[test]
fn a_token_allows_what_it_grants_on_every_transport_and_nothing_else() {
    let server = start("");
    let bearer = format!("Bearer {}", token(&json!({})));
    let fields = [("Authorization", bearer.as_str())];
    for method in ["GET", "POST"] {
        assert_eq!(asked(&server, method, "/channels/chat:a", &fields).0, 200, "{method}");
        assert_eq!(asked(&server, method, "/channels/chat:a", &[]), (401, "token_needed".to_owned()), "{method}");
        assert_eq!(asked(&server, method, "/channels/news", &fields), (403, "forbidden".to_owned()), "{method}");
    }
    assert_eq!(asked(&server, "DELETE", "/channels/chat:a", &fields).0, 403);
    assert_eq!(asked(&server, "GET", "/metrics", &fields), (403, "admin_only".to_owned()));
    let mut socket = WsClient::connect_to(server.address(), "/channels/chat:a", &[("Authorization", &bearer)]);
    assert_eq!(socket.next_json()["status"], 200);
    assert_eq!(socket.post("chat:a", &json!(5))["status"], 200);
    assert_eq!(socket.post("news", &json!(5))["error"]["code"], "forbidden");
    let close = WsClient::connect_to(server.address(), "/channels/news", &[("Authorization", &bearer)]).read_close();
    assert_eq!(close.expect("a Close").code, CloseCode::from(4403));
    let wrong = format!("Bearer {}x", token(&json!({})));
    assert_eq!(asked(&server, "GET", "/channels/chat:a", &[("Authorization", &wrong)]).0, 401);
    let expired = format!("Bearer {}", token(&json!({"exp": now() - 1})));
    let said = asked(&server, "GET", "/channels/chat:a", &[("Authorization", &expired)]);
    assert_eq!(said, (401, "token_expired".to_owned()));
}

#[test]
fn a_token_may_stand_where_it_is_allowed() {
    let server = start("token_in_query = true\ncookie = \"session\"");
    let token = token(&json!({}));
    let path = format!("/channels/chat:a?token={token}");
    for method in ["GET", "POST"] {
        let answer = HttpClient::connect(server.address()).request(method, &path, &[], b"1");
        let answer = if method == "GET" {
            HttpClient::connect(server.address()).request("GET", &path, &[], b"")
        } else {
            answer
        };
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert_eq!(answer.field("Referrer-Policy"), Some("no-referrer"));
        assert_eq!(answer.field("Cache-Control"), Some("no-store"), "stricter than private");
    }
    assert_eq!(asked(&start(""), "GET", &path, &[]), (400, "unknown_option".to_owned()), "no issuer takes it there");
    let offer = format!("tidings.v1, tidings.token.{token}");
    let mut socket = WsClient::connect_to(server.address(), "/channels/chat:a", &[("Sec-WebSocket-Protocol", &offer)]);
    assert_eq!(socket.next_json()["status"], 200);
    let mut socket = WsClient::connect_to(server.address(), &path, &[]);
    assert_eq!(socket.next_json()["status"], 200);
    let cookie = format!("other=1; session={token}");
    let origin = format!("http://{}", server.address());
    for (fields, status) in [
        (vec![("Cookie", cookie.as_str())], 200),
        (vec![("Cookie", &cookie), ("Sec-Fetch-Site", "same-origin")], 200),
        (vec![("Cookie", &cookie), ("Sec-Fetch-Site", "cross-site")], 401),
        (vec![("Cookie", &cookie), ("Sec-Fetch-Site", "none")], 401),
        (vec![("Cookie", &cookie), ("Origin", &origin)], 200),
    ] {
        assert_eq!(asked(&server, "GET", "/channels/chat:a", &fields).0, status, "{fields:?}");
    }
    assert_eq!(asked(&server, "POST", "/channels/chat:a", &[("Cookie", &cookie)]).0, 401, "no page was allowed");
    assert_eq!(asked(&server, "POST", "/channels/chat:a", &[("Cookie", &cookie), ("Origin", &origin)]).0, 200);
}

#[test]
fn cookies_do_not_count_for_pages_that_anybody_can_have() {
    let config = "[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\ncookie = \"session\"\n";
    let config = Config::from_toml("t", &format!("{config}secret = \"{SECRET}\"\n")).expect("valid");
    let server = TestServer::start(|own| {
        own.issuers = config.issuers;
        own.server.allow_origin = ["*", "null", "https://app.example"].map(str::to_owned).to_vec();
    });
    let cookie = format!("session={}", token(&json!({})));
    for (origin, status) in [("https://evil.example", 401), ("null", 401), ("https://app.example", 200)] {
        let fields = [("Cookie", cookie.as_str()), ("Origin", origin)];
        assert_eq!(asked(&server, "GET", "/channels/chat:a", &fields).0, status, "{origin}");
    }
}

#[test]
fn signing_in_on_a_socket_is_for_one_user_and_may_take_away() {
    let server = start("");
    let mut socket = WsClient::connect(server.address());
    let sign_in =
        |socket: &mut WsClient, claims: Value| socket.request(json!({"method": "AUTH", "token": token(&claims)}));
    assert_eq!(socket.request(json!({"method": "GET", "path": "/channels/chat:a"}))["error"]["code"], "token_needed");
    assert_eq!(sign_in(&mut socket, json!({}))["status"], 200);
    socket.subscribe("chat:a");
    socket.subscribe("chat:b");
    assert_eq!(sign_in(&mut socket, json!({"sub": "bob"}))["status"], 403, "another user");
    let less = json!({"grants": [{"channels": ["chat:b"], "may": ["read"]}]});
    assert_eq!(sign_in(&mut socket, less)["status"], 200);
    let ended = socket.next_push();
    assert_eq!((&ended["channel"], &ended["ended"], &ended["status"]), (&json!("chat:a"), &json!(true), &json!(403)));
    server.publish("chat:a", "1").expect("published");
    server.publish("chat:b", "2").expect("published");
    assert_eq!(socket.next_push()["channel"], "chat:b");
    assert_eq!(socket.post("chat:b", &json!(1))["status"], 403);
}

#[test]
fn a_socket_hears_before_its_token_expires_and_goes_on_if_it_signs_in() {
    let server = start("");
    let soon = token(&json!({"exp": now() + 3}));
    let bearer = format!("Bearer {soon}");
    let connect = || WsClient::connect_to(server.address(), "/ws", &[("Authorization", &bearer)]);
    let (mut renews, mut does_not) = (connect(), connect());
    renews.subscribe("chat:a");
    for socket in [&mut renews, &mut does_not] {
        let notice = socket.next_push();
        assert_eq!(notice["auth"], "expiring");
        assert!(notice["in"].as_u64().is_some_and(|left| left <= 3), "{notice}");
    }
    assert_eq!(renews.request(json!({"method": "AUTH", "token": token(&json!({}))}))["status"], 200);
    let close = does_not.read_close().expect("a Close");
    assert_eq!((close.code, close.reason.starts_with("token_expired")), (CloseCode::from(4401), true), "{close:?}");
    server.publish("chat:a", "7").expect("published");
    assert_eq!(renews.next_push()["data"], 7);
}

/// It was announced as expiring in the moment in which it was presented, after each renewal too.
#[test]
fn a_token_for_a_short_time_is_announced_when_half_of_it_is_over() {
    let server = start("");
    let mut socket = WsClient::connect(server.address());
    for _ in 0..2 {
        let until = now() + 6;
        assert_eq!(socket.request(json!({"method": "AUTH", "token": token(&json!({"exp": until}))}))["status"], 200);
        let notice = socket.next_push();
        assert_eq!(notice["auth"], "expiring");
        let left = notice["in"].as_u64().expect("seconds");
        assert!((1..=3).contains(&left) && now() + 4 >= until, "{notice} with {} s left", until - now());
    }
}

#[test]
fn an_event_stream_ends_with_its_token() {
    let server = start("token_in_query = true");
    let soon = token(&json!({"exp": now() + 2}));
    let mut stream = SseClient::open(server.address(), &format!("chat:a?token={soon}"), None);
    let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
    assert_eq!(last.event.as_deref(), Some("refused"));
    assert!(last.data.contains("token_expired"), "{}", last.data);
    wait_until("its subscription has ended", || server.subscribers("chat:a") == 0);
}

#[test]
fn a_token_subscribes_its_connections() {
    let server = start("");
    let subs = json!({"subs": ["chat:a", "chat:b", "closed"]});
    let bearer = format!("Bearer {}", token(&subs));
    let mut socket = WsClient::connect_to(server.address(), "/channels/chat:b", &[("Authorization", &bearer)]);
    let answers = [socket.next_json(), socket.next_json()];
    assert_eq!(answers.map(|answer| answer["channel"].clone()), [json!("chat:b"), json!("chat:a")]);
    for channel in ["chat:a", "chat:b"] {
        assert_eq!(server.subscribers(channel), 1, "{channel}");
    }
    assert_eq!(server.subscribers("closed"), 0, "it is not granted");
    server.publish("chat:a", "1").expect("published");
    assert_eq!(socket.next_push()["channel"], "chat:a");
}

#[test]
fn a_token_subscribes_a_socket_that_signs_in_by_it() {
    let server = start("");
    let auth = |claims: &Value| json!({"method": "AUTH", "token": token(claims)});
    let subs = json!({"subs": ["chat:a", "chat:b", "closed"]});
    let mut socket = WsClient::connect(server.address());
    assert_eq!(socket.request(auth(&subs))["status"], 200);
    let answers = [socket.next_json(), socket.next_json()];
    assert_eq!(answers.map(|answer| answer["channel"].clone()), [json!("chat:a"), json!("chat:b")]);
    // What is renewed stays as it is: the client may have left a channel.
    assert_eq!(socket.request(json!({"method": "DELETE", "path": "/subscriptions/chat:b"}))["status"], 200);
    assert_eq!(socket.request(auth(&subs))["status"], 200);
    assert_eq!(socket.request(json!({"method": "GET", "path": "/livez"}))["status"], 200);
    assert_eq!(["chat:a", "chat:b", "closed"].map(|channel| server.subscribers(channel)), [1, 0, 0]);
    // A batch says all that it asks for.
    let mut batch = WsClient::connect(server.address());
    batch.send_text(&json!([auth(&subs), {"method": "GET", "path": "/livez"}]).to_string());
    assert_eq!(batch.next_json().as_array().map(Vec::len), Some(2));
    assert_eq!(batch.request(json!({"method": "GET", "path": "/livez"}))["status"], 200);
    assert_eq!(server.subscribers("chat:a"), 1);
    // What anyone may read it may have subscribed to before.
    let server = start("[[channel]]\nmatch = \"open\"\nread = [\"anyone\"]");
    let mut both = WsClient::connect_to(server.address(), "/channels/open", &[]);
    both.next_json();
    assert_eq!(both.request(auth(&json!({"subs": ["open", "chat:b"]})))["status"], 200);
    assert_eq!(both.next_json()["channel"], "chat:b", "it has the other one");
    assert_eq!(server.subscribers("open"), 1);
}

#[test]
fn a_command_goes_on_with_the_token_that_its_file_has_then() {
    let server = start("");
    server.publish("chat:a", "1").expect("published");
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("token-{}", std::process::id()));
    let until = now() + 2;
    std::fs::write(&file, token(&json!({"exp": until}))).expect("a file");
    let mut command = Command::new(env!("CARGO_BIN_EXE_tidings"));
    command.args(["subscribe", "chat:a", "--last", "1", "--url", &server.address().to_string(), "--token-file"]);
    let mut child = command.arg(&file).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().expect("it runs");
    let mut lines = BufReader::new(child.stdout.take().expect("standard output")).lines().map_while(Result::ok);
    assert_eq!(lines.next().as_deref(), Some("1 1"));
    // In time or not: it signs on with it, or comes back with it.
    std::fs::write(&file, token(&json!({}))).expect("a file");
    wait_until("the first token has expired", || now() > until);
    server.publish("chat:a", "2").expect("published");
    assert_eq!(lines.next().as_deref(), Some("2 2"));
    child.kill().expect("it still runs");
    child.wait().expect("it ends");
    std::fs::remove_file(&file).expect("it was written");
}
