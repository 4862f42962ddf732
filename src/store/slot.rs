//! The form of an index: what its file begins with, and what it says of each channel of the segment.

use super::growing::Touched;
use super::record::{u32_at, u64_at};
use zlib_rs::crc32::crc32;

/// Bytes before the slots.
pub(super) const HEADER: usize = 64;
/// Bytes of a slot.
pub(super) const SLOT: usize = 48;
const MAGIC: &[u8; 8] = b"TidingsI";

/// How the file of an index begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) number: u32,
    /// The length of the segment that it covers.
    pub(super) length: u64,
    /// Slots, free ones included.
    pub(super) slots: u32,
    pub(super) channels: u32,
    /// Places of publications.
    pub(super) places: u32,
    /// Places of small values.
    pub(super) values: u32,
    pub(super) keys_expire: u64,
    pub(super) newest_at: u64,
    /// Of slots and values.
    pub(super) sum: u32,
}

impl Header {
    pub(super) fn encode(&self, salt: u32) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(MAGIC);
        bytes[8..12].copy_from_slice(&self.number.to_le_bytes());
        bytes[12..16].copy_from_slice(&self.slots.to_le_bytes());
        bytes[16..24].copy_from_slice(&self.length.to_le_bytes());
        bytes[24..28].copy_from_slice(&self.channels.to_le_bytes());
        bytes[28..32].copy_from_slice(&self.places.to_le_bytes());
        bytes[32..36].copy_from_slice(&self.values.to_le_bytes());
        bytes[36..40].copy_from_slice(&self.sum.to_le_bytes());
        bytes[40..48].copy_from_slice(&self.keys_expire.to_le_bytes());
        bytes[48..56].copy_from_slice(&self.newest_at.to_le_bytes());
        let sum = crc32(salt, &bytes[..60]);
        bytes[60..].copy_from_slice(&sum.to_le_bytes());
        bytes
    }

    pub(super) fn parse(bytes: &[u8], salt: u32) -> Option<Header> {
        let bytes = bytes.get(..HEADER)?;
        let is_one = bytes.starts_with(MAGIC) && crc32(salt, &bytes[..60]) == u32_at(bytes, 60);
        is_one.then(|| Header {
            number: u32_at(bytes, 8),
            slots: u32_at(bytes, 12),
            length: u64_at(bytes, 16),
            channels: u32_at(bytes, 24),
            places: u32_at(bytes, 28),
            values: u32_at(bytes, 32),
            sum: u32_at(bytes, 36),
            keys_expire: u64_at(bytes, 40),
            newest_at: u64_at(bytes, 48),
        })
    }
}

/// What a segment has of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) channel: u32,
    /// Where its newest record of name and epoch begins.
    pub(super) head: u32,
    /// The segment before this one with publications that belong to the same history; 0 if there is none.
    pub(super) before: u32,
    /// Which of the places of the index are its, and how many.
    pub(super) start: u32,
    pub(super) count: u32,
    pub(super) forgotten: bool,
    /// The offset of its last publication.
    pub(super) last: u64,
    /// Bytes of bodies that it had in this epoch up to here.
    pub(super) total: u64,
    /// When it was last published to.
    pub(super) at: u64,
}

impl Slot {
    pub(super) fn of(touched: &Touched, start: u32, count: u32) -> Slot {
        let Touched { channel, head, before, last, total, at, forgotten, .. } = *touched;
        Slot { channel, head, before, start, count, forgotten, last, total, at }
    }

    pub(super) fn encode(&self, bytes: &mut [u8]) {
        let numbers = [self.channel, self.head, self.before, self.start, self.count, u32::from(self.forgotten)];
        for (number, bytes) in numbers.iter().zip(bytes.chunks_exact_mut(4)) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
        for (number, bytes) in [self.last, self.total, self.at].iter().zip(bytes[24..].chunks_exact_mut(8)) {
            bytes.copy_from_slice(&number.to_le_bytes());
        }
    }

    /// What is in a slot; `None` if it is free.
    pub(super) fn parse(bytes: &[u8]) -> Option<Slot> {
        let channel = u32_at(bytes, 0);
        (channel != 0).then(|| Slot {
            channel,
            head: u32_at(bytes, 4),
            before: u32_at(bytes, 8),
            start: u32_at(bytes, 12),
            count: u32_at(bytes, 16),
            forgotten: u32_at(bytes, 20) != 0,
            last: u64_at(bytes, 24),
            total: u64_at(bytes, 32),
            at: u64_at(bytes, 40),
        })
    }
}

/// The slot where a channel is looked for first.
pub(super) fn ideal(channel: u32, slots: u32) -> u32 {
    ((u64::from(channel.wrapping_mul(0x9E37_79B1)) * u64::from(slots)) >> 32) as u32
}
