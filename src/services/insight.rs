//! Insight: the thread that makes the pages about the server and does what operators ask, so that they are answered however
//! busy reactors and workers are.

use super::everywhere::Everywhere;
use super::operations::Operations;
use super::pages::Pages;
use crate::handoff::errand::{Errand, ErrandQueue};
use crate::handoff::mailbox::{Outcome, Returned};
use crate::handoff::postman::Postman;
use crate::metrics::Counters;
use crate::model::operation::Operation;
use crate::model::refusal::Refusal;
use crate::model::request::{Page, Verb};
use crate::node::answer::{Answer, Respond as _};
use crate::node::execute::wall_ms;
use crate::protocol::response::JSON;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// See the module. It ends when its queue is closed.
pub struct Insight {
    errands: ErrandQueue,
    pages: Pages,
    operations: Operations,
    /// Where there are other nodes, lists are of all of them.
    everywhere: Option<Everywhere>,
    postman: Postman,
    counters: Arc<Counters>,
}

impl Insight {
    /// Takes its errands from a queue, and counts in `counters`.
    #[must_use]
    pub fn new(
        errands: ErrandQueue,
        pages: Pages,
        operations: Operations,
        everywhere: Option<Everywhere>,
        counters: Arc<Counters>,
    ) -> Insight {
        let postman = Postman::new(Arc::clone(&pages.mailboxes), None);
        Insight { errands, pages, operations, everywhere, postman, counters }
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
                Some(Verb::Inspect(page)) => Some(self.inspect(*page, now)),
                Some(Verb::Operate(operation)) => Some(self.operate(operation)),
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

    fn inspect(&self, page: Page, now: Instant) -> Answer {
        match (page, &self.everywhere) {
            (Page::Channels, Some(everywhere)) => listed(everywhere.channels(&self.operations, &self.pages)),
            _ => self.pages.make(page, now),
        }
    }

    fn operate(&self, operation: &Operation) -> Answer {
        match (operation, &self.everywhere) {
            (Operation::List(listing), Some(everywhere)) => {
                listed(everywhere.connections(listing, &self.operations, &self.pages))
            }
            _ => self.operations.perform(operation, wall_ms(SystemTime::now()) / 1000),
        }
    }
}

/// The list of a cluster as an answer.
fn listed(list: Result<Vec<u8>, Refusal>) -> Answer {
    match list {
        Ok(body) => Answer::Page { content_type: JSON, body },
        Err(refusal) => Answer::Refused(refusal),
    }
}
