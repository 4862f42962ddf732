//! What the server logs about itself: events with a level, a peer and a reason, each kind with a rate limit.
//!
//! Nothing here blocks: an event goes to the `log` facade, and the logger that `tidings serve` [installs](install) hands
//! each line to a thread of its own through a bounded queue. A line never contains a payload or a secret, and nothing that came
//! from a network can begin a line or forge a field ([`mod@line`]).
//!
//! ```
//! use tidings::journal::{Event, Journal, Kind};
//!
//! let journal = Journal::default();
//! let peer = "203.0.113.7:50000";
//! // `now_ms` is the time since the server's start: no clock is read here.
//! journal.tell(Kind::SlowReader, 1_000, &Event {
//!     peer: Some(&peer),
//!     reason: "slow_consumer",
//!     fields: &[("waiting_bytes", &70_000)],
//!     message: format_args!("a reader was closed since it reads too slowly"),
//! });
//! ```

pub mod limit;
#[cfg(feature = "cli")]
pub mod line;
#[cfg(feature = "cli")]
mod logger;
pub mod notes;

#[cfg(feature = "cli")]
pub use logger::{Logger, Sink, install};
pub use notes::{Notes, Words};

use limit::{Limit, Rate, Recent};
use log::kv::{Key, Source, Value, VisitSource};
use log::{Level, Record};
use std::fmt::{Arguments, Display};
use std::hash::Hash;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// The target of every record of this crate.
pub const TARGET: &str = "tidings";
/// How often the number of events left out is logged for kinds that have gone quiet, in milliseconds.
const REPORT_EVERY_MS: u64 = 60_000;

/// Kinds of events. Each has a level and a rate of its own, so that a flood of one does not hide others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A request, a handshake or a frame was refused.
    Refused,
    /// An origin, a host or an action was not allowed: the operator may want to allow it.
    PolicyRefused,
    /// A connection was closed because its peer broke the protocol or a limit.
    FaultyClose,
    /// A connection was closed because its peer reads too slowly, or because slow readers use all memory for them.
    SlowReader,
    /// A peer disconnected without a Close, or stopped answering.
    Lost,
    /// The work of a connection panicked; the server goes on.
    Panicked,
    /// No descriptor or no memory for another connection.
    Exhausted,
    /// The maximum number of connections (`server.connections`) is open.
    Full,
    /// A thread did not run for a long time.
    Stalled,
    /// A trusted proxy named a hop in a way that cannot be read.
    Unreadable,
    /// A TLS handshake failed, or a session was broken.
    Unsealed,
    /// The keys of an issuer were fetched.
    KeysFetched,
    /// The keys of an issuer could not be fetched, or became too old.
    KeysFailed,
    /// An authority gave a certificate that was ordered.
    CertificateIssued,
    /// It did not.
    CertificateFailed,
}

impl Kind {
    /// All kinds, in the order of their index.
    pub const ALL: [Kind; 15] = [
        Kind::Refused,
        Kind::PolicyRefused,
        Kind::FaultyClose,
        Kind::SlowReader,
        Kind::Lost,
        Kind::Panicked,
        Kind::Exhausted,
        Kind::Full,
        Kind::Stalled,
        Kind::Unreadable,
        Kind::Unsealed,
        Kind::KeysFetched,
        Kind::KeysFailed,
        Kind::CertificateIssued,
        Kind::CertificateFailed,
    ];

    /// The name under which it is logged.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Kind::Refused => "refused",
            Kind::PolicyRefused => "policy_refused",
            Kind::FaultyClose => "faulty_close",
            Kind::SlowReader => "slow_reader",
            Kind::Lost => "peer_lost",
            Kind::Panicked => "panic_contained",
            Kind::Exhausted => "descriptors_exhausted",
            Kind::Full => "connections_full",
            Kind::Stalled => "stalled",
            Kind::Unreadable => "hop_unreadable",
            Kind::Unsealed => "tls_failed",
            Kind::KeysFetched => "keys_fetched",
            Kind::KeysFailed => "keys_failed",
            Kind::CertificateIssued => "certificate_issued",
            Kind::CertificateFailed => "certificate_failed",
        }
    }

    /// How important it is. What any client can cause is info at most; what an operator should act on is a warning.
    #[must_use]
    pub const fn level(self) -> Level {
        match self {
            Kind::Panicked => Level::Error,
            Kind::PolicyRefused
            | Kind::SlowReader
            | Kind::Exhausted
            | Kind::Full
            | Kind::Stalled
            | Kind::Unreadable
            | Kind::KeysFailed
            | Kind::CertificateFailed => Level::Warn,
            Kind::Refused | Kind::FaultyClose | Kind::Unsealed | Kind::KeysFetched | Kind::CertificateIssued => {
                Level::Info
            }
            Kind::Lost => Level::Debug,
        }
    }

    const fn rate(self) -> Rate {
        match self {
            Kind::Exhausted | Kind::Full | Kind::Stalled => Rate { burst: 1, every_ms: 1000 },
            _ => Rate { burst: 10, every_ms: 1000 },
        }
    }
}

