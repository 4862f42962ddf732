//! One part of the channels, under one lock: found by name and by id, made, forgotten and swept.

use super::channel::Channel;
use super::limits::{HistoryLimits, HubLimits};
use super::positions::Positions;
use super::publish::Published;
use super::random::RandomSource;
use super::totals::Totals;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use hashbrown::HashTable;
use slab::Slab;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

/// A channel id is, from the low bits up: shard, slot in the shard's slab, serial number in the shard. The serial number
/// is never used twice, so neither is an id.
const SHARD_BITS: u32 = 6;
const SLOT_BITS: u32 = 22;
const SLOTS_MAX: usize = 1 << SLOT_BITS;
const SERIALS_MAX: u64 = 1 << (64 - SHARD_BITS - SLOT_BITS);

/// As many shards as an id can tell apart.
pub(super) const SHARDS_MAX: usize = 1 << SHARD_BITS;

/// The shard of a channel.
pub(super) fn shard_of(id: ChannelId) -> usize {
    id.0 as usize & (SHARDS_MAX - 1)
}

fn slot_of(id: ChannelId) -> usize {
    (id.0 >> SHARD_BITS) as usize & (SLOTS_MAX - 1)
}

/// The hash of a channel's name: made once, it leads to the shard, and to the channel in that.
#[derive(Debug, Clone, Copy)]
pub(super) struct NameHash(u64);

impl NameHash {
    /// That of a name, by the hub's secret.
    pub(super) fn of(name: &str, hasher: &RandomState) -> NameHash {
        NameHash(hasher.hash_one(name))
    }

    /// Which of `shards`, a power of two.
    pub(super) fn shard(self, shards: usize) -> usize {
        // A table takes its places from the low bits, and marks them by the highest seven.
        (self.0 >> 32) as usize & (shards - 1)
    }
}

/// One shard.
#[derive(Debug)]
pub(super) struct Shard {
    index: usize,
    serial: u64,
    hasher: RandomState,
    /// Slots by the names of their channels.
    names: HashTable<u32>,
    channels: Slab<Channel>,
    pub(super) positions: Positions,
    /// Where the epochs of its channels come from.
    random: RandomSource,
    /// Subscriptions counted in its channels.
    pub(super) interest: u64,
    /// Publications that were given an offset in its channels.
    pub(super) published: u64,
    /// Those of them that found no room in the history.
    pub(super) not_kept: u64,
    /// Where the sweep goes on.
    cursor: usize,
}

/// What a sweep goes by.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sweep<'h> {
    pub(super) now: Instant,
    pub(super) limits: &'h HubLimits,
    pub(super) totals: &'h Totals,
}

/// What a sweep did.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Swept {
    /// Places looked at, vacant ones too.
    pub visited: usize,
    /// Publications and idempotency keys dropped by age.
    pub expired: usize,
    /// Idle channels forgotten.
    pub forgotten: usize,
    /// Positions of forgotten channels whose time was over.
    pub positions: usize,
}

impl Shard {
    /// An empty shard.
    pub(super) fn new(index: usize, positions: Positions, random: RandomSource, hasher: RandomState) -> Self {
        let (names, channels) = (HashTable::new(), Slab::new());
        Shard {
            index,
            serial: 0,
            hasher,
            names,
            channels,
            positions,
            random,
            interest: 0,
            published: 0,
            not_kept: 0,
            cursor: 0,
        }
    }

    /// Counts a publication, if there was one.
    pub(super) fn count(&mut self, published: Option<&Published>) {
        self.published += u64::from(published.is_some());
        self.not_kept += u64::from(published.is_some_and(|published| !published.kept));
    }

    /// The slot of the channel with this name.
    pub(super) fn find(&self, name: &str, hash: NameHash) -> Option<usize> {
        let is_it = |slot: &u32| *self.channels[*slot as usize].name == *name;
        self.names.find(hash.0, is_it).map(|slot| *slot as usize)
    }

    /// The channel in a slot that was just found or made.
    pub(super) fn channel(&mut self, slot: usize) -> &mut Channel {
        self.channels.get_mut(slot).expect("a slot is used under the lock it was found under")
    }

    /// The channel with this id, if it is still alive.
    pub(super) fn by_id(&mut self, id: ChannelId) -> Option<&mut Channel> {
        // The slot may have been given to another channel since.
        self.channels.get_mut(slot_of(id)).filter(|channel| channel.id == id)
    }

