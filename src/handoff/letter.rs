//! Letters: what mailboxes hold.

use super::order::Order;
use crate::access::Verified;
use crate::hub::post::Delivery;
use crate::model::ids::ConnId;
use crate::node::answer::Reply;
use crate::node::work::Work;

/// One thing in a mailbox.
#[derive(Debug)]
pub enum Letter {
    /// From the hub.
    Delivery(Delivery),
    /// An answer. It is larger than a publication, but a box for each would cost more than the room.
    Reply(Reply),
    /// From a worker or a service: a job is finished, an errand done, or could not be.
    Returned(Returned),
    /// From the server.
    Order(Order),
}

/// A job or an errand that comes back to its reactor.
#[derive(Debug)]
pub struct Returned {
    /// The connection it was for.
    pub to: ConnId,
    /// The job's buffer, to be used again; an errand that was none has an empty one.
    pub buffer: Vec<u8>,
    /// What came of it.
    pub outcome: Outcome,
}

/// What came of a job or an errand.
#[derive(Debug)]
pub enum Outcome {
    /// Executed; the answers were posted before this.
    Done,
    /// Its next item met a full mailbox, or a full queue of errands: the reactor tries again.
    Blocked(Box<Work>),
    /// Its next item was answered elsewhere: the reactor executes what is left.
    Answered(Box<Work>),
    /// What its next item needs was fetched: the reactor executes that once more.
    Fetched(Box<Work>),
    /// A token was verified, or is refused.
    Verified(Box<Checked>),
    /// It panicked; the panic was contained.
    Panicked,
}

/// A token that comes back.
#[derive(Debug)]
pub struct Checked {
    /// The listener by which the connection came in that presented it.
    pub listener: u8,
    /// What was found out.
    pub verified: Box<Verified>,
    /// The answer that waited for it; none where a head did.
    pub then: Option<Box<Reply>>,
}
