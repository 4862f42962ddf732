//! How a publication enters its channel: checked, room reserved everywhere, given its offset, kept and posted (law 1).

use super::Hub;
use super::channel::{Channel, Cost, Key};
use super::outgoing::{Outgoing, Room};
use super::post::{Delivery, Post};
use super::publication::Draft;
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Position};
use crate::model::refusal::Refusal;
use std::hash::BuildHasher;
use std::sync::Arc;
use std::time::Instant;

/// What is to be published, and how.
pub(crate) struct Incoming<'a> {
    pub(crate) draft: Draft,
    pub(crate) key: Option<Key<'a>>,
    pub(crate) exclude: Option<ConnId>,
    /// The position that it is to follow, if it may follow no other.
    pub(crate) if_match: Option<&'a Position>,
}

/// Why nothing was published.
#[derive(Debug)]
pub(crate) enum Stop {
    /// A mailbox had no room; here is what was to be published.
    Blocked(Box<Draft>),
    /// It is refused.
    Refused(Refusal),
}

/// What came of a publication.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Published {
    /// Its place.
    pub(crate) position: Position,
    /// False when it was delivered and there was no room for it in the history.
    pub(crate) kept: bool,
}

impl Hub {
    /// Publishes, or finds that the same was published before under the same key.
    pub(crate) fn publish<P: Post>(
        &self,
        name: &ChannelName,
        incoming: Incoming<'_>,
        out: &mut Outgoing<'_, P>,
        now: Instant,
    ) -> Result<Published, Stop> {
        let (mut shard, hash) = self.shard_for(name);
        #[cfg(test)]
        super::mines::step_on("lock", name.as_bytes());
        let slot = match shard.find(name, hash) {
            Some(slot) => slot,
            None => {
                let made = shard.make((name, hash), self.kept_for(name), &self.totals, now);
                made.ok_or_else(|| Stop::Refused(Code::ChannelsFull.into()))?
            }
        };
        let channel = shard.channel(slot);
        // First, so that a key whose time is over can be used again even if no sweep came by.
        self.expire(channel, now);
        // Before anything is refused for want of room: a client that tries again must learn where it was published.
        if let Some((key, known)) = incoming.key.and_then(|key| Some((key, channel.known(key.text)?))) {
            let same = key.fingerprint == known.fingerprint;
            // In the channel's present epoch, since a reset takes the keys with it.
            let position = Position { offset: known.offset, ..channel.position };
            let before = Published { position, kept: known.kept };
            return if same { Ok(before) } else { Err(Stop::Refused(Code::KeyReused.into())) };
        }
        if incoming.if_match.is_some_and(|wanted| *wanted != channel.position) {
            return Err(Stop::Refused(Refusal::moved(channel.position)));
        }
        let admitted = self.admit(channel, incoming, out, (now, now));
        shard.count(admitted.as_ref().ok());
        admitted
    }

    /// The steps of law 1, at a time that comes with the one at which the publication was accepted. Until room is reserved
    /// everywhere nothing has changed.
    pub(super) fn admit<P: Post>(
        &self,
        channel: &mut Channel,
        incoming: Incoming<'_>,
        out: &mut Outgoing<'_, P>,
        (now, accepted): (Instant, Instant),
    ) -> Result<Published, Stop> {
        let Incoming { draft, key, exclude, .. } = incoming;
        let weight = draft.weight();
        let Some(room) = Room::reserve(out.post, channel.interest.mailboxes(), weight) else {
            return Err(Stop::Blocked(Box::new(draft)));
        };
        // After the room, which can be given back without a trace: history that `make_do` gives up is gone.
        let mut cost = channel.cost(weight, key, &self.limits);
        if !self.totals.bytes.exchange(cost.added, cost.freed) {
            cost = self.make_do(channel, weight, key);
        }
        let publication = channel.append(draft, cost, now, &self.limits);
        let id = channel.id;
        // Under the lock in which it got its offset: no other publisher may come in between (law 1).
        room.fill(out, || Delivery::Publication {
            channel: id,
            publication: Arc::clone(&publication),
            exclude,
            accepted,
        });
        Ok(Published { position: channel.position, kept: cost.is_kept(&channel.kept) })
    }

    /// Makes do with the room for history that there is, since present subscribers need none: the channel gives up its own
    /// oldest publications for the new one, as if it were full itself, or keeps nothing. No other channel gives up any. The
    /// key may then find no room either.
    #[cold]
    fn make_do<'k>(&self, channel: &Channel, weight: usize, key: Option<Key<'k>>) -> Cost<'k> {
        let bytes = &self.totals.bytes;
        let less = channel.cost_within(weight, key, &self.limits, bytes.free());
        // What was free a moment ago may be taken: other shards use the same total without this lock.
        if bytes.exchange(less.added, less.freed) {
            return less;
        }
        let nothing = channel.cost_of_nothing();
        bytes.give(nothing.freed);
        nothing
    }

    /// A key with the hash of everything that is published under it.
    pub(crate) fn key<'a>(&self, text: &'a str, draft: &Draft) -> Key<'a> {
        let body = match &draft.data {
            Data::Json(json) => (None, json),
            Data::Binary { bytes, content_type } => (Some(content_type), bytes),
        };
        // Without the time, since a client that tries again does so later. Keyed, so that no client finds two bodies
        // with one hash.
        Key { text, fingerprint: self.hasher.hash_one((body, &draft.event)) }
    }
}
