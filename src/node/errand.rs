//! What a work that goes away asks of the thread that answers it, and how it is answered.

use super::asker::Asker;
use super::destination::Destination;
use super::excluded::excluded;
use super::execute::Node;
use super::gate::judge;
use super::slot::Slot;
use super::work::Work;
use crate::access::ChannelRules;
use crate::hub::publication::Draft;
use crate::hub::{Asked, Fetched, Hub, OlderWanted};
use crate::model::fingerprint::fingerprint;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::request::{RareOptions, Request, Verb};

/// What the next item of a work needs of an engine.
#[derive(Debug, Clone, Copy)]
pub enum Needs<'w> {
    /// Places for publications: [`Work::submit`].
    Place,
    /// Where this channel is: it is to be attached, and then the item is executed again.
    Whereabouts(&'w ChannelName),
    /// Publications: they are to be given by [`Work::give`], and then the item is executed again.
    Older(&'w ChannelName, &'w OlderWanted),
    /// This channel's history is to be emptied.
    Clear(&'w ChannelName),
}

/// What is to be published, as an engine takes it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Submission {
    /// The channel.
    pub channel: ChannelName,
    /// What is published.
    pub draft: Draft,
    /// The idempotency key, and the fingerprint of what is published under it.
    pub key: Option<(Box<str>, u128)>,
    /// The connection that does not want it, if any.
    pub exclude: Option<ConnId>,
    /// The name of one that this server never gave, if that is what was asked for: another one may have given it.
    pub exclude_elsewhere: Option<Box<str>>,
    /// The position that it is to follow, if it may follow no other.
    pub if_match: Option<Position>,
}

impl Work {
    /// What its next item asks of the service for pages and operations, if it goes there.
    #[must_use]
    pub fn errand(&self) -> Option<&Verb> {
        self.next_verb().filter(|verb| matches!(verb, Verb::Inspect(_) | Verb::Operate(_)))
    }

    /// Where its next item is answered, if that is elsewhere.
    #[must_use]
    pub fn destination(&self) -> Option<Destination> {
        self.away
    }

    /// What its next item needs of an engine, if it goes there.
    #[must_use]
    pub fn needs(&self) -> Option<Needs<'_>> {
        let verb = self.next_verb().filter(|_| self.away == Some(Destination::Engine))?;
        match (verb, self.items[self.next as usize].asked()) {
            (Verb::Post { .. }, _) => Some(Needs::Place),
            (Verb::Get { channel, .. }, Some(asked)) if !asked.looks_up() => {
                Some(Needs::Older(channel, asked.wanted()))
            }
            (Verb::Get { channel, .. }, _) => Some(Needs::Whereabouts(channel)),
            (Verb::DeleteHistory { channel }, _) => Some(Needs::Clear(channel)),
            _ => None,
        }
    }

    /// Whether it waits for a publication to be taken, rather than for something to be read.
    #[must_use]
    pub fn publishes(&self) -> bool {
        matches!(self.next_verb(), Some(Verb::Post { .. }))
    }

    /// Takes out what its next items publish: one or, of a batch, as many as follow each other. They are answered in this order.
    pub fn submit(&mut self, hub: &Hub, wall_ms: u64, out: &mut Vec<Submission>) {
        let (to, time) = (self.to, hub.limits().stamp_time.then_some(wall_ms));
        let going = self.items.iter_mut().skip(self.next as usize).take(self.together as usize);
        let submit = |slot: &mut Slot| match slot.parts().0 {
            Ok(Request { verb: Verb::Post { channel, post }, .. }) => {
                // What has the wrong form was refused before it went away.
                let exclude = excluded(hub, to, post).ok().flatten();
                let RareOptions { exclude: named, if_match } = post.rare.take().map(|rare| *rare).unwrap_or_default();
                let exclude_elsewhere = named.filter(|_| exclude.is_none());
                let draft = Draft::take_from(post, time);
                let key = post.key.take().map(|key| (key, fingerprint(&draft.data, draft.event.as_deref())));
                let channel = ChannelName::clone(channel);
                Some(Submission { channel, draft, key, exclude, exclude_elsewhere, if_match })
            }
            _ => None,
        };
        out.extend(going.map_while(submit));
    }

    /// Gives it older publications that its next item asked for.
    pub fn give(&mut self, fetched: Fetched) {
        if let Some((Asker { asked: Some(Some(asked)), .. }, _)) = self.next_item() {
            asked.give(fetched);
        }
    }

    /// Bytes that it publishes where it goes.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.going().map(|verb| if let Verb::Post { post, .. } = verb { post.data.len() } else { 0 }).sum()
    }

    /// It takes nothing more, and goes to the engine.
    pub fn depart(&mut self, node: Node<'_>) {
        self.leave_for_engine(None, node.hub, node.rules);
    }

    /// Its next item goes to an engine, together with the publications after it that may go without being asked for again.
    pub(super) fn leave_for_engine(&mut self, asked: Option<Box<Asked>>, hub: &Hub, rules: &ChannelRules) {
        self.away = Some(Destination::Engine);
        self.items[self.next as usize].ask(asked);
        let may_go = |slot: &&Slot| match slot.item() {
            Ok(Request { verb: verb @ Verb::Post { post, .. }, .. }) => {
                judge(&self.identity, verb, rules).is_ok() && excluded(hub, self.to, post).is_ok()
            }
            _ => false,
        };
        let others = match self.next_verb() {
            Some(Verb::Post { .. }) => self.items[self.next as usize + 1..].iter().take_while(may_go).count(),
            _ => 0,
        };
        self.together = 1 + others as u32;
    }

    /// What its next items ask that go away together.
    fn going(&self) -> impl Iterator<Item = &Verb> {
        let items = self.items.iter().skip(self.next as usize).take(self.together as usize);
        items.flat_map(Slot::item).map(|request| &request.verb)
    }

    fn next_verb(&self) -> Option<&Verb> {
        self.items.get(self.next as usize)?.item().as_ref().ok().map(|request| &request.verb)
    }
}
