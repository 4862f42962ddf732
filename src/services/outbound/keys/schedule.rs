//! When the keys of one issuer are fetched, and until when those that were fetched are used. Time is an argument.

use crate::services::outbound::backoff;
use std::time::{Duration, Instant};

/// The intervals.
#[derive(Debug, Clone, Copy)]
pub struct Intervals {
    /// The longest that a fetch may take.
    pub call_max: Duration,
    /// What is asked for is fetched this long after the last fetch began, or later.
    pub between_asked: Duration,
    /// The first wait after a fetch that failed. Each further one is twice as long.
    pub retry_min: Duration,
    /// The longest wait after a fetch that failed.
    pub retry_max: Duration,
    /// Keys are fetched again after their max-age, but not earlier than this.
    pub fresh_min: Duration,
    /// And not later than this.
    pub fresh_max: Duration,
    /// The same for keys that do not say.
    pub fresh_default: Duration,
}

impl Default for Intervals {
    fn default() -> Intervals {
        Intervals {
            call_max: Duration::from_secs(10),
            // Whoever invents names of keys must not make this server flood an issuer's.
            between_asked: Duration::from_secs(60),
            retry_min: Duration::from_secs(1),
            retry_max: Duration::from_secs(5 * 60),
            fresh_min: Duration::from_secs(5 * 60),
            fresh_max: Duration::from_secs(24 * 60 * 60),
            fresh_default: Duration::from_secs(60 * 60),
        }
    }
}

/// The moments of one issuer.
#[derive(Debug)]
pub(super) struct Schedule {
    intervals: Intervals,
    /// How long keys are used that cannot be fetched again.
    stale: Duration,
    due: Instant,
    began: Option<Instant>,
    /// Since the last success.
    failures: u64,
    /// When the keys in use were fetched.
    held_since: Option<Instant>,
    asked: bool,
}

impl Schedule {
    /// The first fetch is due now.
    pub(super) fn new(intervals: Intervals, stale: Duration, now: Instant) -> Schedule {
        Schedule { intervals, stale, due: now, began: None, failures: 0, held_since: None, asked: false }
    }

    /// There are keys in use that were fetched before.
    pub(super) fn hold(&mut self, since: Instant) {
        self.held_since = Some(since);
    }

    /// Whether the next fetch is to begin.
    pub(super) fn is_due(&self, now: Instant) -> bool {
        now >= self.due
    }

    /// When something is to be done next.
    pub(super) fn next(&self) -> Instant {
        self.stale_at().map_or(self.due, |stale_at| stale_at.min(self.due))
    }

    /// Whether somebody asked for keys since the last fetch began; more of that changes nothing.
    pub(super) fn is_asked(&self) -> bool {
        self.asked
    }

    /// Somebody presented a key that is not known.
    pub(super) fn ask(&mut self, now: Instant) {
        self.asked = true;
        let earliest = self.began.map_or(now, |began| began + self.intervals.between_asked);
        self.due = self.due.min(earliest.max(now));
    }

    /// A fetch begins.
    pub(super) fn begin(&mut self, now: Instant) {
        self.began = Some(now);
        self.asked = false;
    }

    /// It succeeded, with keys that stay fresh for some time. How long they are kept.
    pub(super) fn succeed(&mut self, now: Instant, fresh: Option<Duration>) -> Duration {
        let Intervals { fresh_min, fresh_max, fresh_default, .. } = self.intervals;
        // Sooner where keys become too old soon: a healthy server is asked before they are forgotten, even if one try fails.
        let wait = fresh.unwrap_or(fresh_default).clamp(fresh_min, fresh_max).min(self.stale / 2);
        self.failures = 0;
        self.hold(now);
        self.due = now + wait;
        wait
    }

    /// It failed. How long the wait is, as `draw`, from 0 to 1, says.
    pub(super) fn fail(&mut self, now: Instant, draw: f64) -> Duration {
        let Intervals { retry_min, retry_max, .. } = self.intervals;
        let wait = backoff::wait(retry_min, retry_max, self.failures, draw);
        self.failures = self.failures.saturating_add(1);
        self.due = now + wait;
        wait
    }

    /// Whether the keys in use are too old. Says so once.
    pub(super) fn forget(&mut self, now: Instant) -> bool {
        let is_stale = self.stale_at().is_some_and(|stale_at| now >= stale_at);
        if is_stale {
            self.held_since = None;
        }
        is_stale
    }

    fn stale_at(&self) -> Option<Instant> {
        // A limit beyond all time is none.
        self.held_since.and_then(|since| since.checked_add(self.stale))
    }
}

#[cfg(test)]
mod tests {
    use super::{Intervals, Schedule};
    use std::time::{Duration, Instant};

    const DAY: Duration = Duration::from_secs(86_400);

