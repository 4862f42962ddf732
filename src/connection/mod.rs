//! One client's state machine and its outbox, purely: bytes and the time go in, work and bytes come out.
//!
//! ```text
//!                  ┌────────► Socket ───────┐   (101)
//! Announced ► Http ┤                        ├──► Ending ──► gone
//!              ▲ │ └────────► Stream ───────┘   (text/event-stream)
//!              └─┘ keep-alive
//! ```
//! The reactor that owns the connection calls [`Connection::step`] while [`Connection::wants_input`], hands every reply
//! and publication in, and writes the outbox. A connection never writes to a socket and never asks for the time.

mod admission;
pub mod buffer_pool;
pub mod compression;
mod decision;
mod echo;
pub mod env;
mod exchange;
mod goodbye;
mod handshake;
mod head;
mod http;
pub mod meter;
pub mod outbox;
mod proxied;
mod push;
mod queue;
pub mod reply;
mod responding;
mod socket;
mod stream;
mod validity;

use crate::access::Verification;
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::transport::Transport;
use crate::protocol::task::RawWork;
use env::{Env, TICK_MS, Ticks};
use http::Http;
use outbox::Outbox;
use socket::Socket;
use stream::Stream;

/// One client.
pub struct Connection {
    state: State,
    /// What it still has to be sent.
    pub outbox: Outbox,
    /// The moment that the current deadline counts from.
    since: Ticks,
    /// Answers that are on their way from this thread.
    in_flight: u16,
    hold: Hold,
    /// Where its client is: the peer, or what a trusted proxy says.
    peer: PeerAddress,
    /// Why its first request is refused, if it is one connection too many, or why its socket was.
    turned_away: Option<Code>,
}

enum State {
    /// A proxy that says who its client is before anything else.
    Announced,
    Http(Http),
    Socket(Socket),
    Stream(Stream),
    /// Said its last word; the reactor flushes, shuts down and waits for the peer's end. With the bytes that came since,
    /// when an upload was refused: a peer that sends all of it before it reads would be reset if it were not taken.
    Ending(Code, Option<u32>),
}

/// Answers of one connection that may be on their way before it is read again: what bounds the replies in a mailbox.
const IN_FLIGHT_MAX: u16 = 256;

/// How long a connection beyond the limit may take for each thing it does: a second.
const TURNED_AWAY_WAIT: Ticks = (1000_u64.div_ceil(TICK_MS)) as Ticks;

/// How long a connection that asks nothing may still ask once its server drains: a second, in which a request that was on its way
/// is here, over a slow line and after the handshake of TLS as well.
const LAST_REQUEST_WAIT: Ticks = (1000_u64.div_ceil(TICK_MS)) as Ticks;

/// What one step came to.
#[derive(Debug)]
pub enum Step<'b> {
    /// Everything useful was consumed: keep the rest and come back with more.
    NeedMore,
    /// Something was done: go on with what is left.
    Continue,
    /// Work for the hub. Report it with [`Connection::submitted`].
    Work(RawWork<Payload<'b>>),
    /// Who its client is has to be found out elsewhere, and nothing was consumed. Report it with [`Connection::submitted`], and
    /// what comes of it with [`Connection::verified`].
    Verify(Box<Verification>),
}

/// A payload that lies in the input, or that had to be gathered.
#[derive(Debug)]
pub enum Payload<'b> {
    /// In the input.
    Borrowed(&'b [u8]),
    /// Gathered over several reads.
    Owned(Vec<u8>),
}

impl AsRef<[u8]> for Payload<'_> {
    fn as_ref(&self) -> &[u8] {
        match self {
            Payload::Borrowed(bytes) => bytes,
            Payload::Owned(bytes) => bytes,
        }
    }
}

/// What a connection waits for before it decodes more (law 2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hold {
    /// Nothing.
    No,
    /// All answers in flight: a long replay or a batch is among them, and one at a time bounds the outbox.
    Answers,
    /// Its work or its token is with a worker or a service, or waits for room: [`Connection::returned`] ends it.
    Elsewhere,
}

/// What a deadline did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expired {
    /// Something was queued, or nothing was due: look at the new deadline.
    Continue,
    /// Drop the connection now.
    Drop(Code),
}

