//! Clients whose key, token or signed address counts no longer, or says something else, after a change of the rules: they end
//! and are told why, or go on as who they are now; all others go on as they were.

use crate::support::http::HttpClient;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use crate::tokens::token;
use serde_json::json;
use std::net::SocketAddr;
use tidings::Config;
use tidings::model::api_key::KeySecret;
use tidings::model::sign_secrets::SignSecrets;

const APP: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
const RULES: &str = "[[channel]]\nmatch = \"open\"\nread = [\"anyone\"]\n[[channel]]\nmatch = \"**\"\nread = [\"token\", \"key\"]\nwrite = [\"token\", \"key\"]\n";

fn key(name: &str, secret: &str, more: &str) -> String {
    let hash = KeySecret::parse(secret).expect("a secret").hash();
    let grants =
        if more.contains("grants") { "" } else { "grants = [{ channels = [\"**\"], may = [\"read\", \"write\"] }]" };
    format!("[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\n{grants}\n{more}\n")
}

fn issuer(name: &str, secrets: &str, audience: &str) -> String {
    format!("[[issuer]]\nname = \"{name}\"\nissuer = \"{name}\"\naudience = [\"{audience}\"]\nsecret = {secrets}\n")
}

fn config(blocks: &str) -> Config {
    let mut config = Config::from_toml("changed.toml", &format!("{RULES}{blocks}")).expect("valid");
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config
}

fn start(reactors: usize, blocks: &str) -> TestServer {
    let Config { channel_rules, keys, issuers, .. } = config(blocks);
    TestServer::start(|own| {
        own.server.reactors = reactors;
        (own.channel_rules, own.keys, own.issuers) = (channel_rules, keys, issuers);
    })
}

fn change(server: &TestServer, blocks: &str) {
    server.change_rules(&config(blocks)).expect("valid");
}

/// Subscribed to `chat:a`, by a field.
fn subscribed(address: SocketAddr, field: &'static str, value: &str) -> WsClient {
    let mut socket = WsClient::connect_to(address, "/ws", &[(field, value)]);
    socket.subscribe("chat:a");
    socket
}

fn bearer(secret: &str) -> String {
    format!("Bearer {secret}")
}

/// The code of a socket's Close and the label of its reason.
fn closed(mut socket: WsClient) -> (u16, String) {
    let close = socket.read_close().expect("a Close");
    (close.code.into(), close.reason.split(':').next().unwrap_or_default().to_owned())
}

fn refused(mut stream: SseClient) -> String {
    let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
    assert_eq!(last.event.as_deref(), Some("refused"), "{last:?}");
    last.data
}

fn receives(socket: &mut WsClient, data: u64) {
    assert_eq!(socket.next_push()["data"], data);
}

#[test]
fn clients_of_a_removed_key_end_on_every_transport_and_others_go_on() {
    with_one_and_two_reactors(|reactors| {
        let both = key("app", APP, "") + &key("other", OTHER, "");
        let server = start(reactors, &both);
        let address = server.address();
        let mut signed_in = WsClient::connect(address);
        assert_eq!(signed_in.request(json!({"method": "AUTH", "token": OTHER}))["status"], 200);
        let bearers = [bearer(APP), bearer(OTHER)];
        let ways = [("Authorization", &*bearers[1]), ("X-API-Key", OTHER)];
        let gone = ways.map(|(field, value)| subscribed(address, field, value));
        let streams = ways.map(|way| SseClient::open_with(address, "chat:a", &[way]));
        let mut stays = [subscribed(address, "Authorization", &bearers[0]), subscribed(address, "X-API-Key", APP)];
        let mut anonymous = WsClient::connect(address);
        anonymous.subscribe("open");
        let mut half = HttpClient::connect(address);
        half.raw.send(format!(
            "POST /channels/chat:a HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {OTHER}\r\nContent-Length: 2\r\n\r\n1"
        ));
        let before = server.metric("tidings_http_request_heads_total");
        wait_until("the half request is read", || server.metric("tidings_http_request_heads_total") >= before);
        wait_until("all are subscribed", || server.subscribers("chat:a") == 6);

        change(&server, &key("app", APP, ""));
        for socket in gone.into_iter().chain([signed_in]) {
            assert_eq!(closed(socket), (4401, "key_invalid".to_owned()));
        }
        for stream in streams {
            let said = refused(stream);
            assert!(said.contains("key_invalid"), "{said}");
        }
        half.raw.send("2");
        let answer = half.read_answer(false);
        assert_eq!((answer.status, answer.code().as_str()), (401, "key_invalid"));
        wait_until("two are left", || server.subscribers("chat:a") == 2);
        server.publish("chat:a", "7").expect("published");
        server.publish("open", "8").expect("published");
        stays.iter_mut().for_each(|socket| receives(socket, 7));
        receives(&mut anonymous, 8);
        assert_eq!(stays[1].post("chat:b", &json!(1))["status"], 200);
    });
}

