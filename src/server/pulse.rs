//! Whether all reactors of a running server take their letters: what a watchdog asks.

use super::Server;
use crate::handoff::mailbox::Mailboxes;
use crate::handoff::order::Order;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// Asks the reactors of a server, also while another thread runs it.
pub struct Pulse(Arc<Mailboxes>);

impl Server {
    /// Whatever asks its reactors whether they turn.
    #[must_use]
    pub fn pulse(&self) -> Pulse {
        Pulse(Arc::clone(&self.inside.mailboxes))
    }
}

impl Pulse {
    /// Whether each reactor has ended, or takes a letter within this time: it turns and is behind with nothing.
    #[must_use]
    pub fn beats_within(&self, time: Duration) -> bool {
        let (asked, all) = channel::<()>();
        self.0.order_all(&Order::Answer(asked));
        // Nothing is sent: it is over when the last of them has dropped its end.
        all.recv_timeout(time) == Err(RecvTimeoutError::Disconnected)
    }
}