impl Connection {
    /// A connection that was just accepted from `peer`.
    #[must_use]
    pub fn new(peer: PeerAddress, now: Ticks) -> Connection {
        Connection {
            state: State::Http(Http::default()),
            outbox: Outbox::default(),
            since: now,
            in_flight: 0,
            hold: Hold::No,
            peer,
            turned_away: None,
        }
    }

    /// Where its client is: its peer, or what a trusted proxy said last.
    #[must_use]
    pub fn peer(&self) -> PeerAddress {
        self.peer
    }

    /// Which transport it speaks; an ending one speaks none.
    #[must_use]
    #[inline]
    pub fn transport(&self) -> Option<Transport> {
        match &self.state {
            State::Announced | State::Http(_) => Some(Transport::Http),
            State::Socket(_) => Some(Transport::WebSocket),
            State::Stream(_) => Some(Transport::EventStream),
            State::Ending(..) => self.turned_away.map(|_| Transport::TurnedAway),
        }
    }

    /// Where its client is.
    #[must_use]
    pub fn address(&self) -> PeerAddress {
        self.peer
    }

    /// Whether it can take input now. When not, it waits for answers or for its outbox to shrink, and is not read.
    #[must_use]
    pub fn wants_input(&self, env: &Env) -> bool {
        let has_room = self.outbox.len() <= self.outbox_limit(env) / 4;
        match &self.state {
            State::Http(_) | State::Socket(_) => !self.waits_for_us() && has_room,
            // What streams and ending ones send is dropped, but only a read finds the end of it.
            State::Announced | State::Stream(_) | State::Ending(..) => true,
        }
    }

    /// Whether a message has begun and not ended, so that [`Connection::room`] is worth asking.
    #[must_use]
    #[inline]
    pub fn is_mid_message(&self) -> bool {
        matches!(&self.state, State::Socket(socket) if socket.decoder.is_mid_message())
    }

    /// Whether `input` begins with a whole message of a client, which can be read without waiting for more of it.
    #[must_use]
    pub fn has_message(&self, input: &[u8], limits: &env::Limits) -> bool {
        matches!(&self.state, State::Socket(socket) if socket.decoder.has_plain(input, &limits.frames))
    }

    /// Whether no answer is on its way.
    #[inline]
    fn is_answered(&self) -> bool {
        self.in_flight == 0 && self.hold == Hold::No
    }

    /// Whether a connection is not read because of what it is owed, and not because of its peer.
    fn waits_for_us(&self) -> bool {
        self.in_flight >= IN_FLIGHT_MAX || self.hold != Hold::No
    }

    /// Why it is ending, if it is.
    #[must_use]
    pub fn ending(&self) -> Option<Code> {
        match self.state {
            State::Ending(reason, _) => Some(reason),
            _ => None,
        }
    }

    /// Bytes that may wait in the outbox after a write attempt. An echo may hold four of its messages.
    #[must_use]
    pub fn outbox_limit(&self, env: &Env) -> usize {
        match &self.state {
            State::Socket(socket) if socket.is_echo() => {
                env.limits.outbox_bytes.max(4 * env.limits.echo_frames.message_bytes)
            }
            _ => env.limits.outbox_bytes,
        }
    }

