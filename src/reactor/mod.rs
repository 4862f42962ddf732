//! One reactor: an epoll instance, a slab of connections and a mailbox, turned over in ticks of seven phases.
//!
//! `wait → accept → read_ready → drain_mailbox → expire_deadlines → flush_dirty → reap_closed`. Nothing is written before
//! `flush_dirty`, nothing is freed before `reap_closed`, every loop has a budget, and no timer ever delays a flush.

mod core;
mod deliver;
mod entry;
mod flush;
mod listener;
mod parked;
mod read;
mod stage;
mod subscriptions;
mod wheel;

pub use self::core::Setup;
pub use listener::{listen, probe};

use self::core::Core;
use crate::close::Reason;
use crate::connection::env::TICK_MS;
use crate::connection::{Connection, Expired};
use crate::handoff::mailbox::{Inbox, Wake};
use entry::{Entries, parts};
use listener::{Accepted, Complaints, EXHAUSTED_RETRY, Listener, Reserve};
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use subscriptions::Subscriptions;

/// The reactor's own waker.
const WAKER: Token = Token(usize::MAX);
/// Its listeners count down from here.
const LISTENERS: usize = usize::MAX - 1;
/// Connections accepted in one tick.
const ACCEPTS_PER_TICK: usize = 256;
/// Rounds of delivery before the goodbyes of a drain: a full mailbox at the default size takes a few.
const LAST_ROUNDS: usize = 256;
/// Events taken from the kernel at once.
const EVENTS_PER_TICK: usize = 1024;
/// The shared read buffer, in bytes. At least four heads fit.
const SCRATCH_BYTES: usize = 64 * 1024;

/// What all reactors share: orders from the control thread, the number of connections, and what was complained about.
#[derive(Debug, Default)]
pub struct Orders {
    /// Milliseconds after the start at which a drain must be over; 0 while there is none.
    drain_until_ms: AtomicU64,
    /// Connections that are open in all reactors.
    connections: AtomicUsize,
    complaints: Complaints,
}

impl Orders {
    /// Orders a drain that is over `until_ms` milliseconds after the start at the latest.
    pub fn drain(&self, until_ms: u64) {
        self.drain_until_ms.store(until_ms.max(1), Ordering::Release);
    }

    fn drain_until(&self, started: Instant) -> Option<Instant> {
        match self.drain_until_ms.load(Ordering::Acquire) {
            0 => None,
            ms => Some(started + Duration::from_millis(ms)),
        }
    }
}

/// Wakes a reactor out of its wait.
struct MioWake(Waker);

impl Wake for MioWake {
    fn wake(&self) {
        if let Err(error) = self.0.wake() {
            log::error!("a reactor cannot be woken: {error}");
        }
    }
}

/// A poll with its waker: made first, since mailboxes need the wakers and reactors need the mailboxes.
pub struct Seed {
    poll: Poll,
}

impl Seed {
    /// Opens the epoll instance and its waker.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn open() -> Result<(Seed, Box<dyn Wake>)> {
        let poll = Poll::new()?;
        let waker = Waker::new(poll.registry(), WAKER)?;
        Ok((Seed { poll }, Box::new(MioWake(waker))))
    }
}

/// See the module.
pub struct Reactor {
    poll: Poll,
    listeners: Vec<Listener>,
    reserve: Reserve,
    accept_again: Option<Instant>,
    inbox: Inbox,
    mailbox_has_more: bool,
    entries: Entries,
    subscriptions: Subscriptions,
    core: Core,
    orders: Arc<Orders>,
    scratch: Box<[u8]>,
}

impl Reactor {
    /// A reactor that accepts from `listeners`, one per address of the server and in their order.
    ///
    /// # Errors
    /// A listener cannot be registered.
    pub fn new(
        seed: Seed,
        inbox: Inbox,
        listeners: Vec<std::net::TcpListener>,
        setup: Setup,
        orders: Arc<Orders>,
    ) -> Result<Reactor> {
        let scratch_bytes = SCRATCH_BYTES.max(4 * setup.limits.head.head_bytes);
        let mut reactor = Reactor {
            poll: seed.poll,
            listeners: Vec::new(),
            reserve: Reserve::new(),
            accept_again: None,
            inbox,
            mailbox_has_more: false,
            entries: Entries::new(),
            subscriptions: Subscriptions::default(),
            core: Core::new(setup),
            orders,
            scratch: vec![0; scratch_bytes].into_boxed_slice(),
        };
        for (address, socket) in listeners.into_iter().enumerate() {
            let mut socket = mio::net::TcpListener::from_std(socket);
            reactor.poll.registry().register(&mut socket, Token(LISTENERS - address), Interest::READABLE)?;
            reactor.listeners.push(Listener { socket, address: address as u8, ready: true });
        }
        Ok(reactor)
    }

