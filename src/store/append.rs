//! Appends batches: one write each, all or nothing.

use super::encoder::{Encoder, Record, fits};
use super::error::StoreError;
use super::files;
use super::handle::Store;
use super::meta::Meta;
use super::number::ChannelNo;
use super::record;
use super::segment::{self, HEADER, Header, LARGEST, Place, Segment};
use super::state::seconds;
use std::io;
use std::sync::Arc;

/// Bytes of a batch, at most.
const BATCH: usize = 256 * 1024 * 1024;
/// Bytes of the buffer of batches that are kept from one to the next.
const KEPT: usize = 1024 * 1024;

impl Store {
    /// The number of a channel, which is new if there was none: until its first record is appended, in memory only. A
    /// channel that exists keeps its epoch.
    ///
    /// # Errors
    /// There are as many channels as there may be, or name or epoch are too long.
    pub fn add_channel(&mut self, name: &str, epoch: &str, now: u64) -> Result<ChannelNo, StoreError> {
        if !fits(name, epoch) {
            return Err(StoreError::TooLarge);
        }
        let mut state = self.shared.lock();
        if let Some(number) = state.channels.find(name.as_bytes()) {
            return Ok(ChannelNo::new(number));
        }
        let number = state.channels.add(name.as_bytes(), epoch.as_bytes()).ok_or(StoreError::ChannelsFull)?;
        if let Some(channel) = state.channels.get_mut(number) {
            channel.active = seconds(now);
        }
        Ok(ChannelNo::new(number))
    }

    /// Appends records, in one write: all of them, or none. When this returns they are with the system, and survive the end
    /// of this process; [`Store::sync`] makes them survive the end of power. Readers see them from now on.
    ///
    /// # Errors
    /// [`StoreError::Full`]: there is no room now. [`StoreError::Broken`]: the device failed. Else what is wrong with a record.
    pub fn append(&mut self, records: &[Record<'_>], now: u64) -> Result<(), StoreError> {
        self.commit(now, |encoder| records.iter().try_for_each(|record| encoder.record(record)))
    }

    /// Appends what `fill` adds to a batch. It is called again if the batch goes into a new segment.
    pub(super) fn commit(
        &mut self,
        now: u64,
        fill: impl Fn(&mut Encoder<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        self.whole()?;
        self.encode(now, &fill)?;
        if self.buffer.len() > BATCH {
            return Err(StoreError::TooLarge);
        }
        let end = self.length + self.buffer.len() as u64;
        if end > self.options.segment_bytes.min(LARGEST - BATCH as u64) && self.length > HEADER {
            self.rotate(now)?;
            self.encode(now, &fill)?;
        }
        if self.buffer.is_empty() {
            return Ok(());
        }
        if let Err(error) = self.active.file.write_at(&self.buffer, self.length) {
            return Err(self.undo(&error));
        }
        self.apply();
        self.appended = Place { segment: self.active.number, at: self.length };
        if self.buffer.capacity() > KEPT {
            self.buffer = Vec::new();
        }
        Ok(())
    }

    fn encode(
        &mut self,
        now: u64,
        fill: &impl Fn(&mut Encoder<'_>) -> Result<(), StoreError>,
    ) -> Result<(), StoreError> {
        let mut state = self.shared.lock();
        let place = (self.active.number, self.active.salt, self.length);
        let mut encoder = Encoder::new(&mut state, &self.options, &mut self.buffer, place, now);
        let filled = fill(&mut encoder);
        encoder.finish();
        filled
    }

    /// What was written counts.
    fn apply(&mut self) {
        let mut state = self.shared.lock();
        let mut at = 0;
        while let Ok(size) = record::size(&self.buffer[at..]) {
            if let Some(view) = record::view(&self.buffer[at..at + size], self.length + at as u64) {
                state.apply(&view);
            }
            at += size;
        }
        self.length += self.buffer.len() as u64;
        self.active.set_length(self.length);
    }

    /// A write failed. Where that was for want of room, what was written of it is cut off, and the store is as before.
    pub(super) fn undo(&mut self, error: &io::Error) -> StoreError {
        if !files::is_full(error) {
            return self.fail("write", error);
        }
        match self.active.file.truncate(self.length) {
            Ok(()) => StoreError::Full,
            Err(error) => self.fail("cut a write off for which there was no room", &error),
        }
    }

    /// Begins a new segment.
    fn rotate(&mut self, now: u64) -> Result<(), StoreError> {
        let number = self.active.number + 1;
        match create(self, number, self.length, now) {
            Ok(segment) => {
                self.shared.lock().begin(segment.clone());
                self.unsynced.push(std::mem::replace(&mut self.active, segment));
                self.length = HEADER;
                self.changes += 1;
                Ok(())
            }
            Err(error) if files::is_full(&error) => {
                // It will be made anew; that it stays, empty, until then harms nothing.
                let _ = self.files.remove(&segment::file_name(number));
                Err(StoreError::Full)
            }
            Err(error) => Err(self.fail("begin a segment", &error)),
        }
    }
}

fn create(store: &Store, number: u32, previous: u64, now: u64) -> io::Result<Arc<Segment>> {
    let file = store.files.create(&segment::file_name(number))?;
    let Meta { salt, generation, .. } = store.meta;
    file.write_at(&Header { number, salt, generation, created: now, previous }.encode(), 0)?;
    Ok(Arc::new(Segment::new(number, file, salt, HEADER)))
}
