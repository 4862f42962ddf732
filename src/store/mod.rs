//! A durable log on one node: publications, positions of channels and small values, in segments of files that are only
//! appended to.
//!
//! A batch is one write; a sync makes all batches before it durable. Full segments have an index, so that a history may be
//! larger than memory; old segments are dropped as a whole, and positions outlive them. Each record has a checksum, and
//! what is damaged is never given out: at the end of the log it is an interrupted write, which is cut off, and anywhere
//! else a reason not to start.

mod append;
mod body;
mod channels;
mod check;
mod chores;
mod encoder;
mod error;
mod files;
mod folder;
mod growing;
mod handle;
mod index;
mod locate;
mod meta;
mod names;
mod number;
mod open;
mod options;
mod reader;
mod record;
mod recover;
mod repair;
mod scan;
mod sealing;
mod segment;
mod slot;
mod state;
mod survey;
mod sync;
#[cfg(test)]
mod tests;
mod upkeep;
mod values;
mod window;

pub use body::Key;
pub use check::{FileReport, Report, check};
pub use chores::Step;
pub use encoder::Record;
pub use error::{Damage, OpenError, ReadError, StoreError};
pub use files::{File, Files, Lock};
pub use folder::{Folder, boot_id};
pub use handle::{ChannelState, Stats, Store};
pub use number::ChannelNo;
pub use open::Recovered;
pub use options::{Keep, Options};
pub use reader::{Kept, Page, Reader};
pub use recover::KnownKey;
pub use sync::{Synced, Syncing};

impl Store {
    /// What reads from it, on any thread.
    pub fn reader(&self) -> Reader {
        Reader::new(self.shared.clone())
    }
}
