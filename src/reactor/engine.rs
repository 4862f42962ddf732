//! A tick without the kernel: everything between an event that was taken and a connection that is freed.
//!
//! A reactor gives it sockets of the kernel and the time; a simulation gives it others.

use super::core::Core;
use super::entry::{Change, Entries, Entry, Interest, Socket, token};
use super::goodbyes::Goodbyes;
use super::read::READ_BYTES_PER_TICK;
use super::setup::Setup;
use super::subscriptions::Subscriptions;
use super::together::Together;
use super::wheel::{self, Filed};
use crate::connection::env::{TICK_MS, Ticks};
use crate::connection::{Connection, Expired};
use crate::handoff::mailbox::Inbox;
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::peer_address::PeerAddress;
use mio::Token;
use std::io::Result;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The shared read buffer, in bytes. A message of 64 KiB with its header fits, and at least four heads.
const SCRATCH_BYTES: usize = 65 * 1024;
/// And at least so many of the largest heads.
pub(super) const SCRATCH_PER_HEAD: usize = 4;

/// Deadlines wait at most this long for events that are not taken yet, in ticks.
const POSTPONE_TICKS_MAX: Ticks = (1000 / TICK_MS) as Ticks;

/// How often deadlines of those are looked at that are not read for now.
const PAUSED_TICKS: Ticks = (1000 / TICK_MS) as Ticks;

/// What the kernel reported of a socket.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Readiness {
    /// There may be something to read, the end and errors included.
    pub(crate) readable: bool,
    /// There may be room to write, or an error to find.
    pub(crate) writable: bool,
    /// The peer's end has come.
    pub(crate) hung_up: bool,
}

/// See the module.
pub(crate) struct Engine<S> {
    pub(crate) entries: Entries<S>,
    pub(super) subscriptions: Subscriptions,
    pub(super) core: Core,
    pub(crate) inbox: Inbox,
    pub(super) mailbox_has_more: bool,
    /// The kernel may have more events than were taken.
    pub(crate) has_more_events: bool,
    /// Since when deadlines wait for those events.
    postponed_since: Option<Ticks>,
    /// The drain, once it has begun.
    pub(super) goodbyes: Option<Goodbyes>,
    pub(super) scratch: Box<[u8]>,
    /// Deadlines of this tick: kept for its memory.
    due: Vec<(Filed, u32)>,
}

impl<S: Socket> Engine<S> {
    pub(crate) fn new(inbox: Inbox, setup: Setup) -> Engine<S> {
        let scratch_bytes = SCRATCH_BYTES.max(SCRATCH_PER_HEAD * setup.limits.head.head_bytes);
        Engine {
            entries: Entries::new(),
            subscriptions: Subscriptions::default(),
            core: Core::new(setup),
            inbox,
            mailbox_has_more: false,
            has_more_events: false,
            postponed_since: None,
            goodbyes: None,
            scratch: vec![0; scratch_bytes].into_boxed_slice(),
            due: Vec::new(),
        }
    }

    /// Opens an io_uring, if the setup asks for one, or logs why there is none.
    pub(super) fn open_ring(&mut self) {
        self.core.together = Together::open(self.core.setup.flush);
    }

    /// The reactor sleeps, for `timeout` at most.
    pub(crate) fn expect_back_after(&mut self, timeout: Option<Duration>) {
        let until = timeout.map(|timeout| self.core.now + timeout);
        self.core.lived.expect(until);
    }

    /// Begins a tick.
    pub(crate) fn set_clock(&mut self, now: Instant, wall: SystemTime) {
        self.core.set_clock(now, wall);
    }

    /// Notes what the kernel reported. What it reports of a connection that is gone is dropped (law 8).
    pub(crate) fn take_event(&mut self, slot: u32, generation: u32, readiness: Readiness) {
        let Some(entry) = self.entries.get_exact(slot, generation) else { return };
        entry.reading.note_event(readiness.readable, readiness.hung_up);
        // Most events: it is read in this tick and looked at after that, and nothing else of it has changed since it was last.
        if readiness.readable && !readiness.hung_up && !entry.writing.is_blocked() && self.core.is_to_be_read(entry) {
            return self.core.make_ready(slot, entry);
        }
        if readiness.writable {
            entry.writing.unblock();
        }
        self.core.update(slot, entry);
    }

