//! What Redis has carried out and does not have elsewhere yet: it is answered when as many replicas have it as the configuration
//! asks for (`redis.replicas`).

use super::held::Held;
use crate::engine::Event;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long Redis is asked to wait for its replicas: those that take longer are far away, or not there.
pub(super) const WAIT: Duration = Duration::from_secs(1);

/// See the module. Empty where no replica is asked for.
#[derive(Debug)]
pub(super) struct Copies {
    /// How many replicas there have to be; 0 when the answer of Redis is enough.
    wanted: usize,
    waiting: VecDeque<(Held, Option<Instant>)>,
    /// Whether too few had it the last time.
    lack: bool,
}

impl Copies {
    pub(super) fn new(wanted: usize) -> Copies {
        Copies { wanted, waiting: VecDeque::new(), lack: false }
    }

    /// How many replicas have to have everything; `None` when that does not matter.
    pub(super) fn wanted(&self) -> Option<usize> {
        (self.wanted > 0).then_some(self.wanted)
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Has what was carried out wait for its copies, until then at most; it comes back where none are asked for.
    pub(super) fn hold(&mut self, held: Held, until: Option<Instant>) -> Option<Held> {
        if self.wanted == 0 {
            return Some(held);
        }
        self.waiting.push_back((held, until));
        None
    }

    /// So many replicas have all that has been carried out so far: what is to be answered now. Where they are too few it is refused.
    pub(super) fn counted(&mut self, replicas: usize, events: &mut Vec<Event>) -> Vec<Held> {
        let lacks = replicas < self.wanted;
        if lacks != self.lack {
            self.lack = lacks;
            self.tell(replicas);
        }
        let waiting = self.waiting.drain(..).map(|(held, _)| held);
        if !lacks {
            return waiting.collect();
        }
        let message = format!("of {} replicas that are to have it, {replicas} have", self.wanted);
        let refusal = Refusal::new(Code::OutcomeUnknown, message);
        events.extend(waiting.map(|held| Event::Refused(held.id(), refusal.clone())));
        Vec::new()
    }

    /// Logs that there are too few, or enough again.
    fn tell(&self, replicas: usize) {
        if !self.lack {
            log::info!(event = "replicas_back", replicas = replicas; "{replicas} replicas of Redis have what is published");
            return;
        }
        log::warn!(
            event = "replicas_missing", replicas = replicas, wanted = self.wanted;
            "{replicas} replicas of Redis had what was published within {} s, of {} that are asked for (redis.replicas): publishers are answered that the outcome is unknown",
            WAIT.as_secs(), self.wanted
        );
    }

    /// The link is gone, and with it what Redis would have said of its replicas.
    pub(super) fn lost(&mut self, events: &mut Vec<Event>) {
        let refused = |(held, _): (Held, _)| Event::Refused(held.id(), Code::OutcomeUnknown.into());
        events.extend(self.waiting.drain(..).map(refused));
    }

    /// Gives up those whose time is over.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<Event>) {
        while let Some((held, _)) = self.waiting.pop_front_if(|(_, until)| until.is_some_and(|until| until <= now)) {
            events.push(Event::Refused(held.id(), Code::OutcomeUnknown.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Copies, Held};
    use crate::engine::OrderId;
    use crate::engine::redis::orders::tests::refused;
    use crate::model::publication::{Epoch, Position};
    use std::time::{Duration, Instant};

    fn held(serial: u64) -> Held {
        let place = Position { epoch: Epoch::from_random(1), offset: serial };
        Held::Placed(OrderId { serial, place: 0 }, "a".try_into().expect("a name"), place)
    }

    #[test]
    fn what_enough_replicas_have_is_answered_and_the_rest_is_unknown() {
        let (mut copies, mut events) = (Copies::new(2), Vec::new());
        for serial in 1..=2 {
            assert!(copies.hold(held(serial), None).is_none());
        }
        let answered: Vec<_> = copies.counted(2, &mut events).iter().map(|held| held.id().serial).collect();
        assert_eq!((answered, refused(&mut events), copies.is_empty()), (vec![1, 2], vec![], true));
        assert!(copies.hold(held(3), None).is_none());
        assert_eq!(copies.counted(1, &mut events).len(), 0);
        assert_eq!(refused(&mut events), [(3, "outcome_unknown")]);
        // Nobody waits for it: it is answered at once.
        assert!(Copies::new(0).hold(held(4), None).is_some());
    }

    #[test]
    fn what_waits_when_its_time_or_its_link_is_over_is_unknown() {
        let (mut copies, mut events, now) = (Copies::new(1), Vec::new(), Instant::now());
        let later = now + Duration::from_secs(1);
        for (serial, until) in [(1, now), (2, later), (3, later)] {
            copies.hold(held(serial), Some(until));
        }
        copies.expire(now, &mut events);
        assert_eq!(refused(&mut events), [(1, "outcome_unknown")]);
        copies.lost(&mut events);
        assert_eq!(
            (refused(&mut events), copies.is_empty()),
            (vec![(2, "outcome_unknown"), (3, "outcome_unknown")], true)
        );
    }
}
