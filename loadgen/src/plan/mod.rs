//! A run, decided to the last number: what every thread of every process receives before it begins.

mod group;
mod payload;
mod ramp;
mod sizes;
mod target;

pub use group::{Deflate, Flow, Group, Route, Slow, Task};
pub use payload::{BadPayload, Payloads};
pub use ramp::{Leg, Ramp};
pub use sizes::Sizes;
pub use target::{BadTarget, Target, without_secret};

use crate::adapters::Naming;
use crate::clock::{self, Nanos};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::time::Duration;

/// A run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// Where to.
    pub target: Target,
    /// The dialect and its options.
    pub adapter: String,
    /// See [`Plan::adapter`].
    pub adapter_options: BTreeMap<String, String>,
    /// The channels.
    pub naming: Naming,
    /// The sequences of publications. Sequence `s` goes to channel `s % channels` by publisher `s % publishers`.
    pub streams: u32,
    /// The connections.
    pub groups: Vec<Group>,
    /// 18 bits that distinguish this run's messages from those of other runs.
    pub run: u32,
    /// Where randomness begins.
    pub seed: u64,
    /// What is sent before it counts.
    pub warmup: Duration,
    /// How long it counts.
    pub duration: Duration,
    /// The maximum number of messages or publications to send, over all threads.
    pub count: Option<u64>,
    /// How long is waited for what is in progress at the end.
    pub drain: Duration,
    /// How opening is done.
    pub opening: Opening,
    /// How connections end.
    pub ending: Ending,
    /// Addresses that connections come from, in turn; empty: the kernel's choice.
    pub sources: Vec<IpAddr>,
    /// Header fields of every request: they replace this program's own of the same name, and an empty value takes those away.
    pub headers: Vec<(String, String)>,
    /// A token per connection, in turn.
    pub tokens: Vec<String>,
    /// Where permessage-deflate is offered.
    pub deflate: Deflate,
    /// One connection of this many is read by tungstenite's client; 0 is none.
    pub check_every: u64,
    /// CPUs for the threads, in turn; empty: the kernel's choice.
    pub pin: Vec<usize>,
    /// Whether threads ask for events again and again instead of sleeping.
    pub busy_poll: bool,
    /// Files of certificates to trust, PEM; or none, and every server is trusted.
    pub trust: Trust,
    /// Whether TLS connections may resume a session of one before.
    pub resumes: bool,
    /// The key exchange that TLS connections offer, if not all.
    pub key_exchange: Option<KeyExchange>,
}

/// A key exchange of TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyExchange {
    /// Curve25519.
    X25519,
    /// The same with ML-KEM-768.
    X25519MlKem768,
    /// The curve P-256.
    Secp256r1,
}

/// Whom to believe over TLS.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Trust {
    /// The machine's certificates.
    System,
    /// The certificates of a PEM file.
    File(String),
    /// Anybody.
    Anybody,
}

/// How connections are opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Opening {
    /// The maximum number in progress at a time, over all threads.
    pub most_pending: u64,
    /// How long one may take.
    pub timeout: Duration,
}

/// How a connection is ended by this side.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Ending {
    /// A Close frame, and then the end of the stream.
    Fin,
    /// A reset: no TIME_WAIT.
    Rst,
}

/// One thread's part of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Its number over all processes.
    pub index: u64,
    /// How many threads there are.
    pub of: u64,
}

impl Share {
    /// How many of `total` things that are dealt out in turn this thread has.
    #[must_use]
    pub fn count(&self, total: u64) -> u64 {
        total / self.of + u64::from(self.index < total % self.of)
    }

    /// The number over all threads of this thread's thing number `local`.
    #[must_use]
    pub fn global(&self, local: u64) -> u64 {
        local * self.of + self.index
    }

    /// Whether a thing is this thread's.
    #[must_use]
    pub fn has(&self, global: u64) -> bool {
        global % self.of == self.index
    }
}

impl Plan {
    /// The value of the user's header field of that name.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// The channel of a sequence.
    #[must_use]
    pub fn channel_of(&self, stream: u32) -> u32 {
        stream % self.naming.channels.max(1)
    }

    /// How many sequences each channel has.
    #[must_use]
    pub fn streams_per_channel(&self) -> u32 {
        self.streams.div_ceil(self.naming.channels.max(1))
    }

    /// When what counts begins and ends, given when traffic begins.
    #[must_use]
    pub fn counted(&self, go: Nanos) -> (Nanos, Nanos) {
        let begin = go.saturating_add(clock::of(self.warmup));
        (begin, begin.saturating_add(clock::of(self.duration)))
    }

    /// How many subscriptions there are, over all threads.
    #[must_use]
    pub fn receivers_in_all(&self) -> u64 {
        let readers = self.groups.iter().filter(|group| matches!(group.task, Task::Subscribe));
        readers.map(|group| group.connections).sum::<u64>() * u64::from(self.naming.per_connection)
    }

    /// How many receivers a publication has, over all threads: exact where every channel has as many.
    #[must_use]
    pub fn receivers_per_publication(&self) -> u64 {
        self.receivers_in_all() / u64::from(self.naming.channels.max(1))
    }

    /// The group of publishers, if there is one.
    #[must_use]
    pub fn publishers(&self) -> u64 {
        self.groups
            .iter()
            .filter(|group| matches!(group.task, Task::Publish { .. }))
            .map(|group| group.connections)
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::Share;

    #[test]
    fn everything_is_dealt_out_once() {
        for total in [0, 1, 7, 8, 9] {
            let shares: Vec<Share> = (0..3).map(|index| Share { index, of: 3 }).collect();
            let mut dealt: Vec<u64> =
                shares.iter().flat_map(|share| (0..share.count(total)).map(|local| share.global(local))).collect();
            dealt.sort_unstable();
            assert_eq!(dealt, (0..total).collect::<Vec<_>>());
            assert!((0..total).all(|thing| shares.iter().filter(|share| share.has(thing)).count() == 1));
        }
    }
}
