//! When each message is meant to leave, whatever became of the ones before it.

use crate::clock::{self, Nanos};
use crate::plan::Ramp;

/// The events of one thread out of a schedule that all threads share.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    ramp: Ramp,
    begin: Nanos,
    end: Nanos,
    /// The maximum number of events over all threads.
    count: u64,
    /// Which events are this thread's, by their number over all threads.
    deal: Deal,
    next: u64,
    due: Option<Nanos>,
}

/// Which events of a schedule are whose.
#[derive(Debug, Clone, Copy)]
pub(super) enum Deal {
    /// Every `of`-th from `index` on.
    Turn { index: u64, of: u64 },
    /// Event `k` belongs to publisher `(k % streams) % publishers`, and publisher `p` to thread `p % of`.
    Streams { streams: u64, publishers: u64, index: u64, of: u64 },
}

impl Deal {
    fn has(self, event: u64) -> bool {
        match self {
            Deal::Turn { index, of } => event % of == index,
            Deal::Streams { streams, publishers, index, of } => event % streams % publishers % of == index,
        }
    }

    /// The first event from `event` on that is this thread's. Patterns repeat with the streams, so it is near or nowhere.
    fn next(self, event: u64) -> Option<u64> {
        let period = match self {
            Deal::Turn { of, .. } => of,
            Deal::Streams { streams, .. } => streams,
        };
        (event..event + period).find(|candidate| self.has(*candidate))
    }
}

impl Schedule {
    /// Events from `begin` to before `end`, at most `count`.
    pub(super) fn new(ramp: Ramp, begin: Nanos, end: Nanos, count: Option<u64>, deal: Deal) -> Schedule {
        let mut schedule = Schedule { ramp, begin, end, count: count.unwrap_or(u64::MAX), deal, next: 0, due: None };
        schedule.aim(0);
        schedule
    }

    /// When the next event is due; `None` when there is none any more.
    pub(super) fn due(&self) -> Option<Nanos> {
        self.due
    }

    /// Takes the next event if it is due: its number over all threads, and when it was meant to be.
    pub(super) fn take(&mut self, now: Nanos) -> Option<(u64, Nanos)> {
        let due = self.due.filter(|due| *due <= now)?;
        let event = self.next;
        self.aim(event + 1);
        Some((event, due))
    }

    /// No events any more.
    pub(super) fn stop(&mut self) {
        self.due = None;
    }

    fn aim(&mut self, from: u64) {
        let event = self.deal.next(from).filter(|event| *event < self.count);
        let time = event.and_then(|event| self.ramp.time_of(event as f64));
        self.next = event.unwrap_or(from);
        self.due = time.map(|time| self.begin.saturating_add(clock::of(time))).filter(|due| *due < self.end);
    }
}

#[cfg(test)]
mod tests {
    use super::{Deal, Schedule};
    use crate::plan::{Leg, Ramp};

    fn all(mut schedule: Schedule) -> Vec<(u64, u64)> {
        std::iter::from_fn(|| schedule.take(u64::MAX)).collect()
    }

    #[test]
    fn the_threads_together_have_every_event_once_and_in_time() {
        let ramp = Ramp::new(vec![Leg { from: 0.0, to: 100.0, seconds: 1.0 }]);
        let schedule = |deal| Schedule::new(ramp.clone(), 1000, 2_000_001_000, None, deal);
        let whole = all(schedule(Deal::Turn { index: 0, of: 1 }));
        assert_eq!(whole.len(), 150, "50 in the first second and 100 in the other");
        assert!(whole.windows(2).all(|pair| pair[0].1 <= pair[1].1));
        let mut parts: Vec<_> = (0..3).flat_map(|index| all(schedule(Deal::Turn { index, of: 3 }))).collect();
        parts.sort_unstable();
        assert_eq!(parts, whole);
        let streams = |index| Deal::Streams { streams: 7, publishers: 2, index, of: 3 };
        let mut parts: Vec<_> = (0..3).flat_map(|index| all(schedule(streams(index)))).collect();
        parts.sort_unstable();
        assert_eq!(parts, whole);
        assert!(all(schedule(streams(2))).is_empty(), "the third thread has no publisher");
    }

    #[test]
    fn a_schedule_ends_with_its_count_or_its_time() {
        let schedule =
            |count| Schedule::new(Ramp::constant(10.0), 0, 1_000_000_000, count, Deal::Turn { index: 0, of: 1 });
        assert_eq!((all(schedule(None)).len(), all(schedule(Some(3))).len(), all(schedule(Some(0))).len()), (10, 3, 0));
        let mut stopped = schedule(None);
        assert_eq!(stopped.take(99_999_999), Some((0, 0)));
        assert_eq!((stopped.take(99_999_999), stopped.due()), (None, Some(100_000_000)));
        stopped.stop();
        assert_eq!(stopped.take(u64::MAX), None);
    }
}
