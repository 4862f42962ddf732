//! Mailboxes: how anything reaches a reactor or a library subscriber, in order and within bounds.
//!
//! A mailbox is a first-in first-out channel with a reservation count in front of it. A publication reserves its room
//! before it is given an offset (law 1), so what is posted always fits. Replies are bounded by the requests in flight.
//! The thread that frees room in a mailbox that refused a publication wakes the reactors that wait for room.

mod writing;

pub use super::letter::{Checked, Letter, Outcome, Returned};
pub use super::wake::Wake;
pub use writing::MailboxLimits;

use super::callers::Callers;
use super::order::Order;
use super::pump::Pump;
use super::refused::Refused;
use crate::model::ids::MailboxId;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Receiver, RwLock, unbounded};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};
use writing::Mailbox;

/// All mailboxes of a server, and the global budget for outbound memory.
pub struct Mailboxes {
    reactors: Vec<Mailbox>,
    /// Library subscribers come and go; looked up only by publications for channels they are interested in.
    library: RwLock<HashMap<u32, Arc<Mailbox>>>,
    next_library_id: AtomicUsize,
    /// Bytes in mailboxes and outboxes.
    outbound: AtomicUsize,
    outbound_limit: usize,
    /// Set when the budget refuses, cleared by the thread that frees some of it and then wakes those that wait.
    budget_refused: Refused,
    /// Reserved room was given back under a lock while a thread waited for it.
    owes_wakes: AtomicBool,
    /// The threads that wait for room and are not reactors.
    pub(crate) callers: Callers,
    /// It waits for room as a reactor does.
    pump: Pump,
}

impl Mailboxes {
    /// One mailbox per waker, plus the owners' reading sides in the same order.
    #[must_use]
    pub fn new(
        wakers: Vec<Box<dyn Wake>>,
        limits: MailboxLimits,
        outbound_limit: usize,
    ) -> (Arc<Mailboxes>, Vec<Inbox>) {
        let mut inboxes = Vec::with_capacity(wakers.len());
        let mut reactors = Vec::with_capacity(wakers.len());
        for (index, waker) in wakers.into_iter().enumerate() {
            let (letters, receiver) = unbounded();
            reactors.push(Mailbox::open(letters, limits, Some(waker)));
            inboxes.push(Inbox { id: MailboxId(index as u32), receiver });
        }
        let boxes = Mailboxes {
            next_library_id: AtomicUsize::new(reactors.len()),
            reactors,
            library: RwLock::default(),
            outbound: AtomicUsize::new(0),
            outbound_limit,
            budget_refused: Refused::none(),
            owes_wakes: AtomicBool::new(false),
            callers: Callers::default(),
            pump: Pump::default(),
        };
        (Arc::new(boxes), inboxes)
    }

    /// Opens a mailbox for a library subscriber. Without a waker its owner blocks on [`Inbox::receiver`].
    #[must_use]
    pub fn open_library(&self, limits: MailboxLimits, waker: Option<Box<dyn Wake>>) -> Inbox {
        let (letters, receiver) = unbounded();
        let mailbox = Arc::new(Mailbox::open(letters, limits, waker));
        let mut library = self.library.write().unwrap_or_else(PoisonError::into_inner);
        let id = self.unused_id(&library);
        library.insert(id.0, mailbox);
        Inbox { id, receiver }
    }

    /// The next number that nobody has.
    fn unused_id(&self, library: &HashMap<u32, Arc<Mailbox>>) -> MailboxId {
        // Ends: 2^32 mailboxes fit in no memory. Counted on, and not the lowest that is free: a thread may still give
        // room back to a mailbox that was closed a moment ago.
        loop {
            // Begins again at 0 after 2^32 subscriptions.
            let id = MailboxId(self.next_library_id.fetch_add(1, Ordering::Relaxed) as u32);
            let of_reactor = (id.0 as usize) < self.reactors.len();
            if !of_reactor && id != MailboxId::CALLER && !library.contains_key(&id.0) {
                return id;
            }
        }
    }

    /// Closes a library subscriber's mailbox; what is still in it leaves the budget.
    pub fn close_library(&self, id: MailboxId) {
        let closed = self.library.write().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
        if let Some(mailbox) = closed {
            // Also what is reserved and not yet posted: `release` and `free` do not find this mailbox again. The
            // number is final, since the write lock has waited for those that used it.
            self.outbound.fetch_sub(mailbox.bytes.load(Ordering::Acquire), Ordering::SeqCst);
            self.wake_after_refusal(&mailbox);
        }
        self.callers.wake();
    }

