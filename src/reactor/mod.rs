//! One reactor: an epoll instance, a slab of connections and a mailbox, turned over in ticks of seven phases.
//!
//! `wait → accept → read_ready → drain_mailbox → expire_deadlines → flush_dirty → reap_closed`. Nothing is written before
//! `flush_dirty`, nothing is freed before `reap_closed`, every loop has a budget, and no timer ever delays a flush. New
//! sockets are registered between those two: their first request has been read and answered by then.

mod change;
mod changing;
mod core;
mod deliver;
mod drain;
pub(crate) mod engine;
pub(crate) mod entry;
mod flush;
mod goodbyes;
mod handshakes;
mod heavy;
mod judging;
mod limiting;
mod listener;
mod lived;
mod noted;
mod parked;
mod paused;
mod read;
mod reserve;
mod retry;
mod ring;
mod run;
mod sealed;
mod setup;
mod submit;
mod subscriptions;
mod together;
mod unverified;
mod verifying;
mod walking;
mod walks;
mod wheel;

pub use self::setup::Setup;
pub use change::Change;
pub use listener::{Listener, Listening, is_listened_to, listen, listen_unix, probe};
#[cfg(test)]
pub(crate) use run::GATHER_BYTES_MAX as RUN_BYTES;

use crate::handoff::mailbox::{Inbox, Wake};
use crate::handoff::order::Farewell;
use crate::journal::{Event, Kind};
use crate::metrics::Phase;
use crate::model::peer_address::PeerAddress;
use engine::{Engine, Readiness};
use entry::{Interest, parts};
use listener::{Accepted, Door, EXHAUSTED_RETRY};
use mio::net::TcpStream;
use mio::{Events, Poll, Token, Waker};
use reserve::Reserve;
use std::io::{ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant, SystemTime};

/// The reactor's own waker.
const WAKER: Token = Token(usize::MAX);
/// Its listening sockets count down from here.
const LISTENERS: usize = usize::MAX - 1;
/// How many they can be at most: more than a reactor has of 255 listeners, some of which it took over.
const DOORS_MAX: usize = 4096;
/// Connections accepted in one tick, after which those that are open get their turns.
const ACCEPTS_PER_TICK: usize = 256;
/// The longest that a reactor with deadlines sleeps, so that it notices when it was stopped meanwhile.
const SLEEP_MAX: Duration = Duration::from_secs(1);
/// Events taken from the kernel at once.
const EVENTS_PER_TICK: usize = 1024;

/// Whether this process may have an io_uring that sends: what `io.flush = "auto"` asks.
#[must_use]
pub fn has_ring() -> bool {
    ring::Ring::open().is_ok()
}

/// What became of the connections that were open during a drain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Drained {
    /// Those that ended in time.
    pub left: usize,
    /// Those that did not end by themselves: their peers ignored the end of our side, or have vanished.
    pub cut: usize,
    /// Of these, those that were still owed bytes or an answer.
    pub owed: usize,
}

/// Wakes a reactor out of its wait.
struct MioWake(Waker);

