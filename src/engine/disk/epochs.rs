//! Epochs of a log: what of them is kept, and what is shown.
//!
//! A log that came back with less than it had must not give a position twice, so the epoch that is shown has a generation.
//! Where publications are answered when they are written, only the random part is kept, and the generation is that of the
//! store as it was opened. Where they are answered when they are synced, an end of the machine loses none, so the generation is
//! kept with it, and stays; unless the store was opened without what was damaged.

use crate::config::Durability;
use crate::hub::RandomSource;
use crate::model::publication::Epoch;

/// See the module.
#[derive(Debug, Clone, Copy)]
pub(super) struct Epochs {
    /// That of the store.
    pub(super) generation: u32,
    /// The one in which anything may have been lost: no generation that is shown is below it.
    pub(super) floor: u32,
}

impl Epochs {
    /// One that was never used.
    pub(super) fn fresh(&self) -> Epoch {
        RandomSource::secret().fresh_epoch_of(self.generation)
    }

    /// What is kept of an epoch that is shown.
    pub(super) fn kept(epoch: &Epoch, durability: Durability) -> &str {
        match durability {
            Durability::Synced => epoch.as_str(),
            Durability::Written => epoch.random_part(),
        }
    }

    /// What is shown of an epoch that was kept; `None` for a text that is none.
    pub(super) fn shown(&self, kept: &str, durability: Durability) -> Option<Epoch> {
        let epoch = Epoch::parse(kept)?;
        let generation = match durability {
            Durability::Synced => epoch.generation().map_or(self.generation, |own| own.max(self.floor)),
            Durability::Written => self.generation,
        };
        Some(epoch.in_generation(generation))
    }
}

#[cfg(test)]
mod tests {
    use super::Epochs;
    use crate::config::Durability::{Synced, Written};
    use crate::model::publication::Epoch;

    #[test]
    fn what_was_written_has_the_generation_of_the_store_and_what_was_synced_keeps_its_own() {
        let first = Epochs { generation: 1, floor: 0 };
        let epoch = first.fresh();
        let (written, synced) = (Epochs::kept(&epoch, Written), Epochs::kept(&epoch, Synced));
        assert_eq!((written.len(), synced), (10, epoch.as_str()));
        assert_eq!((first.shown(written, Written), first.shown(synced, Synced)), (Some(epoch), Some(epoch)));
        let later = Epochs { generation: 2, floor: 0 };
        assert_eq!(later.shown(synced, Synced), Some(epoch));
        // Whatever the rule says now: what was answered when it was written may be gone.
        for durability in [Written, Synced] {
            assert_eq!(later.shown(written, durability), Some(epoch.in_generation(2)));
        }
        assert_eq!(later.shown(synced, Written), Some(epoch.in_generation(2)));
        let damaged = Epochs { generation: 3, floor: 3 };
        assert_eq!(damaged.shown(synced, Synced), Some(epoch.in_generation(3)));
        assert_eq!(damaged.shown("x", Synced), None::<Epoch>);
    }
}
