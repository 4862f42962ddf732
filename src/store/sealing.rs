//! Makes the index of a full segment in small steps.

use super::files::File;
use super::growing::{Growing, Walk};
use super::index::{BLOCK, Index, PER_BLOCK, block_salt};
use super::slot::{self, HEADER, Header, SLOT, Slot};
use std::io;
use std::sync::Arc;
use zlib_rs::crc32::crc32;

/// Publications and channels that one step looks at.
const PER_STEP: usize = 1024;
/// Bytes that one step writes.
const PIECE: usize = 256 * 1024;

/// An index that is being made.
pub(super) struct Sealing {
    file: Arc<dyn File>,
    salt: u32,
    header: Header,
    /// Slots, then places of values: as they are in the file.
    slots: Vec<u8>,
    places: Vec<u32>,
    /// The next channel, and the walk through the one before it: its places are filled in from the end.
    next: u32,
    walk: Option<(Walk, usize)>,
    /// What was written of slots and places.
    written: usize,
    blocks: usize,
    gathered: bool,
    is_written: bool,
}

impl Sealing {
    /// Begins the index of a segment in an empty file.
    pub(super) fn new(file: Arc<dyn File>, number: u32, length: u64, salt: u32, growing: &Growing) -> Sealing {
        let channels = growing.channels() as u32;
        let slots = channels + channels / 3 + 2;
        let values = growing.values.len() as u32;
        let bytes = slots as usize * SLOT + values.next_multiple_of(2) as usize * 4;
        let header = Header {
            number,
            length,
            slots,
            channels,
            places: 0,
            values,
            keys_expire: growing.keys_expire,
            newest_at: growing.newest_at,
            sum: salt,
        };
        Sealing {
            file,
            salt,
            header,
            slots: vec![0; bytes],
            places: Vec::new(),
            next: 0,
            walk: None,
            written: 0,
            blocks: 0,
            gathered: false,
            is_written: false,
        }
    }

    /// Takes over a little of what is in memory; whether that was the last.
    pub(super) fn gather(&mut self, growing: &Growing) -> bool {
        let mut left = PER_STEP;
        while left > 0 {
            left -= 1;
            if let Some((walk, at)) = &mut self.walk {
                match growing.step(walk) {
                    Some(place) if *at > 0 => {
                        *at -= 1;
                        self.places[*at] = place;
                    }
                    _ => self.walk = None,
                }
                continue;
            }
            let Some(touched) = growing.get(self.next) else {
                self.gather_values(growing);
                self.gathered = true;
                return true;
            };
            let (start, count) = (self.places.len() as u32, growing.count(self.next));
            self.put(&Slot::of(touched, start, count));
            self.places.resize(self.places.len() + count as usize, 0);
            self.walk = Some((growing.walk(self.next), self.places.len()));
            self.next += 1;
        }
        false
    }

    fn put(&mut self, slot: &Slot) {
        let slots = self.header.slots;
        let mut at = slot::ideal(slot.channel, slots);
        loop {
            let bytes = &mut self.slots[at as usize * SLOT..][..SLOT];
            if Slot::parse(bytes).is_none() {
                return slot.encode(bytes);
            }
            at = (at + 1) % slots;
        }
    }

    fn gather_values(&mut self, growing: &Growing) {
        let start = self.header.slots as usize * SLOT;
        for (place, bytes) in growing.values.iter().zip(self.slots[start..].chunks_exact_mut(4)) {
            bytes.copy_from_slice(&place.to_le_bytes());
        }
    }

    /// Writes a little of what was gathered; whether that was the last.
    ///
    /// # Errors
    /// As the system says. There is no index then, which harms nothing.
    pub(super) fn write(&mut self) -> io::Result<bool> {
        if self.written < self.slots.len() {
            let piece = &self.slots[self.written..self.slots.len().min(self.written + PIECE)];
            self.file.write_at(piece, (HEADER + self.written) as u64)?;
            self.header.sum = crc32(self.header.sum, piece);
            self.written += piece.len();
            return Ok(false);
        }
        let first = self.blocks * PER_BLOCK;
        if first < self.places.len() {
            let mut bytes = Vec::with_capacity(PIECE);
            for (number, block) in self.places[first..].chunks(PER_BLOCK).take(PIECE / BLOCK).enumerate() {
                let start = bytes.len();
                block.iter().for_each(|place| bytes.extend_from_slice(&place.to_le_bytes()));
                bytes.resize(start + BLOCK - 4, 0);
                let sum = crc32(block_salt(self.salt, self.blocks + number), &bytes[start..]);
                bytes.extend_from_slice(&sum.to_le_bytes());
            }
            self.file.write_at(&bytes, (HEADER + self.slots.len() + self.blocks * BLOCK) as u64)?;
            self.blocks += bytes.len() / BLOCK;
            return Ok(false);
        }
        self.header.places = self.places.len() as u32;
        self.is_written = true;
        Ok(true)
    }

    /// Makes it an index, once all that was written is durable: where there is a header, everything is.
    ///
    /// # Errors
    /// As the system says.
    pub(super) fn finish(&self) -> io::Result<Index> {
        self.file.write_at(&self.header.encode(self.salt), 0)?;
        Ok(Index::new(self.file.clone(), self.header, self.salt))
    }

    /// The file, if everything but the header is in it.
    pub(super) fn written(&self) -> Option<Arc<dyn File>> {
        self.is_written.then(|| self.file.clone())
    }

    /// Whether everything was taken over.
    pub(super) fn is_gathered(&self) -> bool {
        self.gathered
    }

    pub(super) fn number(&self) -> u32 {
        self.header.number
    }
}
