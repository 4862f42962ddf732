//! How connections end, and how the run does.

use super::super::accounting::{self, Traffic};
use super::super::client::{Codec, Reading, Stage};
use super::alarm::What;
use super::estate::Gone;
use super::{Course, Worker};
use crate::clock::{self, Nanos};
use crate::message::{Ledger, Report};
use crate::plan::{Ending, Flow, Task};
use mio::Token;
use std::rc::Rc;
use tidings::wire::frame::{Opcode, write_masked};

/// Normal closure (RFC 6455 section 7.4.1).
const NORMAL: [u8; 2] = 1000_u16.to_be_bytes();

impl Worker {
    /// A connection is gone, or must go, against this side's will.
    pub(super) fn lost(&mut self, slot: usize, text: &str) {
        let reason = match &self.clients[slot].codec {
            Codec::Refused(refusal) => Some(refusal.words()),
            _ => None,
        };
        let text = reason.as_deref().unwrap_or(text);
        let (index, local, stage, cut) = {
            let client = &self.clients[slot];
            (usize::from(client.group), client.local, client.stage, client.cut)
        };
        if matches!(&self.clients[slot].codec, Codec::Frames(frames) if frames.is_checked())
            && text.starts_with("tungstenite")
        {
            self.accounting.ledger.objections += 1;
        }
        match stage {
            Stage::Leaving => self.remove(slot),
            Stage::Open => {
                self.accounting.recorder.counts.dropped += 1;
                self.accounting.recorder.error(text);
                self.accounting.ledger.slow_cut += u64::from(self.clients[slot].reading != Reading::Freely);
                self.remove_as(slot, Gone::Dropped);
            }
            _ => {
                self.discard(slot, Gone::Dropped);
                self.refused(index, local, cut, text);
            }
        }
    }

    /// A connection was on its way for too long.
    pub(super) fn too_late(&mut self, token: Token, _now: Nanos) {
        let Some(slot) = self.slot_of(token) else { return };
        if self.judge_attack(slot, false) {
            return;
        }
        match self.clients[slot].stage {
            Stage::Open => {}
            Stage::Leaving => self.remove(slot),
            _ => self.lost(slot, "a connection was not of use in time"),
        }
    }

    /// Ends a connection by this side's will.
    pub(super) fn leave(&mut self, slot: usize) {
        if self.clients[slot].stage == Stage::Leaving {
            return;
        }
        let is_socket = matches!(self.clients[slot].codec, Codec::Frames(_));
        if self.accounting.plan.ending == Ending::Rst || !is_socket {
            self.clients[slot].transport.reset_on_drop();
            return self.remove(slot);
        }
        self.count_as_left(slot);
        let mask = self.accounting.random.mask();
        write_masked(&mut self.clients[slot].out, Opcode::Close, true, &NORMAL, mask);
        self.clients[slot].stage = Stage::Leaving;
        let token = Token((self.clients[slot].generation as usize) << 32 | slot);
        self.deadlines.push_back((clock::now().saturating_add(clock::of(self.accounting.plan.opening.timeout)), token));
        self.mark(slot);
    }

    fn count_as_left(&mut self, slot: usize) {
        let index = usize::from(self.clients[slot].group);
        match self.clients[slot].stage {
            Stage::Open => {
                self.open -= 1;
                self.parts[index].open -= 1;
            }
            Stage::Leaving => {}
            _ => self.pending -= 1,
        }
    }

    /// A connection is over: its place is free, and what it has received is kept for its successor.
    pub(super) fn remove(&mut self, slot: usize) {
        self.remove_as(slot, Gone::Left);
    }

    fn remove_as(&mut self, slot: usize, gone: Gone) {
        let (index, local, cut) = {
            let client = &self.clients[slot];
            (usize::from(client.group), client.local, client.cut)
        };
        self.discard(slot, gone);
        self.vacate(index, local, cut, false);
    }

    fn discard(&mut self, slot: usize, gone: Gone) {
        let was_open = self.clients[slot].stage == Stage::Open;
        self.count_as_left(slot);
        let mut client = self.clients.remove(slot);
        // Closing the socket takes it from the list as well.
        let _ = self.poll.registry().deregister(&mut client.transport);
        self.account_for((usize::from(client.group), client.local), client, gone, was_open);
    }

    /// A connection whose token has expired comes back at once, with what is remembered of it.
    pub(super) fn come_back_after_expiry(&mut self, slot: usize, now: Nanos) {
        self.accounting.recorder.counts.expired += 1;
        let client = &mut self.clients[slot];
        let (place, memory) = ((usize::from(client.group), client.local), std::mem::take(&mut client.memory));
        self.discard(slot, Gone::Cut);
        self.memories.insert(place, memory);
        self.vacate(place.0, place.1, now, false);
    }

    /// A server may end a connection over HTTP after any answer (RFC 9112 section 9.6): a publisher that waits for none
    /// goes on with another. False when this is something else.
    pub(super) fn renew(&mut self, slot: usize, now: Nanos) -> bool {
        let client = &mut self.clients[slot];
        let Codec::Answers(answers) = &mut client.codec else { return false };
        if answers.waiting > 0 || client.stage != Stage::Open {
            return false;
        }
        let (part, local) = (usize::from(client.group), client.local);
        // Taken first: what a connection that is gone still holds counts as not sent.
        self.backlogs.insert((part, local), std::mem::take(&mut answers.backlog));
        self.discard(slot, Gone::Left);
        self.parts[part].places[local as usize] = super::part::NOBODY;
        self.set_timer(now, What::Return { part, local, cut: 0 });
        true
    }

