//! What a hub takes from an engine, which gives places and keeps histories: one thread, and no other, advances channels then.

use super::Hub;
use super::channel::Channel;
use super::older::Older;
use super::outgoing::Outgoing;
use super::post::Post;
use super::publication::Draft;
use super::publish::{Incoming, Published, Stop};
use super::read::Blocked;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::name::ChannelName;
use crate::model::publication::{OFFSET_END, Position};
use std::time::Instant;

/// A publication that was given its place elsewhere.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placed {
    /// Its place.
    pub place: Position,
    /// What is published there.
    pub draft: Draft,
    /// The connection that does not want it, if any.
    pub exclude: Option<ConnId>,
    /// When it was accepted, for the time that it takes until it is delivered.
    pub accepted: Instant,
}

/// A publication that has its place and was not taken: nothing of it was kept or posted, and it may be offered again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAppended {
    /// Why.
    pub why: AppendRefused,
    /// What was offered.
    pub placed: Placed,
}

/// Why a publication that already has its place was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AppendRefused {
    /// It does not follow this position, which is the channel's.
    NotNext(Position),
    /// Offsets count from 1 to 2^53.
    BadOffset,
    /// A mailbox has no room; nothing has happened.
    Blocked,
    /// There are as many channels as there may be.
    ChannelsFull,
}

/// What an engine says of a channel that is not held here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attach {
    /// Where it is.
    pub at: Position,
    /// Its newest publications up to there, with consecutive offsets, oldest first.
    pub newest: Vec<Older>,
    /// Publications up to this offset are known to be gone; 0 when none is.
    pub gone: u64,
}

/// Why a channel was not attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AttachRefused {
    /// There are as many channels as there may be.
    Full,
    /// It is held, at this position: an earlier one, or one in another epoch.
    Differs(Position),
}

impl Hub {
    /// Takes a publication that was given its place elsewhere, and says whether it was kept here. It must follow the
    /// channel's position; a channel that is not held begins with it. What to do about a gap is left to the caller.
    ///
    /// # Errors
    /// When it does not follow, or finds no room. It comes back then, and may be offered again.
    pub fn append_at<P: Post>(
        &self,
        name: &ChannelName,
        placed: Placed,
        post: &P,
        now: Instant,
    ) -> Result<bool, Box<NotAppended>> {
        let refused = |why, placed| Err(Box::new(NotAppended { why, placed }));
        // Made before the lock is taken, so that it is dropped, and wakes, after the unlock.
        let mut out = Outgoing::new(post);
        let (mut shard, hash) = self.shard_for(name);
        if placed.place.offset == 0 || placed.place.offset >= OFFSET_END {
            return refused(AppendRefused::BadOffset, placed);
        }
        let before = Position { offset: placed.place.offset - 1, ..placed.place };
        let found = shard.find(name, hash);
        if found.is_none() && self.is_shared() {
            // Nobody reads it here.
            return Ok(false);
        }
        let Some(slot) = found.or_else(|| shard.make_at((name, hash), before, self.kept_for(name), &self.totals, now))
        else {
            // It is in the engine's history, and nobody listens here.
            return if self.is_a_copy() { Ok(false) } else { refused(AppendRefused::ChannelsFull, placed) };
        };
        let channel = shard.channel(slot);
        if channel.position != before {
            let why = AppendRefused::NotNext(channel.position);
            return refused(why, placed);
        }
        self.expire(channel, now);
        let Placed { place, draft, exclude, accepted } = placed;
        let incoming = Incoming { draft, key: None, exclude, if_match: None };
        let used = channel.last_used;
        match self.admit(channel, incoming, &mut out, (now, accepted)) {
            Ok(published) => {
                if self.is_shared() {
                    // Used is what is read here: others may publish to it for ever.
                    channel.last_used = used;
                } else {
                    // Where an engine keeps it, a reader misses nothing. What nodes share is counted where it was taken.
                    shard.count(Some(&Published { kept: published.kept || self.is_a_copy(), ..published }));
                }
                Ok(published.kept)
            }
            Err(Stop::Blocked(draft)) => {
                refused(AppendRefused::Blocked, Placed { place, draft: *draft, exclude, accepted })
            }
            Err(Stop::Refused(_)) => unreachable!("only a key can be refused, and there is none"),
        }
    }

