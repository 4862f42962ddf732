//! One channel: its position, its history, its interest, and the idempotency keys that it has seen.

use super::history::{History, Plan};
use super::interest::Interest;
use super::keys::{self, Keys, Known};
use super::limits::{HistoryLimits, HubLimits, Placement};
use super::older::Older;
use super::publication::{Draft, Publication};
use super::totals::Dropped;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// One channel. Everything in it changes under its shard's lock only.
#[derive(Debug)]
pub(super) struct Channel {
    pub(super) id: ChannelId,
    pub(super) name: ChannelName,
    /// The newest publication's place; offset 0 before the first.
    pub(super) position: Position,
    pub(super) history: History,
    pub(super) interest: Interest,
    /// Boxed: most channels never see a key.
    keys: Option<Box<Keys>>,
    /// What it keeps, as the rule says that its name meets.
    pub(super) kept: HistoryLimits,
    pub(super) last_used: Instant,
    /// Publications up to this offset are gone from its engine's history too, as far as that is known here. Without an engine
    /// nobody asks.
    pub(super) gone: u64,
}

/// An idempotency key with the hash of what is published under it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(super) text: &'a str,
    pub(super) fingerprint: u64,
}

/// What one more publication changes in the bytes kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Cost<'a> {
    plan: Plan,
    /// The key that is remembered with it.
    key: Option<Key<'a>>,
    pub(super) added: usize,
    pub(super) freed: usize,
}

impl Cost<'_> {
    /// Whether the publication is in the history afterwards, if there is one at all.
    pub(super) fn is_kept(&self, kept: &HistoryLimits) -> bool {
        // Where a channel never keeps anything, nothing is missing that a reader could expect: `kept: false` would be on
        // every answer.
        self.plan.added > 0 || kept.count == 0
    }
}

impl Channel {
    /// A channel without history or subscribers.
    pub(super) fn new(id: ChannelId, name: ChannelName, position: Position, kept: HistoryLimits, now: Instant) -> Self {
        let (history, interest) = (History::default(), Interest::default());
        Channel { id, name, position, history, interest, keys: None, kept, last_used: now, gone: 0 }
    }

    /// Drops at most `max` publications and keys whose time is over.
    pub(super) fn expire(&mut self, now: Instant, limits: &HubLimits, max: usize) -> Dropped {
        let dropped = self.history.expire(now, self.kept.age, max);
        let Some(keys) = &mut self.keys else {
            return dropped;
        };
        // With what the history left of `max`, since the sweep counts both as steps under one hold of the lock.
        let keys_dropped = keys.expire(now, limits.idempotency_ttl, max - dropped.count);
        if keys.is_empty() {
            // The box as well: a channel that saw one key long ago weighs no more than one that saw none.
            self.keys = None;
        }
        Dropped { count: dropped.count + keys_dropped.count, bytes: dropped.bytes + keys_dropped.bytes }
    }

    /// What was published under a key.
    pub(super) fn known(&self, key: &str) -> Option<Known> {
        self.keys.as_ref()?.find(key)
    }

