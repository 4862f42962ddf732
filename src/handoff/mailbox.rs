//! Mailboxes: how anything reaches a reactor or a library subscriber, in order and within bounds.
//!
//! A mailbox is a first-in first-out channel with a reservation count in front of it. A publication reserves its room
//! before it is given an offset (law 1), so what is posted always fits. Replies are bounded by the requests in flight.
//! Whoever frees room in a mailbox that refused somebody wakes the reactors that wait for room.

use super::callers::Callers;
use super::order::Order;
use crate::hub::post::Delivery;
use crate::model::ids::{ConnId, MailboxId};
use crate::node::answer::Reply;
use crate::node::work::Work;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use crate::sync::{Receiver, RwLock, Sender, unbounded};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError};

/// One thing in a mailbox.
#[derive(Debug)]
pub enum Letter {
    /// From the hub.
    Delivery(Delivery),
    /// An answer. It is larger than a publication, but a box for each would cost more than the room.
    Reply(Reply),
    /// From a worker: a job is finished, or could not be.
    Returned(Box<Returned>),
    /// From the server.
    Order(Order),
}

/// A job that comes back to the reactor that sent it.
#[derive(Debug)]
pub struct Returned {
    /// The connection it was for.
    pub to: ConnId,
    /// Its buffer, to be used again.
    pub buffer: Vec<u8>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a job.
#[derive(Debug)]
pub enum Outcome {
    /// Executed; the answers were posted before this.
    Done,
    /// Its next item met a full mailbox: the reactor tries again.
    Blocked(Box<Work>),
    /// It panicked; the panic was contained.
    Panicked,
}

/// Wakes the thread that owns a mailbox.
pub trait Wake: Send + Sync {
    /// Makes the owner look into its mailbox soon.
    fn wake(&self);
}

/// What a mailbox may hold.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// Publications.
    pub entries: usize,
    /// Bytes of publications. One publication always fits into an empty mailbox.
    pub bytes: usize,
}

/// The writing side of one mailbox.
struct Mailbox {
    letters: Sender<Letter>,
    limits: MailboxLimits,
    entries: AtomicUsize,
    bytes: AtomicUsize,
    /// Set by a refusal, cleared by whoever frees room and then wakes those who wait.
    refused_somebody: AtomicBool,
    /// Set by the first wake, cleared by the owner before it looks: further wakes are free.
    wake_pending: AtomicBool,
    /// Whether this reactor waits for room somewhere.
    waits_for_room: AtomicBool,
    waker: Option<Box<dyn Wake>>,
}

impl Mailbox {
    fn try_reserve(&self, bytes: usize) -> bool {
        // Never counted before it fits: what one thread only tries must not refuse another, for nobody would wake that.
        let one_more = |entries: usize| (entries < self.limits.entries).then_some(entries + 1);
        if self.entries.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one_more).is_err() {
            return false;
        }
        let fitting = |held: usize| (held == 0 || held + bytes <= self.limits.bytes).then_some(held + bytes);
        let fits = self.bytes.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fitting).is_ok();
        if !fits {
            self.entries.fetch_sub(1, Ordering::SeqCst);
        }
        fits
    }

    fn give_back(&self, entries: usize, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.entries.fetch_sub(entries, Ordering::SeqCst);
    }

    fn wake(&self) {
        if let Some(waker) = &self.waker
            && !self.wake_pending.swap(true, Ordering::AcqRel)
        {
            waker.wake();
        }
    }
}

