//! What a connection has to say: shared frames by reference and its own bytes by copy, in order, until the socket took them.

use crate::wire::frame::SharedFrame;
use std::collections::VecDeque;
use std::io::IoSlice;
use std::ops::Deref;

/// Slices in one `writev`; more wait for the next one. (The kernel takes 1024; 64 fill any socket buffer.)
pub const SLICES_MAX: usize = 64;

/// Own bytes are gathered up to this size before they become a segment of their own, in bytes.
const TAIL_BYTES_MAX: usize = 64 * 1024;

/// A spare queue keeps at least this much of its tail's memory, in bytes, if it has it.
const SPARE_TAIL_BYTES: usize = 4 * 1024;

/// A spare queue keeps all of its tail's memory while the tails of all have at most so many bytes: as many as a tick of
/// large answers takes, and small beside a processor's cache.
const SPARE_TAILS_BYTES: usize = 512 * 1024;

/// Memory of a message is kept for the next large one from this size on, in bytes.
const SPARE_LARGE_LEAST: usize = 32 * 1024;
/// All such memory of a reactor, in bytes.
const SPARE_LARGE_BYTES: usize = 8 * 1024 * 1024;

/// Spare queues kept by a reactor: enough for the connections that are busy in one tick, and about 2 MiB of
/// what such queues usually hold.
const SPARES_MAX: usize = 8 * 1024;

/// The bytes that one connection still has to send: two words when there are none, and when they are one shared frame.
pub struct Outbox(Held);

/// What is waiting.
enum Held {
    /// One shared frame of which nothing was taken: what a publication comes to for most of its readers.
    One(SharedFrame),
    /// Anything else; nothing when there is none.
    Queue(Option<Box<Queue>>),
}

/// Queues that idle connections gave back, so that a busy one need not allocate.
#[derive(Default)]
pub struct Spares {
    // Boxed as they are used: what is handed out and taken back is one pointer.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    queues: Vec<Box<Queue>>,
    /// What their tails have, used or not.
    tails_bytes: usize,
    /// What large messages were sent from.
    large: Vec<Vec<u8>>,
    /// What these have, used or not.
    large_bytes: usize,
}

#[derive(Default)]
struct Queue {
    segments: VecDeque<Segment>,
    /// Bytes of the first segment (or of the tail, when there are no segments) that the socket took already.
    taken: usize,
    /// Own bytes behind all segments.
    tail: Vec<u8>,
    bytes: usize,
    /// Of these, the first so many that no cut takes away.
    pinned: usize,
}

/// Bytes that follow each other.
enum Segment {
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
    pub fn push_shared(&mut self, frame: SharedFrame, spares: &mut Spares) {
        if self.is_empty() && !frame.is_empty() {
            // Nothing is forgotten: there was nothing.
            std::mem::forget(std::mem::replace(&mut self.0, Held::One(frame)));
        } else {
            self.queue_shared(frame, spares);
        }
    }

    fn queue_shared(&mut self, frame: SharedFrame, spares: &mut Spares) {
        if !frame.is_empty() {
            self.queue(spares).push(Segment::Shared(frame));
        }
    }

