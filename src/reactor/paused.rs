//! Connections that sent more bytes than they may: they are not read before a moment of their own.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::{Duration, Instant};

/// Room that is kept for moments.
const KEPT: usize = 1024;

/// See the module. At most one moment for each connection, and one for each that was closed before its own came.
#[derive(Debug, Default)]
pub(super) struct Paused(BinaryHeap<Reverse<(Instant, u32, u32)>>);

impl Paused {
    /// The connection with this slot and generation is not read before `until`.
    pub(super) fn add(&mut self, until: Instant, slot: u32, generation: u32) {
        self.0.push(Reverse((until, slot, generation)));
    }

    /// Whether none waits.
    #[inline]
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The next that may go on, by slot and generation.
    pub(super) fn next_due(&mut self, now: Instant) -> Option<(u32, u32)> {
        let next = self.0.peek_mut().filter(|next| next.0.0 <= now)?;
        let Reverse((_, slot, generation)) = std::collections::binary_heap::PeekMut::pop(next);
        Some((slot, generation))
    }

    /// A storm has passed: its memory goes back.
    pub(super) fn shrink(&mut self) {
        if self.0.is_empty() && self.0.capacity() > KEPT {
            self.0 = BinaryHeap::new();
        }
    }

    /// How long until the next may go on.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        self.0.peek().map(|Reverse((until, ..))| until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::Paused;
    use std::time::{Duration, Instant};

    #[test]
    fn each_goes_on_at_its_moment_the_earliest_first() {
        let (mut paused, start) = (Paused::default(), Instant::now());
        let at = |ms| start + Duration::from_millis(ms);
        assert_eq!((paused.wait(start), paused.next_due(at(1000))), (None, None));
        for (ms, slot) in [(30, 1), (10, 2), (20, 3)] {
            paused.add(at(ms), slot, 7);
        }
        assert_eq!(paused.wait(at(4)), Some(Duration::from_millis(6)));
        assert_eq!(paused.next_due(at(9)), None);
        let due = [(); 3].map(|()| paused.next_due(at(25)));
        assert_eq!(due, [Some((2, 7)), Some((3, 7)), None]);
        assert_eq!(paused.wait(at(40)), Some(Duration::ZERO));
    }
}