    /// Takes a connection of `peer` in; `connections` counts those of all reactors. One that is `crowded` has a descriptor that
    /// is reserved for health checks, and is turned away like those beyond the limit.
    pub(crate) fn open(
        &mut self,
        stream: S,
        peer: PeerAddress,
        listener: u8,
        connections: &AtomicUsize,
        crowded: bool,
    ) {
        let is_announced = self.core.setup.listeners[usize::from(listener)].policy.proxy_protocol;
        let begin = if is_announced { Connection::announced } else { Connection::new };
        let connection = begin(peer, self.core.ticks);
        let opened = (self.core.wall_ms / 1000) as u32;
        let slot = self.entries.insert(stream, connection, listener, opened);
        // In one step, so that two reactors cannot both take the last place. One that is turned away counts too: it has
        // a descriptor until it is reaped.
        let too_many = connections.fetch_add(1, Ordering::Relaxed) >= self.core.setup.connections_max;
        self.core.interest_changed.push(slot);
        let Some(entry) = self.entries.get(slot) else { return };
        self.core.begin_tls(slot, entry);
        if too_many || crowded {
            entry.connection.turn_away(Code::TooManyConnections);
        } else if self.core.meter.in_force().addresses() {
            self.core.enter(slot, entry);
        }
        if is_announced {
            self.core.judge_proxy(slot, entry);
        }
        self.core.update(slot, entry);
    }

    /// Speaks TLS on its first listener.
    #[cfg(test)]
    pub(crate) fn speak_tls(&mut self, acceptor: crate::tls::session::Acceptor) {
        self.core.setup.listeners[0].tls = Some(acceptor);
    }

    /// Bytes that the codec has worked on, and messages that came compressed.
    #[cfg(test)]
    pub(crate) fn codec_work(&self) -> (u64, u64) {
        (self.core.codec.worked_bytes(), self.core.setup.counters.deflated_in.get())
    }

    /// Executes work as if its connection had just sent it.
    #[cfg(test)]
    pub(crate) fn submit(&mut self, work: crate::node::work::Work) {
        let to = work.to;
        let (answers, hold) = self.core.submit_work(work);
        let entry = self.entries.get_exact(to.slot, to.generation).expect("it is there");
        entry.connection.submitted(answers, hold);
        self.core.update(to.slot, entry);
    }

    /// The peer is gone.
    #[cfg(test)]
    pub(crate) fn lose(&mut self, slot: u32) {
        let entry = self.entries.get(slot).expect("it is there");
        self.core.close_now(slot, entry, Code::PeerVanished);
    }

    /// Begins a walk, as an order does.
    #[cfg(test)]
    pub(crate) fn begin_walk(&mut self, walk: std::sync::Arc<crate::handoff::walk::Walk>) {
        self.core.begin_walk(walk);
    }

    /// Whether no walk is in progress.
    #[cfg(test)]
    pub(crate) fn has_walked(&self) -> bool {
        self.core.walks.is_empty()
    }

    /// Reads what has come, and goes on with a walk before anything is answered: what a full mailbox leads to.
    #[cfg(test)]
    pub(crate) fn walk_before_letters(&mut self) {
        self.read_ready(u64::MAX);
        self.core.go_on_walking(&mut self.entries, &mut self.subscriptions);
    }

    /// Reads what has come, and judges by other rules before anything is answered.
    #[cfg(test)]
    pub(crate) fn take_rules_before_letters(&mut self, rules: &std::sync::Arc<crate::access::AccessRules>) {
        self.read_ready(u64::MAX);
        self.core.take_rules(rules, &mut self.entries, &mut self.subscriptions);
    }

