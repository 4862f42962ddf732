//! Limits of users, keys, addresses and channels over real sockets: who shares an allowance, and whoever does not is not touched.

use super::{check, check_refused};
use crate::keys::{self, APP};
use crate::support::http::HttpClient;
use crate::support::raw::RawClient;
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use crate::support::{TestServer, wait_until, with_one_and_two_reactors};
use crate::tokens::{SECRET, token};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tidings::model::api_key::KeySecret;
use tidings::{Config, ListenAt, ListenerConfig, Serves};

/// A server that everyone may read and write on, with these limits, an issuer, two keys, and proxies that are trusted.
fn server(reactors: usize, limits: &str, blocks: &str) -> TestServer {
    let hash = KeySecret::parse(APP).expect("a secret").hash();
    let other = KeySecret::parse(&keys::of("B")).expect("a secret").hash();
    let key = |name: &str, hash: &str| {
        let grants = "{ channels = [\"**\"], may = [\"read\", \"write\"] }";
        format!("[[key]]\nname = \"{name}\"\nhash = \"{hash}\"\ngrants = [{grants}]\n")
    };
    let text = format!(
        "[limits]\nconnection_requests = \"off\"\nconnection_publications = \"off\"\n{limits}\n\
         [[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\nsecret = \"{SECRET}\"\ntoken_in_query = true\n\
         {}{}{blocks}\n[[channel]]\nmatch = \"**\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\n",
        key("app", &hash.to_string()),
        key("other", &other.to_string()),
    );
    let given = Config::from_toml("limits.toml", &text).expect("a configuration");
    TestServer::start(|config| {
        config.server.reactors = reactors;
        config.server.trusted_proxies = crate::addresses::networks(&["127.0.0.1"]);
        (config.limits, config.issuers) = (given.limits, given.issuers);
        (config.keys, config.channel_rules) = (given.keys, given.channel_rules);
        let at = ListenAt::Address("127.0.0.1:0".parse().expect("an address"));
        let listener = ListenerConfig::new(at, Serves::CLIENTS);
        let trusted_proxies = crate::addresses::networks(&["127.0.0.1"]);
        config.listeners = vec![ListenerConfig { trusted_proxies, proxy_protocol: true, ..listener }];
    })
}

fn of(user: &str) -> String {
    token(&json!({"sub": user, "grants": [{"channels": ["**"], "may": ["read", "write"]}]}))
}

fn bearer(user: &str) -> String {
    format!("Bearer {}", of(user))
}

fn get(server: &TestServer, fields: &[(&str, &str)]) -> crate::support::http::Answer {
    HttpClient::connect(server.address()).request("GET", "/channels/a", fields, b"")
}

fn read() -> Value {
    json!({"method": "GET", "path": "/channels/a", "once": true})
}

#[test]
fn a_user_has_one_allowance_on_all_connections_and_transports() {
    with_one_and_two_reactors(|reactors| {
        let server = server(reactors, "user_requests = \"1/h burst 4\"", "");
        let (ann, bob) = (bearer("ann"), bearer("bob"));
        // One for each transport: HTTP, a socket whose handshake has the token, one that signs in, and a stream.
        assert_eq!(get(&server, &[("Authorization", &ann)]).status, 200);
        let mut socket = WsClient::connect_to(server.address(), "/ws", &[("Authorization", &ann)]);
        assert_eq!(socket.request(read())["status"], 200);
        let mut signs_in = WsClient::connect(server.address());
        assert_eq!(signs_in.request(json!({"method": "AUTH", "token": of("ann")}))["status"], 200);
        assert_eq!(signs_in.request(read())["status"], 200);
        let mut stream = SseClient::open(server.address(), &format!("a?token={}", of("ann")), None);
        assert!(stream.next_block().is_some_and(|block| block.event.as_deref() != Some("refused")));
        // The allowance is spent on each of them.
        let code = ("too_many_requests", "limits.user_requests");
        check(&get(&server, &[("Authorization", &ann)]), code.0, code.1);
        check_refused(&socket.request(read()), code.0, code.1);
        check_refused(&signs_in.request(read()), code.0, code.1);
        let mut stream = SseClient::open(server.address(), &format!("a?token={}", of("ann")), None);
        let block = stream.next_block().expect("a block");
        assert_eq!(block.event.as_deref(), Some("refused"));
        assert!(
            block.data.contains("too_many_requests") && block.data.contains("limits.user_requests"),
            "{}",
            block.data
        );
        // A new token of the same user is no new allowance; others have their own, or none.
        let again = format!("Bearer {}", token(&json!({"sub": "ann", "jti": "another"})));
        check(&get(&server, &[("Authorization", &again)]), code.0, code.1);
        assert_eq!(get(&server, &[("Authorization", &bob)]).status, 200);
        for _ in 0..9 {
            assert_eq!(get(&server, &[]).status, 200, "nobody in particular has no limit of users");
            assert_eq!(get(&server, &[("X-API-Key", APP)]).status, 200, "nor has a key");
        }
        assert!(server.metric("tidings_refused_total{reason=\"too_many_requests\"}") >= 5.0);
    });
}

