//! What a GET lacks where an engine keeps the histories and a hub only the newest of them, so that the answer is what it would
//! be if all were held here.

use super::channel::Channel;
use super::limits::HubLimits;
use super::older::{Asked, OlderWanted};
use super::publication::{Publication, WEIGHT_MIN};
use super::replay::{Held, Room, newest_wanted};
use crate::model::publication::Position;
use crate::model::request::{GetOptions, Since};
use std::sync::Arc;

/// How a GET is answered.
pub(super) enum Plan<'a> {
    /// Not yet: this is needed first.
    Ask(OlderWanted),
    /// From what is held here.
    Held,
    /// From this.
    With(Joined<'a>),
}

/// Publications with consecutive offsets, oldest first: those that an engine gave, and those that are held here after them.
pub(super) struct Joined<'a>(Vec<&'a Arc<Publication>>);

impl Held for Joined<'_> {
    fn since(&self, offset: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Publication>>> {
        let first = self.0.first()?.offset();
        let skip = usize::try_from(offset.checked_add(1)?.checked_sub(first)?).ok()?;
        (skip < self.0.len()).then(|| self.0[skip..].iter().copied())
    }

    fn newest(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.0.iter().rev().copied()
    }
}

/// One GET of a channel.
pub(super) struct Lacking<'a> {
    channel: &'a Channel,
    /// The oldest that is held here; after the newest when none is.
    first: u64,
    /// Up to here nothing is to be had.
    gone: u64,
    once: bool,
    since: Option<Since>,
    /// How many of the newest it wants if it does not resume.
    newest: usize,
    room: Room,
    asked: Option<&'a Asked>,
}

impl<'a> Lacking<'a> {
    /// A GET that has asked for something before, or has not; `left` is what remains of `replay_bytes`.
    pub(super) fn new(
        channel: &'a Channel,
        options: &GetOptions,
        limits: &HubLimits,
        left: usize,
        asked: Option<&'a Asked>,
    ) -> Lacking<'a> {
        let newest = channel.position.offset;
        Lacking {
            channel,
            first: channel.history.first().unwrap_or(newest + 1),
            // A channel that keeps nothing by its rule has nothing for readers, whatever an engine needs it for.
            gone: if channel.kept.count == 0 { newest } else { channel.gone },
            once: options.once,
            since: options.since,
            newest: newest_wanted(options, limits),
            room: Room::new(options, limits, left),
            asked: asked.filter(|asked| !asked.looks_up()),
        }
    }

    /// How it is answered.
    pub(super) fn plan(&self) -> Plan<'a> {
        let resumed = match self.since {
            Some(Since::Position(from)) => self.resume(from),
            Some(Since::Unreadable) | None => None,
        };
        resumed.unwrap_or_else(|| self.newest())
    }

    /// What a resume needs; `None` when it fails whatever the engine may have.
    fn resume(&self, from: Position) -> Option<Plan<'a>> {
        let current = self.channel.position;
        if from.epoch != current.epoch || from.offset > current.offset {
            return None;
        }
        if from.offset + 1 >= self.first {
            return Some(Plan::Held);
        }
        // Once the newest were asked for, this has failed.
        let has_failed = self.asked.is_some_and(|asked| asked.wanted().newest);
        if has_failed || from.offset < self.gone || (!self.once && !self.may_fit(current.offset - from.offset)) {
            return None;
        }
        let is_over = self.asked.is_some_and(Asked::is_over);
        let Some((asked, given)) = self.given().filter(|(asked, _)| asked.after() == from.offset) else {
            return (!is_over).then(|| Plan::Ask(self.oldest_after(from, self.room)));
        };
        // None where the first is gone, though nobody said how many more.
        let last = given.last()?.offset();
        if last + 1 >= self.first {
            return Some(Plan::With(self.joined(given)));
        }
        let room = less(self.room, given);
        // A page may end anywhere, and a subscription must reach what is held here.
        let is_full = asked.is_short() || room.count == 0 || room.bytes < WEIGHT_MIN;
        if is_full || is_over {
            return self.once.then(|| Plan::With(Joined(given.iter().collect())));
        }
        Some(Plan::Ask(self.oldest_after(Position { offset: last, ..from }, room)))
    }

    /// What the newest need that it wants.
    fn newest(&self) -> Plan<'a> {
        let current = self.channel.position.offset;
        let after = current.saturating_sub(self.newest.min(self.room.count) as u64).max(self.gone);
        // Those held here are wanted first, and may leave no room.
        let held = self.channel.history.bytes();
        let bytes = self.room.bytes.saturating_sub(held);
        let has_room = bytes >= WEIGHT_MIN || (self.room.whole && held == 0);
        if self.first <= after + 1 || !has_room {
            return Plan::Held;
        }
        let given = self.given().filter(|(asked, _)| asked.wanted().newest && asked.wanted().up_to + 1 == self.first);
        if let Some((_, given)) = given {
            return Plan::With(self.joined(given));
        }
        if self.asked.is_some_and(Asked::is_over) {
            return Plan::Held;
        }
        let up_to = self.first - 1;
        let position = Position { offset: after, ..self.channel.position };
        Plan::Ask(OlderWanted { after: position, up_to, count: (up_to - after) as usize, bytes, newest: true })
    }

    /// Whether the replay of a subscription that missed so many can be within its limits.
    fn may_fit(&self, missed: u64) -> bool {
        let missed = usize::try_from(missed).unwrap_or(usize::MAX);
        missed <= self.room.count && missed.saturating_mul(WEIGHT_MIN) <= self.room.bytes
    }

    /// The oldest after a position, as many as there is room for, and one to know that it is there.
    fn oldest_after(&self, after: Position, room: Room) -> OlderWanted {
        let count = room.count.max(1);
        let up_to = (self.first - 1).min(after.offset.saturating_add(count as u64));
        OlderWanted { after, up_to, count: (up_to - after.offset) as usize, bytes: room.bytes, newest: false }
    }

    /// What was given for this channel.
    fn given(&self) -> Option<(&'a Asked, &'a [Arc<Publication>])> {
        let asked = self.asked?;
        Some((asked, asked.given(self.channel.id, self.channel.position.epoch)?))
    }

    /// What was given, but for what is gone since, and what is held here.
    fn joined(&self, given: &'a [Arc<Publication>]) -> Joined<'a> {
        let is_wanted = |older: &&Arc<Publication>| (self.gone + 1..self.first).contains(&older.offset());
        let mut all: Vec<_> = given.iter().filter(is_wanted).collect();
        all.extend(self.channel.history.oldest());
        Joined(all)
    }
}

/// What is left of room after some publications.
fn less(room: Room, given: &[Arc<Publication>]) -> Room {
    let bytes: usize = given.iter().map(|older| older.weight()).sum();
    Room { count: room.count.saturating_sub(given.len()), bytes: room.bytes.saturating_sub(bytes), ..room }
}
