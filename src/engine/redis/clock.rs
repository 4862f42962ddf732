//! The clock of Redis as seen from here: an order names in it the moment after which it is too late.

/// Milliseconds that an answer may take to say what time it is.
const WAY_MAX_MS: u64 = 200;

/// How far it is ahead of ours.
#[derive(Debug, Default)]
pub(super) struct Clock {
    ahead_ms: i64,
}

impl Clock {
    /// It is this far ahead.
    pub(super) fn set(&mut self, ahead_ms: i64) {
        self.ahead_ms = ahead_ms;
    }

    /// It said this time between two of ours.
    pub(super) fn compare(&mut self, its_ms: u64, asked_ms: u64, now_ms: u64) {
        // As if it was read at the end: an order is too late a little too early, rather than carried out too late. What took
        // long says too little.
        if now_ms.saturating_sub(asked_ms) <= WAY_MAX_MS {
            self.ahead_ms = its_ms.cast_signed() - now_ms.cast_signed();
        }
    }

    /// Its time when ours is this, in milliseconds since 1970.
    pub(super) fn at(&self, our_ms: u64) -> u64 {
        our_ms.saturating_add_signed(self.ahead_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::Clock;

    #[test]
    fn its_time_follows_from_ours() {
        let mut clock = Clock::default();
        clock.set(-50);
        assert_eq!(clock.at(1_000), 950);
        clock.compare(5_000, 1_000, 1_010);
        assert_eq!(clock.at(2_010), 6_000);
        clock.compare(9_000, 1_000, 4_000);
        assert_eq!(clock.at(2_010), 6_000, "it took three seconds");
    }
}
