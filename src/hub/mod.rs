//! The hub: channels with their histories and subscribers, spread over locked shards.
//!
//! Nothing here blocks, reads a clock or knows a socket. What leaves goes through [`post::Post`].

mod channel;
mod history;
mod interest;
mod keys;
mod lacking;
pub mod limits;
#[cfg(test)]
pub(crate) mod mines;
pub mod names;
mod older;
pub(crate) mod outgoing;
mod placed;
mod positions;
pub mod post;
pub mod publication;
pub(crate) mod publish;
mod random;
pub(crate) mod read;
mod replay;
mod shard;
#[cfg(test)]
mod tests;
mod totals;

pub use limits::{HubLimits, Placement};
pub use older::{Asked, Fetched, Older, OlderWanted};
pub use placed::{AppendRefused, Attach, AttachRefused, NotAppended, Placed};
pub use random::RandomSource;
pub use read::{Blocked, ChannelInfo};
pub use shard::Swept;

use crate::config::{ChannelRule, Config};
use crate::model::glob_map::GlobMap;
use crate::model::ids::ChannelId;
use crate::sync::{Mutex, MutexGuard, RwLock};
use channel::Channel;
use limits::HistoryLimits;
use names::Names;
use positions::Positions;
use shard::{NameHash, SHARDS_MAX, Shard, Sweep, shard_of};
use std::hash::RandomState;
use std::sync::PoisonError;
use std::time::Instant;
use totals::{Bounded, Totals};

/// Steps that a sweep takes under one hold of a lock: some tens of microseconds.
const SWEEP_STEPS: usize = 256;

/// All channels of a process.
#[derive(Debug)]
pub struct Hub {
    shards: Box<[Mutex<Shard>]>,
    /// Keyed at random, so that no client can choose names with the same hash.
    hasher: RandomState,
    limits: HubLimits,
    totals: Totals,
    random: RandomSource,
    names: Names,
    /// What channels keep.
    kept: RwLock<Kept>,
}

/// What channels keep: by the patterns of the rules, and where none says it.
#[derive(Debug)]
struct Kept {
    by_rules: GlobMap<HistoryLimits>,
    otherwise: HistoryLimits,
}

/// What the hub holds now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubStats {
    /// Channels alive.
    pub channels: usize,
    /// Bytes of histories and idempotency keys.
    pub history_bytes: usize,
    /// Positions of forgotten channels.
    pub positions: usize,
    /// Subscriptions, of all channels and mailboxes together.
    pub interest: u64,
    /// Publications that were given an offset since the start.
    pub published: u64,
    /// Those of them that were delivered and found no room in the history.
    pub not_kept: u64,
}

impl Hub {
    /// A hub without channels. Epochs and the secret of the names are drawn from `random`.
    #[must_use]
    pub fn new(limits: HubLimits, random: RandomSource) -> Self {
        // A power of two, since `shard_for` takes bits of a hash.
        let count = limits.shards.clamp(1, SHARDS_MAX).next_power_of_two();
        // The first shards take what does not divide, so that all together remember exactly `positions`.
        // An engine knows where its channels are, and here one could only be wrong about it.
        let most = if limits.placement == Placement::Here { limits.positions } else { 0 };
        let share = |index: usize| most / count + usize::from(index < most % count);
        let names = Names::new(&random);
        let positions = |index| Positions::new(share(index), limits.position_ttl);
        let hasher = RandomState::new();
        let make = |index| Mutex::new(Shard::new(index, positions(index), random.clone(), hasher.clone()));
        let shards = (0..count).map(make).collect();
        let totals =
            Totals { channels: Bounded::new(limits.channels_total), bytes: Bounded::new(limits.history_total_bytes) };
        let kept = RwLock::new(Kept { by_rules: GlobMap::default(), otherwise: limits.history() });
        Hub { shards, hasher, limits, totals, random, names, kept }
    }

    /// The limits it was made with.
    #[must_use]
    pub fn limits(&self) -> &HubLimits {
        &self.limits
    }

