//! The channels that this node reads: which feeds are open, what comes on them while a position is read, and answers that
//! wait for their own publication to come by.
//!
//! Values in and values out: what is to be sent to Redis is asked for by [`Feeds::next_to_subscribe`] and the like.

use super::held::{Held, Holding};
use crate::engine::{Entry, Event, OrderId};
use crate::hub::Attach;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

/// What comes on a feed while its channel's position is read: more is read again from the history.
const PENDING_MAX: usize = 512;
const PENDING_BYTES_MAX: usize = 256 * 1024;
/// Feeds that are opened by one command, and those that may be open to be confirmed: enough to keep the server busy, and its
/// replies short.
pub(super) const SUBSCRIBE_BATCH: usize = 256;
const UNCONFIRMED_MAX: usize = 4 * SUBSCRIBE_BATCH;
/// How long an answer waits for its own publication to come by, also when the links are lost meanwhile: then its channel is
/// compared with the history.
const HOLD: Duration = Duration::from_secs(1);
/// How often a channel's position is compared, so that a last publication that was lost on its way is found.
const COMPARE_EVERY: Duration = Duration::from_secs(60);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    feeds: HashMap<ChannelName, Feed>,
    to_subscribe: VecDeque<ChannelName>,
    unconfirmed: usize,
    /// Channels whose position is to be read.
    to_read: VecDeque<ChannelName>,
    /// Attaches by when they are given up.
    attaching: VecDeque<(Instant, ChannelName)>,
    holding: Holding,
    /// All of them, each once: from the front they are looked at, one after the other.
    round: VecDeque<ChannelName>,
}

#[derive(Debug)]
struct Feed {
    state: State,
    /// Works that wait for the channel.
    waiting: Vec<(OrderId, Instant)>,
    /// The newest that was made known.
    seen: Option<Position>,
    /// When its position was last read, or it was asked for.
    compared: Instant,
    /// Which read of the position is the one that is waited for: an earlier one says where the channel was before.
    reading: u64,
    /// Whether the newest publications are wanted, since the channel is in another epoch.
    wants_newest: bool,
}

#[derive(Debug)]
enum State {
    /// To be opened as soon as there is a link.
    Closed,
    /// Asked for.
    Opening,
    /// Open; its position is read, and what comes meanwhile waits.
    Reading(Pending),
    /// Open, and what comes is made known.
    Live,
}

/// What came while a position was read.
#[derive(Debug, Default)]
struct Pending {
    events: VecDeque<Event>,
    bytes: usize,
    /// The newest that there was no room for.
    dropped: Option<Position>,
}

/// What a look at a channel is to lead to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Look {
    /// Nothing.
    Nothing,
    /// Nobody reads it here: its feed is to be closed, and is forgotten.
    Close(ChannelName),
}

