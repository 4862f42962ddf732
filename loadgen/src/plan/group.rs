//! Connections that do the same.

use super::{Payloads, Ramp};
use crate::adapters::Job;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Connections that do the same.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Group {
    /// What it is called in results.
    pub name: String,
    /// How many connections.
    pub connections: u64,
    /// What they do.
    pub task: Task,
    /// Whether what they send is their token, and what comes back the server's word that it counts.
    pub signs_in: bool,
    /// How many are opened per second since the group began; none: as fast as they open.
    pub opening: Option<Ramp>,
    /// When the group begins to open, since the run began; zero: before traffic begins, which waits for it.
    pub start: Duration,
    /// Those that read badly.
    pub slow: Option<Slow>,
    /// How long a connection lives before it is ended and another opened in its place.
    pub lifetime: Option<Duration>,
    /// When all of the group's connections are cut at once, since traffic began; they come back after a random part
    /// of the second duration.
    pub outage: Option<(Duration, Duration)>,
}

/// What a connection does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Task {
    /// Sends messages and expects each of them back.
    Echo {
        /// When.
        flow: Flow,
        /// What.
        payloads: Payloads,
    },
    /// Reads what is published.
    Subscribe,
    /// Publishes.
    Publish {
        /// When.
        flow: Flow,
        /// What.
        payloads: Payloads,
        /// How.
        route: Route,
    },
    /// Is there.
    Idle,
    /// Opens, and ends again as soon as it is open.
    Handshake,
    /// Does what no client should: malformed handshakes and frames, one per connection.
    Attack {
        /// How many times a second, over all connections.
        rate: f64,
    },
}

/// When messages are sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Flow {
    /// By a schedule, whatever becomes of earlier ones: messages per second over all connections of the group.
    Open(Ramp),
    /// As soon as there is room: at most `depth` are in progress per connection (echo), or in all (publications).
    Closed {
        /// How many.
        depth: u32,
    },
}

/// How publications get to the server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Route {
    /// As messages on a socket.
    Socket,
    /// As requests on a kept HTTP connection, of which at most `pipeline` wait for their answers.
    Http {
        /// How many.
        pipeline: u32,
    },
}

/// Connections that read slowly, or not at all.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Slow {
    /// The share of the group's connections, 0 to 1.
    pub share: f64,
    /// What one reads, in bytes per second; zero: nothing.
    pub bytes_per_second: u64,
}

impl Group {
    /// What its connections are for, to an adapter.
    #[must_use]
    pub fn job(&self) -> Job {
        match &self.task {
            Task::Echo { .. } if self.signs_in => Job::SignIn,
            Task::Echo { .. } => Job::Echo,
            Task::Subscribe => Job::Subscribe,
            Task::Publish { .. } => Job::Publish,
            Task::Idle | Task::Handshake | Task::Attack { .. } => Job::Idle,
        }
    }

    /// Whether its connections are opened before traffic begins, which waits for them.
    #[must_use]
    pub fn is_early(&self) -> bool {
        self.start.is_zero() && !matches!(self.task, Task::Handshake | Task::Attack { .. })
    }

    /// When its messages leave, if it sends any by itself.
    #[must_use]
    pub fn flow(&self) -> Option<&Flow> {
        match &self.task {
            Task::Echo { flow, .. } | Task::Publish { flow, .. } => Some(flow),
            _ => None,
        }
    }

    /// How many connections it has that should be usable: bad clients should not.
    #[must_use]
    pub fn wanted(&self) -> u64 {
        if matches!(self.task, Task::Attack { .. }) { 0 } else { self.connections }
    }

    /// How many of its connections read badly.
    #[must_use]
    pub fn slow_readers(&self) -> u64 {
        self.slow.map_or(0, |slow| (self.connections as f64 * slow.share).floor() as u64)
    }

    /// Whether its connections are replaced, or cut, so that not all of them are there all the time.
    #[must_use]
    pub fn comes_and_goes(&self) -> bool {
        self.lifetime.is_some() || self.outage.is_some() || !self.start.is_zero()
    }
}

impl Slow {
    /// Whether the connection with this number is slow: evenly spread.
    #[must_use]
    pub fn has(&self, number: u64) -> bool {
        let upto = |n: u64| (n as f64 * self.share).floor();
        upto(number + 1) > upto(number)
    }
}

/// On which connections permessage-deflate is offered, and what they send is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Deflate {
    /// On none.
    Nowhere,
    /// On those that only read.
    Readers,
    /// On all.
    Everywhere,
}

impl Deflate {
    /// Whether connections with this task offer it.
    #[must_use]
    pub fn is_for(self, task: &Task) -> bool {
        match self {
            Deflate::Nowhere => false,
            Deflate::Readers => matches!(task, Task::Subscribe),
            Deflate::Everywhere => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Slow;

    #[test]
    fn slow_readers_are_the_share_that_was_asked_for() {
        for (share, count) in [(0.0, 0), (0.05, 50), (0.5, 500), (1.0, 1000)] {
            let slow = Slow { share, bytes_per_second: 0 };
            assert_eq!((0..1000).filter(|number| slow.has(*number)).count(), count);
        }
    }
}
