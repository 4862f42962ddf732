//! Where a hub's random numbers come from. It is given to the hub, since a simulation needs the same numbers again.

use crate::model::publication::Epoch;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// A source of random numbers that all shards of a hub share.
#[derive(Clone)]
pub struct RandomSource(Arc<dyn Fn() -> u64 + Send + Sync>);

impl RandomSource {
    /// Numbers that no client can predict: what a server needs, since the names of its connections rest on a secret.
    #[must_use]
    pub fn secret() -> RandomSource {
        RandomSource(Arc::new(rand::random))
    }

    /// Numbers that follow from `seed`, for what must run the same way again.
    #[must_use]
    pub fn seeded(seed: u64) -> RandomSource {
        let random = Mutex::new(StdRng::seed_from_u64(seed));
        RandomSource(Arc::new(move || random.lock().unwrap_or_else(PoisonError::into_inner).random()))
    }

    /// The next 64 bits.
    pub(super) fn draw(&self) -> u64 {
        (self.0)()
    }

    /// The same for a channel that an engine of this generation keeps.
    #[must_use]
    pub fn fresh_epoch_of(&self, generation: u32) -> Epoch {
        Epoch::of_generation(self.draw(), generation)
    }

    /// An epoch that was never used before, except with a probability of 2^-60.
    pub(super) fn fresh_epoch(&self) -> Epoch {
        Epoch::from_random(self.draw())
    }
}

impl fmt::Debug for RandomSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RandomSource")
    }
}
