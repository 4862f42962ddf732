//! Engines: where positions are given and histories are kept when that is not the hub alone.
//!
//! One thread, the [`pump`], owns the engine. It takes what reactors and workers sent away, gives the engine orders, and makes
//! what comes of them known to the hub and to those who asked. Every engine is behind the same pump.

pub mod bell;
pub mod disk;
mod ledger;
mod lines;
mod packed;
pub mod pump;
pub mod redis;
mod rules;
#[cfg(test)]
mod tests;

pub use rules::Rules;

use crate::handoff::errand::Errand;
use crate::hub::publication::Draft;
use crate::hub::{Attach, Fetched, OlderWanted};
use crate::model::cluster::ClusterNode;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use pump::Inbox;
use std::time::{Duration, Instant};

/// Publications with which a channel comes back into memory, and bytes of them: as many as most resumes and snapshots need.
const ATTACH_COUNT: usize = 300;
const ATTACH_BYTES: usize = 256 * 1024;

/// Names an order: by the work or the channel that needs it, and its place in that. Never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct OrderId {
    /// Counted by the pump.
    pub serial: u64,
    /// Which of a work's publications it is.
    pub place: u32,
}

impl OrderId {
    /// Of what came by itself: the pump counts from 1.
    pub(crate) const NOBODY: OrderId = OrderId { serial: 0, place: 0 };
}

/// What an engine is to do.
#[derive(Debug)]
pub struct Order {
    /// Repeated in what comes of it.
    pub id: OrderId,
    /// The channel that it is about.
    pub channel: ChannelName,
    /// Whether it waits for as long as the engine is away: no client waits for it.
    pub is_patient: bool,
    /// What is to be done.
    pub what: What,
}

/// What is to be done with a channel.
#[derive(Debug)]
pub enum What {
    /// Give a publication its place and keep it.
    Publish(Box<Publish>),
    /// Say where the channel is, with its newest publications.
    Attach,
    /// Read publications that the hub does not hold.
    Read(OlderWanted),
    /// Empty the history; the position stays.
    Clear,
}

/// A publication without a place.
#[derive(Debug)]
pub struct Publish {
    /// What is published.
    pub draft: Draft,
    /// The idempotency key, and the hash of what is published under it.
    pub key: Option<(Box<str>, u128)>,
    /// The connection that does not want it.
    pub exclude: Option<ConnId>,
    /// The name of one that this node never gave: another node may have.
    pub exclude_elsewhere: Option<Box<str>>,
    /// The position that it is to follow, if it may follow no other.
    pub if_match: Option<Position>,
}

/// What came of an order, or what became known of a channel. Those of a channel are in the order in which they happened.
#[derive(Debug)]
pub enum Event {
    /// A publication of a channel, for whoever reads it.
    Entry(Box<Entry>),
    /// A publication has its place: a new one, or that of the same publication before. Its entry came before this.
    Placed(OrderId, ChannelName, Position),
    /// The same, though its entry may come after this, or never: the engine was lost in between.
    Answered(OrderId, ChannelName, Position),
    /// Nothing came of an order.
    Refused(OrderId, Refusal),
    /// Where a channel is.
    Attached(OrderId, ChannelName, Attach),
    /// What was read.
    Read(OrderId, Fetched),
    /// A history was emptied up to this position.
    Cleared(OrderId, ChannelName, Position),
    /// A channel's continuity was lost: it goes on from here.
    Moved(ChannelName, Position),
    /// A channel has come as far as this: what the hub has not received of it is to be read.
    At(ChannelName, Position),
    /// The engine has what came after this, as long as the channel is in this epoch: also what the hub took for gone.
    Has(ChannelName, Position),
}

/// A publication that has its place.
#[derive(Debug)]
pub struct Entry {
    /// Its channel.
    pub channel: ChannelName,
    /// Its place.
    pub place: Position,
    /// What is published.
    pub draft: Draft,
    /// The connection that does not want it.
    pub exclude: Option<ConnId>,
}

/// What this node says of itself to others, but for its id.
pub type OwnFigures = Box<dyn Fn() -> ClusterNode + Send>;

/// Both clocks, read once for each turn.
#[derive(Debug, Clone, Copy)]
pub struct Now {
    /// For waiting.
    pub instant: Instant,
    /// For what outlives the process: milliseconds since 1970.
    pub wall_ms: u64,
}

/// How an engine is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Health {
    /// It does what it is asked.
    Up,
    /// It cannot be reached, and is tried again.
    Away,
    /// It refuses everything, and will until the server starts anew.
    Broken,
}

/// Gives positions and keeps histories. One thread owns it, and nothing here waits for a disk's device or for a network.
pub trait Engine: Send {
    /// Takes an order. One event answers it, in this turn or a later one.
    fn submit(&mut self, order: Order, now: Now);
    /// Whether more orders may come. Those of publications that belong together, and of gaps, come all the same.
    fn has_room(&self) -> bool {
        true
    }
    /// Waits until there is something to do, at most for as long as this; the errand that came, if one did.
    fn wait(&mut self, inbox: &Inbox<'_>, due: Duration) -> Option<Errand> {
        inbox.wait(due)
    }
    /// Goes on with what was submitted, and says what has happened.
    fn turn(&mut self, now: Now, events: &mut Vec<Event>);
    /// When the next turn is due, if nothing happens before.
    fn due(&self, now: Instant) -> Duration;
    /// Whether it works on something that was submitted.
    fn is_busy(&self) -> bool;
    /// How it is.
    fn health(&self) -> Health;
    /// Whether the server may take new clients.
    fn is_ready(&self, _: Instant) -> bool {
        true
    }
    /// Ends: everything is kept for the next start.
    fn close(self: Box<Self>, now: Now);
}
