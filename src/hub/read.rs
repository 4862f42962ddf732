//! How channels are read: replay and activation under one lock, deletion, reset, listing.

use super::Hub;
use super::channel::Channel;
use super::lacking::{Lacking, Plan};
use super::older::Asked;
use super::outgoing::{Outgoing, Room};
use super::post::{Delivery, Post, RESET_WEIGHT};
use super::publication::Publication;
use super::replay::{Replay, replay};
use crate::model::code::Code;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, Since};
use std::sync::Arc;
use std::time::Instant;

/// Slots that a listing looks at under one hold of a lock.
const LIST_STEP: usize = 1_024;

/// A mailbox has no room for the reset; nothing has happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocked;

/// What a reader of a channel gets.
#[derive(Debug)]
pub(crate) struct View {
    /// The channel's name.
    pub(crate) channel: ChannelName,
    /// Its id.
    pub(crate) id: ChannelId,
    /// For a page (`limit`) the position of its last publication, otherwise the channel's current one.
    pub(crate) position: Position,
    /// Whether it joins the reader's `since` without a hole; `None` without `since`.
    pub(crate) recovered: Option<bool>,
    /// What is replayed, in offset order.
    pub(crate) publications: Vec<Arc<Publication>>,
}

impl View {
    fn new(channel: &Channel, replay: Replay) -> View {
        View {
            channel: ChannelName::clone(&channel.name),
            id: channel.id,
            position: replay.position,
            recovered: replay.recovered,
            publications: replay.publications,
        }
    }
}

/// What came of a GET where an engine keeps the histories.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Found {
    /// It was answered; the replay took so many bytes.
    Posted(usize),
    /// The channel is not held here.
    NotHeld,
    /// Older publications are needed.
    Lacks,
}

/// One channel in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelInfo {
    /// Its name.
    pub name: ChannelName,
    /// Its newest publication's place.
    pub position: Position,
    /// Subscriptions, of all mailboxes together.
    pub subscribers: u64,
    /// Publications in its history.
    pub publications: usize,
    /// Their bytes.
    pub bytes: usize,
}

/// What a GET asks of a channel.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) name: &'a ChannelName,
    pub(crate) options: &'a GetOptions,
    /// The connection that asks, and is subscribed unless it reads `once`.
    pub(crate) who: ConnId,
    /// Bytes of publications that its answer may still hold.
    pub(crate) left: usize,
}

/// Whether a reader has been further than a copy, or in another epoch.
fn may_be_behind(copy: Position, options: &GetOptions) -> bool {
    match options.since {
        Some(Since::Position(from)) => from.epoch != copy.epoch || from.offset > copy.offset,
        Some(Since::Unreadable) | None => false,
    }
}

impl Hub {
    /// Reads a channel: takes the replay, calls `post` with it, and counts the interest (unless `once`) under one lock.
    /// How many of the `left` bytes the replay took.
    pub(crate) fn read(&self, wanted: Wanted<'_>, now: Instant, post: impl FnOnce(View)) -> Result<usize, Refusal> {
        let Wanted { name, options, who, left } = wanted;
        let (mut shard, hash) = self.shard_for(name);
        let slot = match shard.find(name, hash) {
            Some(slot) => slot,
            // Also for a reader that does not stay: the epoch in its answer must still be the channel's when it comes
            // back.
            None => shard.make((name, hash), self.kept_for(name), &self.totals, now).ok_or(Code::ChannelsFull)?,
        };
        let channel = shard.channel(slot);
        self.expire(channel, now);
        channel.last_used = now;
        let replay = replay(&channel.history, channel.position, options, &self.limits, left);
        let bytes = replay.bytes;
        post(View::new(channel, replay));
        // After `post`: if that panics, no interest is left that no connection would end.
        if !options.once {
            channel.interest.add(who.mailbox);
            shard.interest += 1;
        }
        Ok(bytes)
    }

    /// The same where an engine keeps the histories: reads what is held here, together with what was given before; or says
    /// what it lacks, which is in `asked` then if it is about older publications.
    pub(crate) fn read_copy(
        &self,
        wanted: Wanted<'_>,
        asked: &mut Option<Box<Asked>>,
        (now, wall_ms): (Instant, u64),
        post: impl FnOnce(View),
    ) -> Found {
        let Wanted { name, options, who, left } = wanted;
        if let Some(asked) = asked {
            self.unpack(name, asked, wall_ms);
        }
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else {
            *asked = None;
            return Found::NotHeld;
        };
        let channel = shard.channel(slot);
        self.expire(channel, now);
        channel.last_used = now;
        if self.is_shared()
            && may_be_behind(channel.position, options)
            && !asked.as_deref().is_some_and(Asked::has_looked_up)
        {
            // Its reader was with another node, which may have been faster: where the channel is decides, not this copy.
            *asked = Some(Asked::look_up(channel.position));
            return Found::Lacks;
        }
        let lacking = Lacking::new(channel, options, &self.limits, left, asked.as_deref());
        let replay = match lacking.plan() {
            Plan::Ask(older) => {
                *asked = Some(Asked::next(asked.take(), older));
                return Found::Lacks;
            }
            Plan::Held => replay(&channel.history, channel.position, options, &self.limits, left),
            Plan::With(all) => replay(&all, channel.position, options, &self.limits, left),
        };
        *asked = None;
        let bytes = replay.bytes;
        post(View::new(channel, replay));
        if !options.once {
            channel.interest.add(who.mailbox);
            shard.interest += 1;
        }
        Found::Posted(bytes)
    }

