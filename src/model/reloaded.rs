//! What came of reading the configuration of a running server again.

/// What a server that took another configuration did with it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Reloaded {
    /// The settings (`section.key`) and kinds of blocks (`[[key]]`) that are others now. Files that are named by settings were
    /// read again, whether these are others or not.
    pub changed: Vec<String>,
    /// The settings that are others in what was read, and hold after a restart: those of before are in force.
    pub needs_restart: Vec<String>,
    /// Where the server listens now, and did not before.
    pub opened: Vec<String>,
    /// Where it listened before. Connections that came in there stay.
    pub closed: Vec<String>,
    /// The reactors that had not changed after a second, since they were busy: they do when they come to it.
    pub missing: Vec<usize>,
}
