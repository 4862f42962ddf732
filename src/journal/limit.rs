//! How often something may be logged: a rate with a burst, and once a minute for each key. The time is an argument.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// How long the same key is not logged again, in milliseconds.
const AGAIN_AFTER_MS: u64 = 60_000;
/// How many keys are remembered. A key that replaces another only makes that one be logged again.
const PLACES: usize = 256;

/// A rate: a burst, and then one event per interval.
#[derive(Debug, Clone, Copy)]
pub struct Rate {
    /// How many events may come at once. At least 1.
    pub burst: u64,
    /// The time after which one more may come, in milliseconds.
    pub every_ms: u64,
}

/// The account of one kind. All threads share it, without a lock.
#[derive(Debug, Default)]
pub struct Limit {
    /// When the whole burst is available again: the only number that a token bucket needs.
    free_at_ms: AtomicU64,
    left_out: AtomicU64,
}

impl Limit {
    /// Admits one event, with the number of those left out before it, or counts it as left out.
    pub fn admit(&self, rate: Rate, now_ms: u64) -> Option<u64> {
        let next = |free_at: u64| {
            // Never before now: quiet time earns no more than the burst.
            let from = free_at.max(now_ms);
            (from - now_ms <= (rate.burst - 1) * rate.every_ms).then(|| from + rate.every_ms)
        };
        if self.free_at_ms.fetch_update(Relaxed, Relaxed, next).is_ok() {
            Some(self.take_left_out())
        } else {
            self.leave_out(1);
            None
        }
    }

    /// Counts some as left out.
    pub fn leave_out(&self, events: u64) {
        self.left_out.fetch_add(events, Relaxed);
    }

    /// How many were left out since the last call.
    pub fn take_left_out(&self) -> u64 {
        // A load first: it leaves the cache line with all threads, where a swap would take it from them.
        if self.left_out.load(Relaxed) == 0 { 0 } else { self.left_out.swap(0, Relaxed) }
    }
}

/// The keys that were logged in the last minute, in memory of a fixed size.
#[derive(Debug)]
pub struct Recent {
    /// In each place half of a key's hash, and the second after the start at which it was logged, plus one.
    places: [AtomicU64; PLACES],
    /// Seeded, so that no client can choose a key that hides another.
    hasher: RandomState,
}

impl Default for Recent {
    fn default() -> Recent {
        Recent { places: std::array::from_fn(|_| AtomicU64::new(0)), hasher: RandomState::new() }
    }
}

impl Recent {
    /// Whether this key was not seen in the last minute. Marks it as seen.
    pub fn is_news(&self, key: impl Hash, now_ms: u64) -> bool {
        let hash = self.hasher.hash_one(key);
        let place = &self.places[hash as usize % PLACES];
        let next = |held: u64| {
            // Stored plus one, so that an empty place is not taken for one of the first second.
            let said_ms = (held & u64::from(u32::MAX)).saturating_sub(1) * 1000;
            let is_held = held != 0 && held >> 32 == hash >> 32 && now_ms < said_ms + AGAIN_AFTER_MS;
            (!is_held).then(|| (hash >> 32) << 32 | ((now_ms / 1000 + 1) & u64::from(u32::MAX)))
        };
        place.fetch_update(Relaxed, Relaxed, next).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::{Limit, Rate, Recent};

    const RATE: Rate = Rate { burst: 3, every_ms: 1000 };

    #[test]
    fn a_burst_passes_then_one_a_second_and_the_next_says_how_many_were_left_out() {
        let limit = Limit::default();
        let at_once: Vec<_> = (0..5).map(|_| limit.admit(RATE, 10)).collect();
        assert_eq!(at_once, [Some(0), Some(0), Some(0), None, None]);
        assert_eq!(limit.admit(RATE, 1009), None);
        assert_eq!(limit.admit(RATE, 1010), Some(3));
        assert_eq!(limit.admit(RATE, 1010), None);
        assert_eq!((limit.take_left_out(), limit.take_left_out()), (1, 0));
    }

    #[test]
    fn quiet_time_gives_no_more_than_the_burst() {
        let limit = Limit::default();
        assert_eq!(limit.admit(RATE, 0), Some(0));
        let later: Vec<_> = (0..4).map(|_| limit.admit(RATE, 3_600_000).is_some()).collect();
        assert_eq!(later, [true, true, true, false]);
    }

    #[test]
    fn a_clock_that_is_behind_lets_no_more_through() {
        let limit = Limit::default();
        (0..3).for_each(|_| assert!(limit.admit(RATE, 5000).is_some()));
        assert_eq!(limit.admit(RATE, 4000), None, "another thread's tick may be older");
    }

    #[test]
    fn one_key_is_news_once_a_minute_and_hides_no_other() {
        let recent = Recent::default();
        assert!(recent.is_news(("https://a.example", 1), 0), "also in the first second");
        assert!(!recent.is_news(("https://a.example", 1), 59_999));
        assert!(recent.is_news(("https://a.example", 2), 59_999));
        assert!(recent.is_news(("https://a.example", 1), 60_000));
        assert!(!recent.is_news(("https://a.example", 1), 60_001));
    }

    #[test]
    fn a_flood_of_keys_takes_no_memory_and_is_news_each_time() {
        let recent = Recent::default();
        assert_eq!((0..10_000).filter(|key| recent.is_news(key, 1)).count(), 10_000);
    }
}
