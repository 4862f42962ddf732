//! The phase `drain_mailbox`: letters from the hub and the workers into the outboxes of connections.

use super::core::Core;
use super::entry::{Entries, Entry, Socket};
use super::run::{GATHER_BYTES_MAX, Pieces, Run};
use super::subscriptions::{Added, Member, Subscriptions};
use crate::access::Action;
use crate::handoff::mailbox::{Inbox, Letter, Outcome, Returned};
use crate::handoff::order::Order;
use crate::hub::post::Delivery;
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::ids::{ChannelId, ConnId};
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::node::answer::{Answer, Reply};
use crate::node::work::Work;
use crate::wire::frame::SharedFrame;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

/// Letters taken in one tick.
const LETTERS_PER_TICK: usize = 4096;
/// Pushes into outboxes in one tick, after which the tick goes on to the flush.
const PUSHES_PER_TICK: usize = 200_000;

/// A run of publications on its way to the subscribers of one reactor.
struct Push<'a> {
    publications: &'a [Arc<Publication>],
    /// All of it as one piece for each encoding, for connections that can take it so.
    pieces: Pieces<'a>,
    /// Slot and generation of the connection that is excluded.
    exclude: Option<(u32, u32)>,
    /// An outbox with this many bytes should be flushed first.
    half_full: usize,
    /// An outbox should be flushed before more is delivered.
    stop: bool,
}

/// What is to be done about a connection whose work came back, and how many answers to it come from this thread.
enum Back {
    /// It goes on.
    Done(usize),
    /// It waits on: the work is parked, or on its next errand.
    Elsewhere(usize),
    /// It ends.
    Panicked,
}

impl Core {
    /// Takes letters until the mailbox is empty, a budget is spent, or an outbox is half full and should be flushed
    /// first. True when letters were left.
    pub(super) fn drain_mailbox<S: Socket>(
        &mut self,
        inbox: &Inbox,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) -> bool {
        let (mut entries_freed, mut bytes_freed, mut pushes) = (0, 0, 0);
        let mut left_over = true;
        let mut run = std::mem::take(&mut self.run);
        for _ in 0..LETTERS_PER_TICK {
            let Some(letter) = inbox.next() else {
                left_over = false;
                break;
            };
            let memberships = |to: ConnId| entries.peek(to.slot).map(|entry| &entry.memberships);
            // The run goes out before a letter that must not overtake it (laws 1 and 2). The letter has left the
            // mailbox by then, so it is handled even if the tick stops after it.
            let can_wait = run.can_wait(&letter, subscriptions, memberships);
            let stop = !can_wait && self.fan_out(&mut run, entries, subscriptions);
            match letter {
                Letter::Delivery(Delivery::Publication { channel, publication, exclude, accepted }) => {
                    self.accepted.push(accepted);
                    entries_freed += 1;
                    bytes_freed += publication.weight();
                    pushes += subscriptions.members(channel).len();
                    run.push(channel, publication, exclude);
                }
                Letter::Delivery(Delivery::Reset { channel, name, position }) => {
                    entries_freed += 1;
                    bytes_freed += crate::hub::post::RESET_WEIGHT;
                    self.fan_out_reset(channel, (&name, position), entries, subscriptions);
                }
                Letter::Reply(reply) => self.reply(reply, entries, subscriptions),
                Letter::Returned(returned) => self.take_back(returned, entries, subscriptions),
                Letter::Order(Order::Drain(farewell)) => self.farewell = Some(farewell),
                Letter::Order(Order::Rules(rules)) => self.take_rules(&rules, entries, subscriptions),
                Letter::Order(Order::Change) => self.take_change(entries, subscriptions),
                Letter::Order(Order::Leave) => self.leaving = true,
                Letter::Order(Order::Ready(is_ready)) => self.away = !is_ready,
                Letter::Order(Order::Answer(asked)) => drop(asked),
                Letter::Order(Order::Walk(walk)) => self.begin_walk(walk),
            }
            if stop || pushes > PUSHES_PER_TICK {
                break;
            }
        }
        self.fan_out(&mut run, entries, subscriptions);
        self.run = run;
        if entries_freed > 0 {
            // Once for all letters, since each call may wake the threads that wait for room.
            self.setup.postman.mailboxes.free(inbox.id, entries_freed, bytes_freed);
        }
        left_over
    }

