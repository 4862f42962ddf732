//! Publishing: room, idempotency, limits, permissions, exclusion, batches, reset, and places given elsewhere.

use super::super::keys;
use super::super::post::Delivery;
use super::super::publication::Draft;
use super::super::{AppendRefused, Blocked};
use super::{
    Bench, GetOptions, PostOptions, Posted, code, conn, delete, excluding, get, json, name, offset_of, once, one, post,
    post_options, published, reply, since, small,
};
use crate::access::Identities;
use crate::hub::HubLimits;
use crate::model::code::Code;
use crate::model::publication::{Epoch, Position};
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RareOptions, RefusedItem, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::{Answer, Reply};
use crate::node::execute::{Node, Progress, give_up};
use crate::node::work::Work;
use std::time::Duration;

fn keyed(data: &str, key: &str) -> PostOptions {
    PostOptions { key: Some(key.into()), ..post_options(data) }
}

fn replies(bench: &Bench, mailbox: u32) -> Vec<Reply> {
    bench.post.drain(mailbox).into_iter().map(reply).collect()
}

#[test]
fn a_refusing_mailbox_releases_the_others_and_no_offset_is_given() {
    let bench = Bench::new(small(), 8);
    for mailbox in [1, 2, 3] {
        bench.deliveries(mailbox, get("a", GetOptions::default()));
    }
    bench.post.set_capacity(2, 0);
    let mut work = one(1, post("a", post_options("1")));
    assert_eq!(bench.run(&mut work), Progress::Blocked);
    assert_eq!((work.blocked_since, work.remaining()), (Some(bench.now), 1));
    assert!(bench.post.nothing_is_reserved());
    assert!([1, 2, 3].iter().all(|mailbox| bench.post.drain(*mailbox).is_empty()), "nothing happened");
    assert_eq!(bench.read("a", once()).position.offset, 0);
    assert_eq!(bench.stats().history_bytes, 0);
    bench.post.set_capacity(2, 1);
    assert_eq!(bench.run(&mut work), Progress::Done);
    assert_eq!((work.blocked_since, work.remaining()), (None, 0));
    for mailbox in [1, 2, 3] {
        assert_eq!(offset_of(&bench.post.drain(mailbox)[0]), 1);
    }
}

#[test]
fn giving_up_answers_the_blocked_item_and_whatever_else_blocks_with_busy() {
    let bench = Bench::new(small(), 0);
    bench.deliveries(1, get("full", GetOptions::default()));
    let livez: Item = Ok(Request { id: None, verb: Verb::Livez });
    let items = vec![
        post("free", post_options("1")),
        post("full", post_options("2")),
        post("free", post_options("3")),
        post("full", post_options("4")),
        livez,
    ];
    let mut work = Work::batch(conn(5), Identities::default().publisher, Ticket::new(7, 8, 5), items);
    assert_eq!((bench.run(&mut work), work.remaining()), (Progress::Blocked, 4));
    give_up(&mut work, Node::open(&bench.hub), &bench.post, bench.now, 0);
    let replies = replies(&bench, 5);
    let tickets: Vec<Ticket> = replies.iter().map(|reply| reply.ticket).collect();
    assert_eq!(tickets, [Ticket::new(7, 8, 5); 5], "each goes back as it came");
    assert_eq!(code(&replies[1].answer), (503, "busy"));
    assert_eq!(code(&replies[3].answer), (503, "busy"));
    assert!(matches!(replies[4].answer, Answer::Alive));
    assert_eq!(bench.read("free", once()).position.offset, 2);
    assert_eq!(bench.read("full", once()).position.offset, 0);
}

#[test]
fn an_idempotency_key_gives_the_old_position_or_409_until_its_time_is_over() {
    let limits = HubLimits { idempotency_keys: 2, idempotency_ttl: Duration::from_secs(10), ..small() };
    let mut bench = Bench::new(limits, 8);
    bench.deliveries(1, get("a", GetOptions::default()));
    let first = published(bench.ask(post("a", keyed("1", "k"))));
    assert_eq!(published(bench.ask(post("a", keyed("1", "k")))), first);
    assert_eq!(bench.post.drain(1).len(), 1, "delivered once");
    assert_eq!(code(&bench.ask(post("a", keyed("2", "k")))), (409, "key_reused"));
    let named = PostOptions { event: Some("e".into()), ..keyed("1", "k") };
    assert_eq!(code(&bench.ask(post("a", named))), (409, "key_reused"));
    assert_eq!(published(bench.ask(post("b", keyed("2", "k")))).offset, 1, "keys are per channel");
    bench.now += Duration::from_secs(10);
    assert_eq!(published(bench.ask(post("a", keyed("2", "k")))).offset, 2);
    published(bench.ask(post("a", keyed("3", "l"))));
    published(bench.ask(post("a", keyed("4", "m"))));
    assert_eq!(published(bench.ask(post("a", keyed("2", "k")))).offset, 5, "the oldest of three keys was forgotten");
}