    /// Looks at `input`: how many bytes were consumed, and what came of it.
    pub fn step<'b>(&'b mut self, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        #[cfg(test)]
        crate::hub::mines::step_on("step", input);
        match &mut self.state {
            State::Announced => self.step_announced(input, env),
            State::Http(_) => self.step_http(input, env),
            State::Socket(_) => self.step_socket(input, env),
            State::Ending(_, Some(dropped)) => {
                *dropped = dropped.saturating_add(input.len() as u32);
                (input.len(), Step::NeedMore)
            }
            State::Stream(_) | State::Ending(_, None) => (input.len(), Step::NeedMore),
        }
    }

    /// Work that a step gave out was submitted and will be answered `answers` times from this thread.
    pub fn submitted(&mut self, answers: usize, hold: Hold) {
        self.in_flight = self.in_flight.saturating_add(answers as u16);
        match &self.state {
            State::Http(_) | State::Socket(_) if hold != Hold::No => self.hold = hold,
            State::Http(http) if !http.may_be_followed() => self.hold = Hold::Answers,
            _ => {}
        }
    }

    /// Work came back whose next `answers` come from this thread: all that it was answered before are here.
    pub fn awaits(&mut self, answers: usize) {
        self.in_flight = answers as u16;
    }

    /// Work came back from a worker or a service, or from waiting for room: all its answers were posted before.
    pub fn returned(&mut self, env: &mut Env) {
        self.hold = if self.in_flight > 0 { Hold::Answers } else { Hold::No };
        self.end_if_answered(env);
    }

    /// One answer came.
    fn answered(&mut self) {
        self.in_flight = self.in_flight.saturating_sub(1);
        if self.in_flight == 0 && self.hold == Hold::Answers {
            self.hold = Hold::No;
        }
    }

    /// The peer's stream ended. Returns the reason when nothing is left to do for it.
    pub fn end_of_input(&mut self, rest_is_empty: bool) -> Option<Code> {
        match &self.state {
            State::Http(http) if self.in_flight > 0 || http.is_answering() => None,
            State::Http(http) if !self.outbox.is_empty() && http.is_idle() => None,
            State::Http(http) if http.is_idle() && rest_is_empty => Some(Code::HttpDone),
            // A health check that connects and no more.
            State::Announced if rest_is_empty => Some(Code::HttpDone),
            // It may read to the end what it asked for; a peer that is gone resets the connection.
            State::Socket(_) if !self.is_answered() || !self.outbox.is_empty() => None,
            State::Announced | State::Http(_) | State::Socket(_) => Some(Code::PeerVanished),
            State::Stream(_) => Some(Code::PeerClosed),
            State::Ending(reason, _) => Some(*reason),
        }
    }

    /// Whether what it is sent may be much larger than it looks, and is sent back: its turns may be much work.
    #[must_use]
    #[inline]
    pub fn is_packed_echo(&self) -> bool {
        matches!(&self.state, State::Socket(socket) if socket.is_echo() && socket.may_pack())
    }

    /// When [`Connection::expire`] must be called, unless something happens before.
    #[must_use]
    pub fn deadline(&self, env: &Env) -> Ticks {
        let mut wait = match &self.state {
            State::Http(http) => http.wait(self.in_flight > 0, &self.outbox, env.limits),
            State::Socket(socket) => {
                let silence = socket.silence(env.limits);
                let earliest = self.since.saturating_add(silence).min(socket.message_deadline(env.limits));
                return earliest.min(socket.validity.deadline(&socket.identity, env));
            }
            State::Stream(stream) => {
                return self
                    .since
                    .saturating_add(env.limits.comment_idle)
                    .min(stream.validity.deadline(&stream.identity, env));
            }
            State::Announced => env.limits.head_wait,
            State::Ending(_, None) => env.limits.close_wait,
            State::Ending(_, Some(dropped)) => {
                let progress = env.limits.body_progress(*dropped as usize).min(env.limits.body_wait);
                env.limits.close_wait.saturating_add(progress)
            }
        };
        // It holds one of the few places for health checks, or for refused sockets; but an answer that this server makes is
        // not late by the client's fault.
        if self.turned_away.is_some() && wait < Ticks::MAX {
            wait = wait.min(TURNED_AWAY_WAIT);
        }
        if env.draining && self.is_silent() {
            wait = wait.min(LAST_REQUEST_WAIT);
        }
        self.since.saturating_add(wait)
    }

    /// A deadline may have passed.
    pub fn expire(&mut self, env: &mut Env) -> Expired {
        // The wheel holds where a deadline was: one that moved later since is noticed only here.
        if self.deadline(env) > env.now {
            return Expired::Continue;
        }
        if self.is_identity_due(env) {
            self.expire_identity(env);
            return Expired::Continue;
        }
        if env.draining && self.is_silent() {
            self.end(Code::ServerShutdown, env);
            return Expired::Continue;
        }
        match self.state {
            State::Announced => self.expire_announced(env),
            State::Http(_) => self.expire_http(env),
            State::Socket(_) => self.expire_socket(env),
            State::Stream(_) => {
                self.since = env.now;
                self.comment(env);
                Expired::Continue
            }
            // It sent its Close and then left its side open, which is no clean end.
            State::Ending(Code::PeerClosed, _) => Expired::Drop(Code::CloseTimeout),
            State::Ending(reason, _) => Expired::Drop(reason),
        }
    }

    /// The socket took bytes: a peer that reads slowly is still a peer that reads. `after_waiting` when it had refused some
    /// before, so that the peer must have read; otherwise it may only have filled the kernel's buffer.
    pub fn wrote(&mut self, after_waiting: bool, now: Ticks) {
        // Its place is one of a few, so a peer that was turned away gains no time by reading slowly.
        let ends_soon = self.turned_away.is_some() && matches!(self.state, State::Ending(..));
        if !ends_soon && (after_waiting || matches!(self.state, State::Http(_) | State::Ending(..))) {
            self.since = now;
        }
    }

    fn end(&mut self, reason: Code, env: &Env) {
        self.state = State::Ending(reason, None);
        self.since = env.now;
        self.hold = Hold::No;
    }

    /// Ends what was refused over HTTP, and goes on to take what its peer still sends.
    fn end_refused(&mut self, reason: Code, env: &Env) {
        self.end(reason, env);
        self.state = State::Ending(reason, Some(0));
    }
}

