//! The newest publications of one channel, contiguous, bounded by count, bytes and age.

use super::limits::HistoryLimits;
use super::publication::Publication;
use super::totals::Dropped;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The ring: its publications have consecutive offsets and the newest is the channel's newest, unless it is empty.
#[derive(Debug, Default)]
pub(super) struct History {
    ring: VecDeque<Kept>,
    bytes: usize,
}

#[derive(Debug)]
struct Kept {
    at: Instant,
    publication: Arc<Publication>,
}

/// What keeping one more publication comes to: made before anything happens, so that totals can be checked first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Plan {
    /// How many of the oldest are dropped for it.
    pub(super) dropped: usize,
    /// Their bytes.
    pub(super) freed: usize,
    /// Bytes it adds: 0 when it is too large to be kept at all.
    pub(super) added: usize,
}

impl History {
    /// Plans for one more publication of `weight` bytes.
    #[must_use]
    pub(super) fn plan(&self, weight: usize, limits: &HistoryLimits) -> Plan {
        // Asked first: `plan_until` would drop everything and then keep it all the same.
        if weight > limits.bytes || limits.count == 0 {
            return self.plan_without();
        }
        self.plan_until(weight, |dropped, freed| {
            let few = self.ring.len() - dropped < limits.count as usize;
            few && self.bytes - freed + weight <= limits.bytes
        })
    }

    /// The same when there are only `free` bytes besides its own, and `others` are needed besides the publication's: it
    /// gives up its oldest as if it were full itself, and keeps nothing if even that is not enough.
    #[must_use]
    pub(super) fn plan_within(&self, weight: usize, others: usize, limits: &HistoryLimits, free: usize) -> Plan {
        // Without the others, which are not in the history and so not under its limit.
        let least = self.plan(weight, limits);
        let needed = weight + others;
        // The same: all of its own bytes and the free ones would not be enough, and `plan_until` does not notice.
        if least.added == 0 || self.bytes + free < needed {
            return self.plan_without();
        }
        self.plan_until(weight, |dropped, freed| dropped >= least.dropped && freed + free >= needed)
    }

    /// Plans for one more publication that is not kept. The others go with it: a history has no holes.
    #[must_use]
    pub(super) fn plan_without(&self) -> Plan {
        Plan { dropped: self.ring.len(), freed: self.bytes, added: 0 }
    }

    /// Drops the oldest until it is enough.
    fn plan_until(&self, weight: usize, is_enough: impl Fn(usize, usize) -> bool) -> Plan {
        let (mut dropped, mut freed) = (0, 0);
        for kept in &self.ring {
            if is_enough(dropped, freed) {
                break;
            }
            dropped += 1;
            freed += kept.publication.weight();
        }
        Plan { dropped, freed, added: weight }
    }

    /// Takes out what makes room for one more, as planned; returns the last of it, whose memory can be used again.
    pub(super) fn make_room(&mut self, plan: Plan) -> Option<Arc<Publication>> {
        let others = plan.dropped.checked_sub(1)?;
        self.drop_oldest(others);
        let last = self.ring.pop_front()?.publication;
        self.bytes -= last.weight();
        Some(last)
    }

    /// Keeps a publication as planned, when room was made for it.
    pub(super) fn push(&mut self, publication: Arc<Publication>, at: Instant, plan: Plan) {
        if plan.added > 0 {
            self.bytes += plan.added;
            self.ring.push_back(Kept { at, publication });
        }
    }

    /// Drops at most `max` publications that are older than `age`.
    pub(super) fn expire(&mut self, now: Instant, age: Duration, max: usize) -> Dropped {
        let old = |kept: &&Kept| now.saturating_duration_since(kept.at) >= age;
        // From the front only, since a history has no holes. Threads bring a `now` of their own, so one further in
        // may be older by a tick, and waits.
        let count = self.ring.iter().take(max).take_while(old).count();
        let before = self.bytes;
        self.drop_oldest(count);
        if count > 0 && self.ring.is_empty() {
            // Gives the ring's memory back: a quiet channel costs no more than an empty one.
            self.ring = VecDeque::new();
        }
        Dropped { count, bytes: before - self.bytes }
    }

    /// All publications after `offset`, oldest first; `None` when the first of them is gone.
    /// Only for an offset below the channel's current one.
    #[must_use]
    pub(super) fn since(&self, offset: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Publication>>> {
        let first = self.ring.front()?.publication.offset();
        let skip = usize::try_from(offset.checked_add(1)?.checked_sub(first)?).ok()?;
        (skip < self.ring.len()).then(|| self.ring.range(skip..).map(|kept| &kept.publication))
    }

    /// The publications, newest first.
    pub(super) fn newest(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.ring.iter().rev().map(|kept| &kept.publication)
    }

    /// The publications, oldest first.
    pub(super) fn oldest(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.ring.iter().map(|kept| &kept.publication)
    }

    /// Takes everything out.
    pub(super) fn take(&mut self) -> History {
        std::mem::take(self)
    }

    /// Takes out what stands at `offset` and before it.
    pub(super) fn take_until(&mut self, offset: u64) -> History {
        let count = self.ring.iter().take_while(|kept| kept.publication.offset() <= offset).count();
        let newer = self.ring.split_off(count);
        let ring = std::mem::replace(&mut self.ring, newer);
        let bytes = ring.iter().map(|kept| kept.publication.weight()).sum();
        self.bytes -= bytes;
        History { ring, bytes }
    }

    /// The offset of the oldest.
    #[must_use]
    pub(super) fn first(&self) -> Option<u64> {
        Some(self.ring.front()?.publication.offset())
    }

    /// Bytes kept.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Publications kept.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.ring.len()
    }

