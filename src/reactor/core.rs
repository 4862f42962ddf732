//! What every phase of a tick needs besides the connections: queues, limits, the time, and the ways out of the thread.

use super::change::DoorChanges;
use super::entry::{Entry, List, Sealed, Socket};
use super::heavy::Heavy;
use super::lived::Lived;
use super::parked::Parked;
use super::paused::Paused;
use super::run::Run;
use super::setup::Setup;
use super::together::Together;
use super::unverified::Unverified;
use super::walks::Walks;
use super::wheel::{Filed, NEVER, Wheel};
use crate::connection::buffer_pool::BufferPool;
use crate::connection::env::{Env, TICK_MS, Ticks};
use crate::connection::meter::{Meter, Places};
use crate::connection::outbox::Outbox;
use crate::handoff::order::Farewell;
use crate::journal::{Kind, Notes, Words};
use crate::model::code::Code;
use crate::model::transport::Transport;
use crate::node::execute::wall_ms;
use crate::wire::deflate::Codec;
use crate::wire::http::answer::DateCache;
use crate::wire::json::JsonScratch;
use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

/// Buffers kept for jobs: as many as a reactor has in the pool in busy times.
const JOB_BUFFERS_MAX: usize = 64;
/// A job buffer that grew beyond this is not kept, in bytes.
const JOB_BUFFER_BYTES_MAX: usize = 256 * 1024;

/// See the module.
pub(super) struct Core {
    pub(super) setup: Setup,
    /// What connections want logged.
    pub(super) notes: Notes,
    /// How connections ask limits.
    pub(super) meter: Meter,
    /// The places of connections whose clients have a cap, by slot.
    pub(super) places: HashMap<u32, Places>,
    /// Connections that sent too many bytes, and are not read for now.
    pub(super) paused: Paused,
    pub(super) now: Instant,
    pub(super) ticks: Ticks,
    pub(super) lived: Lived,
    pub(super) wall_ms: u64,
    pub(super) date: DateCache,
    pub(super) draining: bool,
    /// The drain that was ordered.
    pub(super) farewell: Option<Farewell>,
    /// A drain was ordered: this server is no longer ready, whether it still takes connections or not.
    pub(super) leaving: bool,
    /// Whether the engine is away: the server should get no new clients until it is back.
    pub(super) away: bool,
    pub(super) buffers: BufferPool,
    pub(super) json: JsonScratch,
    pub(super) codec: Codec,
    pub(super) wheel: Wheel,
    pub(super) ready: Vec<u32>,
    /// Those to read whose last turn was much work for the codec: they wait for all others.
    pub(super) heavy: Heavy,
    pub(super) dirty: Vec<u32>,
    pub(super) closed: Vec<u32>,
    /// Those of which the kernel may have to report other events than it does.
    pub(super) interest_changed: Vec<u32>,
    pub(super) parked: Parked,
    /// Something was sent to the engine, which was not woken for it yet.
    pub(super) owes_ring: bool,
    /// Publications on their way; empty between ticks.
    pub(super) run: Run,
    /// When those of this tick were accepted.
    pub(super) accepted: Vec<Instant>,
    /// Several parts that are written as one: kept for its memory, at most 16 KiB, and 64 where one had TLS.
    pub(super) gathered: Vec<u8>,
    /// The same for TLS.
    pub(super) sealed: Sealed,
    pub(super) together: Together,
    pub(super) walks: Walks,
    pub(super) unverified: Unverified,
    pub(super) doors: DoorChanges,
    pub(super) job_buffers: Vec<Vec<u8>>,
}

