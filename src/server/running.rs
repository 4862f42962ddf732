//! What of a running server can change: its configuration in force, and the one way to another one.

use super::doors::{Doors, Turned};
use super::drain_of;
use super::engine::EngineParts;
#[cfg(feature = "outbound")]
use super::outbound::OutboundThread;
use super::parts::{SharedParts, connections_max, policy, routes};
use super::rules::access_rules;
use super::secured::{self, Secured};
use super::source::ConfigSource;
#[cfg(feature = "outbound")]
use crate::access::tokens::Issuers;
use crate::access::{AccessRules, Challenges};
use crate::config::{Config, ConfigError, Next};
use crate::connection::env::Limits;
use crate::engine::Rules;
use crate::handoff::mailbox::Mailboxes;
use crate::handoff::order::{Drain, Order};
use crate::hub::Hub;
use crate::metrics::{CurrentPhase, Phase, Reloads};
use crate::model::reloaded::Reloaded;
use crate::reactor::{Change, Listener};
use crate::tls::session::Acceptor;
use arc_swap::ArcSwap;
#[cfg(feature = "cli")]
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// How long a reload waits for the reactors to have changed.
const WAIT: Duration = Duration::from_secs(1);

/// See the module. Threads read the parts that are swapped without a lock.
pub(super) struct Running {
    hub: Arc<Hub>,
    rules: Arc<ArcSwap<AccessRules>>,
    limits: Arc<ArcSwap<Limits>>,
    listener_names: Arc<ArcSwap<Vec<String>>>,
    mailboxes: Arc<Mailboxes>,
    phase: Arc<CurrentPhase>,
    reloads: Arc<Reloads>,
    challenges: Arc<Challenges>,
    engine: Option<EngineParts>,
    secured: Arc<Secured>,
    /// One change after the other.
    state: Mutex<State>,
}

/// What the next change begins with.
struct State {
    config: Config,
    doors: Doors,
    /// To each reactor.
    changes: Vec<Sender<Change>>,
    #[cfg_attr(not(feature = "outbound"), expect(dead_code, reason = "nothing is fetched"))]
    fetching: Fetching,
    source: Option<Arc<dyn ConfigSource>>,
}

#[cfg(feature = "outbound")]
type Fetching = OutboundThread;
#[cfg(not(feature = "outbound"))]
type Fetching = ();

