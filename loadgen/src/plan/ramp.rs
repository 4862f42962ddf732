//! A number that changes with time: a rate, or how many connections there are.

use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Straight lines one after the other; the last value holds for ever.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Ramp {
    legs: Vec<Leg>,
    /// The value after the last leg.
    rest: f64,
}

/// A straight line.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Leg {
    /// The value at its begin.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    /// Its length in seconds.
    pub seconds: f64,
}

impl Leg {
    fn area(&self) -> f64 {
        (self.from + self.to) / 2.0 * self.seconds
    }

    /// The integral over the first `t` seconds.
    fn area_until(&self, t: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        self.from * t + slope * t * t / 2.0
    }

    /// The first time at which the integral is `n`, which is at most [`Leg::area`]: the root of a square equation, in the
    /// form that does not lose digits where the line is nearly level.
    fn time_of(&self, n: f64) -> f64 {
        let slope = (self.to - self.from) / self.seconds;
        let root = (self.from * self.from + 2.0 * slope * n).max(0.0).sqrt();
        if self.from + root == 0.0 { 0.0 } else { (2.0 * n / (self.from + root)).min(self.seconds) }
    }
}

impl Ramp {
    /// The same value for ever.
    #[must_use]
    pub fn constant(value: f64) -> Ramp {
        Ramp { legs: Vec::new(), rest: value }
    }

    /// Legs of more than no time and of no negative value, and after them the last leg's end for ever.
    #[must_use]
    pub fn new(legs: Vec<Leg>) -> Ramp {
        let rest = legs.last().map_or(0.0, |leg| leg.to);
        Ramp { legs, rest }
    }

    /// The value after this time.
    #[must_use]
    pub fn at(&self, elapsed: Duration) -> f64 {
        let mut left = elapsed.as_secs_f64();
        for leg in &self.legs {
            if left < leg.seconds {
                return leg.from + (leg.to - leg.from) * left / leg.seconds;
            }
            left -= leg.seconds;
        }
        self.rest
    }

    /// The integral: how many events are due after this time, when this is their rate per second.
    #[must_use]
    pub fn cumulative(&self, elapsed: Duration) -> f64 {
        let (mut left, mut sum) = (elapsed.as_secs_f64(), 0.0);
        for leg in &self.legs {
            if left < leg.seconds {
                return sum + leg.area_until(left);
            }
            left -= leg.seconds;
            sum += leg.area();
        }
        sum + left * self.rest
    }

    /// When event number `n` (from 0) is due; `None` when it never is.
    #[must_use]
    pub fn time_of(&self, n: f64) -> Option<Duration> {
        let (mut left, mut begin) = (n, 0.0);
        for leg in &self.legs {
            if left <= leg.area() {
                return Some(Duration::from_secs_f64(begin + leg.time_of(left)));
            }
            left -= leg.area();
            begin += leg.seconds;
        }
        (self.rest > 0.0).then(|| begin + left / self.rest).and_then(|time| Duration::try_from_secs_f64(time).ok())
    }

    /// The lines that it consists of; none of a constant.
    #[must_use]
    pub fn legs(&self) -> &[Leg] {
        &self.legs
    }

    /// The time until the last value holds.
    #[must_use]
    pub fn duration(&self) -> Duration {
        Duration::from_secs_f64(self.legs.iter().map(|leg| leg.seconds).sum())
    }

    /// The value in the end.
    #[must_use]
    pub fn last(&self) -> f64 {
        self.rest
    }

    /// How fast the value grows, as a ramp of its own; `None` when it ever goes down.
    #[must_use]
    pub fn slope_of(&self) -> Option<Ramp> {
        let slope = |leg: &Leg| {
            let speed = (leg.to - leg.from) / leg.seconds;
            (speed >= 0.0).then_some(Leg { from: speed, to: speed, seconds: leg.seconds })
        };
        let legs = self.legs.iter().map(slope).collect::<Option<Vec<Leg>>>()?;
        // What does not fit into the legs by a rounding is due right after them.
        let rest = legs.last().map_or(self.rest, |leg| leg.to);
        Some(Ramp { legs, rest })
    }

    /// The same with every value multiplied.
    #[must_use]
    pub fn scaled(&self, factor: f64) -> Ramp {
        let scale = |leg: &Leg| Leg { from: leg.from * factor, to: leg.to * factor, seconds: leg.seconds };
        Ramp { legs: self.legs.iter().map(scale).collect(), rest: self.rest * factor }
    }
}

#[cfg(test)]
mod tests {
    use super::{Leg, Ramp};
    use std::time::Duration;

    fn ramps() -> Vec<Ramp> {
        vec![
            Ramp::constant(100.0),
            Ramp::new(vec![Leg { from: 0.0, to: 1000.0, seconds: 10.0 }]),
            Ramp::new(vec![
                Leg { from: 100.0, to: 100.0, seconds: 3.0 },
                Leg { from: 100.0, to: 0.0, seconds: 2.0 },
                Leg { from: 5.0, to: 20.0, seconds: 1.0 },
            ]),
        ]
    }

    #[test]
    fn an_event_is_due_when_the_integral_has_reached_its_number() {
        for ramp in ramps() {
            for n in [0.0, 0.5, 1.0, 17.0, 300.0, 399.0, 400.0, 5000.0, 123_456.0] {
                let time = ramp.time_of(n).expect("it comes");
                assert!((ramp.cumulative(time) - n).abs() < 1e-4 * (1.0 + n), "{ramp:?} {n} {time:?}");
            }
        }
    }

    #[test]
    fn the_value_follows_the_lines_and_then_holds() {
        let ramp = Ramp::new(vec![Leg { from: 0.0, to: 10.0, seconds: 5.0 }]);
        let at = |seconds| ramp.at(Duration::from_secs(seconds));
        assert_eq!((at(0), at(1), at(5), at(500)), (0.0, 2.0, 10.0, 10.0));
        assert_eq!(ramp.scaled(2.0).at(Duration::from_secs(1)), 4.0);
    }

    #[test]
    fn nothing_is_due_when_the_rate_has_become_zero() {
        let ramp = Ramp::new(vec![Leg { from: 10.0, to: 0.0, seconds: 2.0 }]);
        assert!(ramp.time_of(9.9).is_some());
        assert_eq!((ramp.time_of(10.1), Ramp::constant(0.0).time_of(1.0)), (None, None));
    }
}
