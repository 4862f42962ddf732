//! How many connections a client has open at a time: counted exactly, by places that give themselves back.

use super::table::Key;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Parts with a lock of their own.
const SHARDS: usize = 16;

/// The counts. Each key with a connection takes about 40 bytes, and one without takes none.
#[derive(Debug, Default)]
pub(super) struct Caps {
    shards: [Mutex<HashMap<Key, u32>>; SHARDS],
}

/// A place among the connections of a client, given back when it is dropped.
#[derive(Debug)]
pub struct Place {
    caps: Arc<Caps>,
    key: Key,
}

impl Caps {
    /// A place for one more connection of a key; `None` when it has `max` already.
    #[must_use]
    pub(super) fn take(self: &Arc<Caps>, key: Key, max: usize) -> Option<Place> {
        let mut counts = self.shard(key);
        let count = counts.get(&key).copied().unwrap_or(0);
        if count as usize >= max {
            return None;
        }
        counts.insert(key, count + 1);
        drop(counts);
        Some(Place { caps: Arc::clone(self), key })
    }

    /// Clients with a connection that is counted.
    #[must_use]
    pub(super) fn clients(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn give_back(&self, key: Key) {
        let mut counts = self.shard(key);
        match counts.get_mut(&key) {
            Some(count) if *count > 1 => *count -= 1,
            _ => drop(counts.remove(&key)),
        }
        // After a storm of clients its memory is given back as well, in steps that cost each of them next to nothing.
        if counts.capacity() > 64 && counts.len() < counts.capacity() / 8 {
            counts.shrink_to_fit();
        }
    }

    fn shard(&self, key: Key) -> MutexGuard<'_, HashMap<Key, u32>> {
        lock(&self.shards[key.spread() % SHARDS])
    }
}

fn lock(shard: &Mutex<HashMap<Key, u32>>) -> MutexGuard<'_, HashMap<Key, u32>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Drop for Place {
    fn drop(&mut self) {
        self.caps.give_back(self.key);
    }
}

#[cfg(test)]
mod tests {
    use super::{Caps, Place};
    use crate::access::limits::table::RateTable;
    use std::sync::Arc;

    #[test]
    fn there_are_as_many_places_as_the_cap_and_each_comes_back_once() {
        let (caps, table) = (Arc::new(Caps::default()), RateTable::new(1));
        let [one, other] = ["one", "other"].map(|name| table.key(name));
        let mut places: Vec<Place> = (0..3).map(|_| caps.take(one, 3).expect("there is room")).collect();
        assert!(caps.take(one, 3).is_none() && caps.take(other, 3).is_some(), "each client has its own");
        assert_eq!(caps.clients(), 1, "a place that was dropped at once is none");
        places.pop();
        places.push(caps.take(one, 3).expect("one came back"));
        assert!(caps.take(one, 3).is_none());
        drop(places);
        assert_eq!(caps.clients(), 0, "nothing is kept of those that have no connection");
        assert!(caps.take(one, 0).is_none());
    }

    #[test]
    fn threads_never_take_more_places_than_there_are() {
        let (caps, table) = (Arc::new(Caps::default()), RateTable::new(1));
        let key = table.key("shared");
        let taken = || (0..100).filter_map(|_| caps.take(key, 150)).collect::<Vec<Place>>();
        let all: Vec<Vec<Place>> = std::thread::scope(|scope| {
            let threads: Vec<_> = (0..4).map(|_| scope.spawn(taken)).collect();
            threads.into_iter().map(|thread| thread.join().expect("it ends")).collect()
        });
        assert_eq!(all.iter().map(Vec::len).sum::<usize>(), 150);
        drop(all);
        assert_eq!(caps.clients(), 0);
    }

    #[test]
    fn memory_of_a_storm_is_given_back() {
        let (caps, table) = (Arc::new(Caps::default()), RateTable::new(1));
        let places: Vec<Place> = (0..100_000).filter_map(|n| caps.take(table.key(n), 1)).collect();
        assert_eq!((places.len(), caps.clients()), (100_000, 100_000));
        drop(places);
        let capacity: usize = caps.shards.iter().map(|shard| super::lock(shard).capacity()).sum();
        assert!(capacity <= 128 * super::SHARDS, "room for {capacity} is kept");
    }
}
