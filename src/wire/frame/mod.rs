//! WebSocket frames (RFC 6455 section 5) as pure functions: bytes in, events out, and back.
//!
//! A [`Decoder`] belongs to one connection and costs 16 bytes while no message is in progress. The caller passes it what
//! was read and calls again until the input is used up.
//!
//! ```
//! use tidings::wire::frame::{Decoded, Decoder, Event, FrameLimits, Opcode, Role, write_masked};
//!
//! let mut input = Vec::new();
//! write_masked(&mut input, Opcode::Text, true, b"hello", [1, 2, 3, 4]);
//! let mut decoder = Decoder::new(Role::Server);
//! let mut offset = 0;
//! while offset < input.len() {
//!     let (consumed, decoded) = decoder.decode(&mut input[offset..], &FrameLimits::default());
//!     offset += consumed;
//!     match decoded {
//!         Ok(Decoded::Event(Event::Text(text))) => assert_eq!(&*text, b"hello"),
//!         Ok(Decoded::Event(_)) => {}
//!         Ok(Decoded::NeedMore) => break, // keep input[offset..], append what is read next
//!         Err(error) => panic!("close with {:?}: {error}", error.reason),
//!     }
//! }
//! assert_eq!(offset, input.len());
//! ```

mod assembly;
mod close;
pub mod decoder;
pub mod encoder;
pub mod event;
mod header;
pub mod mask;
#[cfg(test)]
mod tests;
mod utf8;

pub use decoder::Decoder;
pub use encoder::{
    Opcode, close_frame, close_frame_of, header, is_deflated, payload_of, write_deflated, write_frame, write_masked,
};
pub use event::{Decoded, Event, Kind, Payload};
pub use mask::unmask;
pub use utf8::check as check_text;

use crate::model::code::Code;
use crate::wire::deflate::InflateFault;
use std::sync::Arc;

/// A complete frame (or a block of an event stream) that many connections send: one allocation, cloned by counting.
pub type SharedFrame = Arc<[u8]>;

/// How much one message may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FrameLimits {
    /// The largest message, in payload bytes over all its fragments; more is [`Code::MessageTooBig`].
    pub message_bytes: usize,
    /// The most frames one message may be split into; more is [`Code::TooManyFragments`]. Empty fragments count,
    /// so a message that never ends costs its sender a connection even when it carries nothing.
    pub fragments: u32,
}

impl Default for FrameLimits {
    /// 64 KiB in at most 131 072 fragments.
    fn default() -> Self {
        FrameLimits { message_bytes: 64 * 1024, fragments: 131_072 }
    }
}

/// Which end of the connection decodes (RFC 6455 section 5.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// The peer is a client: each of its frames must be masked.
    Server,
    /// The peer is a server: none of its frames may be masked.
    Client,
}

/// Why the input cannot be taken; the connection has to be closed with the reason (RFC 6455 section 7.1.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct FrameError {
    /// What the peer receives and what is counted.
    pub reason: Code,
    /// The rule that was broken, for the log.
    pub detail: &'static str,
}

impl From<InflateFault> for FrameError {
    fn from(fault: InflateFault) -> Self {
        match fault {
            InflateFault::Broken => {
                FrameError { reason: Code::InvalidDeflate, detail: "a compressed message that is not DEFLATE data" }
            }
            InflateFault::TooBig => header::TOO_BIG,
        }
    }
}

impl FrameError {
    const fn protocol(detail: &'static str) -> Self {
        FrameError { reason: Code::ProtocolError, detail }
    }

    const fn utf8(detail: &'static str) -> Self {
        FrameError { reason: Code::InvalidUtf8, detail }
    }
}
