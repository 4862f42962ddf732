//! Memory that idle connections gave back, for busy ones: queues, their tails, and what large messages were sent from.

use super::queue::{Queue, SLICES_MAX, Segment};

/// A pooled queue keeps at least this much of its tail's memory, in bytes, if it has as much.
const TAIL_KEPT_BYTES: usize = 4 * 1024;

/// A pooled queue keeps all of its tail's memory while all tails together have at most this many bytes: what a tick of
/// large answers takes, and small beside a processor's cache.
const TAILS_BYTES_MAX: usize = 512 * 1024;

/// A message's memory of at least this size is kept for the next large message, in bytes.
const LARGE_BYTES_MIN: usize = 32 * 1024;
/// The maximum of all such memory in a pool, in bytes.
const LARGE_TOTAL_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Queues in a pool: enough for the connections that are busy in one tick, and about 2 MiB with what such queues usually
/// hold.
const QUEUES_MAX: usize = 8 * 1024;

/// Queues and large buffers of a reactor's connections that are idle again, so that a busy one need not allocate.
#[derive(Default)]
pub struct BufferPool {
    // Boxed as they are used: what is handed out and taken back is one pointer.
    #[expect(clippy::vec_box, reason = "the boxes themselves are what is kept")]
    queues: Vec<Box<Queue>>,
    /// The capacity of their tails, in bytes.
    tails_bytes: usize,
    /// Memory that large messages were sent from.
    large: Vec<Vec<u8>>,
    /// Their capacity, in bytes.
    large_bytes: usize,
}

impl BufferPool {
    /// An empty queue.
    pub(super) fn take(&mut self) -> Box<Queue> {
        let Some(queue) = self.queues.pop() else { return Box::default() };
        self.tails_bytes -= queue.tail.capacity();
        queue
    }

    /// Memory of at least `min` bytes for a large message, if there is some. It still holds what it was used for before.
    pub fn take_large(&mut self, min: usize) -> Option<Vec<u8>> {
        let place = self.large.iter().rposition(|bytes| bytes.capacity() >= min)?;
        let bytes = self.large.swap_remove(place);
        self.large_bytes -= bytes.capacity();
        Some(bytes)
    }

    /// Keeps memory that a large message was sent from, if it is large and fits.
    pub(super) fn put_large(&mut self, bytes: Vec<u8>) {
        let size = bytes.capacity();
        if size >= LARGE_BYTES_MIN && self.large_bytes + size <= LARGE_TOTAL_BYTES_MAX {
            self.large_bytes += size;
            self.large.push(bytes);
        }
    }

    /// Keeps a queue of which nothing is to be sent any more.
    pub(super) fn put(&mut self, mut queue: Box<Queue>) {
        if self.queues.len() >= QUEUES_MAX {
            return;
        }
        for segment in queue.segments.drain(..) {
            if let Segment::Own(bytes) = segment {
                self.put_large(bytes);
            }
        }
        // One slow reader may have had thousands of segments: the next connection needs no more than one write takes.
        queue.segments.shrink_to(SLICES_MAX);
        // Cleared before it is shrunk: memory does not go below what it holds.
        queue.tail.clear();
        if self.tails_bytes + queue.tail.capacity() > TAILS_BYTES_MAX {
            queue.tail.shrink_to(TAIL_KEPT_BYTES);
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
    use super::{BufferPool, LARGE_BYTES_MIN, LARGE_TOTAL_BYTES_MAX, TAIL_KEPT_BYTES, TAILS_BYTES_MAX};
    use crate::connection::outbox::Outbox;

    #[test]
    fn a_pool_keeps_large_tails_within_their_budget_and_4_kib_of_the_others() {
        let mut pool = BufferPool::default();
        let mut outboxes: Vec<Outbox> = (0..100).map(|_| Outbox::default()).collect();
        for outbox in &mut outboxes {
            outbox.append(&mut pool, |out| out.resize(20 * 1024, 0));
        }
        outboxes.iter_mut().for_each(|outbox| outbox.clear(&mut pool));
        let kept = pool.queues.iter().filter(|queue| queue.tail.capacity() >= 20 * 1024).count();
        assert_eq!(kept, TAILS_BYTES_MAX / (20 * 1024), "the others did not fit");
        let all: usize = pool.queues.iter().map(|queue| queue.tail.capacity()).sum();
        assert_eq!((all, pool.queues.len()), (pool.tails_bytes, 100));
        assert!(all <= TAILS_BYTES_MAX + 100 * TAIL_KEPT_BYTES);
        let taken: usize = (0..100).map(|_| pool.take().tail.capacity()).sum();
        assert_eq!((taken, pool.tails_bytes), (all, 0));
    }

    #[test]
    fn memory_of_large_messages_is_used_again_within_its_budget() {
        let mut pool = BufferPool::default();
        let mut outboxes: Vec<Outbox> = (0..10).map(|_| Outbox::default()).collect();
        for outbox in &mut outboxes {
            outbox.push_own(vec![1; LARGE_BYTES_MIN - 1], &mut pool);
            outbox.push_own(vec![1; 1024 * 1024], &mut pool);
            outbox.push_own(vec![1], &mut pool);
        }
        // One that is sent to its end, one from which the first parts were sent, and the others by giving up.
        let each = outboxes[0].len();
        outboxes[0].advance(each, &mut pool);
        outboxes[1].advance(each - 1, &mut pool);
        assert_eq!((pool.large.len(), pool.large_bytes), (2, 2 * 1024 * 1024));
        outboxes.iter_mut().for_each(|outbox| outbox.clear(&mut pool));
        assert_eq!((pool.large.len(), pool.large_bytes), (8, LARGE_TOTAL_BYTES_MAX));
        assert!(pool.take_large(1024 * 1024 + 1).is_none());
        let taken: Vec<_> = std::iter::from_fn(|| pool.take_large(1024 * 1024)).collect();
        assert_eq!((taken.len(), pool.large_bytes), (8, 0));
    }
}
