//! Idempotency keys of a log: what was published under them, bounded by count and time, as the log gives them back at a start.

use crate::store::ChannelNo;
use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

/// Keys of all channels together: about 150 bytes each with one of 36 characters.
const KEYS_MAX: usize = 1_000_000;

/// See the module.
#[derive(Debug)]
pub(super) struct Keys {
    channels: HashMap<ChannelNo, OfChannel>,
    /// One for each key that was remembered, the oldest first. Its channel may have forgotten it already.
    order: VecDeque<(u64, ChannelNo)>,
    per_channel: usize,
}

#[derive(Debug, Default)]
struct OfChannel {
    known: HashMap<Arc<str>, Known>,
    /// When each is over, the oldest first.
    order: VecDeque<(u64, Arc<str>)>,
}

/// What was published under a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Known {
    /// The hash of it.
    pub(super) fingerprint: u128,
    /// Its offset.
    pub(super) offset: u64,
    /// When the key may be used for another publication, in milliseconds since 1970.
    pub(super) expires_ms: u64,
}

impl Keys {
    /// At most so many in each channel.
    pub(super) fn new(per_channel: usize) -> Keys {
        Keys { channels: HashMap::new(), order: VecDeque::new(), per_channel }
    }

    /// What was published under a key, if its time is not over.
    pub(super) fn find(&self, channel: ChannelNo, key: &str, now_ms: u64) -> Option<Known> {
        let known = self.channels.get(&channel)?.known.get(key)?;
        (known.expires_ms > now_ms).then_some(*known)
    }

    /// Remembers a key; the oldest of its channel makes room, and so does the oldest of all.
    pub(super) fn remember(&mut self, channel: ChannelNo, key: &str, known: Known) {
        if self.per_channel == 0 {
            return;
        }
        if self.order.len() >= KEYS_MAX
            && let Some((_, oldest)) = self.order.pop_front()
        {
            self.drop_oldest(oldest, u64::MAX);
        }
        let of_channel = self.channels.entry(channel).or_default();
        if of_channel.order.len() >= self.per_channel {
            of_channel.pop();
        }
        let key: Arc<str> = key.into();
        of_channel.order.push_back((known.expires_ms, Arc::clone(&key)));
        of_channel.known.insert(key, known);
        self.order.push_back((known.expires_ms, channel));
    }

    /// Forgets the newest key of a channel again: what was to be published under it was not.
    pub(super) fn take_back(&mut self, channel: ChannelNo, key: &str) {
        if let Some(of_channel) = self.channels.get_mut(&channel)
            && of_channel.known.remove(key).is_some()
        {
            of_channel.order.retain(|(_, text)| **text != *key);
        }
    }

    /// Forgets what is over.
    pub(super) fn expire(&mut self, now_ms: u64) {
        while let Some((expires, channel)) = self.order.front().copied() {
            if expires > now_ms {
                return;
            }
            self.order.pop_front();
            self.drop_oldest(channel, now_ms);
        }
    }

    /// How many are remembered, or were a moment ago.
    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// Forgets the oldest key of a channel, if its time is over by then.
    fn drop_oldest(&mut self, channel: ChannelNo, now_ms: u64) {
        let Some(of_channel) = self.channels.get_mut(&channel) else { return };
        if of_channel.order.front().is_some_and(|(expires, _)| *expires <= now_ms) {
            of_channel.pop();
        }
        if of_channel.order.is_empty() {
            self.channels.remove(&channel);
        }
    }
}

impl OfChannel {
    fn pop(&mut self) {
        if let Some((_, key)) = self.order.pop_front() {
            self.known.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Keys, Known};
    use crate::store::ChannelNo;

    #[test]
    fn keys_are_bounded_by_count_and_time() {
        let (mut keys, one, two) = (Keys::new(2), ChannelNo::new(1), ChannelNo::new(2));
        let known = |offset| Known { fingerprint: 7, offset, expires_ms: 100 + offset };
        for (offset, key) in [(1, "a"), (2, "b"), (3, "c")] {
            keys.remember(one, key, known(offset));
        }
        keys.remember(two, "a", known(100));
        assert_eq!((keys.find(one, "a", 0), keys.find(one, "b", 0)), (None, Some(known(2))));
        assert_eq!((keys.find(one, "b", 102), keys.find(one, "c", 102)), (None, Some(known(3))));
        keys.take_back(one, "c");
        assert_eq!(keys.find(one, "c", 0), None);
        keys.expire(150);
        assert_eq!((keys.len(), keys.channels.len(), keys.find(two, "a", 150)), (1, 1, Some(known(100))));
        keys.expire(200);
        assert!(keys.len() == 0 && keys.channels.is_empty());
        let mut none = Keys::new(0);
        none.remember(one, "a", known(1));
        assert_eq!((none.find(one, "a", 0), none.len()), (None, 0));
    }
}
