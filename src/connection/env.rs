//! What a connection is lent while it acts: limits, the time, spare memory, counters. It owns none of it.

use super::buffer_pool::BufferPool;
use super::compression::{Budget, Deflating};
use super::meter::Meter;
use crate::access::limits::Limiter;
use crate::access::{AccessPolicy, Hooks};
use crate::config::Config;
use crate::hub::names::Names;
use crate::journal::{Kind, Notes, Words};
use crate::metrics::Counters;
use crate::model::code::Code;
use crate::protocol::routes::Routes;
use crate::protocol::scope::{Scope, Settings};
use crate::protocol::tidings::routes::STRICT_SUBPROTOCOL;
use crate::wire::deflate::{Codec, Policy, Tuning};
use crate::wire::frame::FrameLimits;
use crate::wire::http::answer::DateCache;
use crate::wire::http::head::HeadLimits;
use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

/// The grain of all deadlines, in milliseconds: deadlines are kept as counts of it since the server's start.
pub const TICK_MS: u64 = 64;

/// A moment or a span in units of [`TICK_MS`]. 2^32 of them last 8 years.
pub type Ticks = u32;

/// Rounds a span up to ticks, at least one.
#[must_use]
pub fn ticks(span: Duration) -> Ticks {
    let ticks = span.as_millis().div_ceil(u128::from(TICK_MS)).max(1);
    Ticks::try_from(ticks).unwrap_or(Ticks::MAX / 4).min(Ticks::MAX / 4)
}

/// The limits and texts of connections, in the units they are used in. Their defaults and reasons are in `config`.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Settings and texts of the protocols.
    pub protocol: Settings,
    /// Of a request head.
    pub head: HeadLimits,
    /// Bytes of an HTTP body.
    pub body_bytes: usize,
    /// Messages on `/ws` and `/channels/{name}`.
    pub frames: FrameLimits,
    /// Messages on `/echo`.
    pub echo_frames: FrameLimits,
    /// How messages may be compressed; `None` when they may not.
    pub deflate: Option<Deflating>,
    /// Memory for the windows that connections keep, whether more may be agreed on or not.
    pub windows: Arc<Budget>,
    /// Bytes that may wait in an outbox after a write attempt.
    pub outbox_bytes: usize,
    /// From the first byte of a head (or the accept) to its end.
    pub head_wait: Ticks,
    /// From the head to the end of the body, besides what [`Limits::body_progress`] adds.
    pub body_wait: Ticks,
    /// Bytes of a body that give it another second.
    pub body_rate: usize,
    /// TLS handshakes in progress on a reactor.
    pub handshakes: usize,
    /// Between requests.
    pub idle_wait: Ticks,
    /// Silence before a ping.
    pub ping_idle: Ticks,
    /// From the first byte of a message to its last, for each 64 KiB of it.
    pub message_wait: Ticks,
    /// From the first byte of a message to its last, however much of it there is.
    pub message_wait_most: Ticks,
    /// From a ping to any byte.
    pub pong_wait: Ticks,
    /// For the closing handshake, and for the last bytes to be taken.
    pub close_wait: Ticks,
    /// Sockets of a reactor that were refused and are being told why.
    pub refused_sockets: u64,
    /// Silence before a comment on an event stream.
    pub comment_idle: Ticks,
    /// How long the reader of an event stream is asked to wait before it reconnects (`retry:`), in milliseconds.
    pub retry_ms: u64,
    /// What the embedding program is asked.
    pub hooks: Hooks,
    /// How much clients may do.
    pub limiter: Arc<Limiter>,
    /// Subprotocols that are agreed to; the first is the strict one.
    pub subprotocols: Vec<String>,
}

impl Limits {
    /// A codec for one thread.
    #[must_use]
    pub fn codec(&self) -> Codec {
        let off = Tuning { level: 1, least_bytes: usize::MAX, most_bytes: 0 };
        Codec::new(self.deflate.as_ref().map_or(off, |deflate| deflate.tuning))
    }

    /// The time that a body has won by what of it has come.
    #[must_use]
    pub fn body_progress(&self, received: usize) -> Ticks {
        let ticks = received as u64 * 1000 / (self.body_rate.max(1) as u64 * TICK_MS);
        Ticks::try_from(ticks).unwrap_or(Ticks::MAX / 4).min(Ticks::MAX / 4)
    }

    /// Takes the limits of connections out of a configuration.
    ///
    /// # Panics
    /// The configuration was not checked, and its plain channel has no valid name.
    #[must_use]
    pub fn new(config: &Config) -> Limits {
        let windows = Arc::new(Budget::new(config.websocket.deflate_memory_bytes));
        Limits::with(config, Hooks::default(), Arc::new(Limiter::new(config)), windows)
    }

    /// Those of another configuration, with the same hooks; what clients have used of theirs, and the memory of windows, is
    /// counted on.
    ///
    /// # Panics
    /// As [`Limits::new`].
    #[must_use]
    pub fn changed(&self, config: &Config) -> Limits {
        let limiter = Arc::new(self.limiter.changed(config));
        Limits::with(config, self.hooks.clone(), limiter, Arc::clone(&self.windows))
    }

