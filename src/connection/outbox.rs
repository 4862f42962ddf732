//! What a connection has to send: shared frames by reference and its own bytes by copy, in order, until the socket took them.

use super::buffer_pool::BufferPool;
pub use super::queue::SLICES_MAX;
use super::queue::{Queue, Segment};
use crate::wire::frame::SharedFrame;
use std::io::IoSlice;

/// Own bytes are gathered up to this size before they become a segment of their own, in bytes.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// The bytes that one connection still has to send: two words when there are none, and when they are one shared frame.
pub struct Outbox(Held);

/// What is waiting.
enum Held {
    /// One shared frame of which nothing was taken: all that a publication is for most of its readers.
    One(SharedFrame),
    /// Anything else; `None` when nothing is waiting.
    Queue(Option<Box<Queue>>),
}

impl Default for Outbox {
    fn default() -> Self {
        Outbox(Held::Queue(None))
    }
}

impl Outbox {
    /// Bytes still to be sent.
    #[must_use]
    #[inline]
    pub fn len(&self) -> usize {
        match &self.0 {
            Held::One(frame) => frame.len(),
            Held::Queue(queue) => queue.as_ref().map_or(0, |queue| queue.bytes),
        }
    }

    /// Whether there is nothing to send.
    #[must_use]
    #[inline]
    pub fn is_empty(&self) -> bool {
        matches!(self.0, Held::Queue(None))
    }

    /// Appends a frame that others send too: only its reference is kept.
    // Each delivery comes here, and nearly always to an empty outbox: a call and the drop of nothing took a tenth of it.
    #[inline(always)]
    pub fn push_shared(&mut self, frame: SharedFrame, pool: &mut BufferPool) {
        if self.is_empty() && !frame.is_empty() {
            // `forget` leaks nothing, since an empty outbox owns nothing; it saves the check that a drop would make.
            std::mem::forget(std::mem::replace(&mut self.0, Held::One(frame)));
        } else {
            self.queue_shared(frame, pool);
        }
    }

    fn queue_shared(&mut self, frame: SharedFrame, pool: &mut BufferPool) {
        if !frame.is_empty() {
            self.queue(pool).push(Segment::Shared(frame));
        }
    }

    /// Appends bytes that were gathered anyway, without a copy.
    pub fn push_own(&mut self, bytes: Vec<u8>, pool: &mut BufferPool) {
        if !bytes.is_empty() {
            self.queue(pool).push(Segment::Own(bytes));
        }
    }

    /// Appends what `write` writes. It must only append.
    pub fn append(&mut self, pool: &mut BufferPool, write: impl FnOnce(&mut Vec<u8>)) {
        let queue = self.queue(pool);
        let before = queue.tail.len();
        write(&mut queue.tail);
        debug_assert!(queue.tail.len() >= before, "an outbox is only appended to");
        queue.bytes += queue.tail.len() - before;
        if queue.tail.len() > TAIL_BYTES_MAX {
            queue.seal_tail();
        }
        // Nothing was written: an outbox with a queue, even an empty one, would not count as empty.
        if queue.bytes == 0 {
            self.clear(pool);
        }
    }

    /// What is queued so far will be sent, whatever is cut later: without the head of a stream or of a WebSocket nothing
    /// after it means anything.
    pub fn pin(&mut self, pool: &mut BufferPool) {
        if !self.is_empty() {
            let queue = self.queue(pool);
            queue.pinned = queue.bytes;
        }
    }

    /// The one shared frame that is all there is to write, if none of it was written.
    #[must_use]
    #[inline]
    pub fn shared_frame(&self) -> Option<&SharedFrame> {
        match &self.0 {
            Held::One(frame) => Some(frame),
            Held::Queue(_) => None,
        }
    }

    /// What to write next, when it is all in one place.
    #[must_use]
    #[inline]
    pub fn single(&self) -> Option<&[u8]> {
        let queue = match &self.0 {
            Held::One(frame) => return Some(frame),
            Held::Queue(queue) => queue.as_ref()?,
        };
        match (queue.segments.front(), queue.segments.len()) {
            (None, _) => queue.tail.get(queue.taken..),
            (Some(only), 1) if queue.tail.is_empty() => only.get(queue.taken..),
            _ => None,
        }
    }

    /// Fills `slices` with what to write next; how many were filled.
    pub fn slices<'a>(&'a self, slices: &mut [IoSlice<'a>; SLICES_MAX]) -> usize {
        let mut filled = 0;
        for part in self.parts().take(SLICES_MAX) {
            slices[filled] = IoSlice::new(part);
            filled += 1;
        }
        filled
    }

