//! How the answer to a request is to be written down: made and read by a client protocol, carried unread by all rooms below.

/// What a protocol notes when it takes a request in, and gets back with the answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Ticket {
    protocol: u8,
    kind: u8,
    number: u8,
}

impl Ticket {
    /// A ticket of the protocol with this number. What kinds and numbers mean is known to the protocol alone.
    #[must_use]
    pub const fn new(protocol: u8, kind: u8, number: u8) -> Ticket {
        Ticket { protocol, kind, number }
    }

    /// The number of the protocol that reads it.
    #[must_use]
    pub const fn protocol(self) -> u8 {
        self.protocol
    }

    /// The protocol's own kind of answer.
    #[must_use]
    pub const fn kind(self) -> u8 {
        self.kind
    }

    /// A number that belongs to the kind.
    #[must_use]
    pub const fn number(self) -> u8 {
        self.number
    }
}
