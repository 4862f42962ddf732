//! Exponential backoff with full jitter: how long to wait before connecting again.

use std::time::{Duration, Instant};

/// The first wait is shorter than this.
const BASE: Duration = Duration::from_millis(500);
/// No wait is longer than this.
const CAP: Duration = Duration::from_secs(20);
/// A connection that lasted this long was a good one. Shorter ones count as attempts that failed: a server that accepts, answers
/// and drops would otherwise be called again without a pause that grows.
const STEADY: Duration = Duration::from_secs(20);

/// Waits that grow, each drawn evenly from nothing to its ceiling, so that many clients come back spread out.
#[derive(Debug, Default)]
pub struct Backoff {
    attempts: u32,
    /// When to connect again, as the last server said.
    advised: Option<Instant>,
}

impl Backoff {
    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        self.wait_at(Instant::now())
    }

    fn wait_at(&mut self, now: Instant) -> Duration {
        if let Some(at) = self.advised.take() {
            return at.saturating_duration_since(now);
        }
        let ceiling = self.ceiling();
        self.attempts = self.attempts.saturating_add(1);
        rand::random_range(Duration::ZERO..=ceiling)
    }

    /// The server that was left has said when to connect again ([`reconnects_at`](super::Client::reconnects_at)): the next wait is
    /// until then, since that server knows how many come back, and spreads them.
    pub fn advised(&mut self, at: Option<Instant>) {
        self.advised = at;
    }

    /// Notes how long the last connection lasted: the waits start over after one of 20 seconds and more.
    pub fn stood(&mut self, time: Duration) {
        if time >= STEADY {
            self.attempts = 0;
        }
    }

    fn ceiling(&self) -> Duration {
        // The shift is bounded first, since it would overflow at 32; 16 is far beyond the cap.
        BASE.saturating_mul(1 << self.attempts.min(16)).min(CAP)
    }
}

#[cfg(test)]
mod tests {
    use super::{BASE, Backoff, CAP, STEADY};
    use std::time::{Duration, Instant};

    #[test]
    fn a_wait_that_the_server_advised_is_waited_once_and_instead_of_another() {
        let (now, mut backoff) = (Instant::now(), Backoff::default());
        for after in [Duration::from_secs(3600), Duration::ZERO] {
            backoff.advised(Some(now + after));
            assert_eq!(backoff.wait_at(now), after);
        }
        backoff.advised(Some(now + Duration::from_secs(9)));
        assert_eq!(backoff.wait_at(now + Duration::from_secs(10)), Duration::ZERO, "its time is over");
        assert_eq!(backoff.ceiling(), BASE, "none of them was an attempt that failed");
        assert!(backoff.wait_at(now) <= BASE);
    }

    #[test]
    fn ceilings_double_up_to_the_cap_and_start_over_after_a_connection_that_stood() {
        let mut backoff = Backoff::default();
        let ceilings: Vec<_> = (0..40)
            .map(|_| {
                let ceiling = backoff.ceiling();
                assert!(backoff.next_wait() <= ceiling);
                ceiling
            })
            .collect();
        assert_eq!(ceilings[..3], [BASE, BASE * 2, BASE * 4]);
        assert_eq!(ceilings.last(), Some(&CAP));
        backoff.stood(STEADY - Duration::from_millis(1));
        assert_eq!(backoff.ceiling(), CAP, "a server that drops at once is not called more often");
        backoff.stood(STEADY);
        assert_eq!(backoff.ceiling(), BASE);
    }
}
