//! Times a check with two inputs in a random order, and compares the times by Welch's t-test.

use super::cases::Case;
use rand::rngs::SmallRng;
use rand::{RngExt as _, SeedableRng as _};
use std::hint::black_box;
use std::time::Instant;

/// Where dudect speaks of a leak.
pub(super) const FINDING: f64 = 4.5;
/// Where this fails.
pub(super) const FAILURE: f64 = 3.0 * FINDING;
/// The shares of the samples, the fastest first, that are compared: an interrupt is longer than any check, and hides it.
const SHARES: [f64; 5] = [0.5, 0.8, 0.95, 0.99, 1.0];
/// The share whose means are shown.
const SHOWN: f64 = 0.8;
/// Samples that are thrown away: caches and predictors are cold.
const COLD: usize = 2_000;

/// What timing a case has found.
pub(super) struct Finding {
    /// The largest |t| of all shares.
    pub(super) t: f64,
    /// The mean time with each input, in nanoseconds, without the slowest fifth.
    pub(super) means: [f64; 2],
}

impl Finding {
    /// Times a case.
    pub(super) fn of(case: &Case, samples: usize, seed: u64) -> Finding {
        let times = measure(case, samples, seed);
        let mut pooled: Vec<u32> = times.iter().flatten().copied().collect();
        pooled.sort_unstable();
        // By one limit for both inputs, or the cut itself would depend on the input.
        let fastest = |share: f64| {
            let limit = pooled[((pooled.len() - 1) as f64 * share) as usize];
            times.each_ref().map(|class| Sample::of(class.iter().filter(|time| **time <= limit)))
        };
        let t = SHARES.iter().map(|share| welch(&fastest(*share)).abs()).fold(0.0, f64::max);
        Finding { t, means: fastest(SHOWN).map(|sample| sample.mean) }
    }
}

/// The times with each input, in nanoseconds.
fn measure(case: &Case, samples: usize, seed: u64) -> [Vec<u32>; 2] {
    let mut random = SmallRng::seed_from_u64(seed);
    let mut times = [Vec::with_capacity(samples), Vec::with_capacity(samples)];
    // Both inputs are checked in the same place: where one stands must not make a difference.
    let mut place = case.inputs[0].clone();
    for number in 0..samples + COLD {
        let class = usize::from(random.random::<bool>());
        place.clear();
        place.push_str(&case.inputs[class]);
        let began = Instant::now();
        black_box((case.check)(black_box(&place)));
        let took = began.elapsed();
        if number >= COLD {
            times[class].push(u32::try_from(took.as_nanos()).unwrap_or(u32::MAX));
        }
    }
    times
}

/// Mean and variance of some times.
struct Sample {
    count: f64,
    mean: f64,
    variance: f64,
}

impl Sample {
    fn of<'t>(times: impl Iterator<Item = &'t u32>) -> Sample {
        let (mut count, mut mean, mut squares) = (0.0, 0.0, 0.0);
        for time in times {
            // Welford's method: no sum that is so large that small differences are lost in it.
            count += 1.0;
            let distance = f64::from(*time) - mean;
            mean += distance / count;
            squares += distance * (f64::from(*time) - mean);
        }
        Sample { count, mean, variance: squares / (count - 1.0_f64).max(1.0) }
    }
}

/// Welch's t of two samples.
fn welch([one, other]: &[Sample; 2]) -> f64 {
    let error = (one.variance / one.count.max(1.0) + other.variance / other.count.max(1.0)).sqrt();
    if error == 0.0 { 0.0 } else { (one.mean - other.mean) / error }
}
