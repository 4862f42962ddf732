//! What is to be done about a request's head, as a protocol decides from the head alone.

use super::Session;
use super::response::Response;
use super::task::Task;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::request::Item;
use crate::model::ticket::Ticket;
use crate::wire::http::head::Head;
use std::borrow::Cow;

/// What to do about a head.
pub enum Plan {
    /// Answer at once.
    Answer(Response),
    /// Refuse.
    Refuse(Refused),
    /// Answer a HEAD as the GET of an event stream would begin.
    StreamHead,
    /// A request for the hub, without a body. Boxed, since most requests have one.
    Ask(Box<Asking>),
    /// A request for the hub whose payload is the body; it is read to its end even if the task ignores it.
    Collect(Task),
    /// Become a WebSocket.
    Upgrade(Opening),
}

/// A request and how its answer is wanted.
#[derive(Debug)]
pub struct Asking {
    /// How.
    pub ticket: Ticket,
    /// What is asked, or why it is nothing that can be.
    pub item: Item,
    /// What the answer says in a comment, where it is an event stream.
    pub note: Option<Box<str>>,
}

/// A refusal, with the methods that are taken if the method was what is wrong.
pub struct Refused {
    /// What was wrong, expected, and would be allowed.
    pub refusal: Refusal,
    /// The value of Allow.
    pub allow: Option<String>,
}

/// A WebSocket that may be opened.
pub struct Opening {
    /// What is spoken on it, by the subprotocol that was agreed.
    pub session: fn(Option<&str>) -> Session,
    /// What the path and the client's token ask for at once.
    pub first: Option<Box<(Ticket, Vec<Item>)>>,
}

impl Plan {
    /// Refuses with a sentence.
    pub fn refuse(code: Code, message: impl Into<Cow<'static, str>>) -> Plan {
        Plan::Refuse(Refusal::new(code, message).into())
    }

    /// Refuses a method; `allow` names those that are taken.
    #[must_use]
    pub fn not_allowed(head: &Head<'_>, allow: String) -> Plan {
        let message = format!("{} does not take {}; it takes {allow}", head.path, head.method_name);
        Plan::Refuse(Refused { refusal: Refusal::new(Code::MethodNotAllowed, message), allow: Some(allow) })
    }

    /// A request for the hub, without a body.
    #[must_use]
    pub fn ask(ticket: Ticket, item: Item) -> Plan {
        Plan::Ask(Box::new(Asking { ticket, item, note: None }))
    }
}

impl From<Refusal> for Refused {
    fn from(refusal: Refusal) -> Refused {
        Refused { refusal, allow: None }
    }
}