    /// Appends bytes that were gathered anyway, without a copy.
    pub fn push_own(&mut self, bytes: Vec<u8>, spares: &mut Spares) {
        if !bytes.is_empty() {
            self.queue(spares).push(Segment::Own(bytes));
        }
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
            self.clear(spares);
        }
    }

    /// What is queued so far will be sent, whatever is cut later: without the head of a stream or of a WebSocket nothing
    /// behind it means anything.
    pub fn pin(&mut self, spares: &mut Spares) {
        if !self.is_empty() {
            let queue = self.queue(spares);
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
        all.map(move |part| &part[std::mem::take(&mut skip).min(part.len())..]).filter(|part| !part.is_empty())
    }

    /// The socket took `written` bytes.
    #[inline]
    pub fn advance(&mut self, written: usize, spares: &mut Spares) {
        match &mut self.0 {
            Held::One(frame) if written >= frame.len() => self.0 = Held::Queue(None),
            Held::Queue(None) => {}
            _ => {
                let queue = self.queue(spares);
                if queue.advance(written, spares) {
                    self.clear(spares);
                }
            }
        }
    }

    /// Forgets what the socket has not begun to take and what is not pinned. The segment under way stays, since a frame
    /// that was begun must end.
    pub fn cut(&mut self, spares: &mut Spares) {
        match &mut self.0 {
            Held::Queue(Some(queue)) if queue.taken > 0 || queue.pinned > 0 => queue.cut(),
            _ => self.clear(spares),
        }
    }

    /// Forgets everything: nobody will read it.
    pub fn clear(&mut self, spares: &mut Spares) {
        if let Held::Queue(Some(queue)) = std::mem::replace(&mut self.0, Held::Queue(None)) {
            spares.put(queue);
        }
    }

    /// The queue, which is made if there is none.
    fn queue(&mut self, spares: &mut Spares) -> &mut Queue {
        if let Held::One(_) = self.0
            && let Held::One(frame) = std::mem::replace(&mut self.0, Held::Queue(None))
        {
            self.queue(spares).push(Segment::Shared(frame));
        }
        match &mut self.0 {
            Held::Queue(queue) => queue.get_or_insert_with(|| spares.take()),
            Held::One(_) => unreachable!("a single frame became the first segment of a queue above"),
        }
    }
}

impl Queue {
    fn push(&mut self, segment: Segment) {
        self.seal_tail();
        self.bytes += segment.len();
        self.segments.push_back(segment);
    }

    /// True when nothing is left.
    fn advance(&mut self, written: usize, spares: &mut Spares) -> bool {
        debug_assert!(written <= self.bytes, "more was written than there was");
        self.bytes -= written.min(self.bytes);
        self.pinned = self.pinned.saturating_sub(written);
        if self.bytes == 0 {
            return true;
        }
        self.taken += written;
        while let Some(first) = self.segments.front() {
            if self.taken < first.len() {
                break;
            }
            self.taken -= first.len();
            if let Some(Segment::Own(bytes)) = self.segments.pop_front() {
                spares.put_large(bytes);
            }
        }
        false
    }

    fn cut(&mut self) {
        self.seal_tail();
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
    fn seal_tail(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push_back(Segment::Own(std::mem::take(&mut self.tail)));
        }
    }
}

impl Spares {
    fn take(&mut self) -> Box<Queue> {
        let Some(queue) = self.queues.pop() else { return Box::default() };
        self.tails_bytes -= queue.tail.capacity();
        queue
    }

    /// Memory of at least so many bytes for a large message, if there is some. It holds what it was used for before.
    pub fn take_large(&mut self, least: usize) -> Option<Vec<u8>> {
        let place = self.large.iter().rposition(|bytes| bytes.capacity() >= least)?;
        let bytes = self.large.swap_remove(place);
        self.large_bytes -= bytes.capacity();
        Some(bytes)
    }

    fn put_large(&mut self, bytes: Vec<u8>) {
        let size = bytes.capacity();
        if size >= SPARE_LARGE_LEAST && self.large_bytes + size <= SPARE_LARGE_BYTES {
            self.large_bytes += size;
            self.large.push(bytes);
        }
    }

    fn put(&mut self, mut queue: Box<Queue>) {
        if self.queues.len() >= SPARES_MAX {
            return;
        }
        for segment in queue.segments.drain(..) {
            if let Segment::Own(bytes) = segment {
                self.put_large(bytes);
            }
        }
        queue.segments.shrink_to(SLICES_MAX);
        queue.tail.clear();
        if self.tails_bytes + queue.tail.capacity() > SPARE_TAILS_BYTES {
            queue.tail.shrink_to(SPARE_TAIL_BYTES);
        }
        self.tails_bytes += queue.tail.capacity();
        queue.taken = 0;
        queue.bytes = 0;
        queue.pinned = 0;
        self.queues.push(queue);
    }
}

