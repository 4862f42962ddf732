//! What a connection that is gone leaves to its successor.

use super::super::tracker::Tracker;

/// What a connection that is gone had received.
#[derive(Debug)]
pub(super) struct Estate {
    pub(super) trackers: Box<[Tracker]>,
    /// Whether what was published until its successor is there was not due to anybody.
    pub(super) forgiven: bool,
}

/// Why a connection is gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Gone {
    /// It was ended from here.
    Left,
    /// It was cut from here, and comes back.
    Cut,
    /// The server ended it, or it never became usable.
    Dropped,
}
