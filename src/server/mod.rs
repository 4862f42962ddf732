//! Builds the threads and the queues between them; starts them in order, drains and stops them.

#[cfg(feature = "acme")]
mod answering;
mod bound;
mod doors;
mod engine;
mod given;
#[cfg(feature = "cli")]
mod handover;
mod library;
mod listening;
#[cfg(test)]
mod mine_tests;
mod operator_key;
#[cfg(feature = "acme")]
mod ordered;
#[cfg(all(feature = "tls", not(feature = "acme")))]
#[path = "not_ordered.rs"]
mod ordered;
#[cfg(feature = "outbound")]
mod outbound;
mod parts;
mod policy;
mod pulse;
mod randomness;
pub mod rehearsal;
mod reload;
mod rules;
mod running;
#[cfg(feature = "tls")]
mod secured;
#[cfg(not(feature = "tls"))]
#[path = "unsecured.rs"]
mod secured;
#[cfg(feature = "cli")]
mod signals;
mod source;
mod start_error;
mod state;
mod threads;

pub use given::GivenSocket;
#[cfg(feature = "cli")]
pub use handover::Takeover;
#[cfg(feature = "tokio")]
pub use library::{AsyncServer, Publications};
pub use library::{Error, History, Message, Publication, Replay, Subscription};
pub use operator_key::{name_in_files, operator_key_folder};
pub use policy::explain_policy;
pub use pulse::Pulse;
pub use randomness::{NoRandomness, random_bytes};
pub use rules::check_files;
#[cfg(feature = "cli")]
pub use signals::{Interrupts, Outcome};
pub use source::ConfigSource;
pub use start_error::StartError;

use crate::access::{Hooks, Identities};
use crate::config::{Config, ListenerConfig, ServerConfig};
use crate::handoff::errand::Errands;
use crate::handoff::job::JobQueues;
use crate::handoff::mailbox::{MailboxLimits, Mailboxes};
use crate::handoff::order::Drain;
use crate::hub::Hub;
use crate::metrics::{CurrentPhase, Phase};
use crate::reactor::{Drained, Reactor, Seed};
use crossbeam_channel::{Receiver, Sender};
use doors::Doors;
use engine::EngineThread;
use library::{EngineWay, Inside};
use listening::bind_all;
use operator_key::HeldKey;
use parts::SharedParts;
#[cfg(test)]
pub(crate) use parts::policy;
use rules::{access_rules, no_revocations};
use running::Running;
use secured::Secured;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::mpsc::channel;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use threads::{spawn_cluster, spawn_control, spawn_reactor, spawn_workers};

/// A running server.
///
/// ```
/// use tidings::{Config, Server};
/// use std::sync::mpsc;
/// use std::time::Duration;
///
/// let mut config = Config::default();
/// config.server.listen = vec!["127.0.0.1:0".parse().unwrap()];
/// let server = Server::start(config).unwrap();
/// println!("listening on http://{}", server.addresses()[0]);
///
/// let (sender, receiver) = mpsc::channel();
/// let subscription = server.subscribe("stocks", move |publication| {
///     sender.send(publication.offset()).unwrap();
/// }).unwrap();
/// let position = server.publish("stocks", r#"{"TIDE":101.25}"#).unwrap();
/// assert_eq!(position.offset, 1);
/// assert_eq!(receiver.recv_timeout(Duration::from_secs(10)).unwrap(), 1);
/// drop(subscription);
/// assert_eq!(server.stop(Duration::from_secs(5)), 0, "everybody left in time");
/// ```
pub struct Server {
    addresses: Vec<SocketAddr>,
    listeners: Vec<ListenerConfig>,
    inside: Inside,
    phase: Arc<CurrentPhase>,
    reactors: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// Held only to be dropped: closes the workers' queues.
    jobs: Option<Arc<JobQueues>>,
    insight: Option<JoinHandle<()>>,
    engine: Option<EngineThread>,
    /// Does what other nodes ask. It ends when the engine has.
    cluster: Option<JoinHandle<()>>,
    ended: Receiver<Ended>,
    control: Option<(Sender<()>, JoinHandle<()>)>,
    running: Arc<Running>,
    operator_key: HeldKey,
}

/// How a reactor thread ended: what became of its connections, or what went wrong.
type Ended = Result<Drained, String>;

impl Server {
    /// Starts a server: everything is listening when this returns.
    ///
    /// # Errors
    /// The configuration contradicts itself, an address cannot be listened on, or the system has no more threads or
    /// descriptors.
    pub fn start(config: Config) -> Result<Server, StartError> {
        Server::start_with(config, Hooks::default())
    }

