//! When each goodbye of a drain is due.

use std::time::{Duration, Instant};

/// Goodbyes that are due together are said together, so that a spread costs a tick in this time and not one for each.
const WAVE: Duration = Duration::from_millis(10);

/// Where a drain is.
#[derive(Debug)]
pub(super) struct Goodbyes {
    /// Slots and generations of those that were open when it began, in the order of their goodbyes.
    pub(super) slots: Vec<(u32, u32)>,
    /// How many of them have had their goodbye.
    pub(super) told: usize,
    pub(super) began: Instant,
    pub(super) spread: Duration,
    /// When there was a sign of life last: a goodbye was said, bytes were written, a connection ended.
    pub(super) last_sign: Instant,
    /// Bytes that had been written then.
    pub(super) bytes: u64,
    /// Connections that were left then.
    pub(super) left: usize,
}

impl Goodbyes {
    /// How many goodbyes are due.
    pub(super) fn due(&self, now: Instant) -> usize {
        let passed = now.saturating_duration_since(self.began);
        if passed >= self.spread {
            return self.slots.len();
        }
        let share = passed.as_secs_f64() / self.spread.as_secs_f64();
        // The first is due at once, the last at the end of the time.
        ((self.slots.len() as f64 * share) as usize + 1).min(self.slots.len())
    }

    /// When the next goodbyes are due.
    pub(super) fn next(&self, now: Instant) -> Instant {
        let share = self.told as f64 / self.slots.len().max(1) as f64;
        (self.began + self.spread.mul_f64(share)).max(now + WAVE)
    }
}
