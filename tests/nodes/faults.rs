//! What an operator or a fault does to Redis while nodes run: each row of the table in docs/cluster.md.

use super::{Cluster, begin_node, is_ready, next_of, position, published, stop};
use crate::support::http::{Answer, get, post};
use crate::support::redis::{self, Redis, free_port};
use crate::support::sse::SseClient;
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::time::Duration;

/// Where a channel is before something is done to Redis.
struct Before {
    reader: WsClient,
    epoch: String,
    /// Its last offset.
    offset: u64,
}

/// A reader at the second node, and three publications that it has read.
fn before(cluster: &Cluster) -> Before {
    let mut reader = WsClient::connect(cluster.address(1));
    let epoch = reader.subscribe("a")["epoch"].as_str().expect("an epoch").to_owned();
    for number in 1..=3 {
        published(&post(cluster.address(0), "/channels/a", &number.to_string()));
        assert_eq!(next_of(&mut reader).0, number);
    }
    Before { reader, epoch, offset: 3 }
}

/// Publishes until it is answered with 200.
fn publish_again(node: SocketAddr, json: &str) -> String {
    let mut last = None;
    let mut answered = String::new();
    wait_until("it is published again", || {
        let answer = post(node, "/channels/a", json);
        let is_published = answer.status == 200;
        if is_published {
            answered = published(&answer);
        }
        last = Some(answer);
        is_published
    });
    answered
}

fn resumed(node: SocketAddr, since: &str) -> Value {
    get(node, &format!("/channels/a?since={since}")).json()
}

#[test]
fn a_redis_that_forgot_everything_begins_anew_and_readers_are_told() {
    // The meta of the channel alone is as good as everything.
    for all in [true, false] {
        let Some(cluster) = Cluster::start("FLUSHALL", 2, &[], &[]) else { return };
        let mut before = before(&cluster);
        if all {
            cluster.redis.ask(&["FLUSHALL"]);
        } else {
            let keys = cluster.redis.ask(&["KEYS", "*{a}m"]);
            assert_eq!(cluster.redis.ask(&["DEL", &keys.list()[0].text()]).integer(), 1);
        }
        let place = publish_again(cluster.address(0), "4");
        assert!(place.ends_with(":1") && !place.starts_with(&before.epoch), "{place}");
        let (offset, data, reset) = next_of(&mut before.reader);
        assert_eq!((offset, data), (1, json!(4)));
        assert_eq!(reset, Some(place.replace(":1", ":0")));
        for node in cluster.addresses() {
            let answer = resumed(node, &format!("{}:{}", before.epoch, before.offset));
            assert_eq!((position(&answer), &answer["recovered"]), (place.clone(), &json!(false)), "{answer}");
        }
        cluster.stop();
    }
}

/// Nodes that had held the channel took all from before for gone, and one that began to read it later did not.
#[test]
fn what_was_published_before_a_restart_is_read_at_every_node_after_it() {
    let Some(mut cluster) = Cluster::start("a restart", 2, &["appendonly yes", "appendfsync always"], &[]) else {
        return;
    };
    let mut before = before(&cluster);
    cluster.redis.kill();
    cluster.redis.restart();
    let place = publish_again(cluster.address(0), "4");
    assert_eq!(next_of(&mut before.reader).1, json!(4));
    cluster.nodes.push(super::node(&cluster.redis.url(), &[]));
    for node in cluster.addresses() {
        let answer = get(node, "/channels/a?last=10").json();
        let all: Vec<&Value> =
            answer["publications"].as_array().expect("a list").iter().map(|one| &one["data"]).collect();
        assert_eq!(
            (all, position(&answer)),
            (vec![&json!(1), &json!(2), &json!(3), &json!(4)], place.clone()),
            "{answer}"
        );
    }
    cluster.stop();
}

#[test]
fn a_history_that_is_gone_is_told_to_those_that_want_it_and_to_nobody_else() {
    let Some(mut cluster) = Cluster::start("DEL of a history", 2, &[], &[]) else { return };
    let mut before = before(&cluster);
    let keys = cluster.redis.ask(&["KEYS", "*{a}h"]);
    assert_eq!(cluster.redis.ask(&["DEL", &keys.list()[0].text()]).integer(), 1);
    let place = publish_again(cluster.address(0), "4");
    assert_eq!(place, format!("{}:4", before.epoch));
    assert_eq!(next_of(&mut before.reader), (4, json!(4), None));
    // A node that never held them cannot have them.
    cluster.nodes.push(super::node(&cluster.redis.url(), &[]));
    let answer = resumed(cluster.address(2), &format!("{}:1", before.epoch));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(false), &json!(4)), "{answer}");
    let answer = resumed(cluster.address(2), &format!("{}:3", before.epoch));
    assert_eq!((&answer["recovered"], &answer["publications"][0]["data"]), (&json!(true), &json!(4)), "{answer}");
    cluster.stop();
}

