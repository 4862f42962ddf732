//! Insight: the thread that makes the pages about the server and does what operators ask, so that they are answered however
//! busy reactors and workers are.

use super::operations::Operations;
use super::pages::Pages;
use crate::handoff::errand::{Errand, ErrandQueue};
use crate::handoff::mailbox::{Outcome, Returned};
use crate::handoff::postman::Postman;
use crate::metrics::Counters;
use crate::model::request::Verb;
use crate::node::answer::Respond as _;
use crate::node::execute::wall_ms;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// See the module. It ends when its queue is closed.
pub struct Insight {
    errands: ErrandQueue,
    pages: Pages,
    operations: Operations,
    postman: Postman,
    counters: Arc<Counters>,
}

impl Insight {
    /// Takes its errands from a queue, and counts in `counters`.
    #[must_use]
    pub fn new(errands: ErrandQueue, pages: Pages, operations: Operations, counters: Arc<Counters>) -> Insight {
        let postman = Postman::new(Arc::clone(&pages.mailboxes), None);
        Insight { errands, pages, operations, postman, counters }
    }

    /// Works until the queue is closed.
    pub fn run(self) {
        while let Some(errand) = self.errands.wait() {
            self.perform(errand, Instant::now());
        }
    }

    /// Does the next errand, if there is one, at a time that is given.
    pub(crate) fn step(&self, now: Instant) -> bool {
        self.errands.next().map(|errand| self.perform(errand, now)).is_some()
    }

    fn perform(&self, errand: Errand, now: Instant) {
        let mailboxes = &self.postman.mailboxes;
        if self.errands.took(&errand) {
            mailboxes.wake_waiting_reactors();
        }
        let Errand { mut work, buffer } = errand;
        // Kept apart: a panic takes the work with it.
        let to = work.to;
        // A panic ends this connection's request, never the thread (law 9).
        let answered = catch_unwind(AssertUnwindSafe(move || {
            let answer = match work.errand() {
                Some(Verb::Inspect(page)) => Some(self.pages.make(*page, now)),
                Some(Verb::Operate(operation)) => {
                    Some(self.operations.perform(operation, wall_ms(SystemTime::now()) / 1000))
                }
                _ => None,
            };
            if let Some(reply) = answer.and_then(|answer| work.answer(answer)) {
                // No wake here: the reactor is woken by what comes back after it.
                self.postman.respond(reply);
            }
            work
        }));
        if answered.is_err() {
            self.counters.panics.add(1);
        }
        let outcome = answered.map_or(Outcome::Panicked, Outcome::Answered);
        mailboxes.post_returned(Returned { to, buffer, outcome });
    }
}
