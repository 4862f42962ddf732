//! Certificates that the server orders itself, in a program that was built without: there are none.

use crate::config::{Config, ConfigError};
use std::path::PathBuf;

/// Nothing.
pub(super) fn certificate(_: &Config) -> Option<PathBuf> {
    None
}

/// # Errors
/// One is to be ordered.
pub(super) fn check(config: &Config) -> Result<(), ConfigError> {
    if !config.acme.is_wanted() {
        return Ok(());
    }
    Err(ConfigError::of(vec![
        "this program was built without the feature \"acme\": it can order no certificate for \"acme.domains\""
            .to_owned(),
    ]))
}
