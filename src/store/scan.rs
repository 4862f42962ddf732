//! Reads the records of a segment one after the other.

use super::files::File;
use super::record::{self, ALIGN, NoRecord, View};
use std::io;

/// Bytes that are read at once.
const CHUNK: usize = 1024 * 1024;
/// How often the bytes of a segment may be summed while a record is looked for between damage and its end: more only where
/// somebody made bodies to have it so.
const SUMS: u64 = 16;

/// Where a scan is.
pub(super) struct Scan<'a> {
    file: &'a dyn File,
    salt: u32,
    end: u64,
    buffer: Vec<u8>,
    /// Where in the file the buffer begins, and what of it was seen.
    base: u64,
    seen: usize,
}

/// What a scan met.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Met<'a> {
    Record(View<'a>),
    /// The end of the segment, at the end of a record.
    End,
    /// What is at this place is no record.
    Invalid(u64),
}

impl<'a> Scan<'a> {
    /// A scan from one place to another.
    pub(super) fn new(file: &'a dyn File, salt: u32, from: u64, end: u64) -> Scan<'a> {
        Scan { file, salt, end, buffer: Vec::new(), base: from, seen: 0 }
    }

    /// Where the next record begins.
    pub(super) fn place(&self) -> u64 {
        self.base + self.seen as u64
    }

    /// The next record. After an invalid one it is the same again.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn next(&mut self) -> io::Result<Met<'_>> {
        let place = self.place();
        if place >= self.end {
            return Ok(Met::End);
        }
        let size = loop {
            match record::size(&self.buffer[self.seen..]) {
                Ok(size) if place + size as u64 > self.end => return Ok(Met::Invalid(place)),
                Ok(size) if self.buffer.len() - self.seen >= size => break size,
                Ok(size) | Err(NoRecord::Short(size)) => {
                    if !self.fill(size)? {
                        return Ok(Met::Invalid(place));
                    }
                }
                Err(NoRecord::Invalid) => return Ok(Met::Invalid(place)),
            }
        };
        let start = self.seen;
        match record::decode(&self.buffer[start..start + size], place, self.salt) {
            Ok(view) => {
                self.seen += size;
                Ok(Met::Record(view))
            }
            Err(_) => Ok(Met::Invalid(place)),
        }
    }

    /// Goes on at another place.
    pub(super) fn skip_to(&mut self, place: u64) {
        self.buffer.clear();
        (self.base, self.seen) = (place, 0);
    }

    /// Reads until this many bytes are there; false if the segment ends before.
    fn fill(&mut self, bytes: usize) -> io::Result<bool> {
        self.buffer.drain(..self.seen);
        self.base += self.seen as u64;
        self.seen = 0;
        let have = self.buffer.len();
        let left = self.end.saturating_sub(self.base + have as u64);
        let most = usize::try_from(left).unwrap_or(usize::MAX).min(CHUNK.max(bytes - have.min(bytes)));
        self.buffer.resize(have + most, 0);
        let read = self.file.read_at(&mut self.buffer[have..], self.base + have as u64)?;
        self.buffer.truncate(have + read);
        Ok(self.buffer.len() >= bytes && read > 0)
    }
}

/// What is after damage.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Later {
    /// No record.
    Nothing,
    /// The first record is here.
    Record(u64),
    /// Too much that could be records was there to look at all of it.
    Unknown,
}

/// Looks for a record after a place that has none.
///
/// # Errors
/// As the system says.
pub(super) fn later(file: &dyn File, salt: u32, after: u64, end: u64) -> io::Result<Later> {
    let from = (after + 1).next_multiple_of(ALIGN as u64);
    let mut bytes = vec![0; usize::try_from(end.saturating_sub(from)).unwrap_or(0)];
    let read = file.read_at(&mut bytes, from)?;
    bytes.truncate(read);
    let mut summed = 0;
    for start in (0..bytes.len()).step_by(ALIGN) {
        let rest = &bytes[start..];
        let Ok(size) = record::size(rest) else { continue };
        if size > rest.len() {
            continue;
        }
        summed += size as u64;
        if record::decode(rest, from + start as u64, salt).is_ok() {
            return Ok(Later::Record(from + start as u64));
        }
        if summed > SUMS * end {
            return Ok(Later::Unknown);
        }
    }
    Ok(Later::Nothing)
}
