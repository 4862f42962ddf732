//! Tokens that a tick has no time to verify: answers in order, nothing judged by halves, and nobody forgotten. The worker's part
//! is played by hand.

use super::{Client, Rehearsal, UPGRADE, access_rules, masked};
use crate::access::tokens::KeySet;
use crate::access::{CHECKS_PER_TICK, Operators};
use crate::config::Config;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use std::sync::Arc;
use std::time::{Duration, UNIX_EPOCH};

const ISSUER: &str =
    "[[issuer]]\nname = \"a\"\nissuer = \"a\"\naudience = [\"me\"]\njwks_url = \"https://a.example/keys\"\n";
const HERE: usize = CHECKS_PER_TICK as usize;

/// A server with an issuer that has one key.
struct World {
    server: Rehearsal,
    key: EcdsaKeyPair,
}

impl World {
    fn new(settings: &str) -> World {
        let config = Config::from_toml("t", &format!("{settings}{ISSUER}")).expect("valid");
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key");
        let world = World { server: Rehearsal::new(&config), key };
        world.publish(&world.key);
        world
    }

    /// The issuer publishes a key, and no other one.
    fn publish(&self, key: &EcdsaKeyPair) {
        self.server.worker.rules.load().issuers.set_keys(0, key_set(key));
    }

