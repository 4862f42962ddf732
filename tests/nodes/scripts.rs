//! The script that publishes, asked by hand: what it answers to publications that are sent again, and when one of several fails.

use crate::support::redis::{self, Redis};
use crate::support::resp::{RedisClient, Reply};

const PUBLISH: &str = concat!(
    include_str!("../../src/engine/redis/scripts/meta.lua"),
    include_str!("../../src/engine/redis/scripts/publish.lua")
);
/// A time in the far future, and one long ago, in milliseconds since 1970.
const IN_TIME: u64 = 99_999_999_999_999;
const TOO_LATE: u64 = 1;
const GENERATION: &str = "gggg";

/// A publication as a node asks for it.
#[derive(Clone, Copy)]
struct Item<'i> {
    channel: &'i str,
    ticket: &'i str,
    at_ms: u64,
    count: usize,
    until_ms: u64,
    key: &'i str,
    again: bool,
    is_lost: bool,
}

impl<'i> Item<'i> {
    fn new(ticket: &'i str) -> Item<'i> {
        Item {
            channel: "a",
            ticket,
            at_ms: 1_000_000,
            count: 3,
            until_ms: IN_TIME,
            key: "",
            again: false,
            is_lost: false,
        }
    }

    fn again(self) -> Item<'i> {
        Item { again: true, ..self }
    }
}

