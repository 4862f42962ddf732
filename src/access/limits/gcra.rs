//! The generic cell rate algorithm (ITU-T I.371, annex A): a rate with a burst, held by one number of 8 bytes for each key.
//!
//! The number is the moment at which the whole burst will be there again (the "theoretical arrival time"). One that has passed
//! says the same as none at all, so what is idle needs no memory.

use crate::config::Rate;
use std::time::{Duration, Instant};

/// Units of a [`Moment`] in a nanosecond.
const UNITS: u64 = 64;

/// A moment, in 64ths of a nanosecond since the server's start: 2^64 of them last nine years, and a byte of a gigabyte a
/// second takes 64.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Moment(pub(super) u64);

impl Moment {
    /// `now`, counted from the server's start.
    #[must_use]
    #[inline]
    pub fn of(now: Instant, started: Instant) -> Moment {
        let since = now.saturating_duration_since(started);
        Moment((since.as_nanos() as u64).saturating_mul(UNITS))
    }
}

/// A rate, in the numbers that a check works with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// The time in which one comes back.
    each: u64,
    /// The time in which a whole burst comes back.
    burst: u64,
}

/// What was asked for was not allowed, and will be after this time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RetryAfter(pub Duration);

impl From<&Rate> for Pace {
    fn from(rate: &Rate) -> Pace {
        let per = rate.per.as_nanos() as u64 * UNITS;
        // Rounded up: what is allowed is never more than the rate, and less by one part in as many as units are in `each`.
        let each = per.div_ceil(rate.count.max(1)).max(1);
        // The configuration keeps it below 30 days; nothing here may overflow, whatever the configuration is.
        Pace { each, burst: each.saturating_mul(rate.burst).min(u64::MAX / 4) }
    }
}

impl Pace {
    /// Takes `cost` out of what the key of `whole_at` may still do. More than a whole burst is never allowed.
    ///
    /// # Errors
    /// It is too much for now. Nothing was taken.
    #[inline]
    pub fn check(&self, whole_at: &mut u64, now: Moment, cost: u64) -> Result<(), RetryAfter> {
        let after = self.after(*whole_at, now, cost);
        let limit = now.0.saturating_add(self.burst);
        if after > limit {
            return Err(RetryAfter(span(after - limit)));
        }
        *whole_at = after;
        Ok(())
    }

    /// Takes `cost` in any case: how long its key has to wait before it may go on.
    #[inline]
    pub fn charge(&self, whole_at: &mut u64, now: Moment, cost: u64) -> Duration {
        *whole_at = self.after(*whole_at, now, cost);
        span(whole_at.saturating_sub(now.0.saturating_add(self.burst)))
    }

    /// Gives back what [`Pace::check`] took.
    pub fn give_back(&self, whole_at: &mut u64, cost: u64) {
        *whole_at = whole_at.saturating_sub(self.each.saturating_mul(cost));
    }

    #[inline]
    fn after(&self, whole_at: u64, now: Moment, cost: u64) -> u64 {
        // From now at the earliest: quiet time gains no more than the burst.
        whole_at.max(now.0).saturating_add(self.each.saturating_mul(cost))
    }
}

/// A span in units, rounded up: whoever waits for this long has waited long enough.
fn span(units: u64) -> Duration {
    Duration::from_nanos(units.div_ceil(UNITS))
}

#[cfg(test)]
mod tests {
    use super::{Moment, Pace, RetryAfter, UNITS};
    use crate::config::{Counted, Rate};
    use proptest::collection::vec;
    use proptest::prelude::{ProptestConfig, Strategy, any, prop_assert, prop_assert_eq, proptest};
    use std::time::{Duration, Instant};

    fn rate(text: &str) -> Rate {
        Rate::parse(text, Counted::Pieces).expect("a rate").expect("not off")
    }

    fn at_ms(ms: u64) -> Moment {
        Moment(ms * 1_000_000 * UNITS)
    }

    #[test]
    fn a_burst_passes_at_once_and_then_one_as_each_comes_back() {
        let (pace, mut state) = (Pace::from(&rate("10/s burst 3")), 0);
        let at_once: Vec<bool> = (0..5).map(|_| pace.check(&mut state, at_ms(0), 1).is_ok()).collect();
        assert_eq!(at_once, [true, true, true, false, false]);
        assert_eq!(pace.check(&mut state, at_ms(40), 1), Err(RetryAfter(Duration::from_millis(60))), "the true time");
        assert_eq!(pace.check(&mut state, at_ms(100), 1), Ok(()));
        assert!(pace.check(&mut state, at_ms(100), 1).is_err());
    }

    #[test]
    fn a_third_of_a_second_is_rounded_and_the_whole_burst_is_there_all_the_same() {
        let (pace, mut state) = (Pace::from(&rate("3/s")), 0);
        assert!((0..3).all(|_| pace.check(&mut state, at_ms(7), 1).is_ok()));
        let mut state = 0;
        assert_eq!(pace.check(&mut state, at_ms(7), 3), Ok(()));
        let RetryAfter(wait) = pace.check(&mut state, at_ms(7), 1).expect_err("it is used up");
        assert_eq!(wait, Duration::from_nanos(333_333_334));
        assert_eq!(pace.check(&mut state, Moment(at_ms(7).0 + wait.as_nanos() as u64 * UNITS), 1), Ok(()));
    }

    #[test]
    fn quiet_time_gains_no_more_than_the_burst_and_more_than_a_burst_never_passes() {
        let (pace, mut state) = (Pace::from(&rate("10/s burst 3")), 0);
        let hour = at_ms(3_600_000);
        assert!(pace.check(&mut state, hour, 4).is_err());
        assert_eq!((pace.check(&mut state, hour, 3), state > hour.0), (Ok(()), true));
        assert!(pace.check(&mut state, hour, 1).is_err());
    }

