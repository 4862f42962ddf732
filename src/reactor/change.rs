//! A change of settings while the reactor runs: what it consists of, and what of it waits for the end of the letters.

use super::listener::{Listener, Listening};
use crate::access::AccessRules;
use crate::connection::env::Limits;
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Everything that a reactor has of a configuration and that can change: all of it changes in one step.
pub struct Change {
    /// Who may do what.
    pub rules: Arc<AccessRules>,
    /// Limits and texts of connections.
    pub limits: Arc<Limits>,
    /// Payloads of at least this many bytes go to the workers.
    pub inline_parse_bytes: usize,
    /// Subscriptions per connection.
    pub subscriptions_max: usize,
    /// Connections in all reactors together.
    pub connections_max: usize,
    /// All listeners by their numbers, those too that are closed: their connections may still be here. Only those that are
    /// opened now have sockets.
    pub listeners: Vec<Listener>,
    /// The numbers of those that are closed now.
    pub closed: Vec<u8>,
    /// Dropped when the change is made.
    pub made: Sender<()>,
}

/// Doors to open and to close, once the letters of a tick are read.
#[derive(Default)]
pub(super) struct DoorChanges {
    pub(super) opened: Vec<(u8, Listening)>,
    pub(super) closed: Vec<u8>,
    /// Who waits for it; none while nothing has changed.
    pub(super) made: Vec<Sender<()>>,
}
