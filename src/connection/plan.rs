//! What a connection does about a head, as decided from the head alone.

use super::answering::{Asked, Ready};
use super::compression::Share;
use super::socket::Endpoint;
use crate::close::Reason;
use crate::model::request::Item;
use crate::model::ticket::Ticket;
use crate::protocol::task::{Page, Rights, Task};
use crate::wire::http::head::{Head, HeadError};
use crate::wire::http::upgrade::Upgrade;

/// What to do about a head.
pub(super) enum Plan {
    /// Answer at once.
    Answer(Ready),
    /// Refuse, with the methods that are allowed if that was the trouble.
    Refuse { error: HeadError, allow: Option<&'static str> },
    /// What a GET would be answered before the stream: this one is a HEAD.
    StreamHead,
    /// A request for the hub, without a body.
    Request { item: Item, ticket: Ticket, rights: Rights },
    /// A request for the hub whose payload is the body.
    Collect { task: Task, ticket: Ticket, rights: Rights },
    /// A page about the server, which is made elsewhere and comes back.
    Page(Page),
    /// Become a WebSocket, and subscribe it if a channel was named.
    Upgrade(Box<Switch>),
    /// Become a WebSocket only to say why it is refused.
    TurnAway(Box<(Upgrade, HeadError)>),
}

/// What a connection needs to become a WebSocket.
pub(super) struct Switch {
    pub(super) upgrade: Upgrade,
    /// Memory for the windows that were agreed to.
    pub(super) share: Option<Share>,
    pub(super) endpoint: Endpoint,
    pub(super) rights: Rights,
    /// The subscription that the path asks for.
    pub(super) subscribe: Option<Item>,
}

/// A plan, with what its answer needs to know.
pub(super) struct Planned {
    pub(super) asked: Asked,
    pub(super) plan: Plan,
}

pub(super) fn not_allowed(head: &Head<'_>, allow: &'static str) -> Plan {
    let message = format!("{} is not for {}; it takes {allow}", head.method_name, head.path);
    Plan::Refuse { error: HeadError::new(Reason::MethodNotAllowed, message), allow: Some(allow) }
}