    /// Starts a server that asks the program's hooks before it lets a client connect, read or write.
    ///
    /// # Errors
    /// As [`Server::start`].
    pub fn start_with(config: Config, hooks: Hooks) -> Result<Server, StartError> {
        Server::start_on(config, hooks, Vec::new())
    }

    /// The same with sockets that listen already, each for the listener with its name, address or path: those are not bound.
    ///
    /// # Errors
    /// As [`Server::start`]; or a socket is for no listener, or more are for one than there are reactors.
    #[expect(clippy::needless_pass_by_value, reason = "a server owns its configuration, whatever it keeps of it")]
    pub fn start_on(config: Config, hooks: Hooks, sockets: Vec<GivenSocket>) -> Result<Server, StartError> {
        let config = &config;
        config.check()?;
        // First: what else needs them panics, or reports the system's error as its own.
        random_bytes(&mut [0]).map_err(StartError::NoRandomness)?;
        let started = Instant::now();
        let secured = Arc::new(Secured::begin(config, started)?);
        let tls = secured.acceptor(config);
        let reactor_count = config.server.reactor_count();
        let (doors, mut shares) = Doors::new(config, bind_all(config, reactor_count, sockets)?, reactor_count)?;
        let listeners: Vec<ListenerConfig> = doors.all().cloned().collect();
        let addresses: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.at.address()).collect();
        // After they are bound: whoever has an address may replace the key file that is named after it.
        let operator_key = HeldKey::take(&config.server, &addresses).map_err(StartError::OperatorKey)?;
        let (seeds, wakers): (Vec<_>, Vec<_>) =
            (0..reactor_count).map(|_| Seed::open()).collect::<Result<Vec<_>, _>>()?.into_iter().unzip();
        let (mailboxes, inboxes) = Mailboxes::new(wakers, mailbox_limits(config), config.delivery.outbound_total_bytes);
        let worker_count = config.server.worker_count();
        let (jobs, room, queues) =
            JobQueues::new(worker_count, config.delivery.worker_queue_jobs, config.delivery.worker_queue_bytes);
        let rules = access_rules(config, Arc::new(operator_key.operators()), no_revocations(config))?;
        let (errands, errand_queue) = Errands::new(config.delivery.service_queue);
        let (errands, engine_queue) = engine::queues(config, errands);
        // One for each reactor and worker, one for outbound, and one for insight.
        let threads = reactor_count + worker_count + 2;
        let shared = SharedParts::new(config, hooks, rules, mailboxes, errands, threads, started);
        let shared = SharedParts { expiries: secured.expiries(), ..shared };
        // Before anything is accepted: a server that is ready has read what is kept.
        let mut engine = shared.begin_engine(config, engine_queue, &addresses)?;
        let (senders, receivers): (Vec<_>, Vec<_>) = (0..reactor_count).map(|_| channel()).unzip();
        // Before the reactors, which ask it for keys.
        let running = Arc::new(Running::begin(&shared, config, (doors, Arc::clone(&secured)), senders)?);
        let (ending, ended) = crossbeam_channel::bounded(reactor_count);
        let connections = Arc::new(AtomicUsize::new(0));
        let mut begun = Begun { mailboxes: Arc::clone(&shared.mailboxes), reactors: Vec::new() };
        for (index, ((seed, inbox), changes)) in seeds.into_iter().zip(inboxes).zip(receivers).enumerate() {
            let own = shared.listeners(config, (&listeners, &mut shares), index, tls.as_ref());
            let setup = shared.setup(config, index, own, changes, Arc::clone(&jobs));
            let reactor = Reactor::new(seed, inbox, setup, Arc::clone(&connections))?;
            begun.reactors.push(spawn_reactor(index, reactor, ending.clone())?);
        }
        let workers = spawn_workers(&shared, queues, &room, reactor_count)?;
        let insight = shared.insight(errand_queue, reload::by_operators(&running));
        let from_there = engine.as_mut().and_then(EngineThread::take_wanted);
        let cluster = spawn_cluster(&shared, from_there, reload::by_operators(&running))?;
        let insight = Some(std::thread::Builder::new().name("insight".to_owned()).spawn(move || insight.run())?);
        let control = Some(spawn_control(&shared, &secured)?);
        let phase = Arc::clone(&shared.phase);
        // What is shared ends here, and with it an end of insight's queue: insight ends when all of them have.
        let inside = inside(shared, config, engine.as_ref());
        Ok(Server {
            addresses,
            listeners,
            inside,
            phase,
            reactors: std::mem::take(&mut begun.reactors),
            workers,
            jobs: Some(jobs),
            insight,
            cluster,
            engine,
            ended,
            control,
            running,
            operator_key,
        })
    }

    /// The addresses listened on since the start, in the configuration's order, with the ports that were really taken.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Everything listened on since the start, in the configuration's order, with the ports that were really taken: unix
    /// sockets too. [`Server::listening`] is what a reload has made of it.
    #[must_use]
    pub fn listeners(&self) -> &[ListenerConfig] {
        &self.listeners
    }

    /// The key that makes its holder an operator: `Authorization: Bearer KEY`.
    #[must_use]
    pub fn operator_key(&self) -> &str {
        self.operator_key.key.reveal()
    }

    /// Where the operators' key is, for people: the end of a sentence that begins with "the key".
    #[must_use]
    pub fn operator_key_place(&self) -> &str {
        &self.operator_key.place
    }

    /// What the server knows of channels.
    #[doc(hidden)]
    #[must_use]
    pub fn hub(&self) -> &Hub {
        &self.inside.hub
    }

    /// Stops accepting after the configuration's `drain_delay`, says goodbye to everybody over its `drain_spread`, and
    /// returns when all have left or ignore their goodbye, or when `drain_timeout` is over. Returns how many were cut off
    /// before they had received everything.
    ///
    /// # Panics
    /// Never; a thread that panicked is logged and counts as ended.
    #[must_use]
    pub fn stop(mut self, drain_timeout: Duration) -> usize {
        self.begin_drain(Drain { timeout: drain_timeout, ..self.running.drain() });
        // Of a reactor that failed it is not known, and it counts as none.
        let cut_off =
            self.ended.iter().take(self.reactors.len()).map(|ended| ended.map_or(0, |drained| drained.owed)).sum();
        self.join();
        cut_off
    }

    fn begin_drain(&self, drain: Drain) {
        self.running.change_doors(Doors::keep_nothing);
        self.phase.reach(Phase::Leaving);
        self.inside.mailboxes.order_all(&drain.at(Instant::now()));
    }

    fn join(&mut self) {
        self.running.end();
        for thread in self.reactors.drain(..) {
            if thread.join().is_err() {
                log::error!(event = "thread_panicked"; "a reactor thread panicked");
            }
        }
        // The reactors are gone, and with them the other ends of the workers' queues.
        self.jobs = None;
        for thread in self.workers.drain(..) {
            if thread.join().is_err() {
                log::error!(event = "thread_panicked"; "a worker thread panicked");
            }
        }
        // After whoever asks it, but for the program, which is told that it ends.
        if let Some(mut engine) = self.engine.take() {
            engine.end();
        }
        if let Some(thread) = self.cluster.take()
            && thread.join().is_err()
        {
            log::error!(event = "thread_panicked"; "the cluster thread panicked");
        }
        // And with reactors and workers the other ends of its queue.
        if let Some(thread) = self.insight.take()
            && thread.join().is_err()
        {
            log::error!(event = "thread_panicked"; "the insight thread panicked");
        }
        if let Some((stop, thread)) = self.control.take() {
            drop(stop);
            if thread.join().is_err() {
                log::error!(event = "thread_panicked"; "the control thread panicked");
            }
        }
    }
}

