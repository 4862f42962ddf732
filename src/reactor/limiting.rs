//! Limits of clients in a reactor: the places of connections, the bytes that come, and who asks.

use super::core::Core;
use super::entry::{Entries, Entry, Socket, Turn};
use crate::access::limits::{DEBT_MAX, Debt, Moment};
use crate::connection::Payload;
use crate::connection::meter::Places;
use crate::model::ids::ConnId;
use crate::model::transport::Transport;
use crate::protocol::task::{RawWork, Task};

impl Core {
    /// Takes the time for limits, if there are any.
    pub(super) fn note_moment(&self) {
        if self.meter.in_force().any() {
            self.meter.set_now(Moment::of(self.now, self.setup.started));
        }
    }

    /// Lets those go on that were not read for a while, and whose moment came.
    #[inline]
    pub(super) fn resume_paused<S: Socket>(&mut self, entries: &mut Entries<S>) {
        if !self.paused.is_empty() {
            self.resume_due(entries);
        }
    }

    #[cold]
    fn resume_due<S: Socket>(&mut self, entries: &mut Entries<S>) {
        while let Some((slot, generation)) = self.paused.next_due(self.now) {
            if let Some(entry) = entries.get_exact(slot, generation) {
                entry.turn.resume();
                self.update(slot, entry);
            }
        }
        self.paused.shrink();
    }

    /// A connection was accepted: its address may have one more, or the connection is turned away.
    #[cold]
    pub(super) fn enter<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let policy = &self.setup.listeners[usize::from(entry.listener)].policy;
        // The tick began before it came.
        match self.meter.enter_from(entry.connection.address(), policy, true) {
            Ok(()) => self.keep_places(slot),
            Err(refusal) => entry.connection.turn_away(refusal.code),
        }
    }

    /// This connection acts.
    #[cold]
    pub(super) fn begin_turn<S: Socket>(&self, to: ConnId, entry: &Entry<S>) {
        let policy = &self.setup.listeners[usize::from(entry.listener)].policy;
        self.meter.begin(to, entry.connection.address(), policy);
    }

    /// Keeps the places that a connection took.
    #[cold]
    pub(super) fn keep_places(&mut self, slot: u32) {
        let Places { connection, transport } = self.meter.take_places();
        if connection.is_none() && transport.is_empty() {
            return;
        }
        let held = self.places.entry(slot).or_default();
        held.transport.extend(transport);
        held.connection = connection.or(held.connection.take());
    }

    /// A connection was answered: it keeps the places that it took. If what was answered asked for an event stream and none
    /// began, those for it are free again.
    #[cold]
    pub(super) fn after_answer<S: Socket>(&mut self, slot: u32, entry: &Entry<S>) {
        if entry.connection.transport() == Some(Transport::Http)
            && let Some(held) = self.places.get_mut(&slot)
        {
            held.transport.clear();
        }
        if self.meter.has_places() {
            self.keep_places(slot);
        }
    }

    /// Gives back the places of a connection that is gone.
    #[inline]
    pub(super) fn leave(&mut self, slot: u32) {
        if !self.places.is_empty() {
            self.places.remove(&slot);
        }
    }

    /// Takes bytes that came on a socket out of what its client may send. If they were too many it is not read for a while, or
    /// closed if that would be too long.
    #[cold]
    pub(super) fn charge_read<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, bytes: usize) {
        if entry.connection.transport() != Some(Transport::WebSocket) {
            return;
        }
        let in_force = self.meter.in_force();
        let Some(client) = entry.connection.identity().and_then(|identity| self.meter.client(identity)) else { return };
        let Some(debt) = self.meter.limiter().charge(&client, bytes as u64, in_force.is_open_mode(), self.meter.now())
        else {
            return;
        };
        if debt.wait <= DEBT_MAX {
            let (wait, generation) = (debt.wait, entry.generation);
            self.paused.add(self.now + wait, slot, generation);
            entry.turn.pause();
            self.setup.counters.reads_paused.add(1);
        } else {
            let refusal = debt.refusal();
            entry.connection.refuse_sender(&refusal, &mut self.env(entry.listener));
        }
    }

    /// Takes the body of a request over HTTP out of what its client may send. If it is too large, the connection is not read for
    /// a while after it; if its client owes too much already, it is refused.
    #[cold]
    pub(super) fn charge_body(&mut self, to: ConnId, turn: &mut Turn, raw: &mut RawWork<Payload<'_>>) {
        let Task::Body(_) = raw.task else { return };
        let (in_force, bytes) = (self.meter.in_force(), raw.payload.as_ref().len() as u64);
        let Some(client) = self.meter.client(&raw.identity) else { return };
        let charge = |bytes| self.meter.limiter().charge(&client, bytes, in_force.is_open_mode(), self.meter.now());
        // What others of its user or address sent is owed by it as well.
        if let Some(refusal) = charge(0).filter(|debt| debt.wait > DEBT_MAX).map(|debt| debt.refusal()) {
            return raw.refuse(refusal);
        }
        if let Some(Debt { wait, .. }) = charge(bytes) {
            self.paused.add(self.now + wait.min(DEBT_MAX), to.slot, to.generation);
            turn.pause();
            self.setup.counters.reads_paused.add(1);
        }
    }
}
