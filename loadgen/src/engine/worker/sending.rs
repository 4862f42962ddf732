//! What leaves: by schedule, or as soon as there is room.

use super::super::accounting::{self, Traffic};
use super::super::client::{Client, Codec, Stage};
use super::{SENDS_PER_TURN, Worker};
use crate::clock::{self, Nanos};
use crate::plan::{Flow, Route, Task};
use mio::Token;
use std::io::{ErrorKind, Write};
use std::rc::Rc;

impl Worker {
    /// Notes that a connection has something to send.
    pub(super) fn mark(&mut self, slot: usize) {
        if !self.clients[slot].dirty {
            self.clients[slot].dirty = true;
            self.dirty.push(slot);
        }
    }

    /// Sends what the schedules say, and what closed flows have room for.
    pub(super) fn send_due(&mut self) {
        if self.accounting.traffic != Traffic::On {
            return;
        }
        for index in 0..self.parts.len() {
            for _ in 0..SENDS_PER_TURN {
                let now = clock::now();
                let Some((event, due)) = self.parts[index].schedule.as_mut().and_then(|schedule| schedule.take(now))
                else {
                    break;
                };
                self.send_one(index, event, due);
            }
            self.publish_allowed(index);
        }
    }

    /// Sends the message that was due, on a connection of its own or the next one in turn.
    fn send_one(&mut self, index: usize, event: u64, due: Nanos) {
        let plan = Rc::clone(&self.accounting.plan);
        if let Task::Attack { .. } = plan.groups[index].task {
            return self.attempt(index, due);
        }
        if let Task::Publish { .. } = plan.groups[index].task {
            let stream = event % u64::from(plan.streams.max(1));
            return self.publish_on(index, u32::try_from(stream).unwrap_or(0), due);
        }
        let clients = &self.clients;
        let is_open = |slot: u32| clients.get(slot as usize).is_some_and(|client| client.stage == Stage::Open);
        match self.parts[index].next_sender(is_open) {
            Some(slot) => self.echo_on(slot as usize, due),
            None => {
                self.accounting.recorder.error("a message was due and no connection was open to send it");
                self.accounting.not_sent(None);
            }
        }
    }

    /// Sends one message that should come back.
    fn echo_on(&mut self, slot: usize, intended: Nanos) {
        let plan = Rc::clone(&self.accounting.plan);
        self.pool.lend(&mut self.clients[slot].out);
        let (mut line, _) = accounting::split(&mut self.clients[slot], &plan, self.accounting.share);
        self.accounting.send_echo(&mut line, intended);
        self.mark(slot);
    }

    /// Publishes on the connection of the publisher that a sequence belongs to.
    fn publish_on(&mut self, index: usize, stream: u32, intended: Nanos) {
        let publishers = self.accounting.plan.groups[index].connections.max(1);
        // Publisher p is at place p / of on thread p % of, as in `Deal`.
        let local = u64::from(stream) % publishers / self.accounting.share.of;
        let slot = self.parts[index].places.get(local as usize).map(|slot| *slot as usize);
        let Some(slot) = slot.filter(|slot| self.clients.get(*slot).is_some_and(|client| client.stage == Stage::Open))
        else {
            let place = (index, u32::try_from(local).unwrap_or(u32::MAX));
            return match self.backlogs.get_mut(&place) {
                Some(backlog) => backlog.push_back((stream, intended)),
                None => {
                    self.accounting.recorder.error("a publication was due and its publisher was not connected");
                    self.accounting.not_sent(Some(stream));
                }
            };
        };
        let plan = Rc::clone(&self.accounting.plan);
        let pipeline = match plan.groups[index].task {
            Task::Publish { route: Route::Http { pipeline }, .. } => pipeline.max(1),
            _ => u32::MAX,
        };
        self.pool.lend(&mut self.clients[slot].out);
        let (mut line, codec) = accounting::split(&mut self.clients[slot], &plan, self.accounting.share);
        match codec {
            Codec::Answers(answers) if answers.waiting >= pipeline || answers.ended => {
                return answers.backlog.push_back((stream, intended));
            }
            Codec::Answers(answers) => self.accounting.publish(&mut line, stream, intended, Some(answers)),
            _ => self.accounting.publish(&mut line, stream, intended, None),
        }
        self.mark(slot);
    }

