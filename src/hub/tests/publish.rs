//! Publishing: room, idempotency, limits, permissions, exclusion, batches, reset, and places given elsewhere.

use super::super::execute::{Progress, give_up};
use super::super::post::{Answer, Delivery, Form, Reply};
use super::super::publication::Draft;
use super::super::work::Work;
use super::super::{AppendRefused, Blocked};
use super::{
    Bench, GetOptions, MailboxId, PostOptions, code, conn, delete, get, json, name, offset_of, once, one, post,
    post_options, published, reply, small,
};
use crate::hub::HubLimits;
use crate::wire::publication::{Epoch, Position};
use crate::wire::refusal::Refusal;
use crate::wire::request::{Item, Parsed, RefusedItem, Request, Verb};
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
    let mut work = Work::batch(conn(5), Form::Text, items).allowing(true, false);
    assert_eq!((bench.run(&mut work), work.remaining()), (Progress::Blocked, 4));
    give_up(&mut work, &bench.hub, &bench.post, bench.now, 0);
    let replies = replies(&bench, 5);
    let forms: Vec<Form> = replies.iter().map(|reply| reply.form).collect();
    assert_eq!(forms, (0..5).map(|index| Form::Batch { index, of: 5 }).collect::<Vec<_>>());
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
fn totals_refuse_the_request_that_needs_more_and_evict_nobody_else() {
    let weight = Draft { data: json("1"), event: None, time: None }.weight();
    let limits = HubLimits { channels_total: 2, history_total_bytes: 3 * weight, history_count: 2, ..small() };
    let bench = Bench::new(limits, 8);
    bench.publish("a", "1");
    bench.publish("a", "2");
    bench.publish("b", "1");
    assert_eq!(bench.stats().history_bytes, 3 * weight);
    assert_eq!(code(&bench.ask(post("b", post_options("2")))), (503, "history_full"));
    assert_eq!(bench.read("b", once()).position.offset, 1, "no offset was given");
    assert_eq!(bench.publish("a", "3").offset, 3, "what the own ring drops is free");
    assert_eq!(code(&bench.ask(post("c", post_options("1")))), (503, "history_full"));
    assert_eq!(bench.stats().channels, 2);
    assert_eq!(code(&bench.ask(get("c", once()))), (503, "channels_full"));
    assert!(matches!(bench.ask(delete("a")), Answer::HistoryDeleted { position, .. } if position.offset == 3));
    assert_eq!(bench.stats().history_bytes, weight);
    assert_eq!(code(&bench.ask(post("c", post_options("1")))), (503, "channels_full"));
    assert_eq!(bench.publish("b", "2").offset, 2);
    assert_eq!(code(&bench.ask(delete("unknown"))), (404, "unknown_channel"));
}

#[test]
fn publishing_and_deleting_need_permission() {
    let bench = Bench::new(small(), 8);
    for (item, expected) in [
        (post("a", post_options("1")), (403, "publishing_not_allowed")),
        (delete("a"), (401, "operator_needed")),
        (Err(RefusedItem { id: None, refusal: Refusal::new(400, "bad_json", "?") }), (400, "bad_json")),
    ] {
        bench.run(&mut Work::one(conn(1), Form::Text, item));
        assert_eq!(code(&replies(&bench, 1)[0].answer), expected);
    }
    bench.run(&mut Work::parsed(conn(1), Form::Text, Parsed::PlainPost(json("1"))));
    assert_eq!(code(&replies(&bench, 1)[0].answer), (403, "publishing_not_allowed"));
    assert_eq!(bench.stats().channels, 0);
}

#[test]
fn plain_frames_publish_to_the_plain_channel() {
    let bench = Bench::new(HubLimits { stamp_time: true, ..small() }, 8);
    bench.deliveries(2, get("inbox", GetOptions::default()));
    bench.run(&mut Work::parsed(conn(1), Form::Http, Parsed::PlainPost(json("1"))).allowing(true, false));
    bench.run(&mut Work::parsed(conn(1), Form::Text, Parsed::PlainGet));
    let replies = replies(&bench, 1);
    assert!(matches!(replies[0], Reply { form: Form::HttpPlain, answer: Answer::PlainPost, .. }));
    assert!(matches!(replies[1], Reply { form: Form::Plain, answer: Answer::PlainGet, .. }));
    let Delivery::Publication { publication, .. } = &bench.post.drain(2)[0] else { panic!("a publication") };
    assert_eq!(publication.view().time, Some(1_700_000_000_000));
}

#[test]
fn a_publication_can_exclude_a_connection() {
    let bench = Bench::new(small(), 8);
    bench.deliveries(1, get("a", GetOptions::default()));
    let other = bench.hub.names().name(conn(3));
    for (options, expected) in [
        (PostOptions { exclude_self: true, ..post_options("1") }, Some(conn(1))),
        (PostOptions { exclude: Some(other.into()), ..post_options("1") }, Some(conn(3))),
        (post_options("1"), None),
    ] {
        let deliveries = bench.deliveries(1, post("a", options));
        assert!(matches!(&deliveries[0], Delivery::Publication { exclude, .. } if *exclude == expected));
    }
    let bad = PostOptions { exclude: Some("me".into()), ..post_options("1") };
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
    assert!(matches!(&told[0], Delivery::Reset { epoch, name, .. } if *epoch == after.epoch && &**name == "a"));
    assert_eq!(published(bench.ask(post("a", keyed("2", "k")))).offset, 1, "keys are gone too");
    assert_eq!(bench.hub.reset("unknown", &bench.post, bench.now), Ok(None));
}

#[test]
fn a_place_given_elsewhere_is_taken_only_in_order() {
    let bench = Bench::new(small(), 1);
    let epoch = Epoch::from_random(9);
    let append = |epoch, offset| {
        let draft = Draft { data: json("1"), event: None, time: None };
        bench.hub.append_at(&name("a"), Position { epoch, offset }, draft, &bench.post, bench.now)
    };
    assert_eq!(append(epoch, 0), Err(AppendRefused::BadOffset));
    assert_eq!(append(epoch, u64::MAX), Err(AppendRefused::BadOffset));
    assert_eq!(append(epoch, 41), Ok(()));
    let current = Position { epoch, offset: 41 };
    assert_eq!(append(epoch, 43), Err(AppendRefused::NotNext(current)));
    assert_eq!(append(epoch, 41), Err(AppendRefused::NotNext(current)));
    assert_eq!(append(Epoch::from_random(1), 42), Err(AppendRefused::NotNext(current)));
    bench.deliveries(1, get("a", GetOptions::default()));
    assert_eq!((append(epoch, 42), append(epoch, 43)), (Ok(()), Err(AppendRefused::Blocked)));
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
    assert!(bench.hub.release(ids[0], MailboxId(1), 2));
    bench.publish("a", "1");
    assert_eq!((bench.post.drain(1).len(), bench.post.drain(2).len()), (0, 1));
    assert!(bench.hub.release(ids[0], MailboxId(2), 1));
    assert!(!bench.hub.release(ids[0], MailboxId(2), 1));
    assert!(!bench.hub.release(super::super::post::ChannelId(u64::MAX), MailboxId(2), 1));
    assert_eq!(bench.stats().interest, 0);
}
