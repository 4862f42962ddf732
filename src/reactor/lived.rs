//! The time in which a reactor could run: deadlines count that, so that a stall of ours is not taken for a peer's silence.

use std::time::{Duration, Instant};

/// A reactor that wakes later than planned by at least this was not busy but stopped: by a signal, a paused machine, a page
/// on disk.
const STALL: Duration = Duration::from_millis(250);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Lived {
    /// When it planned to wake at the latest.
    expected: Option<Instant>,
    /// The sum of all stalls.
    lost: Duration,
    /// This tick came after one.
    stalled: bool,
}

impl Lived {
    /// The reactor waits until `until` at the latest. That counts from the beginning of its tick, so that a long tick is a
    /// stall, too.
    pub(super) fn expect(&mut self, until: Option<Instant>) {
        self.expected = until;
    }

    /// Whether this tick came after a stall: what peers sent meanwhile has not been read.
    pub(super) fn has_stalled(&self) -> bool {
        self.stalled
    }

    /// The time since `started` without stalls, when it is `now`.
    #[inline]
    pub(super) fn since(&mut self, started: Instant, now: Instant) -> Duration {
        self.stalled = false;
        // A sleep without an end cannot be late: nothing was due.
        if let Some(expected) = self.expected.take()
            && now > expected
        {
            self.count_late(now.duration_since(expected));
        }
        let since = now.duration_since(started);
        if self.lost.is_zero() { since } else { since.saturating_sub(self.lost) }
    }

    #[cold]
    fn count_late(&mut self, late: Duration) {
        self.stalled = late >= STALL;
        if self.stalled {
            self.lost += late;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Lived, STALL};
    use std::time::{Duration, Instant};

    #[test]
    fn a_stall_is_not_lived_and_all_other_time_is() {
        let started = Instant::now();
        let at = |millis: u64| started + Duration::from_millis(millis);
        let mut lived = Lived::default();
        assert_eq!(lived.since(started, at(10_000)), Duration::from_secs(10), "nothing was expected");
        lived.expect(Some(at(11_000)));
        assert_eq!(lived.since(started, at(10_500)).as_millis(), 10_500, "woken earlier");
        lived.expect(Some(at(11_000)));
        let late = STALL.as_millis() as u64 - 1;
        assert_eq!(lived.since(started, at(11_000 + late)).as_millis() as u64, 11_000 + late, "busy");
        lived.expect(Some(at(12_000)));
        assert_eq!(lived.since(started, at(27_000)).as_millis(), 12_000, "stopped for 15 s");
        assert_eq!(lived.since(started, at(28_000)).as_millis(), 13_000, "and going on from there");
    }
}
