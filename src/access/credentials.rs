//! What a request presents to say who its client is, and the identity that it proves.

use super::AccessPolicy;
use super::identity::Identity;
use super::rules::AccessRules;
use super::tokens::TokenRefused;
use super::verification::{Digest, Unproven, Verification, Verified, digest_of};
use crate::model::api_key::SECRET_PREFIX;
use crate::model::code::Code;
use crate::model::origin;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::wire::http::head::{Head, Method, cookie_value};
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
    /// It proves nothing, or not any more, or not from there: the message never repeats it. Or this tick has no time to find
    /// that out: what comes of the verification is to be [handed over](AccessPolicy::hand_over) before the second
    /// try, which is the last.
    pub fn identify(
        &self,
        presented: Presented<'_>,
        from: PeerAddress,
        now_unix_s: u64,
    ) -> Result<Arc<Identity>, Unproven> {
        let identity = self.prove(presented, from, now_unix_s)?;
        self.rules.revocations.judge(&identity, now_unix_s)?;
        Ok(identity)
    }

    /// The same, however long it takes.
    ///
    /// # Errors
    /// It proves nothing, or not any more, or not from there.
    pub fn identify_here(
        &self,
        presented: Presented<'_>,
        from: PeerAddress,
        now_unix_s: u64,
    ) -> Result<Arc<Identity>, Refusal> {
        loop {
            match self.identify(presented, from, now_unix_s) {
                Ok(identity) => return Ok(identity),
                Err(Unproven::Refused(refusal)) => return Err(refusal),
                Err(Unproven::Later(verification)) => self.hand_over(Box::new(verification.perform(now_unix_s))),
            }
        }
    }

    /// Keeps what was found out about a token, for all who present it.
    pub fn keep(&self, verified: &Verified) {
        let Ok(identity) = &verified.verdict else { return };
        if !verified.counts(&self.rules) {
            return;
        }
        let mut known = self.known.borrow_mut();
        known.expect_keys(self.rules.issuers.key_changes());
        // What is known already is shared by more connections.
        if known.find(&verified.digest).is_none() {
            known.keep(verified.digest, Arc::clone(identity));
        }
    }

    /// What was found out about the token that is presented next. If it is of no use any more, that token is verified here:
    /// nobody is sent away twice.
    pub fn hand_over(&self, verified: Box<Verified>) {
        self.known.borrow_mut().hand_over(verified);
    }

    /// The second try is over. What was found out is forgotten if no token was asked for: it is not true for ever.
    pub fn end_of_second_try(&self) {
        self.known.borrow_mut().take_handed_over();
    }

    /// Who that is, whether it was revoked or not.
    fn prove(&self, presented: Presented<'_>, from: PeerAddress, now_unix_s: u64) -> Result<Arc<Identity>, Unproven> {
        let rules = &self.rules;
        if rules.operators.admits(presented.secret) {
            return Ok(Arc::clone(&self.identities.operator));
        }
        // No token begins so.
        if presented.secret.starts_with(SECRET_PREFIX) && !rules.keys.is_empty() {
            return Ok(self.identify_key(presented.secret, from)?);
        }
        // Where the operators' key is the only one, the refusal says where that is.
        if rules.channels.is_open() {
            return Err(rules.operators.sign_in_refused().into());
        }
        if rules.issuers.is_empty() {
            let message =
                "what was presented is no key of this server, and tokens are not taken: no [[issuer]] is configured";
            return Err(Refusal::new(Code::TokenInvalid, message).into());
        }
        let identity = self.identify_token(presented.secret, now_unix_s)?;
        let issuer = identity.token.as_ref().map_or(0, |token| usize::from(token.issuer));
        if presented.way == Way::Query && !rules.may_stand_in_query(issuer) {
            let message = "tokens of this issuer are not taken in a query (token_in_query of its [[issuer]])";
            return Err(Refusal::new(Code::TokenInvalid, message).into());
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

    fn identify_token(&self, token: &str, now_unix_s: u64) -> Result<Arc<Identity>, Unproven> {
        let digest = digest_of(token);
        let mut known = self.known.borrow_mut();
        known.expect_keys(self.rules.issuers.key_changes());
        let handed_over = known.take_handed_over();
        let verdict = match known.find(&digest) {
            Some(identity) => Ok(identity),
            None => {
                let verdict = match handed_over {
                    Some(verified) if verified.digest == digest && verified.counts(&self.rules) => verified.verdict,
                    // The rules or keys changed: asked for elsewhere once more, they may have changed again.
                    handed_over => self.verify(token, digest, now_unix_s, handed_over.is_none())?,
                };
                if let Ok(identity) = &verdict {
                    known.keep(digest, Arc::clone(identity));
                }
                verdict
            }
        };
        match verdict {
            // Also what was found out a moment ago, by another thread.
            Ok(identity) if identity.until.is_some_and(|until| until <= now_unix_s) => {
                Err(Refusal::from(Code::TokenExpired).into())
            }
            Ok(identity) => Ok(identity),
            Err(refused) => {
                // Its issuer may have begun to sign with a new key.
                if let TokenRefused::UnknownKey { issuer } = refused {
                    self.rules.refresh.request(issuer);
                }
                Err(refused.into())
            }
        }
    }

    /// What a token proves, if there is time to find out.
    fn verify(
        &self,
        token: &str,
        digest: Digest,
        now_unix_s: u64,
        may_wait: bool,
    ) -> Result<Result<Arc<Identity>, TokenRefused>, Unproven> {
        let put_off = || {
            let waits = may_wait && !self.checks.have_time();
            if !waits {
                self.checks.note();
            }
            waits
        };
        match self.rules.issuers.verify_unless(token, now_unix_s, put_off) {
            Ok(Some(claims)) => Ok(Ok(Arc::new(Identity::from(claims)))),
            Ok(None) => {
                let verification = Verification { digest, token: token.into(), rules: Arc::clone(&self.rules) };
                Err(Unproven::Later(Box::new(verification)))
            }
            Err(refused) => Ok(Err(refused)),
        }
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
    ) -> Result<Option<Arc<Identity>>, Unproven> {
        let nothing =
            head.authorization.is_none() && head.sender.api_key.is_none() && head.upgrade.protocols.is_empty();
        // In open mode neither a query nor a cookie says anything.
        if nothing && self.rules.channels.is_open() {
            return Ok(None);
        }
        let Some(presented) = Presented::of(head, self) else { return Ok(None) };
        match self.identify(presented, from, now_unix_s) {
            Err(Unproven::Refused(_)) if self.rules.channels.is_open() => Ok(None),
            identity => identity.map(Some),
        }
    }
}