/// One event, without its time and its kind.
pub struct Event<'a> {
    /// Where the peer is, if it is known.
    pub peer: Option<&'a dyn Display>,
    /// The label of the reason, from the table in [`code`](crate::model::code).
    pub reason: &'a str,
    /// Further fields for programs: names as in a metric's label. Values may come from the network; they are escaped and
    /// truncated. Never payloads or secrets.
    pub fields: &'a [(&'static str, &'a dyn Display)],
    /// A sentence for people.
    pub message: Arguments<'a>,
}

/// Decides which events are logged and which are left out. One for all threads of a server; lock-free.
#[derive(Debug, Default)]
pub struct Journal {
    limits: [Limit; Kind::ALL.len()],
    recent: Recent,
    reported_ms: AtomicU64,
}

impl Journal {
    /// Whether an event of this kind would be logged at all: checked before work is done for one.
    #[must_use]
    pub fn wants(&self, kind: Kind) -> bool {
        kind.level() <= log::max_level()
    }

    /// Logs an event, unless there were too many of its kind, with how many of its kind were left out before it.
    /// `now_ms` is the time since the start of the server.
    pub fn tell(&self, kind: Kind, now_ms: u64, event: &Event<'_>) {
        if let Some(left_out) = self.admit(kind, now_ms) {
            write(kind, event, left_out);
        }
    }

    /// If an event may be logged now: how many of its kind were left out before it.
    fn admit(&self, kind: Kind, now_ms: u64) -> Option<u64> {
        if self.wants(kind) { self.limits[kind as usize].admit(kind.rate(), now_ms) } else { None }
    }

    fn admit_once_a_minute(&self, kind: Kind, key: impl Hash, now_ms: u64) -> Option<u64> {
        // What this level does not log costs no hash, and is counted nowhere.
        if self.wants(kind) && !self.recent.is_news(key, now_ms) {
            self.leave_out(kind, 1);
            return None;
        }
        self.admit(kind, now_ms)
    }

    fn leave_out(&self, kind: Kind, events: u64) {
        self.limits[kind as usize].leave_out(events);
    }

    /// Logs once a minute how many events were left out, for kinds of which no further event came. Called regularly.
    pub fn report(&self, now_ms: u64) {
        let due = |last: u64| (now_ms >= last + REPORT_EVERY_MS).then_some(now_ms);
        // In one step, so that one thread of those that come together reports.
        if self.reported_ms.fetch_update(Relaxed, Relaxed, due).is_ok() {
            self.report_all();
        }
    }

    /// The same immediately: at the end of a server.
    pub fn report_all(&self) {
        for kind in Kind::ALL {
            match self.limits[kind as usize].take_left_out() {
                0 => {}
                left_out => log::log!(
                    target: TARGET, kind.level(), event = "left_out", of = kind.name(), left_out;
                    "further events of this kind were left out"
                ),
            }
        }
    }
}

fn write(kind: Kind, event: &Event<'_>, left_out: u64) {
    let fields = Fields { kind, event, left_out };
    // Not by a macro: which fields there are is known here alone, and the level was judged by `wants`.
    log::logger()
        .log(&Record::builder().level(kind.level()).target(TARGET).args(event.message).key_values(&fields).build());
}

struct Fields<'a> {
    kind: Kind,
    event: &'a Event<'a>,
    left_out: u64,
}

impl Source for Fields<'_> {
    fn visit<'kvs>(&'kvs self, visitor: &mut dyn VisitSource<'kvs>) -> Result<(), log::kv::Error> {
        visitor.visit_pair(Key::from_str("event"), Value::from(self.kind.name()))?;
        if let Some(peer) = &self.event.peer {
            visitor.visit_pair(Key::from_str("peer"), Value::from_dyn_display(*peer))?;
        }
        if !self.event.reason.is_empty() {
            visitor.visit_pair(Key::from_str("reason"), Value::from(self.event.reason))?;
        }
        for (name, value) in self.event.fields {
            visitor.visit_pair(Key::from_str(name), Value::from_dyn_display(*value))?;
        }
        if self.left_out > 0 {
            visitor.visit_pair(Key::from_str("left_out"), Value::from(self.left_out))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::Kind;
    use std::collections::HashSet;

    #[test]
    fn every_kind_stands_at_its_index_under_a_name_of_its_own() {
        let mut names = HashSet::new();
        for (index, kind) in Kind::ALL.into_iter().enumerate() {
            assert_eq!(kind as usize, index, "{kind:?}");
            assert!(names.insert(kind.name()), "{kind:?} shares its name");
        }
    }
}
