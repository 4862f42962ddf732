//! What a request presents to say who its client is, and the identity that it proves.

use super::identity::Identity;
use super::rules::AccessRules;
use super::tokens::TokenRefused;
use super::{AccessPolicy, known};
use crate::model::api_key::SECRET_PREFIX;
use crate::model::code::Code;
use crate::model::origin;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::wire::http::head::{Head, Method, cookie_value};
use aws_lc_rs::digest;
use std::fmt;
use std::sync::Arc;

/// What the name of a subprotocol begins with that carries a token, for pages: their sockets can set no field.
pub const TOKEN_SUBPROTOCOL: &str = "tidings.token.";

/// Where a credential was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// `Authorization: Bearer`.
    Authorization,
    /// `X-API-Key`.
    ApiKey,
    /// The subprotocol [`TOKEN_SUBPROTOCOL`].
    Subprotocol,
    /// `?token=`.
    Query,
    /// A cookie.
    Cookie,
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

impl fmt::Debug for Presented<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Presented({:?})", self.way)
    }
}

impl<'h> Presented<'h> {
    /// What a head presents: the first of Authorization, X-API-Key, the subprotocol, the query and a cookie.
    #[must_use]
    pub fn of(head: &Head<'h>, policy: &AccessPolicy) -> Option<Presented<'h>> {
        let by = |way| move |secret| Presented { secret, way };
        // Another scheme is somebody else's, such as the Basic of a proxy that asks for a password.
        (head.authorization.and_then(bearer).map(by(Way::Authorization)))
            .or_else(|| head.sender.api_key.map(by(Way::ApiKey)))
            .or_else(|| head.upgrade.protocols.iter().find_map(|list| token_of(list)).map(by(Way::Subprotocol)))
            .or_else(|| policy.rules.token_in_query(head.query).map(by(Way::Query)))
            .or_else(|| cookie(head, policy).map(by(Way::Cookie)))
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

/// The token in a cookie that an issuer names. A browser sends cookies with whatever page makes it ask, so they count only
/// for pages that were allowed by name, and without an Origin only where the browser says that its own page asks.
fn cookie<'h>(head: &Head<'h>, policy: &AccessPolicy) -> Option<&'h str> {
    let mut names = policy.rules.issuers.configs().filter_map(|issuer| issuer.cookie.as_deref()).peekable();
    names.peek()?;
    let counts = match head.origin {
        // It passed the rules for origins before; by its own name, or only since every page does?
        Some(page) => !origin::is_anybodys(page) && policy.is_allowed_by_name(head),
        None => {
            matches!(head.method, Method::Get | Method::Head)
                && head.sender.fetch_site.is_none_or(|site| site == "same-origin")
        }
    };
    // Two cookies of one name are none: which of them a server reads is what an attacker would use.
    if counts { names.find_map(|name| cookie_value(&head.sender.cookies, name).ok().flatten()) } else { None }
}

impl AccessRules {
    /// Whether some issuer's tokens may stand in a query.
    #[must_use]
    pub fn take_tokens_in_query(&self) -> bool {
        self.issuers.configs().any(|issuer| issuer.token_in_query)
    }

    /// `?token=` as it was sent, where some issuer takes it: no character of a token has to be percent-encoded.
    #[must_use]
    pub fn token_in_query<'h>(&self, query: Option<&'h str>) -> Option<&'h str> {
        let query = query.filter(|_| self.take_tokens_in_query())?;
        query.split('&').find_map(|pair| pair.strip_prefix("token="))
    }

    fn may_stand_in_query(&self, issuer: usize) -> bool {
        self.issuers.config(issuer).is_some_and(|issuer| issuer.token_in_query)
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
        let rules = &self.rules;
        if rules.operators.admits(presented.secret) {
            return Ok(Arc::clone(&self.identities.operator));
        }
        // No token begins so.
        if presented.secret.starts_with(SECRET_PREFIX) && !rules.keys.is_empty() {
            return self.identify_key(presented.secret, from);
        }
        // Where the operators' key is the only one, the refusal says where that is.
        if rules.channels.is_open() {
            return Err(rules.operators.sign_in_refused());
        }
        if rules.issuers.is_empty() {
            let message =
                "what was presented is no key of this server, and tokens are not taken: no [[issuer]] is configured";
            return Err(Refusal::new(Code::TokenInvalid, message));
        }
        let identity = self.identify_token(presented.secret, now_unix_s)?;
        let issuer = identity.token.as_ref().map_or(0, |token| usize::from(token.issuer));
        if presented.way == Way::Query && !rules.may_stand_in_query(issuer) {
            let message = "tokens of this issuer are not taken in a query (token_in_query of its [[issuer]])";
            return Err(Refusal::new(Code::TokenInvalid, message));
        }
        Ok(identity)
    }

    fn identify_key(&self, secret: &str, from: PeerAddress) -> Result<Arc<Identity>, Refusal> {
        // Each time, since it may come from elsewhere now; what is remembered is only shared.
        let key = self.rules.keys.find(secret, from)?;
        let digest = digest_of(secret);
        let mut known = self.known.borrow_mut();
        if let Some(identity) = known.find(&digest) {
            return Ok(identity);
        }
        let identity = Arc::new(key.identity());
        known.keep(digest, Arc::clone(&identity));
        Ok(identity)
    }

    fn identify_token(&self, token: &str, now_unix_s: u64) -> Result<Arc<Identity>, Refusal> {
        let digest = digest_of(token);
        let mut known = self.known.borrow_mut();
        known.expect_keys(self.rules.issuers.key_changes());
        if let Some(identity) = known.find(&digest) {
            return match identity.until {
                Some(until) if until <= now_unix_s => Err(Code::TokenExpired.into()),
                _ => Ok(identity),
            };
        }
        let claims = self.rules.issuers.verify(token, now_unix_s).map_err(|refused| {
            // Its issuer may have begun to sign with a new key.
            if let TokenRefused::UnknownKey { issuer } = refused {
                self.rules.refresh.request(issuer);
            }
            refused
        })?;
        let identity = Arc::new(Identity::from(claims));
        known.keep(digest, Arc::clone(&identity));
        Ok(identity)
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
        let nothing =
            head.authorization.is_none() && head.sender.api_key.is_none() && head.upgrade.protocols.is_empty();
        // In open mode neither a query nor a cookie says anything.
        if nothing && self.rules.channels.is_open() {
            return Ok(None);
        }
        let Some(presented) = Presented::of(head, self) else { return Ok(None) };
        match self.identify(presented, from, now_unix_s) {
            Err(_) if self.rules.channels.is_open() => Ok(None),
            identity => identity.map(Some),
        }
    }
}

fn digest_of(secret: &str) -> known::Digest {
    let hash = digest::digest(&digest::SHA256, secret.as_bytes());
    let mut digest = known::Digest::default();
    digest.copy_from_slice(hash.as_ref());
    digest
}
