//! The thread of an engine as mailboxes know it: it waits for room, and has none of its own.

use super::wake::Wake;
use crate::sync::atomic::{AtomicBool, Ordering};
use std::sync::OnceLock;

/// See the module. Nothing is woken where there is no engine.
#[derive(Default)]
pub(super) struct Pump(OnceLock<Waits>);

struct Waits {
    for_room: AtomicBool,
    waker: Box<dyn Wake>,
}

impl Pump {
    /// There is one.
    pub(super) fn begin(&self, waker: Box<dyn Wake>) {
        let waits = Waits { for_room: AtomicBool::new(false), waker };
        assert!(self.0.set(waits).is_ok(), "there is one engine");
    }

    /// Notes that it waits for room, or no longer does.
    pub(super) fn set_waiting(&self, for_room: bool) {
        if let Some(waits) = self.0.get() {
            // SeqCst, as where reactors wait.
            waits.for_room.store(for_room, Ordering::SeqCst);
        }
    }

    /// Wakes it if it waits for room.
    pub(super) fn wake(&self) {
        if let Some(waits) = self.0.get()
            && waits.for_room.load(Ordering::SeqCst)
        {
            waits.waker.wake();
        }
    }
}