    /// Gives room back after publications were delivered, and wakes the threads that wait for it.
    pub fn free(&self, mailbox: MailboxId, entries: usize, bytes: usize) {
        self.with(mailbox, |owner| {
            owner.give_back(entries, bytes);
            self.outbound.fetch_sub(bytes, Ordering::SeqCst);
            self.wake_after_refusal(owner);
        });
        self.callers.wake();
    }

    /// Counts bytes that stay in outboxes after a write attempt.
    pub fn charge_outbox(&self, bytes: usize) {
        // Never refused: the bytes exist. Whether they are too many is asked by `is_overdrawn`.
        self.outbound.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Whether mailboxes and outboxes together hold more than they may.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.outbound.load(Ordering::Acquire) > self.outbound_limit
    }

    /// Takes bytes that left outboxes off the budget.
    pub fn credit_outbox(&self, bytes: usize) {
        self.outbound.fetch_sub(bytes, Ordering::SeqCst);
        if self.budget_refused.take() {
            self.wake_waiting_reactors();
        }
        self.callers.wake();
    }

    /// Bytes in mailboxes and outboxes.
    #[must_use]
    pub fn outbound_bytes(&self) -> usize {
        self.outbound.load(Ordering::Relaxed)
    }

    /// Bytes in reactors' mailboxes.
    #[must_use]
    pub fn mailbox_bytes(&self) -> usize {
        self.reactors.iter().map(|mailbox| mailbox.bytes.load(Ordering::Relaxed)).sum()
    }

    /// Bytes in one mailbox.
    #[must_use]
    pub fn mailbox_bytes_of(&self, mailbox: MailboxId) -> usize {
        self.with(mailbox, |owner| owner.bytes.load(Ordering::Relaxed))
    }

    /// Notes that a reactor waits for room, or no longer does. A reactor that begins to wait must then try once more, since
    /// room may have come free in between.
    pub fn set_waiting(&self, mailbox: MailboxId, waits: bool) {
        self.with(mailbox, |owner| owner.waits_for_room.store(waits, Ordering::SeqCst));
    }

    /// Has the thread of the engine woken as waiting reactors are. Called once.
    pub fn set_pump(&self, waker: Box<dyn Wake>) {
        self.pump.begin(waker);
    }

    /// Notes that the thread of the engine waits for room, or no longer does: as [`Mailboxes::set_waiting`].
    pub fn set_pump_waiting(&self, waits: bool) {
        self.pump.set_waiting(waits);
    }

    /// The owner is about to read its mailbox: wakes from here on take effect again.
    pub fn begin_drain(&self, mailbox: MailboxId) {
        // A swap and not a store: it reads what the last wake wrote, and so sees the letters that were posted before
        // that.
        self.with(mailbox, |owner| owner.wake_pending.swap(false, Ordering::AcqRel));
    }

    /// Posts the return of a job or an errand, and wakes its reactor.
    pub fn post_returned(&self, returned: Returned) {
        let mailbox = returned.to.mailbox;
        self.send(mailbox, Letter::Returned(returned));
        self.wake(mailbox);
    }

    /// Wakes every reactor that waits for room: room came free somewhere that has no mailbox (the queue of
    /// a worker or a service).
    pub fn wake_waiting_reactors(&self) {
        for reactor in &self.reactors {
            if reactor.waits_for_room.load(Ordering::SeqCst) {
                reactor.wake();
            }
        }
        self.pump.wake();
        // What a library calls for may wait where a reactor's work does.
        self.callers.wake();
    }

    /// Wakes the threads that wait for room that an execution reserved and gave back. Called after every execution, when no
    /// lock is held.
    pub fn pay_wakes(&self) {
        // Loaded first, since it is asked after every execution, and a swap is a locked instruction.
        if self.owes_wakes.load(Ordering::SeqCst) && self.owes_wakes.swap(false, Ordering::SeqCst) {
            self.wake_waiting_reactors();
        }
    }

    /// How many reactors there are.
    #[must_use]
    pub fn reactor_count(&self) -> usize {
        self.reactors.len()
    }

    /// Gives an order to every reactor, and wakes it.
    pub fn order_all(&self, order: &Order) {
        for reactor in &self.reactors {
            // Fails only for a reactor that has ended, which has nothing left to do.
            drop(reactor.letters.send(Letter::Order(order.clone())));
            reactor.wake();
        }
    }

