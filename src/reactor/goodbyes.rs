//! When each goodbye of a drain is due, and when a client is advised to leave before it.

use std::time::{Duration, Instant};

/// Goodbyes that are due together are said together, so that a spread costs a tick in this time and not one for each.
const WAVE: Duration = Duration::from_millis(10);
/// How long a client that was advised to leave has for that before it is closed, at most. Where the spread is short, a tenth of it.
const PATIENCE_MAX: Duration = Duration::from_secs(1);

/// Where a drain is.
#[derive(Debug)]
pub(super) struct Goodbyes {
    /// Those that were open when it began, in the order of their goodbyes.
    pub(super) leaving: Vec<Leaving>,
    /// How many of them have had their goodbye.
    pub(super) told: usize,
    pub(super) began: Instant,
    /// When there was a sign of life last: a goodbye was said, bytes were written, a connection ended.
    pub(super) last_sign: Instant,
    /// Bytes that had been written then.
    pub(super) bytes: u64,
    /// Connections that were left then.
    pub(super) left: usize,
}

/// One that is open when a drain begins.
#[derive(Debug)]
pub(super) struct Leaving {
    pub(super) slot: u32,
    /// By the time of a goodbye its slot may be another connection's.
    pub(super) generation: u32,
    /// When its goodbye is due, counted from the beginning.
    pub(super) after: Duration,
}

impl Goodbyes {
    /// How many goodbyes are due.
    pub(super) fn due(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.began);
        self.leaving.partition_point(|leaving| leaving.after <= passed)
    }

    /// When the next goodbyes are due; `None` after the last.
    pub(super) fn next(&self, now: Instant) -> Option<Instant> {
        let leaving = self.leaving.get(self.told)?;
        Some((self.began + leaving.after).max(now + WAVE))
    }
}

/// The place of a connection among those that leave over a time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Place {
    /// How many leave before it.
    pub(super) place: usize,
    /// How many leave.
    pub(super) count: usize,
    /// Over how long.
    pub(super) spread: Duration,
}

impl Place {
    /// When one that is not advised leaves: the first at once, the last at the end of the time.
    pub(super) fn in_turn(self) -> Duration {
        self.spread.mul_f64(self.place as f64 / self.count as f64)
    }

    /// When one is advised to leave: at random in its own part of the time, so that the whole is spread evenly, whatever is drawn.
    pub(super) fn drawn(self, random: u64) -> Duration {
        let within = random as f64 / 2_f64.powi(64);
        let window = self.spread - self.patience();
        window.mul_f64((self.place as f64 + within) / self.count as f64)
    }

    /// How long after that it is closed, if it has not left.
    pub(super) fn patience(self) -> Duration {
        PATIENCE_MAX.min(self.spread / 10)
    }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE_MAX, Place};
    use std::time::Duration;

    #[test]
    fn each_is_advised_in_its_own_part_of_the_time_and_closed_before_the_end_of_it() {
        for spread in [Duration::from_millis(1), Duration::from_secs(1), Duration::from_secs(3600)] {
            for random in [0, u64::MAX / 2, u64::MAX] {
                let places = (0..200).map(|place| Place { place, count: 200, spread });
                let advised: Vec<Duration> = places.clone().map(|place| place.drawn(random)).collect();
                assert!(advised.is_sorted() && advised[0] <= spread / 200, "{advised:?}");
                for (place, advised) in places.zip(&advised) {
                    assert!(*advised + place.patience() <= spread, "{place:?}: {advised:?}");
                    assert!(*advised <= spread.mul_f64((place.place + 1) as f64 / 200.0), "{place:?}: {advised:?}");
                    assert!(place.patience() <= PATIENCE_MAX);
                }
            }
        }
    }
}
