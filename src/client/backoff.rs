//! Exponential backoff with full jitter: how long to wait before connecting again.

use std::time::Duration;

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
}

impl Backoff {
    /// The next wait.
    pub fn next_wait(&mut self) -> Duration {
        let ceiling = self.ceiling();
        self.attempts = self.attempts.saturating_add(1);
        rand::random_range(Duration::ZERO..=ceiling)
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
    use std::time::Duration;

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
