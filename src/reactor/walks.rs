//! Walks over the connections of this reactor: those in progress, how far they have come, and whom they mean.

use super::entry::Entry;
use super::subscriptions::Subscriptions;
use crate::access::{Identity, Who};
use crate::handoff::walk::{Chosen, Walk, Walked};
use crate::model::ids::MailboxId;
use crate::model::operation::Whom;
use std::collections::VecDeque;
use std::sync::Arc;

/// Subscribers of a channel that are found by it, where there are not more.
const MEMBERS_MAX: usize = 4096;

/// Walks in progress, and those that wait for them.
#[derive(Default)]
pub(super) struct Walks(VecDeque<InProgress>);

/// A walk, and how far it has come.
pub(super) struct InProgress {
    pub(super) walk: Arc<Walk>,
    /// The slot that is looked at next, and the first that is not.
    pub(super) next: u32,
    end: u32,
    pub(super) walked: Walked,
    /// Whether one of those that were ended holds without an end.
    is_endless: bool,
}

impl Walks {
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes the one whose turn it is.
    pub(super) fn take(&mut self) -> Option<InProgress> {
        self.0.pop_front()
    }

    /// Puts it back: it goes on in the next tick, before the others.
    pub(super) fn put_back(&mut self, walk: InProgress) {
        self.0.push_front(walk);
    }

    /// Begins one, after those that are in progress.
    pub(super) fn begin(&mut self, walk: Arc<Walk>, own: MailboxId) {
        self.0.push_back(InProgress::new(walk, own));
    }
}

impl InProgress {
    fn new(walk: Arc<Walk>, own: MailboxId) -> InProgress {
        let Chosen { connection, after, .. } = &walk.chosen;
        let (mut next, mut end) = (0, u32::MAX);
        if let Some(after) = after.filter(|after| after.mailbox >= own) {
            // The lists of the reactors before that one have been read to their ends.
            next = if after.mailbox == own { after.slot.saturating_add(1) } else { u32::MAX };
        }
        if let Some(id) = connection {
            (next, end) = if id.is_of(own) { (next.max(id.slot), id.slot.saturating_add(1)) } else { (0, 0) };
        }
        let walked = Walked { by: own, seen: Vec::new(), count: 0, until: None };
        InProgress { walk, next, end, walked, is_endless: false }
    }

    /// Notes that a connection with this identity was ended.
    pub(super) fn count_ended(&mut self, until: Option<Option<u64>>) {
        self.walked.count += 1;
        match until {
            Some(Some(until)) => self.walked.until = self.walked.until.max(Some(until)),
            Some(None) => self.is_endless = true,
            None => {}
        }
    }

    /// The slots to look at next, at most so many, and whether there are no others after them.
    pub(super) fn slots(&self, looks: usize, used: u32, subscriptions: &Subscriptions) -> (Vec<u32>, bool) {
        let (next, end) = (self.next, self.end.min(used));
        // Few subscribers among many connections are found by their channel.
        if let Some(channel) = self.walk.chosen.channel {
            let members = subscriptions.members(channel);
            if members.len() <= MEMBERS_MAX {
                let mut slots: Vec<u32> =
                    members.iter().map(|member| member.slot).filter(|slot| (next..end).contains(slot)).collect();
                slots.sort_unstable();
                return (slots, true);
            }
        }
        let slots: Vec<u32> = (next..end).take(looks).collect();
        let is_rest = slots.len() < looks || slots.last().is_some_and(|last| last + 1 >= end);
        (slots, is_rest)
    }

    /// Answers whoever asked.
    pub(super) fn answer(mut self) {
        if self.is_endless {
            self.walked.until = None;
        }
        self.walk.answer(self.walked);
    }
}

/// Whether a connection is one of those that are meant.
pub(super) fn is_chosen<S>(entry: &Entry<S>, chosen: &Chosen, subscriptions: &Subscriptions) -> bool {
    let connection = &entry.connection;
    // One that has said its last word is as good as gone.
    entry.closed.is_none()
        && connection.ending().is_none()
        && chosen.connection.is_none_or(|id| id.generation == entry.generation)
        && chosen.transport.is_none_or(|transport| connection.transport() == Some(transport))
        && chosen.whom.address.is_none_or(|address| connection.peer() == address)
        && chosen.channel.is_none_or(|channel| subscriptions.is_member(channel, &entry.memberships))
        && is_meant(connection.identity().map(|identity| &**identity), &chosen.whom)
}

fn is_meant(identity: Option<&Identity>, whom: &Whom) -> bool {
    let Whom { user, key, token, .. } = whom;
    if user.is_none() && key.is_none() && token.is_none() {
        return true;
    }
    let Some(identity) = identity else { return false };
    let own_token = identity.token.as_deref().and_then(|token| token.id.as_deref());
    user.as_deref().is_none_or(|name| matches!(&identity.who, Who::User(own) if **own == *name))
        && key.as_deref().is_none_or(|name| matches!(&identity.who, Who::Key(own) if **own == *name))
        && token.as_deref().is_none_or(|id| own_token == Some(id))
}