    /// What one more publication of `weight` bytes would cost.
    pub(super) fn cost<'k>(&self, weight: usize, key: Option<Key<'k>>, limits: &HubLimits) -> Cost<'k> {
        let plan = self.history.plan(weight, &self.kept);
        self.whole_cost(plan, key, limits)
    }

    /// The same when there are only `free` bytes besides its own: less of its history is kept then, or none.
    pub(super) fn cost_within<'k>(
        &self,
        weight: usize,
        key: Option<Key<'k>>,
        limits: &HubLimits,
        free: usize,
    ) -> Cost<'k> {
        let of_key = self.whole_cost(self.history.plan_without(), key, limits);
        // `freed` has the history's bytes in it, which `plan_within` counts itself: what is left is the key that goes.
        let free = free + (of_key.freed - self.history.bytes());
        let plan = self.history.plan_within(weight, of_key.added, &self.kept, free);
        self.whole_cost(plan, key, limits)
    }

    /// What one more publication costs when nothing of it is kept, its key included: no room, ever.
    pub(super) fn cost_of_nothing(&self) -> Cost<'static> {
        let plan = self.history.plan_without();
        Cost { plan, key: None, added: 0, freed: plan.freed }
    }

    fn whole_cost<'k>(&self, plan: Plan, key: Option<Key<'k>>, limits: &HubLimits) -> Cost<'k> {
        let key = key.filter(|_| limits.idempotency_keys > 0);
        let added = plan.added + key.map_or(0, |key| keys::weight(key.text));
        let old_key = key.and(self.keys.as_ref()).map_or(0, |keys| keys.would_free(limits.idempotency_keys));
        Cost { plan, key, added, freed: plan.freed + old_key }
    }

    /// Gives the draft the next offset and keeps it, at the cost that was computed for it.
    pub(super) fn append(
        &mut self,
        draft: Draft,
        cost: Cost<'_>,
        now: Instant,
        limits: &HubLimits,
    ) -> Arc<Publication> {
        self.position.offset += 1;
        self.last_used = now;
        let publication = Publication::new(ChannelName::clone(&self.name), self.id, self.position, draft);
        let publication = renewed(self.history.make_room(cost.plan), publication);
        self.history.push(Arc::clone(&publication), now, cost.plan);
        if let Some(Key { text, fingerprint }) = cost.key {
            // With whether it was kept, so that a client that tries again receives the same answer.
            let known = Known { fingerprint, offset: self.position.offset, kept: cost.is_kept(&self.kept) };
            self.keys.get_or_insert_default().remember(text, known, now, limits.idempotency_keys);
        }
        publication
    }

    /// How many of the newest publications that an engine gave for its position it may keep.
    pub(super) fn may_take_in(&self, newest: &[Older], wall_ms: u64) -> usize {
        let (mut offset, mut bytes) = (self.position.offset, 0);
        let fits = |older: &&Older| {
            bytes += older.draft.weight();
            let is_next = older.offset == offset;
            offset = offset.saturating_sub(1);
            is_next && bytes <= self.kept.bytes && since(older, wall_ms) < self.kept.age
        };
        newest.iter().rev().take(self.kept.count as usize).take_while(fits).count()
    }

    /// Keeps one of them, after those before it; its bytes were taken off the total.
    pub(super) fn take_in(&mut self, older: Older, now: Instant, wall_ms: u64) {
        let at = now.checked_sub(since(&older, wall_ms)).unwrap_or(now);
        let plan = Plan { dropped: 0, freed: 0, added: older.draft.weight() };
        let position = Position { offset: older.offset, ..self.position };
        let publication = Publication::new(ChannelName::clone(&self.name), self.id, position, older.draft);
        self.history.push(Arc::new(publication), at, plan);
    }

    /// Takes history and keys out; says how many bytes they had. The caller drops them after the unlock.
    pub(super) fn clear(&mut self) -> (History, Option<Box<Keys>>, usize) {
        let (history, keys) = (self.history.take(), self.keys.take());
        let bytes = history.bytes() + keys.as_ref().map_or(0, |keys| keys.bytes());
        (history, keys, bytes)
    }

    /// Whether nothing but its position would be lost with it.
    pub(super) fn is_idle(&self, now: Instant, limits: &HubLimits) -> bool {
        // Of a shared one the history is elsewhere, and grows whether it is read here or not.
        let is_empty = limits.placement == Placement::Shared || (self.history.is_empty() && self.keys.is_none());
        let unused = self.interest.is_empty() && is_empty;
        unused && now.saturating_duration_since(self.last_used) >= limits.idle_after
    }
}

/// How long ago a publication was published.
fn since(older: &Older, wall_ms: u64) -> Duration {
    Duration::from_millis(wall_ms.saturating_sub(older.at_ms))
}

/// Puts a publication into the memory of an old one that nothing else holds: a full history allocates nothing.
fn renewed(old: Option<Arc<Publication>>, new: Publication) -> Arc<Publication> {
    if let Some(mut old) = old
        && let Some(place) = Arc::get_mut(&mut old)
    {
        *place = new;
        return old;
    }
    Arc::new(new)
}
