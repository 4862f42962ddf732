//! A key that is revoked by its name: refused at once on all reactors, in each way to present it and on every transport, while
//! its connections end.

use super::{closed, operate};
use crate::support::frames::handshake;
use crate::support::http::{HttpClient, get_as_operator};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};
use serde_json::json;
use tidings::Config;
use tidings::model::api_key::KeySecret;

const LEAKED: &str = "td_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8";
const OTHER: &str = "td_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

fn start(reactors: usize) -> TestServer {
    let key = |(name, secret): (&str, &str)| {
        let hash = KeySecret::parse(secret).expect("a secret").hash();
        format!(
            "[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\ngrants = [{{ channels = [\"**\"], may = [\"read\", \"write\"] }}]\n"
        )
    };
    let text = [("leaked", LEAKED), ("other", OTHER)].map(key).concat();
    let config = Config::from_toml("keys.toml", &text).expect("valid");
    TestServer::start(|own| {
        own.server.reactors = reactors;
        own.keys = config.keys;
    })
}

fn ways(key: &str) -> [(&'static str, String); 2] {
    [("Authorization", format!("Bearer {key}")), ("X-API-Key", key.to_owned())]
}

/// What each transport answers a key with that is presented in a field.
fn asked(server: &TestServer, field: &str, value: &str) -> Vec<(u16, String)> {
    let own = [(field, value)];
    let stream = [(field, value), ("Accept", "text/event-stream")];
    let ask = |method: &str, fields: &[(&str, &str)], body: &[u8]| {
        HttpClient::connect(server.address()).request(method, "/channels/chat:a", fields, body)
    };
    let shaken = HttpClient::connect(server.address()).exchange(handshake("/channels/chat:a", &own));
    let mut answers = vec![ask("GET", &own, b""), ask("POST", &own, b"1"), shaken];
    // One that is let in does not end.
    if answers[0].status != 200 {
        answers.push(ask("GET", &stream, b""));
    }
    let said = answers.into_iter().map(|answer| {
        let code = if answer.status < 300 { String::new() } else { answer.code() };
        (answer.status, code)
    });
    said.collect()
}

#[test]
fn a_revoked_key_is_refused_everywhere_and_its_connections_end() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let mut gone = Vec::new();
        let mut streams = Vec::new();
        for (field, value) in &ways(LEAKED) {
            for _ in 0..3 {
                let mut socket = WsClient::connect_to(address, "/ws", &[(field, value)]);
                socket.subscribe("chat:a");
                gone.push(socket);
            }
            streams.push(SseClient::open_with(address, "chat:a", &[(field, value)]));
        }
        let mut signed_in = WsClient::connect(address);
        assert_eq!(signed_in.request(json!({"method": "AUTH", "token": LEAKED}))["status"], 200);
        gone.push(signed_in);
        let mut stays = WsClient::connect_to(address, "/ws", &[("X-API-Key", OTHER)]);
        stays.subscribe("chat:a");
        let mut half = HttpClient::connect(address);
        half.raw.send(format!(
            "POST /channels/chat:a HTTP/1.1\r\nHost: localhost\r\nX-API-Key: {LEAKED}\r\nContent-Length: 2\r\n\r\n1"
        ));

        let answer = operate(address, "POST", "/admin/revoke", &json!({"key": "leaked"}));
        let ended = answer["disconnected"].as_u64().expect("a number");
        // The half request may or may not have been read.
        assert!((9..=10).contains(&ended) && answer.get("until").is_none(), "{answer}");
        for socket in gone {
            assert_eq!(closed(socket), (4401, "token_revoked: This token or key was revoked.".to_owned()));
        }
        for mut stream in streams {
            let last = std::iter::from_fn(|| stream.next_block()).last().expect("a block");
            assert!(last.event.as_deref() == Some("refused") && last.data.contains("token_revoked"), "{last:?}");
        }
        half.raw.send("2");
        let answer = half.read_answer(false);
        assert_eq!((answer.status, answer.code().as_str()), (401, "token_revoked"));
        for (field, value) in &ways(LEAKED) {
            let said = asked(&server, field, value);
            assert_eq!(said, vec![(401, "token_revoked".to_owned()); 4], "{field}");
        }
        let refused = stays.request(json!({"method": "AUTH", "token": LEAKED}));
        assert_eq!((&refused["status"], &refused["error"]["code"]), (&json!(401), &json!("token_revoked")));
        assert_eq!(server.hub().stats().published, 0, "nothing of what it sent");
        assert_eq!(stays.post("chat:b", &json!(1))["status"], 200);
        let page = get_as_operator(address, "/admin/connections?key=leaked").json();
        assert_eq!(page["connections"], json!([]));
        let listed = get_as_operator(address, "/admin/revocations").json();
        assert_eq!(listed["revocations"][0]["key"], "leaked");

        operate(address, "DELETE", "/admin/revoke?key=leaked", &json!({}));
        for (field, value) in &ways(LEAKED) {
            let said = asked(&server, field, value);
            assert!(said.iter().all(|(status, _)| [200, 101].contains(status)), "{field}: {said:?}");
        }
    });
}

/// A key that takes the place of another has a name of its own, and the name is what is revoked: also for a secret that is put
/// under the same name afterwards.
#[test]
fn a_name_stays_revoked_whatever_secret_it_has() {
    let server = start(1);
    operate(server.address(), "POST", "/admin/revoke", &json!({"key": "leaked"}));
    let hash = KeySecret::parse(OTHER).expect("a secret").hash();
    let text = format!(
        "[server]\nlisten = [\"127.0.0.1:0\"]\n[[key]]\nname = \"leaked\"\nhash = \"{hash}\"\ngrants = [{{ channels = [\"**\"], may = [\"read\"] }}]\n"
    );
    server.change_rules(&Config::from_toml("keys.toml", &text).expect("valid")).expect("valid");
    let [_, (field, value)] = ways(OTHER);
    crate::support::wait_until("the rules are there", || {
        asked(&server, field, &value)[0] == (401, "token_revoked".to_owned())
    });
}
