//! One connection. It is small: nothing of it lies on the heap while it has nothing in progress.

use super::events::EventStream;
use super::frames::Frames;
use super::http::Body;
use super::refusal::Refusal;
use super::tracker::Tracker;
use super::transport::Transport;
use crate::adapters::Memory;
use crate::clock::Nanos;
use std::collections::VecDeque;

/// How far a connection has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stage {
    /// The socket connects.
    Connecting,
    /// The request is sent, the answer's head is awaited.
    Greeting,
    /// The dialect's own handshake runs.
    Joining,
    /// It is usable.
    Open,
    /// It was ended from here, and the server's end is awaited.
    Leaving,
}

/// How a connection reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reading {
    /// Whatever comes.
    Freely,
    /// So many bytes in each tenth of a second; zero: nothing.
    Paced(u32),
}

/// What is read on a connection.
#[derive(Debug)]
pub(super) enum Codec {
    /// An answer's head, to begin with.
    Head,
    /// What a server says about why it refuses.
    Refused(Box<Refusal>),
    /// A WebSocket.
    Frames(Frames),
    /// An event stream.
    Events(Box<EventStream>),
    /// Answers to requests of a publisher.
    Answers(Box<Answers>),
    /// Whatever a server does about a malformed piece: which one, and the status of the answer, or 0.
    Attack { kind: usize, status: u16 },
}

/// A publisher over HTTP.
#[derive(Debug, Default)]
pub(super) struct Answers {
    /// Requests without an answer yet.
    pub(super) waiting: u32,
    /// The body in progress, the status of its answer, and whether the answer is the connection's last.
    pub(super) body: Option<(u16, Body, bool)>,
    /// What the body of a refusal says.
    pub(super) reason: Vec<u8>,
    /// The server has said that it answers no further request here.
    pub(super) ended: bool,
    /// Publications that wait until fewer are without an answer: their sequence and when they were meant to leave.
    pub(super) backlog: VecDeque<(u32, Nanos)>,
}

/// One connection.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) transport: Transport,
    pub(super) codec: Codec,
    pub(super) memory: Memory,
    /// What was read and is not enough to go on with.
    pub(super) rest: Vec<u8>,
    /// What is to be sent, from `out_at` on.
    pub(super) out: Vec<u8>,
    pub(super) out_at: u32,
    /// Tells this connection from earlier ones in its place.
    pub(super) generation: u32,
    pub(super) group: u16,
    pub(super) stage: Stage,
    pub(super) reading: Reading,
    /// Whether the kernel reports when it may write.
    pub(super) awaits_room: bool,
    /// Whether it is on the list of those who have something to send.
    pub(super) dirty: bool,
    /// Whether it goes on with what a connection before it in its place has received.
    pub(super) heir: bool,
    /// Its number in its group on this thread.
    pub(super) local: u32,
    /// The sequences that it receives: the echoes of its own, or those of its channels in turn.
    pub(super) trackers: Box<[Tracker]>,
    /// When it was meant to be opened.
    pub(super) intended: Nanos,
    /// When its predecessor was cut, if it comes back from an outage; else zero.
    pub(super) cut: Nanos,
    /// How many messages it has sent.
    pub(super) sent: u64,
}

impl Client {
    /// How many bytes are waiting to be written.
    pub(super) fn owed(&self) -> usize {
        self.out.len() - self.out_at as usize
    }
}

#[cfg(test)]
mod tests {
    use super::Client;

    #[test]
    fn a_connection_is_small() {
        assert!(size_of::<Client>() <= 256, "{} bytes", size_of::<Client>());
    }
}
