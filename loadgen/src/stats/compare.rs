//! Two series of seconds side by side: a change with its interval, or no difference.

use super::bootstrap::{Interval, ratio};
use super::median;
use std::fmt;

/// The minimum number of seconds of a series to compare.
const SECONDS_MIN: usize = 5;
/// How sure an interval is.
const LEVEL: f64 = 0.95;

/// A measure in two runs.
#[derive(Debug, Clone, PartialEq)]
pub struct Comparison {
    /// Its name.
    pub name: String,
    /// Its median over the seconds of the first run.
    pub a: f64,
    /// The same of the second.
    pub b: f64,
    /// The change in percent of the first.
    pub change: Interval,
}

/// Too few seconds to compare.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: a run of {seconds} seconds is too short to compare; the minimum is {SECONDS_MIN}")]
pub struct TooShort {
    /// The measure.
    pub name: String,
    /// How many seconds there are.
    pub seconds: usize,
}

impl Comparison {
    /// Whether the change is more than chance.
    #[must_use]
    pub fn differs(&self) -> bool {
        !self.change.contains(0.0)
    }
}

impl fmt::Display for Comparison {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Interval { low, point, high } = self.change;
        if self.differs() {
            write!(f, "{point:+.1} % [{low:.1}, {high:.1}]")
        } else {
            write!(f, "no difference ({point:+.1} % [{low:.1}, {high:.1}])")
        }
    }
}

/// Compares a measure of each second of two runs.
///
/// # Errors
/// A run is too short.
pub fn compare(name: &str, a: &[f64], b: &[f64], seed: u64) -> Result<Comparison, TooShort> {
    let shortest = a.len().min(b.len());
    if shortest < SECONDS_MIN {
        return Err(TooShort { name: name.to_owned(), seconds: shortest });
    }
    let ratio = ratio(a, b, median, LEVEL, seed);
    let percent = |value: f64| 100.0 * (value - 1.0);
    let change = Interval { low: percent(ratio.low), point: percent(ratio.point), high: percent(ratio.high) };
    Ok(Comparison { name: name.to_owned(), a: median(a), b: median(b), change })
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::tests::normal;
    use super::{TooShort, compare};
    use crate::random::Random;

    /// Seconds that resemble their neighbours.
    fn series(random: &mut Random, level: f64, noise: f64, memory: f64) -> Vec<f64> {
        let mut state = 0.0;
        (0..60)
            .map(|_| {
                state = memory * state + normal(random);
                level * (1.0 + noise * state * (1.0 - memory * memory).sqrt())
            })
            .collect()
    }

    /// The share of repetitions in which a difference is found.
    fn found(change: f64, noise: f64, memory: f64) -> f64 {
        let found = (0..100).filter(|seed| {
            let mut random = Random::new(1000 + *seed);
            let (a, b) =
                (series(&mut random, 100.0, noise, memory), series(&mut random, 100.0 * (1.0 + change), noise, memory));
            compare("x", &a, &b, *seed).expect("long enough").differs()
        });
        found.count() as f64 / 100.0
    }

    #[test]
    fn a_real_change_is_found_and_a_run_does_not_differ_from_itself() {
        assert!(found(0.05, 0.01, 0.0) > 0.99);
        assert!(found(0.0, 0.05, 0.0) <= 0.12, "{}", found(0.0, 0.05, 0.0));
    }

    #[test]
    fn seconds_that_resemble_their_neighbours_do_not_make_differences() {
        assert!(found(0.0, 0.05, 0.5) <= 0.25, "{}", found(0.0, 0.05, 0.5));
    }

    #[test]
    fn it_is_told_in_words() {
        let steady = |level: f64| (0..10).map(|n| level + f64::from(n % 3)).collect::<Vec<f64>>();
        let same = compare("rate", &steady(1000.0), &steady(1000.0), 1).expect("long enough");
        assert!(same.to_string().starts_with("no difference (+0.0 % ["), "{same}");
        let more = compare("rate", &steady(1000.0), &steady(1100.0), 1).expect("long enough");
        assert!(more.to_string().starts_with("+10.0 % ["), "{more}");
        assert_eq!(compare("rate", &[1.0; 4], &[1.0; 60], 1), Err(TooShort { name: "rate".to_owned(), seconds: 4 }));
        assert!(compare("rate", &[1.0; 5], &[1.0; 5], 1).is_ok());
    }
}
