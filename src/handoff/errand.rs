//! Errands: work whose next answer takes too long for a reactor or a worker, or has to wait for something, on its way to the
//! thread that makes it.

use super::refused::Refused;
use crate::node::work::Work;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::sync::Arc;

/// Work that goes away. It comes back to its reactor as [`super::mailbox::Returned`], with its next item answered.
#[derive(Debug)]
pub struct Errand {
    /// What is left of the work; the item that is to be answered comes next.
    pub work: Box<Work>,
    /// The buffer of the job that it was, if it was one: it travels back too.
    pub buffer: Vec<u8>,
}

/// The way to a service. When all of them are gone, the service ends.
#[derive(Debug, Clone)]
pub struct Errands {
    sender: Sender<Errand>,
    refused: Arc<Refused>,
}

/// The service's end of it.
#[derive(Debug)]
pub struct ErrandQueue {
    receiver: Receiver<Errand>,
    refused: Arc<Refused>,
}

impl Errands {
    /// A queue for `max` errands, and its other end.
    #[must_use]
    pub fn new(max: usize) -> (Errands, ErrandQueue) {
        let (sender, receiver) = bounded(max);
        let refused = Arc::new(Refused::none());
        (Errands { sender, refused: Arc::clone(&refused) }, ErrandQueue { receiver, refused })
    }

    /// Sends work away. When there is no room it comes back, and the service wakes the reactors that wait when there is.
    ///
    /// # Errors
    /// The errand itself, untouched.
    pub fn send(&self, errand: Errand) -> Result<(), Errand> {
        let Err(errand) = self.try_send(errand) else { return Ok(()) };
        // Said before the second try, so that room which comes free in between is either seen or announced.
        self.refused.note();
        self.try_send(errand)
    }

    fn try_send(&self, errand: Errand) -> Result<(), Errand> {
        self.sender.try_send(errand).map_err(TrySendError::into_inner)
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

    /// An errand was taken: true when somebody had been refused and should be woken.
    #[must_use]
    pub fn made_room(&self) -> bool {
        // Loaded first, since a swap after each errand would cost a locked instruction for nothing.
        self.refused.take()
    }
}