#[test]
fn links_that_end_and_scripts_that_are_gone_are_noticed_by_nobody() {
    let Some(cluster) = Cluster::start("CLIENT KILL and SCRIPT FLUSH", 2, &[], &[]) else { return };
    let mut before = before(&cluster);
    let cut = |subscribed| {
        wait_until("each node has such a link", || cluster.redis.links(subscribed).len() >= 2);
        cluster.redis.cut_links(subscribed);
    };
    let faults: [&dyn Fn(); 4] = [
        &|| cut(true),
        &|| cut(false),
        &|| {
            cluster.redis.ask(&["SCRIPT", "FLUSH"]);
        },
        &|| {
            cut(false);
            cut(true);
        },
    ];
    for (fault, number) in faults.into_iter().zip(4..) {
        fault();
        let place = publish_again(cluster.address(0), &number.to_string());
        assert_eq!(place, format!("{}:{number}", before.epoch));
        assert_eq!(next_of(&mut before.reader), (number, json!(number), None));
        let answer = resumed(cluster.address(1), &format!("{}:1", before.epoch));
        assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(number)), "{answer}");
    }
    cluster.stop();
}

#[test]
fn a_redis_that_is_full_refuses_publications_and_nothing_else() {
    let Some(cluster) = Cluster::start("maxmemory", 2, &["maxmemory-policy noeviction"], &[]) else { return };
    let mut before = before(&cluster);
    cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "1"]);
    let refused = post(cluster.address(0), "/channels/a", "4");
    assert_eq!((refused.status, refused.code()), (507, "store_full".to_owned()));
    assert!(refused.field("Retry-After").is_some());
    assert!(is_ready(cluster.address(0)));
    let answer = resumed(cluster.address(1), &format!("{}:1", before.epoch));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(3)), "{answer}");
    cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]);
    assert_eq!(publish_again(cluster.address(0), "4"), format!("{}:4", before.epoch));
    assert_eq!(next_of(&mut before.reader), (4, json!(4), None));
    cluster.stop();
}

/// What it may have copied from another meanwhile is less than it answered: it gave places of before to other publications, since
/// it is the same process.
#[test]
fn a_redis_that_was_a_replica_for_a_while_begins_a_generation() {
    for goes_back in [false, true] {
        let Some(cluster) = Cluster::start("REPLICAOF", 2, &[], &[]) else { return };
        let replica = Redis::replica_of(&cluster.redis, &[]);
        let mut before = before(&cluster);
        wait_until("the replica has them", || replica.ask(&["KEYS", "*{a}h"]).list().len() == 1);
        assert_eq!(cluster.redis.ask(&["WAIT", "1", "5000"]).integer(), 1, "all of them");
        replica.ask(&["REPLICAOF", "NO", "ONE"]);
        published(&post(cluster.address(0), "/channels/a", "4"));
        assert_eq!(next_of(&mut before.reader), (4, json!(4), None));
        // Where nobody listens it keeps what it has.
        let port = if goes_back { replica.port } else { free_port() };
        cluster.redis.ask(&["REPLICAOF", "127.0.0.1", &port.to_string()]);
        let is_refused = |node| {
            let refused = post(node, "/channels/b", "\"no\"");
            (refused.status, refused.code()) == (503, "engine_unavailable".to_owned())
        };
        wait_until("both are away", || cluster.addresses().into_iter().all(is_refused));
        if goes_back {
            let is_copied = || cluster.redis.info("replication").contains("master_link_status:up");
            wait_until("it has copied", is_copied);
        }
        cluster.redis.ask(&["REPLICAOF", "NO", "ONE"]);
        let place = publish_again(cluster.address(0), "5");
        let held = if goes_back { 3 } else { 4 };
        assert!(place.ends_with(&format!(":{}", held + 1)) && !place.starts_with(&before.epoch), "{place}");
        let (offset, data, reset) = next_of(&mut before.reader);
        assert_eq!((offset, data), (held + 1, json!(5)));
        assert_eq!(reset, Some(place.replace(&format!(":{}", held + 1), &format!(":{held}"))));
        cluster.stop();
    }
}