    /// What to write next, in order and without empty parts.
    pub fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let (frame, queue) = match &self.0 {
            Held::One(frame) => (Some(&frame[..]), None),
            Held::Queue(queue) => (None, queue.as_deref()),
        };
        let mut skip = queue.map_or(0, |queue| queue.taken);
        let segments = queue.into_iter().flat_map(|queue| queue.segments.iter().map(|segment| &segment[..]));
        let tail = queue.map(|queue| &queue.tail[..]);
        let all = frame.into_iter().chain(segments).chain(tail);
        // Only the first part can have been begun, so it takes the whole skip.
        all.map(move |part| &part[std::mem::take(&mut skip).min(part.len())..]).filter(|part| !part.is_empty())
    }

    /// The socket took `written` bytes.
    #[inline]
    pub fn advance(&mut self, written: usize, pool: &mut BufferPool) {
        match &mut self.0 {
            // A frame that was taken in part becomes a queue below, which alone can keep how much of it.
            Held::One(frame) if written >= frame.len() => self.0 = Held::Queue(None),
            Held::Queue(None) => {}
            _ => {
                let queue = self.queue(pool);
                if queue.advance(written, |bytes| pool.put_large(bytes)) {
                    self.clear(pool);
                }
            }
        }
    }

    /// Forgets what the socket has not begun to take and what is not pinned. The segment in progress stays, since a frame
    /// that was begun must end.
    pub fn cut(&mut self, pool: &mut BufferPool) {
        match &mut self.0 {
            Held::Queue(Some(queue)) if queue.taken > 0 || queue.pinned > 0 => queue.cut(),
            _ => self.clear(pool),
        }
    }

    /// Drops everything: the peer is gone or is cut off.
    pub fn clear(&mut self, pool: &mut BufferPool) {
        if let Held::Queue(Some(queue)) = std::mem::replace(&mut self.0, Held::Queue(None)) {
            pool.put(queue);
        }
    }

    /// The queue, which is made if there is none.
    fn queue(&mut self, pool: &mut BufferPool) -> &mut Queue {
        if let Held::One(_) = self.0
            && let Held::One(frame) = std::mem::replace(&mut self.0, Held::Queue(None))
        {
            self.queue(pool).push(Segment::Shared(frame));
        }
        match &mut self.0 {
            Held::Queue(queue) => queue.get_or_insert_with(|| pool.take()),
            Held::One(_) => unreachable!("a single frame became the first segment of a queue above"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Outbox, SLICES_MAX};
    use crate::connection::buffer_pool::BufferPool;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::io::IoSlice;

    #[test]
    fn an_outbox_is_two_words() {
        assert_eq!(size_of::<Outbox>(), 2 * size_of::<usize>());
    }

    /// Whatever is pushed comes out in order and whole, however little the socket takes at a time.
    #[test]
    fn bytes_come_out_as_they_went_in() {
        let mut random = StdRng::seed_from_u64(11);
        let mut pool = BufferPool::default();
        for _ in 0..2_000 {
            let mut outbox = Outbox::default();
            let (mut expected, mut sent) = (Vec::new(), Vec::new());
            for _ in 0..random.random_range(1..200) {
                let piece = vec![random.random::<u8>(); random.random_range(0..300)];
                expected.extend_from_slice(&piece);
                if random.random_bool(0.4) {
                    outbox.push_shared(piece.into(), &mut pool);
                } else if random.random_bool(0.2) {
                    outbox.push_own(piece, &mut pool);
                } else {
                    outbox.append(&mut pool, |out| out.extend_from_slice(&piece));
                }
                if random.random_bool(0.2) {
                    take(&mut outbox, &mut sent, random.random_range(0..2_000), &mut pool);
                }
                assert_eq!(outbox.len(), expected.len() - sent.len());
            }
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, random.random_range(1..5_000), &mut pool);
            }
            assert_eq!(sent, expected);
        }
    }

    #[test]
    fn a_cut_leaves_the_rest_of_what_was_begun_and_nothing_else() {
        let mut pool = BufferPool::default();
        for taken in 0..30 {
            let mut outbox = Outbox::default();
            outbox.push_shared(b"0123456789"[..].into(), &mut pool);
            outbox.append(&mut pool, |out| out.extend_from_slice(b"abcde"));
            outbox.append(&mut pool, |out| out.extend_from_slice(b"fghij"));
            outbox.push_shared(b"ABCDEFGHIJ"[..].into(), &mut pool);
            let mut sent = Vec::new();
            take(&mut outbox, &mut sent, taken, &mut pool);
            outbox.cut(&mut pool);
            outbox.append(&mut pool, |out| out.extend_from_slice(b"!"));
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, 7, &mut pool);
            }
            let whole = taken.div_ceil(10) * 10;
            assert_eq!(sent[..whole], b"0123456789abcdefghijABCDEFGHIJ"[..whole]);
            assert_eq!(sent[whole..], *b"!");
        }
    }

    /// A peer that never reads its 101 or the head of its stream must not be told the end of something it never saw begin.
    #[test]
    fn a_cut_leaves_what_is_pinned() {
        let mut pool = BufferPool::default();
        for taken in 0..20 {
            let mut outbox = Outbox::default();
            outbox.push_shared(b"an answer"[..].into(), &mut pool);
            outbox.append(&mut pool, |out| out.extend_from_slice(b" and a head"));
            outbox.pin(&mut pool);
            outbox.push_shared(b"a push"[..].into(), &mut pool);
            let mut sent = Vec::new();
            take(&mut outbox, &mut sent, taken, &mut pool);
            outbox.cut(&mut pool);
            assert_eq!(outbox.len(), 20 - taken);
            outbox.append(&mut pool, |out| out.extend_from_slice(b"!"));
            while !outbox.is_empty() {
                take(&mut outbox, &mut sent, 7, &mut pool);
            }
            assert_eq!(sent, b"an answer and a head!", "{taken} were taken before");
        }
    }

    fn take(outbox: &mut Outbox, sent: &mut Vec<u8>, at_most: usize, pool: &mut BufferPool) {
        let mut slices = [IoSlice::new(&[]); SLICES_MAX];
        let filled = outbox.slices(&mut slices);
        if let Some(single) = outbox.single() {
            assert_eq!((filled, single), (1, &slices[0][..]));
        }
        assert_eq!(outbox.is_empty(), filled == 0);
        let mut room = at_most;
        for slice in &slices[..filled] {
            let part = &slice[..slice.len().min(room)];
            sent.extend_from_slice(part);
            room -= part.len();
        }
        assert!(filled != 1 || outbox.single().is_some(), "what is one part is known to be one");
        outbox.advance(at_most - room, pool);
    }
}
