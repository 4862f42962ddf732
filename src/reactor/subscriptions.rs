//! Which connections of this reactor are subscribed to which channels: both directions, O(1) to add and to remove.

use crate::model::encoding::Encoding;
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use hashbrown::HashMap;
use slab::Slab;
use smallvec::SmallVec;

/// One subscriber of a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Member {
    /// The connection's slot.
    pub(super) slot: u32,
    /// How publications are written for it.
    pub(super) encoding: Encoding,
    /// Its place in the connection's list.
    place: u32,
}

/// What a connection is subscribed to.
pub(crate) type Memberships = SmallVec<[Membership; 1]>;

/// One subscription of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Membership {
    /// The channel's place in this table.
    channel: u32,
    /// The connection's place in the channel's list.
    place: u32,
}

/// Access to the lists of other connections: removing one member moves another.
pub(super) trait Lists {
    /// The list of the connection in `slot`.
    fn list(&mut self, slot: u32) -> Option<&mut Memberships>;
}

struct Channel {
    id: ChannelId,
    name: ChannelName,
    members: Vec<Member>,
}

/// The table of one reactor.
#[derive(Default)]
pub(super) struct Subscriptions {
    /// By a quick hash: no client chooses an id.
    by_id: HashMap<ChannelId, u32>,
    channels: Slab<Channel>,
}

/// The outcome of subscribing.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Added {
    /// Subscribed.
    New,
    /// It was subscribed before; the encoding of its pushes was renewed.
    Already,
    /// The connection has as many subscriptions as it may.
    Full,
}

impl Subscriptions {
    /// The subscribers of a channel.
    pub(super) fn members(&self, id: ChannelId) -> &[Member] {
        self.by_id.get(&id).map_or(&[], |index| &self.channels[*index as usize].members)
    }

    /// Every channel that somebody here is subscribed to, with its subscribers.
    pub(super) fn all(&self) -> impl Iterator<Item = (ChannelId, &ChannelName, &[Member])> {
        self.channels.iter().map(|(_, channel)| (channel.id, &channel.name, channel.members.as_slice()))
    }