#[cfg(test)]
mod tests {
    use super::buffer_pool::BufferPool;
    use super::env::{Draw, Env, Limits};
    use super::socket::Socket;
    use super::validity::Validity;
    use super::{Connection, Hold, IN_FLIGHT_MAX, State};
    use crate::access::AccessPolicy;
    use crate::access::limits::InForce;
    use crate::config::Config;
    use crate::connection::http::Http;
    use crate::connection::meter::Meter;
    use crate::hub::{Hub, HubLimits, RandomSource};
    use crate::journal::Notes;
    use crate::metrics::Counters;
    use crate::model::peer_address::PeerAddress;
    use crate::protocol::Session;
    use crate::protocol::routes::Routes;
    use crate::protocol::tidings::parse::Dialect;
    use crate::wire::http::answer::DateCache;
    use std::sync::Arc;

    /// Replies wait in the reactor's mailbox: a sender that is faster than they are taken out must be held back.
    #[test]
    fn a_socket_with_too_many_answers_on_their_way_is_not_read() {
        let (limits, counters) = (Limits::new(&Config::default()), Counters::default());
        let hub = Hub::new(HubLimits::default(), RandomSource::seeded(1));
        let policy = AccessPolicy { listener_is_loopback: true, ..AccessPolicy::default() };
        let env = Env {
            now: 0,
            limits: &limits,
            buffers: &mut BufferPool::default(),
            codec: &mut limits.codec(),
            counters: &counters,
            date: &DateCache::default(),
            policy: &policy,
            routes: &Routes::new(policy.serves),
            notes: &Notes::default(),
            meter: &Meter::new(Arc::clone(&limits.limiter), InForce::NOTHING),
            draining: false,
            names: hub.names(),
            draw: &mut (Box::new(|| 0_u64) as Draw),
            leaving: false,
            away: false,
        };
        let mut connection = Connection::new(PeerAddress::UNIX, 0);
        let identity = Arc::clone(&policy.identities.publisher);
        let validity = Validity::of(&identity, env.unix_s());
        connection.state =
            State::Socket(Socket::new(Session::Tidings(Dialect::Open), (identity, validity), None, None, 0));
        for _ in 0..IN_FLIGHT_MAX {
            assert!(connection.wants_input(&env));
            connection.submitted(1, Hold::No);
        }
        assert!(!connection.wants_input(&env));
        connection.answered();
        assert!(connection.wants_input(&env));
    }

    #[test]
    fn an_idle_connection_is_small() {
        assert_eq!((size_of::<Connection>(), size_of::<State>()), (80, 40));
        assert_eq!((size_of::<Http>(), size_of::<Socket>(), size_of::<Hold>()), (24, 40, 1));
    }
}
