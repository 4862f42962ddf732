//! The requests of one frame or body, and how far their execution has come.

use super::answer::{Answer, Reply};
use super::destination::Destination;
use super::question::Question;
use crate::access::Identity;
use crate::model::ids::ConnId;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RefusedItem, Request, RequestId, Verb};
use crate::model::ticket::Ticket;
use smallvec::{SmallVec, smallvec};
use std::sync::Arc;
use std::time::Instant;

/// The requests of one frame or body, executed in order; each leads to exactly one reply.
#[derive(Debug)]
pub struct Work {
    /// The connection that asks.
    pub to: ConnId,
    /// Goes back with each reply.
    pub ticket: Ticket,
    /// The client it belongs to, and what that may do.
    pub identity: Arc<Identity>,
    /// Since when its next item waits for room in a mailbox.
    pub blocked_since: Option<Instant>,
    /// Whether the items are a batch: one answer, so one replay budget.
    batch: bool,
    /// Where its next item is answered, if that is elsewhere.
    pub(super) away: Option<Destination>,
    pub(super) items: SmallVec<[Option<Item>; 1]>,
    // Narrow, since a work is moved often.
    pub(super) next: u32,
    /// How many items from the next on an engine answers one after the other, before it comes back.
    pub(super) together: u32,
    /// Bytes of replay that the answer may still hold; `usize::MAX` before the first item.
    replay_left: usize,
    /// What its next item, a GET, has asked of an engine.
    pub(super) asked: Question,
}

impl Work {
    /// One request.
    #[must_use]
    #[inline]
    pub fn one(to: ConnId, identity: Arc<Identity>, ticket: Ticket, item: Item) -> Work {
        Work::new(to, identity, ticket, smallvec![Some(item)])
    }

    /// A batch; its answer is one array.
    #[must_use]
    pub fn batch(to: ConnId, identity: Arc<Identity>, ticket: Ticket, items: Vec<Item>) -> Work {
        Work { batch: true, ..Work::new(to, identity, ticket, items.into_iter().map(Some).collect()) }
    }

    /// Refuses each request that `judge` has a refusal for.
    pub fn refuse_where(&mut self, mut judge: impl FnMut(&Identity, &Verb) -> Result<(), Refusal>) {
        let identity = &self.identity;
        self.items.iter_mut().flatten().for_each(|item| {
            if let Ok(request) = item
                && let Err(refusal) = judge(identity, &request.verb)
            {
                *item = Err(RefusedItem { id: request.id.take(), refusal });
            }
        });
    }

    /// Refuses each item that `judge` has a refusal for, also what was refused already: reading it cost as much. A request has
    /// a verb.
    pub fn refuse_all_where(&mut self, mut judge: impl FnMut(&Identity, Option<&Verb>) -> Result<(), Refusal>) {
        let identity = &self.identity;
        self.items.iter_mut().flatten().for_each(|item| {
            let (id, verb) = match item {
                Ok(request) => (&mut request.id, Some(&request.verb)),
                Err(refused) => (&mut refused.id, None),
            };
            if let Err(refusal) = judge(identity, verb) {
                *item = Err(RefusedItem { id: id.take(), refusal });
            }
        });
    }

    /// Whether a connection should wait for the answer before it asks for more: it can be as long as the replay limits
    /// allow, or says what the connection may do.
    #[must_use]
    pub fn holds_back(&self) -> bool {
        self.batch
            || self.items.iter().flatten().any(|item| match item {
                // What follows is judged by the identity that this one gives.
                Ok(Request { verb: Verb::Auth { .. }, .. }) => true,
                Ok(Request { verb: Verb::Get { options, .. }, .. }) => {
                    options.once || options.since.is_some() || options.last.is_some()
                }
                _ => false,
            })
    }

    /// Replies that are still to come.
    #[must_use]
    pub fn remaining(&self) -> usize {
        self.items.len() - self.next as usize
    }

    /// Answers its next item with what was made elsewhere; `None` when there is none.
    #[must_use]
    pub fn answer(&mut self, answer: Answer) -> Option<Reply> {
        let item = self.take()?;
        (self.away, self.asked) = (None, Question::default());
        self.advance();
        Some(self.reply(&item, answer))
    }

    #[inline]
    fn new(to: ConnId, identity: Arc<Identity>, ticket: Ticket, items: SmallVec<[Option<Item>; 1]>) -> Work {
        Work {
            to,
            ticket,
            identity,
            blocked_since: None,
            batch: false,
            away: None,
            items,
            next: 0,
            together: 0,
            replay_left: usize::MAX,
            asked: Question::default(),
        }
    }

    /// Bytes of replay that its answer may still hold, of at most `all`.
    #[inline]
    pub(super) fn replay_left(&self, all: usize) -> usize {
        self.replay_left.min(all)
    }

    /// A replay took so many of the bytes that were left.
    #[inline]
    pub(super) fn replayed(&mut self, left: usize, bytes: usize) {
        // Saturating, since the first publication of an answer is replayed whatever it weighs.
        self.replay_left = left.saturating_sub(bytes);
    }

    /// Takes the next request; it counts as done unless it is put back.
    pub(super) fn take(&mut self) -> Option<Item> {
        self.items.get_mut(self.next as usize)?.take()
    }

    /// Puts back what could not be done.
    pub(super) fn put_back(&mut self, item: Item) {
        self.items[self.next as usize] = Some(item);
    }

    /// The reply to an item of it.
    pub(super) fn reply(&self, item: &Item, answer: Answer) -> Reply {
        Reply { to: self.to, ticket: self.ticket, id: id_of(item).cloned(), answer }
    }

    /// The item that was taken is done.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        // The next item may wait for as long itself.
        self.blocked_since = None;
    }
}

/// The id of a request, or of what was refused.
fn id_of(item: &Item) -> Option<&RequestId> {
    match item {
        Ok(request) => request.id.as_ref(),
        Err(refused) => refused.id.as_ref(),
    }
}
