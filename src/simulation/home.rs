//! A reactor of a world: its engine, with what its kernel knows and whether it sleeps.

use super::pipe::SimulatedSocket;
use crate::handoff::mailbox::Wake;
use crate::reactor::engine::{Engine, Readiness};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

/// A reactor that sleeps until this is set.
struct Flag(Arc<AtomicBool>);

impl Wake for Flag {
    fn wake(&self) {
        self.0.store(true, Ordering::SeqCst);
    }
}

/// One reactor with what its kernel knows.
pub(super) struct Home {
    pub(super) engine: Engine<SimulatedSocket>,
    pub(super) woken: Arc<AtomicBool>,
    /// What its next wait will return.
    pub(super) events: Vec<(u32, u32, Readiness)>,
    /// When it last went to sleep there was something to do: it did not sleep. What came since must wake it.
    pub(super) stays_up: bool,
    /// When it looks again by itself.
    pub(super) due: Option<Instant>,
}

impl Home {
    /// One that has not slept yet.
    pub(super) fn new(engine: Engine<SimulatedSocket>, woken: Arc<AtomicBool>) -> Home {
        Home { engine, woken, events: Vec::new(), stays_up: true, due: None }
    }
}

/// A flag for each reactor, and what sets it.
pub(super) fn wakers(reactors: usize) -> (Vec<Arc<AtomicBool>>, Vec<Box<dyn Wake>>) {
    let flags: Vec<Arc<AtomicBool>> = (0..reactors).map(|_| Arc::default()).collect();
    let wakers = flags.iter().map(|flag| Box::new(Flag(Arc::clone(flag))) as Box<dyn Wake>).collect();
    (flags, wakers)
}
