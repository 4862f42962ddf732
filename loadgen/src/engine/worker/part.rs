//! A thread's part of a group: its places, who takes them, and what they send when.

use super::super::schedule::{Deal, Schedule};
use crate::clock::Nanos;
use crate::plan::{Flow, Group, Plan, Ramp, Share, Task};

/// A free place.
pub(super) const NOBODY: u32 = u32::MAX;

/// A thread's part of a group.
#[derive(Debug)]
pub(super) struct GroupPart {
    /// The slot of the connection in each place.
    pub(super) places: Vec<u32>,
    /// How many places were given out so far.
    pub(super) begun: u64,
    /// How many of these are decided: usable, or failed.
    pub(super) decided: u64,
    /// How many are usable.
    pub(super) open: u64,
    /// When it begins to open connections; `None` while that is not known.
    pub(super) begins: Option<Nanos>,
    /// When messages leave; none without an open flow.
    pub(super) schedule: Option<Schedule>,
    /// Where the search for the next sender begins.
    pub(super) turn: usize,
    /// Publications made, in a closed flow.
    pub(super) made: u64,
    /// Whether nothing is sent any more.
    pub(super) stopped: bool,
}

impl GroupPart {
    pub(super) fn new(plan: &Plan, index: usize, share: Share) -> GroupPart {
        let places = vec![NOBODY; usize::try_from(share.count(plan.groups[index].connections)).unwrap_or(0)];
        GroupPart {
            places,
            begun: 0,
            decided: 0,
            open: 0,
            begins: None,
            schedule: None,
            turn: 0,
            made: 0,
            stopped: false,
        }
    }

    /// When the next message is due.
    pub(super) fn next_send(&self) -> Option<Nanos> {
        self.schedule.as_ref().and_then(Schedule::due)
    }

    /// Whether its schedule has come to its end. A closed flow ends by time.
    pub(super) fn has_sent_all(&self) -> bool {
        self.next_send().is_none()
    }

    /// Says when messages leave.
    pub(super) fn plan_sends(&mut self, plan: &Plan, group: &Group, share: Share, go: Nanos) {
        let (_, end) = plan.counted(go);
        let begin = go.saturating_add(crate::clock::of(group.start));
        let turn = Deal::Turn { index: share.index, of: share.of };
        let (flow, deal) = match &group.task {
            // Each connection in turn, over all threads.
            Task::Echo { flow, .. } => {
                let connections = group.connections.max(1);
                (
                    flow,
                    Deal::Streams { streams: connections, publishers: connections, index: share.index, of: share.of },
                )
            }
            Task::Attack { rate } => {
                self.schedule = Some(Schedule::new(Ramp::constant(*rate), begin, end, None, turn));
                return;
            }
            Task::Publish { flow, .. } => {
                let (streams, publishers) = (u64::from(plan.streams.max(1)), group.connections.max(1));
                (flow, Deal::Streams { streams, publishers, index: share.index, of: share.of })
            }
            _ => return,
        };
        if let Flow::Open(ramp) = flow
            && !self.places.is_empty()
        {
            self.schedule = Some(Schedule::new(ramp.clone(), begin, end, plan.count, deal));
        }
    }

    /// The next place that is taken, from `turn` on.
    pub(super) fn next_sender(&mut self, is_open: impl Fn(u32) -> bool) -> Option<u32> {
        let count = self.places.len();
        for step in 0..count {
            let place = (self.turn + step) % count;
            if self.places[place] != NOBODY && is_open(self.places[place]) {
                self.turn = place + 1;
                return Some(self.places[place]);
            }
        }
        None
    }
}
