//! Everything by which clients are judged and which can change while the server runs.

use super::channels::ChannelRules;
use super::keys::Keys;
use super::operators::Operators;
use super::revocations::Revocations;
use super::signed::SignedNames;
use super::tokens::Issuers;
use std::sync::Arc;

/// Who is who, and who may do what. Threads hold it by reference and are handed a new one when it changes.
#[derive(Debug, Clone)]
pub struct AccessRules {
    /// Who may do what with channels.
    pub channels: ChannelRules,
    /// Who is an operator.
    pub operators: Arc<Operators>,
    /// What is refused although it would hold: the same whatever else changes.
    pub revocations: Arc<Revocations>,
    /// Who may sign tokens.
    pub issuers: Arc<Issuers>,
    /// The keys of backends.
    pub keys: Keys,
    /// Which signed names count.
    pub signed: SignedNames,
}

impl Default for AccessRules {
    /// Open mode, without operators.
    fn default() -> AccessRules {
        let operators = Arc::new(Operators::default());
        AccessRules {
            channels: ChannelRules::new(&[], true, &operators.advice()),
            operators,
            revocations: Arc::default(),
            issuers: Arc::default(),
            keys: Keys::default(),
            signed: SignedNames::default(),
        }
    }
}
