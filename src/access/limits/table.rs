//! Rates by key in memory of a fixed size, shared by all threads: what is idle for longest makes room.

use super::gcra::{Moment, Pace, RetryAfter};
use std::hash::{BuildHasher as _, Hash, RandomState};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Parts with a lock of their own, so that threads rarely meet.
const SHARDS: usize = 64;
/// Keys that share a place. Among so many a place is found for a key though the table is half full of busy ones, but for one
/// in 300.
const WAYS: usize = 16;

/// Keys, and for each the moment at which its burst is whole again. Two arrays of numbers, so that memory for many comes from
/// the kernel as zeros and takes nothing before it is used. A key of 0 is vacant.
type Set = [[u64; WAYS]; 2];

/// What an allowance belongs to, as 64 bits of a hash whose key nobody knows. Two of a million share one by a chance of one in
/// 30 million, and would then share their allowance.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Key(u64);

impl Key {
    /// A number that is spread evenly.
    pub(super) fn spread(self) -> usize {
        self.0 as usize
    }
}

/// See the module.
#[derive(Debug)]
pub struct RateTable {
    shards: Box<[Shard]>,
    sets_of_shard: usize,
    /// Secret, so that nobody chooses names that push a certain other one out.
    hasher: RandomState,
    /// Keys that were pushed out before their burst was whole.
    evicted: AtomicU64,
}

/// On a cache line of its own: the locks of two shards are taken by different threads.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Shard(Mutex<Vec<Set>>);

impl RateTable {
    /// A table for `keys`, rounded up to what its sets hold.
    #[must_use]
    pub fn new(keys: usize) -> RateTable {
        RateTable {
            shards: (0..SHARDS).map(|_| Shard::default()).collect(),
            sets_of_shard: keys.div_ceil(SHARDS * WAYS).max(1),
            hasher: RandomState::new(),
            evicted: AtomicU64::new(0),
        }
    }

    /// The key of a subject, which says of whom and of what the allowance is.
    #[must_use]
    #[inline]
    pub fn key(&self, subject: impl Hash) -> Key {
        // 0 is a vacant place.
        Key(self.hasher.hash_one(subject).max(1))
    }

    /// [`Pace::check`] of a key.
    ///
    /// # Errors
    /// It is too much for now. Nothing was taken.
    #[inline]
    pub fn check(&self, key: Key, pace: &Pace, now: Moment, cost: u64) -> Result<(), RetryAfter> {
        self.with(key, now, |whole_at| pace.check(whole_at, now, cost))
    }

    /// [`Pace::charge`] of a key.
    #[inline]
    pub fn charge(&self, key: Key, pace: &Pace, now: Moment, cost: u64) -> Duration {
        self.with(key, now, |whole_at| pace.charge(whole_at, now, cost))
    }

    /// [`Pace::give_back`] of a key.
    pub fn give_back(&self, key: Key, pace: &Pace, now: Moment, cost: u64) {
        self.with(key, now, |whole_at| pace.give_back(whole_at, cost));
    }

    /// How long a key has to wait for one more.
    #[must_use]
    pub fn wait(&self, key: Key, pace: &Pace, now: Moment) -> Duration {
        let asked = self.with(key, now, |whole_at| pace.check(&mut whole_at.clone(), now, 1));
        asked.err().map_or(Duration::ZERO, |RetryAfter(wait)| wait)
    }

    /// Keys whose burst is not whole now: all others might as well not be there.
    #[must_use]
    pub fn busy(&self, now: Moment) -> usize {
        let in_set = |[_, whole_at]: &Set| whole_at.iter().filter(|at| **at > now.0).count();
        self.shards.iter().map(|shard| shard.lock().iter().map(in_set).sum::<usize>()).sum()
    }

    /// How many keys were pushed out before their burst was whole.
    #[must_use]
    pub fn evicted(&self) -> u64 {
        self.evicted.load(Relaxed)
    }

    /// Acts on the state of a key, which is made if there is none.
    #[inline]
    fn with<T>(&self, Key(key): Key, now: Moment, act: impl FnOnce(&mut u64) -> T) -> T {
        let mut sets = self.shards[key as usize % SHARDS].lock();
        if sets.is_empty() {
            *sets = vec![[[0; WAYS]; 2]; self.sets_of_shard];
        }
        // By the high bits: the low ones have chosen the shard.
        let set = ((u128::from(key) * self.sets_of_shard as u128) >> 64) as usize;
        let [keys, whole_at] = &mut sets[set];
        let place = match keys.iter().position(|held| *held == key) {
            Some(place) => place,
            None => {
                // The first that is whole has been idle for longest, and what is not vacant is later than what is. Where none
                // is whole, the one with the least to lose goes.
                let oldest = (0..WAYS).min_by_key(|place| whole_at[*place]).unwrap_or(0);
                if whole_at[oldest] > now.0 {
                    self.evicted.fetch_add(1, Relaxed);
                }
                (keys[oldest], whole_at[oldest]) = (key, 0);
                oldest
            }
        };
        act(&mut whole_at[place])
    }
}

