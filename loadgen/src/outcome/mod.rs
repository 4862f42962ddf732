//! The result of a run, as `--json` writes it and `compare` and `report` read it. The schema has a version.
//!
//! Units are SI: seconds, bytes, counts; shares are from 0 to 1.

mod environment;
mod latency;

pub use environment::Environment;
pub use latency::Latency;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the schema. It changes when a member changes its meaning or is taken away; new members do not change it.
pub const SCHEMA: u32 = 3;
/// The oldest version that is still read: 2 calls `attacks` `mischief`; of 1, `rate` is what was sent, `lost` counts only that,
/// and `server_busy` is a share of all CPUs.
pub const OLDEST: u32 = 1;

/// All findings of one run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Outcome {
    /// See [`SCHEMA`].
    pub schema: u32,
    /// What the user calls this run (`--label`), or its scenario and adapter.
    pub label: String,
    /// The verb: `echo`, `fanout` …
    pub scenario: String,
    /// The address that was measured.
    pub target: String,
    /// The dialect that was spoken.
    pub adapter: String,
    /// What was requested, as name and value, in the order to show it.
    pub plan: Vec<(String, String)>,
    /// Where it ran.
    pub environment: Environment,
    /// Milliseconds since 1970 when measuring began.
    pub started_unix_ms: u64,
    /// How long was measured, without warm-up and drain, in seconds.
    pub measured_seconds: f64,
    /// Whether Ctrl-C ended it.
    pub interrupted: bool,
    /// Groups none of whose connections could be opened: then nothing was measured.
    #[serde(default)]
    pub unopened: Vec<String>,
    /// What was counted while it measured.
    pub totals: Totals,
    /// Latencies by name: `response`, `service`, `lag`, `delivery`, `first`, `median`, `last`, `open`, `recovery`.
    pub latencies: BTreeMap<String, Latency>,
    /// The latency that the scenario is about: a key of `latencies`.
    pub primary: String,
    /// One entry per second of measuring.
    pub series: Vec<Window>,
    /// What it cost the server; only with `--pid`.
    pub server: Option<ServerCost>,
    /// What it cost the load generator.
    pub generator: GeneratorCost,
    /// What the kernel dropped on this machine meanwhile.
    pub kernel: KernelCounts,
    /// Differences of the numbers at `--metrics-url` over the measuring.
    pub metrics: BTreeMap<String, f64>,
    /// Further numbers by the names that thresholds use: `cpu_us_per_msg`, `bytes_per_connection`, `recovered_in` …
    pub scalars: BTreeMap<String, f64>,
    /// How far each claim can be trusted, in the order of importance.
    pub verdicts: Vec<ClaimVerdict>,
    /// The requested thresholds.
    pub thresholds: Vec<ThresholdResult>,
    /// What a reader should know.
    pub notes: Vec<String>,
    /// Errors by their text, and how many of each.
    pub errors: BTreeMap<String, u64>,
    /// What the server did about each kind of attack, and how often.
    #[serde(default, alias = "mischief")]
    pub attacks: BTreeMap<String, u64>,
}

/// Accounts of the whole run: what is lost in the warm-up is lost, too. Rates are in the series.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Messages or publications sent.
    pub sent: u64,
    /// Messages that were due and not sent: no sender was connected, or there was no time.
    #[serde(default)]
    pub unsent: u64,
    /// Messages received.
    pub received: u64,
    /// What should have been received of what was due.
    pub expected: u64,
    /// Never came, whether it was sent or only due.
    pub lost: u64,
    /// Came more than once.
    pub duplicated: u64,
    /// Came after a later one.
    pub reordered: u64,
    /// Came with other bytes than were sent.
    pub corrupted: u64,
    /// Connections opened.
    pub opened: u64,
    /// Connections that could not be opened.
    pub refused: u64,
    /// Connections that the server ended unasked.
    pub dropped: u64,
    /// Connections that the server ended since their token expired: they come back.
    #[serde(default)]
    pub expired: u64,
    /// Everything that went wrong.
    pub errors: u64,
    /// Bytes written to sockets.
    pub bytes_out: u64,
    /// Bytes read from sockets.
    pub bytes_in: u64,
    /// Acknowledgements of publications.
    pub acknowledged: u64,
}

/// About one second of measuring.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Window {
    /// Its begin, in seconds since measuring began; negative during the warm-up.
    pub at: f64,
    /// Its length in seconds.
    pub seconds: f64,
    /// Connections open at its end.
    pub connections: u64,
    /// Messages sent.
    pub sent: u64,
    /// Messages received.
    pub received: u64,
    /// Connections opened.
    pub opened: u64,
    /// What went wrong.
    pub errors: u64,
    /// Bytes written.
    pub bytes_out: u64,
    /// Bytes read.
    pub bytes_in: u64,
    /// By the names of [`Outcome::latencies`].
    pub latencies: BTreeMap<String, WindowLatency>,
    /// The server in this second; only with `--pid`.
    pub server: Option<WindowServer>,
    /// The share of its second that the busiest thread of the generator was on a CPU.
    pub generator_busy: f64,
}

