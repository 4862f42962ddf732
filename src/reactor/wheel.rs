//! Deadlines of connections: a wheel of lists, filed in O(1), looked at lazily.
//!
//! A deadline that moves later is not filed again: when its old place comes up, the connection is asked for its deadline and
//! filed anew.

use crate::connection::env::Ticks;

/// Places of the wheel. Deadlines further away than this many ticks wait in the last place and are filed again.
const PLACES: usize = 1024;

/// Entries that an empty place keeps memory for: what a busy server needs, and half a megabyte in all.
const KEPT_PER_PLACE: usize = 64;

/// "Filed nowhere", and "never".
pub(super) const NEVER: Ticks = Ticks::MAX;

/// The wheel of one reactor.
pub(super) struct Wheel {
    places: Vec<Vec<Filed>>,
    /// The next tick to look at.
    next: Ticks,
    /// Nothing is filed before this tick: where the search for the next one begins.
    earliest: Ticks,
    /// How many entries are filed.
    len: usize,
}

/// A connection in the wheel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Filed {
    pub(super) slot: u32,
    pub(super) generation: u32,
}

impl Wheel {
    pub(super) fn new(now: Ticks) -> Wheel {
        Wheel { places: vec![Vec::new(); PLACES], next: now, earliest: now, len: 0 }
    }

    /// Files a connection for `deadline`. Returns the tick that it was filed for, which is earlier if that is too far away.
    pub(super) fn file(&mut self, filed: Filed, deadline: Ticks) -> Ticks {
        let horizon = self.next.saturating_add(PLACES as Ticks - 1);
        // Never a tick that was looked at, whose place comes up a turn later. Within one turn, so that a place never
        // holds two ticks, which `take_due` could not tell apart.
        let tick = deadline.clamp(self.next, horizon);
        self.places[tick as usize % PLACES].push(filed);
        self.earliest = if self.len == 0 { tick } else { self.earliest.min(tick) };
        self.len += 1;
        tick
    }

    /// Takes everything filed up to and including `now`, with the tick it was filed for.
    pub(super) fn take_due(&mut self, now: Ticks, due: &mut Vec<(Filed, Ticks)>) {
        if self.len == 0 {
            // With nothing to find, a long sleep costs no step for each of its ticks.
            self.next = self.next.max(now.saturating_add(1));
            return;
        }
        while self.next <= now {
            let tick = self.next;
            let place = &mut self.places[tick as usize % PLACES];
            self.len -= place.len();
            due.extend(place.drain(..).map(|filed| (filed, tick)));
            if place.capacity() > KEPT_PER_PLACE {
                *place = Vec::new();
            }
            self.next += 1;
        }
    }

    /// Ticks until something is due; `None` when nothing is filed.
    pub(super) fn wait(&mut self, now: Ticks) -> Option<Ticks> {
        if self.len == 0 {
            return None;
        }
        // Not from `next`: places that were found empty would be looked at again before each sleep.
        let from = self.earliest.max(self.next);
        let found =
            (from..self.next + PLACES as Ticks).find(|tick| !self.places[*tick as usize % PLACES].is_empty())?;
        self.earliest = found;
        Some(found.saturating_sub(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Filed, KEPT_PER_PLACE, PLACES, Wheel};
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};

    fn filed(slot: u32) -> Filed {
        Filed { slot, generation: 0 }
    }

    #[test]
    fn what_is_filed_comes_up_at_its_tick_and_not_before() {
        let mut random = StdRng::seed_from_u64(3);
        let mut wheel = Wheel::new(5);
        let mut expected = std::collections::BTreeMap::<u32, Vec<u32>>::new();
        let mut due = Vec::new();
        for now in 5..5_000 {
            for _ in 0..random.random_range(0..3) {
                let slot = random.random::<u32>();
                let tick = wheel.file(filed(slot), now + random.random_range(0..900));
                expected.entry(tick).or_default().push(slot);
            }
            let wait = wheel.wait(now);
            let first = expected.keys().next().map(|tick| tick.saturating_sub(now));
            assert_eq!(wait, first);
            due.clear();
            wheel.take_due(now, &mut due);
            let mut slots: Vec<u32> = due.iter().map(|(filed, _)| filed.slot).collect();
            let mut wanted = expected.remove(&now).unwrap_or_default();
            slots.sort_unstable();
            wanted.sort_unstable();
            assert_eq!(slots, wanted, "at {now}");
        }
    }

    #[test]
    fn a_far_deadline_waits_at_the_horizon() {
        let mut wheel = Wheel::new(0);
        assert_eq!(wheel.file(filed(1), 1_000_000), PLACES as u32 - 1);
        let mut due = Vec::new();
        wheel.take_due(PLACES as u32 - 2, &mut due);
        assert!(due.is_empty());
        wheel.take_due(PLACES as u32 - 1, &mut due);
        assert_eq!(due, [(filed(1), PLACES as u32 - 1)]);
    }

    #[test]
    fn a_storm_leaves_little_memory_behind() {
        let (mut wheel, mut due) = (Wheel::new(0), Vec::new());
        for tick in 0..PLACES as u32 {
            (0..500).for_each(|slot| assert_eq!(wheel.file(filed(slot), tick), tick));
        }
        wheel.take_due(PLACES as u32, &mut due);
        assert_eq!(due.len(), 500 * PLACES);
        let kept: usize = wheel.places.iter().map(Vec::capacity).sum();
        assert!(kept <= KEPT_PER_PLACE * PLACES, "{kept} entries are kept room for");
    }
}
