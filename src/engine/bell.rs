//! The bell of the pump: whoever has something for it that is not in its queue rings.

use crate::handoff::mailbox::Wake;
use crossbeam_channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

/// See the module. A clone rings the same bell.
#[derive(Debug, Clone)]
pub struct Bell {
    rings: Sender<()>,
    ends: Arc<AtomicBool>,
}

/// The end that hears it.
#[derive(Debug)]
pub struct Heard {
    pub(super) rings: Receiver<()>,
    ends: Arc<AtomicBool>,
}

impl Bell {
    /// A bell, and the end that hears it.
    #[must_use]
    pub fn new() -> (Bell, Heard) {
        // One ring is enough, however many rang before it is heard.
        let (sender, receiver) = bounded(1);
        let ends = Arc::new(AtomicBool::new(false));
        (Bell { rings: sender, ends: Arc::clone(&ends) }, Heard { rings: receiver, ends })
    }

    /// Has the pump do what is left to do, and end.
    pub fn end(&self) {
        // Before the ring, which may be one that is there already.
        self.ends.store(true, Ordering::SeqCst);
        self.wake();
    }
}

impl Bell {
    /// Whether the pump was told to end.
    #[must_use]
    pub fn is_over(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }
}

impl Wake for Bell {
    fn wake(&self) {
        // A bell that rings already, or that nobody hears any more, has nothing to add.
        let _ = self.rings.try_send(());
    }
}

impl Heard {
    /// Whether the pump is to end.
    pub(super) fn is_over(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }
}
