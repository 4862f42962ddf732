//! What a connection does about a request's head.

use super::compression::MemoryPermit;
use super::responding::RequestContext;
use crate::access::Identity;
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::model::request::Item;
use crate::model::ticket::Ticket;
use crate::protocol::Session;
use crate::protocol::plan::{Plan, Refused};
use crate::wire::http::head::BodyLength;
use crate::wire::http::upgrade::Upgrade;
use std::sync::Arc;

/// What is known of a client beside what its request says.
#[derive(Debug, Clone, Copy)]
pub(super) struct Peer {
    /// Where it is: the peer, or what a trusted proxy says.
    pub(super) address: PeerAddress,
    /// Whether the peer itself is on this machine, a proxy or not.
    pub(super) is_loopback: bool,
    /// Whether its requests come over a connection of a proxy, which others share.
    pub(super) is_proxied: bool,
    /// Why it is one connection too many, if it is.
    pub(super) turned_away: Option<Code>,
}

/// What a connection does about a head.
pub(super) enum Decision {
    /// What the protocol plans.
    Plan(Plan),
    /// Become a WebSocket.
    Switch(Box<Switch>),
    /// Become a WebSocket only to say why it is refused.
    TurnAway(Box<TurnedAway>),
}

/// A decision, with what its answer needs to know.
pub(super) struct Decided {
    pub(super) asked: RequestContext,
    pub(super) decision: Decision,
    pub(super) identity: Arc<Identity>,
    /// How the end of the body is known.
    pub(super) body: BodyLength,
    /// Whether the client waits for a word before it sends the body.
    pub(super) expects_continue: bool,
    /// Bytes of the input that belong to the head.
    pub(super) used: usize,
}

/// What a connection needs to become a WebSocket.
pub(super) struct Switch {
    pub(super) upgrade: Upgrade,
    /// Memory for the windows that were agreed to.
    pub(super) share: Option<MemoryPermit>,
    pub(super) session: Session,
    /// What is asked for at once.
    pub(super) first: Option<Box<(Ticket, Vec<Item>)>>,
}

/// What a connection needs to become a WebSocket that is refused.
pub(super) struct TurnedAway {
    pub(super) upgrade: Upgrade,
    pub(super) refusal: Refusal,
}

impl From<Plan> for Decision {
    fn from(plan: Plan) -> Decision {
        Decision::Plan(plan)
    }
}

impl From<Refused> for Decision {
    fn from(refused: Refused) -> Decision {
        Decision::Plan(Plan::Refuse(refused))
    }
}
