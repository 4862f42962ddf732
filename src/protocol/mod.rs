//! What clients speak. A protocol is a folder of its own: it reads what a client sends, writes what it is sent, and knows no
//! socket, no thread and no clock.
//!
//! A new one has a folder, a variant of [`Session`] if it is spoken on sockets, its rows in `ROUTES` and in
//! [`encoders`]; nothing outside of this room changes.

pub mod admin;
mod challenge;
mod echo;
pub mod encoders;
pub mod files;
pub mod pages;
pub mod plan;
mod redirect;
pub mod response;
pub mod routes;
pub mod scope;
pub mod task;
pub mod tidings;

use crate::access::{ChannelRules, Identity};
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::encoding::Encoding;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::Item;
use crate::model::ticket::Ticket;
use crate::node::answer::Reply;
use crate::wire::frame::{Kind, SharedFrame};
use response::Responded;
use routes::Route;
use scope::Scope;
use task::{Reading, Requests, Task};
use tidings::batch::Batch;
/// Blocks of an event stream.
pub use tidings::events as blocks;
use tidings::parse::Dialect;

/// The routes of each protocol. The first that matches counts: what is requested most often comes first.
const ROUTES: &[&[Route]] = &[tidings::ROUTES, echo::ROUTES, pages::ROUTES, admin::ROUTES];

/// What is spoken on a socket. Small, so that a socket is: what a session remembers for a while is in its [`Memory`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Session {
    /// Requests and answers of this server's own protocol.
    Tidings(Dialect),
    /// The same message back.
    Echo,
}

/// What a session remembers between two of its calls, if anything.
#[derive(Debug, Default)]
pub struct Memory {
    /// A batch, some of whose answers have come.
    batch: Option<Box<Batch>>,
}

/// What is to be done about a message.
#[derive(Debug)]
pub enum Heard {
    /// It is to be read by [`Session::read`].
    Ask,
    /// It goes back.
    SendBack,
    /// It ends the socket.
    Close(Code, &'static str),
}

/// What follows an answer.
#[derive(Debug)]
pub enum Next {
    /// Whatever comes.
    Continue,
    /// The socket ends.
    Close(Refusal),
}

/// What subscribers receive about a channel besides its publications.
pub enum Event<'a> {
    /// Its continuity was lost: it goes on from another position.
    Reset {
        /// The channel.
        channel: &'a str,
        /// Where it goes on.
        position: Position,
    },
    /// A subscription ended that the client did not end: it is no longer allowed.
    Ended {
        /// The channel.
        channel: &'a str,
        /// Why.
        refusal: &'a Refusal,
    },
    /// The client's token expires soon: AUTH with a new one keeps the connection.
    Expiring {
        /// In how many seconds.
        in_s: u64,
    },
    /// The server ends soon: the client is to open another connection then, and keeps this one until then.
    Reconnect {
        /// In how many milliseconds.
        after_ms: u64,
    },
    /// The connection does not get this publication, so that the hole in its offsets is none.
    Excluded(&'a Publication),
}

/// How a session sends.
pub trait Outlet {
    /// Sends a text message whose payload `write` appends.
    fn text(&mut self, write: impl FnOnce(&mut Vec<u8>));
    /// Sends a frame that is ready.
    fn frame(&mut self, frame: SharedFrame);
}

impl Session {
    /// Whether it sends every message back.
    #[must_use]
    #[inline]
    pub fn is_echo(self) -> bool {
        self == Session::Echo
    }

    /// Looks at a message.
    #[must_use]
    #[inline]
    pub fn heard(self, kind: Kind, scope: &Scope<'_>) -> Heard {
        match self {
            Session::Echo => Heard::SendBack,
            Session::Tidings(_) if kind == Kind::Binary && !scope.settings.binary => {
                Heard::Close(Code::UnsupportedData, "binary messages are not accepted here (websocket.binary)")
            }
            Session::Tidings(_) => Heard::Ask,
        }
    }

    /// What is asked for a client that an answer with this ticket has signed in: the channels that its token names, but for
    /// those that its socket `has`.
    #[must_use]
    pub fn signed_in(
        self,
        ticket: Ticket,
        identity: &Identity,
        rules: &ChannelRules,
        has: impl Fn(&ChannelName) -> bool,
    ) -> Option<Task> {
        match self {
            Session::Tidings(_) => tidings::routes::signed_in(ticket, identity, rules, has),
            Session::Echo => None,
        }
    }

    /// Reads a message. Never fails: what is wrong becomes a request that is refused.
    #[must_use]
    #[inline(always)]
    pub fn read(self, kind: Kind, payload: &[u8], reading: &mut Reading<'_>) -> Requests {
        match self {
            Session::Tidings(dialect) => tidings::read::message(kind, dialect, payload, reading),
            // It asks nothing.
            Session::Echo => Requests::Batch(Ticket::default(), Vec::<Item>::new()),
        }
    }

    /// Sends the answer to a request.
    #[inline]
    pub fn reply(self, reply: &Reply, memory: &mut Memory, scope: &Scope<'_>, out: &mut impl Outlet) -> Next {
        match self {
            Session::Tidings(_) => tidings::answer::on_socket(reply, memory, scope, out),
            Session::Echo => Next::Continue,
        }
    }

    /// What it says of an event, as a frame.
    #[must_use]
    pub fn event(self, event: &Event<'_>) -> Option<SharedFrame> {
        match self {
            Session::Tidings(_) => Some(tidings::answer::event(event)),
            Session::Echo => None,
        }
    }

    /// How publications are written for it when a request with this ticket has subscribed it: the same until it subscribes
    /// again. Not compressed; the connection knows whether its reader takes that.
    #[must_use]
    pub fn encoding(self, ticket: Ticket) -> Encoding {
        match self {
            Session::Tidings(_) => tidings::ticket::encoding(ticket),
            Session::Echo => encoders::TEXT,
        }
    }
}

impl Memory {
    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.batch.is_none()
    }

    /// Keeps a frame of a channel back, if it must wait for an answer; else gives it back.
    #[must_use]
    pub fn hold(&mut self, channel: u64, frame: SharedFrame) -> Option<SharedFrame> {
        match &mut self.batch {
            // Other channels do not wait: no answer in the batch says where they are.
            Some(batch) if batch.holds(channel) => {
                batch.hold(channel, frame);
                None
            }
            _ => Some(frame),
        }
    }

    /// Bytes of the frames that wait: they count against the outbox's limit.
    #[must_use]
    pub fn held_bytes(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.held_bytes())
    }
}

/// What the answer to a request becomes over HTTP. Tickets name the protocol that writes it: this server's own is the only
/// one so far that answers there.
#[must_use]
pub fn respond(reply: Reply, memory: &mut Memory, scope: &Scope<'_>) -> Responded {
    tidings::answer::over_http(reply, memory, scope)
}