    const fn s(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    fn schedule(now: Instant) -> Schedule {
        Schedule::new(Intervals::default(), DAY, now)
    }

    #[test]
    fn the_first_fetch_is_due_at_once_and_the_next_when_the_keys_are_no_longer_fresh() {
        let start = Instant::now();
        for (fresh, wait) in [
            (None, s(3600)),
            (Some(s(0)), s(300)),
            (Some(s(299)), s(300)),
            (Some(s(301)), s(301)),
            (Some(s(86_399)), s(86_399)),
            (Some(s(86_401)), DAY),
            (Some(Duration::MAX), DAY),
        ] {
            let mut schedule = Schedule::new(Intervals::default(), DAY * 2, start);
            assert!(schedule.is_due(start));
            schedule.begin(start);
            assert_eq!(schedule.succeed(start + s(1), fresh), wait, "{fresh:?}");
            assert!(!schedule.is_due(start + s(1) + wait - Duration::from_nanos(1)));
            assert!(schedule.is_due(start + s(1) + wait));
        }
    }

    #[test]
    fn keys_are_fetched_twice_before_they_are_too_old() {
        let start = Instant::now();
        let mut schedule = Schedule::new(Intervals::default(), s(600), start);
        schedule.begin(start);
        assert_eq!(schedule.succeed(start, Some(DAY)), s(300));
        let mut kept = Schedule::new(Intervals::default(), s(600), start + s(500));
        kept.hold(start);
        assert!(!kept.forget(start + s(599)) && kept.forget(start + s(600)), "those from before are no younger");
    }

    #[test]
    fn failures_are_followed_by_waits_that_double_up_to_the_longest() {
        let start = Instant::now();
        let waits = |draw: f64| {
            let mut schedule = schedule(start);
            (0..40).map(|_| schedule.fail(start, draw)).collect::<Vec<_>>()
        };
        let (shortest, longest) = (waits(0.0), waits(1.0));
        assert_eq!(longest[..5], [s(1), s(2), s(4), s(8), s(16)]);
        assert_eq!(longest[8..], [s(256)].into_iter().chain([s(300); 31]).collect::<Vec<_>>());
        assert!(shortest.iter().zip(&longest).all(|(shortest, longest)| *shortest * 2 == *longest));
        let mut schedule = schedule(start);
        schedule.fail(start, 1.0);
        schedule.fail(start, 1.0);
        schedule.succeed(start, None);
        assert_eq!(schedule.fail(start, 1.0), s(1), "a success starts them over");
    }

    #[test]
    fn however_often_it_is_asked_for_there_is_one_fetch_a_minute() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        let mut fetches = Vec::new();
        // An hour of requests, ten a second.
        for tenth in 0..36_000 {
            let now = start + Duration::from_millis(100 * tenth);
            schedule.ask(now);
            if schedule.is_due(now) {
                schedule.begin(now);
                schedule.succeed(now, None);
                fetches.push(now);
            }
        }
        assert_eq!(fetches.len(), 60);
        assert!(fetches.windows(2).all(|pair| pair[1] - pair[0] >= s(60)));
    }

    #[test]
    fn what_is_asked_for_brings_a_fetch_forward_and_never_puts_it_off() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        schedule.begin(start);
        schedule.succeed(start + s(5), None);
        schedule.ask(start + s(6));
        assert!(schedule.is_asked() && !schedule.is_due(start + s(59)) && schedule.is_due(start + s(60)));
        schedule.begin(start + s(60));
        assert!(!schedule.is_asked());
        schedule.fail(start + s(60), 1.0);
        schedule.ask(start + s(60));
        assert!(schedule.is_due(start + s(61)), "after a failure the retry comes first");
        schedule.begin(start + s(61));
        schedule.succeed(start + s(61), None);
        schedule.ask(start + s(1000));
        assert!(schedule.is_due(start + s(1000)), "after a quiet minute it comes at once");
    }

    #[test]
    fn keys_that_cannot_be_fetched_again_are_forgotten_after_their_limit_and_once() {
        let start = Instant::now();
        let mut schedule = schedule(start);
        assert!(!schedule.forget(start + DAY), "there are none");
        schedule.begin(start);
        schedule.succeed(start, None);
        for _ in 0..500 {
            schedule.fail(start + s(3600), 1.0);
        }
        assert!(!schedule.forget(start + DAY - s(1)));
        schedule.fail(start + DAY - s(1), 1.0);
        assert_eq!(schedule.next(), start + DAY, "it is looked at in time");
        assert!(schedule.forget(start + DAY) && !schedule.forget(start + DAY));
        assert!(schedule.next() > start + DAY);
        let mut endless = Schedule::new(Intervals::default(), Duration::MAX, start);
        endless.succeed(start, None);
        assert!(!endless.forget(start + DAY * 10_000));
    }
}