#[test]
fn a_key_has_one_allowance_however_it_is_presented() {
    let server = server(1, "key_publications = \"1/h burst 3\"", "");
    let post =
        |fields: &[(&str, &str)]| HttpClient::connect(server.address()).request("POST", "/channels/a", fields, b"1");
    let bearer = format!("Bearer {APP}");
    assert_eq!(post(&[("X-API-Key", APP)]).status, 200);
    assert_eq!(post(&[("Authorization", &bearer)]).status, 200);
    let mut socket = WsClient::connect(server.address());
    assert_eq!(socket.request(json!({"method": "AUTH", "token": APP}))["status"], 200);
    assert_eq!(socket.post("a", &json!(1))["status"], 200);
    let code = ("too_many_publications", "limits.key_publications");
    check_refused(&socket.post("a", &json!(1)), code.0, code.1);
    check(&post(&[("X-API-Key", APP)]), code.0, code.1);
    check(&post(&[("Authorization", &bearer)]), code.0, code.1);
    assert_eq!(post(&[("X-API-Key", &keys::of("B"))]).status, 200, "another key");
    assert_eq!(post(&[("Authorization", &self::bearer("ann"))]).status, 200, "a user");
    assert_eq!(socket.request(read())["status"], 200, "it may still read");
}

#[test]
fn a_user_or_a_key_has_as_many_sockets_and_streams_as_it_may() {
    for (limit, code, secret) in [
        ("user_connections = 2", "too_many_connections_of_user", of("ann")),
        ("key_connections = 2", "too_many_connections_of_key", APP.to_owned()),
    ] {
        let server = server(1, limit, "");
        let fields = format!("Bearer {secret}");
        let fields = [("Authorization", fields.as_str())];
        let first = WsClient::connect_to(server.address(), "/ws", &fields);
        let mut stream = SseClient::open_with(server.address(), "a", &fields);
        assert!(stream.next_block().is_some());
        // Over HTTP none is held.
        assert_eq!(get(&server, &fields).status, 200);
        let refused = HttpClient::connect(server.address()).exchange(crate::support::frames::handshake("/ws", &fields));
        assert_eq!((refused.status, refused.code().as_str()), (429, code), "{}", refused.text());
        let mut signs_in = WsClient::connect(server.address());
        let auth = json!({"method": "AUTH", "token": secret});
        let answer = signs_in.request(auth.clone());
        assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!(code)), "{answer}");
        let mut refused = SseClient::open_with(server.address(), "a", &fields);
        assert!(refused.next_block().is_some_and(|block| block.data.contains(code)));
        // Each way to end gives a place back, and to sign in takes one.
        drop(first);
        wait_until("a place is free", || signs_in.request(auth.clone())["status"] == 200);
        let answer = WsClient::connect(server.address()).request(auth.clone());
        assert_eq!(answer["error"]["code"], code);
        drop(stream);
        wait_until("another place is free", || {
            WsClient::connect(server.address()).request(auth.clone())["status"] == 200
        });
    }
}

