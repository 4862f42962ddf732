//! A Redis of a few lines that fails over and loses what it had last, and a hub of a few more: what feeds are run against in many
//! random orders of what comes by the two links.

use super::super::{Feeds, Look};
use super::{draft, entry, name};
use crate::engine::redis::held::Held;
use crate::engine::{Event, OrderId};
use crate::hub::{Attach, Older};
use crate::model::code::Code;
use crate::model::publication::{Epoch, Position};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::collections::{HashMap, HashSet, VecDeque};
use std::time::{Duration, Instant};

const CHANNELS: usize = 3;
/// Publications that are given with a position.
const NEWEST: usize = 8;

/// What is on its way on one of the links.
enum OnTheWay {
    Subscribed(usize),
    Message(usize, Position),
    /// A channel, which read of its position it was, and what it said.
    Position(usize, u64, Attach, usize),
    Placed(usize, OrderId, Position),
}

/// A channel as the hub holds it for a reader.
struct Line {
    at: Position,
    /// What the reader received, since it began and in whatever epoch.
    received: HashSet<Position>,
}

/// All of it.
pub(super) struct World {
    random: StdRng,
    feeds: Feeds,
    now: Instant,
    /// Redis: the places of each channel, which generation it is of, and whose feeds are open.
    places: [Vec<Position>; CHANNELS],
    generation: u32,
    open: HashSet<usize>,
    feed: VecDeque<OnTheWay>,
    replies: VecDeque<OnTheWay>,
    /// The hub: the channels that it holds.
    held: HashMap<usize, Line>,
    /// Orders that wait for their answer, by what they are.
    waiting: HashMap<OrderId, &'static str>,
    serial: u64,
    is_up: bool,
}

