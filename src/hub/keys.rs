//! The idempotency keys of one channel: what was published under them, bounded by count and age.

use super::totals::Dropped;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

/// What a key costs besides its text: its places in the map and in the queue.
const OVERHEAD: usize = 128;

/// The keys, oldest first in `order`.
#[derive(Debug, Default)]
pub(super) struct Keys {
    known: HashMap<Arc<str>, Known>,
    order: VecDeque<(Instant, Arc<str>)>,
    bytes: usize,
}

/// What was published under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// A hash of the body.
    pub(super) fingerprint: u64,
    /// The offset it got.
    pub(super) offset: u64,
    /// Whether it was kept in the history.
    pub(super) kept: bool,
}

/// Bytes that a key is accounted with.
#[must_use]
pub(super) fn weight(key: &str) -> usize {
    OVERHEAD + key.len()
}

impl Keys {
    /// What was published under `key`, if it is still remembered.
    #[must_use]
    pub(super) fn find(&self, key: &str) -> Option<Known> {
        self.known.get(key).copied()
    }

    /// Bytes that remembering one more key would free: those of the oldest, when there are `max` already.
    #[must_use]
    pub(super) fn would_free(&self, max: usize) -> usize {
        // The condition of `remember`: the total is changed by this number before the key is taken in.
        let oldest = self.order.front().filter(|_| self.order.len() >= max);
        oldest.map_or(0, |(_, key)| weight(key))
    }

    /// Remembers a key that is not known yet, forgetting the oldest when there are `max` already. `max` is above 0.
    pub(super) fn remember(&mut self, key: &str, known: Known, now: Instant, max: usize) {
        // One is enough: the limit is the same for the life of the hub.
        if self.order.len() >= max {
            self.forget_oldest();
        }
        // The map and the queue share the text, which `weight` counts once.
        let key: Arc<str> = key.into();
        self.bytes += weight(&key);
        self.order.push_back((now, Arc::clone(&key)));
        self.known.insert(key, known);
    }

    /// Forgets at most `max` keys that are older than `ttl`.
    pub(super) fn expire(&mut self, now: Instant, ttl: Duration, max: usize) -> Dropped {
        let (mut count, before) = (0, self.bytes);
        let old = |keys: &Keys| keys.order.front().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= ttl);
        while count < max && old(self) {
            self.forget_oldest();
            count += 1;
        }
        Dropped { count, bytes: before - self.bytes }
    }

    /// Bytes that the keys are accounted with.
    #[must_use]
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Whether none is remembered.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.order.is_empty()
    }

    fn forget_oldest(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.bytes -= weight(&key);
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Dropped, Keys, Known, weight};
    use std::time::{Duration, Instant};

    #[test]
    fn keys_are_bounded_by_count_and_age_and_their_bytes_return_to_zero() {
        let (mut keys, start, second) = (Keys::default(), Instant::now(), Duration::from_secs(1));
        for (place, key) in ["a", "b", "c", "d"].into_iter().enumerate() {
            assert_eq!(keys.would_free(3), if place == 3 { weight("a") } else { 0 });
            let known = Known { fingerprint: 0, offset: place as u64 + 1, kept: true };
            keys.remember(key, known, start + second * place as u32, 3);
        }
        assert_eq!(keys.bytes(), 3 * weight("b"));
        assert_eq!((keys.find("a"), keys.find("b").map(|known| known.offset)), (None, Some(2)));
        assert_eq!(keys.expire(start + second * 12, second * 10, 9), Dropped { count: 2, bytes: 2 * weight("b") });
        assert_eq!(keys.find("d").map(|known| known.offset), Some(4));
        assert_eq!(keys.expire(start + second * 99, second * 10, 9).count, 1);
        assert!(keys.is_empty() && keys.bytes() == 0);
    }
}
