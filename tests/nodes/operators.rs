//! What operators ask of one node reaches all: ended connections and subscriptions, revocations; and which nodes there are.

use super::{begin_node, is_ready, stop};
use crate::support::http::{Answer, HttpClient, get_as_operator};
use crate::support::process::Process;
use crate::support::redis::{self, Redis};
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, wait_until};
use crate::tokens::{SECRET, now, token};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::net::SocketAddr;

/// Starts a node that knows the users of an app.
fn node(redis: &Redis) -> Process {
    let toml = format!(
        "[server]\nengine = \"redis\"\n[redis]\nurl = \"{}\"\n[[issuer]]\nname = \"app\"\nissuer = \"app\"\n\
         audience = [\"tidings\"]\nsecret = \"{SECRET}\"\n",
        redis.url()
    );
    let node = Process::start_by(&[], 1000, &toml, &["--reactors", "2", "--workers", "1"]);
    wait_until("the node is ready", || is_ready(node.address));
    node
}

fn bearer(user: &str) -> String {
    let grants = json!([{"channels": ["**"], "may": ["read", "write"]}]);
    let claims =
        json!({"iss": "app", "aud": "tidings", "sub": user, "iat": now() - 10, "exp": now() + 600, "grants": grants});
    format!("Bearer {}", token(&claims))
}

fn connected(node: SocketAddr, user: &str) -> WsClient {
    let mut socket = WsClient::connect_to(node, "/ws", &[("Authorization", &bearer(user))]);
    socket.subscribe("a");
    socket
}

/// The code and the label of the Close with which a socket ends.
fn closed(mut socket: WsClient) -> (u16, String) {
    let close = socket.read_close().expect("a Close");
    (close.code.into(), close.reason.split(':').next().unwrap_or_default().to_owned())
}

fn operate(node: SocketAddr, method: &str, target: &str, body: &Value) -> Answer {
    let body = if body.is_null() { String::new() } else { body.to_string() };
    HttpClient::connect(node).request(method, target, &[OPERATOR], body.as_bytes())
}

fn reads(node: SocketAddr, user: &str) -> u16 {
    HttpClient::connect(node).request("GET", "/channels/a", &[("Authorization", &bearer(user))], b"").status
}

#[test]
fn what_is_ended_and_revoked_at_one_node_is_so_at_all() {
    if !redis::is_here("operators of nodes") {
        return;
    }
    let redis = Redis::start(&[]);
    let nodes = [node(&redis), node(&redis)];
    let [here, there] = nodes.each_ref().map(|node| node.address);
    let (ada, bob) = (connected(there, "ada"), connected(there, "bob"));
    assert_eq!(operate(here, "POST", "/admin/disconnect", &json!({"user": "ada"})).status, 200);
    assert_eq!(closed(ada), (4403, "disconnected".to_owned()));
    // Others, since reactors end what they have one after the other: who comes back meanwhile may be ended again.
    let mut carol = connected(there, "carol");
    assert_eq!(operate(here, "POST", "/admin/unsubscribe", &json!({"user": "carol", "channel": "a"})).status, 200);
    assert_eq!(carol.next_json()["channel"], "a");
    assert_eq!(operate(here, "POST", "/admin/revoke", &json!({"user": "carol"})).status, 200);
    assert_eq!(closed(carol).0, 4401);
    assert_eq!([reads(here, "carol"), reads(there, "carol"), reads(there, "bob")], [401, 401, 200]);
    // One that starts learns it.
    let third = node(&redis);
    wait_until("the third knows it", || reads(third.address, "carol") == 401);
    assert_eq!(operate(there, "DELETE", "/admin/revoke?user=carol", &Value::Null).status, 200);
    wait_until("it is taken back", || [here, there, third.address].iter().all(|node| reads(*node, "carol") == 200));
    drop(bob);
    [third].into_iter().chain(nodes).for_each(stop);
}

#[test]
fn what_is_refused_at_one_node_is_not_told_to_others() {
    if !redis::is_here("operators who ask for nothing") {
        return;
    }
    let redis = Redis::start(&[]);
    let one = node(&redis);
    let told = || redis.ask(&["XLEN", "td:ctl"]).integer();
    assert_eq!(
        operate(one.address, "POST", "/admin/disconnect", &json!({"connection": "x", "user": "ada"})).status,
        400
    );
    let bad = json!({"connection": "x", "user": "ada", "channel": "a"});
    assert_eq!(operate(one.address, "POST", "/admin/unsubscribe", &bad).status, 400);
    // What comes after it is told, in order: so neither of them waits.
    assert_eq!(operate(one.address, "POST", "/admin/disconnect", &json!({"user": "ada"})).status, 200);
    wait_until("it is told", || told() > 0);
    assert_eq!(told(), 1);
    stop(one);
}

#[test]
fn what_was_asked_while_redis_was_away_is_done_when_it_is_back() {
    if !redis::is_here("operators while Redis is away") {
        return;
    }
    let mut redis = Redis::start(&["appendonly yes"]);
    let nodes = [node(&redis), node(&redis)];
    let [here, there] = nodes.each_ref().map(|node| node.address);
    let ada = connected(there, "ada");
    redis.kill();
    wait_until("it is noticed", || nodes.iter().all(|node| node.metric("tidings_engine_up") == 0.0));
    assert_eq!(operate(here, "POST", "/admin/revoke", &json!({"user": "ada"})).status, 200);
    assert_eq!([reads(here, "ada"), reads(there, "ada")], [401, 200]);
    redis.restart();
    assert_eq!(closed(ada).0, 4401);
    assert_eq!(reads(there, "ada"), 401);
    nodes.into_iter().for_each(stop);
}

#[test]
fn each_node_lists_all_of_them_until_they_are_gone() {
    if !redis::is_here("the list of nodes") {
        return;
    }
    let redis = Redis::start(&[]);
    let url = redis.url();
    let nodes = [begin_node(&url, &[]), begin_node(&url, &[])];
    let page = |node: &Process| get_as_operator(node.address, "/cluster").json();
    let addresses = |page: &Value| -> BTreeSet<String> {
        let rows = page["nodes"].as_array().expect("a list").iter();
        rows.map(|row| row["address"].as_str().expect("an address").to_owned()).collect()
    };
    let both = nodes.each_ref().map(|node| node.address.to_string()).into();
    for node in &nodes {
        wait_until("it lists both", || addresses(&page(node)) == both);
        let page = page(node);
        assert_eq!((&page["engine"], &page["up"]), (&json!("redis"), &json!(true)), "{page}");
        assert!(page["nodes"].as_array().expect("a list").iter().any(|row| row["node"] == page["node"]), "{page}");
    }
    wait_until("both say how fast Redis answers them", || {
        let page = page(&nodes[0]);
        page["nodes"]
            .as_array()
            .expect("a list")
            .iter()
            .all(|row| row["round_trip_us"].as_u64().is_some_and(|us| us > 0))
    });
    let [first, second] = nodes;
    let own = BTreeSet::from([first.address.to_string()]);
    super::kill(second);
    // For 15 seconds it may be there.
    wait_until("it lists itself alone", || addresses(&page(&first)) == own);
    stop(first);
}
