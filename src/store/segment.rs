//! A segment: a file of records, and the 64 bytes at its beginning.

use super::error::Damage;
use super::files::File;
use super::index::Index;
use super::record::{u32_at, u64_at};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use zlib_rs::crc32::crc32;

/// Bytes before the first record of a segment.
pub(super) const HEADER: u64 = 64;
const MAGIC: &[u8; 8] = b"TidingsL";
/// The form of segments.
pub(super) const VERSION: u32 = 1;
/// Places in a segment have 32 bits.
pub(super) const LARGEST: u64 = u32::MAX as u64;

/// A place in the whole log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Place {
    /// The segment's number.
    pub(super) segment: u32,
    /// Bytes from its beginning.
    pub(super) at: u64,
}

/// A segment that is open.
pub(super) struct Segment {
    pub(super) number: u32,
    pub(super) file: Arc<dyn File>,
    /// What the checksums of its records begin with.
    pub(super) salt: u32,
    /// Where which channel is in it; while it has none, that is in memory.
    pub(super) index: OnceLock<Index>,
    /// Its length, as far as its records are known.
    length: AtomicU64,
}

impl Segment {
    pub(super) fn new(number: u32, file: Arc<dyn File>, store: u32, length: u64) -> Segment {
        let length = AtomicU64::new(length);
        Segment { number, file, salt: salt(store, number), index: OnceLock::new(), length }
    }

    pub(super) fn length(&self) -> u64 {
        self.length.load(Ordering::Relaxed)
    }

    pub(super) fn set_length(&self, length: u64) {
        self.length.store(length, Ordering::Relaxed);
    }

    /// Bytes of its files.
    pub(super) fn bytes(&self) -> u64 {
        self.length() + self.index.get().map_or(0, Index::bytes)
    }

    pub(super) fn damage(&self, at: u64, what: &'static str) -> Damage {
        Damage { file: file_name(self.number), at, what }
    }
}

/// What the checksums of a segment's records begin with, so that no record counts in another segment, or another store.
pub(super) fn salt(store: u32, number: u32) -> u32 {
    store ^ number.wrapping_mul(0x85EB_CA6B)
}

/// The name of a segment's file.
pub(super) fn file_name(number: u32) -> String {
    format!("log-{number:012}")
}

/// The name of the file with a segment's index.
pub(super) fn index_name(number: u32) -> String {
    format!("idx-{number:012}")
}

/// The segment that a file is, if its name says so.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix("log-").filter(|digits| digits.len() == 12)?;
    digits.parse().ok().filter(|number| *number > 0)
}

/// The segment whose index a file is, if its name says so.
pub(super) fn indexed_by(name: &str) -> Option<u32> {
    number_of(&format!("log-{}", name.strip_prefix("idx-")?))
}

/// What a segment says of itself at its beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u32,
    /// What the checksums of the store begin with.
    pub(super) salt: u32,
    /// The generation of the store.
    pub(super) generation: u32,
    /// Milliseconds since 1970.
    pub(super) created: u64,
    /// The length of the segment before it; 0 if there was none.
    pub(super) previous: u64,
}

impl Header {
    pub(super) fn encode(&self) -> [u8; HEADER as usize] {
        let mut bytes = [0; HEADER as usize];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.salt.to_le_bytes());
        bytes[16..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..24].copy_from_slice(&self.generation.to_le_bytes());
        bytes[24..32].copy_from_slice(&self.created.to_le_bytes());
        bytes[32..40].copy_from_slice(&self.previous.to_le_bytes());
        let sum = crc32(0, &bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    /// The header of a file, if it begins with one of this version.
    pub(super) fn parse(bytes: &[u8]) -> Option<Header> {
        let bytes = bytes.get(..HEADER as usize)?;
        let is_one =
            bytes.starts_with(MAGIC) && u32_at(bytes, 8) == VERSION && crc32(0, &bytes[..60]) == u32_at(bytes, 60);
        is_one.then(|| Header {
            number: u32_at(bytes, 16),
            salt: u32_at(bytes, 12),
            generation: u32_at(bytes, 20),
            created: u64_at(bytes, 24),
            previous: u64_at(bytes, 32),
        })
    }
}