impl Core {
    pub(super) fn new(setup: Setup) -> Core {
        let mut core = Core {
            notes: Notes::new(Arc::clone(&setup.journal)),
            meter: Meter::new(Arc::clone(&setup.limits.limiter), setup.in_force()),
            places: HashMap::new(),
            paused: Paused::default(),
            now: setup.started,
            ticks: 0,
            lived: Lived::default(),
            wall_ms: 0,
            date: DateCache::default(),
            draining: false,
            farewell: None,
            leaving: false,
            away: setup.away,
            buffers: BufferPool::default(),
            json: JsonScratch::default(),
            codec: setup.limits.codec(),
            wheel: Wheel::new(0),
            ready: Vec::new(),
            heavy: Heavy::default(),
            dirty: Vec::new(),
            closed: Vec::new(),
            interest_changed: Vec::new(),
            parked: Parked::default(),
            owes_ring: false,
            run: Run::default(),
            accepted: Vec::new(),
            gathered: Vec::new(),
            sealed: Sealed::default(),
            together: Together::default(),
            walks: Walks::default(),
            unverified: Unverified::default(),
            doors: DoorChanges::default(),
            job_buffers: Vec::new(),
            setup,
        };
        core.set_clock(core.setup.started, SystemTime::now());
        core.wheel = Wheel::new(core.ticks);
        core.unverified.note_rules(&core.setup.rules);
        core
    }

    /// Takes the time: once a tick.
    #[inline(always)]
    pub(super) fn set_clock(&mut self, now: Instant, wall: SystemTime) {
        self.now = now;
        // Here and not where letters are taken: in a tick that says goodbyes they are taken several times.
        self.accepted.clear();
        self.ticks = (self.lived.since(self.setup.started, now).as_millis() as u64 / TICK_MS) as Ticks;
        self.wall_ms = wall_ms(wall);
        self.date.at_second(self.wall_ms / 1000);
        self.note_moment();
    }