/// All mailboxes of a server, and the global budget for outbound memory.
pub struct Mailboxes {
    reactors: Vec<Mailbox>,
    /// Library subscribers come and go; looked up only by publications for channels they are interested in.
    library: RwLock<HashMap<u32, Arc<Mailbox>>>,
    next_library_id: AtomicUsize,
    /// Bytes in mailboxes and outboxes.
    outbound: AtomicUsize,
    outbound_limit: usize,
    /// Reserved room was given back under a lock while somebody waited for it.
    owes_wakes: AtomicBool,
    /// Those that wait for room and are no reactor.
    pub(crate) callers: Callers,
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
            owes_wakes: AtomicBool::new(false),
            callers: Callers::default(),
        };
        (Arc::new(boxes), inboxes)
    }

    /// Opens a mailbox for a library subscriber. Without a waker its owner blocks on [`Inbox::receiver`].
    #[must_use]
    pub fn open_library(&self, limits: MailboxLimits, waker: Option<Box<dyn Wake>>) -> Inbox {
        let id = self.next_library_id.fetch_add(1, Ordering::Relaxed) as u32;
        let (letters, receiver) = unbounded();
        let mailbox = Arc::new(Mailbox::open(letters, limits, waker));
        self.library.write().unwrap_or_else(PoisonError::into_inner).insert(id, mailbox);
        Inbox { id: MailboxId(id), receiver }
    }

    /// Closes a library subscriber's mailbox; what is still in it leaves the budget.
    pub fn close_library(&self, id: MailboxId) {
        let closed = self.library.write().unwrap_or_else(PoisonError::into_inner).remove(&id.0);
        if let Some(mailbox) = closed {
            self.outbound.fetch_sub(mailbox.bytes.load(Ordering::Acquire), Ordering::AcqRel);
            self.wake_those_who_wait(&mailbox);
        }
        self.callers.wake();
    }

    /// Gives room back after publications were delivered, and wakes those who wait for it.
    pub fn free(&self, mailbox: MailboxId, entries: usize, bytes: usize) {
        self.with(mailbox, |owner| {
            owner.give_back(entries, bytes);
            self.outbound.fetch_sub(bytes, Ordering::AcqRel);
            self.wake_those_who_wait(owner);
        });
        self.callers.wake();
    }

    /// Counts bytes that stay in outboxes after a write attempt.
    pub fn charge_outbox(&self, bytes: usize) {
        self.outbound.fetch_add(bytes, Ordering::AcqRel);
    }

    /// Whether mailboxes and outboxes together hold more than they may.
    #[must_use]
    pub fn is_overdrawn(&self) -> bool {
        self.outbound.load(Ordering::Acquire) > self.outbound_limit
    }

    /// Takes bytes that left outboxes off the budget.
    pub fn credit_outbox(&self, bytes: usize) {
        self.outbound.fetch_sub(bytes, Ordering::AcqRel);
        // A budget that was full may have refused publications anywhere.
        for reactor in &self.reactors {
            self.wake_those_who_wait(reactor);
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

    /// Says that a reactor waits for room, or no longer does. After saying so it must try once more, for room may have
    /// come free in between.
    pub fn set_waiting(&self, mailbox: MailboxId, waits: bool) {
        self.with(mailbox, |owner| owner.waits_for_room.store(waits, Ordering::SeqCst));
    }

    /// The owner is about to look into its mailbox: wakes from here on count again.
    pub fn begin_drain(&self, mailbox: MailboxId) {
        self.with(mailbox, |owner| owner.wake_pending.swap(false, Ordering::AcqRel));
    }

    /// Posts a job's return and wakes its reactor.
    pub fn post_returned(&self, returned: Box<Returned>) {
        let mailbox = returned.to.mailbox;
        self.send(mailbox, Letter::Returned(returned));
        self.wake(mailbox);
    }

    /// Wakes every reactor that waits for room: room came free somewhere that has no mailbox (a worker's queue).
    pub fn wake_waiting_reactors(&self) {
        for reactor in &self.reactors {
            if reactor.waits_for_room.load(Ordering::SeqCst) {
                reactor.wake();
            }
        }
    }

    /// Wakes those who wait for room that an execution reserved and gave back. Called after every execution, when no lock
    /// is held.
    pub fn pay_wakes(&self) {
        if self.owes_wakes.load(Ordering::SeqCst) && self.owes_wakes.swap(false, Ordering::SeqCst) {
            self.wake_waiting_reactors();
            self.callers.wake();
        }
    }

    /// Gives an order to every reactor, and wakes it.
    pub fn order_all(&self, order: Order) {
        for reactor in &self.reactors {
            // A reactor that has ended has nothing left to do.
            drop(reactor.letters.send(Letter::Order(order)));
            reactor.wake();
        }
    }

    /// Room for one publication of so many bytes, unless there is none; then those who make room will say so.
    pub(super) fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.with(mailbox, |owner| {
            let reserved = || {
                let alone = owner.entries.load(Ordering::SeqCst) == 0;
                let fitting = |held: usize| (alone || held + bytes <= self.outbound_limit).then_some(held + bytes);
                if self.outbound.fetch_update(Ordering::SeqCst, Ordering::SeqCst, fitting).is_err() {
                    return false;
                }
                let reserved = owner.try_reserve(bytes);
                if !reserved {
                    self.outbound.fetch_sub(bytes, Ordering::SeqCst);
                }
                reserved
            };
            // Said before the second try, so that room which comes free in between is either seen or announced.
            reserved() || {
                owner.refused_somebody.store(true, Ordering::SeqCst);
                reserved()
            }
        }) || !self.exists(mailbox)
    }

    /// Gives reserved room back. A lock is held: whoever was refused in between is woken by `pay_wakes`, after the unlock.
    pub(super) fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.with(mailbox, |owner| {
            owner.give_back(1, bytes);
            self.outbound.fetch_sub(bytes, Ordering::AcqRel);
            let refused =
                owner.refused_somebody.load(Ordering::SeqCst) && owner.refused_somebody.swap(false, Ordering::SeqCst);
            if refused || self.callers.any() {
                self.owes_wakes.store(true, Ordering::SeqCst);
            }
        });
    }

    /// Wakes the owner of a mailbox.
    pub(super) fn wake(&self, mailbox: MailboxId) {
        self.with(mailbox, Mailbox::wake);
    }

    /// A publication for a mailbox that was closed a moment ago is nobody's: it must not block the publisher.
    fn exists(&self, mailbox: MailboxId) -> bool {
        (mailbox.0 as usize) < self.reactors.len()
            || self.library.read().unwrap_or_else(PoisonError::into_inner).contains_key(&mailbox.0)
    }

    fn wake_those_who_wait(&self, freed: &Mailbox) {
        if freed.refused_somebody.load(Ordering::SeqCst) && freed.refused_somebody.swap(false, Ordering::SeqCst) {
            self.wake_waiting_reactors();
        }
    }

    pub(super) fn send(&self, mailbox: MailboxId, letter: Letter) {
        // A closed mailbox is one whose owner is gone: its letters have no reader.
        self.with(mailbox, |owner| drop(owner.letters.send(letter)));
    }

    fn with<R: Default>(&self, mailbox: MailboxId, act: impl FnOnce(&Mailbox) -> R) -> R {
        if let Some(reactor) = self.reactors.get(mailbox.0 as usize) {
            return act(reactor);
        }
        let library = self.library.read().unwrap_or_else(PoisonError::into_inner);
        library.get(&mailbox.0).map(|owner| act(owner)).unwrap_or_default()
    }
}

impl Mailbox {
    fn open(letters: Sender<Letter>, limits: MailboxLimits, waker: Option<Box<dyn Wake>>) -> Mailbox {
        Mailbox {
            letters,
            limits,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            refused_somebody: AtomicBool::new(false),
            wake_pending: AtomicBool::new(false),
            waits_for_room: AtomicBool::new(false),
            waker,
        }
    }
}

/// The reading side of one mailbox; its owner has the only one.
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
mod tests {
    use super::Letter;
    use crate::hub::post::Delivery;
    use crate::hub::publication::Publication;

    /// A mailbox holds thousands of letters, and histories as many publications.
    #[test]
    fn letters_deliveries_and_publications_are_small() {
        assert_eq!((size_of::<Letter>(), size_of::<Delivery>(), size_of::<Publication>()), (128, 56, 168));
    }
}
