//! Tokens that this tick has no time to verify: a worker does it, and while no worker has room for them they wait for a tick
//! that has time.

use super::core::Core;
use super::entry::{Entries, Socket};
use super::subscriptions::Subscriptions;
use super::unverified::Waiting;
use crate::access::{CHECKS_PER_TICK, Verification};
use crate::handoff::job::ToVerify;
use crate::handoff::mailbox::Checked;
use crate::model::ids::ConnId;
use crate::node::answer::Reply;

impl Core {
    /// A tick begins: it has time for some signatures.
    #[inline]
    pub(super) fn begin_verifying<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        if self.unverified.may_come() {
            self.begin_checks(entries, subscriptions);
        }
    }

    fn begin_checks<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        for listener in &self.setup.listeners {
            let checked = listener.policy.checks.take();
            if checked > 0 {
                self.setup.counters.tokens_reactor.add(u64::from(checked));
            }
        }
        if self.unverified.have_to_try() {
            self.resume_waiting(entries, subscriptions);
        }
    }

    /// Has a token verified by a worker; its connection waits for that, and for a worker with room as well.
    #[cold]
    pub(super) fn verify_elsewhere(
        &mut self,
        to: ConnId,
        listener: u8,
        verification: Box<Verification>,
        then: Option<Box<Reply>>,
    ) {
        let job = Box::new(ToVerify { to, listener, verification, then });
        // Once in a tick is enough to find that there is no room.
        let tried = if self.unverified.is_full { Err(job) } else { self.setup.jobs.submit_token(job) };
        if let Err(job) = tried {
            self.setup.counters.pool_full.add(1);
            // Its token is not kept: the head, or the answer, has it.
            self.unverified.wait(Waiting { to, then: job.then });
        }
    }

    /// Lets the first of those that wait try again, before all that has come since: as many as this tick has time for, and as
    /// workers have room for. All of them would take a tick as long as if their tokens were verified in it.
    #[cold]
    fn resume_waiting<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        self.unverified.begin();
        let others = std::mem::take(&mut self.ready);
        let tries = CHECKS_PER_TICK as usize + self.setup.jobs.free_places();
        let mut tried = 0;
        while tried < tries
            && let Some(Waiting { to, then }) = self.unverified.next()
        {
            let Some(entry) = entries.get_exact(to.slot, to.generation).filter(|entry| entry.closed.is_none()) else {
                continue;
            };
            tried += 1;
            entry.connection.returned(&mut self.env(entry.listener));
            self.update(to.slot, entry);
            if let Some(reply) = then {
                self.reply(*reply, entries, subscriptions);
            }
        }
        self.ready.extend(others);
    }

    /// Takes what a worker found out about a token. It is kept for all who present it, whether the connection that did is
    /// still there or not.
    pub(super) fn take_verified<S: Socket>(
        &mut self,
        to: ConnId,
        checked: Checked,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        let Checked { listener, verified, then } = checked;
        let policy = &self.setup.listeners[usize::from(listener)].policy;
        policy.keep(&verified);
        let Some(entry) = entries.get_exact(to.slot, to.generation) else {
            self.setup.counters.stale_ids.add(1);
            return;
        };
        match then {
            None => entry.connection.verified(verified, &mut self.env(listener)),
            Some(_) => {
                policy.hand_over(verified);
                entry.connection.returned(&mut self.env(listener));
            }
        }
        self.update(to.slot, entry);
        if let Some(reply) = then {
            self.reply(*reply, entries, subscriptions);
            self.setup.listeners[usize::from(listener)].policy.end_of_second_try();
        }
    }
}
