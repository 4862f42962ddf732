//! Errands: work whose next answer takes too long for a reactor or a worker, or has to wait for something, on its way to the
//! thread that makes it.

use super::refused::Refused;
use crate::node::errand::Destination;
use crate::node::work::Work;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Work that goes away. It comes back to its reactor as [`super::mailbox::Returned`], with its next item answered, or with what
/// that needs.
#[derive(Debug)]
pub struct Errand {
    /// What is left of the work; the item that is to be answered comes next.
    pub work: Box<Work>,
    /// The buffer of the job that it was, if it was one: it travels back too.
    pub buffer: Vec<u8>,
}

impl Errand {
    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.work.bytes() + self.buffer.capacity()
    }
}

/// The ways to the threads that errands are for. When all of them are gone, those threads end.
#[derive(Debug, Clone)]
pub struct Errands {
    services: Option<Way>,
    engine: Option<Way>,
}

/// The other end of one of them.
#[derive(Debug)]
pub struct ErrandQueue {
    receiver: Receiver<Errand>,
    room: Arc<Room>,
}

#[derive(Debug, Clone)]
struct Way {
    sender: Sender<Errand>,
    room: Arc<Room>,
}

/// The bytes in a queue, which both ends share.
#[derive(Debug)]
struct Room {
    bytes: AtomicUsize,
    bytes_max: usize,
    refused: Refused,
}

impl Errands {
    /// A queue for `max` errands to services, and its other end. Nothing goes to an engine.
    #[must_use]
    pub fn new(max: usize) -> (Errands, ErrandQueue) {
        // Errands to services hold nothing but their work.
        let (services, queue) = Way::new(max, usize::MAX);
        (Errands { services: Some(services), engine: None }, queue)
    }

    /// The same with a queue to an engine, for `max` errands and so many bytes of them, and the other end of that.
    #[must_use]
    pub fn with_engine(self, max: usize, bytes_max: usize) -> (Errands, ErrandQueue) {
        let (engine, queue) = Way::new(max, bytes_max);
        (Errands { engine: Some(engine), ..self }, queue)
    }

    /// Without the way to services, which end although this one stays.
    #[must_use]
    pub fn without_services(&self) -> Errands {
        Errands { services: None, engine: self.engine.clone() }
    }

    /// Sends work away. When there is no room it comes back, and whoever reads the queue wakes the reactors that wait when
    /// there is.
    ///
    /// # Errors
    /// The errand itself, untouched.
    pub fn send(&self, errand: Errand) -> Result<(), Errand> {
        let way = match errand.work.destination() {
            Some(Destination::Service) => &self.services,
            Some(Destination::Engine) => &self.engine,
            None => &None,
        };
        match way {
            Some(way) => way.send(errand),
            None => Err(errand),
        }
    }

    /// Errands that wait for the engine, and their bytes.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        let held = |way: &Way| (way.sender.len(), way.room.bytes.load(Ordering::Relaxed));
        self.engine.as_ref().map_or((0, 0), held)
    }
}

impl Way {
    fn new(max: usize, bytes_max: usize) -> (Way, ErrandQueue) {
        let (sender, receiver) = bounded(max);
        let room = Arc::new(Room { bytes: AtomicUsize::new(0), bytes_max, refused: Refused::none() });
        (Way { sender, room: Arc::clone(&room) }, ErrandQueue { receiver, room })
    }

    fn send(&self, errand: Errand) -> Result<(), Errand> {
        let Err(errand) = self.try_send(errand) else { return Ok(()) };
        // Said before the second try, so that room which comes free in between is either seen or announced.
        self.room.refused.note();
        self.try_send(errand)
    }

    fn try_send(&self, errand: Errand) -> Result<(), Errand> {
        let (held, bytes) = (&self.room.bytes, errand.bytes());
        // As with jobs: counted before it fits, and one errand always fits into an empty queue.
        let before = held.fetch_add(bytes, Ordering::AcqRel);
        let sent = if before > 0 && before.saturating_add(bytes) > self.room.bytes_max {
            Err(errand)
        } else {
            self.sender.try_send(errand).map_err(TrySendError::into_inner)
        };
        if sent.is_err() {
            held.fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }
}

impl ErrandQueue {
    /// Waits for the next errand; `None` when there will be no more.
    #[must_use]
    pub fn wait(&self) -> Option<Errand> {
        self.receiver.recv().ok()
    }

    /// The next errand, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Errand> {
        self.receiver.try_recv().ok()
    }

    /// Where errands come out, for a thread that waits for other things as well.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Errand> {
        &self.receiver
    }

    /// An errand was taken out: true when somebody had been refused and should be woken.
    #[must_use]
    pub fn took(&self, errand: &Errand) -> bool {
        // Before the flag is read, as where jobs are taken.
        self.room.bytes.fetch_sub(errand.bytes(), Ordering::AcqRel);
        self.room.refused.take()
    }
}
