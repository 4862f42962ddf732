//! A message that arrives in pieces: it grows with the bytes that have come, never with the bytes that were announced.

use super::header::{Begun, Header};
use super::{FrameError, Kind, mask, utf8};

/// Memory is lent to a message of which at least this much has arrived, in bytes: announcing a large message gets none.
const LENT_BYTES_MIN: usize = 32 * 1024;

/// A message is read into directly while at least this much of its frame is missing, in bytes: less comes with what follows it.
const ROOM_BYTES_MIN: usize = 4 * 1024;
/// And at most this much at once, in bytes, so that it is unmasked and checked while it is in the cache.
const ROOM_BYTES_MAX: usize = 256 * 1024;

/// Where a buffer of at least n bytes may be borrowed that nothing else uses at the moment.
pub(super) type Lender<'a> = &'a mut dyn FnMut(usize) -> Option<Vec<u8>>;

/// The state of a message after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its current frame needs more bytes.
    InFrame,
    /// The frame is complete, the message is not.
    BetweenFrames,
    /// The message is complete.
    Complete,
}

/// A message in progress.
#[derive(Debug)]
pub(super) struct Assembly {
    kind: Kind,
    /// It is compressed: its text can be checked only when it is whole.
    deflated: bool,
    /// The payload so far, unmasked, in its first `filled` bytes. What follows them is what lent memory was used for before.
    message: Vec<u8>,
    filled: usize,
    /// How much of a text's payload is known to be complete characters.
    checked: usize,
    /// Frames begun, the current one included.
    fragments: u32,
    /// The current frame is the last one.
    is_final: bool,
    mask: Option<[u8; 4]>,
    /// Payload bytes of the current frame that have come.
    phase: usize,
    /// Payload bytes of the current frame that have not.
    remaining: usize,
}

impl Assembly {
    pub(super) fn new(kind: Kind, deflated: bool) -> Self {
        Assembly {
            kind,
            deflated,
            message: Vec::new(),
            filled: 0,
            checked: 0,
            fragments: 0,
            is_final: false,
            mask: None,
            phase: 0,
            remaining: 0,
        }
    }

    /// Starts the next frame of the message.
    pub(super) fn begin_frame(&mut self, header: &Header) {
        self.fragments = self.fragments.saturating_add(1);
        self.is_final = header.is_final;
        self.mask = header.mask;
        // Each frame has a mask of its own, which begins anew with it (RFC 6455 section 5.3).
        self.phase = 0;
        self.remaining = header.length;
    }

    /// Takes what belongs to the current frame from the start of `input`, and returns how many bytes that were.
    pub(super) fn absorb(&mut self, input: &mut [u8], lender: Lender<'_>) -> Result<usize, FrameError> {
        let count = self.remaining.min(input.len());
        let piece = &mut input[..count];
        if let Some(key) = self.mask {
            mask::unmask(piece, key, self.phase);
        }
        self.make_room(count, lender);
        // Lent memory still has its earlier user's bytes, which are overwritten; where there are too few, the piece is
        // appended.
        match self.message.get_mut(self.filled..self.filled + count) {
            Some(room) => room.copy_from_slice(piece),
            None => {
                self.message.truncate(self.filled);
                self.message.extend_from_slice(piece);
            }
        }
        self.took(count)?;
        Ok(count)
    }

    /// Where the next bytes of the current frame may be read to, without a copy. None while the message has no memory that
    /// was used before: to fill new memory first would cost what the copy does.
    pub(super) fn room(&mut self) -> Option<&mut [u8]> {
        let end = self.message.len().min(self.filled + self.remaining.min(ROOM_BYTES_MAX));
        if self.remaining < ROOM_BYTES_MIN || end < self.filled + ROOM_BYTES_MIN {
            return None;
        }
        self.message.get_mut(self.filled..end)
    }

    /// The same after `count` bytes were read there.
    pub(super) fn fill(&mut self, count: usize) -> Result<(), FrameError> {
        // No more than `room` gave out, whatever the caller says.
        let count = count.min(self.remaining).min(self.message.len() - self.filled);
        if let Some(key) = self.mask {
            mask::unmask(&mut self.message[self.filled..self.filled + count], key, self.phase);
        }
        self.took(count)
    }

    fn took(&mut self, count: usize) -> Result<(), FrameError> {
        self.filled += count;
        self.phase += count;
        self.remaining -= count;
        self.check_text()
    }

    /// Continues in memory that is lent, if there is enough for the whole frame: growing costs a copy for each doubling, and new
    /// memory its first touch. Otherwise doubles, so that many small pieces cost little, but not beyond the end of the message
    /// once that is known.
    fn make_room(&mut self, count: usize, lender: Lender<'_>) {
        let needed = self.filled + count;
        if needed <= self.message.capacity() {
            return;
        }
        if needed >= LENT_BYTES_MIN
            && let Some(mut memory) = lender(self.filled + self.remaining)
        {
            // May be shorter than `before`: a lender answers for the capacity, and leaves the length of earlier use.
            let before = &self.message[..self.filled];
            match memory.get_mut(..before.len()) {
                Some(start) => start.copy_from_slice(before),
                None => before.clone_into(&mut memory),
            }
            self.message = memory;
            return;
        }
        let mut target = needed.max(self.message.capacity().saturating_mul(2));
        // The end is known only in the last frame: another fragment may follow the end of any other.
        if self.is_final {
            target = target.min(self.filled + self.remaining);
        }
        // Stale bytes would be copied along, and `reserve_exact` counts from the length. Exact: the doubling is done
        // above.
        self.message.truncate(self.filled);
        self.message.reserve_exact(target - self.filled);
    }

    /// Refuses a text at its first wrong byte, and one that ends inside a character (RFC 6455 section 8.1).
    fn check_text(&mut self) -> Result<(), FrameError> {
        if self.kind == Kind::Binary || self.deflated {
            return Ok(());
        }
        self.checked += utf8::check_beginning(&self.message[self.checked..self.filled])?;
        let unfinished = self.progress() == Progress::Complete && self.checked < self.filled;
        if unfinished { Err(utf8::UNFINISHED) } else { Ok(()) }
    }

    pub(super) fn progress(&self) -> Progress {
        match (self.remaining, self.is_final) {
            (0, true) => Progress::Complete,
            (0, false) => Progress::BetweenFrames,
            _ => Progress::InFrame,
        }
    }

    /// How far it is.
    pub(super) fn so_far(&self) -> Begun {
        Begun { bytes: self.filled, frames: self.fragments, deflated: self.deflated }
    }

    /// The bytes of memory held for the payload.
    pub(super) fn capacity(&self) -> usize {
        self.message.capacity()
    }

    /// Gives the message away: its kind, whether it is compressed, and its payload.
    pub(super) fn into_message(mut self) -> (Kind, bool, Vec<u8>) {
        // Lent memory may be longer than the message, with another message's bytes at its end.
        self.message.truncate(self.filled);
        (self.kind, self.deflated, self.message)
    }
}