    /// Begins to hold a channel where its engine says that it is, with as much of its newest history as there is room for. A
    /// channel that is held there already, or further on in the same epoch, stays as it is.
    ///
    /// # Errors
    /// When there is no room for channels, or when the channel is held at another position that does not include this one.
    pub fn attach(
        &self,
        name: &ChannelName,
        attach: Attach,
        now: Instant,
        wall_ms: u64,
    ) -> Result<ChannelId, AttachRefused> {
        let Attach { at, newest, gone } = attach;
        let (mut shard, hash) = self.shard_for(name);
        if let Some(slot) = shard.find(name, hash) {
            let channel = shard.channel(slot);
            let held = channel.position;
            let is_there = held.epoch == at.epoch && held.offset >= at.offset;
            return if is_there { Ok(channel.id) } else { Err(AttachRefused::Differs(held)) };
        }
        let made = shard.make_at((name, hash), at, self.kept_for(name), &self.totals, now);
        let channel = shard.channel(made.ok_or(AttachRefused::Full)?);
        channel.gone = gone.min(at.offset);
        self.take_in(channel, newest, now, wall_ms);
        Ok(channel.id)
    }

    /// Keeps what a channel without history may keep of its newest publications.
    fn take_in(&self, channel: &mut Channel, mut newest: Vec<Older>, now: Instant, wall_ms: u64) {
        let count = channel.may_take_in(&newest, wall_ms);
        let newest = newest.split_off(newest.len() - count);
        let bytes = newest.iter().map(|older| older.draft.weight()).sum();
        // All or nothing: what is not here is read from the engine when somebody asks for it.
        if self.totals.bytes.take(bytes) {
            newest.into_iter().for_each(|older| channel.take_in(older, now, wall_ms));
        }
    }

    /// A channel's history up to `at` is gone from its engine: it is dropped here too.
    pub fn cleared(&self, name: &str, at: Position) {
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else { return };
        let channel = shard.channel(slot);
        if channel.position.epoch != at.epoch {
            return;
        }
        channel.gone = channel.gone.max(at.offset.min(channel.position.offset));
        let old = channel.history.take_until(at.offset);
        self.totals.bytes.give(old.bytes());
        // `old` is dropped after the unlock.
        drop(shard);
    }

    /// A channel's engine has all that came after this, also what was taken for gone when the channel went on from elsewhere.
    pub fn has_after(&self, name: &str, after: Position) {
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else { return };
        let channel = shard.channel(slot);
        if channel.position.epoch == after.epoch {
            channel.gone = channel.gone.min(after.offset);
        }
    }

    /// Has a channel go on from a position that does not follow its own, which every subscriber learns by a reset. One that is
    /// not held has none.
    ///
    /// # Errors
    /// When a mailbox has no room.
    pub fn reset_to<P: Post>(&self, name: &str, at: Position, post: &P, now: Instant) -> Result<(), Blocked> {
        self.go_on_at(name, || at, post, now).map(drop)
    }

    /// Where a channel is that is held here.
    #[must_use]
    pub fn position_of(&self, name: &str) -> Option<Position> {
        let (mut shard, hash) = self.shard_for(name);
        let slot = shard.find(name, hash)?;
        Some(shard.channel(slot).position)
    }

    /// Whether all mailboxes of a channel's subscribers would take a publication of `weight` at the moment. Where one has no
    /// room, those that wait are woken when it has some.
    pub(crate) fn has_room<P: Post>(&self, name: &str, weight: usize, post: &P) -> bool {
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else { return true };
        // Only looked at: the place comes from the engine, and the room is reserved when it is there.
        shard.channel(slot).interest.mailboxes().all(|mailbox| post.has_room(mailbox, weight))
    }
}
