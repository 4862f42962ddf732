//! The way to the other nodes of a cluster, for what operators ask of all of them.

use crate::model::operation::Operation;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

/// Operations that wait to be told: while the engine is away, and no more.
const WAITING_MAX: usize = 1024;

/// See the module. The engine looks for what was said several times a second.
#[derive(Debug, Clone)]
pub struct Others(Sender<Operation>);

/// There are too many that wait: the other nodes do not learn of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NotTold;

impl Others {
    /// The way, and where what was said comes out.
    #[must_use]
    pub fn new() -> (Others, Receiver<Operation>) {
        let (said, heard) = bounded(WAITING_MAX);
        (Others(said), heard)
    }

    /// Has the other nodes do this too. They do it when they can be reached.
    ///
    /// # Errors
    /// As many wait as may.
    pub fn tell(&self, operation: Operation) -> Result<(), NotTold> {
        match self.0.try_send(operation) {
            // Nobody listens any more: this node ends.
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(_)) => Err(NotTold),
        }
    }
}