    /// What a connection that came in by this listener is lent.
    pub(super) fn env(&mut self, listener: u8) -> Env<'_> {
        let listener = &self.setup.listeners[usize::from(listener)];
        Env {
            now: self.ticks,
            limits: &self.setup.limits,
            buffers: &mut self.buffers,
            codec: &mut self.codec,
            counters: &self.setup.counters,
            date: &self.date,
            policy: &listener.policy,
            routes: &listener.routes,
            notes: &self.notes,
            meter: &self.meter,
            draining: self.draining,
            names: self.setup.hub.names(),
            draw: &mut self.setup.draw,
            leaving: self.leaving,
            away: self.away,
        }
    }

    /// Keeps a job's buffer for the next one.
    pub(super) fn keep_buffer(&mut self, mut buffer: Vec<u8>) {
        // An errand that was no job has none.
        let is_worth_it = (1..=JOB_BUFFER_BYTES_MAX).contains(&buffer.capacity());
        if is_worth_it && self.job_buffers.len() < JOB_BUFFERS_MAX {
            buffer.clear();
            self.job_buffers.push(buffer);
        }
    }

    /// Law 9: a panic in one connection's work ends that connection, is counted, and touches nothing else.
    #[inline(always)]
    pub(super) fn catch_panic<S: Socket>(
        &mut self,
        slot: u32,
        entry: &mut Entry<S>,
        act: impl FnOnce(&mut Core, &mut Entry<S>),
    ) {
        // Unwind safe: `after_panic` replaces all that may be half changed.
        if catch_unwind(AssertUnwindSafe(|| act(self, entry))).is_err() {
            self.after_panic(slot, entry);
        }
    }

    /// Ends a connection in whose work a panic was caught.
    #[cold]
    pub(super) fn after_panic<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        self.setup.counters.panics.add(1);
        self.notes.note(Kind::Panicked, self.now_ms(), || {
            Words::new(Code::InternalError.label(), "a connection's work panicked; the connection ends, nothing else")
        });
        // The panic may have left each of these half changed.
        self.json = JsonScratch::default();
        self.codec = self.setup.limits.codec();
        self.buffers = BufferPool::default();
        entry.rest.clear();
        // Part of what was queued may have been written, so that an answer would land in the middle of another.
        let is_between_answers = entry.connection.outbox.is_empty();
        entry.connection.outbox = Outbox::default();
        if is_between_answers {
            entry.connection.after_panic(&mut self.env(entry.listener));
        } else {
            entry.connection.cut_off(Code::InternalError, &mut self.env(entry.listener));
        }
        self.update(slot, entry);
    }

    /// Whether a connection takes what there is to read of it.
    pub(super) fn is_to_be_read<S: Socket>(&mut self, entry: &Entry<S>) -> bool {
        entry.closed.is_none() && entry.connection.wants_input(&self.env(entry.listener))
    }

    /// Puts a connection on the list of those to read, once.
    pub(super) fn make_ready<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        match entry.turn.enlist() {
            Some(List::Ready) => self.ready.push(slot),
            Some(List::Heavy) => self.heavy.push(slot),
            None => {}
        }
    }

    /// The time in milliseconds since the start.
    pub(super) fn now_ms(&self) -> u64 {
        u64::from(self.ticks) * TICK_MS
    }

    /// Looks at a connection after something happened to it, and puts it on the lists of those to flush, to read, to expire
    /// and to free.
    pub(super) fn update<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        if !self.notes.is_empty() {
            self.write_notes(entry);
        }
        // What waits for a full socket is not flushed before the socket takes more, so it is counted and judged here.
        if entry.closed.is_none()
            && entry.writing.is_blocked()
            && entry.connection.outbox.len() + entry.rest.unsent() > entry.charged as usize
        {
            self.charge_anew(entry);
            self.judge_by_budget(slot, entry);
        }
        if entry.closed.is_some() {
            return;
        }
        // Our stream is ended after the last byte, once; then the connection waits for the peer's end or a deadline. An empty
        // outbox is flushed for that as well.
        let must_end = entry.connection.ending().is_some() && !entry.writing.has_ended();
        let must_flush = must_end || !entry.connection.outbox.is_empty() || entry.rest.has_unsent();
        if must_flush && entry.writing.mark_dirty() {
            self.dirty.push(slot);
        }
        let env = self.env(entry.listener);
        let wants_input = entry.connection.wants_input(&env);
        let deadline = entry.connection.deadline(&env);
        if wants_input && (entry.reading.is_readable() || entry.rest.is_pending()) {
            self.make_ready(slot, entry);
        // The peer ended its side. It may still read what it asked for, so it is closed when all of that is written.
        } else if entry.reading.has_ended()
            && !entry.rest.is_pending()
            && entry.connection.outbox.is_empty()
            && !entry.rest.has_unsent()
            && let Some(reason) = entry.connection.end_of_input(entry.rest.is_empty())
        {
            self.close_now(slot, entry, reason);
            return;
        }
        // A deadline that moved later is found when its old place in the wheel comes up.
        if deadline < entry.filed {
            entry.filed = self.wheel.file(Filed { slot, generation: entry.generation }, deadline);
        }
        self.count_transport(entry);
    }

    /// Puts a connection on the list of those to free, once.
    pub(super) fn close_now<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, reason: Code) {
        if entry.closed.is_none() {
            // The reason that the peer was given is the one that is counted, however its socket ends. After the peer's own
            // Close that is not known yet: it may end its side in time or not.
            let said = entry.connection.ending().filter(|said| *said != Code::PeerClosed);
            entry.closed = Some(said.unwrap_or(reason));
            self.closed.push(slot);
        }
    }

    fn count_transport<S: Socket>(&self, entry: &mut Entry<S>) {
        let transport = entry.connection.transport();
        if transport != entry.counted_as {
            self.count(entry.counted_as, false);
            self.count(transport, true);
            entry.counted_as = transport;
        }
    }

    /// Moves the gauge of a transport by one.
    pub(super) fn count(&self, transport: Option<Transport>, up: bool) {
        let counters = &self.setup.counters;
        let gauge = match transport {
            Some(Transport::Http) => &counters.open_http,
            Some(Transport::WebSocket) => &counters.open_websocket,
            Some(Transport::EventStream) => &counters.open_sse,
            Some(Transport::TurnedAway) => &counters.open_refused,
            None => return,
        };
        if up { gauge.add(1) } else { gauge.sub(1) }
    }

    /// Whether a place of the wheel that comes up is the one where the entry was filed last: a deadline that moved earlier was
    /// filed again, and its old place means nothing.
    pub(super) fn is_filed<S: Socket>(entry: &Entry<S>, tick: Ticks) -> bool {
        entry.filed != NEVER && entry.filed == tick
    }
}