    /// Pushes a run to its channel's subscribers here and empties it; true when an outbox should be flushed before more.
    fn fan_out<S: Socket>(&mut self, run: &mut Run, entries: &mut Entries<S>, subscriptions: &Subscriptions) -> bool {
        let Some((channel, exclude)) = run.key() else { return false };
        let members = subscriptions.members(channel);
        let own = self.setup.postman.own;
        let half_full = self.setup.limits.outbox_bytes / 2;
        let mut push = Push {
            publications: run.publications(),
            pieces: Pieces::new(run.publications(), half_full.min(GATHER_BYTES_MAX)),
            // A connection of another reactor may have the slot and generation of one here.
            exclude: exclude
                .filter(|name| own.is_some_and(|own| name.is_of(own)))
                .map(|name| (name.slot, name.generation)),
            half_full,
            stop: false,
        };
        let mut next = 0;
        while next < members.len() {
            // Caught once for the whole loop, since catching costs as much as a push: after a panic the loop goes on with the next
            // connection.
            let pushed = catch_unwind(AssertUnwindSafe(|| {
                while let Some(member) = members.get(next) {
                    next += 1;
                    self.push(*member, &mut push, entries);
                }
            }));
            if pushed.is_err()
                && let Some(entry) = entries.get(members[next - 1].slot)
            {
                self.after_panic(members[next - 1].slot, entry);
            }
        }
        push.pieces.count(&self.setup.counters);
        let stop = push.stop;
        run.clear();
        stop
    }

    #[inline]
    fn push<S: Socket>(&mut self, member: Member, push: &mut Push<'_>, entries: &mut Entries<S>) {
        let Some(entry) = entries.get(member.slot) else { return };
        if entry.closed.is_some() {
            return;
        }
        if push.exclude.is_some_and(|name| name == (member.slot, entry.generation)) {
            return self.tell_excluded(member, push, entry);
        }
        let first = &mut push.pieces.first;
        // An empty outbox is over no limit, so its reader need not be judged before the push.
        match &first.bytes {
            Some(bytes)
                if member.encoding == first.encoding
                    && entry.connection.takes_shared_frame(member.encoding)
                    && entry.connection.outbox.is_empty() =>
            {
                entry.connection.outbox.push_shared(SharedFrame::clone(bytes), &mut self.buffers);
                first.readers += 1;
                push.stop |= entry.connection.outbox.len() >= push.half_full;
            }
            _ => {
                if !self.push_otherwise(member, push, entry) {
                    return;
                }
            }
        }
        self.after_push(member.slot, entry);
    }

    /// Pushes to a reader of another encoding than the first, or with more to do; false when it was cut off.
    fn push_otherwise<S: Socket>(&mut self, member: Member, push: &mut Push<'_>, entry: &mut Entry<S>) -> bool {
        if entry.connection.takes_shared(member.encoding) && entry.connection.outbox.is_empty() {
            let piece = push.pieces.of(member.encoding, &mut self.codec, &self.setup.counters);
            if let Some(bytes) = &piece.bytes {
                entry.connection.push_shared(SharedFrame::clone(bytes), self.ticks, &mut self.buffers);
                piece.readers += 1;
                push.stop |= entry.connection.outbox.len() >= push.half_full;
                return true;
            }
        }
        self.push_each(member, push, entry)
    }

    /// Pushes the publications one by one; false when the reader was cut off.
    fn push_each<S: Socket>(&mut self, member: Member, push: &mut Push<'_>, entry: &mut Entry<S>) -> bool {
        for publication in push.publications {
            if self.judge_by_limit(member.slot, entry) {
                self.update(member.slot, entry);
                return false;
            }
            entry.connection.push(publication, member.encoding, &mut self.env(entry.listener));
            // One that is blocked does not count: no flush would make room in it.
            push.stop |= !entry.writing.is_blocked() && entry.connection.outbox.len() >= push.half_full;
        }
        true
    }

    /// Sends the excluded connection the positions of a run, without its data.
    #[cold]
    fn tell_excluded<S: Socket>(&mut self, member: Member, push: &mut Push<'_>, entry: &mut Entry<S>) {
        for publication in push.publications {
            if self.judge_by_limit(member.slot, entry) {
                return self.update(member.slot, entry);
            }
            entry.connection.push_excluded(publication, &mut self.env(entry.listener));
            push.stop |= !entry.writing.is_blocked() && entry.connection.outbox.len() >= push.half_full;
        }
        self.after_push(member.slot, entry);
    }

    fn fan_out_reset<S: Socket>(
        &mut self,
        channel: ChannelId,
        (name, position): (&str, Position),
        entries: &mut Entries<S>,
        subscriptions: &Subscriptions,
    ) {
        for member in subscriptions.members(channel) {
            let Some(entry) = entries.get(member.slot) else { continue };
            self.catch_panic(member.slot, entry, |core, entry| {
                entry.connection.push_reset(channel, name, position, &mut core.env(entry.listener));
            });
            self.after_push(member.slot, entry);
        }
    }

