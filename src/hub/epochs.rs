//! Where new epochs, and the secret of the names, come from: chance, unless a simulation wants the same ones again.

use crate::model::publication::Epoch;

/// An epoch that was never used before, but for chance of one in 2^60.
pub(super) fn fresh() -> Epoch {
    Epoch::from_random(random())
}

/// 64 bits that nobody can know.
pub(super) fn random() -> u64 {
    #[cfg(test)]
    if let Some(random) = seeded::next() {
        return random;
    }
    rand::random()
}

/// Epochs that come again with their seed.
#[cfg(test)]
pub(crate) mod seeded {
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::cell::RefCell;

    thread_local! {
        static RANDOM: RefCell<Option<StdRng>> = const { RefCell::new(None) };
    }

    /// From here on, what is drawn on this thread follows from `seed`.
    pub(crate) fn start(seed: u64) {
        RANDOM.set(Some(StdRng::seed_from_u64(seed)));
    }

    pub(super) fn next() -> Option<u64> {
        RANDOM.with_borrow_mut(|random| random.as_mut().map(|random| random.random()))
    }
}