    /// Publishes what has waited for answers, as far as there is room now.
    pub(super) fn publish_backlog(&mut self, slot: usize) {
        let index = usize::from(self.clients[slot].group);
        let Task::Publish { route: Route::Http { pipeline }, .. } = self.accounting.plan.groups[index].task else {
            return;
        };
        while let Codec::Answers(answers) = &mut self.clients[slot].codec
            && answers.waiting < pipeline.max(1)
            && let Some((stream, intended)) = answers.backlog.pop_front()
        {
            self.publish_on(index, stream, intended);
        }
    }

    /// Publishes in a closed flow: at most `depth` publications are in progress, counted by what was delivered of all.
    fn publish_allowed(&mut self, index: usize) {
        let plan = Rc::clone(&self.accounting.plan);
        let Task::Publish { flow: Flow::Closed { depth }, .. } = plan.groups[index].task else { return };
        if self.parts[index].open == 0 || self.parts[index].stopped {
            return;
        }
        let each = self.receivers_per_publication.max(1);
        let complete = self.accounting.progress.delivered() / each;
        let streams = u64::from(plan.streams.max(1));
        while self.parts[index].made < complete + u64::from(depth)
            && plan.count.is_none_or(|count| self.parts[index].made < count)
        {
            let stream = u32::try_from(self.parts[index].made % streams).unwrap_or(0);
            self.parts[index].made += 1;
            self.publish_on(index, stream, clock::now());
        }
        // The delivery that completes the next one is perhaps another thread's.
        self.accounting.progress.wake_at((complete + 1) * each);
    }

    /// A connection is usable and traffic runs: in a closed flow its first messages leave.
    pub(super) fn begin_flow(&mut self, slot: usize) {
        let index = usize::from(self.clients[slot].group);
        if let Task::Echo { flow: Flow::Closed { depth }, .. } = self.accounting.plan.groups[index].task {
            (0..depth).for_each(|_| self.echo_on(slot, clock::now()));
        }
    }

    /// Writes what is to be sent.
    pub(super) fn flush_dirty(&mut self) {
        let mut dirty = std::mem::take(&mut self.dirty);
        for slot in dirty.drain(..) {
            let Some(client) = self.clients.get_mut(slot).filter(|client| client.dirty) else { continue };
            client.dirty = false;
            if client.stage == Stage::Connecting {
                continue;
            }
            match write(client) {
                Ok(written) => {
                    self.accounting.recorder.counts.bytes_out += written;
                    self.pool.take_back(&mut client.out);
                }
                Err(error) => self.lost(slot, &format!("a connection broke: {error}")),
            }
        }
        // What was marked meanwhile belongs to connections that were lost.
        dirty.append(&mut self.dirty);
        dirty.clear();
        self.dirty = dirty;
    }

    /// Ends a connection politely; it is gone when the server has answered, or at once.
    pub(super) fn end_life(&mut self, token: Token) {
        if let Some(slot) = self.slot_of(token) {
            self.leave(slot);
        }
    }
}

/// Writes as much as the socket takes; how many bytes that was.
fn write(client: &mut Client) -> std::io::Result<u64> {
    let mut written = 0;
    while client.owed() > 0 {
        match client.transport.write(&client.out[client.out_at as usize..]) {
            Ok(count) => {
                client.out_at += u32::try_from(count).unwrap_or(u32::MAX);
                written += count as u64;
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                client.awaits_room = true;
                break;
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    // TLS takes bytes that the socket has not: they leave by a flush, although nothing is owed here.
    if client.transport.owes() {
        match client.transport.flush() {
            Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
            _ => {}
        }
    }
    if client.owed() == 0 {
        client.out_at = 0;
        client.out.clear();
    // Not after each write: moving the rest to the front would cost as much as sending it.
    } else if client.out_at > 1 << 20 {
        client.out.drain(..client.out_at as usize);
        client.out_at = 0;
    }
    Ok(written)
}
