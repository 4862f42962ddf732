//! Bytes in order: shared frames by reference, own bytes by value, and how far the socket has come.

use crate::wire::frame::SharedFrame;
use std::collections::VecDeque;
use std::ops::Deref;

/// Slices in one `writev`; more wait for the next one. (The kernel takes 1024; 64 fill any socket buffer.)
pub const SLICES_MAX: usize = 64;

/// Segments and, after all of them, a tail that grows.
#[derive(Default)]
pub(super) struct Queue {
    /// What was pushed whole, or sealed, in order.
    pub(super) segments: VecDeque<Segment>,
    /// Bytes of the first segment (or of the tail, when there are no segments) that the socket took already.
    pub(super) taken: usize,
    /// Own bytes after all segments.
    pub(super) tail: Vec<u8>,
    /// Bytes still to be sent.
    pub(super) bytes: usize,
    /// How many of these, from the first on, no cut takes away.
    pub(super) pinned: usize,
}

/// Bytes that follow each other.
pub(super) enum Segment {
    /// A frame that others send, too.
    Shared(SharedFrame),
    /// This connection's own.
    Own(Vec<u8>),
}

impl Deref for Segment {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match self {
            Segment::Shared(frame) => frame,
            Segment::Own(bytes) => bytes,
        }
    }
}

impl Queue {
    /// Appends a segment after the tail.
    pub(super) fn push(&mut self, segment: Segment) {
        self.seal_tail();
        self.bytes += segment.len();
        self.segments.push_back(segment);
    }

    /// The socket took `written` bytes; `emptied` gets the memory of each own segment that is through. True when nothing is left.
    pub(super) fn advance(&mut self, written: usize, mut emptied: impl FnMut(Vec<u8>)) -> bool {
        debug_assert!(written <= self.bytes, "more was written than there was");
        self.bytes -= written.min(self.bytes);
        self.pinned = self.pinned.saturating_sub(written);
        // The segments stay: the pool takes the whole queue, and their memory with it.
        if self.bytes == 0 {
            return true;
        }
        self.taken += written;
        while let Some(first) = self.segments.front() {
            if self.taken < first.len() {
                break;
            }
            // With no segment left, what remains was taken of the tail.
            self.taken -= first.len();
            if let Some(Segment::Own(bytes)) = self.segments.pop_front() {
                emptied(bytes);
            }
        }
        false
    }

    /// Drops what is neither begun nor pinned.
    pub(super) fn cut(&mut self) {
        // Where the frames in a tail end is unknown: like a segment, all of it stays or goes.
        self.seal_tail();
        // At least one byte more than was taken: that keeps the segment in progress.
        let wanted = self.taken + self.pinned.max(1);
        let (mut kept, mut bytes) = (0, 0);
        while bytes < wanted && kept < self.segments.len() {
            bytes += self.segments[kept].len();
            kept += 1;
        }
        self.segments.truncate(kept);
        self.bytes = bytes - self.taken;
    }

    /// Makes the tail a segment, so that something can follow it.
    pub(super) fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(Segment::Own(std::mem::take(&mut self.tail)));
        }
    }
}
