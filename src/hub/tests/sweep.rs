//! What is too old goes, of what is idle the position is remembered, and no hold of a lock is long.

use super::super::SWEEP_STEPS;
use super::{Answer, Bench, GetOptions, PostOptions, conn, delete, get, once, post, post_options, reply, since, small};
use crate::hub::HubLimits;
use std::time::Duration;

const SECOND: Duration = Duration::from_secs(1);

fn short() -> HubLimits {
    HubLimits {
        history_age: 10 * SECOND,
        idempotency_ttl: 100 * SECOND,
        idle_after: 60 * SECOND,
        position_ttl: 1_000 * SECOND,
        ..small()
    }
}

#[test]
fn an_idle_channels_position_is_remembered_until_that_expires_too() {
    let mut bench = Bench::new(short(), 8);
    let at = bench.publish("a", "1");
    bench.now += 30 * SECOND;
    let swept = bench.hub.sweep(bench.now);
    assert_eq!((swept.expired, swept.forgotten, bench.stats().history_bytes), (1, 0, 0));
    bench.now += 30 * SECOND;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 1);
    assert_eq!((bench.stats().channels, bench.stats().positions), (0, 1));
    bench.now += 999 * SECOND;
    assert!(matches!(bench.ask(delete("a")), Answer::HistoryDeleted { position, .. } if position == at));
    assert_eq!(bench.read("a", since(at)).recovered, Some(true), "a quiet channel raises no false alarm");
    assert_eq!((bench.stats().channels, bench.stats().positions), (1, 0));
    assert_eq!(bench.publish("b", "1").offset, 1);
    bench.now += 60 * SECOND;
    bench.hub.sweep(bench.now);
    bench.now += 1_000 * SECOND;
    assert_eq!(bench.hub.sweep(bench.now).positions, 1);
    assert_eq!(bench.read("b", once()).position.offset, 0);
}

#[test]
fn listeners_history_and_keys_keep_a_channel() {
    let mut bench = Bench::new(HubLimits { history_age: 1_000 * SECOND, ..short() }, 8);
    let activation = reply(bench.deliveries(1, get("heard", GetOptions::default())).remove(0)).answer;
    let Answer::Channel { id, .. } = activation else { panic!("an activation") };
    bench.publish("kept", "1");
    bench.ask(post("keyed", PostOptions { key: Some("k".into()), ..post_options("1") }));
    bench.ask(delete("keyed"));
    bench.now += 99 * SECOND;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 0);
    bench.now += SECOND;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 1, "the key is forgotten, and its channel with it");
    assert!(bench.hub.leave(id, conn(1)));
    bench.now += 59 * SECOND;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 0, "idle since the last sweep that saw a listener");
    bench.now += SECOND;
    assert_eq!(bench.hub.sweep(bench.now).forgotten, 1);
    assert!(!bench.hub.leave(id, conn(1)), "a stale id");
    assert_eq!(bench.stats().channels, 1);
    bench.now += 1_000 * SECOND;
    bench.hub.sweep(bench.now);
    assert_eq!(bench.stats(), super::HubStats { positions: 1, published: 2, ..Default::default() });
}

#[test]
fn a_recreated_channel_has_an_id_of_its_own() {
    let mut bench = Bench::new(short(), 8);
    bench.read("a", once());
    let before = bench.hub.id_of("a");
    bench.now += 60 * SECOND;
    bench.hub.sweep(bench.now);
    assert_eq!(bench.hub.id_of("a"), None);
    bench.read("a", once());
    assert!(before.is_some() && bench.hub.id_of("a") != before);
}

#[test]
fn a_sweep_is_bounded_and_goes_on_where_it_stopped() {
    let mut bench = Bench::new(HubLimits { history_count: 2_000, history_bytes: 1 << 30, ..short() }, 8);
    for _ in 0..1_000 {
        bench.publish("long", "1");
    }
    for index in 0..1_000 {
        bench.read(&format!("idle {index}"), once());
    }
    bench.now += 60 * SECOND;
    let mut rounds = 0;
    while bench.stats().channels > 0 {
        let swept = bench.hub.sweep(bench.now);
        assert!(swept.visited + swept.expired + swept.positions <= SWEEP_STEPS + 1, "{swept:?}");
        rounds += 1;
        assert!(rounds < 20, "it gets there");
    }
    assert!(rounds > 7, "and not at once");
    assert_eq!((bench.stats().positions, bench.stats().history_bytes), (1_001, 0));
}

#[test]
fn the_listing_is_bounded_and_names_what_is_there() {
    let bench = Bench::new(HubLimits::default(), 8);
    for index in 0..2_000 {
        bench.read(&format!("c{index}"), once());
    }
    let at = bench.publish("c7", "1");
    bench.deliveries(1, get("c7", GetOptions::default()));
    assert_eq!((bench.hub.channels(10).len(), bench.hub.channels(0).len()), (10, 0));
    let all = bench.hub.channels(usize::MAX);
    assert_eq!(all.len(), 2_000);
    let seven = all.iter().find(|channel| &*channel.name == "c7").expect("listed");
    assert_eq!((seven.position, seven.subscribers, seven.publications), (at, 1, 1));
}
