//! An engine that does what a test says: orders come out at one end, and what the test puts in at the other has happened.

use crate::engine::{Engine, Event, Health, Now, Order};
use std::sync::mpsc::{Receiver, Sender, TryRecvError, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// See the module.
pub(super) struct Scripted {
    orders: Sender<Order>,
    events: Receiver<Event>,
    health: Arc<Mutex<Health>>,
}

/// The test's side of it.
pub(super) struct Script {
    orders: Receiver<Order>,
    events: Sender<Event>,
    health: Arc<Mutex<Health>>,
}

impl Scripted {
    pub(super) fn new() -> (Scripted, Script) {
        let ((orders, ordered), (happened, events)) = (channel(), channel());
        let health = Arc::new(Mutex::new(Health::Up));
        let script = Script { orders: ordered, events: happened, health: Arc::clone(&health) };
        (Scripted { orders, events, health }, script)
    }
}

impl Script {
    /// The next order, which must be there.
    pub(super) fn order(&self) -> Order {
        self.orders.try_recv().expect("an order")
    }

    /// The next order, if one is there.
    pub(super) fn try_order(&self) -> Result<Order, TryRecvError> {
        self.orders.try_recv()
    }

    /// Whether no order is there.
    pub(super) fn is_idle(&self) -> bool {
        self.orders.try_recv().is_err()
    }

    /// This has happened, as the next turn finds out.
    pub(super) fn happens(&self, event: Event) {
        self.events.send(event).expect("the engine is there");
    }

    /// From now on it is like this.
    pub(super) fn becomes(&self, health: Health) {
        *self.health.lock().unwrap_or_else(PoisonError::into_inner) = health;
    }
}

impl Engine for Scripted {
    fn submit(&mut self, order: Order, _: Now) {
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
        *self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_ready(&self, _: Instant) -> bool {
        self.health() != Health::Away
    }

    fn close(self: Box<Self>, _: Now) {}
}