#[cfg(test)]
mod tests {
    use super::{
        Outbox, SLICES_MAX, SPARE_LARGE_BYTES, SPARE_LARGE_LEAST, SPARE_TAIL_BYTES, SPARE_TAILS_BYTES, Spares,
    };
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
        let mut spares = Spares::default();
        for _ in 0..2_000 {
            let mut outbox = Outbox::default();
            let (mut expected, mut sent) = (Vec::new(), Vec::new());
            for _ in 0..random.random_range(1..200) {
                let piece = vec![random.random::<u8>(); random.random_range(0..300)];
                expected.extend_from_slice(&piece);
                if random.random_bool(0.4) {
                    outbox.push_shared(piece.into(), &mut spares);
                } else if random.random_bool(0.2) {
                    outbox.push_own(piece, &mut spares);
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
    fn spares_keep_large_tails_within_their_budget_and_4_kib_of_the_others() {
        let mut spares = Spares::default();
        let mut outboxes: Vec<Outbox> = (0..100).map(|_| Outbox::default()).collect();
        for outbox in &mut outboxes {
            outbox.append(&mut spares, |out| out.resize(20 * 1024, 0));
        }
        outboxes.iter_mut().for_each(|outbox| outbox.clear(&mut spares));
        let kept = spares.queues.iter().filter(|queue| queue.tail.capacity() >= 20 * 1024).count();
        assert_eq!(kept, SPARE_TAILS_BYTES / (20 * 1024), "the others did not fit");
        let all: usize = spares.queues.iter().map(|queue| queue.tail.capacity()).sum();
        assert_eq!((all, spares.queues.len()), (spares.tails_bytes, 100));
        assert!(all <= SPARE_TAILS_BYTES + 100 * SPARE_TAIL_BYTES);
        let taken: usize = (0..100).map(|_| spares.take().tail.capacity()).sum();
        assert_eq!((taken, spares.tails_bytes), (all, 0));
    }

    #[test]
    fn memory_of_large_messages_goes_round_within_its_budget() {
        let mut spares = Spares::default();
        let mut outboxes: Vec<Outbox> = (0..10).map(|_| Outbox::default()).collect();
        for outbox in &mut outboxes {
            outbox.push_own(vec![1; SPARE_LARGE_LEAST - 1], &mut spares);
            outbox.push_own(vec![1; 1024 * 1024], &mut spares);
            outbox.push_own(vec![1], &mut spares);
        }
        // One that is sent to its end, one from which the first parts were sent, and the others by giving up.
        let each = outboxes[0].len();
        outboxes[0].advance(each, &mut spares);
        outboxes[1].advance(each - 1, &mut spares);
        assert_eq!((spares.large.len(), spares.large_bytes), (2, 2 * 1024 * 1024));
        outboxes.iter_mut().for_each(|outbox| outbox.clear(&mut spares));
        assert_eq!((spares.large.len(), spares.large_bytes), (8, SPARE_LARGE_BYTES));
        assert!(spares.take_large(1024 * 1024 + 1).is_none());
        let taken: Vec<_> = std::iter::from_fn(|| spares.take_large(1024 * 1024)).collect();
        assert_eq!((taken.len(), spares.large_bytes), (8, 0));
    }

    #[test]
    fn a_cut_leaves_the_rest_of_what_was_begun_and_nothing_else() {
        let mut spares = Spares::default();
        for taken in 0..30 {
            let mut outbox = Outbox::default();
            outbox.push_shared(b"0123456789"[..].into(), &mut spares);
            outbox.append(&mut spares, |out| out.extend_from_slice(b"abcde"));
            outbox.append(&mut spares, |out| out.extend_from_slice(b"fghij"));
            outbox.push_shared(b"ABCDEFGHIJ"[..].into(), &mut spares);
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
            outbox.push_shared(b"an answer"[..].into(), &mut spares);
            outbox.append(&mut spares, |out| out.extend_from_slice(b" and a head"));
            outbox.pin(&mut spares);
            outbox.push_shared(b"a push"[..].into(), &mut spares);
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
        outbox.advance(at_most - room, spares);
    }
}
