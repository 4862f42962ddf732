//! The writing side of one mailbox: its room, and its wake.

use crate::handoff::letter::Letter;
use crate::handoff::refused::Refused;
use crate::handoff::wake::Wake;
use crate::sync::Sender;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a mailbox may hold.
#[derive(Debug, Clone, Copy)]
pub struct MailboxLimits {
    /// Publications.
    pub entries: usize,
    /// Bytes of publications. One publication always fits into an empty mailbox.
    pub bytes: usize,
}

/// The writing side of one mailbox.
pub(super) struct Mailbox {
    pub(super) letters: Sender<Letter>,
    limits: MailboxLimits,
    pub(super) entries: AtomicUsize,
    pub(super) bytes: AtomicUsize,
    /// Set by a refusal, cleared by the thread that frees room and then wakes those that wait.
    pub(super) refused: Refused,
    /// Set by the first wake, cleared by the owner before it reads: further wakes cost one swap.
    pub(super) wake_pending: AtomicBool,
    /// Whether this reactor waits for room somewhere.
    pub(super) waits_for_room: AtomicBool,
    waker: Option<Box<dyn Wake>>,
}

impl Mailbox {
    /// One with nothing in it.
    pub(super) fn open(letters: Sender<Letter>, limits: MailboxLimits, waker: Option<Box<dyn Wake>>) -> Mailbox {
        Mailbox {
            letters,
            limits,
            entries: AtomicUsize::new(0),
            bytes: AtomicUsize::new(0),
            refused: Refused::none(),
            wake_pending: AtomicBool::new(false),
            waits_for_room: AtomicBool::new(false),
            waker,
        }
    }

    /// Reserves room for one publication of `bytes`, if there is any.
    pub(super) fn try_reserve(&self, bytes: usize) -> bool {
        // Never counted before it fits: a try that fails must not make another thread's fail, which nothing would wake.
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

    /// Whether there is room for it.
    pub(super) fn has_room(&self, bytes: usize) -> bool {
        let held = self.bytes.load(Ordering::SeqCst);
        let fits = held == 0 || held + bytes <= self.limits.bytes;
        fits && self.entries.load(Ordering::SeqCst) < self.limits.entries
    }

    /// Gives room back.
    pub(super) fn give_back(&self, entries: usize, bytes: usize) {
        // Bytes first: a mailbox that has no entries has no bytes then, and takes one publication of any size.
        self.bytes.fetch_sub(bytes, Ordering::SeqCst);
        self.entries.fetch_sub(entries, Ordering::SeqCst);
    }

    /// Wakes the owner, if it has to be woken and was not.
    pub(super) fn wake(&self) {
        if let Some(waker) = &self.waker
            && !self.wake_pending.swap(true, Ordering::AcqRel)
        {
            waker.wake();
        }
    }
}
