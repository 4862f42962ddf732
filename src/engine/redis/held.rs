//! Answers that wait: who publishes to a channel that it reads itself receives its own publication first, whichever of the two
//! links is faster.

use crate::engine::{Event, OrderId};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// An order that was carried out.
#[derive(Debug)]
pub(super) enum Held {
    /// A publication has its place.
    Placed(OrderId, ChannelName, Position),
    /// A history was emptied.
    Cleared(OrderId, ChannelName, Position),
}

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Holding {
    by_channel: HashMap<ChannelName, VecDeque<Held>>,
    /// By when they are held no longer.
    ends: VecDeque<(Instant, ChannelName, Position)>,
}

impl Held {
    pub(super) fn channel(&self) -> &ChannelName {
        match self {
            Held::Placed(_, channel, _) | Held::Cleared(_, channel, _) => channel,
        }
    }

    pub(super) fn id(&self) -> OrderId {
        match self {
            Held::Placed(id, ..) | Held::Cleared(id, ..) => *id,
        }
    }

    fn place(&self) -> Position {
        match self {
            Held::Placed(_, _, place) | Held::Cleared(_, _, place) => *place,
        }
    }

    /// Whether what it led to has come by when this has.
    pub(super) fn is_met_by(&self, seen: Position) -> bool {
        let place = self.place();
        seen.epoch == place.epoch && seen.offset >= place.offset
    }

    pub(super) fn into_event(self) -> Event {
        match self {
            Held::Placed(id, channel, place) => Event::Placed(id, channel, place),
            Held::Cleared(id, channel, place) => Event::Cleared(id, channel, place),
        }
    }

    /// The answer, though what it led to may come later: it does not wait for a Redis that has stopped just now.
    fn into_answer(self) -> Event {
        match self {
            Held::Placed(id, channel, place) => Event::Answered(id, channel, place),
            cleared @ Held::Cleared(..) => cleared.into_event(),
        }
    }
}

impl Holding {
    /// Whether none waits.
    pub(super) fn is_empty(&self) -> bool {
        self.by_channel.is_empty()
    }

    /// Has an answer wait until then at most.
    pub(super) fn hold(&mut self, held: Held, until: Instant) {
        let channel = ChannelName::clone(held.channel());
        self.ends.push_back((until, ChannelName::clone(&channel), held.place()));
        self.by_channel.entry(channel).or_default().push_back(held);
    }

    /// A channel's publications up to this one have come by.
    pub(super) fn release(&mut self, channel: &ChannelName, seen: Position, events: &mut Vec<Event>) {
        let Some(all) = self.by_channel.get_mut(channel) else { return };
        while let Some(held) = all.pop_front_if(|held| held.is_met_by(seen)) {
            events.push(held.into_event());
        }
        if all.is_empty() {
            self.by_channel.remove(channel);
        }
    }

    /// Those that have waited for long enough are given all the same. The `late` channels are to be compared with the history:
    /// what was waited for may be missing, or of an epoch that is over.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<Event>, late: &mut Vec<ChannelName>) {
        while let Some((_, channel, place)) = self.ends.pop_front_if(|(until, ..)| *until <= now) {
            let Some(all) = self.by_channel.get_mut(&channel) else { continue };
            // In their order: those before it have waited for longer.
            while let Some(held) = all.pop_front_if(|held| {
                let before = held.place();
                before.epoch != place.epoch || before.offset <= place.offset
            }) {
                events.push(held.into_answer());
                if late.last() != Some(&channel) {
                    late.push(ChannelName::clone(&channel));
                }
            }
            if all.is_empty() {
                self.by_channel.remove(&channel);
            }
        }
        if self.by_channel.is_empty() {
            self.ends.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Held, Holding};
    use crate::engine::{Event, OrderId};
    use crate::model::name::ChannelName;
    use crate::model::publication::{Epoch, Position};
    use std::time::{Duration, Instant};

    fn held(serial: u64, offset: u64) -> Held {
        let channel = ChannelName::new("a").expect("a name");
        Held::Placed(OrderId { serial, place: 0 }, channel, Position { epoch: Epoch::from_random(1), offset })
    }

    fn serials(events: &mut Vec<Event>) -> Vec<u64> {
        let serial = |event| match event {
            Event::Placed(id, ..) | Event::Answered(id, ..) => id.serial,
            other => panic!("{other:?}"),
        };
        events.drain(..).map(serial).collect()
    }

    #[test]
    fn answers_follow_what_they_led_to_in_their_order() {
        let (mut holding, mut events, mut late, now) = (Holding::default(), Vec::new(), Vec::new(), Instant::now());
        let channel = ChannelName::new("a").expect("a name");
        let seen = |offset| Position { epoch: Epoch::from_random(1), offset };
        (1..=4).for_each(|n| holding.hold(held(n, n), now + Duration::from_millis(n)));
        holding.release(&channel, Position { epoch: Epoch::from_random(2), offset: 9 }, &mut events);
        assert!(events.is_empty(), "of another epoch");
        holding.release(&channel, seen(1), &mut events);
        assert_eq!(serials(&mut events), [1]);
        // Placed, it would wait for what is to be read, and for as long as Redis stands still.
        holding.expire(now + Duration::from_millis(3), &mut events, &mut late);
        assert!(matches!(events.as_slice(), [Event::Answered(..), Event::Answered(..)]));
        assert_eq!((serials(&mut events), &late), (vec![2, 3], &vec![ChannelName::clone(&channel)]), "compared once");
        holding.release(&channel, seen(4), &mut events);
        assert_eq!((serials(&mut events), holding.is_empty()), (vec![4], true));
        late.clear();
        holding.expire(now + Duration::from_secs(1), &mut events, &mut late);
        assert!(events.is_empty() && late.is_empty(), "each once");
    }
}