#[test]
fn a_key_with_another_secret_is_another_key_and_one_with_other_grants_is_not() {
    let server = start(1, &key("app", APP, ""));
    let address = server.address();
    let bearer = bearer(APP);
    let mut socket = subscribed(address, "Authorization", &bearer);
    socket.subscribe("news");
    let more = "grants = [{ channels = [\"chat:*\"], may = [\"read\"] }]";
    change(&server, &key("renamed", APP, more));
    let ended = socket.next_push();
    assert_eq!(
        (&ended["channel"], &ended["status"], &ended["error"]["code"]),
        (&json!("news"), &json!(403), &json!("forbidden"))
    );
    assert_eq!(socket.post("chat:a", &json!(1))["error"]["code"], "forbidden");
    change(&server, &key("app", APP, ""));
    wait_until("it may publish again", || socket.post("chat:b", &json!(1))["status"] == 200);
    change(&server, &key("app", OTHER, ""));
    assert_eq!(closed(socket), (4401, "key_invalid".to_owned()));
}

#[test]
fn a_key_that_may_no_longer_come_from_there_ends() {
    let server = start(1, &key("app", APP, "networks = [\"127.0.0.0/8\"]"));
    let socket = subscribed(server.address(), "X-API-Key", APP);
    change(&server, &key("app", APP, "networks = [\"192.0.2.0/24\"]"));
    assert_eq!(closed(socket), (4403, "key_network".to_owned()));
}

#[test]
fn clients_whose_issuer_or_its_key_is_gone_end_and_a_rotation_ends_nobody() {
    const SECRET: &str = crate::tokens::SECRET;
    let (old, new) = (format!("\"{SECRET}\""), format!("\"{SECRET}-the-new-one\""));
    let both = format!("[{new}, {old}]");
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, &issuer("app", &old, "tidings"));
        let address = server.address();
        let bearer = format!("Bearer {}", token(&json!({})));
        let mut socket = subscribed(address, "Authorization", &bearer);
        let stream = SseClient::open_with(address, "chat:a", &[("Authorization", &bearer)]);
        wait_until("both are subscribed", || server.subscribers("chat:a") == 2);
        // Another issuer stands first, and a new secret before the old one.
        let other = issuer("first", "\"ffffffffffffffffffffffffffffffff\"", "tidings");
        change(&server, &(other.clone() + &issuer("app", &both, "tidings")));
        server.publish("chat:a", "1").expect("published");
        receives(&mut socket, 1);
        change(&server, &(other.clone() + &issuer("app", &new, "tidings")));
        assert_eq!(closed(socket), (4401, "token_invalid".to_owned()), "the secret that signed it is gone");
        let said = refused(stream);
        assert!(said.contains("token_invalid"), "{said}");

        for after in [other, issuer("app", &old, "elsewhere")] {
            change(&server, &issuer("app", &old, "tidings"));
            wait_until("it is let in", || {
                let fields = [("Authorization", bearer.as_str())];
                (0..8).all(|_| {
                    HttpClient::connect(address).request("GET", "/channels/chat:a", &fields, b"").status == 200
                })
            });
            let socket = subscribed(address, "Authorization", &bearer);
            change(&server, &after);
            assert_eq!(closed(socket), (4401, "token_invalid".to_owned()), "{after}");
        }
    });
}

#[test]
fn clients_of_a_signed_address_end_with_its_secret() {
    const SECRET: &str = "0123456789abcdef0123456789abcdef";
    const NEXT: &str = "tidings-example-secret-of-32-bytes-or-more";
    let with = |secrets: &str| {
        let mut config = config("");
        config.channels.sign_secret = SignSecrets::parse(secrets).ok();
        config
    };
    let given = with(SECRET);
    let server = TestServer::start(|own| {
        own.channel_rules = given.channel_rules;
        own.channels.sign_secret = given.channels.sign_secret;
    });
    let hmac = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, SECRET.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&hmac, b"tidings-read-v1\nchat:a\n4000000000");
    let sig = data_encoding::HEXLOWER.encode(tag.as_ref());
    let target = format!("/channels/chat:a?exp=4000000000&sig={sig}");
    let mut socket = WsClient::connect_to(server.address(), &target, &[]);
    assert_eq!(socket.next_json()["status"], 200);
    server.change_rules(&with(&format!("{NEXT}\n{SECRET}"))).expect("valid");
    server.publish("chat:a", "1").expect("published");
    receives(&mut socket, 1);
    server.change_rules(&with(NEXT)).expect("valid");
    assert_eq!(closed(socket), (4403, "signature_invalid".to_owned()));
}
