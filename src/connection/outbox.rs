//! What a connection has to say: shared frames by reference and its own bytes by copy, in order, until the socket took them.

use bytes::Bytes;
use std::collections::VecDeque;
use std::io::IoSlice;

/// Slices in one `writev`; more wait for the next one. (The kernel takes 1024; 64 fill any socket buffer.)
pub const SLICES_MAX: usize = 64;

/// Own bytes are gathered up to this size before they become a segment of their own, in bytes.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// A spare queue keeps at most this much of its tail's memory, in bytes.
const SPARE_TAIL_BYTES: usize = 4 * 1024;

/// Spare queues kept by a reactor: enough for the connections that are busy in one tick.
const SPARES_MAX: usize = 1024;

/// The bytes that one connection still has to send. One pointer when there are none.
#[derive(Default)]
pub struct Outbox {
    queue: Option<Box<Queue>>,
}

/// Queues that idle connections gave back, so that a busy one need not allocate.
#[derive(Default)]
pub struct Spares(
    // Boxed as they are used: what is handed out and taken back is one pointer.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")] Vec<Box<Queue>>,
);

#[derive(Default)]
struct Queue {
    segments: VecDeque<Bytes>,
    /// Bytes of the first segment (or of the tail, when there are no segments) that the socket took already.
    taken: usize,
    /// Own bytes behind all segments.
    tail: Vec<u8>,
    bytes: usize,
    /// Of these, the first so many that no cut takes away.
    pinned: usize,
}

impl Outbox {
    /// Bytes still to be sent.
    #[must_use]
    pub fn len(&self) -> usize {
        self.queue.as_ref().map_or(0, |queue| queue.bytes)
    }

    /// Whether there is nothing to send.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.queue.is_none()
    }

    /// Appends a frame that others send too: only its reference is kept.
    pub fn push_shared(&mut self, frame: Bytes, spares: &mut Spares) {
        if frame.is_empty() {
            return;
        }
        let queue = self.queue(spares);
        queue.seal_tail();
        queue.bytes += frame.len();
        queue.segments.push_back(frame);
    }

    /// Appends what `write` writes. It must only append.
    pub fn append(&mut self, spares: &mut Spares, write: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue(spares);
        let before = queue.tail.len();
        write(&mut queue.tail);
        debug_assert!(queue.tail.len() >= before, "an outbox is only appended to");
        queue.bytes += queue.tail.len() - before;
        if queue.tail.len() > TAIL_BYTES_MAX {
            queue.seal_tail();
        }
        if queue.bytes == 0 {
            spares.put(self.queue.take());
        }
    }

    /// What is queued so far will be sent, whatever is cut later: without the head of a stream or of a WebSocket nothing
    /// behind it means anything.
    pub fn pin(&mut self) {
        if let Some(queue) = &mut self.queue {
            queue.pinned = queue.bytes;
        }
    }

    /// Fills `slices` with what to write next; how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let Some(queue) = &self.queue else { return 0 };
        let mut filled = 0;
        let mut skip = queue.taken;
        for part in queue.segments.iter().map(|segment| &segment[..]).chain(std::iter::once(&queue.tail[..])) {
            if filled == SLICES_MAX {
                break;
            }
            let part = &part[skip.min(part.len())..];
            skip = 0;
            if !part.is_empty() {
                slices[filled] = IoSlice::new(part);
                filled += 1;
            }
        }
        filled
    }

    /// The socket took `written` bytes.
    pub fn advance(&mut self, written: usize, spares: &mut Spares) {
        let Some(queue) = &mut self.queue else { return };
        debug_assert!(written <= queue.bytes, "more was written than there was");
        queue.bytes -= written.min(queue.bytes);
        queue.pinned = queue.pinned.saturating_sub(written);
        if queue.bytes == 0 {
            spares.put(self.queue.take());
            return;
        }
        queue.taken += written;
        while let Some(first) = queue.segments.front() {
            if queue.taken < first.len() {
                return;
            }
            queue.taken -= first.len();
            queue.segments.pop_front();
        }
    }

    /// Forgets what the socket has not begun to take and what is not pinned. The segment under way stays, since a frame
    /// that was begun must end.
    pub fn cut(&mut self, spares: &mut Spares) {
        let Some(queue) = &mut self.queue else { return };
        if queue.taken == 0 && queue.pinned == 0 {
            return self.clear(spares);
        }
        queue.seal_tail();
        let wanted = queue.taken + queue.pinned.max(1);
        let (mut kept, mut bytes) = (0, 0);
        while bytes < wanted && kept < queue.segments.len() {
            bytes += queue.segments[kept].len();
            kept += 1;
        }
        queue.segments.truncate(kept);
        queue.bytes = bytes - queue.taken;
    }

    /// Forgets everything: nobody will read it.
    pub fn clear(&mut self, spares: &mut Spares) {
        spares.put(self.queue.take());
    }

    fn queue(&mut self, spares: &mut Spares) -> &mut Queue {
        self.queue.get_or_insert_with(|| spares.0.pop().unwrap_or_default())
    }
}

