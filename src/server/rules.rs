//! What clients are judged by, out of a configuration.

use crate::access::{AccessRules, ChannelRules, Operators, Revocations};
use crate::config::Config;
use std::sync::Arc;

/// The rules of a configuration, with who is an operator and what was revoked.
pub(super) fn access_rules(config: &Config, operators: Arc<Operators>, revocations: Arc<Revocations>) -> AccessRules {
    let channels = ChannelRules::new(&config.channel_rules, config.is_open(), &operators.advice());
    AccessRules { channels, operators, revocations }
}

/// None yet, of as many as a configuration lets there be.
pub(super) fn no_revocations(config: &Config) -> Arc<Revocations> {
    Arc::new(Revocations::new(config.access.revocations))
}
