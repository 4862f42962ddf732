//! Tokens that are verified elsewhere: what a worker needs to verify one, what it finds out, and how many a reactor verifies
//! itself. A signature by a public key takes 20 to 70 µs for each key that is tried, and a reactor has others to serve.

use super::identity::Identity;
use super::rules::AccessRules;
use super::tokens::TokenRefused;
use crate::model::refusal::Refusal;
use aws_lc_rs::digest;
use std::cell::Cell;
use std::fmt;
use std::sync::Arc;

/// Tokens by public keys that a reactor verifies itself in one tick: at most 0.2 ms where tokens name their keys. A quiet
/// server needs no more, so that nothing waits for a worker there.
pub const CHECKS_PER_TICK: u32 = 3;

/// The hash of a token: what is kept instead of it.
pub(super) type Digest = [u8; 32];

pub(super) fn digest_of(secret: &str) -> Digest {
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    let mut digest = Digest::default();
    digest.copy_from_slice(hash.as_ref());
    digest
}

/// Why what was presented proves nothing.
#[derive(Debug)]
pub enum Unproven {
    /// It is refused.
    Refused(Refusal),
    /// It is not known yet: somebody else has to verify it, and then it has to be presented once more.
    Later(Box<Verification>),
}

impl From<Refusal> for Unproven {
    fn from(refusal: Refusal) -> Unproven {
        Unproven::Refused(refusal)
    }
}

impl From<TokenRefused> for Unproven {
    fn from(refused: TokenRefused) -> Unproven {
        Unproven::Refused(refused.into())
    }
}

/// A token that is to be verified by the rules of the moment at which it was presented.
pub struct Verification {
    pub(super) digest: Digest,
    pub(super) token: Box<str>,
    pub(super) rules: Arc<AccessRules>,
}

impl fmt::Debug for Verification {
    /// A token is never shown.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Verification(…)")
    }
}

impl Verification {
    /// The token that is to be verified.
    #[must_use]
    pub fn token(&self) -> &str {
        &self.token
    }

    /// What it says of itself, where tests lay mines.
    #[cfg(test)]
    pub(crate) fn payload(&self) -> Vec<u8> {
        let payload = self.token.split('.').nth(1).unwrap_or_default();
        data_encoding::BASE64URL_NOPAD.decode(payload.as_bytes()).unwrap_or_default()
    }

    /// Verifies it at a second of unix time.
    #[must_use]
    pub fn perform(&self, now_unix_s: u64) -> Verified {
        let issuers = &self.rules.issuers;
        // Before the keys are used: if they are replaced meanwhile, the number is an old one, and this counts for nothing.
        let key_changes = issuers.key_changes();
        let verdict = issuers.verify(&self.token, now_unix_s).map(|claims| Arc::new(Identity::from(claims)));
        Verified { digest: self.digest, rules: Arc::clone(&self.rules), key_changes, verdict }
    }
}

/// What was found out about a token.
#[derive(Clone)]
pub struct Verified {
    pub(super) digest: Digest,
    rules: Arc<AccessRules>,
    key_changes: u64,
    pub(super) verdict: Result<Arc<Identity>, TokenRefused>,
}

impl fmt::Debug for Verified {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Verified({:?})", self.verdict.as_ref().err())
    }
}

impl Verified {
    /// Whether it was found out by these rules, and by the keys that they have now.
    pub(super) fn counts(&self, rules: &Arc<AccessRules>) -> bool {
        Arc::ptr_eq(&self.rules, rules) && self.key_changes == rules.issuers.key_changes()
    }
}

/// How many signatures by public keys a reactor has checked in this tick.
#[derive(Debug, Clone, Default)]
pub struct Checks(Cell<u32>);

impl Checks {
    /// Whether this tick has time for one more.
    pub(super) fn have_time(&self) -> bool {
        self.0.get() < CHECKS_PER_TICK
    }

    /// One more is checked.
    pub(super) fn note(&self) {
        self.0.set(self.0.get().saturating_add(1));
    }

    /// A new tick begins: how many were checked since the last one did.
    #[inline]
    pub fn take(&self) -> u32 {
        self.0.take()
    }
}