impl Running {
    /// The server begins with this configuration: begins what its rules need.
    ///
    /// # Errors
    /// What it needs cannot be begun.
    pub(super) fn begin(
        shared: &SharedParts,
        config: &Config,
        (doors, secured): (Doors, Arc<Secured>),
        changes: Vec<Sender<Change>>,
    ) -> Result<Running, ConfigError> {
        #[cfg(feature = "outbound")]
        let fetching = {
            let mut outbound = OutboundThread::new(shared, &secured);
            let mut rules = AccessRules::clone(&shared.rules.load());
            outbound.replace(&mut rules, &Issuers::default(), &config.acme)?;
            shared.rules.store(Arc::new(rules));
            outbound
        };
        #[cfg(not(feature = "outbound"))]
        let fetching = ();
        shared.listener_names.store(Arc::new(names(&doors)));
        Ok(Running {
            hub: Arc::clone(&shared.hub),
            rules: Arc::clone(&shared.rules),
            limits: Arc::clone(&shared.limits),
            listener_names: Arc::clone(&shared.listener_names),
            mailboxes: Arc::clone(&shared.mailboxes),
            phase: Arc::clone(&shared.phase),
            reloads: Arc::clone(&shared.reloads),
            challenges: Arc::clone(&shared.challenges),
            engine: shared.engine.clone(),
            secured,
            state: Mutex::new(State { config: config.clone(), doors, changes, fetching, source: None }),
        })
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Looks at the listeners.
    pub(super) fn doors<T>(&self, look: impl FnOnce(&Doors) -> T) -> T {
        look(&self.state().doors)
    }

    /// Changes what is known of the listeners.
    pub(super) fn change_doors(&self, change: impl FnOnce(&mut Doors)) {
        change(&mut self.state().doors);
    }

    /// Where the next server asks for the listening sockets.
    #[cfg(feature = "cli")]
    pub(super) fn handover(&self) -> Option<PathBuf> {
        let state = self.state();
        let path = &state.config.server.handover;
        // Two servers cannot append to one log: there the next one has to wait for the end of this one.
        let is_offered = !path.is_empty() && self.engine.as_ref().is_none_or(EngineParts::is_shared);
        is_offered.then(|| PathBuf::from(path))
    }

    /// How the server drains.
    pub(super) fn drain(&self) -> Drain {
        drain_of(&self.state().config.server)
    }

    /// Where the configuration is read again from now on.
    pub(super) fn read_from(&self, source: Arc<dyn ConfigSource>) {
        self.state().source = Some(source);
    }

    /// The server ends.
    pub(super) fn end(&self) {
        #[cfg(feature = "outbound")]
        self.state().fetching.end();
    }

    /// Changes the rules alone.
    pub(super) fn change_rules(&self, config: &Config) -> Result<(), ConfigError> {
        config.check()?;
        let mut state = self.state();
        // What is ordered stays what it was.
        let config = &Config { acme: state.config.acme.clone(), ..config.clone() };
        let rules = Arc::new(self.new_rules(config, &mut state)?);
        // Before the orders: what a worker executes after them is judged by the new rules.
        self.hub.set_rules(&config.channel_rules);
        let kept = Config { channel_rules: config.channel_rules.clone(), ..state.config.clone() };
        self.tell_engine(&kept);
        self.rules.store(Arc::clone(&rules));
        let Config { channel_rules, issuers, keys, channels, .. } = config.clone();
        let own = &mut state.config;
        (own.channel_rules, own.issuers, own.keys) = (channel_rules, issuers, keys);
        (own.channels.sign_secret, own.channels.sign_secret_file) = (channels.sign_secret, channels.sign_secret_file);
        self.mailboxes.order_all(&Order::Rules(rules));
        Ok(())
    }

    /// The rules of a configuration; from now on their keys are fetched. Nothing may fail after this.
    #[cfg_attr(not(feature = "outbound"), expect(unused_mut, unused_variables, reason = "nothing is fetched"))]
    fn new_rules(&self, config: &Config, state: &mut State) -> Result<AccessRules, ConfigError> {
        let before = self.rules.load_full();
        let (operators, revocations) = (Arc::clone(&before.operators), Arc::clone(&before.revocations));
        let mut rules = access_rules(config, operators, revocations)?;
        #[cfg(feature = "outbound")]
        state.fetching.replace(&mut rules, &before.issuers, &config.acme)?;
        Ok(rules)
    }

    /// The engine keeps what this configuration says, from the next publication on.
    fn tell_engine(&self, config: &Config) {
        if let Some(engine) = &self.engine {
            engine.rules.store(Arc::new(Rules::new(config)));
        }
    }

    /// Reads the configuration again and changes to it; logs what came of it.
    pub(super) fn reload(&self) -> Result<Reloaded, ConfigError> {
        let mut state = self.state();
        let Some(source) = state.source.clone() else {
            return Err(ConfigError::of(vec![
                "the program that this server is a part of has not said where its configuration is read again"
                    .to_owned(),
            ]));
        };
        source.begins();
        let outcome = source.read().and_then(|config| self.change_in(&mut state, &config));
        match &outcome {
            Ok(reloaded) => log_taken(reloaded),
            Err(error) => log::error!(
                event = "reload_refused";
                "the configuration was read again and refused; nothing changed: {}", error.problems().join("; ")
            ),
        }
        self.reloads.count(outcome.is_ok());
        source.ended(outcome.is_ok().then_some(&state.config));
        outcome
    }

    /// Changes to another configuration.
    pub(super) fn change(&self, config: &Config) -> Result<Reloaded, ConfigError> {
        self.change_in(&mut self.state(), config)
    }

    fn change_in(&self, state: &mut State, read: &Config) -> Result<Reloaded, ConfigError> {
        if self.phase.get() != Phase::Serving {
            return Err(ConfigError::of(vec!["this server is stopping, and takes no other configuration".to_owned()]));
        }
        read.check()?;
        let Next { config, changed, needs_restart } = state.config.next(read);
        // What was read may be right as a whole, and wrong with those values of before that hold until a restart.
        config.check().map_err(|error| {
            let until = format!("until a restart, since {} cannot change before: ", needs_restart.join(", "));
            ConfigError::of(error.problems().iter().map(|problem| format!("{until}{problem}")).collect())
        })?;
        let loaded = secured::load(&config)?;
        let plan = state.doors.plan(&config, state.changes.len())?;
        let rules = Arc::new(self.new_rules(&config, state)?);
        // From here on nothing fails.
        let limits = Arc::new(self.limits.load().changed(&config));
        limits.windows.change(config.websocket.deflate_memory_bytes);
        self.hub.set_histories(&config);
        self.tell_engine(&config);
        self.limits.store(Arc::clone(&limits));
        self.rules.store(Arc::clone(&rules));
        self.secured.swap(loaded, Instant::now());
        let turned = state.doors.turn(plan);
        self.listener_names.store(Arc::new(names(&state.doors)));
        let tls = self.secured.acceptor(&config);
        state.config = config;
        let (opened, closed) = (turned.opened.clone(), turned.closed.clone());
        let missing = self.tell_reactors(state, turned, (&rules, &limits), tls.as_ref());
        let owned = |names: Vec<&str>| names.into_iter().map(str::to_owned).collect();
        Ok(Reloaded { changed: owned(changed), needs_restart: owned(needs_restart), opened, closed, missing })
    }

    /// Hands the change to the reactors and waits until they have made it; those that have not in time.
    fn tell_reactors(
        &self,
        state: &State,
        turned: Turned,
        (rules, limits): (&Arc<AccessRules>, &Arc<Limits>),
        tls: Option<&Acceptor>,
    ) -> Vec<usize> {
        let config = &state.config;
        let mut sockets: Vec<_> =
            turned.sockets.into_iter().map(|(number, shares)| (number, shares.into_iter())).collect();
        let mut waits: Vec<Receiver<()>> = Vec::new();
        for reactor in &state.changes {
            let listeners = state.doors.all().enumerate().map(|(number, listener)| {
                let policy = policy(config, listener, Arc::clone(rules));
                let own = sockets.iter_mut().find(|(opened, _)| *opened == number);
                let sockets = own.and_then(|(_, shares)| shares.next()).unwrap_or_default();
                let tls = tls.filter(|_| listener.tls).cloned();
                Listener { sockets, routes: routes(config, listener, &policy, &self.challenges), policy, tls }
            });
            let (made, wait) = channel();
            waits.push(wait);
            // A reactor that has ended needs no change.
            drop(reactor.send(Change {
                rules: Arc::clone(rules),
                limits: Arc::clone(limits),
                inline_parse_bytes: config.server.inline_parse_bytes,
                subscriptions_max: config.channels.per_connection,
                connections_max: connections_max(config.server.connections),
                listeners: listeners.collect(),
                closed: turned.closed_numbers.clone(),
                made,
            }));
        }
        self.mailboxes.order_all(&Order::Change);
        let until = Instant::now() + WAIT;
        let is_late = |wait: &Receiver<()>| {
            wait.recv_timeout(until.saturating_duration_since(Instant::now())) == Err(RecvTimeoutError::Timeout)
        };
        waits.iter().enumerate().filter(|(_, wait)| is_late(wait)).map(|(index, _)| index).collect()
    }
}

fn names(doors: &Doors) -> Vec<String> {
    doors.all().map(|listener| listener.at.to_string()).collect()
}

fn log_taken(reloaded: &Reloaded) {
    let Reloaded { changed, needs_restart, opened, closed, missing } = reloaded;
    let listed = |names: &[String]| names.join(" ");
    log::info!(
        event = "reloaded", changed = listed(changed).as_str(), opened = listed(opened).as_str(),
        closed = listed(closed).as_str();
        "the configuration was read again and is in force"
    );
    if !needs_restart.is_empty() {
        log::warn!(
            event = "needs_restart", settings = listed(needs_restart).as_str();
            "these settings were read with other values, which hold after a restart"
        );
    }
    if !missing.is_empty() {
        let reactors = missing.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        log::warn!(
            event = "reload_late", reactors = reactors.as_str();
            "these reactors are busy, and change to the configuration when they come to it"
        );
    }
}
