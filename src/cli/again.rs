//! Where `tidings serve` reads its configuration again, and what it does when it has.

use super::args::SettingsArgs;
use super::notify::Notify;
use super::settings::{self, level, with_flags};
use std::sync::Arc;
use tidings::config::ConfigError;
use tidings::journal::Logger;
use tidings::{Config, ConfigSource};

/// The same file, variables and flags as at the start.
pub(crate) struct Again {
    pub(crate) settings: SettingsArgs,
    pub(crate) log: Logger,
    pub(crate) notify: Arc<Notify>,
    /// What `serve` does with each configuration.
    pub(crate) complete: fn(Config) -> Config,
}

impl ConfigSource for Again {
    fn read(&self) -> Result<Config, ConfigError> {
        let wrong = |text: String| ConfigError::of(text.split('\n').map(str::to_owned).collect());
        let settings = settings::gather(&self.settings).map_err(wrong)?;
        settings.check().map_err(|error| wrong(with_flags(&error)))?;
        Ok((self.complete)(settings.config().clone()))
    }

    fn begins(&self) {
        self.notify.reloading();
    }

    fn ended(&self, config: Option<&Config>) {
        if let Some(config) = config {
            self.log.set_level(level(config));
        }
        self.notify.say("READY=1");
    }
}
