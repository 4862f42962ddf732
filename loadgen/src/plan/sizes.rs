//! How large messages are: always the same, between two sizes, or one of several.

use serde::{Deserialize, Serialize};

/// Sizes in bytes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Sizes {
    /// Any from the first to the second, each as often.
    Between(usize, usize),
    /// Each as often as its weight says; the weights are positive.
    OneOf(Vec<(usize, f64)>),
}

impl Sizes {
    /// Always the same.
    #[must_use]
    pub fn fixed(size: usize) -> Sizes {
        Sizes::Between(size, size)
    }

    /// The size that a random number chooses.
    #[must_use]
    pub fn pick(&self, random: u64) -> usize {
        match self {
            Sizes::Between(least, most) => {
                let span = (most.saturating_sub(*least) as u64).saturating_add(1);
                least + usize::try_from(random % span).unwrap_or(0)
            }
            Sizes::OneOf(weighted) => {
                let total: f64 = weighted.iter().map(|(_, weight)| weight).sum();
                let mut left = (random >> 11) as f64 / (1_u64 << 53) as f64 * total;
                for (size, weight) in weighted {
                    if left < *weight {
                        return *size;
                    }
                    left -= weight;
                }
                weighted.last().map_or(0, |(size, _)| *size)
            }
        }
    }

    /// The smallest.
    #[must_use]
    pub fn least(&self) -> usize {
        match self {
            Sizes::Between(least, _) => *least,
            Sizes::OneOf(weighted) => weighted.iter().map(|(size, _)| *size).min().unwrap_or(0),
        }
    }

    /// The largest.
    #[must_use]
    pub fn largest(&self) -> usize {
        match self {
            Sizes::Between(_, most) => *most,
            Sizes::OneOf(weighted) => weighted.iter().map(|(size, _)| *size).max().unwrap_or(0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Sizes;
    use crate::random::Random;

    #[test]
    fn every_size_comes_as_often_as_it_should() {
        let mut random = Random::new(1);
        let sizes = Sizes::OneOf(vec![(10, 9.0), (20, 1.0)]);
        let large = (0..10_000).filter(|_| sizes.pick(random.next()) == 20).count();
        assert!((900..1100).contains(&large), "{large}");
        let sizes = Sizes::Between(5, 7);
        let mut count = [0; 3];
        (0..3000).for_each(|_| count[sizes.pick(random.next()) - 5] += 1);
        assert!(count.iter().all(|n| (850..1150).contains(n)), "{count:?}");
        assert_eq!((sizes.least(), sizes.largest(), Sizes::fixed(9).pick(u64::MAX)), (5, 7, 9));
    }
}
