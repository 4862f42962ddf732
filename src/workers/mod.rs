//! The pool that parses and executes payloads too large for a reactor: one thread per queue, no state between jobs.

#[cfg(test)]
mod tests;

use crate::access::AccessRules;
use crate::connection::env::Limits;
use crate::handoff::errand::{Errand, Errands};
use crate::handoff::job::{Job, JobRoom, ToVerify};
use crate::handoff::mailbox::{Checked, Mailboxes, Outcome, Returned};
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::metrics::Counters;
use crate::node::execute::{Node, Progress, execute, wall_ms};
use crate::node::gate::{ask_hooks, limit};
use crate::protocol::task::{RawWork, Reading};
use crate::wire::json::JsonScratch;
use arc_swap::ArcSwap;
use crossbeam_channel::Receiver;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// One worker's belongings. It ends when its queue is closed.
pub struct Worker {
    /// Its place in the pool.
    pub index: usize,
    /// Its queue.
    pub jobs: Receiver<Job>,
    /// The queues' accounts, to say that room came free.
    pub room: Arc<JobRoom>,
    /// What requests act on.
    pub hub: Arc<Hub>,
    /// Who may do what with it.
    pub rules: Arc<ArcSwap<AccessRules>>,
    /// Where answers go.
    pub mailboxes: Arc<Mailboxes>,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// The hooks of the embedding program, and the settings of protocols.
    pub limits: Arc<ArcSwap<Limits>>,
    /// The way to services.
    pub errands: Errands,
}

impl Worker {
    /// Works until the queue is closed.
    pub fn run(self) {
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        let mut scratch = JsonScratch::default();
        while let Ok(job) = self.jobs.recv() {
            self.perform(job, &postman, &mut scratch, Instant::now(), wall_ms(SystemTime::now()));
        }
    }

    /// Does one job, at a time that is given.
    pub(crate) fn perform(&self, job: Job, postman: &Postman, scratch: &mut JsonScratch, now: Instant, wall_ms: u64) {
        // Before the work: what was taken out of the queue no longer waits in it, however long it takes.
        if self.room.took(self.index, job.bytes()) {
            self.mailboxes.wake_waiting_reactors();
        }
        let (to, raw, limited) = match job {
            Job::Work { to, raw, limited } => (to, raw, limited),
            Job::Verify(job) => return self.verify(*job, wall_ms / 1000),
        };
        let RawWork { task, payload, identity } = raw;
        // A panic ends this connection's request, never the worker (law 9); the scratch may be half used, so it goes.
        let executed = catch_unwind(AssertUnwindSafe(|| {
            self.counters.parsed_pool.add(1);
            let limits = self.limits.load();
            let lent = RawWork { task, payload: &payload[..], identity };
            let mut work = lent.prepare(to, &mut Reading { scratch, settings: &limits.protocol });
            let rules = self.rules.load();
            if let Some(limited) = limited {
                limit(&mut work, &limits.limiter, &rules.channels, limited);
            }
            ask_hooks(&mut work, &limits.hooks, &rules.channels);
            let progress = execute(&mut work, Node { hub: &self.hub, rules: &rules.channels }, postman, now, wall_ms);
            self.mailboxes.pay_wakes();
            (progress, work)
        }));
        let (buffer, outcome) = match executed {
            Ok((Progress::Done, _)) => (payload, Outcome::Done),
            Ok((Progress::Blocked, work)) => (payload, Outcome::Blocked(Box::new(work))),
            Ok((Progress::Away, work)) => match self.errands.send(Errand { work: Box::new(work), buffer: payload }) {
                // The service sends it back, buffer and all.
                Ok(()) => return,
                // The reactor tries again. A worker that waited for the service would hold up all connections of its
                // queue.
                Err(Errand { work, buffer }) => (buffer, Outcome::Blocked(work)),
            },
            Err(_) => {
                self.counters.panics.add(1);
                *scratch = JsonScratch::default();
                (payload, Outcome::Panicked)
            }
        };
        // After the answers, in the same mailbox: the reactor reads on from the connection when this comes (law 2).
        self.mailboxes.post_returned(Returned { to, buffer, outcome });
    }

    fn verify(&self, job: ToVerify, now_unix_s: u64) {
        let ToVerify { to, listener, verification, then } = job;
        self.counters.tokens_pool.add(1);
        let verified = catch_unwind(AssertUnwindSafe(|| {
            #[cfg(test)]
            crate::hub::mines::step_on("verify", &verification.payload());
            verification.perform(now_unix_s)
        }));
        let outcome = match verified {
            Ok(verified) => Outcome::Verified(Box::new(Checked { listener, verified: Box::new(verified), then })),
            Err(_) => {
                self.counters.panics.add(1);
                Outcome::Panicked
            }
        };
        self.mailboxes.post_returned(Returned { to, buffer: Vec::new(), outcome });
    }
}
