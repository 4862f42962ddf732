//! Channels that were read and never published to: their epochs stay the same for a while, and take no room in the log.

use crate::model::name::ChannelName;
use crate::model::publication::Epoch;
use std::collections::{HashMap, VecDeque};

/// Bounded: the oldest goes first.
#[derive(Debug)]
pub(super) struct Fresh {
    epochs: HashMap<ChannelName, Epoch>,
    order: VecDeque<ChannelName>,
    max: usize,
}

impl Fresh {
    /// For at most `max` channels.
    pub(super) fn new(max: usize) -> Fresh {
        Fresh { epochs: HashMap::new(), order: VecDeque::new(), max }
    }

    /// The epoch of a channel, or the one that is made now.
    pub(super) fn epoch(&mut self, channel: &ChannelName, make: impl FnOnce() -> Epoch) -> Epoch {
        if let Some(epoch) = self.epochs.get(channel) {
            return *epoch;
        }
        let epoch = make();
        if self.order.len() >= self.max
            && let Some(oldest) = self.order.pop_front()
        {
            self.epochs.remove(&oldest);
        }
        if self.max > 0 {
            self.order.push_back(ChannelName::clone(channel));
            self.epochs.insert(ChannelName::clone(channel), epoch);
        }
        epoch
    }

    /// The log knows a channel now; the epoch that it had until then. Its place in the order goes when its turn comes.
    pub(super) fn take(&mut self, channel: &str) -> Option<Epoch> {
        self.epochs.remove(channel)
    }
}

#[cfg(test)]
mod tests {
    use super::Fresh;
    use crate::model::name::ChannelName;
    use crate::model::publication::Epoch;

    #[test]
    fn an_epoch_stays_until_it_is_taken_or_newer_ones_push_it_out() {
        let name = |text: &str| ChannelName::new(text).expect("a name");
        let (mut fresh, epoch) = (Fresh::new(2), Epoch::from_random);
        let one = fresh.epoch(&name("a"), || epoch(1));
        assert_eq!(fresh.epoch(&name("a"), || epoch(2)), one);
        assert_eq!((fresh.take("a"), fresh.take("a")), (Some(one), None));
        for (place, text) in ["b", "c", "d"].into_iter().enumerate() {
            fresh.epoch(&name(text), || epoch(place as u64 + 3));
        }
        assert_eq!((fresh.take("b"), fresh.order.len()), (None, 2));
        assert_eq!(Fresh::new(0).epoch(&name("a"), || epoch(9)), epoch(9));
    }
}