    /// Whether none is kept.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.ring.is_empty()
    }

    fn drop_oldest(&mut self, count: usize) {
        for kept in self.ring.drain(..count.min(self.ring.len())) {
            self.bytes -= kept.publication.weight();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::History;
    use crate::hub::limits::{HistoryLimits, HubLimits};
    use crate::hub::publication::{Draft, Publication};
    use crate::hub::totals::Dropped;
    use crate::model::ids::ChannelId;
    use crate::model::publication::{Data, Epoch, Position};
    use std::sync::Arc;
    use std::time::{Duration, Instant};

    fn publication(offset: u64, bytes: usize) -> Arc<Publication> {
        let position = Position { epoch: Epoch::from_random(1), offset };
        let draft = Draft { data: Data::Json(vec![b'1'; bytes].into()), event: None, time: None };
        Arc::new(Publication::new("c".try_into().expect("a name"), ChannelId(0), position, draft))
    }

    fn keep(history: &mut History, publication: &Arc<Publication>, at: Instant, limits: &HistoryLimits) {
        let plan = history.plan(publication.weight(), limits);
        let before = history.bytes();
        history.make_room(plan);
        history.push(Arc::clone(publication), at, plan);
        assert_eq!(history.bytes(), before - plan.freed + plan.added);
    }

    fn offsets(history: &History) -> Vec<u64> {
        let mut offsets: Vec<u64> = history.newest().map(|publication| publication.offset()).collect();
        offsets.reverse();
        offsets
    }

    #[test]
    fn the_ring_is_bounded_by_count_and_bytes() {
        let one = publication(1, 100).weight();
        let limits = HistoryLimits { count: 4, bytes: 3 * one + 1, ..HubLimits::default().history() };
        let (mut history, now) = (History::default(), Instant::now());
        for offset in 1..=6 {
            keep(&mut history, &publication(offset, 100), now, &limits);
        }
        assert_eq!(offsets(&history), [4, 5, 6], "by bytes");
        for offset in 7..=12 {
            keep(&mut history, &publication(offset, 0), now, &limits);
        }
        assert!(history.len() <= 4 && history.bytes() <= limits.bytes);
        assert_eq!(history.newest().next().map(|newest| newest.offset()), Some(12));
    }

    #[test]
    fn with_little_room_elsewhere_a_history_gives_up_its_own_oldest_or_keeps_nothing() {
        let one = publication(1, 100).weight();
        let (mut history, now, limits) = (History::default(), Instant::now(), HubLimits::default().history());
        for offset in 1..=4 {
            keep(&mut history, &publication(offset, 100), now, &limits);
        }
        for (free, dropped) in [(one, 0), (one - 1, 1), (0, 1), (usize::MAX / 2, 0)] {
            let plan = history.plan_within(one, 0, &limits, free);
            assert_eq!((plan.dropped, plan.freed, plan.added), (dropped, dropped * one, one), "{free}");
        }
        let large = 3 * one + 1;
        assert_eq!(history.plan_within(large, 0, &limits, 0).dropped, 4);
        assert_eq!(history.plan_within(large, 0, &limits, 1).dropped, 3);
        for (weight, free) in [(4 * one + 1, 0), (4 * one + 2, 1), (limits.bytes + 1, usize::MAX / 2)] {
            let plan = history.plan_within(weight, 0, &limits, free);
            assert_eq!((plan.dropped, plan.freed, plan.added), (4, 4 * one, 0), "{weight} of {free}");
        }
        let few = HistoryLimits { count: 2, ..limits };
        assert_eq!(history.plan_within(one, 0, &few, 0).dropped, 3, "its own limits hold as well");
    }

    #[test]
    fn a_publication_too_large_to_keep_leaves_no_hole() {
        let limits = HistoryLimits { bytes: 1_000, ..HubLimits::default().history() };
        let (mut history, now) = (History::default(), Instant::now());
        keep(&mut history, &publication(1, 10), now, &limits);
        keep(&mut history, &publication(2, 1_000), now, &limits);
        assert!(history.is_empty() && history.bytes() == 0);
        assert!(history.since(0).is_none() && history.since(1).is_none());
        keep(&mut history, &publication(3, 10), now, &limits);
        assert_eq!(offsets(&history), [3]);
    }

    #[test]
    fn since_gives_everything_after_it_or_nothing() {
        let (mut history, now) = (History::default(), Instant::now());
        let limits = HistoryLimits { count: 3, ..HubLimits::default().history() };
        for offset in 1..=5 {
            keep(&mut history, &publication(offset, 1), now, &limits);
        }
        let read = |since| history.since(since).map(|some| some.map(|one| one.offset()).collect::<Vec<_>>());
        assert_eq!(read(2), Some(vec![3, 4, 5]));
        assert_eq!(read(4), Some(vec![5]));
        assert_eq!((read(1), read(0), read(5), read(u64::MAX)), (None, None, None, None));
    }

    #[test]
    fn expiry_is_by_age_and_bounded() {
        let (mut history, start) = (History::default(), Instant::now());
        let (limits, second) = (HubLimits::default().history(), Duration::from_secs(1));
        for offset in 1..=5 {
            keep(&mut history, &publication(offset, 1), start + second * offset as u32, &limits);
        }
        let Dropped { count, bytes } = history.expire(start + second * 13, second * 10, 2);
        assert_eq!((count, offsets(&history)), (2, vec![3, 4, 5]));
        assert_eq!(bytes, 2 * publication(1, 1).weight());
        assert_eq!(history.expire(start + second * 13, second * 10, 9).count, 1);
        assert_eq!(history.expire(start, second * 10, 9).count, 0, "time before the stamp is no age");
    }
}
