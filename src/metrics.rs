//! Counters that every thread keeps for itself, and their merge into Prometheus text on scrape.

use crate::close::Reason;
use std::fmt::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One number with one writer: adding is a load and a store, no locked instruction.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Adds `n`. Only the thread that owns the counter may call it.
    pub fn add(&self, n: u64) {
        self.0.store(self.0.load(Relaxed).wrapping_add(n), Relaxed);
    }

    /// Takes `n` off a gauge. Only the thread that owns the counter may call it.
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
        }

        fn write_plain(out: &mut String, threads: &[Arc<Counters>]) {
            let mut last = "";
            $({
                let help: &str = concat!($($help),+);
                if last != $name {
                    let _ = writeln!(out, concat!("# HELP tidings_", $name, "{}\n# TYPE tidings_", $name, " ", $kind), help);
                }
                last = $name;
                let sum = threads.iter().fold(0_u64, |sum, thread| sum.wrapping_add(thread.$field.get()));
                let _ = writeln!(out, concat!("tidings_", $name, $("{{", $labels, "}}",)? " {}"), sum);
            })*
            let _ = last;
        }
    };
}

/// A counter for each reason.
#[derive(Debug)]
pub struct ByReason([Counter; Reason::ALL.len()]);

impl Default for ByReason {
    fn default() -> Self {
        ByReason(std::array::from_fn(|_| Counter::default()))
    }
}

impl ByReason {
    /// Counts one. Only the thread that owns the counters may call it.
    pub fn count(&self, reason: Reason) {
        self.0[reason.index()].add(1);
    }

