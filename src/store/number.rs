//! The number that a store gives a channel.

/// A channel's number in a store, from 1 on. It stays the same until the channel is forgotten; then another may receive it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelNo(u32);

impl ChannelNo {
    pub(super) const fn new(number: u32) -> ChannelNo {
        ChannelNo(number)
    }

    /// The number itself.
    pub const fn get(self) -> u32 {
        self.0
    }
}
