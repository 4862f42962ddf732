//! Feeds against a Redis of a few lines and a hub of a few more, in many random orders of what comes by the two links: nothing
//! is lost, answers follow what they led to, and what is open at Redis is what is read here.

use super::Feeds;
use crate::engine::redis::feeds::Look;
use crate::engine::redis::held::Held;
use crate::engine::{Entry, Event, OrderId};
use crate::hub::publication::Draft;
use crate::hub::{Attach, Older};
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

const CHANNELS: usize = 3;
const STEPS: usize = 300;
const SEEDS: u64 = 3_000;

/// What is on its way on one of the links.
enum OnTheWay {
    Subscribed(usize),
    Message(usize, u64),
    Position(usize, u64, u64),
    Placed(usize, OrderId, u64),
}

/// All of it.
struct World {
    random: StdRng,
    feeds: Feeds,
    now: Instant,
    /// Redis: the last offset of each channel, and whose feeds are open.
    offsets: [u64; CHANNELS],
    open: HashSet<usize>,
    feed: VecDeque<OnTheWay>,
    replies: VecDeque<OnTheWay>,
    /// The hub: where each channel is that it holds.
    held: HashMap<usize, u64>,
    /// Orders that wait for their answer, by what they are.
    waiting: HashMap<OrderId, &'static str>,
    serial: u64,
    is_up: bool,
}

fn name(channel: usize) -> ChannelName {
    ChannelName::new(&format!("c{channel}")).expect("a name")
}

fn number(name: &str) -> usize {
    name[1..].parse().expect("a channel of the test")
}

fn at(offset: u64) -> Position {
    Position { epoch: Epoch::of_generation(1, 1), offset }
}

fn entry(channel: usize, offset: u64) -> Event {
    let draft = Draft { data: Data::default(), event: None, time: None };
    Event::Entry(Box::new(Entry { channel: name(channel), place: at(offset), draft, exclude: None }))
}

impl World {
    fn new(seed: u64) -> World {
        World {
            random: StdRng::seed_from_u64(seed),
            feeds: Feeds::default(),
            now: Instant::now(),
            offsets: [0; CHANNELS],
            open: HashSet::new(),
            feed: VecDeque::new(),
            replies: VecDeque::new(),
            held: HashMap::new(),
            waiting: HashMap::new(),
            serial: 0,
            is_up: true,
        }
    }

    fn order(&mut self, what: &'static str) -> OrderId {
        self.serial += 1;
        let id = OrderId { serial: self.serial, place: 0 };
        self.waiting.insert(id, what);
        id
    }

    fn step(&mut self) {
        // Each is a turn of its own.
        self.now += Duration::from_millis(1);
        let channel = self.random.random_range(0..CHANNELS);
        match self.random.random_range(0..100) {
            0..25 => self.publish(channel, None),
            25..40 if self.is_up => {
                let id = self.order("publish");
                self.publish(channel, Some(id));
            }
            40..55 if !self.held.contains_key(&channel) => {
                let id = self.order("attach");
                self.feeds.attach(id, &name(channel), self.now + Duration::from_secs(60), self.now);
            }
            55..60 => drop(self.held.remove(&channel)),
            60..70 => self.look(),
            70..72 => self.lose(),
            72..74 => self.is_up = true,
            74..76 => self.pass(Duration::from_millis(600)),
            76..88 => self.hear_feed(),
            _ => self.hear_reply(),
        }
        self.talk();
    }

    /// Somebody publishes: another node, or this one by an order.
    fn publish(&mut self, channel: usize, order: Option<OrderId>) {
        self.offsets[channel] += 1;
        if self.open.contains(&channel) {
            self.feed.push_back(OnTheWay::Message(channel, self.offsets[channel]));
        }
        if let Some(id) = order {
            self.replies.push_back(OnTheWay::Placed(channel, id, self.offsets[channel]));
        }
    }

    /// Sends what there is to be sent, as the engine does.
    fn talk(&mut self) {
        if !self.is_up {
            return;
        }
        for channel in self.feeds.next_to_subscribe() {
            self.open.insert(number(&channel));
            self.feed.push_back(OnTheWay::Subscribed(number(&channel)));
        }
        while let Some((channel, _, reading)) = self.feeds.next_to_read() {
            let channel = number(&channel);
            self.replies.push_back(OnTheWay::Position(channel, reading, self.offsets[channel]));
        }
    }

    fn hear_feed(&mut self) {
        let mut events = Vec::new();
        match self.feed.pop_front() {
            Some(OnTheWay::Subscribed(channel)) => self.feeds.subscribed(&name(channel)),
            // Sometimes one does not arrive, though the link holds.
            Some(OnTheWay::Message(..)) if self.random.random_range(0..50) == 0 => {}
            Some(OnTheWay::Message(channel, offset)) => {
                self.feeds.message(entry(channel, offset), at(offset), 1, &mut events);
            }
            _ => {}
        }
        self.apply(events);
    }