impl Wake for MioWake {
    fn wake(&self) {
        if let Err(error) = self.0.wake() {
            log::error!(event = "wake_failed"; "a reactor cannot be woken: {error}");
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
    listeners: Vec<Door>,
    reserve: Reserve,
    accept_again: Option<Instant>,
    engine: Engine<TcpStream>,
    /// Connections that are open in all reactors.
    connections: Arc<AtomicUsize>,
    /// A drain was ordered, and a tick has looked at it.
    farewell_seen: bool,
    /// Connections that ended since a drain began.
    drained: usize,
}

impl Reactor {
    /// A reactor that accepts from the listeners of its setup.
    ///
    /// # Errors
    /// A listener cannot be registered.
    pub fn new(seed: Seed, inbox: Inbox, mut setup: Setup, connections: Arc<AtomicUsize>) -> Result<Reactor> {
        let sockets: Vec<_> =
            setup.listeners.iter_mut().map(|listener| std::mem::take(&mut listener.sockets)).collect();
        let mut reactor = Reactor {
            poll: seed.poll,
            listeners: Vec::new(),
            reserve: Reserve::new(),
            accept_again: None,
            engine: Engine::new(inbox, setup),
            connections,
            farewell_seen: false,
            drained: 0,
        };
        for (listener, sockets) in sockets.into_iter().enumerate() {
            sockets.into_iter().try_for_each(|socket| reactor.open_door(listener as u8, socket))?;
        }
        Ok(reactor)
    }

    /// Turns until a drain is over. Returns what became of its connections.
    ///
    /// # Errors
    /// The kernel refuses to wait for events.
    pub fn run(mut self) -> Result<Drained> {
        let mut events = Events::with_capacity(EVENTS_PER_TICK);
        // A ring belongs to the thread that opens it.
        self.engine.open_ring();
        loop {
            self.wait(&mut events)?;
            let began = Instant::now();
            self.engine.set_clock(began, SystemTime::now());
            self.take_events(&events);
            if let Some(farewell) = self.engine.core.farewell
                && self.drain(farewell)
            {
                let (left, cut, owed) = (self.drained, self.engine.entries.len(), self.engine.owed());
                self.engine.cut_off_all();
                self.reap_closed();
                return Ok(Drained { left, cut, owed });
            }
            self.accept();
            self.engine.turn();
            self.change_doors();
            // Before the reaping, which frees those that the kernel did not register.
            self.apply_interest();
            self.reap_closed();
            // Relaxed: a number that is a moment old costs one rest too many or too few.
            let alone = self.connections.load(Ordering::Relaxed) <= 1;
            self.engine.end_tick(began, Instant::now(), alone);
        }
    }

    fn wait(&mut self, events: &mut Events) -> Result<()> {
        let timeout = self.timeout().map(|timeout| timeout.min(SLEEP_MAX));
        self.engine.expect_back_after(timeout);
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
        let farewell = self.engine.core.farewell;
        let draining = self.engine.core.draining;
        // The order came with this tick's letters, after the tick had looked for one.
        let ordered = farewell.is_some() && !self.farewell_seen;
        let all_left = draining && self.engine.entries.len() == 0;
        let can_accept = self.accept_again.is_none() && self.listeners.iter().any(|listener| listener.ready);
        if all_left || ordered || can_accept || self.engine.is_busy() {
            return Some(Duration::ZERO);
        }
        let now = Instant::now();
        // Not the tick's own time, which is its beginning: what the tick took would be slept on top.
        let rest = self.engine.rest(now);
        let accept = self.accept_again.map(|at| at.saturating_duration_since(now));
        let drain = farewell.map(|farewell| if draining { farewell.until } else { farewell.begins });
        let drain = drain.map(|at| at.saturating_duration_since(now));
        [rest, accept, drain].into_iter().flatten().min()
    }

    fn take_events(&mut self, events: &Events) {
        let mut taken = 0;
        for event in events {
            taken += 1;
            match event.token() {
                WAKER => {}
                // Tokens of connections have 31 bits of generation, so that none is as large as these.
                token if token.0 > LISTENERS - DOORS_MAX => {
                    if let Some(door) = self.listeners.iter_mut().find(|door| door.token == token) {
                        door.ready = true;
                    }
                }
                token => {
                    let (slot, generation) = parts(token);
                    // An error is found by a read or by a write, whichever comes next.
                    let readiness = Readiness {
                        readable: event.is_readable() || event.is_read_closed() || event.is_error(),
                        writable: event.is_writable() || event.is_error(),
                        hung_up: event.is_read_closed(),
                    };
                    self.engine.take_event(slot, generation, readiness);
                }
            }
        }
        // A full answer may not be all.
        self.engine.has_more_events = taken == EVENTS_PER_TICK;
    }

    fn accept(&mut self) {
        // No descriptor was free: the kernel would go on reporting what waits, and this thread do nothing else.
        if self.accept_again.is_some_and(|at| self.engine.core.now < at) {
            return;
        }
        self.accept_again = None;
        let mut budget = ACCEPTS_PER_TICK;
        for index in 0..self.listeners.len() {
            // Events are edge-triggered: a listener is ready until an accept finds nothing, in however many ticks.
            while self.listeners[index].ready && budget > 0 {
                budget -= 1;
                match self.listeners[index].accept(&mut self.reserve, self.engine.core.leaving || self.engine.core.away)
                {
                    Accepted::Connection(stream, peer) => {
                        let listener = self.listeners[index].listener;
                        self.open(stream, peer, listener);
                    }
                    Accepted::Empty => self.listeners[index].ready = false,
                    Accepted::Gone => {}
                    Accepted::Exhausted(error) => {
                        self.engine.core.setup.counters.accept_exhausted.add(1);
                        self.report_exhausted(&error);
                        self.accept_again = Some(self.engine.core.now + EXHAUSTED_RETRY);
                        return;
                    }
                }
            }
        }
    }

    #[cold]
    fn report_exhausted(&self, error: &std::io::Error) {
        let core = &self.engine.core;
        let message = format_args!(
            "cannot accept connections: {error}; raise the limit of open files (ulimit -n), or add a machine"
        );
        core.setup.journal.tell(
            Kind::Exhausted,
            core.now_ms(),
            &Event { peer: None, reason: "", fields: &[], message },
        );
    }

    fn open(&mut self, stream: TcpStream, peer: PeerAddress, listener: u8) {
        self.engine.core.setup.counters.opened.add(1);
        let crowded = self.reserve.is_for(&stream);
        self.engine.open(stream, peer, listener, &self.connections, crowded);
    }

    /// Asks the kernel for the events that connections depend on. Events are edge-triggered: what happened before a socket is
    /// registered is reported at once, and a direction that nothing waits for costs nothing.
    fn apply_interest(&mut self) {
        let registry = self.poll.registry();
        self.engine.apply_interest(|stream, token, change| {
            let interest = match change.to {
                Interest::ReadWrite => mio::Interest::READABLE | mio::Interest::WRITABLE,
                _ => mio::Interest::READABLE,
            };
            match change.from {
                Interest::None => registry.register(stream, token, interest),
                _ => registry.reregister(stream, token, interest),
            }
        });
    }

    fn reap_closed(&mut self) {
        let registry = self.poll.registry();
        let freed = self.engine.reap_closed(&self.connections, |stream| {
            if registry.deregister(stream).is_err() {
                log::debug!(event = "registration"; "a socket was not registered when it was freed");
            }
        });
        if freed > 0 {
            self.reserve.refill();
        }
        if self.engine.core.draining {
            self.drained += freed;
        }
    }

    /// Goes on with a drain. Returns whether it is over.
    fn drain(&mut self, farewell: Farewell) -> bool {
        let now = self.engine.core.now;
        self.engine.core.leaving = true;
        self.farewell_seen = true;
        // Load balancers need time to see that the server is no longer ready.
        if now < farewell.begins {
            return false;
        }
        if !self.engine.core.draining {
            self.engine.core.setup.phase.reach(Phase::Draining);
            if farewell.hands_over {
                self.leave_doors();
            } else {
                self.close_doors(|_| true);
            }
            self.engine.begin_goodbyes(farewell.spread);
        }
        self.engine.say_goodbyes();
        // The walk over all connections comes last, when nothing cheaper ends the drain.
        self.engine.entries.len() == 0 || now >= farewell.until || self.engine.only_the_unresponsive_are_left()
    }
}