    /// All connections of a part are cut at once, and come back after a random part of the time they are given.
    pub(super) fn cut_all(&mut self, part: usize, now: Nanos) {
        let Some((_, spread)) = self.accounting.plan.groups[part].outage else { return };
        let places = self.parts[part].places.clone();
        for (local, slot) in places.into_iter().enumerate() {
            let slot = slot as usize;
            if !self.clients.get(slot).is_some_and(|client| client.stage == Stage::Open) {
                continue;
            }
            self.clients[slot].transport.reset_on_drop();
            self.accounting.ledger.cut += 1;
            self.discard(slot, Gone::Cut);
            self.parts[part].places[local] = super::part::NOBODY;
            let wait = clock::of(spread.mul_f64(self.accounting.random.share()));
            let local = u32::try_from(local).unwrap_or(u32::MAX);
            self.set_timer(now.saturating_add(wait), What::Return { part, local, cut: now });
        }
    }

    /// Traffic begins at a time.
    pub(super) fn go(&mut self, at: Nanos) {
        if !matches!(self.course, Course::Opening { .. }) {
            return;
        }
        let plan = Rc::clone(&self.accounting.plan);
        self.expect_deliveries();
        self.accounting.traffic = Traffic::On;
        self.course = Course::Running;
        let (begin, end) = plan.counted(at);
        self.accounting.recorder.count_between(begin, end);
        self.tell_window(clock::now());
        for (index, group) in plan.groups.iter().enumerate() {
            let begins = at.saturating_add(clock::of(group.start));
            self.parts[index].begins.get_or_insert(begins);
            self.parts[index].plan_sends(&plan, group, self.accounting.share, at);
            if let Some((when, _)) = group.outage {
                self.set_timer(at.saturating_add(clock::of(when)), What::Outage { part: index });
            }
        }
        let slots: Vec<usize> =
            self.clients.iter().filter(|(_, client)| client.stage == Stage::Open).map(|(slot, _)| slot).collect();
        slots.into_iter().for_each(|slot| self.begin_flow(slot));
        // Lifetimes begin with the traffic, or connections that were open before would end too early to be measured.
        self.end = end;
    }

    /// Says how many receivers each channel has on this thread.
    pub(super) fn expect_deliveries(&mut self) {
        let (plan, share) = (Rc::clone(&self.accounting.plan), self.accounting.share);
        let clients = &self.clients;
        let numbers = clients.iter().filter(|(_, client)| {
            let reads = matches!(plan.groups[usize::from(client.group)].task, Task::Subscribe);
            reads && client.stage == Stage::Open
        });
        let numbers = numbers.map(|(_, client)| share.global(u64::from(client.local)));
        self.accounting.spreads.expect(accounting::receivers(&plan, numbers));
    }

    /// Whether the time of the run is over, or its count is reached and closed flows have made theirs.
    pub(super) fn is_counted_out(&self, now: Nanos) -> bool {
        if now >= self.end {
            return true;
        }
        let plan = &self.accounting.plan;
        let counts = plan.groups.iter().zip(&self.parts).filter_map(|(group, part)| match &group.task {
            Task::Publish { flow: Flow::Closed { .. }, .. } => Some(plan.count.is_some_and(|count| part.made >= count)),
            Task::Echo { flow: Flow::Closed { .. }, .. } => Some(self.accounting.echoes_left == 0),
            Task::Echo { .. } | Task::Publish { .. } => Some(plan.count.is_some()),
            _ => None,
        });
        let counts: Vec<bool> = counts.collect();
        !counts.is_empty() && counts.into_iter().all(|done| done)
    }

    /// Nothing is sent any more.
    pub(super) fn stop(&mut self, now: Nanos) {
        if !matches!(self.course, Course::Opening { .. } | Course::Running) {
            return;
        }
        // While traffic is on, since nothing is sent after it.
        self.send_last(now);
        self.accounting.traffic = Traffic::Over;
        self.course = Course::Stopped;
        for part in &mut self.parts {
            part.stopped = true;
            if let Some(schedule) = &mut part.schedule {
                schedule.stop();
            }
        }
        self.accounting.recorder.count_until(now);
        self.tell_window(now);
        self.accounting.reports.send(Report::Sent(self.accounting.published.clone()));
    }

    /// How many messages have not come, of all that were sent.
    pub(super) fn missing(&self, totals: &[u64]) -> u64 {
        let (plan, share) = (&self.accounting.plan, self.accounting.share);
        let of_client = |client: &super::Client| match plan.groups[usize::from(client.group)].task {
            Task::Echo { .. } => client.trackers.iter().map(|tracker| tracker.missing(client.sent)).sum(),
            Task::Subscribe if client.stage == Stage::Open => {
                let number = share.global(u64::from(client.local));
                let missing = client.trackers.iter().enumerate().map(|(place, tracker)| {
                    accounting::stream_of(plan, number, place)
                        .map_or(0, |stream| tracker.missing(totals[stream as usize]))
                });
                missing.sum()
            }
            _ => 0,
        };
        self.clients.iter().map(|(_, client)| of_client(client)).sum()
    }

    /// Tells what became of everything.
    pub(super) fn finish(&mut self, now: Nanos) {
        let totals = match std::mem::replace(&mut self.course, Course::Over) {
            Course::Settling { totals, .. } => totals,
            _ => Vec::new(),
        };
        for spread in self.accounting.spreads.give_up(now, true) {
            self.accounting.reports.send(Report::Spread(spread));
        }
        self.settle_all(&totals);
        self.tell_window(now);
        let mut ledger: Ledger = std::mem::take(&mut self.accounting.ledger);
        ledger.errors = std::mem::take(&mut self.accounting.recorder.errors);
        self.accounting.reports.send(Report::Done(ledger));
    }
}
