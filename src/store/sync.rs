//! Makes what was appended durable, and ends a store in order.

use super::error::StoreError;
use super::files::{File, Files};
use super::handle::Store;
use super::record::{self, Head, Kind};
use super::sealing::Sealing;
use super::segment::Place;
use std::io;
use std::sync::Arc;

/// What has to be done for everything that was appended to be on the device. It may run on any thread while the store goes on.
#[must_use]
pub struct Syncing {
    files: Vec<Arc<dyn File>>,
    folder: Option<Arc<dyn Files>>,
    covers: Place,
    changes: u64,
}

/// That it was done, or how it failed: for [`Store::end_sync`].
#[must_use]
pub struct Synced {
    outcome: io::Result<()>,
    covers: Place,
    changes: u64,
}

impl Syncing {
    /// Waits for the device.
    pub fn run(self) -> Synced {
        let Syncing { files, folder, covers, changes } = self;
        let outcome =
            files.iter().try_for_each(|file| file.sync()).and_then(|()| folder.map_or(Ok(()), |all| all.sync()));
        Synced { outcome, covers, changes }
    }
}

impl Store {
    /// Makes everything that was appended durable. Nothing happens if it is.
    ///
    /// # Errors
    /// [`StoreError::Broken`]: what the device holds is not known, and never asked again.
    pub fn sync(&mut self) -> Result<(), StoreError> {
        self.whole()?;
        match self.begin_sync() {
            Some(syncing) => self.end_sync(syncing.run()),
            None => Ok(()),
        }
    }

    /// The first part of [`Store::sync`]: what there is to do; `None` if everything is durable, or the store is broken.
    pub fn begin_sync(&mut self) -> Option<Syncing> {
        let stale = self.changes_synced != self.changes;
        if self.broken.is_some() || (self.synced >= self.appended && !stale) {
            return None;
        }
        let mut files: Vec<_> = self.unsynced.iter().map(|segment| segment.file.clone()).collect();
        files.push(self.active.file.clone());
        files.extend(self.chores.sealing.as_ref().and_then(Sealing::written));
        let covers = Place { segment: self.active.number, at: self.length };
        Some(Syncing { files, folder: stale.then(|| self.files.clone()), covers, changes: self.changes })
    }

    /// The last part of [`Store::sync`], after [`Syncing::run`].
    ///
    /// # Errors
    /// As [`Store::sync`].
    pub fn end_sync(&mut self, synced: Synced) -> Result<(), StoreError> {
        self.whole()?;
        if let Err(error) = synced.outcome {
            return Err(self.fail("sync", &error));
        }
        self.changes_synced = self.changes_synced.max(synced.changes);
        self.unsynced.retain(|segment| segment.number >= synced.covers.segment);
        if synced.covers <= self.synced {
            return Ok(());
        }
        self.synced = synced.covers;
        self.mark()
    }

    /// Leaves a mark of how far everything is on the device: damage before it is not the end of an interrupted write.
    fn mark(&mut self) -> Result<(), StoreError> {
        let Place { segment, at } = self.synced;
        let head = Head { kind: Kind::Mark, flags: 0, channel: 0, offset: u64::from(segment), at };
        self.buffer.clear();
        record::encode(&mut self.buffer, self.length, self.active.salt, &head, &[]);
        match self.active.file.write_at(&self.buffer, self.length) {
            Ok(()) => {
                self.length += self.buffer.len() as u64;
                self.active.set_length(self.length);
                Ok(())
            }
            // What is on the device is there without a mark, too.
            Err(error) => match self.undo(&error) {
                StoreError::Full => Ok(()),
                broken => Err(broken),
            },
        }
    }

    /// Ends in order: everything is durable, and the next start knows it.
    ///
    /// # Errors
    /// The next start finds a store that was not closed.
    pub fn close(mut self, now: u64) -> Result<(), StoreError> {
        self.commit(now, |encoder| encoder.end())?;
        self.sync()?;
        self.active.file.sync().map_err(|error| self.fail("sync", &error))?;
        self.meta.clean = true;
        self.meta.end = Place { segment: self.active.number, at: self.length };
        let written = self.meta.write(self.files.as_ref());
        written.map_err(|error| self.fail("write META", &error))
    }
}