impl Feeds {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.feeds.len()
    }

    /// Whether something is to be done though nothing comes: an answer waits for its publication, or a channel is to be compared.
    pub(super) fn wait_for_time(&self) -> bool {
        !self.holding.is_empty() || !self.to_read.is_empty()
    }

    /// A work needs a channel.
    pub(super) fn attach(&mut self, id: OrderId, channel: &ChannelName, until: Instant, now: Instant) {
        self.attaching.push_back((until, ChannelName::clone(channel)));
        match self.feeds.get_mut(channel) {
            Some(feed) => {
                feed.waiting.push((id, until));
                if matches!(feed.state, State::Live) {
                    // The hub has forgotten it since, or is asked for what it has not received.
                    feed.begin_reading();
                    self.to_read.push_back(ChannelName::clone(channel));
                }
            }
            None => {
                let waiting = vec![(id, until)];
                let (state, seen, compared) = (State::Closed, None, now);
                let feed = Feed { state, waiting, seen, compared, reading: 0, wants_newest: false };
                self.feeds.insert(ChannelName::clone(channel), feed);
                self.to_subscribe.push_back(ChannelName::clone(channel));
                self.round.push_back(ChannelName::clone(channel));
            }
        }
    }

    /// Feeds that are to be opened by one command now.
    pub(super) fn next_to_subscribe(&mut self) -> Vec<ChannelName> {
        let mut batch = Vec::new();
        while batch.len() < SUBSCRIBE_BATCH && self.unconfirmed < UNCONFIRMED_MAX {
            let Some(channel) = self.to_subscribe.pop_front() else { break };
            if let Some(feed) = self.feeds.get_mut(&channel)
                && matches!(feed.state, State::Closed)
            {
                feed.state = State::Opening;
                self.unconfirmed += 1;
                batch.push(channel);
            }
        }
        batch
    }

    /// A feed is open.
    pub(super) fn subscribed(&mut self, channel: &str) {
        self.unconfirmed = self.unconfirmed.saturating_sub(1);
        let name = self.feeds.get_key_value(channel).map(|(name, _)| ChannelName::clone(name));
        if let Some(name) = name
            && let Some(feed) = self.feeds.get_mut(&name)
            && matches!(feed.state, State::Opening)
        {
            feed.begin_reading();
            self.to_read.push_back(name);
        }
    }

    /// A channel whose position is to be read now, whether its newest publications are wanted too, and which read it is.
    pub(super) fn next_to_read(&mut self) -> Option<(ChannelName, bool, u64)> {
        loop {
            let channel = self.to_read.pop_front()?;
            if let Some(feed) = self.feeds.get(&channel)
                && matches!(feed.state, State::Reading(_) | State::Live)
            {
                let is_wanted = !feed.waiting.is_empty() || feed.wants_newest;
                return Some((channel, is_wanted, feed.reading));
            }
        }
    }

    /// The position of a channel was read, by this read. Of the newest publications, `fresh` are of the epoch that it is in.
    pub(super) fn read(
        &mut self,
        (channel, reading): (&ChannelName, u64),
        attach: Attach,
        fresh: usize,
        now: Instant,
        events: &mut Vec<Event>,
    ) {
        let Some(feed) = self.feeds.get_mut(channel) else { return };
        if reading != feed.reading {
            // What came between this read and the one that is waited for is with that.
            return;
        }
        feed.compared = now;
        let (at, gone) = (attach.at, attach.gone);
        let is_moved = feed.seen.is_some_and(|seen| seen.epoch != at.epoch);
        if is_moved && !feed.wants_newest && attach.newest.is_empty() && at.offset > 0 {
            // Once more, with what was published there since.
            feed.wants_newest = true;
            self.to_read.push_back(ChannelName::clone(channel));
            return;
        }
        feed.wants_newest = false;
        if is_moved {
            go_on(channel, &attach, fresh, events);
        }
        let waiting = std::mem::take(&mut feed.waiting);
        if waiting.is_empty() {
            // Read after the feed was opened again: nothing that was seen before can come after it.
            let went_back = matches!(feed.state, State::Reading(_))
                && feed.seen.is_some_and(|seen| seen.epoch == at.epoch && seen.offset > at.offset);
            let channel = ChannelName::clone(channel);
            events.push(if went_back { Event::Moved(channel, at) } else { Event::At(channel, at) });
        }
        if feed.seen.is_some() {
            // A channel that has gone on in another epoch has what was published to it before.
            events.push(Event::Has(ChannelName::clone(channel), Position { offset: gone, ..at }));
        }
        let mut attach = Some(attach);
        for (id, _) in waiting {
            // Those after the first find the channel held.
            let attach = attach.take().unwrap_or(Attach { at, newest: Vec::new(), gone: 0 });
            events.push(Event::Attached(id, ChannelName::clone(channel), attach));
        }
        let State::Reading(pending) = std::mem::replace(&mut feed.state, State::Live) else {
            if is_moved {
                feed.seen = Some(at);
            }
            return;
        };
        feed.seen = Some(at);
        for event in pending.events {
            let place = place_of(&event);
            // What came before the position was read is in it.
            if place.is_none_or(|place| place.epoch != at.epoch || place.offset > at.offset) {
                feed.seen = place.or(feed.seen);
                events.push(event);
            }
        }
        if let Some(dropped) = pending.dropped {
            feed.seen = Some(dropped);
            events.push(Event::At(ChannelName::clone(channel), dropped));
        }
        if let Some(seen) = feed.seen {
            self.holding.release(channel, seen, events);
        }
    }

    /// The position of a channel could not be read: it is asked for again with the next link, or when it is looked at.
    pub(super) fn not_read(&mut self, channel: &ChannelName, refusal: &Refusal, events: &mut Vec<Event>) {
        let Some(feed) = self.feeds.get_mut(channel) else { return };
        events.extend(feed.waiting.drain(..).map(|(id, _)| Event::Refused(id, refusal.clone())));
        if let State::Reading(pending) = std::mem::replace(&mut feed.state, State::Live) {
            feed.make_known(pending, channel, events);
        }
    }

    /// Something came on a feed that weighs so many bytes.
    pub(super) fn message(&mut self, event: Event, place: Position, bytes: usize, events: &mut Vec<Event>) {
        let channel = match &event {
            Event::Entry(entry) => &entry.channel,
            Event::Cleared(_, channel, _) => channel,
            _ => return,
        };
        let Some(feed) = self.feeds.get_mut(channel) else { return };
        match &mut feed.state {
            State::Live => {
                feed.seen = Some(place);
                if self.holding.is_empty() {
                    events.push(event);
                } else {
                    let channel = ChannelName::clone(channel);
                    events.push(event);
                    self.holding.release(&channel, place, events);
                }
            }
            State::Reading(pending) => {
                if pending.dropped.is_some()
                    || pending.events.len() >= PENDING_MAX
                    || pending.bytes + bytes > PENDING_BYTES_MAX
                {
                    pending.dropped = Some(place);
                } else {
                    pending.bytes += bytes;
                    pending.events.push_back(event);
                }
            }
            // Of a subscription that was ended.
            State::Closed | State::Opening => {}
        }
    }

    /// Something came on a feed that cannot be read: what is missing is read from the history.
    pub(super) fn unreadable(&mut self, channel: &str) {
        let found = self.feeds.get_key_value(channel).filter(|(_, feed)| matches!(feed.state, State::Live));
        if let Some((name, _)) = found {
            self.to_read.push_back(ChannelName::clone(name));
        }
    }

    /// An order was carried out. Its answer follows what it led to in its channel, where that is read here.
    pub(super) fn carried_out(&mut self, held: Held, now: Instant, events: &mut Vec<Event>) {
        let waits = self.feeds.get(held.channel()).is_some_and(|feed| match (&feed.state, feed.seen) {
            (State::Live, Some(seen)) => !held.is_met_by(seen),
            (State::Live, None) | (State::Reading(_) | State::Opening, _) => true,
            (State::Closed, _) => false,
        });
        if waits { self.holding.hold(held, now + HOLD) } else { events.push(held.into_event()) }
    }

    /// The links are gone: every feed is to be opened again. Answers wait on, for a while: their publications may be read.
    pub(super) fn lost(&mut self, events: &mut Vec<Event>) {
        self.to_read.clear();
        self.to_subscribe.clear();
        self.unconfirmed = 0;
        for (channel, feed) in &mut self.feeds {
            if let State::Reading(pending) = std::mem::replace(&mut feed.state, State::Closed) {
                feed.make_known(pending, channel, events);
            }
            // Those that somebody waits for come first.
            if feed.waiting.is_empty() {
                self.to_subscribe.push_back(ChannelName::clone(channel));
            } else {
                self.to_subscribe.push_front(ChannelName::clone(channel));
            }
        }
    }

    /// Gives up what has waited for too long.
    pub(super) fn expire(&mut self, now: Instant, refusal: &Refusal, events: &mut Vec<Event>) {
        let mut late = Vec::new();
        self.holding.expire(now, events, &mut late);
        // The others are read when they are open.
        late.retain(|channel| self.feeds.get(channel).is_some_and(|feed| matches!(feed.state, State::Live)));
        self.to_read.extend(late);
        while let Some((_, channel)) = self.attaching.pop_front_if(|(until, _)| *until <= now) {
            let Some(feed) = self.feeds.get_mut(&channel) else { continue };
            feed.waiting.retain(|(id, until)| {
                let is_over = *until <= now;
                if is_over {
                    events.push(Event::Refused(*id, refusal.clone()));
                }
                !is_over
            });
        }
    }

    /// Looks at the next channel: whether it is still read here, and whether its position is to be compared.
    pub(super) fn look(&mut self, is_held: impl Fn(&str) -> bool, now: Instant) -> Look {
        let Some(channel) = self.round.pop_front() else { return Look::Nothing };
        let Some(feed) = self.feeds.get_mut(&channel) else { return Look::Nothing };
        // What was said in this very turn is not known to the hub yet: it is held a moment later.
        let is_known = feed.compared < now;
        let is_idle = is_known && feed.waiting.is_empty() && matches!(feed.state, State::Live | State::Closed);
        if is_idle && !is_held(&channel) {
            let is_open = matches!(feed.state, State::Live);
            self.feeds.remove(&channel);
            return if is_open { Look::Close(channel) } else { Look::Nothing };
        }
        if matches!(feed.state, State::Live) && now.saturating_duration_since(feed.compared) >= COMPARE_EVERY {
            feed.compared = now;
            self.to_read.push_back(ChannelName::clone(&channel));
        }
        self.round.push_back(channel);
        Look::Nothing
    }
}