impl Queue {
    /// Makes the tail a segment, so that something can follow it.
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }
}

impl Spares {
    fn put(&mut self, queue: Option<Box<Queue>>) {
        let Some(mut queue) = queue else { return };
        if self.0.len() >= SPARES_MAX {
            return;
        }
        queue.segments.clear();
        queue.segments.shrink_to(SLICES_MAX);
        queue.tail.clear();
        queue.tail.shrink_to(SPARE_TAIL_BYTES);
        queue.taken = 0;
        queue.bytes = 0;
        queue.pinned = 0;
        self.0.push(queue);
    }
}

#[cfg(test)]
mod tests {
    use super::{Outbox, SLICES_MAX, Spares};
    use bytes::Bytes;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::io::IoSlice;

    #[test]
    fn an_empty_outbox_is_one_pointer() {
        assert_eq!(size_of::<Outbox>(), size_of::<usize>());
    }

    /// Whatever is pushed comes out in order and whole, however little the socket takes at a time.
    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut random = StdRng::seed_from_u64(11);
        let mut spares = Spares::default();
        for _ in 0..2_000 {
            let mut outbox = Outbox::default();
            let (mut expected, mut sent) = (Vec::new(), Vec::new());
            for _ in 0..random.random_range(1..200) {
                let piece = vec![random.random::<u8>(); random.random_range(0..300)];
                expected.extend_from_slice(&piece);
                if random.random_bool(0.5) {
                    outbox.push_shared(Bytes::from(piece), &mut spares);
                } else {
                    outbox.append(&mut spares, |out| out.extend_from_slice(&piece));
                }
                if random.random_bool(0.2) {
                    take(&mut outbox, &mut sent, random.random_range(0..2_000), &mut spares);
                }
                assert_eq!(outbox.len(), expected.len() - sent.len());
            }
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, random.random_range(1..5_000), &mut spares);
            }
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn a_cut_leaves_the_rest_of_what_was_begun_and_nothing_else() {
        let mut spares = Spares::default();
        for taken in 0..30 {
            let mut outbox = Outbox::default();
            outbox.push_shared(Bytes::from_static(b"0123456789"), &mut spares);
            outbox.append(&mut spares, |out| out.extend_from_slice(b"abcde"));
            outbox.append(&mut spares, |out| out.extend_from_slice(b"fghij"));
            outbox.push_shared(Bytes::from_static(b"ABCDEFGHIJ"), &mut spares);
            let mut sent = Vec::new();
            take(&mut outbox, &mut sent, taken, &mut spares);
            outbox.cut(&mut spares);
            outbox.append(&mut spares, |out| out.extend_from_slice(b"!"));
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, 7, &mut spares);
            }
            let whole = taken.div_ceil(10) * 10;
            assert_eq!(sent[..whole], b"0123456789abcdefghijABCDEFGHIJ"[..whole]);
            assert_eq!(sent[whole..], *b"!");
        }
    }

    /// A peer that never reads its 101 or the head of its stream must not be told the end of something it never saw begin.
    #[test]
    fn a_cut_leaves_what_is_pinned() {
        let mut spares = Spares::default();
        for taken in 0..20 {
            let mut outbox = Outbox::default();
            outbox.push_shared(Bytes::from_static(b"an answer"), &mut spares);
            outbox.append(&mut spares, |out| out.extend_from_slice(b" and a head"));
            outbox.pin();
            outbox.push_shared(Bytes::from_static(b"a push"), &mut spares);
            let mut sent = Vec::new();
            take(&mut outbox, &mut sent, taken, &mut spares);
            outbox.cut(&mut spares);
            assert_eq!(outbox.len(), 20 - taken);
            outbox.append(&mut spares, |out| out.extend_from_slice(b"!"));
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, 7, &mut spares);
            }
            assert_eq!(sent, b"an answer and a head!", "{taken} were taken before");
        }
    }

    fn take(outbox: &mut Outbox, sent: &mut Vec<u8>, at_most: usize, spares: &mut Spares) {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let filled = outbox.slices(&mut slices);
        let mut room = at_most;
        for slice in &slices[..filled] {
            let part = &slice[..slice.len().min(room)];
            sent.extend_from_slice(part);
            room -= part.len();
        }
        outbox.advance(at_most - room, spares);
    }
}