#[test]
fn what_is_to_follow_a_position_is_published_there_or_not_at_all() {
    let mut bench = Bench::new(HubLimits { idempotency_keys: 2, ..small() }, 8);
    let at = |bench: &mut Bench| bench.read("a", once()).position;
    let after = |position: Position, data| PostOptions {
        rare: RareOptions { if_match: Some(position), ..RareOptions::default() }.boxed(),
        ..post_options(data)
    };
    let begun = at(&mut bench);
    let first = published(bench.ask(post("a", after(begun, "1"))));
    assert_eq!(first, Position { offset: 1, ..begun });
    let elsewhere = Position { epoch: published(bench.ask(post("b", post_options("1")))).epoch, ..first };
    for stale in [begun, Position { offset: 2, ..begun }, elsewhere] {
        let answer = bench.ask(post("a", after(stale, "no")));
        assert_eq!(code(&answer), (412, "moved"));
        assert!(matches!(answer, Answer::Refused(refusal) if refusal.position.as_deref() == Some(&first)));
    }
    // Sent again with its key, it is where it was published.
    let keyed = |data| PostOptions { key: Some("k".into()), ..after(first, data) };
    let second = published(bench.ask(post("a", keyed("2"))));
    assert_eq!((second.offset, published(bench.ask(post("a", keyed("2"))))), (2, second));
    assert_eq!(at(&mut bench), second);
}

/// What was published: its offset, and whether it was kept.
fn kept(answer: &Answer) -> (u64, bool) {
    match answer {
        Answer::Published { position, kept, .. } => (position.offset, *kept),
        other => panic!("not published: {other:?}"),
    }
}

/// B4: one publisher that filled the histories stopped everybody's publishing, live readers' too, for an hour.
#[test]
fn a_full_history_stops_no_delivery_and_evicts_nobody_else() {
    let weight = Draft { data: json("1"), event: None, time: None }.weight();
    let limits = HubLimits { channels_total: 3, history_total_bytes: 3 * weight, history_count: 2, ..small() };
    let bench = Bench::new(limits, 8);
    let start = bench.read("c", once()).position;
    bench.deliveries(1, get("c", GetOptions::default()));
    bench.publish("a", "1");
    bench.publish("a", "2");
    bench.publish("b", "1");
    assert_eq!(bench.stats().history_bytes, 3 * weight);
    assert_eq!(kept(&bench.ask(post("b", post_options("2")))), (2, true), "it takes the place of its own oldest");
    assert_eq!(bench.read("b", once()).offsets, [2]);
    assert_eq!(kept(&bench.ask(post("c", post_options("1")))), (1, false));
    assert_eq!(bench.post.drain(1).iter().map(offset_of).collect::<Vec<_>>(), [1], "whoever listens gets it");
    let resumed = bench.read("c", since(start));
    assert_eq!((resumed.recovered, resumed.position.offset, resumed.offsets.len()), (Some(false), 1, 0));
    assert_eq!(kept(&bench.ask(post("a", post_options("3")))), (3, true));
    assert_eq!(bench.read("a", once()).offsets, [2, 3], "nobody else loses any");
    assert_eq!((bench.stats().published, bench.stats().not_kept, bench.stats().history_bytes), (6, 1, 3 * weight));
    // One that is larger than what its own channel can give goes without, and takes what could not be joined to it along.
    let large = format!("\"{}\"", "x".repeat(2 * weight));
    assert_eq!(kept(&bench.ask(post("b", post_options(&large)))), (3, false));
    assert_eq!(bench.read("b", once()).offsets, [0; 0]);
    assert_eq!(kept(&bench.ask(post("c", post_options("2")))), (2, true), "what it gave up is there for others");
    assert_eq!(bench.stats().history_bytes, 3 * weight);
    assert!(matches!(bench.ask(delete("a")), Answer::HistoryDeleted { position, .. } if position.offset == 3));
    assert_eq!(bench.stats().history_bytes, weight);
    assert_eq!(kept(&bench.ask(post("b", post_options("4")))), (4, true));
    assert_eq!(code(&bench.ask(delete("unknown"))), (404, "unknown_channel"));
}

