//! The pump with an engine that other nodes use too: it is away and comes back, channels are further than the hub knows, and
//! readers here are slower than publishers elsewhere.

use super::{Found, Rig, at, draft, entry, epoch, name};
use crate::config::EngineKind;
use crate::engine::{Event, Health, Order, OrderId, What};
use crate::hub::{Fetched, Older};
use crate::model::publication::{Data, Position};
use crate::model::request::{PostOptions, RareOptions, Verb};
use bytes::Bytes;
use std::time::Duration;

#[test]
fn a_channel_that_has_come_further_is_read_and_one_that_is_ahead_stays() {
    let mut rig = Rig::of(EngineKind::Redis, 99).subscribed();
    rig.happens([Event::At(name("a"), at(3))]);
    assert_eq!(rig.found(), []);
    // In as many steps as it takes.
    rig.fill(0, epoch(1), [1, 2]);
    rig.fill(2, epoch(1), [3]);
    assert_eq!(rig.found(), [1, 2, 3].map(Found::Delivered));
    rig.happens([Event::At(name("a"), at(2)), Event::At(name("a"), at(3)), Event::At(name("other"), at(9))]);
    assert_eq!((rig.found(), rig.script.is_idle()), (vec![], true));
    // What cannot be read is told.
    rig.happens([Event::At(name("a"), at(7))]);
    rig.fill(3, epoch(1), []);
    assert_eq!(rig.found(), [Found::Reset(at(7))]);
    let other = Position { epoch: epoch(2), offset: 4 };
    rig.happens([Event::At(name("a"), other)]);
    assert_eq!(rig.found(), [Found::Reset(other)]);
}

#[test]
fn a_line_is_bounded_and_what_it_has_no_room_for_is_read_again() {
    let mut rig = Rig::of(EngineKind::Redis, 2).subscribed();
    rig.happens((1..=2_000).map(|offset| entry("a", at(offset))));
    let (mut delivered, mut reads) = (Vec::new(), 0);
    for _ in 0..5_000 {
        delivered.extend(rig.found());
        if let Ok(order) = rig.script.try_order() {
            let Order { id, what: What::Read(wanted), is_patient: true, .. } = order else { panic!("no read") };
            reads += 1;
            let last = wanted.up_to.min(wanted.after.offset + 100);
            let older = |offset| Older { offset, at_ms: 0, draft: draft(offset) };
            let publications = (wanted.after.offset + 1..=last).map(older).collect();
            rig.happens([Event::Read(id, Fetched { epoch: epoch(1), publications, gone: 0 })]);
        } else {
            rig.turn();
        }
    }
    assert_eq!(delivered, (1..=2_000).map(Found::Delivered).collect::<Vec<_>>());
    assert!((14..=16).contains(&reads), "what came after 512 was read: {reads}");
}

#[test]
fn an_answer_may_come_before_what_it_answers_when_the_engine_was_lost() {
    let mut rig = Rig::of(EngineKind::Redis, 9).subscribed();
    let id = rig.post("a").id;
    rig.happens([Event::Answered(id, name("a"), at(1))]);
    assert_eq!(rig.found(), [Found::Published(1), Found::Back]);
    rig.happens([Event::At(name("a"), at(1))]);
    rig.fill(0, epoch(1), [1]);
    assert_eq!(rig.found(), [Found::Delivered(1)]);
}

#[test]
fn an_engine_that_is_away_makes_the_server_not_ready_until_it_is_back() {
    let mut rig = Rig::of(EngineKind::Redis, 9);
    rig.script.becomes(Health::Away);
    rig.turn();
    rig.turn();
    assert_eq!(rig.found(), [Found::Ready(false)]);
    rig.script.becomes(Health::Up);
    rig.turn();
    assert_eq!(rig.found(), [Found::Ready(true)]);
}

#[test]
fn a_history_that_another_node_emptied_is_empty_here_and_answers_nobody() {
    let mut rig = Rig::of(EngineKind::Redis, 9).subscribed();
    rig.happens([entry("a", at(1)), Event::Cleared(OrderId::NOBODY, name("a"), at(1))]);
    assert_eq!(rig.found(), [Found::Delivered(1)]);
    assert_eq!(rig.hub.stats().history_bytes, 0);
}

#[test]
fn what_nobody_reads_here_is_not_held_and_what_was_read_goes_though_others_publish() {
    let mut rig = Rig::of(EngineKind::Redis, 9);
    rig.happens([entry("b", at(1))]);
    assert_eq!(rig.hub.position_of("b"), None);
    let attach = crate::hub::Attach { at: at(0), newest: Vec::new(), gone: 0 };
    rig.hub.attach(&name("a"), attach, rig.began, 0).expect("there is room");
    rig.began += Duration::from_secs(9);
    rig.happens([entry("a", at(1))]);
    rig.hub.sweep(rig.began);
    assert_eq!(rig.hub.position_of("a"), Some(at(1)));
    rig.began += Duration::from_secs(2);
    assert!(rig.hub.stats().history_bytes > 0);
    rig.hub.sweep(rig.began);
    assert_eq!((rig.hub.position_of("a"), rig.hub.stats().history_bytes), (None, 0));
}

#[test]
fn a_name_to_exclude_that_another_node_gave_travels_on() {
    let mut rig = Rig::of(EngineKind::Redis, 9).subscribed();
    let own = rig.hub.names().name(crate::model::ids::ConnId::here(crate::model::ids::MailboxId(0), 3, 0));
    let others = "A".repeat(27);
    for (excluded, here) in [(own.to_string(), true), (others, false)] {
        let post = PostOptions {
            rare: RareOptions { exclude: Some(excluded.clone().into()), ..RareOptions::default() }.boxed(),
            ..PostOptions::of(Data::Json(Bytes::from_static(b"1")))
        };
        rig.ask(vec![Verb::Post { channel: name("a"), post }]);
        let Order { what: What::Publish(publish), .. } = rig.script.order() else { panic!("no publication") };
        assert_eq!((publish.exclude.is_some(), publish.exclude_elsewhere.is_some()), (here, !here), "{excluded}");
    }
}
