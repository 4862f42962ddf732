//! What a node asks all nodes of a cluster, to answer an operator for all of them.

use super::operation::Listing;

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// A page of connections, node by node in the order of their names.
    Connections {
        /// The node with which the page begins: those before it have none on it, and `listing.after` is one of its connections.
        from: Option<Box<str>>,
        /// Which connections, and how many.
        listing: Listing,
    },
    /// The channels that a node holds.
    Channels,
}

/// What one node answers: JSON as that node would answer it for itself alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NodeAnswer {
    /// The name of the node.
    pub node: Box<str>,
    /// What it says.
    pub body: Box<[u8]>,
}
