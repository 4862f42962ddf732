//! What a decoder finds: messages and control frames.

use super::Opcode;
use std::ops::{Deref, DerefMut};

/// The answer to one call of [`Decoder::decode`](super::Decoder::decode).
#[derive(Debug)]
pub enum Decoded<'b> {
    /// All that could be done with this input is done. What was not consumed has to be passed again with more after it.
    NeedMore,
    /// Something is complete.
    Event(Event<'b>),
}

/// The two kinds of message (RFC 6455 section 5.6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8.
    Text,
    /// Any bytes.
    Binary,
}

impl Kind {
    /// What its frames begin with.
    #[must_use]
    #[inline]
    pub const fn opcode(self) -> Opcode {
        match self {
            Kind::Text => Opcode::Text,
            Kind::Binary => Opcode::Binary,
        }
    }
}

/// A complete message or control frame.
#[derive(Debug, PartialEq, Eq)]
pub enum Event<'b> {
    /// A text message; its UTF-8 is checked (RFC 6455 section 5.6).
    Text(Payload<'b>),
    /// A binary message (RFC 6455 section 5.6).
    Binary(Payload<'b>),
    /// A compressed message of this kind (RFC 7692): to be inflated, and then checked like any other.
    Deflated(Kind, Payload<'b>),
    /// To be answered by a Pong with the same payload (RFC 6455 section 5.5.2).
    Ping(&'b [u8]),
    /// The answer to a Ping, or unsolicited (RFC 6455 section 5.5.3).
    Pong(&'b [u8]),
    /// The peer's Close: its code and reason, if it gave any (RFC 6455 section 5.5.1). Nothing may follow it.
    Close(Option<(u16, &'b str)>),
}

/// The unmasked bytes of a message; they may be changed in place.
#[derive(Debug, PartialEq, Eq)]
pub enum Payload<'b> {
    /// The message came in one frame and lies in the input.
    Borrowed(&'b mut [u8]),
    /// The message was assembled from several reads or fragments. The decoder gives its memory away.
    Owned(Vec<u8>),
}

impl Deref for Payload<'_> {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(bytes) => bytes,
        }
    }
}

impl DerefMut for Payload<'_> {
    fn deref_mut(&mut self) -> &mut [u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(bytes) => bytes,
        }
    }
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        self
    }
}
