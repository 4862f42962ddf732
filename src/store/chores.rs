//! What a store is doing besides appending, in small steps.

use super::sealing::Sealing;

/// What is in progress.
#[derive(Default)]
pub(super) struct Chores {
    /// The index of a full segment.
    pub(super) sealing: Option<Sealing>,
    /// The change that has to be durable before it is one.
    pub(super) sealed: u64,
    /// The oldest segment, which is being given up.
    pub(super) dropping: Option<Dropping>,
    /// A slot of the oldest segment's index; those before it have nothing that is kept.
    pub(super) kept: (u32, u32),
    /// The channel that is looked at next.
    pub(super) hand: u32,
}

/// How far the oldest segment is given up.
pub(super) enum Dropping {
    /// Channels that are nowhere else are named in the newest segment, from this slot of the index on.
    Channels(u32),
    /// Small values that are nowhere else are, after this one.
    Values(Option<(u8, Vec<u8>)>),
    /// That is done, and has to be durable.
    Waiting,
}

/// Whether there is more to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing now.
    Idle,
    /// More, at once.
    More,
}
