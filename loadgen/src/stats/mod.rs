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
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let Some(last) = sorted.len().checked_sub(1) else { return f64::NAN };
    let place = share * last as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

/// The mean of some numbers; NaN of none.
#[must_use]
pub fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

#[cfg(test)]
mod tests {
    use super::{mean, median, quantile};

    #[test]
    fn quantiles_fall_between_neighbours() {
        assert_eq!((median(&[3.0, 1.0, 2.0]), median(&[4.0, 1.0, 2.0, 3.0]), mean(&[1.0, 2.0, 6.0])), (2.0, 2.5, 3.0));
        assert_eq!((quantile(&[10.0, 20.0], 0.25), quantile(&[5.0], 0.99)), (12.5, 5.0));
        assert!(median(&[]).is_nan());
    }
}
