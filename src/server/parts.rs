//! What the threads of a server share, and how each of them is set up with it.

use super::StartError;
use super::doors::Shares;
use super::engine::{EngineParts, EngineThread};
use crate::access::{AccessPolicy, AccessRules, Challenges, Checks, Hooks, Identities, TrustedProxies};
use crate::config::{AcmeChallenge, Config, ListenerConfig};
use crate::connection::env::Limits;
use crate::engine::OwnFigures;
use crate::handoff::errand::{ErrandQueue, Errands};
use crate::handoff::job::{Job, JobQueues, JobRoom};
use crate::handoff::mailbox::Mailboxes;
use crate::handoff::others::Others;
use crate::handoff::postman::Postman;
use crate::hub::limits::HubLimits;
use crate::hub::{Hub, RandomSource};
use crate::journal::Journal;
use crate::metrics::certificates::{AcmeFigures, Expiries};
use crate::metrics::key_sets::KeySets;
use crate::metrics::{Counters, CurrentPhase, Reloads};
use crate::model::cluster::ClusterNode;
use crate::model::ids::MailboxId;
use crate::model::redirect::Redirect;
use crate::node::execute::wall_ms;
use crate::protocol::routes::Routes;
use crate::reactor::{Change, Listener, Setup};
use crate::services::insight::Insight;
use crate::services::{Everywhere, FromElsewhere, Operations, Pages, Reload};
use crate::tls::session::Acceptor;
use crate::workers::Worker;
use arc_swap::ArcSwap;
use crossbeam_channel::Receiver as JobReceiver;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Instant, SystemTime};

/// What all threads share, while they are being built.
pub(super) struct SharedParts {
    pub(super) hub: Arc<Hub>,
    /// As it is now, for threads that get no letters.
    pub(super) rules: Arc<ArcSwap<AccessRules>>,
    pub(super) mailboxes: Arc<Mailboxes>,
    pub(super) threads: Arc<Vec<Arc<Counters>>>,
    pub(super) limits: Arc<ArcSwap<Limits>>,
    pub(super) errands: Errands,
    pub(super) journal: Arc<Journal>,
    pub(super) phase: Arc<CurrentPhase>,
    /// What listeners are called, by their numbers.
    pub(super) listener_names: Arc<ArcSwap<Vec<String>>>,
    /// The key sets that are fetched.
    pub(super) key_sets: Arc<KeySets>,
    /// How often the configuration was read again.
    pub(super) reloads: Arc<Reloads>,
    /// When certificates end.
    pub(super) expiries: Arc<Expiries>,
    /// How orders of one went.
    pub(super) orders: Arc<AcmeFigures>,
    /// What certificate authorities are answered by plain HTTP.
    pub(super) challenges: Arc<Challenges>,
    /// What is shared with the engine, if positions are given by one.
    pub(super) engine: Option<EngineParts>,
    pub(super) started: Instant,
}

impl SharedParts {
    pub(super) fn new(
        config: &Config,
        hooks: Hooks,
        rules: AccessRules,
        mailboxes: Arc<Mailboxes>,
        errands: Errands,
        threads: usize,
        started: Instant,
    ) -> SharedParts {
        let hub = Hub::new(HubLimits::new(config), RandomSource::secret());
        hub.set_histories(config);
        SharedParts {
            hub: Arc::new(hub),
            rules: Arc::new(ArcSwap::from_pointee(rules)),
            mailboxes,
            threads: Arc::new((0..threads).map(|_| Arc::default()).collect()),
            limits: Arc::new(ArcSwap::from_pointee(Limits { hooks, ..Limits::new(config) })),
            errands,
            journal: Arc::default(),
            phase: Arc::default(),
            listener_names: Arc::default(),
            reloads: Arc::default(),
            key_sets: Arc::default(),
            expiries: Arc::default(),
            orders: Arc::default(),
            challenges: Arc::default(),
            engine: EngineParts::new(config),
            started,
        }
    }

    /// Begins the engine that the configuration asks for.
    ///
    /// # Errors
    /// What it keeps cannot be read.
    pub(super) fn begin_engine(
        &self,
        config: &Config,
        queue: Option<ErrandQueue>,
        addresses: &[SocketAddr],
    ) -> Result<Option<EngineThread>, StartError> {
        let (hub, threads) = (Arc::clone(&self.hub), Arc::clone(&self.threads));
        let address = addresses.first().map_or_else(|| "unix".to_owned(), SocketAddr::to_string);
        let started_ms = wall_ms(SystemTime::now());
        let own: OwnFigures = Box::new(move || ClusterNode {
            id: String::new(),
            address: address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            started_ms,
            connections: threads.iter().map(|thread| thread.open()).sum(),
            channels: hub.held() as u64,
            round_trip_us: 0,
        });
        let begin = |(engine, queue): (&EngineParts, _)| {
            engine.begin(config, queue, Arc::clone(&self.hub), Arc::clone(&self.mailboxes), own)
        };
        self.engine.as_ref().zip(queue).map(begin).transpose()
    }

    /// What one reactor accepts from, with law 10 for each.
    pub(super) fn listeners(
        &self,
        config: &Config,
        (listeners, shares): (&[ListenerConfig], &mut [Shares]),
        reactor: usize,
        tls: Option<&Acceptor>,
    ) -> Vec<Listener> {
        let own = |(listener, shares): (&ListenerConfig, &mut Shares)| {
            let policy = policy(config, listener, self.rules.load_full());
            let routes = routes(config, listener, &policy, &self.challenges);
            let tls = tls.filter(|_| listener.tls).cloned();
            Listener { sockets: std::mem::take(&mut shares[reactor]), policy, routes, tls }
        };
        listeners.iter().zip(shares).map(own).collect()
    }

