//! Tokens that are presented to a server that has no time for them: what becomes of each is the same, by way of a worker.

use super::keys::{KEYS, PublicKey, Signer, base64url};
use super::world::World;
use super::{NOW, all};
use crate::support::frames::{RawSocket, TEXT};
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR_KEY, TestServer};
use data_encoding::BASE64URL_NOPAD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tidings::access::{
    AccessPolicy, AccessRules, CHECKS_PER_TICK, ChannelRules, Presented, Unproven, Verification, Way,
};
use tidings::config::IssuerConfig;
use tidings::model::peer_address::PeerAddress;
use tidings::model::refusal::Refusal;
use tidings::{Config, Hooks, OperatorKey, Server};

/// What is asked in a tick that has no time: a status, or who has to find out.
fn ask(policy: &AccessPolicy, token: &str) -> Result<Result<(), Refusal>, Box<Verification>> {
    match policy.identify(Presented { secret: token, way: Way::Authorization }, PeerAddress::UNIX, NOW) {
        Ok(_) => Ok(Ok(())),
        Err(Unproven::Refused(refusal)) => Ok(Err(refusal)),
        Err(Unproven::Later(verification)) => Err(verification),
    }
}

/// Whether a header that can be read names an algorithm of secrets.
fn is_by_secret(token: &str) -> bool {
    let header = BASE64URL_NOPAD.decode(token.split('.').next().unwrap_or_default().as_bytes()).unwrap_or_default();
    let header: Value = serde_json::from_slice(&header).unwrap_or_default();
    header["alg"].as_str().is_some_and(|name| name.starts_with("HS"))
}

#[test]
fn every_token_of_the_table_becomes_the_same_where_there_is_no_time() {
    let world = World::new();
    let rules = AccessRules {
        issuers: Arc::new(world.issuers()),
        channels: ChannelRules::new(&[], false, ""),
        ..AccessRules::default()
    };
    let policy = AccessPolicy { rules: Arc::new(rules), ..AccessPolicy::default() };
    let (rows, mut later) = (all(&world, NOW), 0);
    // Those that this tick has time for, and the budget is spent: no other one begins.
    let right = rows.iter().filter(|row| row.what.starts_with("right: ") && !is_by_secret(&row.token));
    for row in right.take(CHECKS_PER_TICK as usize) {
        assert!(ask(&policy, &row.token).is_ok(), "{}: there is time", row.what);
    }
    for row in &rows {
        let expected = policy.rules.issuers.verify(&row.token, NOW).map(drop).map_err(Refusal::from);
        let found = ask(&policy, &row.token).unwrap_or_else(|verification| {
            later += 1;
            assert!(!is_by_secret(&row.token), "{}: it is cheap", row.what);
            let verified = Box::new(verification.perform(NOW));
            policy.keep(&verified);
            policy.hand_over(verified);
            ask(&policy, &row.token).expect("nobody is sent away twice")
        });
        assert_eq!(found, expected, "{}", row.what);
        if expected.is_ok() {
            assert_eq!(ask(&policy, &row.token).expect("it is known"), Ok(()), "{}", row.what);
        }
    }
    assert_eq!(policy.checks.take(), CHECKS_PER_TICK, "no other was verified here");
    assert!(later > 500, "{later}");
}

/// A right token by a public key, or one whose signature is wrong.
fn token(user: usize, is_right: bool) -> String {
    let claims = json!({"iss": "app", "aud": "tidings", "sub": format!("u{user}"), "exp": 1_u64 << 33,
        "grants": [{"channels": "**", "may": ["read", "write"]}]});
    let parts = [json!({"alg": "ES256"}), claims].map(|part| base64url(part.to_string().as_bytes()));
    let signed = parts.join(".");
    let mut signature = Signer::Ec(&KEYS.ec).sign(signed.as_bytes());
    signature[20] ^= u8::from(!is_right);
    format!("{signed}.{}", base64url(&signature))
}

