//! Counters over all shards that have a limit: taken before the thing exists, given back after it is gone.

use crate::sync::atomic::{AtomicUsize, Ordering};

/// A counter that never passes its limit.
#[derive(Debug)]
pub(super) struct Bounded {
    used: AtomicUsize,
    limit: usize,
}

impl Bounded {
    /// Nothing used yet.
    pub(super) fn new(limit: usize) -> Self {
        Bounded { used: AtomicUsize::new(0), limit }
    }

    /// Takes `amount`, or nothing and says false. Taking nothing always succeeds.
    pub(super) fn take(&self, amount: usize) -> bool {
        // Relaxed, here and below: the counters guard no memory, since what they count changes under its shard's
        // lock.
        let more = |used: usize| used.checked_add(amount).filter(|sum| *sum <= self.limit);
        amount == 0 || self.used.fetch_update(Ordering::Relaxed, Ordering::Relaxed, more).is_ok()
    }

    /// Gives `amount` back.
    pub(super) fn give(&self, amount: usize) {
        // A full history often frees just what it adds. Then nothing is given or taken, and a cache line that all
        // shards share is not written.
        if amount > 0 {
            self.used.fetch_sub(amount, Ordering::Relaxed);
        }
    }

    /// Replaces what is counted for one thing: takes the difference, or gives it back. False when it does not fit.
    pub(super) fn exchange(&self, added: usize, freed: usize) -> bool {
        // At most one of the two is more than nothing, so a refusal has given nothing back.
        self.give(freed.saturating_sub(added));
        self.take(added.saturating_sub(freed))
    }

    /// What could be taken now; another thread may be faster.
    pub(super) fn free(&self) -> usize {
        self.limit.saturating_sub(self.used())
    }

    /// What is taken now.
    pub(super) fn used(&self) -> usize {
        self.used.load(Ordering::Relaxed)
    }
}

/// What was dropped because its time was over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Dropped {
    /// Publications, or idempotency keys.
    pub(super) count: usize,
    /// Their bytes, as they are accounted with.
    pub(super) bytes: usize,
}

/// The hub's totals.
#[derive(Debug)]
pub(super) struct Totals {
    /// Channels alive.
    pub(super) channels: Bounded,
    /// Bytes of histories and idempotency keys.
    pub(super) bytes: Bounded,
}

#[cfg(test)]
mod tests {
    use super::Bounded;

    #[test]
    fn a_bounded_counter_stops_at_its_limit_and_takes_all_or_nothing() {
        let counter = Bounded::new(10);
        assert!(counter.take(10) && !counter.take(1) && counter.free() == 0);
        assert!(counter.take(0), "nothing always fits");
        assert!(counter.exchange(5, 5) && counter.exchange(3, 5));
        assert_eq!(counter.used(), 8);
        assert!(!counter.exchange(7, 4));
        assert_eq!(counter.used(), 8, "a refused exchange changes nothing");
        assert!(!counter.take(usize::MAX), "no overflow");
    }
}
