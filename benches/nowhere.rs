//! For benches of the hub: mailboxes that take everything and keep nothing.

use tidings::hub::post::{Delivery, Post};
use tidings::model::ids::MailboxId;
use tidings::node::answer::{Reply, Respond};

/// See the module.
pub(crate) struct Nowhere;

impl Post for Nowhere {
    fn reserve(&self, _: MailboxId, _: usize) -> bool {
        true
    }

    fn release(&self, _: MailboxId, _: usize) {}

    fn post(&self, _: MailboxId, delivery: Delivery) {
        drop(delivery);
    }

    fn wake(&self, _: MailboxId) {}
}

impl Respond for Nowhere {
    fn respond(&self, reply: Reply) {
        drop(reply);
    }
}
