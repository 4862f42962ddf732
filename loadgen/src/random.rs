//! Cheap random numbers: xorshift64* (Marsaglia 2003, Vigna 2016). For masks, sizes and jitter, not for secrets.

/// A generator with 64 bits of state.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    /// Begins at a seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(mix(seed) | 1)
    }

    /// The next number.
    #[expect(clippy::should_implement_trait, reason = "it never ends")]
    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D)
    }

    /// From 0 to 1.
    pub fn share(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A masking key for a frame.
    pub fn mask(&mut self) -> [u8; 4] {
        ((self.next() >> 32) as u32).to_ne_bytes()
    }
}

/// A number that looks random and always is the same for the same input (the finalizer of splitmix64, Steele 2014).
#[must_use]
pub fn mix(input: u64) -> u64 {
    let mut x = input.wrapping_add(0x9E37_79B9_7F4A_7C15);
    x = (x ^ (x >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    x ^ (x >> 31)
}

/// Printable filling that needs no escaping in JSON, of `length` bytes, always the same for a seed.
#[must_use]
pub fn filling(seed: u64, length: usize) -> Vec<u8> {
    let mut random = Random::new(seed);
    (0..length)
        .map(|_| b"abcdefghijklmnopqrstuvwxyz0123456789 ABCDEFGHIJKLMNOPQRSTUVWXYZ."[(random.next() >> 58) as usize])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::{Random, filling, mix};

    #[test]
    fn numbers_are_spread_and_repeat_for_a_seed() {
        let mut random = Random::new(7);
        let mean = (0..10_000).map(|_| random.share()).sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
        assert_eq!(Random::new(9).next(), Random::new(9).next());
        assert_ne!(mix(1), mix(2));
        assert_eq!((filling(3, 50), filling(3, 50).len()), (filling(3, 50), 50));
    }
}