#[test]
fn an_idempotency_key_without_room_stops_no_delivery() {
    let weight = Draft { data: json("1"), event: None, time: None }.weight();
    let bench = Bench::new(HubLimits { history_total_bytes: 2 * weight, ..small() }, 8);
    bench.publish("full", "1");
    bench.publish("full", "2");
    assert_eq!(kept(&bench.ask(post("a", keyed("1", "k")))), (1, false));
    assert_eq!(kept(&bench.ask(post("a", keyed("1", "k")))), (2, false), "it could not be remembered");
    assert_eq!(bench.stats().history_bytes, 2 * weight);
    // A channel with a history of its own gives some of it up for the key.
    assert_eq!(kept(&bench.ask(post("full", keyed("3", "k")))), (3, true));
    assert_eq!(kept(&bench.ask(post("full", keyed("3", "k")))), (3, true), "the same as the first time");
    assert_eq!(bench.read("full", once()).offsets, [3]);
    assert!(bench.stats().history_bytes <= 2 * weight);
}

/// A key's bytes counted against the limit of its channel as well.
#[test]
fn a_key_takes_room_from_the_total_and_none_from_its_channels_history() {
    let weight = Draft { data: json("1"), event: None, time: None }.weight();
    let (key, text) = ("k".repeat(150), format!("\"{}\"", "x".repeat(weight - 1)));
    let both = 2 * weight + keys::weight(&key);
    let limits = HubLimits { history_bytes: 3 * weight, history_total_bytes: weight + both - 1, ..small() };
    assert!(both > limits.history_bytes);
    let bench = Bench::new(limits, 8);
    bench.publish("a", "1");
    assert_eq!(kept(&bench.ask(post("a", keyed(&text, &key)))), (2, true));
    assert_eq!((bench.read("a", once()).offsets, bench.stats().history_bytes), (vec![2], both));
}

/// Of a key that was longer than the one in its place, only as many bytes counted as free as the new one takes.
#[test]
fn a_key_that_goes_makes_room_for_a_publication() {
    let weight = Draft { data: json("1"), event: None, time: None }.weight();
    let key = "k".repeat(150);
    let total = weight + keys::weight(&key);
    let bench = Bench::new(HubLimits { idempotency_keys: 1, history_total_bytes: total, ..small() }, 8);
    assert_eq!(kept(&bench.ask(post("a", keyed("1", &key)))), (1, true));
    assert_eq!(kept(&bench.ask(post("a", keyed(&"1".repeat(101), "k")))), (2, true));
    assert_eq!(bench.read("a", once()).offsets, [2]);
}

#[test]
fn what_is_too_large_for_its_channels_history_says_so_and_without_any_history_nothing_does() {
    let bench = Bench::new(HubLimits { history_bytes: 1_000, ..small() }, 8);
    let large = format!("\"{}\"", "x".repeat(1_000));
    assert_eq!(kept(&bench.ask(post("a", keyed(&large, "k")))), (1, false));
    assert_eq!(kept(&bench.ask(post("a", keyed(&large, "k")))), (1, false), "the same as the first time");
    assert_eq!(kept(&bench.ask(post("a", post_options("1")))), (2, true));
    let none = Bench::new(HubLimits { history_count: 0, ..small() }, 8);
    assert_eq!(kept(&none.ask(post("a", post_options("1")))), (1, true), "that is how it is set");
    assert_eq!((none.stats().not_kept, bench.stats().not_kept), (0, 1));
}

#[test]
fn a_channel_too_many_is_refused() {
    let bench = Bench::new(HubLimits { channels_total: 2, ..small() }, 8);
    bench.publish("a", "1");
    bench.publish("b", "1");
    assert_eq!(code(&bench.ask(get("c", once()))), (503, "channels_full"));
    assert_eq!(code(&bench.ask(post("c", post_options("1")))), (503, "channels_full"));
    assert_eq!((bench.stats().channels, bench.publish("a", "2").offset), (2, 2));
}

#[test]
fn publishing_and_deleting_need_permission() {
    let bench = Bench::new(small(), 8);
    for (item, expected) in [
        (post("a", post_options("1")), (403, "publishing_not_allowed")),
        (delete("a"), (401, "operator_needed")),
        (Err(RefusedItem { id: None, refusal: Refusal::new(Code::BadJson, "?") }), (400, "bad_json")),
    ] {
        bench.run(&mut Work::one(conn(1), Identities::default().reader, Ticket::default(), item));
        assert_eq!(code(&replies(&bench, 1)[0].answer), expected);
    }
    assert_eq!(bench.stats().channels, 0);
}

#[test]
fn a_publication_can_exclude_a_connection() {
    let bench = Bench::new(small(), 8);
    bench.deliveries(1, get("a", GetOptions::default()));
    let other = bench.hub.names().name(conn(3));
    for (options, expected) in [
        (PostOptions { exclude_self: true, ..post_options("1") }, Some(conn(1))),
        (excluding(&other, "1"), Some(conn(3))),
        (post_options("1"), None),
    ] {
        let deliveries = bench.deliveries(1, post("a", options));
        assert!(
            matches!(&deliveries[0], Posted::Delivery(Delivery::Publication { exclude, .. }) if *exclude == expected)
        );
    }
    let bad = excluding("me", "1");
    assert_eq!(code(&bench.ask(post("a", bad))), (400, "bad_exclude"));
}

