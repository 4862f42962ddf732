//! What was appended and waits for its sync: made known, in order, when the disk has it.

use crate::engine::Event;
use crate::model::code::Code;
use crate::store::ChannelNo;
use std::collections::HashMap;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Waiting {
    /// For the next sync.
    next: Vec<(ChannelNo, Event)>,
    /// For the one in progress.
    syncing: Vec<(ChannelNo, Event)>,
    channels: HashMap<ChannelNo, Held>,
}

/// What of a channel waits.
#[derive(Debug)]
struct Held {
    /// The first of its offsets that is not made known.
    first: u64,
    events: usize,
}

impl Waiting {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.next.is_empty() && self.syncing.is_empty()
    }

    /// Whether something of a channel waits: what comes after it has to wait too.
    pub(super) fn holds(&self, channel: ChannelNo) -> bool {
        !self.channels.is_empty() && self.channels.contains_key(&channel)
    }

    /// The first offset of a channel that is not made known.
    pub(super) fn first(&self, channel: ChannelNo) -> Option<u64> {
        self.channels.get(&channel).map(|held| held.first)
    }

    /// Holds what happened in a channel at this offset.
    pub(super) fn hold(&mut self, channel: ChannelNo, offset: u64, event: Event) {
        self.channels.entry(channel).or_insert(Held { first: offset, events: 0 }).events += 1;
        self.next.push((channel, event));
    }

    /// A sync begins that covers all that waits.
    pub(super) fn begin_sync(&mut self) {
        self.syncing.append(&mut self.next);
    }

    /// The sync is done: what waited for it is made known.
    pub(super) fn release(&mut self, events: &mut Vec<Event>) {
        for (channel, event) in self.syncing.drain(..) {
            if let Some(held) = self.channels.get_mut(&channel) {
                held.events -= 1;
                if let Event::Entry(entry) = &event {
                    held.first = entry.place.offset + 1;
                }
                if held.events == 0 {
                    self.channels.remove(&channel);
                }
            }
            events.push(event);
        }
    }

    /// No sync will be done: nothing is made known, and nobody can say what a restart will find.
    pub(super) fn fail(&mut self, events: &mut Vec<Event>) {
        self.channels.clear();
        for (_, event) in self.syncing.drain(..).chain(self.next.drain(..)) {
            if let Event::Placed(id, ..) | Event::Cleared(id, ..) = event {
                events.push(Event::Refused(id, Code::OutcomeUnknown.into()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Waiting;
    use crate::engine::{Entry, Event, OrderId};
    use crate::hub::publication::Draft;
    use crate::model::publication::{Data, Epoch, Position};
    use crate::store::ChannelNo;

    fn events(offset: u64) -> [Event; 2] {
        let channel = || "a".try_into().expect("a name");
        let place = Position { epoch: Epoch::from_random(1), offset };
        let draft = Draft { data: Data::default(), event: None, time: None };
        let entry = Event::Entry(Box::new(Entry { channel: channel(), place, draft, exclude: None }));
        [entry, Event::Placed(OrderId { serial: offset, place: 0 }, channel(), place)]
    }

    #[test]
    fn a_sync_releases_what_came_before_it_in_order_and_the_rest_stays() {
        let (mut waiting, mut out) = (Waiting::default(), Vec::new());
        let channel = ChannelNo::new(1);
        events(1).into_iter().for_each(|event| waiting.hold(channel, 1, event));
        waiting.begin_sync();
        events(2).into_iter().for_each(|event| waiting.hold(channel, 2, event));
        assert_eq!((waiting.holds(channel), waiting.first(channel)), (true, Some(1)));
        waiting.release(&mut out);
        assert!(matches!(&out[..], [Event::Entry(one), Event::Placed(..)] if one.place.offset == 1));
        assert_eq!((waiting.first(channel), waiting.is_empty()), (Some(2), false));
        waiting.fail(&mut out);
        assert!(matches!(&out[2..], [Event::Refused(id, _)] if id.serial == 2));
        assert!(waiting.is_empty() && !waiting.holds(channel));
    }
}