    /// Whether an engine gives publications their places.
    #[inline]
    pub(crate) fn is_a_copy(&self) -> bool {
        self.limits.placement != Placement::Here
    }

    /// Whether other nodes publish to the same channels.
    pub(super) fn is_shared(&self) -> bool {
        self.limits.placement == Placement::Shared
    }

    /// Has channels keep what these rules say, from their next publication on.
    pub fn set_rules(&self, rules: &[ChannelRule]) {
        let otherwise = self.kept.read().unwrap_or_else(PoisonError::into_inner).otherwise;
        self.keep(rules, otherwise);
    }

    /// The same, and those of which no rule says it what a configuration says of all.
    pub fn set_histories(&self, config: &Config) {
        self.keep(&config.channel_rules, HistoryLimits::of(&config.history));
    }

    fn keep(&self, rules: &[ChannelRule], otherwise: HistoryLimits) {
        let by_rules = GlobMap::new(rules.iter().map(|rule| (rule.channels.clone(), otherwise.by(rule))));
        *self.kept.write().unwrap_or_else(PoisonError::into_inner) = Kept { by_rules, otherwise };
        // After the rules: a channel that is made meanwhile has the new ones already.
        for index in 0..self.shards.len() {
            let mut from = Some(0);
            while let Some(start) = from {
                from = self.lock(index).keep(start, SWEEP_STEPS, |name| self.kept_for(name));
            }
        }
    }

    /// What a channel of this name keeps.
    fn kept_for(&self, name: &str) -> HistoryLimits {
        let kept = self.kept.read().unwrap_or_else(PoisonError::into_inner);
        kept.by_rules.first(name).map_or(kept.otherwise, |(_, by_rule)| *by_rule)
    }

    /// The public names of connections.
    #[must_use]
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Drops what is too old and forgets idle channels, going on where the last sweep stopped. Holds each shard's lock
    /// once, for a bounded number of steps; call it a few times a second.
    pub fn sweep(&self, now: Instant) -> Swept {
        let sweep = Sweep { now, limits: &self.limits, totals: &self.totals };
        let mut sum = Swept::default();
        for index in 0..self.shards.len() {
            let swept = self.lock(index).sweep(sweep, SWEEP_STEPS);
            sum.visited += swept.visited;
            sum.expired += swept.expired;
            sum.forgotten += swept.forgotten;
            sum.positions += swept.positions;
        }
        sum
    }

    /// How many channels it holds now.
    #[must_use]
    pub fn held(&self) -> usize {
        self.totals.channels.used()
    }

    /// What the hub holds now. Takes each lock briefly.
    pub fn stats(&self) -> HubStats {
        let (channels, history_bytes) = (self.totals.channels.used(), self.totals.bytes.used());
        let mut stats = HubStats { channels, history_bytes, ..HubStats::default() };
        for index in 0..self.shards.len() {
            let shard = self.lock(index);
            stats.positions += shard.positions.len();
            stats.interest += shard.interest;
            stats.published += shard.published;
            stats.not_kept += shard.not_kept;
        }
        stats
    }

    /// Locks a shard. A panic under the lock does not spread (law 9): the shard stays usable.
    fn lock(&self, index: usize) -> MutexGuard<'_, Shard> {
        self.shards[index].lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Locks the shard that a name belongs to.
    fn shard_for(&self, name: &str) -> (MutexGuard<'_, Shard>, NameHash) {
        let hash = NameHash::of(name, &self.hasher);
        (self.lock(hash.shard(self.shards.len())), hash)
    }

    /// Locks the shard that an id belongs to; `None` for an id that this hub never gave.
    fn shard_by_id(&self, id: ChannelId) -> Option<MutexGuard<'_, Shard>> {
        let index = shard_of(id);
        (index < self.shards.len()).then(|| self.lock(index))
    }

    /// Drops what is too old in a channel that is about to be used.
    fn expire(&self, channel: &mut Channel, now: Instant) {
        // Without a bound, unlike the sweep: what is too old is not replayed, however much it is.
        self.totals.bytes.give(channel.expire(now, &self.limits, usize::MAX).bytes);
    }
}
