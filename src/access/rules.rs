//! Everything by which clients are judged and which can change while the server runs.

use super::channels::ChannelRules;
use super::keys::Keys;
use super::operators::Operators;
use super::revocations::Revocations;
use super::signed::SignedNames;
use super::tokens::Issuers;
use std::fmt;
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
    /// Asks for their keys anew.
    pub refresh: Refresh,
    /// The keys of backends.
    pub keys: Keys,
    /// Which signed names count.
    pub signed: SignedNames,
}

/// Asks for the key set of an issuer once more, without waiting for it; without an outbound thread it asks nobody.
#[derive(Clone, Default)]
pub struct Refresh(Option<Arc<dyn Fn(usize) + Send + Sync>>);

impl Refresh {
    /// Asks by calling `ask`, which must not wait for anything.
    pub fn by(ask: impl Fn(usize) + Send + Sync + 'static) -> Refresh {
        Refresh(Some(Arc::new(ask)))
    }

    /// Asks for the keys of the issuer at this place of the configuration, since a token names one that is not known. However
    /// often that is, they are fetched once a minute at most.
    pub fn request(&self, issuer: usize) {
        if let Some(ask) = &self.0 {
            ask(issuer);
        }
    }
}

impl fmt::Debug for Refresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Refresh({})", self.0.is_some())
    }
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
            refresh: Refresh::default(),
            keys: Keys::default(),
            signed: SignedNames::default(),
        }
    }
}
