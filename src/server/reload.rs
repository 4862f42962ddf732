//! Other settings for a server that runs: given by the program, or read again where its configuration comes from.

use super::Server;
use super::doors::Doors;
use super::running::Running;
use super::source::ConfigSource;
use crate::config::{Config, ConfigError, ListenerConfig};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::reloaded::Reloaded;
use crate::services::Reload;
use std::sync::Arc;

impl Server {
    /// Changes to another configuration, on all reactors or not at all: limits, origins, rules, keys, issuers, and where the
    /// server listens. Listeners that are new are bound before anything changes; those that are gone are closed after it, and
    /// their connections stay until they end. Connections whose key, issuer or signing key is gone end, and subscriptions that
    /// are no longer allowed. Files that the configuration names are read again. Settings that need a restart keep their values,
    /// and are named in what this returns.
    ///
    /// # Errors
    /// The configuration contradicts itself, or those values of before that hold until a restart; it names a file that cannot be
    /// read, an address that may not be called, or one that cannot be listened on. Nothing has changed then.
    pub fn reload(&self, config: &Config) -> Result<Reloaded, ConfigError> {
        self.running.change(config)
    }

    /// Has the configuration read again here when an operator asks for it (POST `/admin/reload`), and on SIGHUP in
    /// [`Server::run_until`].
    pub fn reload_from(&self, source: impl ConfigSource + 'static) {
        self.running.read_from(Arc::new(source));
    }

    /// Judges by what another configuration says of who may do what: its `[[channel]]`, `[[issuer]]` and `[[key]]` blocks and
    /// its signed addresses. Subscriptions that they do not allow end, and their readers receive why. So do connections whose
    /// key, issuer or signing key is gone; those whose key grants something else may do that from then on. The key sets of
    /// issuers that are new are fetched, and those of issuers that are gone no longer. Everything else stays as it is.
    ///
    /// # Errors
    /// The configuration contradicts itself, names a file that cannot be read or an address that may not be called, or would
    /// open a server to the network that is closed. Nothing has changed then.
    pub fn change_rules(&self, config: &Config) -> Result<(), ConfigError> {
        self.running.change_rules(config)
    }

    /// Where the server listens now, with the ports that were really taken.
    #[must_use]
    pub fn listening(&self) -> Vec<ListenerConfig> {
        self.running.doors(|doors: &Doors| doors.open().cloned().collect())
    }
}

/// What insight does for operators who ask for it.
pub(super) fn by_operators(running: &Arc<Running>) -> Reload {
    let running = Arc::clone(running);
    Arc::new(move || running.reload().map_err(|error| Refusal::new(Code::ConfigRefused, error.to_string())))
}
