//! Channel names: the rules that a name obeys once it is decoded, for requests and for settings.

use super::code::Code;
use super::refusal::Refusal;
use std::borrow::Borrow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// A channel's name: 1 to 255 bytes of UTF-8 without control characters and `\ * ?`, no part between slashes
/// empty, `.` or `..`. Holding one means that it is valid. Clones share the text.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelName(Arc<str>);

impl ChannelName {
    /// A name from a decoded text, which is checked.
    ///
    /// # Errors
    /// The rule that was broken, as [`check`] says.
    pub fn new(decoded: &str) -> Result<ChannelName, NameFault> {
        check(decoded)?;
        Ok(ChannelName(decoded.into()))
    }
}

impl TryFrom<&str> for ChannelName {
    type Error = NameFault;

    fn try_from(decoded: &str) -> Result<ChannelName, NameFault> {
        ChannelName::new(decoded)
    }
}

impl Deref for ChannelName {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// So that maps with names as keys can be searched by text: both are hashed and compared alike.
impl Borrow<str> for ChannelName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for ChannelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// The maximum length of a channel's name, in bytes after decoding.
pub const NAME_BYTES_MAX: usize = 255;

/// Which rule a name breaks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NameFault {
    /// It is empty.
    Empty,
    /// It has this many bytes, which is too many.
    TooLong(usize),
    /// A part of it between slashes is empty.
    EmptyPart,
    /// It, or a part of it between slashes, is `.` or `..`.
    Dots,
    /// It has a character that names cannot have.
    Character(char),
}

impl fmt::Display for NameFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            NameFault::Empty => f.write_str("the channel's name is empty"),
            NameFault::TooLong(bytes) => {
                write!(f, "the channel's name has {bytes} bytes of UTF-8 after decoding; the limit is {NAME_BYTES_MAX}")
            }
            NameFault::EmptyPart => {
                f.write_str("a channel's name neither begins nor ends with \"/\", and has no two of them in a row")
            }
            NameFault::Dots => f.write_str(
                "\".\" and \"..\" are neither channel names nor parts of one, since clients resolve them as paths",
            ),
            NameFault::Character('*') => f.write_str("a channel's name has no \"*\": it is reserved for patterns"),
            NameFault::Character(c @ ('\\' | '?')) => {
                write!(f, "a channel's name has no \"{c}\", percent-encoded or not: use \":\", \".\" or \"/\"")
            }
            NameFault::Character(c) => {
                write!(f, "a channel's name has no control character (here U+{:04X})", u32::from(*c))
            }
        }
    }
}

impl From<NameFault> for Refusal {
    fn from(fault: NameFault) -> Refusal {
        Refusal::new(Code::BadChannel, fault.to_string())
    }
}

/// Checks a decoded name: 1 to 255 bytes, no control character, none of `\ * ?`; no part between slashes is empty, `.` or
/// `..`. It is compared as bytes and never normalised.
///
/// # Errors
/// The rule that was broken.
pub fn check(decoded: &str) -> Result<(), NameFault> {
    if decoded.is_empty() {
        return Err(NameFault::Empty);
    }
    // Before the walk over its characters, since what a client sends as a name may be long.
    if decoded.len() > NAME_BYTES_MAX {
        return Err(NameFault::TooLong(decoded.len()));
    }
    if let Some(c) = decoded.chars().find(|c| c.is_control() || matches!(c, '*' | '\\' | '?')) {
        return Err(NameFault::Character(c));
    }
    decoded.split('/').try_for_each(|part| match part {
        "" => Err(NameFault::EmptyPart),
        "." | ".." => Err(NameFault::Dots),
        _ => Ok(()),
    })
}