impl Feed {
    fn begin_reading(&mut self) {
        self.state = State::Reading(Pending::default());
        self.reading += 1;
    }

    /// Makes known what came while the position was read, which will not be read now.
    fn make_known(&mut self, pending: Pending, channel: &ChannelName, events: &mut Vec<Event>) {
        // It is seen from here on: the next read would otherwise take it for what nobody has received.
        self.seen = pending.dropped.or_else(|| pending.events.iter().rev().find_map(place_of)).or(self.seen);
        events.extend(pending.events);
        events.extend(pending.dropped.map(|at| Event::At(ChannelName::clone(channel), at)));
    }
}

/// A channel goes on in another epoch: from before what was published there since, as far as that is known.
fn go_on(channel: &ChannelName, attach: &Attach, fresh: usize, events: &mut Vec<Event>) {
    let at = attach.at;
    let newest = &attach.newest[attach.newest.len().saturating_sub(fresh)..];
    let before = newest.first().map_or(at.offset, |first| first.offset - 1);
    events.push(Event::Moved(ChannelName::clone(channel), Position { offset: before, ..at }));
    events.extend(newest.iter().map(|older| {
        let (channel, place) = (ChannelName::clone(channel), Position { offset: older.offset, ..at });
        Event::Entry(Box::new(Entry { channel, place, draft: older.draft.clone(), exclude: None }))
    }));
}

fn place_of(event: &Event) -> Option<Position> {
    match event {
        Event::Entry(entry) => {
            let Entry { place, .. } = **entry;
            Some(place)
        }
        Event::Cleared(_, _, place) => Some(*place),
        _ => None,
    }
}

#[cfg(test)]
#[path = "feeds_tests.rs"]
mod tests;
