//! What clients are judged by, out of a configuration, and how it is changed while a server runs.

#[cfg(feature = "outbound")]
use super::outbound::{self, OutboundThread};
use super::parts::SharedParts;
use super::{Server, operator_key, secured};
use crate::access::tokens::Issuers;
use crate::access::{AccessRules, ChannelRules, Keys, Operators, Refresh, Revocations, SignedNames};
use crate::config::{Config, ConfigError};
use crate::handoff::order::Order;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Changes of the rules, one after the other, and what fetches keys for those in force.
pub(super) struct Changes(Mutex<Fetching>);

#[cfg(feature = "outbound")]
type Fetching = OutboundThread;
#[cfg(not(feature = "outbound"))]
type Fetching = ();

impl Changes {
    /// None yet: begins what the first rules need.
    #[cfg(feature = "outbound")]
    pub(super) fn begin(shared: &SharedParts) -> Result<Changes, ConfigError> {
        let mut outbound = OutboundThread::new(shared);
        let mut rules = AccessRules::clone(&shared.rules.load());
        outbound.replace(&mut rules, &Issuers::default())?;
        shared.rules.store(Arc::new(rules));
        Ok(Changes(Mutex::new(outbound)))
    }

    /// None yet. Nothing is fetched.
    #[cfg(not(feature = "outbound"))]
    #[expect(clippy::unnecessary_wraps, reason = "it fails where something is fetched")]
    pub(super) fn begin(_: &SharedParts) -> Result<Changes, ConfigError> {
        Ok(Changes(Mutex::default()))
    }

    fn one(&self) -> MutexGuard<'_, Fetching> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server ends.
    pub(super) fn end(&self) {
        #[cfg(feature = "outbound")]
        self.one().end();
    }
}

impl Server {
    /// Judges by what another configuration says of who may do what: its `[[channel]]`, `[[issuer]]` and `[[key]]` blocks and
    /// its signed addresses. Subscriptions that they do not allow end, and their readers receive why. So do connections whose
    /// key, issuer or signing key is gone; those whose key grants something else may do that from then on. The key sets of
    /// issuers that are new are fetched, and those of issuers that are gone no longer. Everything else stays as the server was
    /// started.
    ///
    /// # Errors
    /// The configuration contradicts itself, names a file that cannot be read or an address that may not be called, or would
    /// open a server to the network that is closed. Nothing has changed then.
    pub fn change_rules(&self, config: &Config) -> Result<(), ConfigError> {
        config.check()?;
        #[cfg_attr(not(feature = "outbound"), expect(unused_mut, unused_variables, reason = "nothing is fetched"))]
        let mut one = self.changes.one();
        let before = self.inside.rules.load_full();
        let (operators, revocations) = (Arc::clone(&before.operators), Arc::clone(&before.revocations));
        #[cfg_attr(not(feature = "outbound"), expect(unused_mut, reason = "nothing is fetched"))]
        let mut rules = access_rules(config, operators, revocations)?;
        #[cfg(feature = "outbound")]
        one.replace(&mut rules, &before.issuers)?;
        let rules = Arc::new(rules);
        // Before the orders: what a worker executes after them is judged by the new rules.
        self.inside.hub.set_rules(&config.channel_rules);
        self.inside.rules.store(Arc::clone(&rules));
        self.inside.mailboxes.order_all(&Order::Rules(rules));
        Ok(())
    }
}

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
    let tls = secured::acceptor(config).map(drop);
    let problems =
        [key.err(), rules.err(), tls.err()].iter().flatten().flat_map(ConfigError::problems).cloned().collect();
    ConfigError::unless_empty(problems)
}

/// None yet, of as many as a configuration lets there be.
pub(super) fn no_revocations(config: &Config) -> Arc<Revocations> {
    Arc::new(Revocations::new(config.access.revocations))
}
