//! Redis is away: since when, and when it is tried again.

use std::time::{Duration, Instant};

/// The first wait before an attempt, and the longest: each is twice the one before, half as much more or less by chance.
const WAIT_MIN: Duration = Duration::from_millis(100);
const WAIT_MAX: Duration = Duration::from_secs(5);
/// An order that comes while it is away for longer than this is refused at once.
const HOPE: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug)]
pub(super) struct Away {
    since: Instant,
    /// Whether it was ever there.
    was_there: bool,
    attempts: u32,
    /// When the next attempt is made; `None` while one is.
    next: Option<Instant>,
}

impl Away {
    /// Nothing is known of it yet, and the first attempt is made.
    pub(super) fn from_the_start(now: Instant) -> Away {
        Away { since: now, was_there: false, attempts: 0, next: None }
    }

    /// It is away from now on.
    pub(super) fn from(now: Instant) -> Away {
        Away { since: now, was_there: true, attempts: 0, next: Some(now) }
    }

    /// The attempt has failed.
    pub(super) fn has_failed(&mut self, now: Instant) {
        let wait = WAIT_MIN.saturating_mul(1 << self.attempts.min(10)).min(WAIT_MAX);
        self.attempts += 1;
        self.next = Some(now + wait.mul_f64(rand::random_range(0.5..1.5)));
    }

    /// Whether an attempt is to be made now; then it is in progress.
    pub(super) fn is_due(&mut self, now: Instant) -> bool {
        self.next.take_if(|next| *next <= now).is_some()
    }

    /// How many attempts have failed.
    pub(super) fn attempts(&self) -> u32 {
        self.attempts
    }

    /// Whether an order may hope that it comes back in time.
    pub(super) fn has_hope(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.since) < HOPE
    }

    /// Whether the server may still call itself ready.
    pub(super) fn is_ready(&self, now: Instant, grace: Duration) -> bool {
        self.was_there && now.saturating_duration_since(self.since) < grace
    }

    /// How long it has been away.
    pub(super) fn lasts(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.since)
    }

    /// When something is to be done.
    pub(super) fn due(&self, now: Instant) -> Duration {
        self.next.map_or(Duration::MAX, |next| next.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{Away, Duration, Instant, WAIT_MAX};

    #[test]
    fn attempts_are_made_less_and_less_often_and_never_in_a_circle() {
        let start = Instant::now();
        let (mut away, mut now, mut attempts) = (Away::from(start), start, 0);
        while now < start + Duration::from_secs(60) {
            if away.is_due(now) {
                attempts += 1;
                assert_eq!(away.due(now), Duration::MAX, "one at a time");
                away.has_failed(now);
                assert!(away.due(now) >= Duration::from_millis(50) && away.due(now) <= WAIT_MAX.mul_f64(1.5));
            }
            now += Duration::from_millis(10);
        }
        assert!((12..=32).contains(&attempts), "{attempts}");
        assert!(away.has_hope(start) && !away.has_hope(start + Duration::from_secs(1)));
        let grace = Duration::from_secs(10);
        assert!(away.is_ready(start + Duration::from_secs(9), grace) && !away.is_ready(start + grace, grace));
        assert!(!Away::from_the_start(start).is_ready(start, grace), "it was never there");
    }
}
