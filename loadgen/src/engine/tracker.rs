//! One receiver's place in one sequence: what is missing, what came twice, what came late.

/// How far back a late message can be distinguished from a duplicate.
const WINDOW: u64 = 64;

/// What a message was to its receiver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arrival {
    /// The next one, or one that left a gap of n before it.
    Next {
        /// How many were skipped.
        skipped: u64,
    },
    /// A late one, which was skipped before.
    Late,
    /// A duplicate.
    Again,
}

/// Counts one sequence at one receiver. 32 bytes.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tracker {
    /// The number that should come next; 0 until the first has come to a receiver that joined in the middle.
    next: u64,
    /// Which of the [`WINDOW`] numbers before `next` have come: bit `i` is number `next - 1 - i`.
    seen: u64,
    /// How many before `next` have not come.
    missing: u64,
    /// How many came, each counted once.
    came: u64,
}

impl Tracker {
    /// A receiver that must receive everything from number `first` on.
    #[must_use]
    pub fn from(first: u64) -> Tracker {
        // All before the first count as seen: one that comes after all is a duplicate and not late.
        Tracker { next: first, seen: u64::MAX, ..Tracker::default() }
    }

    /// A receiver that joined later: the first message that it receives is its first.
    #[must_use]
    pub fn from_anywhere() -> Tracker {
        Tracker::default()
    }

    /// Takes note of a message.
    pub fn arrive(&mut self, seq: u64) -> Arrival {
        if self.next == 0 {
            *self = Tracker::from(seq);
        }
        if seq >= self.next {
            let skipped = seq - self.next;
            let shift = skipped + 1;
            // A shift by all 64 bits would overflow.
            self.seen = if shift >= WINDOW { 0 } else { self.seen << shift } | 1;
            self.next = seq + 1;
            self.missing += skipped;
            self.came += 1;
            return Arrival::Next { skipped };
        }
        let back = self.next - 1 - seq;
        // A message older than the window is counted as late while anything is missing: which numbers are is not known there.
        let is_late = if back < WINDOW { self.seen & (1 << back) == 0 } else { self.missing > 0 };
        if !is_late {
            return Arrival::Again;
        }
        if back < WINDOW {
            self.seen |= 1 << back;
        }
        self.missing -= 1;
        self.came += 1;
        Arrival::Late
    }

    /// How many have not come, when numbers up to `last` were sent. A receiver that joined later and received nothing misses
    /// nothing.
    #[must_use]
    pub fn missing(&self, last: u64) -> u64 {
        if self.next == 0 { 0 } else { self.missing + (last + 1).saturating_sub(self.next) }
    }

    /// How many came, each counted once.
    #[must_use]
    pub fn came(&self) -> u64 {
        self.came
    }
}

#[cfg(test)]
mod tests {
    use super::{Arrival, Tracker};
    use crate::random::Random;
    use std::collections::BTreeSet;

    #[test]
    fn loss_repetition_and_lateness_are_told_apart() {
        let mut tracker = Tracker::from(1);
        let arrivals: Vec<Arrival> = [1, 2, 5, 3, 3, 5, 6].map(|seq| tracker.arrive(seq)).to_vec();
        use Arrival::{Again, Late, Next};
        let next = |skipped| Next { skipped };
        assert_eq!(arrivals, [next(0), next(0), next(2), Late, Again, Again, next(0)]);
        assert_eq!((tracker.missing(6), tracker.missing(9), tracker.came()), (1, 4, 5));
    }

    #[test]
    fn who_comes_in_the_middle_misses_nothing_from_before() {
        let mut tracker = Tracker::from_anywhere();
        assert_eq!(tracker.missing(100), 0);
        assert_eq!(tracker.arrive(50), Arrival::Next { skipped: 0 });
        assert_eq!((tracker.missing(50), tracker.missing(52)), (0, 2));
        assert_eq!(tracker.arrive(49), Arrival::Again, "what came before it joined is none of its business");
    }

    /// Against sets, over shuffled, thinned and repeated sequences that stay within the window.
    #[test]
    fn equals_the_definition() {
        for seed in 0..200 {
            let mut random = Random::new(seed);
            let mut sequence: Vec<u64> = (1..=300).filter(|_| random.share() > 0.1).collect();
            for _ in 0..30 {
                let at = (random.next() % sequence.len() as u64) as usize;
                let to = (at + (random.next() % 20) as usize).min(sequence.len() - 1);
                if random.share() < 0.5 { sequence.swap(at, to) } else { sequence.insert(to, sequence[at]) }
            }
            let (mut tracker, mut came, mut highest) = (Tracker::from(1), BTreeSet::new(), 0);
            for seq in sequence {
                let expected = if !came.insert(seq) {
                    Arrival::Again
                } else if seq < highest {
                    Arrival::Late
                } else {
                    Arrival::Next { skipped: seq - highest - 1 }
                };
                highest = highest.max(seq);
                assert_eq!(tracker.arrive(seq), expected, "seed {seed}");
            }
            assert_eq!((tracker.came(), tracker.missing(300)), (came.len() as u64, 300 - came.len() as u64));
        }
    }
}