    /// What it asks about limits.
    #[cfg(test)]
    pub(crate) fn limiter(&self) -> &crate::access::limits::Limiter {
        self.core.meter.limiter()
    }

    /// Its counters.
    #[cfg(test)]
    pub(crate) fn counters(&self) -> &crate::metrics::Counters {
        &self.core.setup.counters
    }

    /// The phases from `read_ready` to `flush_dirty`.
    pub(crate) fn turn(&mut self) {
        self.core.begin_verifying(&mut self.entries, &mut self.subscriptions);
        self.core.resume_paused(&mut self.entries);
        // First, since the answers to what is read are posted to this mailbox: they go out in the same tick.
        self.read_ready(READ_BYTES_PER_TICK);
        // As soon as all that was read is on its way.
        self.core.ring();
        // Before the first letter is taken: a letter that comes after the last look must wake this thread.
        self.core.setup.postman.mailboxes.begin_drain(self.inbox.id);
        self.drain_mailbox();
        // Before the flush, which then takes the last words of those that an operator ends along.
        self.core.go_on_walking(&mut self.entries, &mut self.subscriptions);
        // After the mailbox, whose letters have just made room.
        self.core.retry_parked(&mut self.entries);
        self.core.ring();
        self.expire_deadlines();
        self.core.flush_dirty(&mut self.entries);
    }

    /// Counts a tick that began and ended at these times; `alone` when the server has one connection at most.
    pub(crate) fn end_tick(&mut self, began: Instant, ended: Instant, alone: bool) {
        self.core.count_tick(began, ended);
        self.core.heavy.end_tick(began, ended, alone);
    }

    pub(super) fn read_ready(&mut self, bytes_most: u64) {
        self.core.read_ready(&mut self.entries, &mut self.scratch, bytes_most);
    }

    pub(super) fn drain_mailbox(&mut self) {
        self.mailbox_has_more = self.core.drain_mailbox(&self.inbox, &mut self.entries, &mut self.subscriptions);
    }

    /// Whether deadlines wait in this tick: a peer may have answered in time, and its answer be among the events that one call
    /// did not bring. Not for ever, since a busy server may always have more.
    fn postpones_deadlines(&mut self) -> bool {
        if !(self.has_more_events || self.core.lived.has_stalled()) {
            self.postponed_since = None;
            return false;
        }
        let since = self.postponed_since.unwrap_or(self.core.ticks);
        self.postponed_since = Some(since).filter(|since| self.core.ticks - since < POSTPONE_TICKS_MAX);
        self.postponed_since.is_some()
    }

    fn expire_deadlines(&mut self) {
        if self.postpones_deadlines() {
            return;
        }
        let mut due = std::mem::take(&mut self.due);
        self.core.wheel.take_due(self.core.ticks, &mut due);
        for (filed, tick) in due.drain(..) {
            let Some(entry) = self.entries.get_exact(filed.slot, filed.generation) else { continue };
            if !Core::is_filed(entry, tick) || entry.closed.is_some() {
                continue;
            }
            // One that is ending is not spared, or a peer that goes on sending would never be dropped.
            if (entry.turn.is_listed() || entry.turn.is_paused()) && entry.connection.ending().is_none() {
                // It sent something that was not read yet, which may be what the deadline waits for.
                let again = if entry.turn.is_paused() { PAUSED_TICKS } else { 1 };
                entry.filed = self.core.wheel.file(filed, self.core.ticks + again);
                continue;
            }
            // So that `update` files its next deadline, wherever that is.
            entry.filed = wheel::NEVER;
            self.core.catch_panic(filed.slot, entry, |core, entry| {
                if let Expired::Drop(reason) = entry.connection.expire(&mut core.env(entry.listener)) {
                    core.close_now(filed.slot, entry, reason);
                }
            });
            self.core.update(filed.slot, entry);
        }
        self.due = due;
    }

