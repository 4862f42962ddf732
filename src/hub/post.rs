//! What the hub puts into mailboxes, and the trait by which it does so without knowing what a mailbox is.

use super::publication::Publication;
use crate::model::ids::{ChannelId, ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::{Epoch, Position};
use crate::model::refusal::Refusal;
use crate::model::request::RequestId;
use crate::model::ticket::Ticket;
use std::sync::Arc;
use std::time::Instant;

/// What a request came to.
#[derive(Debug)]
pub enum Answer {
    /// A channel's position and some of its publications.
    Channel {
        /// The channel's name.
        channel: ChannelName,
        /// Its mailbox-side id.
        id: ChannelId,
        /// For a page (`limit`) the position of its last publication, otherwise the channel's current one.
        position: Position,
        /// Whether the answer joins the reader's `since` without a hole; `None` without `since`.
        recovered: Option<bool>,
        /// What is replayed, in offset order.
        publications: Vec<Arc<Publication>>,
        /// Whether this is an activation: the connection is subscribed from here on, and the channel's interest
        /// counts it already. A mailbox owner that cannot keep the subscription must call `Hub::leave`.
        live: bool,
    },
    /// Published, now or (by the same idempotency key) before.
    Published {
        /// The channel's name.
        channel: ChannelName,
        /// Its place.
        position: Position,
        /// False when there was no room for it in the history: it was delivered to whoever listened.
        kept: bool,
    },
    /// The history is empty now.
    HistoryDeleted {
        /// The channel's name.
        channel: ChannelName,
        /// Unchanged by it.
        position: Position,
    },
    /// The owner of the connection removes the subscription when it meets this in its mailbox, calls `Hub::leave`
    /// if there was one, and answers 200; or 404 if there was none.
    Unsubscribe {
        /// The channel's name.
        channel: ChannelName,
        /// Its id, if the hub knows the channel.
        id: Option<ChannelId>,
    },
    /// The process is alive.
    Alive,
    /// What a client may send: the connection knows.
    Limits,
    /// Whether the token lets it in is for the connection to say, which keeps what it may do.
    SignIn {
        /// What the client presented.
        token: Box<str>,
    },
    /// A page about the server, as an HTTP body.
    Page {
        /// Its media type.
        content_type: &'static str,
        /// All of it.
        body: Vec<u8>,
    },
    /// Refused.
    Refused(Refusal),
}

/// An answer on its way to its connection.
#[derive(Debug)]
pub struct Reply {
    /// Whose.
    pub to: ConnId,
    /// As it came with the request.
    pub ticket: Ticket,
    /// The request's id, echoed.
    pub id: Option<RequestId>,
    /// What it came to.
    pub answer: Answer,
}

/// What a mailbox holds.
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
    /// The channel's continuity was lost: a new epoch, from offset 0. Room for it was reserved.
    Reset {
        /// The channel.
        channel: ChannelId,
        /// Its name.
        name: ChannelName,
        /// The new epoch.
        epoch: Epoch,
    },
    /// An answer. It is larger than a publication, but a box for each would cost more than the room.
    Reply(Reply),
}

/// What a reset is accounted with in a mailbox: its name and epoch, generously.
pub const RESET_WEIGHT: usize = 320;

impl Delivery {
    /// The bytes that were reserved for it: posting it turns exactly this much room into an entry. Replies have a
    /// reserve of their own and weigh nothing here.
    #[must_use]
    pub fn weight(&self) -> usize {
        match self {
            Delivery::Publication { publication, .. } => publication.weight(),
            Delivery::Reset { .. } => RESET_WEIGHT,
            Delivery::Reply(_) => 0,
        }
    }
}

/// How the hub reaches mailboxes. Implemented over real ones by the reactors, and by a `Vec` in tests.
///
/// `reserve` and `post` are called under a shard lock and never block. What was reserved and not used is released.
pub trait Post {
    /// Reserves room for one publication of `bytes`; false when the mailbox (or the global budget) has none.
    /// After a refusal the mailbox's owner wakes those who were refused as soon as there is room.
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool;
    /// Gives a reservation back.
    fn release(&self, mailbox: MailboxId, bytes: usize);
    /// Puts a publication or reset into the room reserved for it, or a reply into the reserve of its own. Never fails.
    /// The wake is left to [`Post::wake`].
    fn post(&self, mailbox: MailboxId, delivery: Delivery);
    /// Wakes the mailbox's owner if it sleeps. Called after the lock is released.
    fn wake(&self, mailbox: MailboxId);
}
