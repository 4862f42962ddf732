//! Counters of which each thread has its own, and their sums as Prometheus text on a scrape.

pub mod certificates;
pub mod engine;
mod exposition;
pub mod histogram;
pub mod key_sets;
pub mod process;
pub mod requests;

pub use exposition::exposition;

use crate::model::code::Code;
use certificates::Expiry;
use engine::EngineFigures;
use histogram::Histogram;
use key_sets::KeySetFigures;
use requests::Requests;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering::Relaxed};

/// One number with one writer: adding is a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the thread that owns the counter may call it.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Subtracts `n` from a gauge. Only the thread that owns the counter may call it.
    pub fn sub(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_sub(n), Relaxed);
    }

    /// Sets a gauge.
    pub fn set(&self, n: u64) {
        self.0.store(n, Relaxed);
    }

    /// The value now.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Relaxed)
    }
}

impl Counters {
    /// Connections that are open, however they speak.
    #[must_use]
    pub fn open(&self) -> u64 {
        [&self.open_http, &self.open_websocket, &self.open_sse].into_iter().map(Counter::get).sum()
    }
}

macro_rules! counters {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:literal $name:literal $({$labels:literal})?;)*) => {
        /// The counters of one thread, padded so that two threads never write to one cache line.
        #[derive(Debug, Default)]
        #[repr(align(128))]
        pub struct Counters {
            $($(#[doc = $help])+ pub $field: Counter,)*
            /// Connections ended.
            pub closed: ByReason,
            /// Requests and frames refused.
            pub refused: ByReason,
            /// Ticks by duration: bucket `i` counts those up to [`LAG_BUCKETS_US`]`[i]`.
            pub lag: [Counter; LAG_BUCKETS_US.len() + 1],
            /// Microseconds spent in all ticks.
            pub lag_sum_us: Counter,
            /// Requests answered.
            pub requests: Requests,
            /// From a publication's acceptance to this reactor's last write attempt of it.
            pub delivery: Histogram,
        }

        fn write_plain(page: &mut exposition::Page, threads: &[Arc<Counters>]) {
            let mut last = "";
            $({
                // A family has one HELP and one TYPE before all its samples, so rows of one name stand together.
                if last != $name {
                    page.family(concat!("tidings_", $name), $kind, concat!($($help),+));
                }
                last = $name;
                let sum = threads.iter().fold(0_u64, |sum, thread| sum.wrapping_add(thread.$field.get()));
                page.sample(concat!("tidings_", $name), concat!($($labels)?), sum);
            })*
            let _ = last;
        }
    };
}

/// A counter for each reason.
#[derive(Debug)]
pub struct ByReason([Counter; Code::ALL.len()]);

impl Default for ByReason {
    fn default() -> Self {
        ByReason(std::array::from_fn(|_| Counter::default()))
    }
}

impl ByReason {
    /// Counts one. Only the thread that owns the counters may call it.
    pub fn count(&self, reason: Code) {
        self.0[reason.index()].add(1);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, reason: Code) -> u64 {
        self.0[reason.index()].get()
    }
}

/// Upper bounds of the loop lag's buckets, in microseconds.
pub const LAG_BUCKETS_US: [u64; 12] =
    [50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 1_000_000];

counters! {
    /// Connections open now.
    open_http: "gauge" "connections" {"transport=\"http\""};
    /// Connections open now.
    open_websocket: "gauge" "connections" {"transport=\"websocket\""};
    /// Connections open now.
    open_sse: "gauge" "connections" {"transport=\"sse\""};
    /// Connections open now.
    open_refused: "gauge" "connections" {"transport=\"refused\""};
    /// Connections accepted.
    opened: "counter" "connections_opened_total";
    /// TLS handshakes in progress.
    tls_handshaking: "gauge" "tls_handshakes_in_progress";
    /// TLS handshakes that came to their end.
    tls_full: "counter" "tls_handshakes_total" {"kind=\"full\""};
    /// TLS handshakes that came to their end.
    tls_resumed: "counter" "tls_handshakes_total" {"kind=\"resumed\""};
    /// TLS handshakes that failed.
    tls_invalid: "counter" "tls_handshake_failures_total" {"reason=\"invalid\""};
    /// TLS handshakes that failed.
    tls_incompatible: "counter" "tls_handshake_failures_total" {"reason=\"incompatible\""};
    /// TLS handshakes that failed.
    tls_alert: "counter" "tls_handshake_failures_total" {"reason=\"alert\""};
    /// TLS handshakes that failed.
    tls_misbehaved: "counter" "tls_handshake_failures_total" {"reason=\"misbehaved\""};
    /// TLS handshakes that failed.
    tls_plain_http: "counter" "tls_handshake_failures_total" {"reason=\"plain_http\""};
    /// TLS handshakes that failed.
    tls_timeout: "counter" "tls_handshake_failures_total" {"reason=\"timeout\""};
    /// TLS handshakes that failed.
    tls_gone: "counter" "tls_handshake_failures_total" {"reason=\"gone\""};
    /// TLS handshakes that failed.
    tls_too_many: "counter" "tls_handshake_failures_total" {"reason=\"too_many\""};
    /// TLS handshakes that failed.
    tls_internal: "counter" "tls_handshake_failures_total" {"reason=\"internal\""};
    /// Connections that could not be accepted because no descriptor was free.
    accept_exhausted: "counter" "accept_exhausted_total";
    /// HTTP requests whose head was read, answered or not.
    http_heads: "counter" "http_request_heads_total";
    /// WebSocket messages, by direction.
    frames_in: "counter" "frames_total" {"direction=\"in\""};
    /// WebSocket messages, by direction.
    frames_out: "counter" "frames_total" {"direction=\"out\""};
    /// Compressed WebSocket messages, by direction.
    deflated_in: "counter" "deflated_frames_total" {"direction=\"in\""};
    /// Compressed WebSocket messages, by direction.
    deflated_out: "counter" "deflated_frames_total" {"direction=\"out\""};
    /// Messages that were compressed; a publication is once for all its readers.
    compressions: "counter" "compressions_total";
    /// Frames of publications that were sent through io_uring, many at once.
    sent_together: "counter" "sent_together_total";
    /// Bytes on sockets, by direction.
    bytes_in: "counter" "bytes_total" {"direction=\"in\""};
    /// Bytes on sockets, by direction.
    bytes_out: "counter" "bytes_total" {"direction=\"out\""};
    /// Publications put into the outbox of a subscriber.
    deliveries: "counter" "deliveries_total";
    /// Frames and bodies parsed, by where.
    parsed_inline: "counter" "parsed_total" {"where=\"inline\""};
    /// Frames and bodies parsed, by where.
    parsed_pool: "counter" "parsed_total" {"where=\"pool\""};
    /// Tokens whose signature by a public key was checked, by where.
    tokens_reactor: "counter" "token_checks_total" {"where=\"reactor\""};
    /// Tokens whose signature by a public key was checked, by where.
    tokens_pool: "counter" "token_checks_total" {"where=\"pool\""};
    /// Publications that met a full mailbox and had to wait.
    publish_waits: "counter" "publish_waits_total";
    /// Publications refused because a mailbox stayed full for publish_wait.
    publish_busy: "counter" "publish_busy_total";
    /// Times a connection was not read because the worker pool was full.
    pool_full: "counter" "pool_full_total";
    /// Times a connection was not read for a while because its client had sent more bytes than it may.
    reads_paused: "counter" "reads_paused_total";
    /// Bytes waiting in outboxes.
    outbox_bytes: "gauge" "outbox_bytes";
    /// Subscriptions held by connections.
    subscriptions: "gauge" "subscriptions";
    /// Mailbox items for connections that no longer existed.
    stale_ids: "counter" "stale_ids_total";
    /// Panics in the work of a connection.
    panics: "counter" "panics_total";
    /// Reactor ticks.
    ticks: "counter" "ticks_total";
}

/// Numbers that belong to no thread, gathered for a scrape.
#[derive(Debug, Clone, Default)]
pub struct Shared {
    /// Publications that were given an offset.
    pub publications: u64,
    /// Publications for which the history had no room.
    pub not_kept: u64,
    /// Channels that exist.
    pub channels: u64,
    /// Bytes of history kept.
    pub history_bytes: u64,
    /// Positions of forgotten channels kept.
    pub positions: u64,
    /// Subscriptions by the hub's count of interest.
    pub interest: u64,
    /// Bytes in mailboxes and outboxes together: what the global outbound budget counts.
    pub outbound_bytes: u64,
    /// Bytes taken by windows that connections keep.
    pub deflate_window_bytes: u64,
    /// Bytes waiting in mailboxes.
    pub mailbox_bytes: u64,
    /// Allowances of clients that are not whole.
    pub limits_busy: u64,
    /// Allowances that were forgotten before they were whole.
    pub limits_evicted: u64,
    /// Users, keys and addresses whose connections are counted.
    pub limits_capped: u64,
    /// Seconds since the start.
    pub uptime_s: u64,
    /// Whether the server is draining.
    pub phase: Phase,
    /// The key sets of issuers.
    pub key_sets: Arc<Vec<Arc<KeySetFigures>>>,
    /// How often the configuration was read again and taken, and how often refused.
    pub reloads: (u64, u64),
    /// When the certificates end that are shown.
    pub expiries: Arc<Vec<Expiry>>,
    /// How many orders brought a certificate, and how many did not.
    pub orders: (u64, u64),
    /// What is counted of the engine, if there is one.
    pub engine: Option<Arc<EngineFigures>>,
}

/// How often the configuration was read again while the server ran.
#[derive(Debug, Default)]
pub struct Reloads {
    taken: AtomicU64,
    refused: AtomicU64,
}

impl Reloads {
    /// Counts one.
    pub fn count(&self, was_taken: bool) {
        let counter = if was_taken { &self.taken } else { &self.refused };
        // Relaxed: numbers for people, which guard no memory.
        counter.fetch_add(1, Relaxed);
    }

    /// How often it was taken, and how often refused.
    #[must_use]
    pub fn get(&self) -> (u64, u64) {
        (self.taken.load(Relaxed), self.refused.load(Relaxed))
    }
}

/// The phase of a server's life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Phase {
    /// It serves.
    #[default]
    Serving,
    /// It serves, but is about to stop: `/readyz` is 503.
    Leaving,
    /// It accepts no new connections, and closes those that are open.
    Draining,
}

