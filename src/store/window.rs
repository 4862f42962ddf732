//! Single records of a segment, of which several close to each other are read at once.

use super::record::{self, HEADER, View};
use super::segment::Segment;
use std::io;

/// What was read last, and where.
#[derive(Default)]
pub(super) struct Window {
    segment: u32,
    base: u64,
    bytes: Vec<u8>,
}

impl Window {
    /// The record at a place of a segment, if there is one. Where it has to be read, that many bytes are.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn record(&mut self, segment: &Segment, place: u64, bytes: usize) -> io::Result<Option<View<'_>>> {
        if self.segment != segment.number || !self.has(place, HEADER) {
            self.read(segment, place, bytes)?;
        }
        let Some(size) = self.from(place).and_then(|bytes| record::size(bytes).ok()) else { return Ok(None) };
        // The length may be damaged.
        if place + size as u64 > segment.length() {
            return Ok(None);
        }
        if !self.has(place, size) {
            self.read(segment, place, size.max(bytes))?;
        }
        Ok(self.from(place).and_then(|bytes| record::decode(bytes, place, segment.salt).ok()))
    }

    fn from(&self, place: u64) -> Option<&[u8]> {
        self.bytes.get(usize::try_from(place.checked_sub(self.base)?).ok()?..)
    }

    fn has(&self, place: u64, bytes: usize) -> bool {
        self.from(place).is_some_and(|there| there.len() >= bytes)
    }

    fn read(&mut self, segment: &Segment, place: u64, bytes: usize) -> io::Result<()> {
        self.bytes.resize(bytes, 0);
        let read = segment.file.read_at(&mut self.bytes, place)?;
        self.bytes.truncate(read);
        (self.segment, self.base) = (segment.number, place);
        Ok(())
    }
}