    /// Makes a channel that does not exist, at the position that is remembered of it or else in a new epoch.
    /// `None` when there are as many as there may be.
    pub(super) fn make(
        &mut self,
        (name, hash): (&ChannelName, NameHash),
        kept: HistoryLimits,
        totals: &Totals,
        now: Instant,
    ) -> Option<usize> {
        let fresh = || Position { epoch: self.random.fresh_epoch(), offset: 0 };
        let position = self.positions.find(name, now).unwrap_or_else(fresh);
        self.make_at((name, hash), position, kept, totals, now)
    }

    /// Makes a channel that does not exist, at `position`.
    pub(super) fn make_at(
        &mut self,
        (name, hash): (&ChannelName, NameHash),
        position: Position,
        kept: HistoryLimits,
        totals: &Totals,
        now: Instant,
    ) -> Option<usize> {
        let slot = self.channels.vacant_key();
        // The total is asked last: what it gave would have to be given back if another condition failed.
        if slot >= SLOTS_MAX || self.serial >= SERIALS_MAX || !totals.channels.take(1) {
            return None;
        }
        // Not before the channel is certain: one that is refused keeps its position.
        self.positions.remove(name);
        let place = (self.serial << SLOT_BITS) | slot as u64;
        let id = ChannelId((place << SHARD_BITS) | self.index as u64);
        self.serial += 1;
        self.channels.insert(Channel::new(id, ChannelName::clone(name), position, kept, now));
        let (channels, hasher) = (&self.channels, &self.hasher);
        self.names.insert_unique(hash.0, slot as u32, |slot| NameHash::of(&channels[*slot as usize].name, hasher).0);
        Some(slot)
    }

    /// Goes on where the last sweep stopped, for `budget` steps at most: a step looks at a slot or drops one thing.
    pub(super) fn sweep(&mut self, sweep: Sweep<'_>, budget: usize) -> Swept {
        // Half of it at most, so that many old positions do not keep the channels from their turn.
        let mut swept = Swept { positions: self.positions.expire(sweep.now, budget / 2), ..Swept::default() };
        // Not `len`, which counts occupied slots: they may lie anywhere.
        let end = self.channels.capacity();
        while swept.visited < end && swept.visited + swept.expired + swept.positions < budget {
            if self.cursor >= end {
                self.cursor = 0;
            }
            let max = budget - swept.visited - swept.expired - swept.positions;
            self.sweep_slot(sweep, max, &mut swept);
        }
        swept
    }

    /// Sweeps the slot under the cursor and moves on, unless there may be more than `max` things to drop in it.
    fn sweep_slot(&mut self, sweep: Sweep<'_>, max: usize, swept: &mut Swept) {
        let Sweep { now, limits, totals } = sweep;
        let slot = self.cursor;
        swept.visited += 1;
        self.cursor += 1;
        let Some(channel) = self.channels.get_mut(slot) else {
            return;
        };
        let dropped = channel.expire(now, limits, max);
        totals.bytes.give(dropped.bytes);
        swept.expired += dropped.count;
        if dropped.count == max {
            // There may be more in it: the next sweep begins here.
            self.cursor = slot;
        } else if !channel.interest.is_empty() {
            // Idle time begins when the last subscriber has left, and `leave` is not given the time.
            channel.last_used = now;
        } else if channel.is_idle(now, limits) {
            self.forget(slot, totals, now);
            swept.forgotten += 1;
        }
    }

    /// Forgets an idle channel; its position is remembered.
    fn forget(&mut self, slot: usize, totals: &Totals, now: Instant) {
        let channel = self.channels.remove(slot);
        let named = self.names.find_entry(NameHash::of(&channel.name, &self.hasher).0, |other| *other as usize == slot);
        named.expect("a channel is found by its name").remove();
        totals.bytes.give(channel.history.bytes());
        self.positions.leave(channel.name, channel.position, now);
        totals.channels.give(1);
    }

    /// Gives the channels in at most `max` slots from `from` on what they may keep; where to go on, `None` at the end.
    pub(super) fn keep(&mut self, from: usize, max: usize, kept: impl Fn(&str) -> HistoryLimits) -> Option<usize> {
        let end = self.channels.capacity();
        let to = from.saturating_add(max).min(end);
        for slot in from..to {
            if let Some(channel) = self.channels.get_mut(slot) {
                channel.kept = kept(&channel.name);
            }
        }
        (to < end).then_some(to)
    }

    /// At most `max` slots from `from` on, as (where to go on, their channels); `None` to go on at the end.
    pub(super) fn list(&self, from: usize, max: usize) -> (Option<usize>, impl Iterator<Item = &Channel>) {
        let end = self.channels.capacity();
        let to = from.saturating_add(max).min(end);
        ((to < end).then_some(to), (from..to).filter_map(|slot| self.channels.get(slot)))
    }
}
