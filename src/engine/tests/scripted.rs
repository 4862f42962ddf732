//! An engine that does what a test says: orders come out at one end, and what the test puts in at the other has happened.

use crate::engine::{Engine, Event, Health, Now, Order};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::{Duration, Instant};

/// See the module.
pub(super) struct Scripted {
    orders: Sender<Order>,
    events: Receiver<Event>,
    is_broken: Arc<AtomicBool>,
}

/// The test's side of it.
pub(super) struct Script {
    orders: Receiver<Order>,
    events: Sender<Event>,
    is_broken: Arc<AtomicBool>,
}

impl Scripted {
    pub(super) fn new() -> (Scripted, Script) {
        let ((orders, ordered), (happened, events)) = (channel(), channel());
        let is_broken = Arc::new(AtomicBool::new(false));
        let script = Script { orders: ordered, events: happened, is_broken: Arc::clone(&is_broken) };
        (Scripted { orders, events, is_broken }, script)
    }
}

impl Script {
    /// The next order, which must be there.
    pub(super) fn order(&self) -> Order {
        self.orders.try_recv().expect("an order")
    }

    /// Whether no order is there.
    pub(super) fn is_idle(&self) -> bool {
        self.orders.try_recv().is_err()
    }

    /// This has happened, as the next turn finds out.
    pub(super) fn happens(&self, event: Event) {
        self.events.send(event).expect("the engine is there");
    }

    /// It fails for good.
    pub(super) fn breaks(&self) {
        self.is_broken.store(true, Ordering::SeqCst);
    }
}

impl Engine for Scripted {
    fn submit(&mut self, order: Order) {
        self.orders.send(order).expect("the test is there");
    }

    fn turn(&mut self, _: Now, events: &mut Vec<Event>) {
        events.extend(self.events.try_iter());
    }

    fn due(&self, _: Instant) -> Duration {
        Duration::ZERO
    }

    fn is_busy(&self) -> bool {
        false
    }

    fn health(&self) -> Health {
        if self.is_broken.load(Ordering::SeqCst) { Health::Broken } else { Health::Up }
    }

    fn close(self: Box<Self>, _: Now) {}
}
