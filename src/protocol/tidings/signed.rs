//! Signed addresses of channels: who a request is whose query has a signature.

use super::path::parse_name_in_url;
use crate::access::{AccessPolicy, Action, Identity, SignedRefused};
use crate::model::refusal::Refusal;
use crate::wire::http::head::{Head, Method};
use crate::wire::http::target::query_pairs;
use std::sync::Arc;

/// The option with the signature, and the one with the moment at which it ends.
pub(super) const OPTIONS: [&str; 2] = ["sig", "exp"];

/// Who a request is by its signed address: a reader of one channel, for a time. `None` where there is no signature, or where
/// `identity` may read this channel anyway.
///
/// # Errors
/// The signature is not right, or not any more.
pub fn signed_reader(
    head: &Head<'_>,
    policy: &AccessPolicy,
    identity: &Identity,
    now_unix_s: u64,
) -> Result<Option<Arc<Identity>>, Refusal> {
    let rules = &policy.rules;
    let Some(query) = head.query.filter(|_| rules.signed.are_possible()) else { return Ok(None) };
    let is_read = matches!(head.method, Method::Get | Method::Head);
    let Some(name) = head.path.strip_prefix("/channels/").filter(|_| is_read) else { return Ok(None) };
    let mut found = OPTIONS.map(|_| None);
    for (option, value) in query_pairs(query) {
        if let Some(place) = OPTIONS.iter().position(|name| *name == option) {
            found[place] = Some(value);
        }
    }
    // What is no name is refused where paths are read.
    let (true, Ok(channel)) = (found.iter().any(Option::is_some), parse_name_in_url(name)) else { return Ok(None) };
    // A link to what anyone may read, or this user, does not expire.
    if rules.channels.judge(identity, Action::Read, &channel).is_ok() {
        return Ok(None);
    }
    let [Some(sig), Some(exp)] = &found else { return Err(SignedRefused::Half.into()) };
    let grant = rules.signed.verify(&channel, sig, exp, now_unix_s)?;
    Ok(Some(Arc::new(grant.identity())))
}