    /// Reserves room for one publication of `bytes`; false without room, and then the next thread that frees some wakes
    /// those that wait.
    pub(super) fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.with(mailbox, |owner| {
            let reserved = || {
                // Over the budget too, an empty mailbox takes one: else a full budget could stop a channel for good.
                let alone = owner.entries.load(Ordering::SeqCst) == 0;
                let fitting = |held: usize| (alone || held + bytes <= self.outbound_limit).then_some(held + bytes);
                if self.outbound.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fitting).is_err() {
                    self.budget_refused.note();
                    return false;
                }
                let reserved = owner.try_reserve(bytes);
                if !reserved {
                    self.outbound.fetch_sub(bytes, Ordering::SeqCst);
                }
                reserved
            };
            // Noted before the next try: room that comes free in between is either found by it or announced. Three
            // tries, since the second may be the first that the budget refuses.
            (0..3).any(|_| {
                reserved() || {
                    owner.refused.note();
                    false
                }
            })
        }) || !self.exists(mailbox)
    }

    /// Looks whether there is room for one publication of `bytes`; without room it is as after a refusal.
    pub(super) fn has_room(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.with(mailbox, |owner| {
            let is_alone = || owner.entries.load(Ordering::SeqCst) == 0;
            let within_budget = || self.outbound.load(Ordering::SeqCst) + bytes <= self.outbound_limit || is_alone();
            // Two looks, with the notes between them: room that comes free meanwhile is either found or announced.
            (0..2).any(|_| {
                let has_room = within_budget() && owner.has_room(bytes);
                if !has_room {
                    self.budget_refused.note();
                    owner.refused.note();
                }
                has_room
            })
        }) || !self.exists(mailbox)
    }

    /// Gives reserved room back. A lock is held, so a thread that was refused in between is woken by `pay_wakes`, after the
    /// unlock.
    pub(super) fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.with(mailbox, |owner| {
            owner.give_back(1, bytes);
            self.outbound.fetch_sub(bytes, Ordering::SeqCst);
            // Not `budget_refused`, which this thread may have set itself, at another mailbox: it would wake itself to
            // try again, for ever. A mailbox that the budget refuses is not empty; what is read from it next wakes.
            if owner.refused.take() || self.callers.any() {
                self.owes_wakes.store(true, Ordering::SeqCst);
            }
        });
    }

    /// Wakes the owner of a mailbox.
    pub(super) fn wake(&self, mailbox: MailboxId) {
        if let Some(reactor) = self.reactors.get(mailbox.0 as usize) {
            return reactor.wake();
        }
        // Cloned, so that it is woken after the unlock: a subscriber's waker is the program's, and may run a task at
        // once that closes this mailbox.
        let subscriber = self.library.read().unwrap_or_else(PoisonError::into_inner).get(&mailbox.0).cloned();
        if let Some(subscriber) = subscriber {
            subscriber.wake();
        }
    }

    /// A mailbox that was closed a moment ago must not block the publisher: it counts as having room, and what is posted
    /// to it is dropped.
    fn exists(&self, mailbox: MailboxId) -> bool {
        (mailbox.0 as usize) < self.reactors.len()
            || self.library.read().unwrap_or_else(PoisonError::into_inner).contains_key(&mailbox.0)
    }

    fn wake_after_refusal(&self, freed: &Mailbox) {
        // Both, since either may have refused the same publication. What is freed anywhere is in the budget again.
        if freed.refused.take() | self.budget_refused.take() {
            self.wake_waiting_reactors();
        }
    }

    pub(super) fn send(&self, mailbox: MailboxId, letter: Letter) {
        // Fails only for a mailbox whose owner is gone: no one would read the letter.
        self.with(mailbox, |owner| drop(owner.letters.send(letter)));
    }

    /// Acts on a mailbox: a subscriber's under the lock, so that `close_library` finds the numbers final. `act` wakes
    /// no subscriber.
    fn with<R: Default>(&self, mailbox: MailboxId, act: impl FnOnce(&Mailbox) -> R) -> R {
        // Reactors' mailboxes never change, so that the usual way takes no lock.
        if let Some(reactor) = self.reactors.get(mailbox.0 as usize) {
            return act(reactor);
        }
        let library = self.library.read().unwrap_or_else(PoisonError::into_inner);
        library.get(&mailbox.0).map(|owner| act(owner)).unwrap_or_default()
    }
}

/// The reading side of one mailbox. There is one, and the owner holds it.
pub struct Inbox {
    /// Which mailbox.
    pub id: MailboxId,
    /// Letters in the order they were posted.
    pub receiver: Receiver<Letter>,
}

impl Inbox {
    /// The next letter, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Letter> {
        self.receiver.try_recv().ok()
    }
}

#[cfg(test)]
mod tests;
