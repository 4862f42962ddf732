//! Subscriptions that are no longer allowed, since the rules changed or the client is another: each ends, and its reader
//! receives why.

use super::core::Core;
use super::entry::{Entries, Socket, name_of};
use super::subscriptions::Subscriptions;
use crate::access::{AccessRules, Action, Identity};
use crate::connection::reply::PutOff;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use crate::model::ticket::Ticket;
use crate::node::answer::Reply;
use std::sync::Arc;

/// A subscription that ends.
struct Ended {
    slot: u32,
    channel: ChannelId,
    name: ChannelName,
    refusal: Refusal,
}

impl Core {
    /// Judges by these rules from now on, and ends the subscriptions that they do not allow.
    pub(super) fn take_rules<S: Socket>(
        &mut self,
        rules: &Arc<AccessRules>,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        self.setup.rules = Arc::clone(rules);
        for listener in &mut self.setup.listeners {
            listener.policy.rules = Arc::clone(rules);
            // What it proved, it proved by the keys before.
            listener.policy.known.take();
        }
        self.unverified.note_rules(rules);
        self.meter.set_in_force(self.setup.in_force());
        self.judge_identities(rules, entries);
        let ended: Vec<Ended> = subscriptions
            .all()
            .flat_map(|(channel, name, members)| members.iter().map(move |member| (channel, name, member.slot)))
            .filter_map(|(channel, name, slot)| judge(rules, entries, channel, name, slot))
            .collect();
        self.end_subscriptions(ended, entries, subscriptions);
    }

    /// Ends the connections whose clients prove nothing by these rules, and makes those others whose keys say something else.
    fn judge_identities<S: Socket>(&mut self, rules: &AccessRules, entries: &mut Entries<S>) {
        // Those with one key share one identity.
        let mut renewed: Vec<Arc<Identity>> = Vec::new();
        for slot in entries.slots() {
            let Some(entry) = entries.get(slot).filter(|entry| entry.closed.is_none()) else { continue };
            let Some(identity) = entry.connection.identity() else { continue };
            match rules.judge_anew(identity, entry.connection.peer()) {
                Ok(None) => {}
                Ok(Some(new)) => {
                    let known = renewed.iter().find(|known| known.basis == new.basis).map(Arc::clone);
                    let new = known.unwrap_or_else(|| {
                        renewed.push(Arc::new(new));
                        Arc::clone(&renewed[renewed.len() - 1])
                    });
                    entry.connection.become_another(new);
                }
                Err(refusal) => {
                    self.catch_panic(slot, entry, |core, entry| {
                        entry.connection.end_for(&refusal, &mut core.env(entry.listener));
                    });
                    self.update(slot, entry);
                }
            }
        }
    }

    /// A client signs in: subscriptions that it may not have any more end, and those that its token names begin.
    #[cold]
    pub(super) fn sign_in<S: Socket>(
        &mut self,
        reply: Reply,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        let (to, ticket) = (reply.to, reply.ticket);
        let Some(entry) = entries.get(to.slot) else { return };
        let before = entry.connection.identity().map(Arc::clone);
        let mut put_off = None;
        self.catch_panic(to.slot, entry, |core, entry| {
            put_off = entry.connection.sign_in(reply, &mut core.env(entry.listener));
        });
        if self.meter.in_force().any() {
            self.after_answer(to.slot, entry);
        }
        self.update(to.slot, entry);
        if let Some(put_off) = put_off {
            let PutOff { verification, reply } = *put_off;
            return self.verify_elsewhere(to, entry.listener, verification, Some(Box::new(reply)));
        }
        self.judge_again(to, entries, subscriptions);
        if let Some(before) = before {
            self.subscribe_signed_in(to, ticket, &before, entries, subscriptions);
        }
    }

    fn subscribe_signed_in<S: Socket>(
        &mut self,
        to: ConnId,
        ticket: Ticket,
        before: &Identity,
        entries: &mut Entries<S>,
        subscriptions: &Subscriptions,
    ) {
        let Some(entry) = entries.get(to.slot) else { return };
        let rules = Arc::clone(&self.setup.rules);
        let has = |name: &ChannelName| subscriptions.of(&entry.memberships).any(|(_, own)| own == name);
        let Some(raw) = entry.connection.signed_in(ticket, before, &rules.channels, has) else { return };
        // They count as requests of this connection, and letters are taken after another one's turn.
        if self.meter.in_force().any() {
            self.begin_turn(to, entry);
        }
        let (answers, hold) = self.submit(to, raw);
        entry.connection.submitted(answers, hold);
        self.update(to.slot, entry);
    }

    /// Judges the subscriptions of one connection once more: its client signed in as somebody who may do less.
    fn judge_again<S: Socket>(&mut self, to: ConnId, entries: &mut Entries<S>, subscriptions: &mut Subscriptions) {
        let rules = Arc::clone(&self.setup.rules);
        let Some(entry) = entries.peek(to.slot) else { return };
        let ended: Vec<Ended> = subscriptions
            .of(&entry.memberships)
            .filter_map(|(channel, name)| judge(&rules, entries, channel, name, to.slot))
            .collect();
        self.end_subscriptions(ended, entries, subscriptions);
    }

    /// Ends some subscriptions of one connection for a reason.
    pub(super) fn unsubscribe<S: Socket>(
        &mut self,
        slot: u32,
        channels: Vec<(ChannelId, ChannelName)>,
        refusal: &Refusal,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        let ended = |(channel, name)| Ended { slot, channel, name, refusal: refusal.clone() };
        self.end_subscriptions(channels.into_iter().map(ended).collect(), entries, subscriptions);
    }

    fn end_subscriptions<S: Socket>(
        &mut self,
        ended: Vec<Ended>,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        for Ended { slot, channel, name, refusal } in ended {
            self.end_subscription(slot, channel, entries, subscriptions);
            let Some(entry) = entries.get(slot) else { continue };
            self.catch_panic(slot, entry, |core, entry| {
                entry.connection.end_subscription(channel, &name, &refusal, &mut core.env(entry.listener));
            });
            self.update(slot, entry);
        }
    }

    /// Removes a subscription; whether there was one.
    pub(super) fn end_subscription<S: Socket>(
        &mut self,
        slot: u32,
        channel: ChannelId,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) -> bool {
        let Some(entry) = entries.get(slot) else { return false };
        // Taken out, since removing one member changes the list of another connection.
        let mut own = std::mem::take(&mut entry.memberships);
        let to = name_of(self.setup.postman.own, slot, entry.generation);
        let found = subscriptions.remove(channel, &mut own, entries);
        if let Some(entry) = entries.get(slot) {
            entry.memberships = own;
        }
        if found {
            self.setup.counters.subscriptions.sub(1);
            self.setup.hub.leave(channel, to);
        }
        found
    }
}

fn judge<S: Socket>(
    rules: &AccessRules,
    entries: &Entries<S>,
    channel: ChannelId,
    name: &ChannelName,
    slot: u32,
) -> Option<Ended> {
    let identity = entries.peek(slot)?.connection.identity()?;
    let refusal = rules.channels.judge(identity, Action::Read, name).err()?;
    Some(Ended { slot, channel, name: ChannelName::clone(name), refusal })
}