#[test]
fn while_redis_is_away_sockets_stay_and_readiness_tells() {
    let Some(mut cluster) = Cluster::start("a Redis that is away", 2, &[], &["--redis.ready_grace", "500ms"]) else {
        return;
    };
    let mut before = before(&cluster);
    cluster.redis.kill();
    let refused = |answer: &Answer| (answer.status, answer.code()) == (503, "engine_unavailable".to_owned());
    wait_until("publishing is refused", || refused(&post(cluster.address(0), "/channels/a", "\"no\"")));
    assert!(post(cluster.address(0), "/channels/a", "\"no\"").field("Retry-After").is_some());
    // What is held is read, true to the position that it names; what is not cannot be.
    let answer = resumed(cluster.address(1), &format!("{}:1", before.epoch));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(3)), "{answer}");
    assert!(refused(&get(cluster.address(1), "/channels/unknown")));
    let mut stream = SseClient::open(cluster.address(1), "unknown", None);
    let block = stream.next_block().expect("why");
    assert!(block.event.as_deref() == Some("refused") && block.data.contains("engine_unavailable"), "{block:?}");
    assert_eq!(before.reader.request(json!({"method": "GET", "path": "/livez"}))["status"], 200);
    wait_until("readiness tells", || !is_ready(cluster.address(0)) && !is_ready(cluster.address(1)));
    assert_eq!(get(cluster.address(0), "/livez").status, 200);
    assert_eq!(cluster.nodes[0].metric("tidings_engine_up"), 0.0);
    // Nobody is in a hurry: two seconds of trying again cost next to nothing.
    let ticks = || cluster.nodes.iter().map(crate::support::process::Process::cpu_ticks).sum::<u64>();
    let began = ticks();
    std::thread::sleep(Duration::from_secs(2));
    let used = ticks() - began;
    assert!(used < 40, "two nodes used {used} hundredths of a second in two seconds");
    let age = cluster.nodes[0].metric("tidings_redis_feed_age_milliseconds");
    assert!(age >= 2000.0, "nothing has come for {age} ms");
    cluster.redis.restart();
    wait_until("both are ready again", || is_ready(cluster.address(0)) && is_ready(cluster.address(1)));
    let place = publish_again(cluster.address(0), "4");
    let (offset, data, reset) = next_of(&mut before.reader);
    assert_eq!((format!(":{offset}"), data), (place[place.find(':').expect("a position")..].to_owned(), json!(4)));
    assert!(reset.is_some() && !place.starts_with(&before.epoch), "it kept nothing: {reset:?} {place}");
    cluster.stop();
}

#[test]
fn a_node_ends_when_it_is_told_to_whatever_its_redis_does() {
    for fault in ["", "STOP", "KILL"] {
        let Some(mut cluster) = Cluster::start("the end of a node", 1, &[], &["--server.drain_timeout", "2s"]) else {
            return;
        };
        let mut reader = WsClient::connect(cluster.address(0));
        reader.subscribe("a");
        published(&post(cluster.address(0), "/channels/a", "1"));
        if !fault.is_empty() {
            cluster.redis.signal(fault);
        }
        let (node, began) = (cluster.nodes.remove(0), std::time::Instant::now());
        node.signal("TERM");
        let (status, log) = node.wait();
        assert!(status.success(), "{fault}: {status:?} {log}");
        println!("end: a node ended {:.1?} after SIGTERM, Redis: {fault}", began.elapsed());
    }
}

#[test]
fn a_node_that_starts_before_its_redis_waits_for_it() {
    if !redis::is_here("a late Redis") {
        return;
    }
    let mut redis = Redis::start(&[]);
    redis.kill();
    let node = begin_node(&redis.url(), &["--redis.ready_grace", "0s"]);
    assert_eq!(get(node.address, "/livez").status, 200);
    wait_until("readiness tells", || !is_ready(node.address));
    assert_eq!(post(node.address, "/channels/a", "1").status, 503);
    redis.restart();
    wait_until("it is ready", || is_ready(node.address));
    published(&post(node.address, "/channels/a", "1"));
    stop(node);
}
