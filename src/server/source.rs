//! Where a running server reads its configuration again.

use crate::config::{Config, ConfigError};

/// Where a running server reads its configuration again, when an operator or a signal asks for it.
pub trait ConfigSource: Send + Sync {
    /// Reads it.
    ///
    /// # Errors
    /// All its mistakes. The server goes on as before then.
    fn read(&self) -> Result<Config, ConfigError>;

    /// It is about to be read.
    fn begins(&self) {}

    /// The server changed to it, as far as it can while it runs; or it did not, and `config` is `None`.
    fn ended(&self, config: Option<&Config>) {
        let _ = config;
    }
}