    /// Has the kernel asked, by `register`, for the events that each connection depends on from now on: input after its first
    /// tick, room once a write found none. Not before, since an event that is reported at once would cost a tick: the first
    /// request has been read by then, and most connections never wait for room.
    pub(crate) fn apply_interest(&mut self, mut register: impl FnMut(&mut S, Token, Change) -> Result<()>) {
        while let Some(slot) = self.core.interest_changed.pop() {
            let Some(entry) = self.entries.get(slot) else { continue };
            // A connection that was cut off may wait for no room any more.
            let Some(change) = entry.interest.change_to(entry.writing.interest()) else { continue };
            if entry.closed.is_some() {
                continue;
            }
            match register(&mut entry.stream, token(slot, entry.generation), change) {
                Ok(()) => entry.interest = change.to,
                Err(error) => {
                    log::debug!(event = "registration"; "a connection is ended since no events would tell of it: {error}");
                    self.core.close_now(slot, entry, Code::PeerVanished);
                }
            }
        }
    }

    /// Frees what was closed in this tick, and calls `part_with` for each socket that the kernel reports events of before it
    /// is closed. This is the only place where a connection is freed. Returns how many were.
    pub(crate) fn reap_closed(&mut self, connections: &AtomicUsize, mut part_with: impl FnMut(&mut S)) -> usize {
        let mut freed = 0;
        while let Some(slot) = self.core.closed.pop() {
            let Some(mut entry) = self.entries.remove(slot) else { continue };
            freed += 1;
            connections.fetch_sub(1, Ordering::Relaxed);
            self.forget(slot, &mut entry);
            if entry.interest > Interest::None {
                part_with(&mut entry.stream);
            }
        }
        freed
    }

    /// Takes a connection out of every count and table.
    fn forget(&mut self, slot: u32, entry: &mut Entry<S>) {
        let who = ConnId::here(self.inbox.id, slot, entry.generation);
        let reason = entry.closed.unwrap_or(Code::PeerVanished);
        self.core.setup.counters.closed.count(reason);
        self.core.note_end(reason, entry);
        self.core.count(entry.counted_as, false);
        self.core.leave(slot);
        if entry.rest.is_sealed() {
            self.core.forget_handshake(entry, reason);
        }
        if entry.connection.outbox.is_empty() {
            entry.rest.say_end(&mut entry.stream);
        }
        // Emptied before the charge, which then gives back all that was counted for it.
        entry.connection.outbox.clear(&mut self.core.buffers);
        entry.rest.end_sealing();
        self.core.charge(entry);
        while let Some(channel) = self.subscriptions.pop(&mut entry.memberships, &mut self.entries) {
            self.core.setup.counters.subscriptions.sub(1);
            self.core.setup.hub.leave(channel, who);
        }
    }

    /// Closes what is left when the time for a drain is over.
    pub(crate) fn cut_off_all(&mut self) {
        for slot in self.entries.slots() {
            if let Some(entry) = self.entries.get(slot) {
                self.core.close_now(slot, entry, Code::ServerShutdown);
            }
        }
    }

    /// Whether there is something to do that no event will announce.
    pub(crate) fn is_busy(&self) -> bool {
        self.mailbox_has_more
            || !self.core.ready.is_empty()
            || self.core.heavy.due(self.core.now) > 0
            || !self.core.dirty.is_empty()
            || !self.core.walks.is_empty()
            // Each tick has time for some of them.
            || !self.core.unverified.is_empty()
            // This thread is not woken for what it posts to itself.
            || !self.inbox.receiver.is_empty()
    }

    /// How long the reactor may sleep, as far as deadlines, parked and heavy work and a drain are concerned.
    pub(crate) fn rest(&mut self, now: Instant) -> Option<Duration> {
        let ticks = self.core.wheel.wait(self.core.ticks);
        let wheel = ticks.map(|ticks| Duration::from_millis(u64::from(ticks.max(1)) * TICK_MS));
        let goodbye = self.next_goodbye(now).map(|at| at.saturating_duration_since(now));
        let paused = self.core.paused.wait(now);
        [wheel, paused, self.core.parked.wait(now), self.core.heavy.wait(now), goodbye].into_iter().flatten().min()
    }
}
