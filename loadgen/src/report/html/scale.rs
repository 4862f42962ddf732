//! Where values are along an axis, and where its ticks are.

/// How values are laid out along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scale {
    /// Evenly, from zero.
    Linear,
    /// The same, with ticks that are round in powers of 1024.
    Binary,
    /// Each power of ten as wide as the next.
    Log,
    /// Percentiles by how rare what is above them is: 90, 99 and 99.9 are as far apart. Values are 1 / (1 - share).
    Rarity,
}

/// What an axis reaches over.
#[derive(Debug)]
pub(super) struct Span {
    scale: Scale,
    pub(super) low: f64,
    high: f64,
}

impl Span {
    /// Reaches over all values, and to round numbers where the scale is logarithmic.
    pub(super) fn of(scale: Scale, values: impl Iterator<Item = f64>) -> Span {
        let is_even = matches!(scale, Scale::Linear | Scale::Binary);
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values.filter(|value| value.is_finite() && (is_even || *value > 0.0)) {
            (low, high) = (low.min(value), high.max(value));
        }
        if low > high {
            // There is nothing that this scale can show.
            (low, high) = (1.0, 1.0);
        }
        match scale {
            Scale::Linear | Scale::Binary => {
                let low = low.min(0.0);
                Span { scale, low, high: if high > low { high + 0.04 * (high - low) } else { low + 1.0 } }
            }
            Scale::Log => {
                let (low, high) = (round_number(low, f64::le), round_number(high, f64::ge));
                // Where only powers of ten have a number, the axis begins and ends at one.
                let (low, high) = if is_wide(low, high) {
                    (power(exponent(low)), power((high * 0.999).log10().ceil() as i32))
                } else {
                    (low, high)
                };
                Span { scale, low, high: high.max(5.0 * low) }
            }
            Scale::Rarity => Span { scale, low: 1.0, high: high.max(100.0) },
        }
    }

    /// Where a value is, from 0 to 1.
    pub(super) fn place(&self, value: f64) -> f64 {
        let place = match self.scale {
            Scale::Linear | Scale::Binary => (value - self.low) / (self.high - self.low),
            Scale::Log | Scale::Rarity => (value.max(self.low) / self.low).log10() / (self.high / self.low).log10(),
        };
        place.clamp(0.0, 1.0)
    }

    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.scale {
            Scale::Linear => self.even_ticks(1.0),
            Scale::Binary => self.even_ticks(1024_f64.powf(self.high.max(1.0).log(1024.0).floor())),
            Scale::Log => {
                let factors: &[f64] = if is_wide(self.low, self.high) { &[1.0] } else { &[1.0, 2.0, 5.0] };
                let exponents = exponent(self.low)..=exponent(self.high);
                let all = exponents.flat_map(|exponent| factors.iter().map(move |factor| factor * power(exponent)));
                all.filter(|tick| *tick >= self.low * 0.999 && *tick <= self.high * 1.001).collect()
            }
            Scale::Rarity => {
                let shares = [1.0, 2.0, 10.0, 100.0, 1e3, 1e4, 1e5, 1e6, 1e7];
                shares.into_iter().filter(|rarity| *rarity <= self.high * 1.001).collect()
            }
        }
    }

    /// Three to six ticks at 1, 2 or 5 times a power of ten of a unit.
    fn even_ticks(&self, unit: f64) -> Vec<f64> {
        let step = round_number((self.high - self.low) / unit / 5.0, f64::ge) * unit;
        let (first, last) = ((self.low / step).ceil() as i64, (self.high / step).floor() as i64);
        (first..=last).map(|tick| tick as f64 * step).collect()
    }
}

/// Whether an axis reaches over more powers of ten than have room, so that only they have a number.
fn is_wide(low: f64, high: f64) -> bool {
    (high / low).log10() >= 2.5
}

/// The nearest of 1, 2 and 5 times a power of ten that is `<=` or `>=` a value above zero.
fn round_number(value: f64, is_beyond: fn(&f64, &f64) -> bool) -> f64 {
    let around = exponent(value) - 1..=exponent(value) + 1;
    let numbers = around.flat_map(|exponent| [1.0, 2.0, 5.0].map(|factor| factor * power(exponent)));
    let beyond = numbers.filter(|number| is_beyond(number, &value));
    let distance = |number: &f64| (number / value).log10().abs();
    beyond.min_by(|a, b| distance(a).total_cmp(&distance(b))).unwrap_or(value)
}

fn exponent(value: f64) -> i32 {
    value.log10().floor() as i32
}

fn power(exponent: i32) -> f64 {
    // Negative powers are divisions, which are exact to the last digit where multiplications are not.
    if exponent < 0 { 1.0 / 10_f64.powi(-exponent) } else { 10_f64.powi(exponent) }
}

#[cfg(test)]
mod tests {
    use super::{Scale, Span};
    use proptest::prelude::*;

    #[test]
    fn ticks_are_round() {
        assert_eq!(Span::of(Scale::Linear, [3.0, 47.0].into_iter()).ticks(), [0.0, 10.0, 20.0, 30.0, 40.0]);
        assert_eq!(Span::of(Scale::Log, [0.003, 0.014].into_iter()).ticks(), [0.002, 0.005, 0.01, 0.02]);
        assert_eq!(Span::of(Scale::Log, [0.0003, 2.0].into_iter()).ticks(), [0.0001, 0.001, 0.01, 0.1, 1.0, 10.0]);
        let mebi = 1_048_576.0;
        assert_eq!(Span::of(Scale::Binary, [5.2 * mebi].into_iter()).ticks(), [0.0, 2.0 * mebi, 4.0 * mebi]);
        assert_eq!(Span::of(Scale::Rarity, [1.0, 1500.0].into_iter()).ticks(), [1.0, 2.0, 10.0, 100.0, 1000.0]);
    }

    #[test]
    fn logarithms_reach_to_round_numbers_and_leave_out_what_they_cannot_show() {
        let span = Span::of(Scale::Log, [f64::NAN, 0.0, 0.003, 0.014].into_iter());
        assert_eq!((span.low, span.place(0.002), span.place(0.0), span.place(0.02)), (0.002, 0.0, 0.0, 1.0));
        assert!((span.place(0.04_f64.sqrt() * 0.1_f64.sqrt() * 0.1) - 0.5).abs() < 1e-9, "halfway between 2 and 20 ms");
        assert!(!Span::of(Scale::Log, std::iter::empty()).ticks().is_empty());
    }

    proptest! {
        #[test]
        fn every_value_has_a_place_and_ticks_ascend(
            values in proptest::collection::vec(1e-9_f64..1e9, 1..20),
            scale in prop_oneof![Just(Scale::Linear), Just(Scale::Binary), Just(Scale::Log)],
        ) {
            let span = Span::of(scale, values.iter().copied());
            let mut sorted = values;
            sorted.sort_by(f64::total_cmp);
            let places: Vec<f64> = sorted.iter().map(|value| span.place(*value)).collect();
            prop_assert!(places.is_sorted() && places.iter().all(|place| (0.0..=1.0).contains(place)), "{:?}", places);
            let ticks = span.ticks();
            prop_assert!((2..=16).contains(&ticks.len()), "{:?}", ticks);
            prop_assert!(ticks.windows(2).all(|pair| pair[0] < pair[1]), "{:?}", ticks);
            prop_assert!(ticks.iter().all(|tick| *tick >= span.low * 0.999 && *tick <= span.high * 1.001), "{:?}", ticks);
        }
    }
}