fn number(name: &str) -> usize {
    name[1..].parse().expect("a channel of the test")
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        World {
            random: StdRng::seed_from_u64(seed),
            feeds: Feeds::default(),
            now: Instant::now(),
            places: [const { Vec::new() }; CHANNELS],
            generation: 1,
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

    pub(super) fn step(&mut self) {
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
        let last = self.last(channel);
        let place = Position { offset: last.offset + 1, ..last };
        self.places[channel].push(place);
        if self.open.contains(&channel) {
            self.feed.push_back(OnTheWay::Message(channel, place));
        }
        if let Some(id) = order {
            self.replies.push_back(OnTheWay::Placed(channel, id, place));
        }
    }

    /// Where Redis has a channel.
    fn last(&self, channel: usize) -> Position {
        let offset = self.places[channel].last().map_or(0, |last| last.offset);
        Position { epoch: Epoch::of_generation(1, self.generation), offset }
    }

    /// What Redis says of a channel, with its newest publications if they are wanted; how many of them are of this generation.
    fn attach(&self, channel: usize, is_wanted: bool) -> (Attach, usize) {
        let (at, places) = (self.last(channel), &self.places[channel]);
        let newest = &places[places.len().saturating_sub(if is_wanted { NEWEST } else { 0 })..];
        let fresh = newest.iter().filter(|place| place.epoch == at.epoch).count();
        let newest = newest.iter().map(|place| Older { offset: place.offset, at_ms: 0, draft: draft() }).collect();
        (Attach { at, newest, gone: 0 }, fresh)
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
        while let Some((channel, is_wanted, reading)) = self.feeds.next_to_read() {
            let channel = number(&channel);
            let (attach, fresh) = self.attach(channel, is_wanted);
            self.replies.push_back(OnTheWay::Position(channel, reading, attach, fresh));
        }
    }

    fn hear_feed(&mut self) {
        let mut events = Vec::new();
        match self.feed.pop_front() {
            Some(OnTheWay::Subscribed(channel)) => self.feeds.subscribed(&name(channel)),
            // Sometimes one does not arrive, though the link holds.
            Some(OnTheWay::Message(..)) if self.random.random_range(0..50) == 0 => {}
            Some(OnTheWay::Message(channel, place)) => {
                self.feeds.message(entry(channel, place), place, 1, &mut events);
            }
            _ => {}
        }
        self.apply(events);
    }

    fn hear_reply(&mut self) {
        let mut events = Vec::new();
        match self.replies.pop_front() {
            // Sometimes it cannot be said, though the link holds.
            Some(OnTheWay::Position(channel, ..)) if self.random.random_range(0..20) == 0 => {
                let refusal = Code::EngineUnavailable.into();
                self.feeds.not_read(&name(channel), &refusal, &mut events);
            }
            Some(OnTheWay::Position(channel, reading, attach, fresh)) => {
                self.feeds.read((&name(channel), reading), attach, fresh, self.now, &mut events);
            }
            Some(OnTheWay::Placed(channel, id, place)) => {
                self.feeds.carried_out(Held::Placed(id, name(channel), place), self.now, &mut events);
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
        if self.random.random_range(0..3) == 0 {
            self.fail_over();
        }
    }

    /// Another server takes over, which lacks the last publications: it begins a generation.
    fn fail_over(&mut self) {
        self.generation += 1;
        for places in &mut self.places {
            places.truncate(places.len().saturating_sub(self.random.random_range(0..4)));
        }
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
        let mut events = Vec::new();
        self.feeds.expire(self.now, &Code::EngineUnavailable.into(), &mut events);
        self.apply(events);
    }

    /// Does what the pump and its hub do. What is missing is read from Redis at once.
    fn apply(&mut self, events: Vec<Event>) {
        for event in events {
            match event {
                Event::Entry(entry) => self.take(number(&entry.channel), entry.place),
                Event::At(channel, at) => self.reach(number(&channel), at),
                Event::Moved(channel, at) => {
                    if let Some(line) = self.held.get_mut(&number(&channel)) {
                        line.at = at;
                    }
                }
                Event::Attached(id, channel, attach) => {
                    assert_eq!(self.waiting.remove(&id), Some("attach"), "answered once");
                    let begun = Line { at: attach.at, received: HashSet::new() };
                    self.held.entry(number(&channel)).or_insert(begun);
                    self.reach(number(&channel), attach.at);
                }
                Event::Placed(id, channel, place) => {
                    assert_eq!(self.waiting.remove(&id), Some("publish"), "answered once");
                    // The pump reads what is missing before it answers.
                    self.reach(number(&channel), place);
                }
                Event::Has(channel, after) => {
                    assert_eq!(after.offset, 0, "nothing is ever dropped: channel {channel:?}");
                }
                Event::Answered(id, ..) => assert_eq!(self.waiting.remove(&id), Some("publish"), "answered once"),
                Event::Refused(id, _) => assert_eq!(self.waiting.remove(&id), Some("attach"), "answered once"),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A publication came: one of another epoch moves the channel to where that goes on.
    fn take(&mut self, channel: usize, place: Position) {
        if let Some(line) = self.held.get_mut(&channel)
            && line.at.epoch != place.epoch
        {
            line.at = Position { offset: place.offset - 1, ..place };
        }
        self.reach(channel, place);
    }

    /// The reader receives what there is up to here.
    fn reach(&mut self, channel: usize, to: Position) {
        let Some(line) = self.held.get_mut(&channel) else { return };
        if line.at.epoch != to.epoch {
            line.at = to;
        }
        while line.at.offset < to.offset {
            line.at.offset += 1;
            assert!(line.received.insert(line.at), "twice: channel {channel} {:?}", line.at);
        }
    }

    /// Everything arrives, and each channel is looked at and compared.
    pub(super) fn settle(&mut self) {
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
        for (channel, line) in &self.held {
            assert_eq!(line.at, self.last(*channel), "channel {channel} has lost something");
        }
        assert_eq!(self.open, self.held.keys().copied().collect(), "what is open is what is read");
        assert_eq!((self.feeds.len(), self.feeds.wait_for_time()), (self.held.len(), false));
        assert!(self.waiting.is_empty(), "{:?}", self.waiting);
    }
}