/// A distribution in one second, in seconds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowLatency {
    /// How many.
    pub count: u64,
    /// The median.
    pub p50: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The largest.
    pub max: f64,
}

/// The server in one second.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
pub struct WindowServer {
    /// CPU seconds in user mode in this window.
    pub cpu_user: f64,
    /// CPU seconds in the kernel in this window.
    pub cpu_system: f64,
    /// Resident memory at its end, bytes.
    pub rss: u64,
    /// Open descriptors at its end.
    pub descriptors: u64,
}

/// What the measured part of a run cost the server and its children.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct ServerCost {
    /// The processes that were counted.
    pub pids: Vec<u32>,
    /// CPU seconds in user mode.
    pub cpu_user: f64,
    /// CPU seconds in the kernel.
    pub cpu_system: f64,
    /// The share of one CPU that was used: 2.0 is two CPUs.
    pub busy: f64,
    /// The share of what its threads could have used: of as many CPUs as it may run on.
    pub busy_share: f64,
    /// The share of its time that its busiest thread was on a CPU. Older results do not say.
    #[serde(default)]
    pub busiest_thread: f64,
    /// CPU microseconds per message that was delivered or echoed.
    pub cpu_us_per_msg: Option<f64>,
    /// Voluntary context switches.
    pub switches_voluntary: u64,
    /// Involuntary context switches.
    pub switches_involuntary: u64,
    /// Resident memory before the first connection, bytes.
    pub rss_before: u64,
    /// The same with all connections open.
    pub rss_after: u64,
    /// Proportional memory (PSS) before the first connection, bytes, where the kernel states it.
    pub pss_before: Option<u64>,
    /// The same with all connections open.
    pub pss_after: Option<u64>,
    /// Bytes of its memory per connection, by PSS, or RSS where there is none.
    pub bytes_per_connection: Option<f64>,
    /// Descriptors at the end.
    pub descriptors: u64,
    /// The name of its program.
    pub program: Option<String>,
}

impl ServerCost {
    /// How busy it was, so that a server of one thread can be at its limit: its busiest thread, or its share of the CPUs
    /// that it may use, whichever is more.
    #[must_use]
    pub fn busiest(&self) -> f64 {
        self.busiest_thread.max(self.busy_share)
    }
}

/// What the run cost the load generator.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct GeneratorCost {
    /// Processes.
    pub processes: u32,
    /// Threads over all processes.
    pub threads: u32,
    /// The share of its time that the busiest thread was on a CPU while it measured.
    pub busiest: f64,
    /// The mean over the threads.
    pub busy: f64,
    /// Memory of all its processes with all connections open, less what it was before, per connection, in bytes.
    pub bytes_per_connection: Option<f64>,
    /// Connections that were read by tungstenite's client instead of our own decoder.
    pub checked_connections: u64,
}

/// Kernel counters, as differences over the run.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct KernelCounts {
    /// `TcpExt ListenOverflows`: handshakes dropped since a backlog was full.
    pub listen_overflows: u64,
    /// `TcpExt ListenDrops`.
    pub listen_drops: u64,
    /// `TcpExt TCPBacklogDrop`.
    pub backlog_drops: u64,
    /// `Tcp RetransSegs`.
    pub retransmitted: u64,
    /// The largest `sockstat` TCP memory seen, bytes.
    pub tcp_memory_peak: u64,
    /// Kernel memory of sockets per connection, both ends of it on one machine, in bytes.
    pub bytes_per_connection: Option<f64>,
    /// The share of the CPUs' time that the hypervisor took.
    pub steal: f64,
}

/// How far one claim can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimVerdict {
    /// `throughput`, `latency`, `cpu per message`, `memory`, `delivery`, `connections`.
    pub claim: String,
    /// How far.
    pub level: Level,
    /// Why it is not valid.
    pub reasons: Vec<String>,
    /// What does not make it less valid, and should be known.
    pub notes: Vec<String>,
}

/// Levels of trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Level {
    /// Nothing speaks against it.
    Valid,
    /// Something may have changed it.
    Suspect,
    /// It does not say what it seems to say.
    Invalid,
}

impl std::fmt::Display for Level {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Level::Valid => "VALID",
            Level::Suspect => "SUSPECT",
            Level::Invalid => "INVALID",
        })
    }
}

/// The outcome of a threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ThresholdResult {
    /// As the user wrote it.
    pub text: String,
    /// The measured value, in SI units; `None` when the run did not measure it.
    pub value: Option<f64>,
    /// Whether it holds. What was not measured does not.
    pub passed: bool,
}
