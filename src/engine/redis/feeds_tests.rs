//! Feeds: nothing is lost in any order of what comes by the two links, answers follow what they led to, and what is open at Redis is
//! what is read here.

#[path = "feeds_world.rs"]
mod world;

use super::Feeds;
use crate::engine::redis::feeds::Look;
use crate::engine::redis::held::Held;
use crate::engine::{Entry, Event, OrderId};
use crate::hub::publication::Draft;
use crate::hub::{Attach, Older};
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position};
use std::time::{Duration, Instant};
use world::World;

const STEPS: usize = 300;
const SEEDS: u64 = 3_000;

fn name(channel: usize) -> ChannelName {
    ChannelName::new(&format!("c{channel}")).expect("a name")
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::of_generation(1, 1), offset }
}

fn draft() -> Draft {
    Draft { data: Data::default(), event: None, time: None }
}

fn entry(channel: usize, place: Position) -> Event {
    Event::Entry(Box::new(Entry { channel: name(channel), place, draft: draft(), exclude: None }))
}

#[test]
fn nothing_is_lost_or_left_open_in_any_order_of_what_comes() {
    for seed in 0..SEEDS {
        let mut world = World::new(seed);
        let run = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
            (0..STEPS).for_each(|_| world.step());
            world.settle();
        }));
        assert!(run.is_ok(), "seed {seed}");
    }
}

#[test]
fn an_answer_follows_its_publication_and_not_for_ever() {
    let (mut feeds, mut events, now) = (Feeds::default(), Vec::new(), Instant::now());
    let id = |serial| OrderId { serial, place: 0 };
    feeds.attach(id(1), &name(0), now + Duration::from_secs(1), now);
    assert_eq!(feeds.next_to_subscribe(), [name(0)]);
    feeds.subscribed(&name(0));
    assert_eq!(feeds.next_to_read(), Some((name(0), true, 1)));
    feeds.read((&name(0), 1), Attach { at: at(0), newest: Vec::new(), gone: 0 }, 0, now, &mut events);
    assert!(matches!(events.drain(..).as_slice(), [Event::Attached(..)]));
    feeds.carried_out(Held::Placed(id(2), name(0), at(1)), now, &mut events);
    assert!(events.is_empty() && feeds.wait_for_time());
    feeds.message(entry(0, at(1)), at(1), 1, &mut events);
    assert!(matches!(events.drain(..).as_slice(), [Event::Entry(_), Event::Placed(..)]));
    feeds.carried_out(Held::Placed(id(3), name(0), at(2)), now, &mut events);
    feeds.lost(&mut events);
    feeds.expire(now + Duration::from_millis(999), &Code::EngineUnavailable.into(), &mut events);
    assert!(events.is_empty(), "the links may be back in time");
    feeds.expire(now + Duration::from_secs(1), &Code::EngineUnavailable.into(), &mut events);
    assert!(matches!(events.drain(..).as_slice(), [Event::Answered(..)]));
    assert_eq!(feeds.next_to_read(), None, "it is read when it is open again");
    // Of a channel that nobody reads here there is nothing to wait for.
    feeds.carried_out(Held::Placed(id(4), name(1), at(1)), now, &mut events);
    assert!(matches!(events.as_slice(), [Event::Placed(..)]));
}

#[test]
fn what_comes_while_a_position_is_read_is_bounded_and_read_again() {
    let (mut feeds, mut events, now) = (Feeds::default(), Vec::new(), Instant::now());
    feeds.attach(OrderId { serial: 1, place: 0 }, &name(0), now + Duration::from_secs(1), now);
    feeds.next_to_subscribe();
    feeds.subscribed(&name(0));
    for offset in 1..=600 {
        feeds.message(entry(0, at(offset)), at(offset), 1, &mut events);
    }
    assert!(events.is_empty());
    feeds.read((&name(0), 1), Attach { at: at(0), newest: Vec::new(), gone: 0 }, 0, now, &mut events);
    assert_eq!(events.len(), 1 + super::PENDING_MAX + 1);
    assert!(matches!(events.last(), Some(Event::At(_, at)) if at.offset == 600));
}

/// Its feed was closed in the very turn in which its position was read: it was held a moment later, for readers who received nothing.
#[test]
fn a_channel_that_is_about_to_be_held_is_not_taken_for_one_that_nobody_reads() {
    let (mut feeds, mut events, now) = (Feeds::default(), Vec::new(), Instant::now());
    feeds.attach(OrderId { serial: 1, place: 0 }, &name(0), now + Duration::from_secs(1), now);
    feeds.next_to_subscribe();
    feeds.subscribed(&name(0));
    let turn = now + Duration::from_millis(1);
    feeds.read((&name(0), 1), Attach { at: at(0), newest: Vec::new(), gone: 0 }, 0, turn, &mut events);
    assert_eq!((feeds.look(|_| false, turn), feeds.len()), (Look::Nothing, 1), "nobody has heard of it yet");
    assert_eq!(feeds.look(|_| true, turn + Duration::from_millis(1)), Look::Nothing);
    assert_eq!(feeds.look(|_| false, turn + Duration::from_millis(2)), Look::Close(name(0)));
}

/// The position alone said where the channel was, and readers never received what was published there since.
#[test]
fn a_channel_that_goes_on_in_another_epoch_goes_on_from_the_first_of_that() {
    let (mut feeds, mut events, now) = (Feeds::default(), Vec::new(), Instant::now());
    feeds.attach(OrderId { serial: 1, place: 0 }, &name(0), now + Duration::from_secs(1), now);
    feeds.next_to_subscribe();
    feeds.subscribed(&name(0));
    feeds.read((&name(0), 1), Attach { at: at(9), newest: Vec::new(), gone: 0 }, 0, now, &mut events);
    feeds.lost(&mut events);
    feeds.next_to_subscribe();
    feeds.subscribed(&name(0));
    assert_eq!(feeds.next_to_read(), Some((name(0), false, 2)));
    events.clear();
    let other = |offset| Position { epoch: Epoch::of_generation(1, 2), offset };
    let newest =
        |offsets: &[u64]| offsets.iter().map(|offset| Older { offset: *offset, at_ms: 0, draft: draft() }).collect();
    feeds.read((&name(0), 2), Attach { at: other(7), newest: Vec::new(), gone: 0 }, 0, now, &mut events);
    assert_eq!((events.len(), feeds.next_to_read()), (0, Some((name(0), true, 2))), "with what was published there");
    // 5 is of the generation before.
    feeds.read((&name(0), 2), Attach { at: other(7), newest: newest(&[5, 6, 7]), gone: 0 }, 2, now, &mut events);
    let places: Vec<_> = events.iter().filter_map(super::place_of).collect();
    assert!(matches!(&events[0], Event::Moved(_, at) if *at == other(5)), "{events:?}");
    assert_eq!(places, [other(6), other(7)]);
}