    /// Empties a channel's history; epoch, offset and idempotency keys stay. `None` for a channel that is not known.
    pub fn delete_history(&self, name: &str, now: Instant) -> Option<Position> {
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else {
            // A forgotten channel has no history, so this is all there is to answer.
            return shard.positions.find(name, now);
        };
        let channel = shard.channel(slot);
        channel.last_used = now;
        let old = channel.history.take();
        self.totals.bytes.give(old.bytes());
        let position = channel.position;
        // `old` is dropped after the unlock.
        drop(shard);
        Some(position)
    }

    /// Ends a channel's continuity: a new epoch from offset 0, without history and keys, and every subscriber receives a
    /// reset. `None` for a channel that is not known; a position that was remembered of it is forgotten.
    ///
    /// # Errors
    /// When a mailbox has no room.
    pub fn reset<P: Post>(&self, name: &str, post: &P, now: Instant) -> Result<Option<Position>, Blocked> {
        let position = || Position { epoch: self.random.fresh_epoch(), offset: 0 };
        self.go_on_at(name, position, post, now)
    }

    /// Has a channel go on from a position that does not follow its own.
    pub(super) fn go_on_at<P: Post>(
        &self,
        name: &str,
        position: impl FnOnce() -> Position,
        post: &P,
        now: Instant,
    ) -> Result<Option<Position>, Blocked> {
        // Made before the lock is taken, so that it is dropped, and wakes, after the unlock.
        let mut out = Outgoing::new(post);
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else {
            // Else the channel would come back in the old epoch.
            shard.positions.remove(name);
            return Ok(None);
        };
        let channel = shard.channel(slot);
        // Before anything is cleared: a reset that finds no room has changed nothing.
        let room = Room::reserve(post, channel.interest.mailboxes(), RESET_WEIGHT).ok_or(Blocked)?;
        let (history, keys, bytes) = channel.clear();
        self.totals.bytes.give(bytes);
        channel.last_used = now;
        channel.position = position();
        channel.gone = channel.position.offset;
        let (id, name, position) = (channel.id, ChannelName::clone(&channel.name), channel.position);
        room.fill(&mut out, || Delivery::Reset { channel: id, name: ChannelName::clone(&name), position });
        drop(shard);
        // After the unlock, since there may be many publications to free.
        drop((history, keys));
        Ok(Some(position))
    }

    /// Ends a subscription that a live GET of this connection began. True when that was interest of a known channel:
    /// false for an id that the hub does not know, and for a mailbox that holds no subscription to the channel.
    pub fn leave(&self, channel: ChannelId, who: ConnId) -> bool {
        let Some(mut shard) = self.shard_by_id(channel) else {
            return false;
        };
        let left = shard.by_id(channel).is_some_and(|channel| channel.interest.remove(who.mailbox));
        shard.interest -= u64::from(left);
        left
    }

    /// The id of a channel that is alive.
    pub fn id_of(&self, name: &str) -> Option<ChannelId> {
        let (mut shard, hash) = self.shard_for(name);
        let slot = shard.find(name, hash)?;
        Some(shard.channel(slot).id)
    }

    /// Subscriptions of a channel, of all mailboxes together; 0 for one that is not there.
    pub fn subscribers(&self, name: &str) -> u64 {
        let (mut shard, hash) = self.shard_for(name);
        shard.find(name, hash).map_or(0, |slot| shard.channel(slot).interest.total())
    }

    /// At most `limit` channels, in no order. Each lock is held for a bounded number of them.
    pub fn channels(&self, limit: usize) -> Vec<ChannelInfo> {
        let mut listed = Vec::new();
        for index in 0..self.shards.len() {
            let mut from = Some(0);
            while let Some(start) = from.filter(|_| listed.len() < limit) {
                let shard = self.lock(index);
                let (next, channels) = shard.list(start, LIST_STEP);
                listed.extend(channels.take(limit - listed.len()).map(|channel| ChannelInfo {
                    name: ChannelName::clone(&channel.name),
                    position: channel.position,
                    subscribers: channel.interest.total(),
                    publications: channel.history.len(),
                    bytes: channel.history.bytes(),
                }));
                from = next;
            }
        }
        listed
    }
}