    pub(super) fn setup(
        &self,
        config: &Config,
        index: usize,
        listeners: Vec<Listener>,
        changes: Receiver<Change>,
        jobs: Arc<JobQueues>,
    ) -> Setup {
        Setup {
            hub: Arc::clone(&self.hub),
            rules: self.rules.load_full(),
            postman: Postman::new(Arc::clone(&self.mailboxes), Some(MailboxId(index as u32))),
            jobs,
            errands: self.errands.clone(),
            inline_parse_bytes: config.server.inline_parse_bytes,
            publish_wait: config.server.publish_wait,
            subscriptions_max: config.channels.per_connection,
            flush: config.io.flush,
            connections_max: connections_max(config.server.connections),
            limits: self.limits.load_full(),
            listeners,
            changes,
            journal: Arc::clone(&self.journal),
            counters: Arc::clone(&self.threads[index]),
            phase: Arc::clone(&self.phase),
            started: self.started,
            draw: Box::new(rand::random),
            // Until it was reached for the first time.
            away: self.engine.as_ref().is_some_and(EngineParts::is_shared),
        }
    }

    /// The thread for pages about the server and for what operators ask. It counts with the last of all counters.
    pub(super) fn insight(&self, errands: ErrandQueue, reload: Reload) -> Insight {
        let counters = self.threads.last().map(Arc::clone).unwrap_or_default();
        let everywhere = self.everywhere();
        let others = everywhere.as_ref().map(|everywhere| everywhere.others.clone());
        Insight::new(errands, self.pages(), self.operations(reload, others), everywhere, counters)
    }

    /// What does what other nodes want of this one, where there may be some.
    pub(super) fn elsewhere(&self, reload: Reload) -> Option<FromElsewhere> {
        let everywhere = self.everywhere()?;
        Some(FromElsewhere { operations: self.operations(reload, None), pages: self.pages(), everywhere })
    }

    fn everywhere(&self) -> Option<Everywhere> {
        let engine = self.engine.as_ref()?;
        Some(Everywhere { others: engine.others()?, cluster: engine.cluster()? })
    }

    fn pages(&self) -> Pages {
        Pages {
            hub: Arc::clone(&self.hub),
            mailboxes: Arc::clone(&self.mailboxes),
            threads: Arc::clone(&self.threads),
            limits: Arc::clone(&self.limits),
            phase: Arc::clone(&self.phase),
            key_sets: Arc::clone(&self.key_sets),
            reloads: Arc::clone(&self.reloads),
            expiries: Arc::clone(&self.expiries),
            orders: Arc::clone(&self.orders),
            engine: self.engine.as_ref().map(|engine| Arc::clone(&engine.figures)),
            cluster: self.engine.as_ref().and_then(EngineParts::cluster),
            started: self.started,
        }
    }

    /// What operators may do, and where it is repeated.
    fn operations(&self, reload: Reload, others: Option<Others>) -> Operations {
        Operations {
            hub: Arc::clone(&self.hub),
            mailboxes: Arc::clone(&self.mailboxes),
            revocations: Arc::clone(&self.rules.load().revocations),
            listeners: Arc::clone(&self.listener_names),
            reload,
            others,
        }
    }

    pub(super) fn worker(
        &self,
        index: usize,
        jobs: JobReceiver<Job>,
        room: Arc<JobRoom>,
        reactor_count: usize,
    ) -> Worker {
        Worker {
            index,
            jobs,
            room,
            hub: Arc::clone(&self.hub),
            rules: Arc::clone(&self.rules),
            mailboxes: Arc::clone(&self.mailboxes),
            // After those of the reactors: counters have one writer each.
            counters: Arc::clone(&self.threads[reactor_count + index]),
            limits: Arc::clone(&self.limits),
            errands: self.errands.clone(),
        }
    }
}

pub(super) fn connections_max(total: usize) -> usize {
    if total == 0 { usize::MAX } else { total }
}

/// What is where on a listener.
pub(super) fn routes(
    config: &Config,
    listener: &ListenerConfig,
    policy: &AccessPolicy,
    challenges: &Arc<Challenges>,
) -> Routes {
    let redirect = listener.redirect.as_deref().and_then(Redirect::parse);
    let routes = redirect.map_or_else(|| Routes::new(policy.serves), Routes::redirecting);
    let is_asked = config.acme.is_wanted() && config.acme.challenge == AcmeChallenge::Http01 && !listener.tls;
    if is_asked { routes.answering(Arc::clone(challenges)) } else { routes }
}

pub(crate) fn policy(config: &Config, listener: &ListenerConfig, rules: Arc<AccessRules>) -> AccessPolicy {
    let address = listener.at.address();
    AccessPolicy {
        // Canonical, since `::ffff:127.0.0.1` is loopback too.
        listener_is_loopback: address.is_some_and(|address| address.ip().to_canonical().is_loopback()),
        is_unix: address.is_none(),
        serves: listener.serves,
        allowed_origins: config.server.allow_origin.clone(),
        allowed_hosts: config.server.allow_host.clone(),
        anonymous_publish: config.server.allow_anonymous_publish,
        allow_credentials: config.http.allow_credentials,
        port: address.map_or(0, |address| address.port()),
        trusted_proxies: TrustedProxies::new(listener.trusted_proxies.clone()),
        proxy_protocol: listener.proxy_protocol,
        rules,
        identities: Identities::default(),
        known: RefCell::default(),
        checks: Checks::default(),
    }
}