    #[test]
    fn what_is_charged_is_owed_until_it_came_back() {
        let (pace, mut state) = (Pace::from(&rate("1000/s burst 100")), 0);
        assert_eq!(pace.charge(&mut state, at_ms(0), 100), Duration::ZERO);
        assert_eq!(pace.charge(&mut state, at_ms(0), 500), Duration::from_millis(500));
        assert_eq!(pace.charge(&mut state, at_ms(400), 0), Duration::from_millis(100));
        assert_eq!(pace.charge(&mut state, at_ms(500), 0), Duration::ZERO);
    }

    #[test]
    fn what_is_given_back_was_never_taken() {
        let (pace, mut state) = (Pace::from(&rate("10/s burst 3")), 0);
        (0..3).for_each(|_| assert!(pace.check(&mut state, at_ms(5), 1).is_ok()));
        pace.give_back(&mut state, 2);
        let again: Vec<bool> = (0..3).map(|_| pace.check(&mut state, at_ms(5), 1).is_ok()).collect();
        assert_eq!(again, [true, true, false]);
    }

    #[test]
    fn nothing_overflows_at_the_ends_of_all_ranges() {
        for text in ["1/d burst 30", "1000000000/s burst 1000000000000000", "1/ms"] {
            let (pace, mut state) = (Pace::from(&rate(text)), 0);
            assert!(pace.check(&mut state, Moment(0), 1).is_ok(), "{text}");
            pace.charge(&mut state, Moment(u64::MAX), u64::MAX);
            assert!(pace.check(&mut state, Moment(u64::MAX), 1).is_ok(), "{text}: after nine years nothing is refused");
        }
        let (now, before) = (Instant::now(), Instant::now() + Duration::from_secs(5));
        assert_eq!(Moment::of(now, before), Moment(0), "another thread's clock may be older");
    }

    /// A count, a time for it and a burst.
    fn rates() -> impl Strategy<Value = Rate> {
        (1_u64..2000, 1_u64..100_000, 1_u64..300).prop_map(|(count, per_ms, burst)| Rate {
            count,
            per: Duration::from_millis(per_ms),
            burst,
            of: Counted::Pieces,
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(512))]

        /// In nanoseconds: what was allowed in any window is at most the burst and what comes back in the window; what is
        /// refused would have been more than that in one of them, but for the rounding of one to units.
        #[test]
        fn no_window_has_more_than_the_burst_and_its_share_and_no_less_is_allowed(
            rate in rates(),
            arrivals in vec((0_u64..2_000_000_000, 1_u64..20, any::<bool>()), 1..120),
        ) {
            let (pace, mut state) = (Pace::from(&rate), 0);
            let each = u128::from(pace.each);
            let (per, count, burst) = (rate.per.as_nanos(), u128::from(rate.count), u128::from(rate.burst));
            // Rounded up, by less than a unit.
            prop_assert!((each - 1) * count < per * u128::from(UNITS) && per * u128::from(UNITS) <= each * count);
            let (mut now, mut passed): (u64, Vec<(u64, u64)>) = (0, Vec::new());
            for (pause, cost, waits) in arrivals {
                now += if waits { pause } else { 0 };
                // What passed since each moment at which something did, and now as a window of no length.
                let windows = |passed: &[(u64, u64)]| -> Vec<(u128, u128)> {
                    let sum = |from: usize| passed[from..].iter().map(|(_, cost)| u128::from(*cost)).sum();
                    let all = (0..passed.len()).map(|from| (u128::from(now - passed[from].0), sum(from)));
                    all.chain([(0, 0)]).collect()
                };
                match pace.check(&mut state, Moment(now * UNITS), cost) {
                    Ok(()) => {
                        passed.push((now, cost));
                        for (length, sum) in windows(&passed) {
                            prop_assert!(sum * per <= burst * per + count * length, "{sum} in {length} ns");
                        }
                    }
                    Err(RetryAfter(wait)) => {
                        let is_over = |(length, sum): (u128, u128)| {
                            (sum + u128::from(cost)) * each > burst * each + length * u128::from(UNITS)
                        };
                        prop_assert!(windows(&passed).into_iter().any(is_over), "{cost} were refused for nothing");
                        // The time that it says is the true one.
                        if u128::from(cost) <= burst {
                            let (mut early, mut due, wait) = (state, state, wait.as_nanos() as u64);
                            prop_assert!(pace.check(&mut early, Moment((now + wait - 1) * UNITS), cost).is_err());
                            prop_assert!(pace.check(&mut due, Moment((now + wait) * UNITS), cost).is_ok());
                        }
                    }
                }
            }
        }

        /// A bucket of tokens that are pieces of time, filled as time goes on: both let the same pass, always.
        #[test]
        fn it_is_a_token_bucket(
            rate in rates(),
            arrivals in vec((0_u64..3_000_000_000, 0_u64..20), 1..200),
        ) {
            let (pace, mut state) = (Pace::from(&rate), 0);
            let (full, mut tokens, mut now) = (pace.burst, pace.burst, 0);
            for (pause, cost) in arrivals {
                now += pause * UNITS;
                tokens = (tokens + pause * UNITS).min(full);
                let has_enough = tokens >= cost * pace.each;
                tokens -= if has_enough { cost * pace.each } else { 0 };
                prop_assert_eq!(pace.check(&mut state, Moment(now), cost).is_ok(), has_enough);
            }
        }
    }
}