    fn with(config: &Config, hooks: Hooks, limiter: Arc<Limiter>, windows: Arc<Budget>) -> Limits {
        let fragments = u32::try_from(config.websocket.fragments).unwrap_or(u32::MAX);
        let spoken =
            std::iter::once(STRICT_SUBPROTOCOL.to_owned()).chain(config.websocket.subprotocols.iter().cloned());
        Limits {
            protocol: Settings::new(config),
            head: HeadLimits {
                head_bytes: config.http.head_bytes,
                headers: config.http.headers,
                target_bytes: config.http.target_bytes,
            },
            body_bytes: config.http.body_bytes,
            frames: FrameLimits { message_bytes: config.websocket.message_bytes, fragments },
            hooks,
            limiter,
            echo_frames: FrameLimits { message_bytes: config.websocket.echo_message_bytes, fragments },
            deflate: deflating(config, &windows),
            windows,
            outbox_bytes: config.delivery.outbox_bytes,
            head_wait: ticks(config.http.head_timeout),
            body_wait: ticks(config.http.body_timeout),
            body_rate: config.http.body_rate,
            handshakes: config.tls.handshakes,
            idle_wait: ticks(config.http.idle_timeout),
            ping_idle: ticks(config.websocket.ping_idle),
            message_wait: ticks(config.websocket.message_timeout),
            message_wait_most: ticks(config.websocket.message_deadline),
            pong_wait: ticks(config.websocket.pong_wait),
            close_wait: ticks(config.websocket.close_wait),
            refused_sockets: config.websocket.refused_sockets as u64,
            comment_idle: ticks(config.sse.comment),
            retry_ms: config.sse.retry.as_millis() as u64,
            subprotocols: spoken.collect(),
        }
    }
}

fn deflating(config: &Config, windows: &Arc<Budget>) -> Option<Deflating> {
    let websocket = &config.websocket;
    websocket.deflate.then(|| Deflating {
        policy: Policy { takeover: websocket.deflate_takeover, least_window_bits: websocket.deflate_window_bits as u8 },
        tuning: Tuning {
            level: websocket.deflate_level as u8,
            least_bytes: websocket.deflate_min_bytes,
            most_bytes: websocket.deflate_max_bytes,
        },
        budget: Arc::clone(windows),
    })
}

/// Draws a number at random.
pub type Draw = Box<dyn FnMut() -> u64 + Send>;

/// What is lent for one call: pointers to what its reactor has, as few as can be, since it is made anew for each request.
pub struct Env<'a> {
    /// The time.
    pub now: Ticks,
    /// Limits and texts.
    pub limits: &'a Limits,
    /// Spare queues for outboxes.
    pub buffers: &'a mut BufferPool,
    /// The thread's compression.
    pub codec: &'a mut Codec,
    /// This reactor's counters.
    pub counters: &'a Counters,
    /// The second that it is, and the Date field's value.
    pub date: &'a DateCache,
    /// Law 10 for this listener.
    pub policy: &'a AccessPolicy,
    /// What is where on this listener.
    pub routes: &'a Routes,
    /// What this thread will log.
    pub notes: &'a Notes,
    /// Whether the server is shutting down: every answer is the last of its connection.
    pub draining: bool,
    /// The public names of connections.
    pub names: &'a Names,
    /// How limits are asked.
    pub meter: &'a Meter,
    /// Draws a number at random.
    pub draw: &'a mut Draw,
    /// Whether it will soon: it still does everything, but should get no new clients.
    pub leaving: bool,
    /// Whether its engine is away: as long as it is, it should get no new clients.
    pub away: bool,
}

impl<'a> Env<'a> {
    /// What protocols are lent of it.
    #[must_use]
    pub fn scope(&self) -> Scope<'a> {
        Scope {
            settings: &self.limits.protocol,
            policy: self.policy,
            names: self.names,
            leaving: self.leaving,
            away: self.away,
        }
    }

    /// The time in seconds since 1970, for what others have stamped.
    #[must_use]
    #[inline]
    pub fn unix_s(&self) -> u64 {
        self.date.second()
    }

    /// Settings and texts of the protocols.
    #[must_use]
    pub fn settings(&self) -> &'a Settings {
        &self.limits.protocol
    }

    /// `span` plus or minus up to half of it, at random: clients that were all disconnected at once must not reconnect at once.
    pub fn around(&mut self, span: u64) -> u64 {
        span / 2 + (self.draw)() % span.saturating_add(1)
    }

    /// The time in milliseconds since the start: what the journal counts in.
    #[must_use]
    pub fn now_ms(&self) -> u64 {
        u64::from(self.now) * TICK_MS
    }

    /// Counts a refusal, and has it logged with the message that the peer receives.
    pub fn refuse(&self, reason: Code, message: impl Display) {
        self.counters.refused.count(reason);
        let words = |message| Words::new(reason.label(), message);
        // What a page of a wrong origin, or a proxy, repeats for ever: once a minute for each origin or host, which the
        // message names beside what would allow it.
        if reason.is_policy() {
            let message = message.to_string();
            let key = (reason.label(), message.clone());
            return self.notes.note_once_a_minute(Kind::PolicyRefused, key, self.now_ms(), || words(message));
        }
        let kind = if reason == Code::TooManyConnections { Kind::Full } else { Kind::Refused };
        self.notes.note(kind, self.now_ms(), || words(message.to_string()));
    }

    /// Counts a fault for which a connection is closed, and has it logged with the reason that the peer receives.
    pub fn fault(&self, reason: Code, detail: &str) {
        self.counters.refused.count(reason);
        let detail = if detail.is_empty() { reason.label() } else { detail };
        self.notes.note(Kind::FaultyClose, self.now_ms(), || Words::new(reason.label(), detail));
    }
}