impl Drop for Server {
    /// A server that is dropped stops at once.
    fn drop(&mut self) {
        // After `stop` and `run_until` the threads are joined already.
        if !self.reactors.is_empty() {
            self.begin_drain(Drain::AT_ONCE);
            self.join();
        }
    }
}

/// The reactors of a server that is starting. If the start fails they end, since they would go on serving; the other
/// threads end when their queues are closed.
struct Begun {
    mailboxes: Arc<Mailboxes>,
    /// Empty once a server has them.
    reactors: Vec<JoinHandle<()>>,
}

impl Drop for Begun {
    fn drop(&mut self) {
        if self.reactors.is_empty() {
            return;
        }
        self.mailboxes.order_all(&Drain::AT_ONCE.at(Instant::now()));
        for thread in self.reactors.drain(..) {
            if thread.join().is_err() {
                log::error!(event = "thread_panicked"; "a reactor thread panicked");
            }
        }
    }
}

fn mailbox_limits(config: &Config) -> MailboxLimits {
    MailboxLimits { entries: config.delivery.mailbox_entries, bytes: config.delivery.mailbox_bytes }
}

/// What the program that embeds a server has of it.
fn inside(shared: SharedParts, config: &Config, engine: Option<&EngineThread>) -> Inside {
    let SharedParts { hub, mailboxes, rules, errands, .. } = shared;
    Inside {
        identity: Identities::default().operator,
        hub,
        rules,
        mailboxes,
        publish_wait: config.server.publish_wait,
        mailbox_limits: mailbox_limits(config),
        engine: engine.map(|engine| EngineWay::new(errands.without_services(), engine.bell())),
    }
}

/// How a server drains that is told to.
fn drain_of(config: &ServerConfig) -> Drain {
    Drain { delay: config.drain_delay, spread: config.drain_spread, timeout: config.drain_timeout, hands_over: false }
}
