//! The requests of one frame or body, and how far their execution has come.

use super::answer::{Answer, Reply};
use super::asker::Asker;
use super::destination::Destination;
use super::slot::Slot;
use crate::access::Identity;
use crate::model::ids::ConnId;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RefusedItem, Request, Verb};
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
    pub(super) items: SmallVec<[Slot; 1]>,
    // Narrow, since a work is moved often.
    pub(super) next: u32,
    /// How many items from the next on an engine answers one after the other, before it comes back.
    pub(super) together: u32,
    /// Bytes of replay that the answer may still hold; `usize::MAX` before the first item.
    replay_left: usize,
    /// What the same connection asked after it, where that could not become part of it.
    then: Option<Box<Then>>,
}

/// Requests that come after a work. No work itself: one that could hold another cost each request 60 instructions for letting go
/// of what it does not have.
#[derive(Debug)]
struct Then {
    ticket: Ticket,
    identity: Arc<Identity>,
    batch: bool,
    items: SmallVec<[Slot; 1]>,
}

/// Requests of one connection that become one work at most.
const GATHERED_MAX: usize = 128;

impl Work {
    /// One request.
    #[must_use]
    #[inline]
    pub fn one(to: ConnId, identity: Arc<Identity>, ticket: Ticket, item: Item) -> Work {
        Work::new(to, identity, ticket, smallvec![Slot::Item(item)])
    }

    /// A batch; its answer is one array.
    #[must_use]
    pub fn batch(to: ConnId, identity: Arc<Identity>, ticket: Ticket, items: Vec<Item>) -> Work {
        Work { batch: true, ..Work::new(to, identity, ticket, items.into_iter().map(Slot::Item).collect()) }
    }

    /// Refuses each request that `judge` has a refusal for.
    pub fn refuse_where(&mut self, mut judge: impl FnMut(&Identity, &Verb) -> Result<(), Refusal>) {
        let identity = &self.identity;
        self.items.iter_mut().map(|slot| slot.parts().0).for_each(|item| {
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
        self.items.iter_mut().map(|slot| slot.parts().0).for_each(|item| {
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
            || self.items.iter().map(Slot::item).any(|item| match item {
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
        self.items.len() - self.next as usize + self.then.as_ref().map_or(0, |then| then.items.len())
    }

    /// Whether it is about to have an engine place a publication, so that what its connection asks next may go with it.
    #[must_use]
    pub fn gathers(&self) -> bool {
        !self.batch && self.away == Some(Destination::Engine) && self.publishes()
    }

    /// Takes what its connection asked next, to be executed after its own items; whether it would take more.
    pub fn gather(&mut self, other: Work) -> bool {
        let is_alike = other.ticket == self.ticket && Arc::ptr_eq(&other.identity, &self.identity);
        if !is_alike || other.batch || other.holds_back() {
            // What comes after that waits until it is answered.
            let Work { ticket, identity, batch, items, .. } = other;
            self.then = Some(Box::new(Then { ticket, identity, batch, items }));
            return false;
        }
        self.items.extend(other.items);
        self.items.len() < GATHERED_MAX
    }

    /// Answers its next item with what was made elsewhere; `None` when there is none.
    #[must_use]
    pub fn answer(&mut self, answer: Answer) -> Option<Reply> {
        let (mut asker, item) = self.next_item()?;
        // What was fetched for it is not needed any more, and the rest of a batch may take long.
        drop(asker.take_asked());
        let reply = asker.reply(item, answer);
        self.away = None;
        self.advance();
        Some(reply)
    }

    #[inline]
    fn new(to: ConnId, identity: Arc<Identity>, ticket: Ticket, items: SmallVec<[Slot; 1]>) -> Work {
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
            then: None,
        }
    }

    /// Its next item, and who asks it; `None` when all are done.
    #[inline]
    pub(super) fn next_item(&mut self) -> Option<(Asker<'_>, &mut Item)> {
        let (item, asked) = self.items.get_mut(self.next as usize)?.parts();
        let (identity, replay_left) = (&*self.identity, &mut self.replay_left);
        Some((Asker { to: self.to, ticket: self.ticket, identity, replay_left, asked }, item))
    }

    /// The next item is done.
    pub(super) fn advance(&mut self) {
        self.next += 1;
        // The next item may wait for as long itself.
        self.blocked_since = None;
    }

    /// All its items are done: becomes what comes after them. False when nothing does.
    #[inline]
    pub(super) fn go_on(&mut self) -> bool {
        self.then.is_some() && self.begin_then()
    }

    #[cold]
    fn begin_then(&mut self) -> bool {
        let Some(then) = self.then.take() else { return false };
        let Then { ticket, identity, batch, items } = *then;
        *self = Work { batch, ..Work::new(self.to, identity, ticket, items) };
        true
    }
}
