//! Publications in progress: when each of them reached each of this thread's receivers.

use crate::clock::{Nanos, SECOND};
use crate::message::{OFFSET_UNIT, SpreadReport};
use std::collections::{HashMap, VecDeque};

/// After this time a publication is reported with the receivers that have it by then.
const PATIENCE: Nanos = 10 * SECOND;

/// The publications of all sequences that are not yet with all receivers.
#[derive(Debug, Default)]
pub(super) struct Spreads {
    streams: HashMap<u32, VecDeque<Open>>,
    /// How many receivers of this thread each channel has.
    receivers: HashMap<u32, u32>,
}

/// One publication.
#[derive(Debug)]
struct Open {
    seq: u64,
    intended: Nanos,
    offsets: Vec<u32>,
}

impl Spreads {
    /// Says how many receivers of a channel this thread has.
    pub(super) fn expect(&mut self, receivers: HashMap<u32, u32>) {
        self.receivers = receivers;
    }

    /// Takes note of a delivery; the publication, when this was the last one here.
    pub(super) fn deliver(
        &mut self,
        stream: u32,
        channel: u32,
        seq: u64,
        intended: Nanos,
        now: Nanos,
    ) -> Option<SpreadReport> {
        let expected = self.receivers.get(&channel).copied().unwrap_or(1) as usize;
        let open = self.streams.entry(stream).or_default();
        // From the oldest: publications arrive nearly in order, so it is found at once.
        let place = open.iter().position(|publication| publication.seq == seq).unwrap_or_else(|| {
            open.push_back(Open { seq, intended, offsets: Vec::with_capacity(expected) });
            open.len() - 1
        });
        let publication = &mut open[place];
        let offset = now.saturating_sub(publication.intended) / OFFSET_UNIT;
        publication.offsets.push(u32::try_from(offset).unwrap_or(u32::MAX));
        if publication.offsets.len() < expected {
            return None;
        }
        open.remove(place).map(|done| report(stream, done))
    }

    /// The publications that have waited too long, or all.
    pub(super) fn give_up(&mut self, now: Nanos, all: bool) -> Vec<SpreadReport> {
        let mut reports = Vec::new();
        for (stream, open) in &mut self.streams {
            while open.front().is_some_and(|first| all || now.saturating_sub(first.intended) > PATIENCE) {
                reports.extend(open.pop_front().map(|given_up| report(*stream, given_up)));
            }
        }
        reports
    }
}

fn report(stream: u32, open: Open) -> SpreadReport {
    SpreadReport { stream, seq: open.seq, intended: open.intended, offsets: open.offsets }
}

#[cfg(test)]
mod tests {
    use super::{PATIENCE, Spreads};
    use std::collections::HashMap;

    #[test]
    fn a_publication_is_told_when_the_last_receiver_has_it() {
        let mut spreads = Spreads::default();
        spreads.expect(HashMap::from([(0, 3)]));
        assert!(spreads.deliver(0, 0, 1, 1000, 2000).is_none());
        assert!(spreads.deliver(0, 0, 2, 5000, 6000).is_none(), "the next one is already in progress");
        assert!(spreads.deliver(0, 0, 1, 1000, 4000).is_none());
        let report = spreads.deliver(0, 0, 1, 1000, 3000).expect("complete");
        assert_eq!((report.seq, report.offsets), (1, vec![10, 30, 20]));
        assert!(spreads.give_up(5000 + PATIENCE, false).is_empty());
        assert_eq!(spreads.give_up(5001 + PATIENCE, false)[0].offsets, [10]);
        assert!(spreads.give_up(0, true).is_empty());
    }
}
