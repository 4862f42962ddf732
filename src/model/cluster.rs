//! What a node knows of the cluster that it belongs to.

/// Every node, and the link to what they share.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cluster {
    /// This node.
    pub node: String,
    /// What they share, as it calls itself; empty before it was reached.
    pub server: String,
    /// Whether it can be reached.
    pub is_up: bool,
    /// Since when it can, or cannot, in milliseconds since 1970.
    pub since_ms: u64,
    /// The generation of the data.
    pub generation: u32,
    /// Channels that this node reads there.
    pub feeds: usize,
    /// All nodes, this one among them, by their ids: as they said it themselves within the last 15 seconds.
    pub nodes: Vec<ClusterNode>,
}

/// What a node says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClusterNode {
    /// Drawn when it starts.
    pub id: String,
    /// Where its first listener is.
    pub address: String,
    /// Of this program.
    pub version: String,
    /// When it started, in milliseconds since 1970.
    pub started_ms: u64,
    /// Connections that are open.
    pub connections: u64,
    /// Channels that it holds.
    pub channels: u64,
    /// Microseconds that what they share took to answer it when it asked last.
    pub round_trip_us: u64,
}