impl Phase {
    /// All of them, in their order.
    pub const ALL: [Phase; 3] = [Phase::Serving, Phase::Leaving, Phase::Draining];

    /// Its name in the metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Phase::Serving => "serving",
            Phase::Leaving => "leaving",
            Phase::Draining => "draining",
        }
    }
}

/// The phase of a server, for all its threads. It only moves forward.
#[derive(Debug, Default)]
pub struct CurrentPhase(AtomicU8);

impl CurrentPhase {
    /// Moves forward to `phase`, unless it is there or further.
    pub fn reach(&self, phase: Phase) {
        // The maximum, since a second drain reaches `Leaving` again when the first is past it. Relaxed: it guards no
        // memory.
        self.0.fetch_max(phase as u8, Relaxed);
    }

    /// The current phase.
    #[must_use]
    pub fn get(&self) -> Phase {
        Phase::ALL[usize::from(self.0.load(Relaxed)).min(Phase::ALL.len() - 1)]
    }
}

impl Counters {
    /// Counts one tick of `busy_us` microseconds.
    pub fn count_tick(&self, busy_us: u64) {
        let bucket = LAG_BUCKETS_US.iter().position(|bound| busy_us <= *bound).unwrap_or(LAG_BUCKETS_US.len());
        self.lag[bucket].add(1);
        self.lag_sum_us.add(busy_us);
        self.ticks.add(1);
    }
}

#[cfg(test)]
mod tests;
