//! Everything by which clients are judged and which can change while the server runs.

use super::channels::ChannelRules;
use super::identity::{Identity, Who};
use super::keys::Keys;
use super::operators::Operators;
use super::revocations::Revocations;
use super::signed::SignedNames;
use super::tokens::Issuers;
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
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

impl AccessRules {
    /// Who a client is now that proved to be this some time ago.
    ///
    /// # Errors
    /// It is nobody any more: what it presented was revoked, or the rules changed.
    pub fn still(&self, identity: Arc<Identity>, from: PeerAddress, now_unix_s: u64) -> Result<Arc<Identity>, Refusal> {
        self.revocations.judge(&identity, now_unix_s)?;
        Ok(self.judge_anew(&identity, from)?.map_or(identity, Arc::new))
    }

    /// What a client is by these rules that proved its identity by other ones: the same (`None`), or the holder of a key whose
    /// name or grants are others now.
    ///
    /// # Errors
    /// What it presented proves nothing any more, or not from there: its key, or the key that signed for it, was taken out of
    /// the configuration or replaced.
    pub fn judge_anew(&self, identity: &Identity, from: PeerAddress) -> Result<Option<Identity>, Refusal> {
        let basis = identity.basis;
        match identity.who {
            Who::Anonymous | Who::Operator => Ok(None),
            Who::User(_) if self.issuers.hold(basis) => Ok(None),
            Who::User(_) => {
                let message =
                    "the server's [[issuer]] blocks changed, and this token counts no longer; sign in with a new one";
                Err(Refusal::new(Code::TokenInvalid, message))
            }
            Who::Signed if self.signed.hold(basis) => Ok(None),
            Who::Signed => Err(Code::SignatureInvalid.into()),
            Who::Key(_) => {
                let now = self.keys.still(basis, from)?.identity();
                Ok((now != *identity).then_some(now))
            }
        }
    }
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
