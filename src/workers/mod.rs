//! The pool that parses and executes what is too large for a reactor: one thread per queue, no state between jobs.

mod pages;

pub use pages::Pages;

use crate::handoff::job::{Job, JobRoom};
use crate::handoff::mailbox::{Mailboxes, Outcome, Returned};
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::metrics::Counters;
use crate::node::answer::{Reply, Respond as _};
use crate::node::execute::{Progress, execute, wall_ms};
use crate::node::gate::ask_hooks;
use crate::node::work::Work;
use crate::protocol::task::{RawWork, Reading, Task};
use crate::wire::json::JsonScratch;
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
    /// Where answers go.
    pub mailboxes: Arc<Mailboxes>,
    /// What it counts.
    pub counters: Arc<Counters>,
    /// What pages about the server are made from.
    pub pages: Arc<Pages>,
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
        if self.room.took(self.index, job.raw.payload.len()) {
            self.mailboxes.wake_waiting_reactors();
        }
        let Job { to, raw } = job;
        let RawWork { task, payload, identity } = raw;
        // A panic ends this connection's request, never the worker (law 9); the scratch may be half used, so it goes.
        let outcome = catch_unwind(AssertUnwindSafe(|| {
            if let Task::Page(ticket, page) = task {
                let reply = Reply { to, ticket, id: None, answer: self.pages.make(page, now) };
                postman.respond(reply);
                return Outcome::Done;
            }
            self.counters.parsed_pool.add(1);
            let lent = RawWork { task, payload: &payload[..], identity };
            let mut work = lent.prepare(to, &mut Reading { scratch, settings: &self.pages.limits.protocol });
            ask_hooks(&mut work, &self.pages.limits.hooks);
            self.work(work, postman, now, wall_ms)
        }));
        let outcome = outcome.unwrap_or_else(|_| {
            self.counters.panics.add(1);
            *scratch = JsonScratch::default();
            Outcome::Panicked
        });
        self.mailboxes.post_returned(Box::new(Returned { to, buffer: payload, outcome }));
    }

    fn work(&self, mut work: Work, postman: &Postman, now: Instant, wall_ms: u64) -> Outcome {
        let progress = execute(&mut work, &self.hub, postman, now, wall_ms);
        self.mailboxes.pay_wakes();
        match progress {
            Progress::Done => Outcome::Done,
            Progress::Blocked => Outcome::Blocked(Box::new(work)),
        }
    }
}