    fn token(&self, user: &str) -> String {
        let claims = format!(
            r#"{{"iss":"a","aud":"me","sub":"{user}","exp":1800000100,"grants":[{{"channels":"**","may":["read","write"]}}]}}"#
        );
        let parts = [r#"{"alg":"ES256"}"#, &claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes()));
        let signed = parts.join(".");
        let signature = self.key.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("{signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }

    fn post(&self, user: &str, body: &str) -> String {
        let token = self.token(user);
        let length = body.len();
        format!(
            "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\nContent-Length: {length}\r\n\r\n{body}"
        )
    }

    /// Makes the next tick busy: others present as many tokens as it has time for, before those that connect later.
    fn be_busy(&mut self) {
        for number in 0..HERE {
            let request = self.post(&format!("busy{number}"), "0");
            let client = self.server.connect();
            self.server.send(client, request.as_bytes());
        }
    }

    /// A client that connects and sends something in a busy tick.
    fn late(&mut self, bytes: &[u8]) -> Client {
        self.be_busy();
        let client = self.server.connect();
        self.server.send(client, bytes);
        self.server.turn();
        client
    }

    /// A client that is there sends something in a busy tick.
    fn send_late(&mut self, client: Client, bytes: &[u8]) {
        self.be_busy();
        self.server.send(client, bytes);
        self.server.turn();
    }

    fn said(&mut self, client: Client) -> String {
        String::from_utf8_lossy(&self.server.take_writes(client).concat()).into_owned()
    }

    /// The statuses of all answers over HTTP.
    fn statuses(&mut self, client: Client) -> Vec<String> {
        self.said(client).split("HTTP/1.1 ").skip(1).map(|answer| answer[..3].to_owned()).collect()
    }

    fn checked(&self) -> (u64, u64) {
        let counters = self.server.engine.counters();
        (counters.tokens_reactor.get(), counters.tokens_pool.get())
    }

    /// Does all jobs, and those that follow from them.
    fn work(&mut self) {
        while self.server.run_job() {
            self.server.turn();
        }
    }
}

fn key_set(key: &EcdsaKeyPair) -> KeySet {
    let (x, y) = key.public_key().as_ref()[1..].split_at(32);
    let encoded = |bytes| BASE64URL_NOPAD.encode(bytes);
    let set = format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","x":"{}","y":"{}"}}]}}"#, encoded(x), encoded(y));
    KeySet::from_jwks(set.as_bytes()).expect("a key set")
}

fn other_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key")
}

#[test]
fn a_tick_verifies_a_few_tokens_itself_and_leaves_the_others_to_a_worker() {
    let mut world = World::new("");
    let late = world.post("late", "1");
    let client = world.late(late.as_bytes());
    assert_eq!(world.server.hub().stats().published, HERE as u64);
    assert_eq!(world.said(client), "");
    assert!(world.server.run_job() && !world.server.run_job());
    world.server.turn();
    assert_eq!(world.statuses(client), ["200"]);
    // It is known now, in a busy tick too.
    world.send_late(client, late.as_bytes());
    assert_eq!(world.statuses(client), ["200"]);
    world.server.turn();
    assert_eq!(world.checked(), (2 * HERE as u64, 1));
    assert!(!world.server.engine.is_busy());
}

#[test]
fn pipelined_requests_are_answered_in_order_while_each_waits_for_its_token() {
    let mut world = World::new("");
    let livez = "GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let nobody = "GET /channels/x HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned();
    let requests = [livez, world.post("a", "1"), nobody, world.post("b", "2"), world.post("c", "3")].concat();
    for size in [requests.len(), 700, 150] {
        let client = world.server.connect();
        let before = world.server.hub().stats().published;
        for piece in requests.as_bytes().chunks(size) {
            world.send_late(client, piece);
        }
        let busy = requests.len().div_ceil(size) * HERE;
        while world.server.run_job() {
            // Each in a busy tick: nothing of it is verified here.
            world.be_busy();
            world.server.turn();
        }
        world.server.turn();
        assert_eq!(world.statuses(client), ["200", "200", "401", "200", "200"], "in pieces of {size}");
        assert!(world.server.hub().stats().published >= before + busy as u64 + 3);
    }
}

#[test]
fn what_a_client_does_meanwhile_waits_and_its_end_is_no_end() {
    let mut world = World::new("");
    let request = world.post("a", "1");
    let client = world.late(request.as_bytes());
    world.server.send(client, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    world.server.end(client);
    world.server.turn();
    assert_eq!(world.said(client), "");
    let published = world.server.hub().stats().published;
    world.work();
    assert_eq!(world.server.written(client), None, "it is freed when it is answered");
    assert_eq!(world.server.hub().stats().published, published + 1);
    assert_eq!(world.server.engine.counters().http_heads.get(), HERE as u64 + 2);
}

#[test]
fn a_frame_after_signing_in_waits_for_who_its_client_is() {
    let mut world = World::new("");
    let client = world.server.open("/ws");
    world.said(client);
    let auth = format!(r#"{{"id":1,"method":"AUTH","token":"{}"}}"#, world.token("a"));
    let frames = [
        &*auth,
        r#"{"id":2,"method":"POST","path":"/channels/x","data":1}"#,
        r#"{"id":3,"method":"GET","path":"/livez"}"#,
    ]
    .map(|text| masked(text.as_bytes()))
    .concat();
    world.send_late(client, &frames);
    assert_eq!(world.said(client), "");
    assert!(world.server.run_job());
    world.server.turn();
    let said = world.said(client);
    let places: Vec<_> = (1..=3).map(|id| said.find(&format!("\"id\":{id},\"status\":200"))).collect();
    assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{said}");
    // A wrong one is refused once, and its client stays who it is.
    let wrong = auth.replace("\"}", "x\"}");
    let wrong = wrong.replacen("\"id\":1", "\"id\":4", 1);
    world.send_late(client, &masked(wrong.as_bytes()));
    world.work();
    let said = world.said(client);
    assert!(said.contains("\"id\":4,\"status\":401"), "{said}");
}

#[test]
fn a_socket_is_closed_after_the_answer_to_its_sign_in() {
    let mut world = World::new("");
    let client = world.server.open("/ws");
    world.said(client);
    let auth = format!(r#"{{"id":1,"method":"AUTH","token":"{}"}}"#, world.token("a"));
    world.send_late(client, &masked(auth.as_bytes()));
    world.server.engine.begin_goodbyes(Duration::ZERO);
    world.server.engine.say_goodbyes();
    world.server.turn();
    assert_eq!(world.said(client), "");
    world.work();
    let said = world.said(client);
    assert!(said.find("\"id\":1,\"status\":200") < said.find("server_shutdown"), "{said}");
    assert!(said.contains("server_shutdown"), "{said}");
}

#[test]
fn a_head_that_waits_when_a_drain_begins_is_answered() {
    let mut world = World::new("");
    let request = world.post("a", "1");
    let client = world.late(request.as_bytes());
    world.server.engine.begin_goodbyes(Duration::ZERO);
    world.server.engine.say_goodbyes();
    world.server.turn();
    world.work();
    let said = world.said(client);
    assert!(said.starts_with("HTTP/1.1 200 ") && said.contains("Connection: close"), "{said}");
}

/// The second try never asks a third time, whatever changed.
#[test]
fn what_was_found_out_by_other_rules_or_keys_counts_for_nothing() {
    for (change, status) in [("none", "200"), ("rules", "401"), ("keys", "401"), ("rules that say the same", "200")] {
        let mut world = World::new("");
        let request = world.post("a", "1");
        let client = world.late(request.as_bytes());
        assert!(world.server.run_job());
        let config = Config::from_toml("t", ISSUER).expect("valid");
        let rules = access_rules(&config, Arc::new(Operators::default()), Arc::default()).expect("no files");
        let keys = if change == "rules" { key_set(&other_key()) } else { key_set(&world.key) };
        rules.issuers.set_keys(0, keys);
        match change {
            "none" => {}
            "keys" => world.publish(&other_key()),
            _ => {
                world.server.engine.set_clock(world.server.now, UNIX_EPOCH);
                world.server.engine.take_rules_before_letters(&Arc::new(rules));
            }
        }
        world.be_busy();
        world.server.turn();
        assert_eq!(world.statuses(client), [status], "{change}");
        assert!(!world.server.run_job(), "{change}: it is not asked for again");
    }
}

#[test]
fn what_was_found_out_for_a_connection_that_is_gone_is_kept_for_others() {
    let mut world = World::new("");
    let request = world.post("a", "1");
    let client = world.late(request.as_bytes());
    world.server.engine.lose(client.slot);
    world.server.turn();
    let next = world.server.connect();
    assert_eq!(next.slot, client.slot);
    world.work();
    world.send_late(next, request.as_bytes());
    assert_eq!(world.statuses(next), ["200"]);
    assert_eq!(world.server.engine.counters().stale_ids.get(), 1);
}

#[test]
fn a_panic_while_a_token_is_verified_ends_its_connection_and_nothing_else() {
    let mut world = World::new("");
    let request = world.post("mine:verify", "1");
    let client = world.late(request.as_bytes());
    let socket = world.server.open("/ws");
    world.said(socket);
    world.be_busy();
    let auth = format!(r#"{{"id":1,"method":"AUTH","token":"{}"}}"#, world.token("mine:verify"));
    world.server.send(socket, &masked(auth.as_bytes()));
    world.server.turn();
    world.work();
    assert_eq!(world.statuses(client), ["500"]);
    assert!(world.said(socket).contains("internal_error"));
    assert_eq!(world.server.engine.counters().panics.get(), 2);
    let request = world.post("b", "1");
    let other = world.late(request.as_bytes());
    world.work();
    assert_eq!(world.statuses(other), ["200"]);
}

/// A worker that is busy with something else for long must not stop those who reconnect, nor they the ticks.
#[test]
fn those_that_meet_a_full_queue_take_turns() {
    const CLIENTS: usize = 20;
    let mut world = World::new("[delivery]\nworker_queue_jobs = 1\n");
    let mut clients = Vec::new();
    for number in 0..CLIENTS {
        let fields = format!("Authorization: Bearer {}\r\n", world.token(&format!("u{number}")));
        let head = format!("GET /ws {}", UPGRADE.replacen("\r\n", &format!("\r\n{fields}"), 1));
        let client = world.server.connect();
        world.server.send(client, head.as_bytes());
        clients.push(client);
    }
    let mut opened = Vec::new();
    for _ in 0..20 {
        world.server.engine.turn();
        let mut is_open = |place: &usize| world.server.written(clients[*place]).is_some_and(|bytes| bytes > 0);
        opened.push((0..CLIENTS).filter(|place| is_open(place)).collect::<Vec<_>>());
    }
    // All but the one whose token is in the queue, which is the first that this tick had no time for.
    let expected: Vec<usize> = (0..CLIENTS).filter(|place| *place != HERE).collect();
    for (tick, open) in opened.iter().enumerate() {
        let most = expected.len().min((tick + 1) * HERE);
        assert_eq!(open[..], expected[..most], "after tick {tick}, in the order in which they came");
    }
    assert!(!world.server.engine.is_busy(), "nobody waits for a tick");
    world.work();
    assert!(world.said(clients[HERE]).starts_with("HTTP/1.1 101 "));
}

/// The time of a head goes on while it waits.
#[test]
fn a_connection_that_ended_while_it_waited_takes_no_notice() {
    let mut world = World::new("");
    let request = world.post("a", "1");
    let client = world.late(request.as_bytes());
    world.server.pass(Config::default().http.head_timeout + Duration::from_secs(1));
    world.server.turn();
    assert_eq!(world.server.written(client), None, "it is freed");
    world.work();
    let request = world.post("b", "1");
    let (begin, end) = request.as_bytes().split_at(100);
    let client = world.server.connect();
    world.server.send(client, begin);
    world.server.turn();
    world.send_late(client, end);
    world.server.pass(Config::default().http.head_timeout + Duration::from_secs(1));
    world.server.turn();
    assert_eq!(world.statuses(client), ["408"]);
    world.work();
    assert_eq!(world.said(client), "");
}
