//! Connections between nodes and Redis that are starved, delayed and cut at any byte: nodes close the gaps by themselves.

use super::account::Account;
use super::member::{Role, Traffic};
use super::{begin_node, is_ready, next_of, node, position, published, stop};
use crate::support::http::post;
use crate::support::redis::{self, Redis};
use crate::support::relay::{Link, Relay, Way};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::json;
use std::time::{Duration, Instant};

const LINKS: [Link; 2] = [Link::Feed, Link::Orders];
const WAYS: [Way; 2] = [Way::ToRedis, Way::ToNode];

/// Starves the feed of a node of so many bytes, of which Redis holds only some; what the node's reader was told.
fn starve(mebibytes: usize, limit: &str) {
    let redis = Redis::start(&[&format!("client-output-buffer-limit pubsub {limit}")]);
    let relay = Relay::to(redis.address());
    let more = ["--history.bytes", "100MiB", "--history.count", "100000"];
    let (near, far) = (node(&redis.url(), &more), node(&relay.url(), &more));
    let mut reader = WsClient::connect(far.address);
    let begun = position(&reader.subscribe("a"));
    published(&post(near.address, "/channels/a", "1"));
    assert_eq!(next_of(&mut reader).0, 1);
    relay.hold(Link::Feed, Way::ToNode, true);
    let body = format!("\"{}\"", "x".repeat(100_000));
    let mut count = 1;
    let began = Instant::now();
    while count < mebibytes * 10 {
        published(&post(near.address, "/channels/a", &body));
        count += 1;
    }
    // Redis gives up on the feed, and what it held for it is gone.
    let was_cut = redis.log().contains("output buffer limits");
    relay.hold(Link::Feed, Way::ToNode, false);
    let published_in = began.elapsed();
    let began = Instant::now();
    for offset in 2..=count as u64 {
        let (own, data, reset) = next_of(&mut reader);
        assert_eq!((own, reset), (offset, None), "filled by the node");
        assert_eq!(data.as_str().map(str::len), Some(100_000));
    }
    println!(
        "starved: {count} publications of 100 kB in {published_in:.1?} while one node's feed was not read, which Redis cut: {was_cut}; \
         filled in {:.1?} after it was read again, no reset, from {begun}",
        began.elapsed()
    );
    assert!(was_cut, "Redis holds at most {limit}");
    stop(near);
    stop(far);
}

#[test]
fn a_feed_that_was_starved_is_filled() {
    if redis::is_here("a starved feed") {
        starve(6, "1mb 1mb 0");
    }
}

#[test]
#[ignore = "run by tests/cluster starved"]
fn a_feed_that_was_starved_of_forty_megabytes_is_filled() {
    if redis::is_here("a starved feed") {
        starve(60, "32mb 8mb 60");
    }
}

#[test]
fn an_answer_that_is_cut_off_is_asked_for_again_and_nothing_is_published_twice() {
    if !redis::is_here("cut answers") {
        return;
    }
    let redis = Redis::start(&[]);
    let relay = Relay::to(redis.address());
    let (near, far) = (node(&redis.url(), &[]), node(&relay.url(), &["--server.publish_wait", "10s"]));
    let mut reader = WsClient::connect(near.address);
    reader.subscribe("a");
    for number in 1..=10_u64 {
        // Redis has executed it, and its answer gets as far as this.
        relay.cut_after(Link::Orders, Way::ToNode, number % 3);
        let answer = post(far.address, "/channels/a", &number.to_string());
        let (offset, data, reset) = next_of(&mut reader);
        assert_eq!((offset, data, reset), (number, json!(number), None));
        if answer.status == 200 {
            assert_eq!(answer.json()["offset"], number);
        } else {
            assert_eq!((answer.status, answer.code()), (503, "outcome_unknown".to_owned()));
        }
        wait_until("it is ready again", || is_ready(far.address));
    }
    stop(near);
    stop(far);
}

/// Nodes behind relays that do something else every moment, by this seed; the account.
fn chaos(seed: u64, moments: usize, moment: Duration, is_keyed: bool) -> Account {
    let redis = Redis::start(&["appendonly no"]);
    let relays = [Relay::to(redis.address()), Relay::to(redis.address())];
    let mut nodes = vec![node(&redis.url(), &[])];
    nodes.extend(relays.iter().map(|relay| begin_node(&relay.url(), &[])));
    nodes.iter().for_each(|node| wait_until("the node is ready", || is_ready(node.address)));
    let addresses: Vec<_> = nodes.iter().map(|node| node.address).collect();
    let mut traffic = Traffic::new(&addresses, 5);
    traffic.may_be_away = true;
    let reader =
        |node| Role { node, reads: true, window: 1, pace: Duration::from_millis(5), is_keyed, ..Role::default() };
    let publisher = |node| Role { node, window: 8, pace: Duration::from_millis(1), is_keyed, ..Role::default() };
    let roles: Vec<Role> = (0..3).map(reader).chain((0..3).map(publisher)).collect();
    let mut random = StdRng::seed_from_u64(seed);
    let seen = traffic.run(&roles, || {
        for _ in 0..moments {
            let relay = &relays[random.random_range(0..2)];
            let link = LINKS[random.random_range(0..2)];
            let way = WAYS[random.random_range(0..2)];
            match random.random_range(0..6) {
                0 => relay.cut(link),
                1 => relay.delay(link, way, Duration::from_millis(random.random_range(1..30))),
                2 => relay.hold(link, way, true),
                3 => relay.refuse(random.random_bool(0.5)),
                _ => relay.cut_after(link, way, random.random_range(0..2000)),
            }
            std::thread::sleep(moment);
            if random.random_bool(0.5) {
                calm(relay);
            }
        }
        relays.iter().for_each(calm);
    });
    nodes.into_iter().for_each(stop);
    Account::of(&seen)
}

fn calm(relay: &Relay) {
    relay.refuse(false);
    for link in LINKS {
        for way in WAYS {
            relay.hold(link, way, false);
            relay.delay(link, way, Duration::ZERO);
        }
    }
}

#[test]
fn links_that_are_cut_delayed_and_held_lose_nothing() {
    if redis::is_here("bad links") {
        let account = chaos(1, 12, Duration::from_millis(150), false);
        assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
        let account = chaos(2, 8, Duration::from_millis(150), true);
        assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
        assert!(account.unknown.is_empty() && account.refused.is_empty(), "{account:?}");
    }
}

#[test]
#[ignore = "run by tests/cluster links"]
fn bad_links_of_many_kinds_lose_nothing() {
    if !redis::is_here("bad links") {
        return;
    }
    let first = std::env::var("TIDINGS_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or(100);
    for seed in first..first + 10 {
        let account = chaos(seed, 60, Duration::from_millis(200), seed % 2 == 0);
        println!(
            "links: seed {seed}: {} publications answered, {} received, told {}, missing {}; refused {:?}, unknown {:?} of which {} were \
             published; none twice, none out of order",
            account.answered,
            account.received,
            account.told,
            account.lost,
            account.refused,
            account.unknown,
            account.unknown_published
        );
        assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
    }
}
