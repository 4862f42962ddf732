//! Walks go on for a slice in each tick, so that no other connection waits for a walk over a million.

use super::core::Core;
use super::entry::{Entries, Entry, Socket, name_of};
use super::subscriptions::Subscriptions;
use super::walks::{InProgress, is_chosen};
use crate::handoff::walk::{Act, Seen, Walk};
use crate::model::ids::{ChannelId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use std::sync::Arc;

/// Connections and subscriptions that are looked at in one tick: some hundred microseconds.
const LOOKS_PER_TICK: usize = 4096;
/// Connections that are listed or ended in one tick, each of which takes a system call or two.
const ACTS_PER_TICK: usize = 256;

/// What may still be done in this tick.
struct Budget {
    looks: usize,
    acts: usize,
}

impl Core {
    /// Takes a walk; it begins in this tick.
    pub(super) fn begin_walk(&mut self, walk: Arc<Walk>) {
        let own = self.setup.postman.own.expect("a reactor's postman knows its own mailbox");
        self.walks.begin(walk, own);
    }

    /// Walks on, as far as a tick may.
    #[inline]
    pub(super) fn go_on_walking<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        if !self.walks.is_empty() {
            self.walk_a_slice(entries, subscriptions);
        }
    }

    #[cold]
    fn walk_a_slice<S: Socket>(&mut self, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        let mut budget = Budget { looks: LOOKS_PER_TICK, acts: ACTS_PER_TICK };
        while let Some(mut walk) = self.walks.take() {
            if !self.walk_on(&mut walk, &mut budget, entries, subscriptions) {
                self.walks.put_back(walk);
                return;
            }
            walk.answer();
        }
    }

    /// Goes on with one walk; whether that is over.
    fn walk_on<S: Socket>(
        &mut self,
        progress: &mut InProgress,
        budget: &mut Budget,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) -> bool {
        if budget.looks == 0 || budget.acts == 0 {
            return false;
        }
        let walk = Arc::clone(&progress.walk);
        let (slots, is_rest) = progress.slots(budget.looks, entries.slots_end(), subscriptions);
        for slot in slots {
            if budget.looks == 0 || budget.acts == 0 {
                progress.next = slot;
                return false;
            }
            budget.looks -= 1;
            progress.next = slot + 1;
            let Some(entry) = entries.peek(slot) else { continue };
            if !is_chosen(entry, &walk.chosen, subscriptions) {
                continue;
            }
            match &walk.act {
                Act::List(max) if progress.walked.seen.len() >= *max => return true,
                Act::List(_) => {
                    budget.acts -= 1;
                    let opened = entries.opened(slot);
                    progress.walked.seen.extend(see(self.setup.postman.own, slot, entry, opened));
                }
                Act::End(refusal) => {
                    budget.acts -= 1;
                    progress.count_ended(entry.connection.identity().map(|identity| identity.until));
                    self.end_for(slot, refusal, entries);
                }
                Act::Unsubscribe(channels, refusal) => {
                    budget.looks = budget.looks.saturating_sub(entry.memberships.len());
                    let ended: Vec<(ChannelId, ChannelName)> = subscriptions
                        .of(&entry.memberships)
                        .filter(|(_, name)| channels.matches(name))
                        .map(|(id, name)| (id, ChannelName::clone(name)))
                        .collect();
                    budget.acts = budget.acts.saturating_sub(ended.len());
                    progress.walked.count += ended.len();
                    self.unsubscribe(slot, ended, refusal, entries, subscriptions);
                }
            }
        }
        is_rest
    }

    fn end_for<S: Socket>(&mut self, slot: u32, refusal: &Refusal, entries: &mut Entries<S>) {
        let Some(entry) = entries.get(slot) else { return };
        self.catch_panic(slot, entry, |core, entry| {
            entry.connection.end_for(refusal, &mut core.env(entry.listener));
        });
        self.update(slot, entry);
    }
}

fn see<S: Socket>(own: Option<MailboxId>, slot: u32, entry: &Entry<S>, opened: u32) -> Option<Seen> {
    let connection = &entry.connection;
    Some(Seen {
        id: name_of(own, slot, entry.generation),
        identity: connection.identity().map(Arc::clone),
        address: connection.peer(),
        listener: entry.listener,
        transport: connection.transport()?,
        since: opened,
        transferred: entry.stream.transferred(),
        lag: connection.outbox.len(),
        subscriptions: entry.memberships.len(),
    })
}