#[test]
fn an_address_counts_by_what_a_trusted_proxy_says_of_it() {
    let server = server(1, "address_requests = \"1/h burst 2\"", "");
    let code = ("too_many_requests", "limits.address_requests");
    let from = |address: &str| get(&server, &[("X-Forwarded-For", address)]);
    for _ in 0..2 {
        assert_eq!(from("203.0.113.1").status, 200);
    }
    check(&from("203.0.113.1"), code.0, code.1);
    // What a client says of itself before its proxy does changes nothing.
    check(&from("198.51.100.9, 203.0.113.1"), code.0, code.1);
    assert_eq!(from("203.0.113.2").status, 200);
    // A customer has a whole /64.
    assert_eq!((from("2001:db8::1").status, from("2001:db8::2").status), (200, 200));
    check(&from("2001:db8::3"), code.0, code.1);
    assert_eq!(from("2001:db8:0:1::1").status, 200);
    // The same client by a PROXY header: it has no allowance of its own there.
    let announced = server.addresses()[1];
    let by_header = |address: &str| {
        let mut client = HttpClient { raw: RawClient::connect(announced) };
        client.raw.send(format!("PROXY TCP4 {address} 10.0.0.1 12345 80\r\n"));
        client.request("GET", "/channels/a", &[], b"")
    };
    check(&by_header("203.0.113.1"), code.0, code.1);
    assert_eq!((by_header("203.0.113.2").status, by_header("203.0.113.3").status), (200, 200));
    check(&by_header("203.0.113.2"), code.0, code.1);
    // A proxy's own address has none.
    for _ in 0..9 {
        assert_eq!(get(&server, &[]).status, 200);
    }
    // A user behind it has those of the address as well, and a key has not.
    let ann = bearer("ann");
    check(&get(&server, &[("X-Forwarded-For", "203.0.113.1"), ("Authorization", &ann)]), code.0, code.1);
    assert_eq!(get(&server, &[("X-Forwarded-For", "203.0.113.1"), ("X-API-Key", APP)]).status, 200);
}

#[test]
fn a_channel_has_a_rate_of_its_own_and_one_for_each_client() {
    with_one_and_two_reactors(|reactors| {
        let rules = "[[channel]]\nmatch = \"slow:*\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\npublish_rate = \"1/h burst 3\"\n\
             [[channel]]\nmatch = \"chat:*\"\nread = [\"anyone\"]\nwrite = [\"anyone\"]\nclient_publish_rate = \"1/h burst 2\"\n";
        let server = server(reactors, "", rules);
        let post = |channel: &str, fields: &[(&str, &str)]| publish(server.address(), channel, fields);
        let (ann, bob) = (bearer("ann"), bearer("bob"));
        // Whoever publishes, and by whatever transport.
        assert_eq!(post("slow:a", &[]).status, 200);
        assert_eq!(post("slow:a", &[("X-API-Key", APP)]).status, 200);
        let mut socket = WsClient::connect_to(server.address(), "/ws", &[("Authorization", &ann)]);
        assert_eq!(socket.post("slow:a", &json!(1))["status"], 200);
        let code = "too_many_publications";
        let publish_rate = "publish_rate of the rule [[channel]] 1 (match = \"slow:*\")";
        let client_publish_rate = "client_publish_rate of the rule [[channel]] 2 (match = \"chat:*\")";
        check_refused(&socket.post("slow:a", &json!(1)), code, publish_rate);
        check(&post("slow:a", &[("Authorization", &bob)]), code, publish_rate);
        assert_eq!(post("slow:b", &[]).status, 200, "each channel has its own");
        // Each client has its own, in all channels of the block together and on all of its connections.
        assert_eq!(socket.post("chat:a", &json!(1))["status"], 200);
        assert_eq!(post("chat:b", &[("Authorization", &ann)]).status, 200);
        check_refused(&socket.post("chat:c", &json!(1)), code, client_publish_rate);
        check(&post("chat:a", &[("Authorization", &ann)]), code, client_publish_rate);
        assert_eq!(post("chat:a", &[("Authorization", &bob)]).status, 200);
        let mut nobody = WsClient::connect(server.address());
        for _ in 0..2 {
            assert_eq!(nobody.post("chat:a", &json!(1))["status"], 200);
        }
        check_refused(&nobody.post("chat:a", &json!(1)), code, client_publish_rate);
        assert_eq!(WsClient::connect(server.address()).post("chat:a", &json!(1))["status"], 200, "another connection");
        assert_eq!(post("elsewhere", &[("Authorization", &ann)]).status, 200);
    });
}

fn publish(address: SocketAddr, channel: &str, fields: &[(&str, &str)]) -> crate::support::http::Answer {
    HttpClient::connect(address).request("POST", &format!("/channels/{channel}"), fields, b"1")
}
