//! Parks work that met no room, and tries it again when there may be some.

use super::core::Core;
use super::entry::{Entries, Socket};
use super::parked::{Stuck, Waiting};
use super::setup::Setup;
use crate::handoff::errand::Errand;
use crate::handoff::job::Job;
use crate::model::ids::ConnId;
use crate::node::execute::{Progress, execute, give_up};
use crate::node::work::Work;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

/// How often a job that no worker had room for is tried again, even if no room is announced.
const JOB_RETRY: Duration = Duration::from_millis(100);
/// Retries in one tick.
const RETRIES_PER_TICK: usize = 1024;

/// What became of what was tried again.
enum Retried {
    /// It went through, or was given up and answered.
    Done,
    /// A worker or a service has it now. The hold of its connection ends when it comes back from there, and not before:
    /// what the connection sends next must not overtake it (law 2).
    Away,
    /// There is still no room.
    Stuck(Stuck),
}

impl Core {
    /// Lets a work wait whose next item met no room: that of a publication in a mailbox, or that of an errand.
    pub(super) fn park_work(&mut self, mut work: Box<Work>) {
        if work.publishes() {
            self.setup.counters.publish_waits.add(1);
        }
        work.blocked_since.get_or_insert(self.now);
        self.park(Stuck::Work(work), self.now + self.setup.publish_wait);
    }

    /// Sends a work on the errand that its next item needs.
    pub(super) fn send_away(&mut self, work: Box<Work>) {
        match self.setup.errands.send_with_others(Errand { work, buffer: Vec::new() }) {
            Ok(owes_ring) => self.owes_ring |= owes_ring,
            Err(errand) => self.park_work(errand.work),
        }
    }

    /// Wakes the engine for all that was sent away since the last time.
    pub(super) fn ring(&mut self) {
        if std::mem::take(&mut self.owes_ring) {
            self.setup.errands.ring();
        }
    }

    pub(super) fn park_job(&mut self, job: Job) {
        // A job waits until a worker takes it, however long: nothing is dropped. The time says only when to try again.
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
        // Counted before: what is put back is not tried again in this tick. A connection has at most one work here,
        // since it is not read meanwhile, so putting back at the end changes no order of its own.
        let tries = self.parked.waiting.len().min(RETRIES_PER_TICK);
        for _ in 0..tries {
            let Some(waiting) = self.parked.waiting.pop_front() else { break };
            let holder = waiting.what.holder();
            let until = waiting.until;
            // A panic ends the one connection whose work it was (law 9).
            let retried = catch_unwind(AssertUnwindSafe(|| self.retry(waiting)));
            match retried {
                Ok(Retried::Stuck(what)) => {
                    // A time in the past would keep the reactor from sleeping.
                    let until = if until > self.now { until } else { self.now + JOB_RETRY };
                    self.parked.waiting.push_back(Waiting { what, until });
                }
                Ok(Retried::Done) => self.resume(holder, entries),
                Ok(Retried::Away) => {}
                Err(_) => self.end_panicked(holder, entries),
            }
        }
        self.setup.postman.pay_wakes();
        // Some have had no try in this tick, and no wake need come for them.
        self.parked.fresh |= self.parked.waiting.len() > RETRIES_PER_TICK;
        if self.parked.waiting.is_empty() {
            self.setup.postman.mailboxes.set_waiting(self.mailbox(), false);
        }
    }

    fn retry(&mut self, waiting: Waiting) -> Retried {
        match waiting.what {
            Stuck::Job(job) => match self.setup.jobs.submit(job) {
                Ok(()) => Retried::Away,
                Err(job) => Retried::Stuck(Stuck::Job(job)),
            },
            Stuck::Work(work) => self.retry_work(work, waiting.until),
        }
    }

    /// Tries it again; what still meets no room after `until` is given up and answered.
    fn retry_work(&mut self, mut work: Box<Work>, until: Instant) -> Retried {
        let node = self.setup.node();
        let Setup { postman, errands, counters, .. } = &self.setup;
        let mut progress = execute(&mut work, node, postman, self.now, self.wall_ms);
        loop {
            match progress {
                Progress::Done => return Retried::Done,
                Progress::Blocked => {}
                Progress::Away => match errands.send_with_others(Errand { work, buffer: Vec::new() }) {
                    Ok(owes_ring) => {
                        self.owes_ring |= owes_ring;
                        return Retried::Away;
                    }
                    Err(errand) => {
                        work = errand.work;
                        // `give_up` refuses an item only if its work is marked so.
                        work.blocked_since.get_or_insert(self.now);
                    }
                },
            }
            if self.now < until {
                return Retried::Stuck(Stuck::Work(work));
            }
            if work.publishes() {
                counters.publish_busy.add(1);
            }
            progress = give_up(&mut work, node, postman, self.now, self.wall_ms);
        }
    }

    #[cold]
    fn end_panicked<S: Socket>(&mut self, holder: ConnId, entries: &mut Entries<S>) {
        match entries.get_exact(holder.slot, holder.generation) {
            Some(entry) => self.after_panic(holder.slot, entry),
            None => self.setup.counters.panics.add(1),
        }
    }

    fn resume<S: Socket>(&mut self, holder: ConnId, entries: &mut Entries<S>) {
        if let Some(entry) = entries.get_exact(holder.slot, holder.generation) {
            entry.connection.returned(&mut self.env(entry.listener));
            self.update(holder.slot, entry);
        }
    }
}
