//! The form of a record: 32 bytes of header, a body, zeros up to a multiple of 8. A checksum covers all of it, together with
//! the store and the place that it was written for: a record that was moved is no record.

use zlib_rs::crc32::crc32;

/// Bytes of the header of a record.
pub(super) const HEADER: usize = 32;
/// Records begin at multiples of this.
pub(super) const ALIGN: usize = 8;

/// The key and what belongs to it precede the body of a publication.
pub(super) const KEYED: u8 = 1;
/// Nothing of the channel that is older than this record is kept.
pub(super) const CUT: u8 = 1;
/// The value is no more.
pub(super) const REMOVED: u8 = 1;

/// What a record says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Kind {
    /// A channel's number, name, epoch and position: before anything else of it in a segment.
    Name = 1,
    Publication = 2,
    /// The history of a channel was emptied.
    Cleared = 3,
    /// A channel has a new epoch; the body is that of `Name`.
    Reset = 4,
    Forgotten = 5,
    /// A small value.
    Value = 6,
    /// Everything before a place (segment in `offset`, length in `at`) is on the device.
    Mark = 7,
    /// The owner stopped in order.
    End = 8,
    /// The position of a channel moved, and nothing is kept of it.
    Skipped = 9,
    /// Damage whose loss was accepted.
    Hole = 10,
    /// The store was opened, in the generation that `offset` says.
    Opened = 11,
}

impl Kind {
    fn of(byte: u8) -> Option<Kind> {
        Some(match byte {
            1 => Kind::Name,
            2 => Kind::Publication,
            3 => Kind::Cleared,
            4 => Kind::Reset,
            5 => Kind::Forgotten,
            6 => Kind::Value,
            7 => Kind::Mark,
            8 => Kind::End,
            9 => Kind::Skipped,
            10 => Kind::Hole,
            11 => Kind::Opened,
            _ => return None,
        })
    }
}

/// A record as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct View<'a> {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) channel: u32,
    pub(super) offset: u64,
    /// Milliseconds since 1970.
    pub(super) at: u64,
    pub(super) body: &'a [u8],
    /// Where in its segment it begins.
    pub(super) place: u64,
}

impl View<'_> {
    /// Bytes that it takes in the segment.
    pub(super) fn size(&self) -> usize {
        padded(HEADER + self.body.len())
    }
}

pub(super) const fn padded(bytes: usize) -> usize {
    bytes.next_multiple_of(ALIGN)
}

/// Where the checksum of a record begins. Two records of the same bytes in different places, or of which one has another
/// length, have different checksums.
fn seed(salt: u32, length: u32, place: u64) -> u32 {
    salt ^ length.wrapping_mul(0x9E37_79B1) ^ ((place >> 3) as u32).rotate_left(7)
}

/// Appends a record to what will be written at `base`.
pub(super) fn encode(buffer: &mut Vec<u8>, base: u64, salt: u32, record: &Head, body: &[&[u8]]) {
    let start = buffer.len();
    let place = base + start as u64;
    let length: usize = body.iter().map(|part| part.len()).sum();
    let mut head = [0; HEADER];
    head[..4].copy_from_slice(&(length as u32).to_le_bytes());
    head[8] = record.kind as u8;
    head[9] = record.flags;
    head[12..16].copy_from_slice(&record.channel.to_le_bytes());
    head[16..24].copy_from_slice(&record.offset.to_le_bytes());
    head[24..32].copy_from_slice(&record.at.to_le_bytes());
    buffer.extend_from_slice(&head);
    body.iter().for_each(|part| buffer.extend_from_slice(part));
    buffer.resize(start + padded(HEADER + length), 0);
    let sum = crc32(seed(salt, length as u32, place), &buffer[start + 8..]);
    buffer[start + 4..start + 8].copy_from_slice(&sum.to_le_bytes());
}

/// What a record says besides its body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Head {
    pub(super) kind: Kind,
    pub(super) flags: u8,
    pub(super) channel: u32,
    pub(super) offset: u64,
    pub(super) at: u64,
}

/// Why there is no record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum NoRecord {
    /// More bytes are needed, this many in all.
    Short(usize),
    /// These bytes are none.
    Invalid,
}

/// The whole size of the record that these bytes begin, without looking whether it is one.
///
/// # Errors
/// Too few bytes for a header, or no header at all.
pub(super) fn size(bytes: &[u8]) -> Result<usize, NoRecord> {
    let head = bytes.get(..HEADER).ok_or(NoRecord::Short(HEADER))?;
    let length = u32_at(head, 0) as usize;
    if Kind::of(head[8]).is_none() || head[10] != 0 || head[11] != 0 {
        return Err(NoRecord::Invalid);
    }
    Ok(padded(HEADER + length))
}

/// The record that these bytes begin, checked.
///
/// # Errors
/// Too few bytes, or they are no record.
pub(super) fn decode(bytes: &[u8], place: u64, salt: u32) -> Result<View<'_>, NoRecord> {
    let size = size(bytes)?;
    let whole = bytes.get(..size).ok_or(NoRecord::Short(size))?;
    let length = u32_at(whole, 0);
    if crc32(seed(salt, length, place), &whole[8..]) != u32_at(whole, 4) {
        return Err(NoRecord::Invalid);
    }
    view(whole, place).ok_or(NoRecord::Invalid)
}

/// The record that these bytes are, which were checked before or were just made.
pub(super) fn view(bytes: &[u8], place: u64) -> Option<View<'_>> {
    let length = u32_at(bytes, 0) as usize;
    Some(View {
        kind: Kind::of(bytes[8])?,
        flags: bytes[9],
        channel: u32_at(bytes, 12),
        offset: u64_at(bytes, 16),
        at: u64_at(bytes, 24),
        body: bytes.get(HEADER..HEADER + length)?,
        place,
    })
}

/// The number at a place where there is one.
pub(super) fn u32_at(bytes: &[u8], at: usize) -> u32 {
    u32::from_le_bytes(bytes[at..at + 4].try_into().expect("four bytes"))
}

/// The number at a place where there is one.
pub(super) fn u64_at(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().expect("eight bytes"))
}
