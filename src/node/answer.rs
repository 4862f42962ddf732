//! Answers to requests, and the way by which they reach the mailbox of the connection that asked.

use crate::hub::post::Post;
use crate::hub::publication::Publication;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::RequestId;
use crate::model::ticket::Ticket;
use std::sync::Arc;

/// The answer to a request.
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
        /// False when the history had no room for it: it was delivered to the subscribers alone.
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
    /// What a client may send: the protocol writes it from its settings.
    Limits,
    /// The client signs in. The connection keeps its identity, so the connection decides whether the token is good.
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
    /// The connection.
    pub to: ConnId,
    /// As it came with the request.
    pub ticket: Ticket,
    /// The request's id, echoed.
    pub id: Option<RequestId>,
    /// The answer.
    pub answer: Answer,
}

/// Mailboxes that take answers too.
pub trait Respond: Post {
    /// Puts an answer into the mailbox of the connection that asked, where replies have a reserve of their own. Never fails, may be called under
    /// a shard's lock; the wake is left to [`Post::wake`].
    fn respond(&self, reply: Reply);
}