#[test]
fn a_reset_tells_every_mailbox_and_begins_again() {
    let bench = Bench::new(small(), 1);
    bench.deliveries(1, get("a", GetOptions::default()));
    let before = published(bench.ask(post("a", keyed("1", "k"))));
    assert_eq!(bench.hub.reset("a", &bench.post, bench.now), Err(Blocked));
    assert_eq!(bench.read("a", once()).offsets, [1], "nothing happened");
    bench.post.drain(1);
    let after = bench.hub.reset("a", &bench.post, bench.now).expect("room").expect("known");
    assert!(after.epoch != before.epoch && after.offset == 0 && bench.stats().history_bytes == 0);
    let told = bench.post.drain(1);
    assert!(
        matches!(&told[0], Posted::Delivery(Delivery::Reset { position, name, .. }) if *position == after && &**name == "a")
    );
    assert_eq!(published(bench.ask(post("a", keyed("2", "k")))).offset, 1, "keys are gone too");
    assert_eq!(bench.hub.reset("unknown", &bench.post, bench.now), Ok(None));
}

#[test]
fn a_place_given_elsewhere_is_taken_only_in_order() {
    let bench = Bench::new(small(), 1);
    let epoch = Epoch::from_random(9);
    let append = |epoch, offset| {
        let placed = super::placed(Position { epoch, offset }, "1", bench.now);
        let appended = bench.hub.append_at(&name("a"), placed.clone(), &bench.post, bench.now);
        appended.map_err(|refused| {
            assert_eq!(refused.placed, placed, "what is refused comes back");
            refused.why
        })
    };
    assert_eq!(append(epoch, 0), Err(AppendRefused::BadOffset));
    assert_eq!(append(epoch, u64::MAX), Err(AppendRefused::BadOffset));
    assert_eq!(append(epoch, 41), Ok(true));
    let current = Position { epoch, offset: 41 };
    assert_eq!(append(epoch, 43), Err(AppendRefused::NotNext(current)));
    assert_eq!(append(epoch, 41), Err(AppendRefused::NotNext(current)));
    assert_eq!(append(Epoch::from_random(1), 42), Err(AppendRefused::NotNext(current)));
    bench.deliveries(1, get("a", GetOptions::default()));
    assert_eq!((append(epoch, 42), append(epoch, 43)), (Ok(true), Err(AppendRefused::Blocked)));
    assert_eq!(offset_of(&bench.post.drain(1)[0]), 42);
    assert_eq!(bench.read("a", once()).offsets, [41, 42]);
}

#[test]
fn interest_returns_to_zero_and_stale_ids_are_refused() {
    let bench = Bench::new(small(), 8);
    let mut ids = Vec::new();
    for mailbox in [1, 1, 2] {
        let answer = reply(bench.deliveries(mailbox, get("a", GetOptions::default())).remove(0)).answer;
        let Answer::Channel { id, live: true, .. } = answer else { panic!("an activation") };
        ids.push(id);
    }
    assert!(ids.iter().all(|id| *id == ids[0]) && bench.stats().interest == 3);
    let unsubscribe = Ok(Request { id: None, verb: Verb::Unsubscribe { channel: name("a") } });
    assert!(matches!(bench.ask(unsubscribe), Answer::Unsubscribe { id, .. } if id == Some(ids[0])));
    assert!(bench.hub.leave(ids[0], conn(1)) && bench.hub.leave(ids[0], conn(1)));
    bench.publish("a", "1");
    assert_eq!((bench.post.drain(1).len(), bench.post.drain(2).len()), (0, 1));
    assert!(bench.hub.leave(ids[0], conn(2)));
    assert!(!bench.hub.leave(ids[0], conn(2)));
    assert!(!bench.hub.leave(crate::model::ids::ChannelId(u64::MAX), conn(2)));
    assert_eq!(bench.stats().interest, 0);
}

#[test]
fn publications_carry_the_time_where_that_is_wanted() {
    for (stamp_time, time) in [(true, Some(1_700_000_000_000)), (false, None)] {
        let bench = Bench::new(HubLimits { stamp_time, ..small() }, 8);
        bench.deliveries(2, get("a", GetOptions::default()));
        bench.run(&mut one(1, post("a", post_options("1"))));
        let Posted::Delivery(Delivery::Publication { publication, .. }) = &bench.post.drain(2)[0] else {
            panic!("a publication")
        };
        assert_eq!(publication.view().time, time);
    }
}
