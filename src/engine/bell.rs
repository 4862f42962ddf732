//! The bell of the pump: whoever has something for it that is not in its queue rings.

use crate::handoff::mailbox::Wake;
use crossbeam_channel::{Receiver, Sender, bounded};
use mio::Waker;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};

/// See the module. A clone rings the same bell.
#[derive(Debug, Clone)]
pub struct Bell {
    rings: Sender<()>,
    ends: Arc<AtomicBool>,
    sleeper: Arc<OnceLock<Arc<Sleeper>>>,
}

/// A pump that waits for sockets too, and hears a bell only when it is shaken awake.
#[derive(Debug)]
pub(super) struct Sleeper {
    waker: Waker,
    is_asleep: AtomicBool,
    rings: Receiver<()>,
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
        let sleeper = Arc::default();
        (Bell { rings: sender, ends: Arc::clone(&ends), sleeper }, Heard { rings: receiver, ends })
    }

    /// Has the pump do what is left to do, and end.
    pub fn end(&self) {
        // Before the ring, which may be one that is there already.
        self.ends.store(true, Ordering::SeqCst);
        self.wake();
    }
}

impl Bell {
    /// Rings shake this awake too, from now on. There is one pump.
    pub(super) fn sleep_by(&self, waker: Waker, heard: &Heard) -> Arc<Sleeper> {
        let sleeper = Sleeper { waker, is_asleep: AtomicBool::new(false), rings: heard.rings.clone() };
        Arc::clone(self.sleeper.get_or_init(|| Arc::new(sleeper)))
    }

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
        if let Some(sleeper) = self.sleeper.get() {
            sleeper.shake();
        }
    }
}

impl Sleeper {
    /// Shakes it awake, once for each time that it lies down.
    fn shake(&self) {
        if self.is_asleep.swap(false, Ordering::SeqCst)
            && let Err(error) = self.waker.wake()
        {
            log::error!(event = "engine_not_woken"; "the engine's thread could not be woken: {error}");
        }
    }

    /// It is about to wait. Whether it must not, since something is there that rang before.
    pub(super) fn lie_down(&self, is_there: impl FnOnce() -> bool) -> bool {
        // Before it looks: what comes after the look shakes it.
        self.is_asleep.store(true, Ordering::SeqCst);
        is_there() || !self.rings.is_empty()
    }

    /// It has waited.
    pub(super) fn get_up(&self) {
        self.is_asleep.store(false, Ordering::SeqCst);
    }
}

impl Heard {
    /// Takes the ring, if there was one.
    pub(super) fn hear(&self) {
        let _ = self.rings.try_recv();
    }

    /// Whether the pump is to end.
    pub(super) fn is_over(&self) -> bool {
        self.ends.load(Ordering::SeqCst)
    }
}
