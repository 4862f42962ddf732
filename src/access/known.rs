//! Tokens that were verified lately: connections with the same token share one identity, and a client that presents its
//! token with each request has it verified once.

use super::identity::Identity;
use super::verification::{Digest, Verified};
use std::collections::HashMap;
use std::sync::Arc;

/// Identities in one generation: two of them are kept, about 300 bytes each.
const GENERATION: usize = 4096;

/// See the module. Each listener of each reactor has its own.
#[derive(Debug, Clone, Default)]
pub struct Known {
    young: HashMap<Digest, Arc<Identity>>,
    old: HashMap<Digest, Arc<Identity>>,
    /// With which keys they were verified, by the number of their changes.
    keys: u64,
    /// What a worker found out about the token that is presented next.
    handed_over: Option<Box<Verified>>,
}

impl Known {
    /// Forgets all if they were verified with other keys: some of those may have been withdrawn.
    pub(super) fn expect_keys(&mut self, keys: u64) {
        if self.keys != keys {
            let handed_over = self.handed_over.take();
            *self = Known { keys, handed_over, ..Known::default() };
        }
    }

    /// The identity that a token proved.
    pub(super) fn find(&mut self, token: &Digest) -> Option<Arc<Identity>> {
        if let Some(identity) = self.young.get(token) {
            return Some(Arc::clone(identity));
        }
        // What is still used moves on to the next generation.
        let identity = self.old.remove(token)?;
        self.keep(*token, Arc::clone(&identity));
        Some(identity)
    }

    /// Hands over what was found out about the token that is presented next.
    pub(super) fn hand_over(&mut self, verified: Box<Verified>) {
        self.handed_over = Some(verified);
    }

    /// What was handed over, if it was not taken.
    pub(super) fn take_handed_over(&mut self) -> Option<Box<Verified>> {
        self.handed_over.take()
    }

    /// Keeps what a token proved. What was not looked for during a whole generation is forgotten.
    pub(super) fn keep(&mut self, token: Digest, identity: Arc<Identity>) {
        if self.young.len() >= GENERATION {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(token, identity);
    }
}

#[cfg(test)]
mod tests {
    use super::{GENERATION, Known};
    use crate::access::{Grants, Identity, Who};
    use std::sync::Arc;

    fn digest(number: usize) -> [u8; 32] {
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&number.to_le_bytes());
        digest
    }

    #[test]
    fn what_is_used_stays_and_what_is_not_goes() {
        let mut known = Known::default();
        let identity = Arc::new(Identity::new(Who::User("u".into()), Grants::default()));
        for number in 0..10 * GENERATION {
            known.keep(digest(number), Arc::clone(&identity));
            assert!(known.find(&digest(0)).is_some(), "it is used all the time");
        }
        assert!(known.find(&digest(1)).is_none());
        assert!(known.young.len() + known.old.len() <= 2 * GENERATION);
    }
}
