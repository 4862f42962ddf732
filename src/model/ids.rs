//! The names of what crosses threads: mailboxes, connections, channels.

/// The number of a mailbox: reactors come first (0, 1, …), library subscribers after them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct MailboxId(pub u32);

impl MailboxId {
    /// That of a program's call, which has no mailbox: what is posted to it is handed to the caller directly.
    pub const CALLER: MailboxId = MailboxId(u32::MAX);
}

/// The number of this process among the nodes: so far every server is the only one.
const THIS_NODE: u16 = 0;

/// A connection, named so that a stale name never reaches another one (law 8). Clients know it by another name:
/// `hub::names`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ConnId {
    /// The node that it is connected to.
    pub node: u16,
    /// The reactor (or library subscriber) that owns it.
    pub mailbox: MailboxId,
    /// Its slot in that reactor's slab.
    pub slot: u32,
    /// How often the slot was used before.
    pub generation: u32,
}

impl ConnId {
    /// A connection of this process.
    #[must_use]
    pub const fn here(mailbox: MailboxId, slot: u32, generation: u32) -> ConnId {
        ConnId { node: THIS_NODE, mailbox, slot, generation }
    }

    /// Whether it belongs to this mailbox of this process.
    #[must_use]
    pub fn is_of(&self, mailbox: MailboxId) -> bool {
        (self.node, self.mailbox) == (THIS_NODE, mailbox)
    }
}

/// A channel as mailboxes and reactors name it: unique for the life of the process, never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ChannelId(pub u64);