/// What the script answers to publications that it is asked for in one call.
fn publish(redis: &mut RedisClient, items: &[Item<'_>]) -> Vec<String> {
    let (mut keys, mut arguments) = (Vec::new(), vec![GENERATION.as_bytes().to_vec()]);
    for item in items {
        let name = |kind: &str| format!("td:{{{}}}{kind}", item.channel).into_bytes();
        keys.extend([name("m"), name("h")]);
        if !item.key.is_empty() {
            keys.push(name(&format!("k:{}", item.key)));
        }
        let body = [b"1", item.ticket.as_bytes(), &item.at_ms.to_le_bytes(), b"\x001\x00{}"].concat();
        let key_ms = if item.key.is_empty() { 0 } else { 60_000 };
        let mut packed = Vec::new();
        for number in [item.count as u64, 1_000_000, 4, 60, 600, item.until_ms] {
            packed.extend(packed_number(number));
        }
        packed.extend(packed_text("eeeeeeeeeeee"));
        packed.extend(packed_number(key_ms));
        packed.extend(packed_text("0f"));
        packed.extend(packed_text(if item.again { item.ticket } else { "" }));
        packed.extend(packed_text(""));
        packed.push(if item.is_lost { 0xc3 } else { 0xc2 });
        arguments.extend([body, name("f"), packed]);
    }
    let mut words = vec![b"EVAL".to_vec(), PUBLISH.as_bytes().to_vec(), keys.len().to_string().into_bytes()];
    words.extend(keys);
    words.extend(arguments);
    redis.ask(&words).list().iter().map(Reply::text).collect()
}

/// As MessagePack has them.
fn packed_number(number: u64) -> Vec<u8> {
    [&[0xcf][..], &number.to_be_bytes()].concat()
}

fn packed_text(text: &str) -> Vec<u8> {
    [&[0xd9, text.len() as u8], text.as_bytes()].concat()
}

fn one(redis: &mut RedisClient, item: Item<'_>) -> String {
    publish(redis, &[item]).remove(0)
}

fn place(offset: u64) -> String {
    format!("Peeeeeeeeeeee-{GENERATION}:{offset}")
}

/// Sixteen characters, as all tickets have.
const ONE: &str = "ticket-number--1";
const TWO: &str = "ticket-number--2";
const THREE: &str = "ticket-number--3";
const FOUR: &str = "ticket-number--4";

/// The answer was cut off, and its time was over when it was asked for again: it was refused as if nothing had happened.
#[test]
fn what_is_sent_again_too_late_is_found_where_it_was_published() {
    let Some(server) = redis::is_here("the script").then(|| Redis::start(&[])) else { return };
    let mut redis = server.client();
    let late = |ticket| Item { until_ms: TOO_LATE, ..Item::new(ticket) };
    assert_eq!(one(&mut redis, Item::new(ONE)), place(1));
    assert_eq!(one(&mut redis, late(ONE).again()), place(1), "it was published");
    assert_eq!(one(&mut redis, Item::new(ONE).again()), place(1), "and is not published twice");
    assert_eq!(one(&mut redis, late(TWO)), "L");
    assert_eq!(one(&mut redis, late(TWO).again()), "L", "nothing is gone, so that it was never there");
    assert_eq!(one(&mut redis, Item::new(TWO).again()), place(2));
}

/// A Redis that came back with nothing did not have it, and published it a second time: readers had received it before.
#[test]
fn what_redis_may_have_forgotten_is_not_published_again() {
    let Some(server) = redis::is_here("the script").then(|| Redis::start(&[])) else { return };
    let mut redis = server.client();
    let lost = |ticket| Item { is_lost: true, ..Item::new(ticket).again() };
    assert_eq!(one(&mut redis, lost(ONE)), "U", "of a channel that it does not know");
    assert_eq!(one(&mut redis, Item::new(TWO)), place(1));
    assert_eq!(one(&mut redis, lost(ONE)), "U");
    assert_eq!(one(&mut redis, lost(TWO)), place(1), "it has that one");
    // Who repeats it with its key knows that a server may lose its memory.
    assert_eq!(one(&mut redis, Item { key: "k", ..lost(ONE) }), place(2));
}

/// A publication that had left the history when it was asked for again was published twice.
#[test]
fn what_may_have_left_the_history_is_not_published_again() {
    let Some(server) = redis::is_here("the script").then(|| Redis::start(&[])) else { return };
    let mut redis = server.client();
    let short = |ticket, at_ms| Item { count: 1, at_ms, ..Item::new(ticket) };
    assert_eq!(one(&mut redis, short(ONE, 1_000_000)), place(1));
    assert_eq!(one(&mut redis, short(TWO, 1_000_001)), place(2));
    assert_eq!(one(&mut redis, short(ONE, 1_000_000).again()), "U");
    assert_eq!(one(&mut redis, short(THREE, 1_001_001).again()), "U", "as old as the clocks may differ");
    assert_eq!(one(&mut redis, short(THREE, 1_001_002).again()), place(3), "the oldest there is is older");
    let unkept = |ticket| Item { count: 0, channel: "b", ..Item::new(ticket) };
    assert_eq!(one(&mut redis, unkept(ONE).again()), place(1), "nothing was ever published there");
    assert_eq!(one(&mut redis, unkept(TWO).again()), "U");
    let keyed = |ticket, key| Item { key, ..short(ticket, 1_000_000) };
    assert_eq!(one(&mut redis, keyed(FOUR, "x").again()), place(4), "there would be a record of it");
    assert_eq!(one(&mut redis, keyed(FOUR, "x").again()), format!("K{} 0f", &place(4)[1..]));
}

#[test]
fn what_fails_of_several_publications_fails_alone() {
    let Some(server) = redis::is_here("the script").then(|| Redis::start(&[])) else { return };
    let mut redis = server.client();
    redis.ask(&["SET", "td:{b}h", "no list"]);
    redis.ask(&["SET", "td:{c}m", "nonsense"]);
    let of = |channel, ticket| Item { channel, ..Item::new(ticket) };
    // The first publication to a channel removes what lies in the place of its history.
    assert_eq!(one(&mut redis, of("b", ONE)), place(1));
    redis.ask(&["SET", "td:{b}h", "no list"]);
    let keyed = Item { key: "x", ..of("d", FOUR) };
    let items = [of("a", ONE), of("b", TWO), keyed, of("c", THREE), of("a", FOUR)];
    let answers = publish(&mut redis, &items);
    assert_eq!((&answers[0], &answers[2], &answers[4]), (&place(1), &place(1), &place(2)));
    assert!(answers[1].starts_with("EWRONGTYPE ") && answers[3].starts_with('E'), "{answers:?}");
    assert_eq!(one(&mut redis, of("a", TWO)), place(3));
}
