//! The thread of a server's engine, if it has one: begun before the first connection is accepted, and ended after the last.

use super::StartError;
use super::state;
use crate::config::{Config, ConfigError, EngineKind};
use crate::engine::bell::Bell;
use crate::engine::disk::Disk;
use crate::engine::pump::Pump;
use crate::engine::redis::{Node, Redis};
use crate::engine::{Engine, OwnFigures, Rules};
use crate::handoff::errand::{ErrandQueue, Errands};
use crate::handoff::mailbox::Mailboxes;
use crate::handoff::order::Order;
use crate::handoff::others::{FromHere, FromThere, Others};
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::metrics::engine::EngineFigures;
use crate::model::cluster::Cluster;
use arc_swap::ArcSwap;
use crossbeam_channel::{Receiver, bounded};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;

/// What a server with an engine shares with it.
#[derive(Clone)]
pub(super) struct EngineParts {
    /// What channels keep.
    pub(super) rules: Arc<ArcSwap<Rules>>,
    pub(super) figures: Arc<EngineFigures>,
    /// What it takes where several nodes share their channels.
    shared: Option<Shared>,
}

/// See there.
#[derive(Clone)]
struct Shared {
    cluster: Arc<ArcSwap<Cluster>>,
    others: Others,
    from_here: FromHere,
}

/// What other nodes may have asked of this one before it does it.
const TOLD_MAX: usize = 16 * 1024;

/// The thread. It ends with this.
pub(super) struct EngineThread {
    bell: Bell,
    thread: Option<JoinHandle<()>>,
    /// What other nodes want of this one.
    from_there: Option<Receiver<FromThere>>,
}

/// The way to services, and to the engine that a configuration asks for; its queue.
pub(super) fn queues(config: &Config, errands: Errands) -> (Errands, Option<ErrandQueue>) {
    match config.server.engine {
        EngineKind::Memory => (errands, None),
        EngineKind::Disk => {
            let (errands, queue) = errands.with_engine(config.store.queue, config.store.queue_bytes);
            (errands, Some(queue))
        }
        EngineKind::Redis => {
            let (errands, queue) = errands.with_engine(config.redis.queue, config.redis.queue_bytes);
            (errands, Some(queue))
        }
    }
}

impl EngineParts {
    /// Those of a configuration that asks for an engine.
    pub(super) fn new(config: &Config) -> Option<EngineParts> {
        (config.server.engine != EngineKind::Memory).then(|| EngineParts {
            rules: Arc::new(ArcSwap::from_pointee(Rules::new(config))),
            figures: Arc::default(),
            shared: (config.server.engine == EngineKind::Redis).then(Shared::new),
        })
    }

    /// Whether two servers may use it at a time.
    pub(super) fn is_shared(&self) -> bool {
        self.shared.is_some()
    }

    /// The way to the other nodes, where there may be some.
    pub(super) fn others(&self) -> Option<Others> {
        self.shared.as_ref().map(|shared| shared.others.clone())
    }

    /// What is known of them.
    pub(super) fn cluster(&self) -> Option<Arc<ArcSwap<Cluster>>> {
        self.shared.as_ref().map(|shared| Arc::clone(&shared.cluster))
    }

    /// Begins the thread when all that is kept was read.
    ///
    /// # Errors
    /// What is kept cannot be read, or the system has no thread.
    pub(super) fn begin(
        &self,
        config: &Config,
        queue: ErrandQueue,
        hub: Arc<Hub>,
        mailboxes: Arc<Mailboxes>,
        own: OwnFigures,
    ) -> Result<EngineThread, StartError> {
        let (bell, heard) = Bell::new();
        let (rules, figures) = (Arc::clone(&self.rules), Arc::clone(&self.figures));
        queue.ring(Box::new(bell.clone()));
        let mut from_there = None;
        let engine: Box<dyn Engine> = match self.shared.clone() {
            Some(Shared { cluster, others, from_here }) => {
                others.ring(Box::new(bell.clone()));
                // Its senders are the engine's: whoever does what is asked ends with it.
                let (there, asked) = bounded(TOLD_MAX);
                from_there = Some(asked);
                let node = Node::new(cluster, from_here, there, own);
                Box::new(Redis::start(config, rules, Arc::clone(&hub), (&bell, &heard), figures, node)?)
            }
            None => Box::new(
                Disk::open(&folder(config)?, config, rules, Arc::clone(&hub), &bell, figures)
                    .map_err(StartError::Store)?,
            ),
        };
        let postman = Postman::gathering(Arc::clone(&mailboxes));
        let figures = Arc::clone(&self.figures);
        let pump = Pump::new(hub, postman, queue, (bell.clone(), heard), engine, Arc::clone(&figures));
        let thread = std::thread::Builder::new().name("engine".to_owned()).spawn(move || {
            if catch_unwind(AssertUnwindSafe(|| pump.run())).is_err() {
                log::error!(event = "thread_panicked"; "the engine's thread panicked: publishing is refused until this server starts anew");
                figures.up.set(0);
                mailboxes.order_all(&Order::Leave);
            }
        })?;
        Ok(EngineThread { bell, thread: Some(thread), from_there })
    }
}

impl Shared {
    fn new() -> Shared {
        let (others, from_here) = Others::new();
        Shared { cluster: Arc::default(), others, from_here }
    }
}

impl EngineThread {
    /// Has it do what is left, close what it keeps, and end.
    pub(super) fn end(&mut self) {
        self.bell.end();
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            log::error!(event = "thread_panicked"; "the engine's thread panicked");
        }
    }

    /// What other nodes want of this one, until it ends; once, and none where there are no others.
    pub(super) fn take_wanted(&mut self) -> Option<Receiver<FromThere>> {
        self.from_there.take()
    }

    /// Its bell, which tells whether it is about to end.
    pub(super) fn bell(&self) -> Bell {
        self.bell.clone()
    }
}

impl Drop for EngineThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// The folder of the log.
///
/// # Errors
/// Nothing says where it could be.
pub(super) fn folder(config: &Config) -> Result<PathBuf, ConfigError> {
    state::folder(&config.store.folder, "store").ok_or_else(|| {
        let problem =
            "\"store.folder\" must be set: neither STATE_DIRECTORY nor XDG_STATE_HOME nor HOME says where it could be";
        ConfigError::of(vec![problem.to_owned()])
    })
}
