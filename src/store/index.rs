//! The index of a full segment, in a file beside it. It says nothing that the segment does not, so it is made again where it
//! is missing or damaged.

use super::files::File;
use super::record::u32_at;
use super::slot::{self, HEADER, Header, SLOT, Slot};
use std::io;
use std::sync::Arc;
use zlib_rs::crc32::crc32;

/// Places in a block; a checksum follows them.
pub(super) const PER_BLOCK: usize = 1023;
/// Bytes of a block.
pub(super) const BLOCK: usize = 4 * (PER_BLOCK + 1);
/// Slots that are read at once when a channel is looked for.
const PROBED: u32 = 8;

/// An index that is open.
pub(super) struct Index {
    file: Arc<dyn File>,
    pub(super) header: Header,
    salt: u32,
}

/// Why an index gave no answer.
#[derive(Debug)]
pub(super) enum NoAnswer {
    Damaged,
    Io(io::Error),
}

impl From<io::Error> for NoAnswer {
    fn from(error: io::Error) -> NoAnswer {
        NoAnswer::Io(error)
    }
}

/// Where the blocks of places begin.
fn blocks_at(header: &Header) -> u64 {
    HEADER as u64 + u64::from(header.slots) * SLOT as u64 + u64::from(header.values.next_multiple_of(2)) * 4
}

impl Index {
    pub(super) fn new(file: Arc<dyn File>, header: Header, salt: u32) -> Index {
        Index { file, header, salt }
    }

    /// The index in a file, with its slots and the places of values, if it is whole and covers a segment of this length.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn open(
        file: Arc<dyn File>,
        number: u32,
        length: u64,
        salt: u32,
    ) -> io::Result<Option<(Index, Vec<u8>)>> {
        let mut head = [0; HEADER];
        let read = file.read_at(&mut head, 0)?;
        let Some(header) = Header::parse(&head[..read], salt) else { return Ok(None) };
        let index = Index { file, header, salt };
        let blocks = (u64::from(header.places)).div_ceil(PER_BLOCK as u64);
        let whole = blocks_at(&header) + blocks * BLOCK as u64;
        if (header.number, header.length) != (number, length) || index.file.length()? != whole {
            return Ok(None);
        }
        let mut bytes = vec![0; (blocks_at(&header) - HEADER as u64) as usize];
        let read = index.file.read_at(&mut bytes, HEADER as u64)?;
        Ok((read == bytes.len() && crc32(salt, &bytes) == header.sum).then_some((index, bytes)))
    }

    /// Whether the places are whole, too.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn is_whole(&self) -> io::Result<bool> {
        let mut from = 0;
        while from < self.header.places {
            let most = (self.header.places - from).min((64 * PER_BLOCK) as u32);
            match self.places(from, most) {
                Ok(_) => from += most,
                Err(NoAnswer::Damaged) => return Ok(false),
                Err(NoAnswer::Io(error)) => return Err(error),
            }
        }
        Ok(true)
    }

    pub(super) fn bytes(&self) -> u64 {
        blocks_at(&self.header) + u64::from(self.header.places).div_ceil(PER_BLOCK as u64) * BLOCK as u64
    }

    /// What the segment has of a channel.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn find(&self, channel: u32) -> io::Result<Option<Slot>> {
        let slots = self.header.slots;
        let mut bytes = [0; PROBED as usize * SLOT];
        let mut at = slot::ideal(channel, slots);
        let mut looked = 0;
        while looked < slots {
            let most = PROBED.min(slots - at);
            let bytes = &mut bytes[..most as usize * SLOT];
            let read = self.file.read_at(bytes, HEADER as u64 + u64::from(at) * SLOT as u64)?;
            for slot in bytes[..read].chunks_exact(SLOT) {
                match Slot::parse(slot) {
                    None => return Ok(None),
                    Some(slot) if slot.channel == channel => return Ok(Some(slot)),
                    Some(_) => {}
                }
            }
            looked += most;
            at = (at + most) % slots;
        }
        Ok(None)
    }

    /// Some slots in a row, from one of them on.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn slots(&self, from: u32, most: u32) -> io::Result<Vec<Slot>> {
        let most = most.min(self.header.slots.saturating_sub(from));
        let mut bytes = vec![0; most as usize * SLOT];
        let read = self.file.read_at(&mut bytes, HEADER as u64 + u64::from(from) * SLOT as u64)?;
        Ok(bytes[..read].chunks_exact(SLOT).filter_map(Slot::parse).collect())
    }

    /// Some places in a row.
    ///
    /// # Errors
    /// They are damaged, or the system did not read.
    pub(super) fn places(&self, start: u32, count: u32) -> Result<Vec<u32>, NoAnswer> {
        let (start, end) = (start as usize, start as usize + count as usize);
        if end > self.header.places as usize {
            return Err(NoAnswer::Damaged);
        }
        let (first, last) = (start / PER_BLOCK, end.div_ceil(PER_BLOCK));
        let mut bytes = vec![0; (last - first) * BLOCK];
        if self.file.read_at(&mut bytes, blocks_at(&self.header) + (first * BLOCK) as u64)? != bytes.len() {
            return Err(NoAnswer::Damaged);
        }
        let mut places = Vec::with_capacity(count as usize);
        for (number, block) in (first..last).zip(bytes.chunks_exact(BLOCK)) {
            if crc32(block_salt(self.salt, number), &block[..BLOCK - 4]) != u32_at(block, BLOCK - 4) {
                return Err(NoAnswer::Damaged);
            }
            let here = number * PER_BLOCK;
            let wanted = start.max(here)..end.min(here + PER_BLOCK);
            places.extend(wanted.map(|at| u32_at(block, (at - here) * 4)));
        }
        Ok(places)
    }
}

/// What the checksum of a block begins with.
pub(super) fn block_salt(salt: u32, number: usize) -> u32 {
    salt ^ (number as u32).wrapping_add(1).wrapping_mul(0xC2B2_AE35)
}

/// The slots and the places of values that are in what [`Index::open`] read.
pub(super) fn parts<'a>(
    header: &Header,
    bytes: &'a [u8],
) -> (impl Iterator<Item = Slot> + 'a, impl Iterator<Item = u32> + 'a) {
    let (slots, values) = bytes.split_at(header.slots as usize * SLOT);
    let count = header.values as usize;
    (slots.chunks_exact(SLOT).filter_map(Slot::parse), values.chunks_exact(4).take(count).map(|place| u32_at(place, 0)))
}
