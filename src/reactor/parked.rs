//! Work that waits for room: publications that met a full mailbox, and jobs that met a full pool.
//!
//! A parked connection is not read. Work is tried again when room comes free (which wakes this reactor), and after
//! `publish_wait` the publication is answered 503.

use crate::handoff::job::Job;
use crate::model::ids::ConnId;
use crate::node::work::Work;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Everything of this reactor that waits for room.
#[derive(Default)]
pub(super) struct Parked {
    pub(super) waiting: VecDeque<Waiting>,
    /// Something was parked since the last retry: room may have come free before this reactor was known to wait.
    pub(super) fresh: bool,
}

pub(super) struct Waiting {
    pub(super) what: Stuck,
    pub(super) until: Instant,
}

pub(super) enum Stuck {
    Work(Box<Work>),
    Job(Job),
}

impl Stuck {
    /// The connection that waits for it.
    pub(super) fn holder(&self) -> ConnId {
        match self {
            Stuck::Work(work) => work.to,
            Stuck::Job(job) => job.to(),
        }
    }
}

impl Parked {
    /// How long the reactor may sleep before parked work must be looked at.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        if self.fresh {
            return Some(Duration::ZERO);
        }
        self.waiting.iter().map(|waiting| waiting.until).min().map(|until| until.saturating_duration_since(now))
    }
}
