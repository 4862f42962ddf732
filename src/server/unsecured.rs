//! TLS of the listeners in a program that was built without it: there is none.

use crate::config::{Config, ConfigError};
use crate::metrics::certificates::Expiries;
use crate::tls::session::Acceptor;
use std::sync::Arc;
use std::time::Instant;

/// Nothing.
#[derive(Debug)]
pub(super) struct Loaded;

/// # Errors
/// There is a certificate.
pub(super) fn load(config: &Config) -> Result<Loaded, ConfigError> {
    if config.all_certificates().is_empty() && !config.acme.is_wanted() {
        return Ok(Loaded);
    }
    Err(ConfigError::of(vec![
        "this program was built without the feature \"tls\": it can use no certificate".to_owned(),
    ]))
}

/// Nothing.
pub(super) struct Secured;

impl Secured {
    /// # Errors
    /// As [`load`].
    pub(super) fn begin(config: &Config, _: Instant) -> Result<Secured, ConfigError> {
        load(config).map(|Loaded| Secured)
    }

    #[expect(clippy::unused_self, reason = "a program with TLS has some")]
    pub(super) fn expiries(&self) -> Arc<Expiries> {
        Arc::default()
    }

    #[expect(clippy::unused_self, reason = "a program with TLS has one")]
    pub(super) fn acceptor(&self, _: &Config) -> Option<Acceptor> {
        None
    }

    #[expect(clippy::unused_self, reason = "a program with TLS has what it changes")]
    pub(super) fn swap(&self, Loaded: Loaded, _: Instant) {}

    #[expect(clippy::unused_self, reason = "a program with TLS has what it looks at")]
    pub(super) fn look(&self, _: Instant) {}
}
