//! A message that arrives in pieces: it grows with the bytes that have come, never with the bytes that were announced.

use super::header::{Begun, Header};
use super::{FrameError, Kind, mask, utf8};

/// Memory is lent to a message of which so much has come and so much is missing, in bytes: who only announces gets none.
const LENT_BYTES_LEAST: usize = 32 * 1024;

/// How far a message is after some bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Progress {
    /// Its current frame needs more bytes.
    InFrame,
    /// The frame is complete, the message is not.
    BetweenFrames,
    /// The message is complete.
    Complete,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Assembly {
    kind: Kind,
    /// It is compressed: what it says is known only when it is whole.
    deflated: bool,
    /// The payload so far, unmasked.
    message: Vec<u8>,
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
        self.phase = 0;
        self.remaining = header.length;
    }

    /// Takes what belongs to the current frame from the start of `input`, and says how many bytes that were.
    pub(super) fn absorb(&mut self, input: &mut [u8]) -> Result<usize, FrameError> {
        let count = self.remaining.min(input.len());
        let piece = &mut input[..count];
        if let Some(key) = self.mask {
            mask::unmask(piece, key, self.phase);
        }
        self.make_room(count);
        self.message.extend_from_slice(piece);
        self.phase += count;
        self.remaining -= count;
        self.check_text()?;
        Ok(count)
    }

    /// Doubles, so that many small pieces cost little, but not beyond the end of the message once that is known.
    fn make_room(&mut self, count: usize) {
        let needed = self.message.len() + count;
        if needed <= self.message.capacity() {
            return;
        }
        let mut target = needed.max(self.message.capacity().saturating_mul(2));
        if self.is_final {
            target = target.min(self.message.len() + self.remaining);
        }
        self.message.reserve_exact(target - self.message.len());
    }

    /// Goes on in memory that somebody else has no use for, if more is to come than fits into its own.
    pub(super) fn lend(&mut self, spare: impl FnOnce(usize) -> Option<Vec<u8>>) {
        let room = self.message.capacity() - self.message.len();
        if room < self.remaining
            && self.message.len().min(self.remaining) >= LENT_BYTES_LEAST
            && let Some(mut memory) = spare(self.message.capacity() + 1)
        {
            memory.clear();
            memory.extend_from_slice(&self.message);
            self.message = memory;
        }
    }

    /// Refuses a text at its first wrong byte, and one that ends inside a character (RFC 6455 section 8.1).
    fn check_text(&mut self) -> Result<(), FrameError> {
        if self.kind == Kind::Binary || self.deflated {
            return Ok(());
        }
        self.checked += utf8::check_beginning(&self.message[self.checked..])?;
        let unfinished = self.progress() == Progress::Complete && self.checked < self.message.len();
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
        Begun { bytes: self.message.len(), frames: self.fragments, deflated: self.deflated }
    }

    /// The bytes of memory held for the payload.
    pub(super) fn capacity(&self) -> usize {
        self.message.capacity()
    }

    /// Gives the message up.
    pub(super) fn into_message(self) -> (Kind, bool, Vec<u8>) {
        (self.kind, self.deflated, self.message)
    }
}