fn start(jobs: usize, hooks: Hooks) -> TestServer {
    static NUMBER: AtomicUsize = AtomicUsize::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let file = std::env::temp_dir().join(format!("tidings-busy-{}-{number}.pem", std::process::id()));
    std::fs::write(&file, PublicKey::ec(&KEYS.ec).pem()).expect("written");
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    (config.server.reactors, config.server.workers) = (1, 1);
    config.server.operator_key = OperatorKey::parse(OPERATOR_KEY).ok();
    config.delivery.worker_queue_jobs = jobs;
    let issuer = IssuerConfig::new("app", "app", "tidings");
    config.issuers = vec![IssuerConfig { public_key_files: vec![file.clone()], ..issuer }];
    let server = Server::start_with(config, hooks).expect("the server starts");
    // Files are read at the start.
    std::fs::remove_file(file).expect("it was written");
    TestServer::of(server)
}

fn checked(server: &TestServer, at: &str) -> f64 {
    server.metric(&format!("tidings_token_checks_total{{where=\"{at}\"}}"))
}

/// Many reconnect at once, each with a token of its own: each gets its socket or its refusal, whether workers have room for all of
/// them or for one, and the embedding program is asked about each once.
#[test]
fn each_of_those_that_reconnect_at_once_is_judged_once() {
    const CLIENTS: usize = 150;
    for jobs in [256, 1] {
        let asked = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&asked);
        let hooks = Hooks::default().on_connect(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok(())
        });
        let server = start(jobs, hooks);
        let is_right = |number: usize| !number.is_multiple_of(5);
        let head = |number: usize| {
            format!(
                "GET /channels/x HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
                 Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\
                 Authorization: Bearer {}\r\n\r\n",
                token(number, is_right(number))
            )
        };
        let heads: Vec<String> = (0..CLIENTS).map(head).collect();
        let mut clients: Vec<RawClient> = heads.iter().map(|_| RawClient::connect(server.address())).collect();
        for (client, head) in clients.iter_mut().zip(&heads) {
            client.send(head);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            client.read_until(if is_right(number) { b"\"status\":200" } else { b"token_invalid" });
            let status: &[u8] = if is_right(number) { b"HTTP/1.1 101 " } else { b"HTTP/1.1 401 " };
            assert!(client.received.starts_with(status), "{}", String::from_utf8_lossy(&client.received));
        }
        server.publish("x", "\"to all\"").expect("published");
        for client in clients.iter_mut().enumerate().filter(|(number, _)| is_right(*number)).map(|(_, client)| client) {
            client.read_until(b"to all");
        }
        let (here, pool) = (checked(&server, "reactor"), checked(&server, "pool"));
        assert_eq!(here + pool, CLIENTS as f64, "each once: {here} and {pool}");
        assert!(pool > 0.0, "some in the pool, with room for {jobs}");
        assert_eq!(asked.load(Ordering::Relaxed), CLIENTS, "with room for {jobs}");
    }
}

/// The same by AUTH, with a request after it in the same read.
#[test]
fn those_that_sign_in_at_once_are_who_they_are_before_what_they_ask_next() {
    const CLIENTS: usize = 60;
    for jobs in [256, 1] {
        let server = start(jobs, Hooks::default());
        let mut clients: Vec<RawSocket> = (0..CLIENTS).map(|_| RawSocket::open(server.address(), "/ws")).collect();
        for (number, client) in clients.iter_mut().enumerate() {
            let auth = json!({"id": 1, "method": "AUTH", "token": token(number, true)}).to_string();
            client.send(TEXT, auth.as_bytes());
            client.send(TEXT, br#"{"id":2,"method":"POST","path":"/channels/x","data":1}"#);
        }
        for client in &mut clients {
            let answers = [client.next_json(), client.next_json()];
            let said = answers.map(|answer| (answer["id"].as_u64(), answer["status"].as_u64()));
            assert_eq!(said, [(Some(1), Some(200)), (Some(2), Some(200))]);
        }
        assert_eq!(checked(&server, "reactor") + checked(&server, "pool"), CLIENTS as f64);
        let mut reader = WsClient::connect(server.address());
        let auth = json!({"method": "AUTH", "token": token(0, true)});
        assert_eq!(reader.request(auth)["status"], 200);
        assert_eq!(reader.subscribe("x")["offset"], CLIENTS);
    }
}