    /// How many there were.
    #[must_use]
    pub fn get(&self, reason: Reason) -> u64 {
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
    /// Connections that could not be accepted because no descriptor was free.
    accept_exhausted: "counter" "accept_exhausted_total";
    /// HTTP requests whose head was read.
    http_requests: "counter" "http_requests_total";
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
    /// Publications that met a full mailbox and had to wait.
    publish_waits: "counter" "publish_waits_total";
    /// Publications refused because a mailbox stayed full for publish_wait.
    publish_busy: "counter" "publish_busy_total";
    /// Times a connection was not read because the worker pool was full.
    pool_full: "counter" "pool_full_total";
    /// Bytes waiting in outboxes.
    outbox_bytes: "gauge" "outbox_bytes";
    /// Subscriptions held by connections.
    subscriptions: "gauge" "subscriptions";
    /// Letters to connections that were gone.
    stale_ids: "counter" "stale_ids_total";
    /// Panics that were contained.
    panics: "counter" "panics_total";
    /// Reactor ticks.
    ticks: "counter" "ticks_total";
}

/// Numbers that belong to no thread, gathered by whoever scrapes.
#[derive(Debug, Clone, Copy, Default)]
pub struct Shared {
    /// Publications that were given an offset.
    pub publications: u64,
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
    /// Seconds since the start.
    pub uptime_s: u64,
}

/// Writes everything in the Prometheus text format, version 0.0.4.
#[must_use]
pub fn exposition(threads: &[Arc<Counters>], shared: &Shared) -> String {
    let mut out = String::with_capacity(8 * 1024);
    let _ = writeln!(
        out,
        "# HELP tidings_build_info The build that runs.\n# TYPE tidings_build_info gauge\ntidings_build_info{{version=\"{}\"}} 1",
        env!("CARGO_PKG_VERSION")
    );
    write_plain(&mut out, threads);
    for (name, kind, help, value) in [
        ("publications_total", "counter", "Publications that were given an offset.", shared.publications),
        ("channels", "gauge", "Channels that exist.", shared.channels),
        ("history_bytes", "gauge", "Bytes of history kept.", shared.history_bytes),
        ("positions", "gauge", "Positions of forgotten channels kept.", shared.positions),
        ("interest", "gauge", "Subscriptions as the hub counts them.", shared.interest),
        ("outbound_bytes", "gauge", "Bytes counted in the global outbound budget.", shared.outbound_bytes),
        (
            "deflate_window_bytes",
            "gauge",
            "Memory of compression windows that connections keep.",
            shared.deflate_window_bytes,
        ),
        ("mailbox_bytes", "gauge", "Bytes waiting in mailboxes.", shared.mailbox_bytes),
        ("uptime_seconds", "gauge", "Seconds since the start.", shared.uptime_s),
    ] {
        let _ = writeln!(out, "# HELP tidings_{name} {help}\n# TYPE tidings_{name} {kind}\ntidings_{name} {value}");
    }
    write_by_reason(&mut out, threads, "connections_closed_total", "Connections ended, by reason.", |t| &t.closed);
    write_by_reason(&mut out, threads, "refused_total", "Requests and frames refused, by reason.", |t| &t.refused);
    write_lag(&mut out, threads);
    write_process(&mut out);
    out
}

fn write_by_reason(
    out: &mut String,
    threads: &[Arc<Counters>],
    name: &str,
    help: &str,
    pick: fn(&Counters) -> &ByReason,
) {
    let _ = writeln!(out, "# HELP tidings_{name} {help}\n# TYPE tidings_{name} counter");
    for reason in Reason::ALL {
        let sum: u64 = threads.iter().map(|thread| pick(thread).get(reason)).sum();
        let _ = writeln!(out, "tidings_{name}{{reason=\"{}\"}} {sum}", reason.label());
    }
}

fn write_lag(out: &mut String, threads: &[Arc<Counters>]) {
    let name = "tidings_loop_lag_seconds";
    let _ = writeln!(
        out,
        "# HELP {name} How long a reactor was busy before it could wait for events again.\n# TYPE {name} histogram"
    );
    let mut running = 0;
    for (index, bound) in LAG_BUCKETS_US.iter().enumerate() {
        running += threads.iter().map(|thread| thread.lag[index].get()).sum::<u64>();
        let _ = writeln!(out, "{name}_bucket{{le=\"{}\"}} {running}", *bound as f64 / 1e6);
    }
    running += threads.iter().map(|thread| thread.lag[LAG_BUCKETS_US.len()].get()).sum::<u64>();
    let sum_us: u64 = threads.iter().map(|thread| thread.lag_sum_us.get()).sum();
    let _ = writeln!(
        out,
        "{name}_bucket{{le=\"+Inf\"}} {running}\n{name}_sum {}\n{name}_count {running}",
        sum_us as f64 / 1e6
    );
}

/// Memory and descriptors of the process, from procfs; left out where there is none.
fn write_process(out: &mut String) {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let resident_kib =
        status.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    if let Some(kib) = resident_kib {
        let name = "process_resident_memory_bytes";
        let _ = writeln!(out, "# HELP {name} Resident memory.\n# TYPE {name} gauge\n{name} {}", kib * 1024);
    }
    if let Ok(entries) = std::fs::read_dir("/proc/self/fd") {
        let name = "process_open_fds";
        let _ = writeln!(out, "# HELP {name} Open descriptors.\n# TYPE {name} gauge\n{name} {}", entries.count());
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
mod tests {
    use super::{Counters, Shared, exposition};
    use crate::close::Reason;
    use std::sync::Arc;

    #[test]
    fn threads_are_summed_and_every_family_is_declared_once() {
        let threads = [Arc::new(Counters::default()), Arc::new(Counters::default())];
        threads[0].opened.add(3);
        threads[1].opened.add(4);
        threads[1].closed.count(Reason::PingTimeout);
        threads[1].closed.count(Reason::PingTimeout);
        threads[0].count_tick(75);
        let text = exposition(&threads, &Shared { channels: 9, ..Shared::default() });
        assert!(text.contains("\ntidings_connections_opened_total 7\n"), "{text}");
        assert!(text.contains("tidings_connections_closed_total{reason=\"ping_timeout\"} 2\n"));
        assert!(text.contains("\ntidings_channels 9\n"));
        assert!(text.contains("tidings_loop_lag_seconds_bucket{le=\"0.0001\"} 1\n"));
        let mut declared: Vec<&str> = text.lines().filter(|line| line.starts_with("# TYPE")).collect();
        let all = declared.len();
        declared.sort_unstable();
        declared.dedup();
        assert_eq!(declared.len(), all, "a family is declared twice");
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            let (name, value) = line.rsplit_once(' ').expect("name and value");
            assert!(value.parse::<f64>().is_ok(), "{line}");
            let family = name.split('{').next().unwrap_or(name);
            let base = family.trim_end_matches("_bucket").trim_end_matches("_sum").trim_end_matches("_count");
            assert!(text.contains(&format!("# TYPE {base} ")), "{family} is not declared");
        }
    }
}
