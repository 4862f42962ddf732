//! What clients are judged by, out of a configuration.

use crate::access::tokens::Issuers;
use crate::access::{AccessRules, ChannelRules, Keys, Operators, Refresh, Revocations, SignedNames};
use crate::config::{Config, ConfigError};
use std::path::Path;
use std::sync::Arc;

/// The rules of a configuration, with who is an operator and what was revoked.
///
/// # Errors
/// A file with a key or a secret cannot be read, or holds none.
pub(super) fn access_rules(
    config: &Config,
    operators: Arc<Operators>,
    revocations: Arc<Revocations>,
) -> Result<AccessRules, ConfigError> {
    let fetched = || config.issuers.iter().position(|issuer| issuer.key_set_url.is_some());
    if cfg!(not(feature = "outbound"))
        && let Some(place) = fetched()
    {
        let problem = "\"jwks_url\" needs a build with the feature \"outbound\"; give its keys in a jwks_file";
        return Err(ConfigError::of(vec![format!("[[issuer]] {}: {problem}", place + 1)]));
    }
    let channels = ChannelRules::new(&config.channel_rules, config.is_open(), &operators.advice());
    let mut read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
    let issuers = Issuers::new(&config.issuers, &mut read)
        .map_err(|faults| ConfigError::of(faults.iter().map(ToString::to_string).collect()))?;
    let (keys, signed) = (Keys::new(&config.keys)?, SignedNames::new(&config.channels)?);
    Ok(AccessRules {
        channels,
        operators,
        revocations,
        issuers: Arc::new(issuers),
        refresh: Refresh::default(),
        keys,
        signed,
    })
}

/// None yet, of as many as a configuration lets there be.
pub(super) fn no_revocations(config: &Config) -> Arc<Revocations> {
    Arc::new(Revocations::new(config.access.revocations))
}
