//! What the hub puts into mailboxes, and the trait by which it does so without knowing what a mailbox is.

use super::publication::Publication;
use crate::model::ids::{ChannelId, ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use std::sync::Arc;
use std::time::Instant;

/// What the hub puts into a mailbox.
#[derive(Debug)]
pub enum Delivery {
    /// A publication for the local subscribers of a channel. Room for it was reserved.
    Publication {
        /// The channel.
        channel: ChannelId,
        /// What was published.
        publication: Arc<Publication>,
        /// The connection that does not want it, if any.
        exclude: Option<ConnId>,
        /// When it was given its offset.
        accepted: Instant,
    },
    /// The channel's continuity was lost: it goes on from another position. Room for it was reserved.
    Reset {
        /// The channel.
        channel: ChannelId,
        /// Its name.
        name: ChannelName,
        /// Where it goes on.
        position: Position,
    },
}

/// Bytes that a reset counts for in a mailbox: an upper bound of its name and position.
pub const RESET_WEIGHT: usize = 320;

impl Delivery {
    /// The bytes that were reserved for it: posting it turns exactly this much room into an entry.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Delivery::Publication { publication, .. } => publication.weight(),
            Delivery::Reset { .. } => RESET_WEIGHT,
        }
    }
}

/// How the hub reaches mailboxes. Implemented over real ones by the reactors, and by a `Vec` in tests.
///
/// `reserve` and `post` are called under a shard lock and never block. What was reserved and not used is released.
pub trait Post {
    /// Reserves room for one publication of `bytes`; false when the mailbox (or the global budget) has none.
    /// After a refusal the mailbox's owner wakes the threads that wait as soon as there is room.
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool;
    /// Whether there is room for one publication of `bytes`, which is not reserved. After a no it is as after a refusal.
    fn has_room(&self, mailbox: MailboxId, bytes: usize) -> bool {
        let has_room = self.reserve(mailbox, bytes);
        if has_room {
            self.release(mailbox, bytes);
        }
        has_room
    }
    /// Gives a reservation back.
    fn release(&self, mailbox: MailboxId, bytes: usize);
    /// Puts a delivery into the room reserved for it. Never fails. The wake is left to [`Post::wake`].
    fn post(&self, mailbox: MailboxId, delivery: Delivery);
    /// Wakes the mailbox's owner if it sleeps. Called after the lock is released.
    fn wake(&self, mailbox: MailboxId);
}
