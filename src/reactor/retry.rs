//! Parks work that met no room, and tries it again when there may be some.

use super::core::Core;
use super::entry::{Entries, Socket};
use super::parked::{Stuck, Waiting};
use crate::handoff::job::Job;
use crate::model::ids::ConnId;
use crate::node::execute::{Progress, execute, give_up};
use crate::node::work::Work;
use std::time::{Duration, Instant};

/// How often a job that no worker had room for is tried again, even if nobody announces room.
const JOB_RETRY: Duration = Duration::from_millis(100);
/// Retries in one tick.
const RETRIES_PER_TICK: usize = 1024;

impl Core {
    pub(super) fn park_work(&mut self, work: Box<Work>) {
        self.park(Stuck::Work(work), self.now + self.setup.publish_wait);
    }

    pub(super) fn park_job(&mut self, job: Job) {
        // A job waits until a worker takes it, however long: nothing is dropped. The time is only when to look again.
        self.park(Stuck::Job(job), self.now + JOB_RETRY);
    }

    fn park(&mut self, what: Stuck, until: Instant) {
        if self.parked.waiting.is_empty() {
            self.setup.postman.mailboxes.set_waiting(self.mailbox(), true);
        }
        self.parked.waiting.push_back(Waiting { what, until });
        self.parked.fresh = true;
    }

    fn mailbox(&self) -> crate::model::ids::MailboxId {
        self.setup.postman.own.expect("a reactor's postman knows its own mailbox")
    }

    /// Tries what is parked once more, in the order it was parked.
    pub(super) fn retry_parked<S: Socket>(&mut self, entries: &mut Entries<S>) {
        if self.parked.waiting.is_empty() {
            return;
        }
        self.parked.fresh = false;
        let tries = self.parked.waiting.len().min(RETRIES_PER_TICK);
        for _ in 0..tries {
            let Some(waiting) = self.parked.waiting.pop_front() else { break };
            let holder = waiting.what.holder();
            let until = waiting.until;
            match self.retry(waiting) {
                Some(what) => {
                    // A time that passed must not keep the reactor awake.
                    let until = if until > self.now { until } else { self.now + JOB_RETRY };
                    self.parked.waiting.push_back(Waiting { what, until });
                }
                None => self.resume(holder, entries),
            }
        }
        self.setup.postman.pay_wakes();
        self.parked.fresh |= self.parked.waiting.len() > RETRIES_PER_TICK;
        if self.parked.waiting.is_empty() {
            self.setup.postman.mailboxes.set_waiting(self.mailbox(), false);
        }
    }

    /// What is still stuck, or `None` when it went through (or was given up and answered).
    fn retry(&mut self, waiting: Waiting) -> Option<Stuck> {
        match waiting.what {
            Stuck::Job(job) => self.setup.jobs.submit(job).err().map(Stuck::Job),
            Stuck::Work(mut work) => {
                let (hub, postman) = (&self.setup.hub, &self.setup.postman);
                match execute(&mut work, hub, postman, self.now, self.wall_ms) {
                    Progress::Done => None,
                    Progress::Blocked if self.now < waiting.until => Some(Stuck::Work(work)),
                    Progress::Blocked => {
                        self.setup.counters.publish_busy.add(1);
                        give_up(&mut work, hub, postman, self.now, self.wall_ms);
                        None
                    }
                }
            }
        }
    }

    fn resume<S: Socket>(&mut self, holder: Option<ConnId>, entries: &mut Entries<S>) {
        if let Some(holder) = holder
            && let Some(entry) = entries.get_exact(holder.slot, holder.generation)
        {
            entry.connection.returned(&mut self.env(entry.listener));
            self.update(holder.slot, entry);
        }
    }
}
