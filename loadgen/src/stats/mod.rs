//! Statistics of series of seconds: intervals by the bootstrap, comparisons, and slopes.

mod bootstrap;
mod compare;
mod slope;

pub use bootstrap::{Interval, blocks, ratio};
pub use compare::{Comparison, TooShort, compare};
pub use slope::{Slope, slope};

/// The median of some numbers; NaN of none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// A quantile of some numbers, between neighbours where it falls between them; NaN of none.
#[must_use]
pub fn quantile(values: &[f64], share: f64) -> f64 {
    let mut values = values.to_vec();
    let Some(last) = values.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let index = place.floor() as usize;
    // Only what is beside the place need be found: comparing runs takes thousands of medians, and a slope is one of 80,000 slopes.
    let (_, low, above) = values.select_nth_unstable_by(index, f64::total_cmp);
    let high = above.iter().copied().min_by(f64::total_cmp).unwrap_or(*low);
    if place > index as f64 { *low + (high - *low) * (place - index as f64) } else { *low }
}

/// The mean of some numbers; NaN of none.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{mean, median, quantile};
    use crate::random::Random;

    #[test]
    fn quantiles_fall_between_neighbours() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0]), mean(&[1.0, 2.0, 6.0])), (2.0, 2.5, 3.0));
        assert_eq!((quantile(&[10.0, 20.0], 0.25), quantile(&[5.0], 0.99)), (12.5, 5.0));
        assert!(median(&[]).is_nan());
    }

    /// To the last bit: what is compared today is compared with files of yesterday.
    #[test]
    fn quantiles_are_those_of_the_sorted_numbers() {
        let mut random = Random::new(7);
        for length in 1..100 {
            // Some are equal.
            let values: Vec<f64> = (0..length).map(|_| (random.share() * 50.0).floor() / 7.0 - 3.0).collect();
            let mut sorted = values.clone();
            sorted.sort_by(f64::total_cmp);
            for share in [0.0, 0.025, 0.3, 0.5, 0.9, 0.975, 1.0] {
                let place = share * f64::from(length - 1);
                let (low, high) = (sorted[place.floor() as usize], sorted[place.ceil() as usize]);
                assert_eq!(
                    quantile(&values, share),
                    low + (high - low) * (place - place.floor()),
                    "{share} of {values:?}"
                );
            }
        }
    }
}
