//! What is wrong with a claim.

use super::grants::GrantFault;
use std::fmt;

/// Bytes of a user's name, and of a token's id.
pub(super) const NAME_BYTES_MAX: usize = 255;
/// Bytes of `info`.
pub(super) const INFO_BYTES_MAX: usize = 4 * 1024;

/// What is wrong with a claim: the end of a sentence that begins with its name. Nothing of its value is repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ClaimFault {
    /// It is not there.
    Missing,
    /// It is no number of seconds.
    Time,
    /// It is no text, is empty, too long, or has control characters.
    Name,
    /// It is no text and no list of texts.
    Texts,
    /// It has this many bytes of JSON.
    Info(usize),
    /// It grants nothing that can be understood.
    Grants(GrantFault),
}

impl fmt::Display for ClaimFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ClaimFault::Missing => f.write_str("is missing, and this server asks for it"),
            ClaimFault::Time => f.write_str(
                "must be a number of seconds since 1970, not a text, and not later than the year 9999, as milliseconds would be",
            ),
            ClaimFault::Name => {
                write!(f, "must be a text of 1 to {NAME_BYTES_MAX} bytes without control characters")
            }
            ClaimFault::Texts => f.write_str("must be a text or a list of texts"),
            ClaimFault::Info(bytes) => write!(f, "has {bytes} bytes of JSON, and the limit is {INFO_BYTES_MAX}"),
            ClaimFault::Grants(fault) => fault.fmt(f),
        }
    }
}
