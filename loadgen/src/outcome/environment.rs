//! Where a run ran: what a reader needs to believe its figures, or to repeat it.

use serde::{Deserialize, Serialize};

/// The machine, the limits and the command.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Environment {
    /// The version of the load generator.
    pub tool_version: String,
    /// The commit it was built from, where that was known.
    pub commit: Option<String>,
    /// The whole command line.
    pub command: String,
    /// The host's name.
    pub host: String,
    /// Kernel release and architecture.
    pub kernel: String,
    /// The CPU's name.
    pub cpu: String,
    /// CPUs that are online.
    pub cpus: u32,
    /// The frequency governor, where there is one.
    pub governor: Option<String>,
    /// Bytes of memory.
    pub memory: u64,
    /// Descriptors a process may have.
    pub descriptors: u64,
    /// The ports that outgoing connections may use.
    pub ports: (u16, u16),
    /// `net.core.somaxconn`.
    pub somaxconn: u64,
    /// CPUs the generator was pinned to.
    pub pinned_self: Vec<usize>,
    /// Whether the generator polled for events instead of sleeping. Older outcomes do not say: they slept.
    #[serde(default)]
    pub busy_poll: bool,
    /// CPUs the server was pinned to.
    pub pinned_server: Vec<usize>,
}