impl Shard {
    fn lock(&self) -> MutexGuard<'_, Vec<Set>> {
        // A panic in the middle leaves numbers, whatever they are.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::{Key, RateTable, SHARDS, Set, WAYS};
    use crate::access::limits::gcra::{Moment, Pace};
    use crate::config::{Counted, Rate};
    use std::collections::HashMap;
    use std::sync::Arc;

    fn pace(text: &str) -> Pace {
        Pace::from(&Rate::parse(text, Counted::Pieces).expect("a rate").expect("not off"))
    }

    fn at_s(seconds: u64) -> Moment {
        Moment(seconds * 64_000_000_000)
    }

    /// Keys of one set of a table with one set in each shard.
    fn keys_of_a_set(count: usize) -> Vec<Key> {
        (1..=count).map(|n| Key((n * SHARDS) as u64)).collect()
    }

    #[test]
    fn each_key_has_its_own_allowance() {
        let (table, pace) = (RateTable::new(1000), pace("1/s burst 2"));
        let [one, other] = ["one", "other"].map(|name| table.key(name));
        assert_eq!(one, table.key("one"));
        let outcomes = [one, one, one, other].map(|key| table.check(key, &pace, at_s(1), 1).is_ok());
        assert_eq!(outcomes, [true, true, false, true]);
        assert_eq!((table.busy(at_s(1)), table.busy(at_s(2)), table.busy(at_s(3))), (2, 1, 0));
        table.give_back(one, &pace, at_s(1), 1);
        assert!(table.check(one, &pace, at_s(1), 1).is_ok());
    }

    #[test]
    fn the_oldest_idle_key_makes_room_and_no_busy_one_while_one_is_idle() {
        let (table, pace) = (RateTable::new(1), pace("1/s burst 100"));
        let keys = keys_of_a_set(WAYS + 2);
        // All but the third will be busy for a long time; the third is idle after a second.
        for (at, key) in keys[..WAYS].iter().enumerate() {
            let cost = if at == 2 { 1 } else { 50 + at as u64 };
            assert!(table.check(*key, &pace, at_s(0), cost).is_ok());
        }
        assert!(table.check(keys[WAYS], &pace, at_s(2), 99).is_ok());
        assert_eq!(table.evicted(), 0, "what is idle is equal to none");
        let is_kept = |key: Key| table.check(key, &pace, at_s(2), 100).is_err();
        assert!((0..WAYS).filter(|at| *at != 2).all(|at| is_kept(keys[at])));
        // None is idle: the one that would be first loses what it owes.
        assert!(table.check(keys[WAYS + 1], &pace, at_s(2), 99).is_ok());
        assert_eq!(table.evicted(), 1);
        assert!((1..WAYS).filter(|at| *at != 2).all(|at| is_kept(keys[at])), "but not the others");
    }

    #[test]
    fn a_flood_of_keys_takes_no_more_memory_than_the_bound() {
        let (table, pace) = (RateTable::new(2000), pace("1/d burst 2"));
        for n in 0..50_000 {
            assert!(table.check(table.key(n), &pace, at_s(0), 1).is_ok(), "a new key has its allowance");
        }
        let sets: usize = table.shards.iter().map(|shard| shard.lock().capacity()).sum();
        assert_eq!((sets * WAYS, size_of::<Set>()), (2048, 16 * WAYS), "16 bytes a key");
        assert_eq!((table.busy(at_s(0)), table.evicted()), (2048, 50_000 - 2048));
    }

    /// A map that forgets nothing, and a table that is large enough, agree about a crowd of keys.
    #[test]
    fn a_table_that_is_large_enough_forgets_nothing() {
        let (table, pace) = (RateTable::new(100_000), pace("5/s burst 3"));
        let mut model: HashMap<u64, u64> = HashMap::new();
        let mut draw = 1_u64;
        for step in 0..200_000_u64 {
            draw = draw.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let (subject, now) = (draw >> 50, Moment(step * 64_000_000));
            let expected = pace.check(model.entry(subject).or_default(), now, 1);
            assert_eq!(table.check(table.key(subject), &pace, now, 1), expected);
        }
        assert_eq!(table.evicted(), 0);
    }

    #[test]
    fn threads_that_share_a_key_share_its_allowance() {
        let (table, pace) = (Arc::new(RateTable::new(1000)), pace("1000/d"));
        let passed = |table: &RateTable| {
            (0..1000).filter(|_| table.check(table.key("shared"), &pace, at_s(0), 1).is_ok()).count()
        };
        let all: usize = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(|| passed(&table))).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).sum()
        });
        assert_eq!(all, 1000);
    }
}