    fn hear_reply(&mut self) {
        let mut events = Vec::new();
        match self.replies.pop_front() {
            Some(OnTheWay::Position(channel, reading, offset)) => {
                let attach = Attach { at: at(offset), newest: Vec::new(), gone: 0 };
                self.feeds.read((&name(channel), reading), attach, 0, self.now, &mut events);
            }
            Some(OnTheWay::Placed(channel, id, offset)) => {
                self.feeds.carried_out(Held::Placed(id, name(channel), at(offset)), self.now, &mut events);
            }
            _ => {}
        }
        self.apply(events);
    }

    fn look(&mut self) {
        let held = &self.held;
        if let Look::Close(channel) = self.feeds.look(|name| held.contains_key(&number(name)), self.now) {
            assert!(self.is_up, "nothing is open while the links are gone");
            self.open.remove(&number(&channel));
        }
    }

    fn lose(&mut self) {
        self.is_up = false;
        (self.feed, self.open) = (VecDeque::new(), HashSet::new());
        for lost in std::mem::take(&mut self.replies) {
            if let OnTheWay::Placed(_, id, _) = lost {
                // The engine sends it again, or says that it does not know.
                self.waiting.remove(&id);
            }
        }
        let mut events = Vec::new();
        self.feeds.lost(&mut events);
        self.apply(events);
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let mut events = Vec::new();
        self.feeds.expire(self.now, self.is_up, &Code::EngineUnavailable.into(), &mut events);
        self.apply(events);
    }

    /// Does what the pump and its hub do. What is missing is read from Redis at once.
    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Entry(entry) => self.reach(number(&entry.channel), entry.place.offset),
                Event::At(channel, at) => self.reach(number(&channel), at.offset),
                Event::Attached(id, channel, attach) => {
                    assert_eq!(self.waiting.remove(&id), Some("attach"), "answered once");
                    let held = self.held.entry(number(&channel)).or_insert(attach.at.offset);
                    *held = (*held).max(attach.at.offset);
                }
                Event::Placed(id, channel, place) => {
                    assert_eq!(self.waiting.remove(&id), Some("publish"), "answered once");
                    // The pump reads what is missing before it answers.
                    self.reach(number(&channel), place.offset);
                }
                Event::Answered(id, ..) => assert_eq!(self.waiting.remove(&id), Some("publish"), "answered once"),
                Event::Refused(id, _) => assert_eq!(self.waiting.remove(&id), Some("attach"), "answered once"),
                other => panic!("{other:?}"),
            }
        }
    }

    fn reach(&mut self, channel: usize, offset: u64) {
        if let Some(held) = self.held.get_mut(&channel) {
            *held = (*held).max(offset);
        }
    }

    /// Everything arrives, and each channel is looked at and compared.
    fn settle(&mut self) {
        self.is_up = true;
        for _ in 0..4 {
            self.now += Duration::from_secs(61);
            for _ in 0..2 * CHANNELS {
                self.look();
                self.talk();
                while !self.feed.is_empty() || !self.replies.is_empty() {
                    self.hear_feed();
                    self.hear_reply();
                    self.talk();
                }
            }
            self.pass(Duration::from_secs(2));
        }
        for (channel, offset) in &self.held {
            assert_eq!(*offset, self.offsets[*channel], "channel {channel} has lost something");
        }
        assert_eq!(self.open, self.held.keys().copied().collect(), "what is open is what is read");
        assert_eq!((self.feeds.len(), self.feeds.is_holding()), (self.held.len(), false));
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
    }
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
    assert!(events.is_empty() && feeds.is_holding());
    feeds.message(entry(0, 1), at(1), 1, &mut events);
    assert!(matches!(events.drain(..).as_slice(), [Event::Entry(_), Event::Placed(..)]));
    feeds.carried_out(Held::Placed(id(3), name(0), at(2)), now, &mut events);
    feeds.lost(&mut events);
    feeds.expire(now + Duration::from_millis(999), false, &Code::EngineUnavailable.into(), &mut events);
    assert!(events.is_empty(), "the links may be back in time");
    feeds.expire(now + Duration::from_secs(1), true, &Code::EngineUnavailable.into(), &mut events);
    assert!(matches!(events.drain(..).as_slice(), [Event::Answered(..), Event::At(..)]));
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
        feeds.message(entry(0, offset), at(offset), 1, &mut events);
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
    let draft = || Draft { data: Data::default(), event: None, time: None };
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
