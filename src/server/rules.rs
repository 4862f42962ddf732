//! What clients are judged by, out of a configuration and the files that it names.

use super::operator_key;
#[cfg(feature = "outbound")]
use super::outbound;
use super::secured;
use crate::access::tokens::Issuers;
use crate::access::{AccessRules, ChannelRules, Keys, Operators, Refresh, Revocations, SignedNames};
use crate::config::{Config, ConfigError, EngineKind};
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
    let channels = ChannelRules::new(&config.channel_rules, config.is_open(), &operators.advice());
    let mut read = |path: &Path| std::fs::read(path).map_err(|error| error.to_string());
    let issuers = Issuers::new(&config.issuers, &mut read)
        .map_err(|faults| ConfigError::of(faults.iter().map(ToString::to_string).collect()));
    let (keys, signed) = (Keys::new(&config.keys), SignedNames::new(&config.channels));
    // All mistakes at once, as everywhere in a configuration.
    let faults = [issuers.as_ref().err(), keys.as_ref().err(), signed.as_ref().err()];
    let problems = faults.into_iter().flatten().flat_map(ConfigError::problems).cloned().collect();
    ConfigError::unless_empty(problems)?;
    let (issuers, keys, signed) = (issuers?, keys?, signed?);
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

/// Reads what a server reads when it starts: the files of the configuration with secrets and keys. Nothing is fetched.
///
/// # Errors
/// Each file that cannot be read or holds something else, with its reason, and each address of keys that may not be called.
pub fn check_files(config: &Config) -> Result<(), ConfigError> {
    let key = operator_key::check_file(&config.server).map_err(|error| ConfigError::of(vec![error]));
    let rules = access_rules(config, Arc::default(), Arc::default());
    #[cfg(feature = "outbound")]
    let rules = rules.and_then(|rules| outbound::check_addresses(&rules.issuers));
    let tls = secured::load(config).map(drop);
    // What no engine asks for is not read.
    let redis = if config.server.engine == EngineKind::Redis { config.redis_target().map(drop) } else { Ok(()) };
    let problems = [key.err(), rules.err(), tls.err(), redis.err()]
        .iter()
        .flatten()
        .flat_map(ConfigError::problems)
        .cloned()
        .collect();
    ConfigError::unless_empty(problems)
}

/// None yet, of as many as a configuration lets there be.
pub(super) fn no_revocations(config: &Config) -> Arc<Revocations> {
    Arc::new(Revocations::new(config.access.revocations))
}
