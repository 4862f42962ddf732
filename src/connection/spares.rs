//! Memory that idle connections gave back, for busy ones: queues, their tails, and what large messages were sent from.

use super::queue::{Queue, SLICES_MAX, Segment};

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

impl Spares {
    /// An empty queue.
    pub(super) fn take(&mut self) -> Box<Queue> {
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

    /// Keeps memory that a large message was sent from, if it is large and fits.
    pub(super) fn put_large(&mut self, bytes: Vec<u8>) {
        let size = bytes.capacity();
        if size >= SPARE_LARGE_LEAST && self.large_bytes + size <= SPARE_LARGE_BYTES {
            self.large_bytes += size;
            self.large.push(bytes);
        }
    }

    /// Keeps a queue that has nothing more to say.
    pub(super) fn put(&mut self, mut queue: Box<Queue>) {
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
    use super::{SPARE_LARGE_BYTES, SPARE_LARGE_LEAST, SPARE_TAIL_BYTES, SPARE_TAILS_BYTES, Spares};
    use crate::connection::outbox::Outbox;

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
}
