//! Positions of forgotten channels, so that a channel that comes back goes on where it was.

use crate::model::name::ChannelName;
use crate::model::publication::Position;
use std::collections::{BTreeMap, HashMap};
use std::time::{Duration, Instant};

/// The positions of one shard, bounded by count and age.
#[derive(Debug)]
pub(super) struct Positions {
    by_name: HashMap<ChannelName, (u64, Position)>,
    /// In the order in which they were left: serial number → when, and whose.
    order: BTreeMap<u64, (Instant, ChannelName)>,
    serial: u64,
    max: usize,
    ttl: Duration,
}

impl Positions {
    /// At most `max` positions, each for `ttl`.
    #[must_use]
    pub(super) fn new(max: usize, ttl: Duration) -> Self {
        Positions { by_name: HashMap::new(), order: BTreeMap::new(), serial: 0, max, ttl }
    }

    /// Remembers the position of a channel that is forgotten; the oldest makes room.
    pub(super) fn leave(&mut self, name: ChannelName, position: Position, now: Instant) {
        // Its older position would go on to hold a place in the order.
        self.remove(&name);
        // Where none may be remembered (`max` is 0) it ends because there is none to forget.
        while self.by_name.len() >= self.max && self.forget_oldest() {}
        if self.max > 0 {
            self.serial += 1;
            self.order.insert(self.serial, (now, ChannelName::clone(&name)));
            self.by_name.insert(name, (self.serial, position));
        }
    }

    /// The position that a channel left, if it has not expired.
    #[must_use]
    pub(super) fn find(&self, name: &str, now: Instant) -> Option<Position> {
        let (serial, position) = self.by_name.get(name)?;
        let (at, _) = self.order.get(serial)?;
        // Asked here too, since the sweep may not have come to it yet.
        (now.saturating_duration_since(*at) < self.ttl).then_some(*position)
    }

    /// Forgets a position; says whether there was one.
    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some((serial, _)) = self.by_name.remove(name) else {
            return false;
        };
        // From anywhere in the order, which is why that is a map by serial number and no queue.
        self.order.remove(&serial).is_some()
    }

    /// Forgets at most `max` positions whose time is over; says how many.
    pub(super) fn expire(&mut self, now: Instant, max: usize) -> usize {
        let mut count = 0;
        while count < max && self.oldest_is_over(now) {
            self.forget_oldest();
            count += 1;
        }
        count
    }

    /// Positions remembered.
    #[must_use]
    pub(super) fn len(&self) -> usize {
        self.by_name.len()
    }

    fn oldest_is_over(&self, now: Instant) -> bool {
        self.order.values().next().is_some_and(|(at, _)| now.saturating_duration_since(*at) >= self.ttl)
    }

    fn forget_oldest(&mut self) -> bool {
        let oldest = self.order.pop_first();
        oldest.is_some_and(|(_, (_, name))| self.by_name.remove(&name).is_some())
    }
}

#[cfg(test)]
mod tests {
    use super::Positions;
    use crate::model::publication::{Epoch, Position};
    use std::time::{Duration, Instant};

    fn position(offset: u64) -> Position {
        Position { epoch: Epoch::from_random(offset), offset }
    }

    #[test]
    fn a_position_is_found_until_its_time_is_over_or_newer_ones_push_it_out() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut positions = Positions::new(2, second * 10);
        positions.leave("a".try_into().expect("a name"), position(1), start);
        positions.leave("b".try_into().expect("a name"), position(2), start + second);
        assert_eq!(positions.find("a", start + second * 9), Some(position(1)));
        assert_eq!(positions.find("a", start + second * 10), None);
        positions.leave("a".try_into().expect("a name"), position(3), start + second * 2);
        assert_eq!((positions.len(), positions.find("a", start + second * 11)), (2, Some(position(3))));
        positions.leave("c".try_into().expect("a name"), position(4), start + second * 3);
        assert_eq!((positions.len(), positions.find("b", start)), (2, None), "the oldest made room");
        assert_eq!(positions.expire(start + second * 60, 1), 1);
        assert_eq!(positions.expire(start + second * 60, 9), 1);
        assert!(positions.len() == 0 && positions.order.is_empty());
    }

    #[test]
    fn with_no_room_at_all_nothing_is_remembered() {
        let mut positions = Positions::new(0, Duration::from_secs(10));
        positions.leave("a".try_into().expect("a name"), position(1), Instant::now());
        assert!(positions.len() == 0 && !positions.remove("a"));
    }
}
