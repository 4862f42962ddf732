//! What grows with time: the median of the slopes between all pairs (Theil 1950, Sen 1968), which a few wild points do not
//! move, with an interval.

use super::bootstrap::Interval;
use super::{median, quantile};
use crate::random::Random;

/// The maximum number of points; of more, some are left out evenly. This many have 80,000 pairs.
const POINTS_MAX: usize = 400;
/// How often the points are drawn again for the interval.
const RESAMPLES: usize = 200;

/// Growth per unit of `x`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Slope {
    /// How fast it grows, and between which speeds that probably is.
    pub per_unit: Interval,
}

/// The slope of points; `None` when there are fewer than three, or all at the same `x`.
#[must_use]
pub fn slope(points: &[(f64, f64)], seed: u64) -> Option<Slope> {
    let step = points.len().div_ceil(POINTS_MAX).max(1);
    let points: Vec<(f64, f64)> = points.iter().copied().step_by(step).collect();
    let point = theil_sen(&points)?;
    let mut random = Random::new(seed);
    let draws: Vec<f64> = (0..RESAMPLES)
        .filter_map(|_| {
            let drawn: Vec<(f64, f64)> =
                points.iter().map(|_| points[(random.next() % points.len() as u64) as usize]).collect();
            theil_sen(&drawn)
        })
        .collect();
    Some(Slope { per_unit: Interval { low: quantile(&draws, 0.025), point, high: quantile(&draws, 0.975) } })
}

fn theil_sen(points: &[(f64, f64)]) -> Option<f64> {
    if points.len() < 3 {
        return None;
    }
    let pairs = points.iter().enumerate().flat_map(|(index, a)| points[index + 1..].iter().map(move |b| (a, b)));
    let slopes: Vec<f64> = pairs.filter(|(a, b)| a.0 != b.0).map(|(a, b)| (b.1 - a.1) / (b.0 - a.0)).collect();
    (!slopes.is_empty()).then(|| median(&slopes))
}

#[cfg(test)]
mod tests {
    use super::super::bootstrap::tests::normal;
    use super::slope;
    use crate::random::Random;

    #[test]
    fn growth_is_found_through_noise_and_wild_points() {
        let mut random = Random::new(4);
        let mut points: Vec<(f64, f64)> =
            (0..100).map(|x| (f64::from(x), 3.0 * f64::from(x) + 10.0 * normal(&mut random))).collect();
        points[50].1 = 1e9;
        points[70].1 = -1e9;
        let found = slope(&points, 1).expect("a slope").per_unit;
        assert!(found.contains(3.0) && !found.contains(0.0) && (found.point - 3.0).abs() < 0.2, "{found:?}");
    }

    #[test]
    fn what_does_not_grow_has_zero_in_its_interval() {
        let mut random = Random::new(5);
        let points: Vec<(f64, f64)> = (0..1000).map(|x| (f64::from(x), normal(&mut random))).collect();
        assert!(slope(&points, 1).expect("a slope").per_unit.contains(0.0));
        assert!(slope(&points[..2], 1).is_none() && slope(&[(1.0, 1.0), (1.0, 2.0), (1.0, 3.0)], 1).is_none());
    }
}
