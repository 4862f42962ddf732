//! What threads receive and what they report, in one process or over a pipe.

mod counts;
mod distribution;
mod gather;
mod ledger;
mod series;

pub use counts::Counts;
pub use distribution::Distribution;
pub use gather::Gather;
pub use ledger::Ledger;
pub use series::{Phase, Series};

use crate::clock::Nanos;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The unit of [`SpreadReport::offsets`]: 32 bits of it are over seven minutes.
pub const OFFSET_UNIT: Nanos = 100;
/// An order to a thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Order {
    /// Traffic begins at this time.
    Go(Nanos),
    /// Nothing more is to be sent.
    Stop,
    /// How many publications were made in each sequence: wait for those that are missing, and be done.
    Settle(Vec<u64>),
}

/// A report of a thread.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Report {
    /// Every connection that traffic waits for is open, or has failed: how many are open in each group.
    Opened(Vec<u64>),
    /// What happened in about a second.
    Window(WindowReport),
    /// A publication is with all receivers of the thread.
    Spread(SpreadReport),
    /// Nothing more will be sent; how many publications were made in each sequence.
    Sent(Vec<u64>),
    /// All is over.
    Done(Ledger),
    /// The thread cannot go on.
    Failed(String),
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
    /// Usable connections at its end.
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

#[cfg(test)]
mod tests {
    use super::{Counts, Distribution, Phase, Report, Series, WindowReport};
    use std::collections::BTreeMap;

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
