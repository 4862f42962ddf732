//! Postmen: one thread's way to all mailboxes.

use super::mailbox::{Letter, Mailboxes, Returned};
use crate::hub::post::{Delivery, Post};
use crate::model::ids::MailboxId;
use crate::node::answer::{Reply, Respond};
use smallvec::SmallVec;
use std::cell::RefCell;
use std::sync::Arc;

/// See the module. It never wakes the thread that it belongs to, which reads its mailbox in any case.
pub struct Postman {
    /// All mailboxes.
    pub mailboxes: Arc<Mailboxes>,
    /// The mailbox that this thread drains itself, if any.
    pub own: Option<MailboxId>,
    /// Mailboxes that a reactor will wake: once for all that a connection's turn posts, so that their owners find all of it
    /// in one tick.
    owed: RefCell<SmallVec<[MailboxId; 4]>>,
    /// Whether it owes wakes, or wakes at once.
    owes: bool,
}

impl Postman {
    /// The postman of a thread that owns a mailbox, and pays its wakes itself, or of one without, which wakes at once.
    #[must_use]
    pub fn new(mailboxes: Arc<Mailboxes>, own: Option<MailboxId>) -> Postman {
        Postman { mailboxes, own, owed: RefCell::default(), owes: own.is_some() }
    }

    /// The postman of a thread without a mailbox that has turns of its own, after which it pays its wakes.
    #[must_use]
    pub fn gathering(mailboxes: Arc<Mailboxes>) -> Postman {
        Postman { owes: true, ..Postman::new(mailboxes, None) }
    }

    /// Posts the return of an errand.
    pub fn give_back(&self, returned: Returned) {
        let mailbox = returned.to.mailbox;
        self.mailboxes.send(mailbox, Letter::Returned(returned));
        self.wake(mailbox);
    }

    /// Wakes the owners of mailboxes that were posted to since the last time, and the threads that wait for room that was
    /// given back. Called when no lock is held, after every turn of a connection.
    pub fn pay_wakes(&self) {
        // Asked first: to drain what is empty costs twenty instructions after every turn.
        if !self.owed.borrow().is_empty() {
            self.owed.borrow_mut().drain(..).for_each(|mailbox| self.mailboxes.wake(mailbox));
        }
        self.mailboxes.pay_wakes();
    }
}

impl Post for Postman {
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.mailboxes.reserve(mailbox, bytes)
    }

    fn has_room(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.mailboxes.has_room(mailbox, bytes)
    }

    fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.mailboxes.release(mailbox, bytes);
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        self.mailboxes.send(mailbox, Letter::Delivery(delivery));
    }

    fn wake(&self, mailbox: MailboxId) {
        // Only who has turns pays wakes after them.
        if !self.owes {
            self.mailboxes.wake(mailbox);
        } else if self.own != Some(mailbox) {
            let mut owed = self.owed.borrow_mut();
            if !owed.contains(&mailbox) {
                owed.push(mailbox);
            }
        }
    }
}

impl Respond for Postman {
    fn respond(&self, reply: Reply) {
        self.mailboxes.send(reply.to.mailbox, Letter::Reply(reply));
    }
}