    /// The cheap part of `update`: a push changes nothing but the outbox.
    #[inline]
    fn after_push<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        if entry.writing.is_blocked() {
            self.after_blocked_push(slot, entry);
        } else if !entry.connection.outbox.is_empty() && entry.writing.mark_dirty() {
            self.dirty.push(slot);
        }
    }

    /// What waits for a full socket is not flushed before the socket takes more, so it is counted and judged here.
    #[cold]
    fn after_blocked_push<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        self.charge(entry);
        self.judge_by_budget(slot, entry);
        if entry.connection.ending().is_some() {
            self.update(slot, entry);
        }
    }

    pub(super) fn reply<S: Socket>(
        &mut self,
        mut reply: Reply,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        let to = reply.to;
        let alive = entries
            .get_exact(to.slot, to.generation)
            .is_some_and(|entry| entry.closed.is_none() && entry.connection.ending().is_none());
        if !alive {
            if entries.get_exact(to.slot, to.generation).is_none() {
                self.setup.counters.stale_ids.add(1);
            }
            // The hub counted this reader under the channel's lock, before the answer came here.
            if let Answer::Channel { id, live: true, .. } = reply.answer {
                self.setup.hub.leave(id, to);
            }
            return;
        }
        if let Some(refusal) = self.subscribe_or_not(&reply, entries, subscriptions) {
            reply.answer = Answer::Refused(refusal);
        }
        if let Answer::SignIn { .. } = reply.answer {
            return self.sign_in(reply, entries, subscriptions);
        }
        let Some(entry) = entries.get(to.slot) else { return };
        self.catch_panic(to.slot, entry, |core, entry| entry.connection.reply(reply, &mut core.env(entry.listener)));
        if self.meter.in_force().any() {
            self.after_answer(to.slot, entry);
        }
        self.update(to.slot, entry);
    }

    /// Changes the table of subscriptions as the answer says; the refusal that replaces the answer, if it cannot.
    fn subscribe_or_not<S: Socket>(
        &mut self,
        reply: &Reply,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) -> Option<Refusal> {
        let to = reply.to;
        match &reply.answer {
            Answer::Channel { channel, id, live: true, .. } => {
                let entry = entries.get(to.slot)?;
                // Judged once more where rules apply: a worker may have executed it by those before the present ones.
                let rules = &self.setup.rules.channels;
                if let Some(identity) = entry.connection.identity()
                    && let Err(refusal) = rules.judge(identity, Action::Read, channel)
                {
                    self.setup.hub.leave(*id, to);
                    return Some(refusal);
                }
                let encoding = entry.connection.encoding(reply.ticket);
                let limit = self.setup.subscriptions_max;
                match subscriptions.add((*id, channel), to.slot, &mut entry.memberships, encoding, limit) {
                    Added::New => {
                        self.setup.counters.subscriptions.add(1);
                        None
                    }
                    // Each GET was counted, and the connection is one reader.
                    Added::Already => {
                        self.setup.hub.leave(*id, to);
                        None
                    }
                    Added::Full => {
                        self.setup.hub.leave(*id, to);
                        let message = format!(
                            "this connection is subscribed to {limit} channels, the most it may (channels.per_connection); unsubscribe from one, or open another connection"
                        );
                        Some(Refusal::new(Code::TooManySubscriptions, message))
                    }
                }
            }
            Answer::Unsubscribe { channel, id } => {
                if id.is_some_and(|id| self.end_subscription(to.slot, id, entries, subscriptions)) {
                    return None;
                }
                Some(Refusal::new(Code::NotSubscribed, format!("this connection is not subscribed to {channel:?}")))
            }
            _ => None,
        }
    }

    fn take_back<S: Socket>(
        &mut self,
        returned: Returned,
        entries: &mut Entries<S>,
        subscriptions: &mut Subscriptions,
    ) {
        let Returned { to, buffer, outcome } = returned;
        self.keep_buffer(buffer);
        // Before the connection is looked for: its requests were read, so they are executed even if it is gone.
        let back = match outcome {
            Outcome::Done => Back::Done(0),
            Outcome::Panicked => Back::Panicked,
            Outcome::Blocked(work) => {
                let answers = work.remaining();
                self.park_work(work);
                Back::Elsewhere(answers)
            }
            Outcome::Answered(work) | Outcome::Fetched(work) => self.go_on(work),
            Outcome::Verified(checked) => return self.take_verified(to, *checked, entries, subscriptions),
        };
        let Some(entry) = entries.get_exact(to.slot, to.generation) else {
            self.setup.counters.stale_ids.add(1);
            return;
        };
        let mut env = self.env(entry.listener);
        match back {
            Back::Done(answers) => {
                entry.connection.awaits(answers);
                entry.connection.returned(&mut env);
            }
            Back::Elsewhere(answers) => entry.connection.awaits(answers),
            Back::Panicked => entry.connection.after_panic(&mut env),
        }
        self.update(to.slot, entry);
    }

    /// Executes what is left of a work that was elsewhere.
    fn go_on(&mut self, work: Box<Work>) -> Back {
        let answers = work.remaining();
        let is_elsewhere = catch_unwind(AssertUnwindSafe(|| answers > 0 && self.run(work)));
        self.setup.postman.pay_wakes();
        match is_elsewhere {
            Ok(true) => Back::Elsewhere(answers),
            Ok(false) => Back::Done(answers),
            Err(_) => {
                self.setup.counters.panics.add(1);
                Back::Panicked
            }
        }
    }
}
