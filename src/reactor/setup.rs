//! How a reactor is set up.

use super::change::Change;
use super::listener::Listener;
use crate::access::AccessRules;
use crate::access::limits::InForce;
use crate::config::FlushPath;
use crate::connection::env::{Draw, Limits};
use crate::handoff::errand::Errands;
use crate::handoff::job::JobQueues;
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::journal::Journal;
use crate::metrics::{Counters, CurrentPhase};
use crate::node::execute::Node;
use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

/// How a reactor is set up.
pub struct Setup {
    /// What requests act on.
    pub hub: Arc<Hub>,
    /// Who may do what with it.
    pub rules: Arc<AccessRules>,
    /// The way to all mailboxes; `own` is this reactor's.
    pub postman: Postman,
    /// The way to the workers.
    pub jobs: Arc<JobQueues>,
    /// The way to services.
    pub errands: Errands,
    /// Payloads of at least this many bytes go to the workers.
    pub inline_parse_bytes: usize,
    /// How long a publication may wait for room.
    pub publish_wait: Duration,
    /// Subscriptions per connection.
    pub subscriptions_max: usize,
    /// Connections in all reactors together; `usize::MAX` for as many as descriptors allow.
    pub connections_max: usize,
    /// How outboxes reach their sockets.
    pub flush: FlushPath,
    /// Limits and texts of connections.
    pub limits: Arc<Limits>,
    /// Where the server listens, with law 10 for each.
    pub listeners: Vec<Listener>,
    /// Changes of all that, each announced by an order.
    pub changes: Receiver<Change>,
    /// What is logged of all reactors together.
    pub journal: Arc<Journal>,
    /// This reactor's counters.
    pub counters: Arc<Counters>,
    /// Whether the server is draining, as all threads see it.
    pub phase: Arc<CurrentPhase>,
    /// When the server started.
    pub started: Instant,
    /// Draws a number at random.
    pub draw: Draw,
    /// Whether the engine is away at first: the server is not ready until it was reached.
    pub away: bool,
}

impl Setup {
    /// Which limits there are, by the present rules.
    pub(super) fn in_force(&self) -> InForce {
        let rules = &self.rules.channels;
        self.limits.limiter.in_force(rules.is_open(), rules.have_rates())
    }

    /// What requests act on.
    #[inline]
    pub(super) fn node(&self) -> Node<'_> {
        Node { hub: &self.hub, rules: &self.rules.channels }
    }
}
