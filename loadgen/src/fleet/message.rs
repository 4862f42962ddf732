//! What threads are told and what they tell, in one process or over a pipe.

use crate::clock::Nanos;
use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The unit of [`SpreadReport::offsets`]: 32 bits of it are over seven minutes.
pub const OFFSET_UNIT: Nanos = 100;
/// What a histogram tells apart at the least, in nanoseconds.
const LEAST: u64 = 100;
/// Longer latencies are recorded as this: an hour.
const MOST: u64 = 3_600_000_000_000;
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;

/// What a thread is told.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Traffic begins at this time.
    Go(Nanos),
    /// Nothing more is to be sent.
    Stop,
    /// So many publications were made in each sequence: wait for those that are missing, and be done.
    Settle(Vec<u64>),
}

/// What a thread tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// Every connection that traffic waits for is open, or has failed: so many are open in each group.
    Opened(Vec<u64>),
    /// What happened in about a second.
    Window(WindowReport),
    /// A publication is with all receivers of the thread.
    Spread(SpreadReport),
    /// Nothing more will be sent; so many publications were made in each sequence.
    Sent(Vec<u64>),
    /// All is over.
    Done(Ledger),
    /// The thread cannot go on.
    Failed(String),
}

/// Parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Connections are opened; there is no traffic.
    Opening,
    /// There is traffic that does not count.
    Warmup,
    /// It counts.
    Measure,
    /// What is under way arrives.
    Drain,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Series {
    /// From when an echo's message was meant to leave to when it was back.
    Response,
    /// From when a message left to when it arrived.
    Service,
    /// How much later than meant it left.
    Lag,
    /// From when a publication was meant to leave to when a receiver had it.
    Delivery,
    /// The same to the first receiver.
    First,
    /// The same to the median receiver.
    Median,
    /// The same to the last receiver.
    Last,
    /// From when a connection was meant to be opened to when it was of use.
    Open,
    /// From when a connection was cut to when it was of use again.
    Recovery,
}

impl Series {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Series; 9] = [
        Series::Response,
        Series::Service,
        Series::Lag,
        Series::Delivery,
        Series::First,
        Series::Median,
        Series::Last,
        Series::Open,
        Series::Recovery,
    ];

    /// Its name in results and thresholds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Series::Response => "response",
            Series::Service => "service",
            Series::Lag => "lag",
            Series::Delivery => "delivery",
            Series::First => "first",
            Series::Median => "median",
            Series::Last => "last",
            Series::Open => "open",
            Series::Recovery => "recovery",
        }
    }
}

/// Counters of a window.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Messages or publications sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Of these, what came for the first time.
    pub answered: u64,
    /// Connections that became of use.
    pub opened: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Connections that ended though nobody here ended them.
    pub dropped: u64,
    /// Everything that went wrong.
    pub errors: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// Publications that the server said it has taken.
    pub acknowledged: u64,
}

impl Counts {
    /// Adds others.
    pub fn add(&mut self, other: &Counts) {
        self.sent += other.sent;
        self.received += other.received;
        self.answered += other.answered;
        self.opened += other.opened;
        self.refused += other.refused;
        self.dropped += other.dropped;
        self.errors += other.errors;
        self.bytes_out += other.bytes_out;
        self.bytes_in += other.bytes_in;
        self.acknowledged += other.acknowledged;
    }
}

/// About a second of one thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct WindowReport {
    /// In which part of the run it began.
    pub phase: Phase,
    /// CLOCK_MONOTONIC at its begin.
    pub begin: Nanos,
    /// The same at its end.
    pub end: Nanos,
    /// Connections of use at its end.
    pub connections: u64,
    /// What was counted.
    pub counts: Counts,
    /// What was timed.
    pub distributions: BTreeMap<Series, Distribution>,
    /// CPU time of the thread.
    pub cpu: Nanos,
}

/// One publication at all receivers of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SpreadReport {
    /// Its sequence.
    pub stream: u32,
    /// Its number in it.
    pub seq: u64,
    /// When it was meant to leave.
    pub intended: Nanos,
    /// How much later each receiver had it, in units of [`OFFSET_UNIT`].
    pub offsets: Vec<u32>,
}

/// What became of all messages of a thread.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Ledger {
    /// What should have come to the receivers of this thread.
    pub expected: u64,
    /// What came, each message once.
    pub came: u64,
    /// What never came.
    pub lost: u64,
    /// What came again.
    pub duplicated: u64,
    /// What came after a later one.
    pub reordered: u64,
    /// What came with other bytes than were sent.
    pub corrupted: u64,
    /// Messages that were due and not sent.
    pub unsent: u64,
    /// What should have come of these.
    pub unsent_due: u64,
    /// Subscriptions that were resumed.
    pub resumed: u64,
    /// Resumed subscriptions that were told that something is missing.
    pub gaps: u64,
    /// Connections that were cut from here, to come back.
    pub cut: u64,
    /// Slow readers that the server has cut off.
    pub slow_cut: u64,
    /// Connections read by tungstenite's client.
    pub checked: u64,
    /// What tungstenite's client objected to.
    pub objections: u64,
    /// What the server did about each kind of mischief.
    pub mischief: BTreeMap<String, u64>,
    /// Errors by their text.
    pub errors: BTreeMap<String, u64>,
    /// Limits of this machine that were hit, by their text.
    pub limits: Vec<String>,
}

/// A distribution of latencies in nanoseconds.
#[derive(Debug, Clone)]
pub struct Distribution(Histogram<u64>);

impl Default for Distribution {
    fn default() -> Self {
        Distribution(Histogram::new_with_bounds(LEAST, MOST, DIGITS).expect("bounds that a histogram can have"))
    }
}

impl Distribution {
    /// Records a latency.
    pub fn record(&mut self, latency: Nanos) {
        self.0.saturating_record(latency);
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Takes another one in.
    pub fn merge(&mut self, other: &Distribution) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// The histogram itself.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// HdrHistogram V2 in base64, not compressed: runs of zeros are short anyway.
    fn packed(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("a vector takes every byte");
        BASE64.encode(&bytes)
    }

    fn unpacked(text: &str) -> Result<Distribution, String> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|error| error.to_string())?;
        let read =
            Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
        let mut distribution = Distribution::default();
        distribution.0.add(&read).map_err(|error| error.to_string())?;
        Ok(distribution)
    }
}

impl Serialize for Distribution {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.packed())
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Distribution::unpacked(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::{Counts, Phase};
    use super::{Distribution, Report, Series, WindowReport};
    use std::collections::BTreeMap;

    #[test]
    fn series_are_listed_in_the_order_in_which_they_are_numbered() {
        assert!(Series::ALL.iter().enumerate().all(|(number, series)| *series as usize == number));
    }

    #[test]
    fn a_distribution_survives_the_pipe() {
        let mut distribution = Distribution::default();
        (1..2000_u64).for_each(|n| distribution.record(n * n * 1000));
        let counts = Counts { sent: 3, ..Counts::default() };
        let distributions = BTreeMap::from([(Series::Delivery, distribution.clone())]);
        let window =
            WindowReport { phase: Phase::Measure, begin: 1, end: 2, connections: 3, counts, distributions, cpu: 4 };
        let line = serde_json::to_string(&Report::Window(window)).expect("JSON");
        let Report::Window(read) = serde_json::from_str(&line).expect("what was written") else { panic!("{line}") };
        let copy = &read.distributions[&Series::Delivery];
        assert_eq!((copy.histogram(), read.counts), (distribution.histogram(), counts));
    }
}
