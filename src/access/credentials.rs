//! What a request presents to say who its client is, and the identity that it proves.

use super::AccessPolicy;
use super::identity::Identity;
use super::rules::AccessRules;
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::wire::http::head::Head;
use std::sync::Arc;

/// What the name of a subprotocol begins with that carries a token, for pages: their sockets can set no field.
pub const TOKEN_SUBPROTOCOL: &str = "tidings.token.";

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `Authorization: Bearer`.
    Authorization,
    /// The subprotocol [`TOKEN_SUBPROTOCOL`].
    Subprotocol,
    /// `?token=`.
    Query,
    /// AUTH on a socket.
    Auth,
}

/// A token or a key, with where it was found. It is never shown.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Presented<'h> {
    /// The token or the key.
    pub secret: &'h str,
    /// Where.
    pub way: Way,
}

impl std::fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Presented({:?})", self.way)
    }
}

impl<'h> Presented<'h> {
    /// What a head presents: the first of Authorization, the subprotocol and the query.
    #[must_use]
    pub fn of(head: &Head<'h>, policy: &AccessPolicy) -> Option<Presented<'h>> {
        let found = |secret, way| Some(Presented { secret, way });
        // Another scheme is somebody else's, such as the Basic of a proxy that asks for a password.
        if let Some(secret) = head.authorization.and_then(bearer) {
            return found(secret, Way::Authorization);
        }
        let rules = &policy.rules;
        if let Some(secret) = head.upgrade.protocols.iter().find_map(|list| token_of(list)) {
            return found(secret, Way::Subprotocol);
        }
        if let Some(secret) = rules.takes_token_in_query().then(|| head.query.and_then(token_in_query)).flatten() {
            return found(secret, Way::Query);
        }
        None
    }
}

/// The token of an Authorization field, if its scheme is Bearer.
fn bearer(field: &str) -> Option<&str> {
    let (scheme, token) = field.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// The token in a list of subprotocols.
fn token_of(list: &str) -> Option<&str> {
    list.split(',').find_map(|name| name.trim().strip_prefix(TOKEN_SUBPROTOCOL))
}

/// `token=`, as it was sent: no character of a token or a key has to be percent-encoded.
fn token_in_query(query: &str) -> Option<&str> {
    query.split('&').find_map(|pair| pair.strip_prefix("token="))
}

impl AccessRules {
    /// Whether some issuer takes tokens in the query.
    #[must_use]
    pub fn takes_token_in_query(&self) -> bool {
        false
    }
}

impl AccessPolicy {
    /// The identity of whoever presents this.
    ///
    /// # Errors
    /// It proves nothing, or not any more, or not from there. The message never repeats it.
    pub fn identify(
        &self,
        presented: Presented<'_>,
        from: PeerAddress,
        now_unix_s: u64,
    ) -> Result<Arc<Identity>, Refusal> {
        let identity = self.prove(presented, from, now_unix_s)?;
        self.rules.revocations.judge(&identity, now_unix_s)?;
        Ok(identity)
    }

    /// The same, whether that was revoked or not.
    fn prove(&self, presented: Presented<'_>, from: PeerAddress, now_unix_s: u64) -> Result<Arc<Identity>, Refusal> {
        let (_, _) = (from, now_unix_s);
        let rules = &self.rules;
        if rules.operators.admits(presented.secret) {
            return Ok(Arc::clone(&self.identities.operator));
        }
        // Where the operators' key is the only one, the refusal says where that is.
        if rules.channels.is_open() {
            return Err(rules.operators.sign_in_refused());
        }
        Err(Refusal::new(Code::TokenInvalid, "what was presented is neither a key nor a token that this server knows"))
    }

    /// The identity that a head presents; `None` when it presents nothing. In open mode only the operators' key is looked
    /// for, since nothing else says more than everybody may do.
    ///
    /// # Errors
    /// As [`AccessPolicy::identify`].
    pub fn identify_head(
        &self,
        head: &Head<'_>,
        from: PeerAddress,
        now_unix_s: u64,
    ) -> Result<Option<Arc<Identity>>, Refusal> {
        let Some(presented) = Presented::of(head, self) else { return Ok(None) };
        match self.identify(presented, from, now_unix_s) {
            Err(_) if self.rules.channels.is_open() => Ok(None),
            identity => identity.map(Some),
        }
    }
}