    /// The channels that a connection with this list is subscribed to.
    pub(super) fn of<'a>(&'a self, own: &'a Memberships) -> impl Iterator<Item = (ChannelId, &'a ChannelName)> {
        own.iter().map(|membership| {
            let channel = &self.channels[membership.channel as usize];
            (channel.id, &channel.name)
        })
    }

    /// Whether a connection with this list is subscribed to a channel.
    pub(super) fn is_member(&self, id: ChannelId, own: &Memberships) -> bool {
        self.find(id, own).is_some()
    }

    /// Subscribes the connection in `slot`, whose list is `own`.
    pub(super) fn add(
        &mut self,
        (id, name): (ChannelId, &ChannelName),
        slot: u32,
        own: &mut Memberships,
        encoding: Encoding,
        limit: usize,
    ) -> Added {
        if let Some(place) = self.find(id, own) {
            let membership = own[place];
            self.channels[membership.channel as usize].members[membership.place as usize].encoding = encoding;
            return Added::Already;
        }
        // After the look for a subscription: renewing one takes no place.
        if own.len() >= limit {
            return Added::Full;
        }
        let channels = &mut self.channels;
        let index = *self.by_id.entry(id).or_insert_with(|| {
            channels.insert(Channel { id, name: ChannelName::clone(name), members: Vec::new() }) as u32
        });
        let members = &mut self.channels[index as usize].members;
        own.push(Membership { channel: index, place: members.len() as u32 });
        members.push(Member { slot, encoding, place: own.len() as u32 - 1 });
        Added::New
    }

    /// Unsubscribes; whether there was a subscription. `others` gives access to the lists of other connections.
    pub(super) fn remove(&mut self, id: ChannelId, own: &mut Memberships, others: &mut impl Lists) -> bool {
        let Some(place) = self.find(id, own) else { return false };
        self.remove_at(place, own, others);
        true
    }

    /// Removes the connection's last subscription; its channel, or `None` when there is none left.
    pub(super) fn pop(&mut self, own: &mut Memberships, others: &mut impl Lists) -> Option<ChannelId> {
        let last = own.last()?;
        let id = self.channels[last.channel as usize].id;
        self.remove_at(own.len() - 1, own, others);
        Some(id)
    }

    fn find(&self, id: ChannelId, own: &Memberships) -> Option<usize> {
        let index = *self.by_id.get(&id)?;
        own.iter().position(|membership| membership.channel == index)
    }

    fn remove_at(&mut self, place: usize, own: &mut Memberships, others: &mut impl Lists) {
        let gone = own.swap_remove(place);
        if let Some(moved) = own.get(place) {
            self.channels[moved.channel as usize].members[moved.place as usize].place = place as u32;
        }
        let channel = &mut self.channels[gone.channel as usize];
        channel.members.swap_remove(gone.place as usize);
        if let Some(moved) = channel.members.get(gone.place as usize) {
            // A connection is in a channel's list once, so the member that moved is another connection.
            if let Some(list) = others.list(moved.slot) {
                list[moved.place as usize].place = gone.place;
            }
        }
        if channel.members.is_empty() {
            self.by_id.remove(&channel.id);
            self.channels.remove(gone.channel as usize);
        } else if channel.members.capacity() > 4 * channel.members.len().max(8) {
            // To half of what it may grow to again, so that a number that goes up and down does not allocate each time.
            channel.members.shrink_to(2 * channel.members.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Added, Lists, Memberships, Subscriptions};
    use crate::model::encoding::Encoding;
    use crate::model::ids::ChannelId;
    use crate::model::name::ChannelName;
    use rand::rngs::StdRng;
    use rand::{RngExt, SeedableRng};
    use std::collections::{BTreeSet, HashMap};

    impl Lists for HashMap<u32, Memberships> {
        fn list(&mut self, slot: u32) -> Option<&mut Memberships> {
            self.get_mut(&slot)
        }
    }

    /// Against a model: whatever is added and removed in whatever order, both directions agree.
    #[test]
    fn both_directions_agree_after_every_change() {
        let mut random = StdRng::seed_from_u64(5);
        let mut table = Subscriptions::default();
        let mut lists: HashMap<u32, Memberships> = (0..20).map(|slot| (slot, Memberships::new())).collect();
        let mut model = BTreeSet::<(u64, u32)>::new();
        let name = ChannelName::new("a").expect("a name");
        for _ in 0..20_000 {
            let (id, slot) = (random.random_range(0..15_u64), random.random_range(0..20_u32));
            let mut own = lists.remove(&slot).expect("every slot has a list");
            if random.random_bool(0.5) {
                let limit = 10;
                let held = model.iter().filter(|(_, s)| *s == slot).count();
                let expected = match (model.contains(&(id, slot)), held >= limit) {
                    (true, _) => Added::Already,
                    (false, true) => Added::Full,
                    (false, false) => Added::New,
                };
                assert_eq!(table.add((ChannelId(id), &name), slot, &mut own, Encoding::of_row(0), limit), expected);
                if expected == Added::New {
                    model.insert((id, slot));
                }
            } else if random.random_bool(0.1) {
                while let Some(gone) = table.pop(&mut own, &mut lists) {
                    assert!(model.remove(&(gone.0, slot)));
                }
            } else {
                let was = table.remove(ChannelId(id), &mut own, &mut lists);
                assert_eq!(was, model.remove(&(id, slot)));
            }
            lists.insert(slot, own);
            let members: BTreeSet<(u64, u32)> = (0..15)
                .flat_map(|id| table.members(ChannelId(id)).iter().map(move |member| (id, member.slot)))
                .collect();
            assert_eq!(members, model);
        }
        assert!(table.channels.len() <= 15);
    }
}
