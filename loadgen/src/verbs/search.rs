//! The search for the highest value that holds: what to try next, and what was the limit.

/// The maximum number of runs of one search.
const RUNS: u32 = 40;
/// So many runs at the value that is reported must hold.
const TIMES: u32 = 3;

/// What a run at a value came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// It keeps to the objective.
    Holds,
    /// It does not, and why.
    Misses(String),
    /// Somebody has stopped it.
    Stopped,
}

/// What was found.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Found {
    /// The highest value that held and was never refuted, and how often it held.
    pub(super) best: Option<(f64, u32)>,
    pub(super) limit: Limit,
}

impl Found {
    /// Whether it held as often as it should.
    pub(super) fn is_confirmed(&self) -> bool {
        self.best.is_some_and(|(_, times)| times >= TIMES)
    }
}

/// What keeps the value from being higher.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Limit {
    /// At this value it misses the objective.
    Missed(f64, String),
    /// The range ends.
    Range,
    /// The runs of a search are over.
    Runs,
    /// Somebody has stopped it.
    Stopped,
}

/// Between which values, and how close to come in percent.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    pub(super) min: f64,
    pub(super) max: f64,
    pub(super) precision: f64,
}

/// What is known so far.
#[derive(Debug, Default)]
struct Known {
    /// Values that held, and how often: all of them below the lowest that missed.
    held: Vec<(f64, u32)>,
    missed: Option<(f64, String)>,
}

/// Doubles until the objective is missed, halves the distance until it is small, and confirms. What does not hold again bounds
/// the search anew, so that nothing is reported that is less than what held.
pub(super) fn search<E>(range: Range, mut probe: impl FnMut(f64) -> Result<Answer, E>) -> Result<Found, E> {
    let mut known = Known::default();
    for _ in 0..RUNS {
        let Some(value) = known.next(range) else { return Ok(known.found(Limit::Range)) };
        match probe(value)? {
            Answer::Holds => known.holds(value),
            Answer::Misses(why) => known.misses(value, why),
            Answer::Stopped => return Ok(Found { limit: Limit::Stopped, ..known.found(Limit::Stopped) }),
        }
    }
    Ok(match known.next(range) {
        None => known.found(Limit::Range),
        Some(_) => Found { limit: Limit::Runs, ..known.found(Limit::Runs) },
    })
}

impl Known {
    fn top(&self) -> Option<(f64, u32)> {
        self.held.iter().copied().max_by(|a, b| a.0.total_cmp(&b.0))
    }

    fn holds(&mut self, value: f64) {
        match self.held.iter_mut().find(|(known, _)| *known == value) {
            Some((_, times)) => *times += 1,
            None => self.held.push((value, 1)),
        }
    }

    /// What held here or above held by chance.
    fn misses(&mut self, value: f64, why: String) {
        self.held.retain(|(held, _)| *held < value);
        self.missed = Some((value, why));
    }

    /// What to try next; nothing when all is known.
    fn next(&self, range: Range) -> Option<f64> {
        let Some((top, times)) = self.top() else {
            // Nothing holds so far: the minimum is tried, once.
            return self.missed.as_ref().is_none_or(|(missed, _)| *missed > range.min).then_some(range.min);
        };
        let middle = match &self.missed {
            None => Some((2.0 * top).min(range.max)).filter(|value| *value > top),
            Some((missed, _)) => {
                let is_far = missed / top > 1.0 + range.precision / 100.0;
                Some((top * missed).sqrt().round().max(top + 1.0)).filter(|value| is_far && value < missed)
            }
        };
        middle.or((times < TIMES).then_some(top))
    }

    fn found(&self, otherwise: Limit) -> Found {
        let limit = self.missed.clone().map_or(otherwise, |(value, why)| Limit::Missed(value, why));
        Found { best: self.top(), limit }
    }
}

#[cfg(test)]
mod tests {
    use super::{Answer, Found, Limit, RUNS, Range, search};
    use std::convert::Infallible;

    const RANGE: Range = Range { min: 10.0, max: 100_000.0, precision: 5.0 };

    fn found(range: Range, mut holds: impl FnMut(f64, u32) -> bool) -> (Found, u32) {
        let mut runs = 0;
        let found = search(range, |value| {
            runs += 1;
            let holds = holds(value, runs);
            Ok::<_, Infallible>(if holds { Answer::Holds } else { Answer::Misses(format!("too much at {value}")) })
        });
        (found.expect("nothing fails"), runs)
    }

    #[test]
    fn the_highest_value_is_found_within_the_precision_and_the_limit_is_told() {
        for max in [10.0, 11.0, 77.0, 1234.0, 99_999.0] {
            let (found, runs) = found(RANGE, |value, _| value <= max);
            let (value, times) = found.best.expect("something holds");
            assert!(value <= max && value * 1.05 + 1.0 >= max && times >= 3 && runs < RUNS, "{max}: {found:?}");
            let Limit::Missed(missed, why) = &found.limit else { panic!("{found:?}") };
            assert!(*missed > max && why.contains("too much"), "{found:?}");
        }
    }

    #[test]
    fn where_nothing_misses_the_range_is_the_limit_and_where_all_does_nothing_is_found() {
        let (all, _) = found(RANGE, |_, _| true);
        assert_eq!((all.best, all.limit), (Some((100_000.0, 3)), Limit::Range));
        let (none, runs) = found(RANGE, |_, _| false);
        assert_eq!((none.best, runs), (None, 1));
        assert!(matches!(none.limit, Limit::Missed(10.0, _)));
    }

    /// What held only once was lowered by the precision again and again, past values that had held.
    #[test]
    fn a_value_that_held_by_chance_does_not_take_others_with_it() {
        // 1,280 holds once and 1,000 always: the answer is near 1,000, and not 5 % less for each try.
        let mut lucky = true;
        let (result, _) = found(RANGE, |value, _| value <= 1000.0 || value == 1280.0 && std::mem::take(&mut lucky));
        let (value, times) = result.best.expect("something holds");
        assert!((950.0..=1000.0).contains(&value) && times >= 3, "{result:?}");
    }

    #[test]
    fn a_search_that_ends_early_tells_what_held() {
        let mut runs = 0;
        let stopped = search(RANGE, |_| {
            runs += 1;
            Ok::<_, Infallible>(if runs <= 4 { Answer::Holds } else { Answer::Stopped })
        });
        let stopped = stopped.expect("nothing fails");
        assert_eq!((stopped.best, stopped.is_confirmed(), stopped.limit), (Some((80.0, 1)), false, Limit::Stopped));
        // Close to hopeless: every second run misses.
        let (unsteady, runs) =
            found(Range { precision: 0.0001, max: 1e9, ..RANGE }, |value, run| value < 1e8 && run % 7 != 6);
        assert!(runs <= RUNS && unsteady.best.is_some(), "{unsteady:?}");
    }
}
