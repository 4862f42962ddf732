//! Intervals by resampling (Efron 1979), in blocks where neighbours resemble each other (Künsch 1989).

use crate::random::Random;

/// How often a sample is drawn again.
const RESAMPLES: usize = 4000;

/// A value and where it probably lies.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// The lower end.
    pub low: f64,
    /// The value of the sample itself.
    pub point: f64,
    /// The upper end.
    pub high: f64,
}

impl Interval {
    /// Whether a value lies in it.
    #[must_use]
    pub fn contains(&self, value: f64) -> bool {
        self.low <= value && value <= self.high
    }
}

/// The interval of a statistic of a series, from resampled blocks of neighbours, at a level such as 0.95.
#[must_use]
pub fn blocks(series: &[f64], statistic: impl Fn(&[f64]) -> f64, level: f64, seed: u64) -> Interval {
    let mut random = Random::new(seed);
    let draws = (0..RESAMPLES).map(|_| statistic(&resample(series, &mut random)));
    interval(statistic(series), draws.collect(), level)
}

/// The interval of the ratio of a statistic of two series, `b` to `a`, each resampled by itself.
#[must_use]
pub fn ratio(a: &[f64], b: &[f64], statistic: impl Fn(&[f64]) -> f64, level: f64, seed: u64) -> Interval {
    let mut random = Random::new(seed);
    let draws = (0..RESAMPLES).map(|_| statistic(&resample(b, &mut random)) / statistic(&resample(a, &mut random)));
    interval(statistic(b) / statistic(a), draws.collect(), level)
}

fn interval(point: f64, draws: Vec<f64>, level: f64) -> Interval {
    let draws: Vec<f64> = draws.into_iter().filter(|draw| draw.is_finite()).collect();
    let tail = (1.0 - level) / 2.0;
    Interval { low: super::quantile(&draws, tail), point, high: super::quantile(&draws, 1.0 - tail) }
}

/// As many values as the series has, in blocks of neighbours that begin anywhere (round the end, too). The length of a
/// block grows with that of the series; a block of one would take seconds for independent.
fn resample(series: &[f64], random: &mut Random) -> Vec<f64> {
    let length = (2.0 * (series.len() as f64).cbrt()).round().max(1.0) as usize;
    let mut drawn = Vec::with_capacity(series.len() + length);
    while drawn.len() < series.len() {
        let begin = (random.next() % series.len() as u64) as usize;
        let to_the_end = length.min(series.len() - begin);
        drawn.extend_from_slice(&series[begin..begin + to_the_end]);
        drawn.extend(series.iter().cycle().take(length - to_the_end));
    }
    drawn.truncate(series.len());
    drawn
}

#[cfg(test)]
pub(super) mod tests {
    use super::{blocks, ratio};
    use crate::random::Random;
    use crate::stats::{mean, median};

    /// A normal distribution (Box and Muller 1958).
    pub(in crate::stats) fn normal(random: &mut Random) -> f64 {
        (-2.0 * random.share().max(1e-12).ln()).sqrt() * (std::f64::consts::TAU * random.share()).cos()
    }

    /// How often the interval has the true value in it, over series that are made again.
    fn coverage(draw: impl Fn(&mut Random) -> f64, statistic: impl Fn(&[f64]) -> f64 + Copy, truth: f64) -> f64 {
        let hits = (0..200).filter(|seed| {
            let mut random = Random::new(*seed);
            let series: Vec<f64> = (0..60).map(|_| draw(&mut random)).collect();
            blocks(&series, statistic, 0.95, *seed).contains(truth)
        });
        hits.count() as f64 / 200.0
    }

    #[test]
    fn intervals_of_known_distributions_have_the_truth_in_them_as_often_as_they_say() {
        let normal = coverage(|random| 10.0 + normal(random), mean, 10.0);
        let exponential = coverage(|random| -random.share().max(1e-12).ln(), mean, 1.0);
        let medians = coverage(|random| 10.0 + tests_normal(random), median, 10.0);
        for share in [normal, exponential, medians] {
            assert!((0.85..=0.99).contains(&share), "{normal} {exponential} {medians}");
        }
    }

    fn tests_normal(random: &mut Random) -> f64 {
        normal(random)
    }

    #[test]
    fn a_ratio_is_found() {
        let mut random = Random::new(1);
        let mut series = |scale: f64| (0..60).map(|_| scale * (1.0 + 0.01 * normal(&mut random))).collect::<Vec<f64>>();
        let interval = ratio(&series(100.0), &series(105.0), median, 0.95, 1);
        assert!(
            interval.contains(1.05) && !interval.contains(1.0) && interval.high - interval.low < 0.02,
            "{interval:?}"
        );
    }
}