    /// Turns until a drain is over. Returns how many connections had to be cut off at its end.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(mut self) -> Result<usize> {
        let mut events = Events::with_capacity(EVENTS_PER_TICK);
        let mut due = Vec::new();
        loop {
            self.wait(&mut events)?;
            self.core.look_at_clock();
            let began = self.core.now;
            self.take_events(&events);
            if let Some(until) = self.orders.drain_until(self.core.setup.started) {
                self.begin_drain();
                if self.entries.len() == 0 || self.core.now >= until {
                    let cut_off = self.entries.len();
                    self.cut_off_all();
                    return Ok(cut_off);
                }
            }
            self.accept();
            self.core.read_ready(&mut self.entries, &mut self.scratch);
            self.core.setup.postman.mailboxes.begin_drain(self.inbox.id);
            self.mailbox_has_more = self.core.drain_mailbox(&self.inbox, &mut self.entries, &mut self.subscriptions);
            self.core.retry_parked(&mut self.entries);
            self.expire_deadlines(&mut due);
            self.core.flush_dirty(&mut self.entries);
            self.reap_closed();
            self.core.setup.counters.count_tick(began.elapsed().as_micros() as u64);
        }
    }

    fn wait(&mut self, events: &mut Events) -> Result<()> {
        let timeout = self.timeout();
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {
                events.clear();
                Ok(())
            }
            other => other,
        }
    }

    /// How long nothing has to be done.
    fn timeout(&mut self) -> Option<Duration> {
        let drain_until = self.orders.drain_until(self.core.setup.started);
        // An order that came after this tick looked for one: its wake may have been taken for this tick's.
        let ordered = drain_until.is_some() && !self.core.draining;
        let everybody_left = self.core.draining && self.entries.len() == 0;
        let busy = everybody_left
            || ordered
            || self.mailbox_has_more
            || !self.core.ready.is_empty()
            || !self.core.dirty.is_empty()
            || !self.inbox.receiver.is_empty()
            || (self.accept_again.is_none() && self.listeners.iter().any(|listener| listener.ready));
        if busy {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        let wheel =
            self.core.wheel.wait(self.core.ticks).map(|ticks| Duration::from_millis(u64::from(ticks.max(1)) * TICK_MS));
        let accept = self.accept_again.map(|at| at.saturating_duration_since(now));
        let parked = self.core.parked.wait(now);
        let drain = drain_until.map(|until| until.saturating_duration_since(now));
        [wheel, accept, parked, drain].into_iter().flatten().min()
    }

    fn take_events(&mut self, events: &Events) {
        for event in events {
            match event.token() {
                WAKER => {}
                Token(own) if own > LISTENERS - 256 => {
                    if let Some(listener) = self.listeners.get_mut(LISTENERS - own) {
                        listener.ready = true;
                    }
                }
                token => {
                    let (slot, generation) = parts(token);
                    let Some(entry) = self.entries.get_exact(slot, generation) else { continue };
                    entry.readable |= event.is_readable() || event.is_read_closed() || event.is_error();
                    entry.hung_up |= event.is_read_closed();
                    if event.is_writable() || event.is_error() {
                        entry.write_blocked = false;
                    }
                    self.core.settle(slot, entry);
                }
            }
        }
    }

    fn accept(&mut self) {
        if self.accept_again.is_some_and(|at| self.core.now < at) {
            return;
        }
        self.accept_again = None;
        let mut budget = ACCEPTS_PER_TICK;
        for index in 0..self.listeners.len() {
            while self.listeners[index].ready && budget > 0 {
                budget -= 1;
                match self.listeners[index].accept(&mut self.reserve) {
                    Accepted::Connection(stream, peer) => {
                        let address = self.listeners[index].address;
                        self.open(stream, peer, address);
                    }
                    Accepted::Empty => self.listeners[index].ready = false,
                    Accepted::Gone => {}
                    Accepted::Exhausted(error) => {
                        self.core.setup.counters.accept_exhausted.add(1);
                        self.orders.complaints.log(&error, self.core.now.duration_since(self.core.setup.started));
                        self.accept_again = Some(self.core.now + EXHAUSTED_RETRY);
                        return;
                    }
                }
            }
        }
    }

    fn open(&mut self, mut stream: mio::net::TcpStream, peer: std::net::SocketAddr, address: u8) {
        self.core.setup.counters.opened.add(1);
        let token = self.entries.next_token();
        // Both directions at once: edge-triggered, so a direction that is not waited for costs nothing.
        let interest = Interest::READABLE | Interest::WRITABLE;
        if self.poll.registry().register(&mut stream, token, interest).is_err() {
            return;
        }
        let connection = Connection::new(peer.ip().to_canonical().is_loopback(), self.core.ticks);
        let slot = self.entries.insert(stream, connection, address);
        let too_many = self.orders.connections.fetch_add(1, Ordering::Relaxed) >= self.core.setup.connections_max;
        let Some(entry) = self.entries.get(slot) else { return };
        if too_many {
            entry.connection.turn_away();
        }
        self.core.settle(slot, entry);
    }

    fn expire_deadlines(&mut self, due: &mut Vec<(wheel::Filed, u32)>) {
        self.core.wheel.take_due(self.core.ticks, due);
        for (filed, tick) in due.drain(..) {
            let Some(entry) = self.entries.get_exact(filed.slot, filed.generation) else { continue };
            if !Core::is_filed(entry, tick) || entry.dead.is_some() {
                continue;
            }
            entry.filed = wheel::NEVER;
            self.core.contain(filed.slot, entry, |core, entry| {
                if let Expired::Drop(reason) = entry.connection.expire(&mut core.env(entry.address)) {
                    core.kill(filed.slot, entry, reason);
                }
            });
            self.core.settle(filed.slot, entry);
        }
    }

    /// Frees what ended in this tick: the only place where a connection is freed.
    fn reap_closed(&mut self) {
        let freed_any = !self.core.dead.is_empty();
        while let Some(slot) = self.core.dead.pop() {
            let Some(mut entry) = self.entries.remove(slot) else { continue };
            self.orders.connections.fetch_sub(1, Ordering::Relaxed);
            let reason = entry.dead.unwrap_or(Reason::PeerVanished);
            self.core.setup.counters.closed.count(reason);
            self.core.count(entry.counted_as, false);
            entry.connection.outbox.clear(&mut self.core.spares);
            self.core.charge(&mut entry);
            while let Some(channel) = self.subscriptions.pop(&mut entry.memberships, &mut self.entries) {
                self.core.setup.counters.subscriptions.sub(1);
                self.core.setup.hub.release(channel, self.inbox.id, 1);
            }
            if self.poll.registry().deregister(&mut entry.stream).is_err() {
                log::debug!("a socket was not registered when it was freed");
            }
        }
        if freed_any {
            self.reserve.refill();
        }
    }

    /// The first time: accepts who is already waiting, stops listening, and says goodbye to everybody.
    fn begin_drain(&mut self) {
        if self.core.draining {
            return;
        }
        self.accept_again = None;
        self.listeners.iter_mut().for_each(|listener| listener.ready = true);
        // Closing a listener resets who is still waiting in its queue, so everybody is let in first and heard once.
        while self.accept_again.is_none() && self.listeners.iter().any(|listener| listener.ready) {
            self.accept();
        }
        self.core.draining = true;
        self.core.read_ready(&mut self.entries, &mut self.scratch);
        for mut listener in std::mem::take(&mut self.listeners) {
            if self.poll.registry().deregister(&mut listener.socket).is_err() {
                log::debug!("a listener was not registered when it was closed");
            }
        }
        // What was posted before the goodbye goes out before it.
        for _ in 0..LAST_ROUNDS {
            let more = self.core.drain_mailbox(&self.inbox, &mut self.entries, &mut self.subscriptions);
            self.core.flush_dirty(&mut self.entries);
            if !more {
                break;
            }
        }
        for slot in self.entries.slots() {
            let Some(entry) = self.entries.get(slot) else { continue };
            entry.connection.close(Reason::ServerShutdown, &mut self.core.env(entry.address));
            self.core.settle(slot, entry);
        }
    }

    fn cut_off_all(&mut self) {
        for slot in self.entries.slots() {
            if let Some(entry) = self.entries.get(slot) {
                self.core.kill(slot, entry, Reason::ServerShutdown);
            }
        }
        self.reap_closed();
    }
}
