//! Memory that a thread's connections lend each other for large messages.

/// Memory that a connection may keep for what it sends next, in bytes.
const KEPT_BYTES: usize = 512;
/// Memory that a thread keeps for what its connections send next, in bytes. Giving it back to the system each time costs a
/// page fault for each page of a large message.
const POOLED_BYTES: usize = 32 << 20;

/// Memory for large messages that connections gave back.
#[derive(Debug, Default)]
pub(super) struct Pool {
    buffers: Vec<Vec<u8>>,
    bytes: usize,
}

impl Pool {
    /// Lends memory to a connection that has next to none and nothing to send.
    pub(super) fn lend(&mut self, out: &mut Vec<u8>) {
        if out.is_empty()
            && out.capacity() <= KEPT_BYTES
            && let Some(buffer) = self.buffers.pop()
        {
            self.bytes -= buffer.capacity();
            *out = buffer;
        }
    }

    /// Takes back what a connection with nothing to send may not keep.
    pub(super) fn take_back(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() && out.capacity() > KEPT_BYTES {
            let buffer = std::mem::take(out);
            if self.bytes + buffer.capacity() <= POOLED_BYTES {
                self.bytes += buffer.capacity();
                self.buffers.push(buffer);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{KEPT_BYTES, POOLED_BYTES, Pool};

    #[test]
    fn memory_for_large_messages_goes_round_within_its_budget() {
        let mut pool = Pool::default();
        let mut idle = Vec::with_capacity(KEPT_BYTES);
        pool.take_back(&mut idle);
        assert_eq!((idle.capacity(), pool.bytes), (KEPT_BYTES, 0), "a connection keeps so much");
        let mut busy: Vec<Vec<u8>> = (0..5).map(|_| Vec::with_capacity(POOLED_BYTES / 4)).collect();
        busy[4].push(1);
        busy.iter_mut().for_each(|out| pool.take_back(out));
        assert_eq!((pool.buffers.len(), pool.bytes), (4, POOLED_BYTES), "the last has something to send");
        busy[4].clear();
        pool.take_back(&mut busy[4]);
        assert_eq!((pool.buffers.len(), busy[4].capacity()), (4, 0), "there is no room for it");
        pool.lend(&mut idle);
        assert_eq!((idle.capacity(), pool.bytes), (POOLED_BYTES / 4, POOLED_BYTES / 4 * 3));
        idle.push(1);
        pool.lend(&mut idle);
        assert_eq!((idle.len(), pool.buffers.len()), (1, 3), "it has what it needs");
    }
}
