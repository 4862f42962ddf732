//! How nodes reach a Redis: with a password, as a user that may do no more than it needs, over TLS, at a unix socket.

use super::{begin_node, is_ready, next_of, published, stop};
use crate::support::http::{get, post};
use crate::support::process::Process;
use crate::support::redis::{self, Redis};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use std::fs;

/// The commands and keys that nodes need, as docs/cluster.md says it.
const CLUSTER_PAGE: &str = include_str!("../../docs/cluster.md");

/// The user of the page, with this password.
fn user() -> String {
    let line = CLUSTER_PAGE.lines().find(|line| line.starts_with("user tidings ")).expect("the page has one");
    line.replace(">PASSWORD", ">s3cret")
}

/// Two nodes that are started in this way are one server.
fn works(start: impl Fn() -> Process) {
    let nodes = [start(), start()];
    for node in &nodes {
        wait_until("the node is ready", || is_ready(node.address));
    }
    let mut reader = WsClient::connect(nodes[1].address);
    let begun = reader.subscribe("a")["offset"].as_u64().expect("an offset");
    published(&post(nodes[0].address, "/channels/a", "1"));
    assert_eq!(next_of(&mut reader).0, begun + 1);
    nodes.into_iter().for_each(stop);
}

#[test]
fn a_password_is_in_the_address_of_a_variable_or_in_a_file() {
    if !redis::is_here("passwords") {
        return;
    }
    let redis = Redis::start(&["requirepass p%40ss"]);
    let file = redis.folder().join("password");
    fs::write(&file, "p%40ss\n").expect("a file");
    let (url, file) = (redis.url(), file.to_str().expect("UTF-8").to_owned());
    works(|| begin_node(&url, &["--redis.password_file", &file]));
    let with = url.replace("redis://", "redis://:p%2540ss@");
    works(|| Process::start_with(&[("TIDINGS_REDIS_URL", &with), ("TIDINGS_SERVER_ENGINE", "redis")], &[]));
    // A wrong one is as a Redis that is away, and the log says why; the password is not in it.
    fs::write(&file, "wr0ng\n").expect("a file");
    let node = begin_node(&url, &["--redis.password_file", &file, "--redis.ready_grace", "0s"]);
    wait_until("readiness tells", || !is_ready(node.address));
    assert_eq!(post(node.address, "/channels/a", "1").status, 503);
    wait_until("it tried", || redis.info("errorstats").contains("WRONGPASS"));
    // What Redis answers is read after that.
    wait_until("it is refused", || node.metric("tidings_engine_up") == 0.0);
    node.signal("TERM");
    let (_, log) = node.wait();
    assert!(log.contains("WRONGPASS") && !log.contains("wr0ng"), "{log}");
}

#[test]
fn the_user_that_the_page_shows_may_do_what_nodes_need_and_no_more() {
    if !redis::is_here("ACL") {
        return;
    }
    let redis = Redis::start(&[&user(), "user default off"]);
    let file = redis.folder().join("password");
    fs::write(&file, "s3cret\n").expect("a file");
    let (url, file) = (redis.url(), file.to_str().expect("UTF-8").to_owned());
    works(|| begin_node(&url, &["--redis.user", "tidings", "--redis.password_file", &file]));
    let with = url.replace("redis://", "redis://tidings@");
    works(|| begin_node(&with, &["--redis.password_file", &file]));
    let mut own = redis.client();
    own.ask(&["AUTH", "tidings", "s3cret"]);
    for words in [&["FLUSHALL"][..], &["GET", "other"], &["CONFIG", "GET", "*"], &["PUBLISH", "other", "1"]] {
        let refused = own.try_ask(words).expect("an answer");
        assert!(
            matches!(&refused, crate::support::resp::Reply::Error(text) if text.starts_with("NOPERM")),
            "{refused:?}"
        );
    }
}

#[test]
fn a_unix_socket_and_another_database_are_reached() {
    if !redis::is_here("unix sockets") {
        return;
    }
    let path = std::env::temp_dir().join(format!("tidings-redis-{}.sock", std::process::id()));
    let path = path.to_str().expect("UTF-8");
    let redis = Redis::start(&[&format!("unixsocket {path}"), "unixsocketperm 700"]);
    works(|| begin_node(&format!("unix://{path}?database=3"), &[]));
    works(|| begin_node(&format!("{}/3", redis.url()), &[]));
    let keyspace = redis.info("keyspace");
    assert!(keyspace.contains("db3:") && !keyspace.contains("db0:"), "{keyspace}");
}

#[cfg(feature = "tls")]
#[test]
fn over_tls_a_certificate_is_verified() {
    if !redis::is_here("Redis over TLS") {
        return;
    }
    let own = crate::support::tls::pair("redis-own", &["localhost"]);
    let other = crate::support::tls::pair("redis-other", &["localhost"]);
    let port = redis::free_port();
    let text = |path: &std::path::Path| path.to_str().expect("UTF-8").to_owned();
    let redis = Redis::start(&[
        &format!("tls-port {port}"),
        &format!("tls-cert-file {}", text(&own.chain)),
        &format!("tls-key-file {}", text(&own.key)),
        &format!("tls-ca-cert-file {}", text(&own.chain)),
        "tls-auth-clients no",
    ]);
    let url = format!("rediss://localhost:{port}");
    works(|| begin_node(&url, &["--redis.ca_file", &text(&own.chain)]));
    for (url, authority, why) in [
        (url.as_str(), Some(&other.chain), "another authority"),
        (url.as_str(), None, "no authority"),
        (&format!("rediss://127.0.0.1:{port}"), Some(&own.chain), "another name"),
    ] {
        let file = authority.map(|path| text(path));
        let more: Vec<&str> = file.iter().flat_map(|file| ["--redis.ca_file", file]).collect();
        let handshakes = redis.figure("stats", "total_connections_received");
        let node = begin_node(url, &[&more[..], &["--redis.ready_grace", "0s"]].concat());
        wait_until("it has tried", || redis.figure("stats", "total_connections_received") > handshakes + 1.0);
        wait_until(why, || !is_ready(node.address));
        assert_eq!(get(node.address, "/channels/a").status, 503, "{why}");
        stop(node);
    }
}
