//! permessage-deflate (RFC 7692): its negotiation in the handshake, and messages compressed and inflated.
//!
//! By default neither side keeps its window from one message to the next ("no context takeover"), so the compressed
//! bytes of a message depend on nothing but the message: one [`Codec`] serves all connections of a thread, an idle
//! connection holds no state, and one compressed frame can be shared by every reader of a publication.
//! A connection that keeps its windows owns [`Contexts`], which are large ([`context_bytes`]).

mod codec;
mod extensions;
mod negotiation;

pub use codec::{Codec, Contexts, InflateFault, Tuning, context_bytes};
pub use extensions::{BadExtensions, Extension, Param, parse_extensions};
pub use negotiation::{Agreement, Policy, negotiate};

/// The name of the extension (RFC 7692 section 7).
pub const NAME: &str = "permessage-deflate";

/// The largest window, in bits: 32 KiB (RFC 7692 section 7.1.2).
pub const WINDOW_BITS_MAX: u8 = 15;

/// The smallest window that is agreed to, in bits. 8 exists in the RFC, but no zlib makes a raw stream for it.
pub const WINDOW_BITS_MIN: u8 = 9;

/// The maximum size of a compressed message, in bytes, when the message itself may have `message_bytes`: what a reasonable
/// compressor makes of incompressible data fits. (Stored blocks add 5 bytes to every 16 KiB or so.)
#[must_use]
pub const fn wire_limit(message_bytes: usize) -> usize {
    message_bytes.saturating_add(message_bytes / 64).saturating_add(64)
}
