//! Records that were sealed for connections that are written next.
//!
//! What a session needs for one record is in places all over memory, and its code shares no line of the cache with the kernel's
//! part of a write. So records of several connections are sealed in a row, and then written in a row.

use crate::tls::session::SEALED_BYTES_MAX;
use std::ops::Range;

/// Connections whose records are sealed before the first of them is written, and bytes of those records, at most. Where each
/// is written by itself, they should be in the nearest cache still; where all are written with one system call, that has to be
/// for many.
pub(crate) fn sealed_ahead_max(written_together: bool) -> (usize, usize) {
    if written_together { (1024, 1024 * 1024) } else { (32, 64 * 1024) }
}

/// See the module. Its memory is kept.
#[derive(Debug, Default)]
pub(crate) struct Ahead {
    bytes: Vec<u8>,
    records: Vec<Record>,
    /// How many of them were passed on the way to the last that was taken.
    passed: usize,
}

/// One record.
#[derive(Debug)]
struct Record {
    slot: u32,
    range: Range<usize>,
    is_sent: bool,
}

impl Ahead {
    /// Begins anew. What was sealed was sent or taken by then.
    #[inline]
    pub(crate) fn clear(&mut self) {
        let is_left = self.records[self.passed..].iter().any(|record| !record.is_sent);
        debug_assert!(!is_left, "a record that is not sent leaves its session out of step");
        self.records.clear();
        self.passed = 0;
    }

    /// Records that were sealed.
    pub(crate) fn len(&self) -> usize {
        self.records.len()
    }

    /// Room for one record more, unless that could make them more than `bytes_max` together.
    #[inline]
    pub(crate) fn room(&mut self, bytes_max: usize) -> Option<&mut [u8]> {
        let (begin, end) = (self.used(), self.used() + SEALED_BYTES_MAX);
        if end > bytes_max {
            return None;
        }
        if self.bytes.len() < end {
            self.bytes.resize(end, 0);
        }
        self.bytes.get_mut(begin..)
    }

    /// Takes in a record that was written to the beginning of [`Ahead::room`].
    #[inline]
    pub(crate) fn push(&mut self, slot: u32, bytes: usize) {
        let used = self.used();
        self.records.push(Record { slot, range: used..used + bytes, is_sent: false });
    }

    fn used(&self) -> usize {
        self.records.last().map_or(0, |record| record.range.end)
    }

    /// All records with the slots of their connections, in the order in which those are flushed.
    pub(crate) fn records(&self) -> impl Iterator<Item = (u32, &[u8])> {
        self.records.iter().map(|record| (record.slot, &self.bytes[record.range.clone()]))
    }

    /// A record that is sent, by its place: nobody takes it any more.
    pub(crate) fn sent(&mut self, place: usize) -> (u32, &[u8]) {
        let record = &mut self.records[place];
        record.is_sent = true;
        (record.slot, &self.bytes[record.range.clone()])
    }

    /// The record of a connection whose turn has come, if there is one that was not sent.
    #[inline]
    pub(crate) fn take(&mut self, slot: u32) -> Option<&[u8]> {
        // Passed once, and not by each that takes: there may be a thousand.
        while self.records.get(self.passed).is_some_and(|record| record.is_sent) {
            self.passed += 1;
        }
        let record = self.records.get(self.passed).filter(|record| record.slot == slot)?;
        self.passed += 1;
        self.bytes.get(record.range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::Ahead;
    use crate::tls::session::SEALED_BYTES_MAX;

    #[test]
    fn records_are_taken_by_their_connections_in_order_and_once() {
        let mut ahead = Ahead::default();
        for _ in 0..2 {
            ahead.clear();
            for (slot, record) in [(7, "first"), (3, "second"), (5, "third"), (9, "fourth")] {
                ahead.room(usize::MAX).expect("room")[..record.len()].copy_from_slice(record.as_bytes());
                ahead.push(slot, record.len());
            }
            let all: Vec<u32> = ahead.records().map(|(slot, _)| slot).collect();
            assert_eq!(all, [7, 3, 5, 9]);
            assert_eq!(ahead.sent(1), (3, &b"second"[..]));
            assert_eq!(ahead.take(3), None, "it was sent");
            assert_eq!(ahead.take(5), None, "it is not its turn");
            assert_eq!(ahead.take(7), Some(&b"first"[..]));
            assert_eq!(ahead.take(7), None, "it was taken");
            assert_eq!(ahead.take(5), Some(&b"third"[..]), "the one between was sent");
            assert_eq!(ahead.sent(3), (9, &b"fourth"[..]));
            assert_eq!(ahead.take(9), None);
        }
    }

    #[test]
    fn there_is_room_for_whole_records_alone() {
        let mut ahead = Ahead::default();
        let mut count = 0;
        while ahead.room(5 * SEALED_BYTES_MAX - 1).is_some() {
            ahead.push(0, SEALED_BYTES_MAX);
            count += 1;
        }
        assert_eq!((count, ahead.len()), (4, 4));
        while ahead.take(0).is_some() {}
        ahead.clear();
    }
}
