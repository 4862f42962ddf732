//! What clients are judged by, out of a configuration.

use crate::access::{AccessRules, ChannelRules, Operators};
use crate::config::Config;
use std::sync::Arc;

/// The rules of a configuration, with who is an operator.
pub(super) fn access_rules(config: &Config, operators: Arc<Operators>) -> AccessRules {
    let channels = ChannelRules::new(&config.channel_rules, config.is_open(), &operators.advice());
    AccessRules { channels, operators }
}
