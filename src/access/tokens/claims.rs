//! The claims of a token (RFC 7519 section 4): each of the type that it must have, for this audience and at this time.

use super::claim_fault::{ClaimFault, INFO_BYTES_MAX, NAME_BYTES_MAX};
use super::grants::{read_grants, read_subs};
use super::members::{Members, text, texts};
use super::refused::TokenRefused;
use crate::access::{Basis, Identity, TokenFacts, Who};
use crate::config::IssuerConfig;
use crate::model::grants::Grants;
use crate::model::name::ChannelName;
use std::borrow::Cow;

/// The last second of the year 9999: a later one is a number of milliseconds by mistake.
const SECONDS_MAX: u64 = 253_402_300_799;

/// What a verified token says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The place of its issuer in the configuration.
    pub issuer: usize,
    /// By which of its keys the token was signed.
    pub basis: Basis,
    /// Who its bearer is: 1 to 255 bytes without control characters.
    pub user: Box<str>,
    /// What other clients may know of the bearer: JSON as it was written.
    pub info: Option<Box<str>>,
    /// What the bearer may do.
    pub grants: Grants,
    /// What the bearer is subscribed to when it connects.
    pub subs: Vec<ChannelName>,
    /// The second, in unix time, from which on the token is no longer accepted: `exp` and the leeway. Whatever is kept until a
    /// token's end is kept until then.
    pub until: Option<u64>,
    /// `jti`.
    pub token_id: Option<Box<str>>,
    /// `iat`, in unix time.
    pub issued_at: Option<u64>,
}

impl From<Claims> for Identity {
    fn from(claims: Claims) -> Identity {
        let Claims { issuer, basis, user, info, grants, subs, until, token_id: id, issued_at } = claims;
        // There are at most 64 issuers.
        let issuer = u16::try_from(issuer).unwrap_or(u16::MAX);
        let facts = TokenFacts { issuer, id, issued_at, info, subs: subs.into() };
        Identity { until, basis, token: Some(Box::new(facts)), ..Identity::new(Who::User(user), grants) }
    }
}

/// A claim that is at fault.
fn at_fault(name: &str, fault: ClaimFault) -> TokenRefused {
    TokenRefused::Claim { name: name.into(), fault }
}

/// Reads the claims of a token whose signature was verified.
pub(super) fn read(
    payload: &Members<'_>,
    (issuer, basis): (usize, Basis),
    config: &IssuerConfig,
    now: u64,
) -> Result<Claims, TokenRefused> {
    // First: about a token for another service nothing else is said.
    check_audience(payload, config)?;
    let until = check_times(payload, config, now)?;
    let names = &config.claims;
    let user = name_in(payload, &names.user)?.ok_or_else(|| at_fault(&names.user, ClaimFault::Missing))?;
    let info = match payload.get(&names.info) {
        Some(json) if json.len() > INFO_BYTES_MAX => return Err(at_fault(&names.info, ClaimFault::Info(json.len()))),
        info => info.map(Box::from),
    };
    let grants = match payload.get(&names.grants) {
        Some(value) => read_grants(value).map_err(|fault| at_fault(&names.grants, ClaimFault::Grants(fault)))?,
        None => Grants::default(),
    };
    let subs = match payload.get(&names.subs) {
        Some(value) => read_subs(value).map_err(|fault| at_fault(&names.subs, ClaimFault::Grants(fault)))?,
        None => Vec::new(),
    };
    let token_id = name_in(payload, "jti")?;
    let issued_at = time(payload, "iat")?.map(|time| time.second);
    Ok(Claims { issuer, basis, user, info, grants, subs, until, token_id, issued_at })
}

fn check_audience(payload: &Members<'_>, config: &IssuerConfig) -> Result<(), TokenRefused> {
    let value = payload.get("aud").ok_or_else(|| at_fault("aud", ClaimFault::Missing))?;
    let named: Vec<Cow<'_, str>> = texts(value).ok_or_else(|| at_fault("aud", ClaimFault::Texts))?;
    if named.iter().any(|one| config.audience.iter().any(|own| *own == **one)) {
        return Ok(());
    }
    let expected: Vec<String> = config.audience.iter().map(|own| format!("\"{own}\"")).collect();
    Err(TokenRefused::Audience { expected: expected.join(" or ").into() })
}

/// When the token is no longer accepted, if it says so.
fn check_times(payload: &Members<'_>, config: &IssuerConfig, now: u64) -> Result<Option<u64>, TokenRefused> {
    let leeway = config.leeway.as_secs();
    let until = match time(payload, "exp")? {
        // A part of a second is left out, so that no token is accepted after its time.
        Some(exp) => Some(exp.second + leeway),
        None if config.require_exp => return Err(at_fault("exp", ClaimFault::Missing)),
        None => None,
    };
    // "On or after" which it must not be accepted (RFC 7519 section 4.1.4).
    if until.is_some_and(|until| now >= until) {
        return Err(TokenRefused::Expired);
    }
    // A token from the future would outlive a revocation of everything that was issued until now.
    for claim in ["nbf", "iat"] {
        let begins = time(payload, claim)?.map_or(0, |time| time.second + u64::from(time.has_fraction));
        if begins > now.saturating_add(leeway) {
            return Err(TokenRefused::NotYetValid { claim });
        }
    }
    Ok(until)
}

/// A NumericDate (RFC 7519 section 2).
struct Time {
    second: u64,
    has_fraction: bool,
}

fn time(payload: &Members<'_>, claim: &'static str) -> Result<Option<Time>, TokenRefused> {
    let Some(value) = payload.get(claim) else { return Ok(None) };
    read_time(value).map(Some).ok_or_else(|| at_fault(claim, ClaimFault::Time))
}

fn read_time(value: &str) -> Option<Time> {
    // Only a number begins like that: neither a text, nor `null`, nor `-1`.
    if !value.starts_with(|first: char| first.is_ascii_digit()) {
        return None;
    }
    let time = match value.parse::<u64>() {
        Ok(second) => Time { second, has_fraction: false },
        Err(_) => {
            let number = value.parse::<f64>().ok().filter(|number| number.is_finite())?;
            // Saturates, and what is too large is refused below.
            Time { second: number as u64, has_fraction: number.fract() > 0.0 }
        }
    };
    (time.second <= SECONDS_MAX).then_some(time)
}

/// A claim that is a name.
fn name_in(payload: &Members<'_>, claim: &str) -> Result<Option<Box<str>>, TokenRefused> {
    let Some(value) = payload.get(claim) else { return Ok(None) };
    let fits = |name: &Cow<'_, str>| (1..=NAME_BYTES_MAX).contains(&name.len()) && !name.chars().any(char::is_control);
    let name = text(value).filter(fits).ok_or_else(|| at_fault(claim, ClaimFault::Name))?;
    Ok(Some(name.into()))
}
