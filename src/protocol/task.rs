//! From a payload to work for the hub: the one way that reactors and workers both go.

use super::Session;
use super::scope::Settings;
use crate::access::Identity;
use crate::model::ids::ConnId;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RefusedItem, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::work::Work;
use crate::wire::frame::Kind;
use crate::wire::json::JsonScratch;
use std::fmt::Debug;
use std::slice::from_mut;
use std::sync::Arc;

/// How to read a payload.
#[derive(Debug)]
pub enum Task {
    /// A message of a socket; text is valid UTF-8.
    Message(Session, Kind),
    /// The body of a request over HTTP.
    Body(Box<dyn Body>),
    /// No payload, or one that is ignored: the request is known already, and how its answer is wanted.
    Request(Box<(Ticket, Item)>),
    /// The same for several, answered one by one.
    Several(Box<(Ticket, Vec<Item>)>),
}

/// What a head says of the body that follows it, and how that is read.
pub trait Body: Debug + Send {
    /// Reads the body. Never fails: what is wrong becomes a request that is refused.
    fn read(self: Box<Self>, payload: &[u8], reading: &mut Reading<'_>) -> Requests;
}

/// What is lent to a reader of payloads.
pub struct Reading<'a> {
    /// The thread's memory for parsing.
    pub scratch: &'a mut JsonScratch,
    /// Settings and texts.
    pub settings: &'a Settings,
}

/// What a payload asks, and how the answers are wanted.
#[derive(Debug)]
pub enum Requests {
    /// One request.
    One(Ticket, Item),
    /// Several, which share a replay budget; the ticket goes back with each answer.
    Batch(Ticket, Vec<Item>),
}

/// A task with its payload, wherever the payload lies.
#[derive(Debug)]
pub struct RawWork<P> {
    /// How to read the payload.
    pub task: Task,
    /// The payload.
    pub payload: P,
    /// Who asks.
    pub identity: Arc<Identity>,
}

impl Task {
    /// Whether there is nothing to parse.
    #[must_use]
    pub fn is_parsed(&self) -> bool {
        matches!(self, Task::Request(_) | Task::Several(_))
    }

    /// Whether a page about the server is asked for.
    #[must_use]
    #[inline]
    pub fn is_page(&self) -> bool {
        matches!(self, Task::Request(request) if matches!(request.1, Ok(Request { verb: Verb::Inspect(_) | Verb::Operate(_), .. })))
    }
}

impl Requests {
    /// How the answers are wanted.
    #[must_use]
    pub fn ticket(&self) -> Ticket {
        match self {
            Requests::One(ticket, _) | Requests::Batch(ticket, _) => *ticket,
        }
    }

    /// The requests.
    pub fn items_mut(&mut self) -> &mut [Item] {
        match self {
            Requests::One(_, item) => from_mut(item),
            Requests::Batch(_, items) => items,
        }
    }
}

impl<P: AsRef<[u8]>> RawWork<P> {
    /// Refuses it without a look at its payload.
    pub fn refuse(&mut self, refusal: Refusal) {
        let item = Err(RefusedItem { id: None, refusal });
        self.task = Task::Request(Box::new((Ticket::default(), item)));
    }

    /// Reads the payload. Never fails: what is wrong becomes the answer.
    #[inline]
    pub fn prepare(self, to: ConnId, reading: &mut Reading<'_>) -> Work {
        let RawWork { task, payload, identity } = self;
        let payload = payload.as_ref();
        #[cfg(test)]
        crate::hub::mines::step_on("parse", payload);
        let requests = match task {
            Task::Message(session, kind) => session.read(kind, payload, reading),
            Task::Body(body) => body.read(payload, reading),
            Task::Request(request) => Requests::One(request.0, request.1),
            Task::Several(requests) => match (requests.0, requests.1) {
                // One is no batch: what comes after it need not wait for its answer.
                (ticket, mut items) if items.len() == 1 => Requests::One(ticket, items.remove(0)),
                (ticket, items) => Requests::Batch(ticket, items),
            },
        };
        match requests {
            Requests::One(ticket, item) => Work::one(to, identity, ticket, item),
            Requests::Batch(ticket, items) => Work::batch(to, identity, ticket, items),
        }
    }
}
