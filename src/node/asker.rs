//! Who asks an item of a work, and what is left for its answer.

use super::answer::{Answer, Reply};
use crate::access::Identity;
use crate::hub::Asked;
use crate::model::ids::ConnId;
use crate::model::request::Item;
use crate::model::ticket::Ticket;

/// See the module.
pub(super) struct Asker<'w> {
    pub(super) to: ConnId,
    pub(super) ticket: Ticket,
    pub(super) identity: &'w Identity,
    /// Bytes of replay that the answer may still hold; `usize::MAX` before the first item.
    pub(super) replay_left: &'w mut usize,
    /// The place of what the item has asked of an engine, if that has one.
    pub(super) asked: Option<&'w mut Option<Box<Asked>>>,
}

impl Asker<'_> {
    /// The reply to the item.
    pub(super) fn reply(&self, item: &Item, answer: Answer) -> Reply {
        let id = match item {
            Ok(request) => &request.id,
            Err(refused) => &refused.id,
        };
        Reply { to: self.to, ticket: self.ticket, id: id.clone(), answer }
    }

    /// Bytes of replay that the answer may still hold, of at most `all`.
    #[inline]
    pub(super) fn replay_left(&self, all: usize) -> usize {
        all.min(*self.replay_left)
    }

    /// A replay took so many of the bytes that were left.
    #[inline]
    pub(super) fn replayed(&mut self, left: usize, bytes: usize) {
        // Saturating, since the first publication of an answer is replayed whatever it weighs.
        *self.replay_left = left.saturating_sub(bytes);
    }

    /// Takes out what the item has asked.
    pub(super) fn take_asked(&mut self) -> Option<Box<Asked>> {
        self.asked.as_deref_mut().and_then(Option::take)
    }
}
