//! What goes wrong with a store, and what each of it means for its owner.

use super::number::ChannelNo;
use std::fmt::{self, Display};
use std::io;

/// A place in a file whose bytes are not what was written there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Damage {
    /// The file, by its name in the folder.
    pub file: String,
    /// Where in the file, in bytes from its beginning.
    pub at: u64,
    /// What is wrong there.
    pub what: &'static str,
}

impl Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, byte {}: {}", self.file, self.at, self.what)
    }
}

/// Why a store was not opened. Nothing was changed.
#[derive(Debug)]
pub enum OpenError {
    /// Another process has it open.
    Locked,
    /// A file is damaged in a place that was safe on the device.
    Damaged(Damage),
    /// It was written by another version, in a form that this one does not know.
    Version(String),
    /// The system did not do what was asked.
    Io {
        /// What was attempted, with the file's name.
        what: String,
        /// How it failed.
        error: io::Error,
    },
}

impl OpenError {
    pub(super) fn io(what: impl Into<String>) -> impl FnOnce(io::Error) -> OpenError {
        let what = what.into();
        move |error| OpenError::Io { what, error }
    }
}

impl Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Locked => f.write_str("the store is in use by another process"),
            OpenError::Damaged(damage) => write!(
                f,
                "the store is damaged: {damage}; `tidings store check` lists all damage, and --accept-loss opens it without what is damaged"
            ),
            OpenError::Version(found) => {
                write!(f, "the store has the form {found:?}, which this version does not know")
            }
            OpenError::Io { what, error } => write!(f, "{what}: {error}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Why nothing was appended, or not made durable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreError {
    /// No room on the device. Nothing was changed; a later attempt may succeed.
    Full,
    /// The device failed once, so what it holds is no longer known. Final: everything later is refused for the same reason.
    Broken(String),
    /// As many channels as there may be.
    ChannelsFull,
    /// As many bytes of small values as there may be.
    ValuesFull,
    /// A record, or a batch, larger than any may be.
    TooLarge,
    /// An offset that is not greater than the channel's last one.
    OutOfOrder {
        /// The channel.
        channel: ChannelNo,
        /// The offset that was given.
        offset: u64,
        /// The offset that it had to exceed.
        last: u64,
    },
    /// A channel that does not exist, or no longer does.
    UnknownChannel(ChannelNo),
}

impl Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StoreError::Full => f.write_str("no room on the device of the store"),
            StoreError::Broken(why) => write!(f, "the store failed and takes nothing until a restart: {why}"),
            StoreError::ChannelsFull => f.write_str("as many channels as the store may have"),
            StoreError::ValuesFull => f.write_str("as many small values as the store may have"),
            StoreError::TooLarge => f.write_str("larger than a record may be"),
            StoreError::OutOfOrder { channel, offset, last } => {
                write!(f, "offset {offset} of channel {} is not after {last}", channel.get())
            }
            StoreError::UnknownChannel(channel) => write!(f, "there is no channel {}", channel.get()),
        }
    }
}

impl std::error::Error for StoreError {}

/// Why a page was not read.
#[derive(Debug)]
pub enum ReadError {
    /// What is there is not what was written. Nothing of it was given out.
    Damaged(Damage),
    /// The system did not read.
    Io(io::Error),
}

impl Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ReadError::Damaged(damage) => write!(f, "the store is damaged: {damage}"),
            ReadError::Io(error) => write!(f, "the store was not read: {error}"),
        }
    }
}

impl std::error::Error for ReadError {}

impl From<io::Error> for ReadError {
    fn from(error: io::Error) -> ReadError {
        ReadError::Io(error)
    }
}
