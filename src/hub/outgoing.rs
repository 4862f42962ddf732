//! What one turn puts into mailboxes: room that gives itself back, and wakes that wait for the unlock.

use super::post::{Delivery, Post};
use crate::model::ids::MailboxId;
use smallvec::SmallVec;

/// Posts, and remembers which mailboxes to wake. Make it before taking a lock: it wakes when it is dropped, which is after
/// the unlock, and after a panic too.
pub(crate) struct Outgoing<'p, P: Post> {
    pub(crate) post: &'p P,
    wakes: SmallVec<[MailboxId; 8]>,
}

impl<'p, P: Post> Outgoing<'p, P> {
    /// Nothing posted yet.
    pub(crate) fn new(post: &'p P) -> Self {
        Outgoing { post, wakes: SmallVec::new() }
    }

    /// Posts one delivery; its room was reserved.
    pub(super) fn post(&mut self, mailbox: MailboxId, delivery: Delivery) {
        self.post.post(mailbox, delivery);
        self.owe_wake(mailbox);
    }

    /// Something was posted to this mailbox.
    pub(crate) fn owe_wake(&mut self, mailbox: MailboxId) {
        if !self.wakes.contains(&mailbox) {
            self.wakes.push(mailbox);
        }
    }
}

impl<P: Post> Drop for Outgoing<'_, P> {
    fn drop(&mut self) {
        for mailbox in &self.wakes {
            self.post.wake(*mailbox);
        }
    }
}

/// Room for one delivery in each of several mailboxes. What is not used is released.
pub(super) struct Room<'p, P: Post> {
    post: &'p P,
    bytes: usize,
    held: SmallVec<[MailboxId; 8]>,
}

impl<'p, P: Post> Room<'p, P> {
    /// Reserves in every mailbox, or in none.
    pub(super) fn reserve(post: &'p P, mailboxes: impl Iterator<Item = MailboxId>, bytes: usize) -> Option<Self> {
        let mut room = Room { post, bytes, held: SmallVec::new() };
        for mailbox in mailboxes {
            if !post.reserve(mailbox, bytes) {
                // `room` is dropped here, and so releases what was reserved before this mailbox refused.
                return None;
            }
            room.held.push(mailbox);
        }
        Some(room)
    }

    /// Posts what `make` makes into every reserved place.
    pub(super) fn fill(mut self, out: &mut Outgoing<'p, P>, make: impl Fn() -> Delivery) {
        // Taken out before it is posted: if that panics, what may have been posted is not released as well.
        while let Some(mailbox) = self.held.pop() {
            let delivery = make();
            // Its owner frees what the delivery weighs. Another number would be lost from the room of the mailbox, or
            // added to it.
            debug_assert_eq!(delivery.weight(), self.bytes, "what is posted weighs what was reserved");
            out.post(mailbox, delivery);
        }
    }
}

impl<P: Post> Drop for Room<'_, P> {
    fn drop(&mut self) {
        for mailbox in &self.held {
            self.post.release(*mailbox, self.bytes);
        }
    }
}
