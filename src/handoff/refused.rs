//! Whether room was refused, for the thread that gives some back: what is noted here is announced once.

use crate::sync::atomic::{AtomicBool, Ordering};

/// A refusal that is not announced yet, if there was one.
#[derive(Debug)]
pub(super) struct Refused(AtomicBool);

impl Refused {
    /// None so far.
    pub(super) fn none() -> Refused {
        Refused(AtomicBool::new(false))
    }

    /// Notes a refusal. Look for room once more after it: what comes free in between is either found by that or announced.
    pub(super) fn note(&self) {
        self.0.store(true, Ordering::SeqCst);
    }

    /// Whether a refusal was noted, which from here on counts as announced. Ask after room was given back.
    pub(super) fn take(&self) -> bool {
        // SeqCst: this thread gives room back and then reads the flag, the other sets the flag and then looks for room.
        // With less both could miss the other, and a publisher would wait out its time. Mailboxes give room back with
        // SeqCst too: a look that finds none there changes no counter, so there are no two changes in an order.
        self.0.load(Ordering::SeqCst) && self.0.swap(false, Ordering::SeqCst)
    }
}
