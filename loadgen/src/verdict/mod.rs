//! How far a result can be trusted: a level for each claim, with reasons.
//!
//! A verdict belongs to a claim. Throughput and latency need a generator with room to spare; CPU per message needs
//! counted work, exact accounts of loss, and a server that was busy, and a busy generator does not change it.

mod rules;

pub use rules::{exit_code, judge};

use std::fmt;

/// What a result claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Claim {
    /// Messages per second.
    Throughput,
    /// How long messages took.
    Latency,
    /// What a message costs the server.
    CpuPerMessage,
    /// What a connection costs the server.
    Memory,
    /// What was lost, came twice or late.
    Delivery,
    /// How many connections were opened, and how fast.
    Connections,
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Claim::Throughput => "throughput",
            Claim::Latency => "latency",
            Claim::CpuPerMessage => "CPU per message",
            Claim::Memory => "memory",
            Claim::Delivery => "delivery",
            Claim::Connections => "connections",
        })
    }
}

/// What is known of a run. Shares are from 0 to 1, times in seconds.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Facts {
    /// The share of its time that the busiest thread of the generator was on a CPU.
    pub generator_busy: f64,
    /// The 99th percentile of how much later than meant messages left; `None` in closed flows.
    pub lag_p99: Option<f64>,
    /// The 99th percentile of the latency that is reported.
    pub latency_p99: Option<f64>,
    /// What was answered in time, or delivered, of what the schedule required; `None` in closed flows.
    pub achieved: Option<f64>,
    /// Whether this is to find out the most that goes: a closed flow.
    pub saturation: bool,
    /// Handshakes and packets that the kernel dropped.
    pub kernel_drops: u64,
    /// Limits of this machine that were hit.
    pub limits: Vec<String>,
    /// The share of the CPUs' time that the hypervisor took.
    pub steal: f64,
    /// How busy the server was: its busiest thread, or its share of the CPUs that it may use, whichever is more; `None`
    /// when it was not watched.
    pub server_busy: Option<f64>,
    /// Whether the server's process was there to the end, where it was watched.
    pub server_gone: bool,
    /// What a message cost the server, in microseconds, where that was measured.
    pub cpu_us_per_msg: Option<f64>,
    /// What a connection cost the server, in bytes, where that was measured.
    pub bytes_per_connection: Option<f64>,
    /// Whether every message is accounted for: none is lost, dropped or broken without being counted.
    pub counted_work: bool,
    /// What tungstenite's client objected to.
    pub objections: u64,
    /// Messages that came with other bytes than were sent.
    pub corrupted: u64,
    /// Groups none of whose connections could be opened, in words.
    pub unopened: Vec<String>,
    /// What the scenario is about and did not come up, in words.
    pub missing: Vec<String>,
    /// Connections that were opened.
    pub opened: u64,
    /// Connections that could not be opened, of all.
    pub refused_share: f64,
    /// Connections that the server ended, of those that were opened.
    pub dropped_share: f64,
    /// What arrived while it measured: messages, or connections where these are what it is about.
    pub arrived: u64,
    /// What should have arrived in the whole run, of all that was due, and what did.
    pub due: u64,
    /// See [`Facts::due`].
    pub came: u64,
    /// Messages that were due and not sent, of all that were due.
    pub unsent_share: f64,
    /// Whole seconds in which nothing arrived, of all, where something could have arrived at any time.
    pub silent_share: f64,
    /// Whole seconds that were measured.
    pub seconds: u64,
    /// Whether somebody ended it early.
    pub interrupted: bool,
    /// Connections whose memory was measured.
    pub connections: u64,
}

#[cfg(test)]
mod tests;
