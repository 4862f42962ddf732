//! The page of metrics: all threads' counters added up, in the text format of Prometheus, version 0.0.4.

use super::certificates::Expiry;
use super::histogram::{Histogram, Sum};
use super::key_sets::KeySetFigures;
use super::process::Process;
use super::requests::Requests;
use super::{Counters, LAG_BUCKETS_US, Phase, Shared};
use crate::model::code::Code;
use std::fmt::{Display, Write};
use std::sync::Arc;

/// Writes families one after the other.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) text: String,
}

/// Writing to a String cannot fail.
macro_rules! put {
    ($page:expr, $($arguments:tt)*) => {{
        let _ = write!($page.text, $($arguments)*);
    }};
}

impl Page {
    /// Begins a family. Its samples must follow directly.
    pub(super) fn family(&mut self, name: &str, kind: &str, help: &str) {
        // A doc comment begins with a space.
        let help = help.trim();
        put!(self, "# HELP {name} {help}\n# TYPE {name} {kind}\n");
    }

    /// One sample; labels as they stand between the braces, or nothing.
    pub(super) fn sample(&mut self, name: &str, labels: &str, value: impl Display) {
        if labels.is_empty() {
            put!(self, "{name} {value}\n");
        } else {
            put!(self, "{name}{{{labels}}} {value}\n");
        }
    }

    fn single(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.family(name, kind, help);
        self.sample(name, "", value);
    }

    fn histogram(&mut self, name: &str, help: &str, sum: &Sum) {
        self.family(name, "histogram", help);
        let bucket = format!("{name}_bucket");
        for (bound_us, count) in &sum.up_to {
            self.sample(&bucket, &format!("le=\"{}\"", seconds(*bound_us)), count);
        }
        self.sample(&bucket, "le=\"+Inf\"", sum.count);
        self.sample(&format!("{name}_sum"), "", seconds(sum.sum_us));
        self.sample(&format!("{name}_count"), "", sum.count);
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// Writes everything.
#[must_use]
pub fn exposition(threads: &[Arc<Counters>], shared: &Shared, process: &Process) -> String {
    let mut page = Page { text: String::with_capacity(16 * 1024) };
    page.family("tidings_build_info", "gauge", "The build that runs.");
    let commit = option_env!("TIDINGS_COMMIT").unwrap_or("unknown");
    page.sample("tidings_build_info", &format!("version=\"{}\",commit=\"{commit}\"", env!("CARGO_PKG_VERSION")), 1);
    super::write_plain(&mut page, threads);
    write_shared(&mut page, shared);
    write_reloads(&mut page, shared.reloads);
    write_key_sets(&mut page, &shared.key_sets, shared.uptime_s);
    write_certificates(&mut page, &shared.expiries, shared.orders);
    for (name, kind, help, value) in shared.engine.iter().flat_map(|engine| engine.families()) {
        page.single(name, kind, help, value);
    }
    write_requests(&mut page, threads);
    let closed = "Connections ended, by reason.";
    write_by_reason(&mut page, threads, "tidings_connections_closed_total", closed, Code::ends, |own, reason| {
        own.closed.get(reason)
    });
    let refused = "Requests and frames refused, by reason.";
    write_by_reason(&mut page, threads, "tidings_refused_total", refused, Code::refuses, |own, reason| {
        own.refused.get(reason)
    });
    write_lag(&mut page, threads);
    page.histogram(
        "tidings_delivery_latency_seconds",
        "From a publication's acceptance to the last write attempt of a reactor that has readers of it, once for each.",
        &Histogram::sum(threads.iter().map(|own| &own.delivery)),
    );
    write_process(&mut page, process);
    page.text
}

fn write_reloads(page: &mut Page, (taken, refused): (u64, u64)) {
    let name = "tidings_reloads_total";
    page.family(name, "counter", "Times that the configuration was read again, by whether it was taken or refused.");
    page.sample(name, "outcome=\"taken\"", taken);
    page.sample(name, "outcome=\"refused\"", refused);
}

fn write_shared(page: &mut Page, shared: &Shared) {
    for (name, kind, help, value) in [
        (
            "tidings_publications_total",
            "counter",
            "Publications to this server that were given an offset.",
            shared.publications,
        ),
        (
            "tidings_publications_not_kept_total",
            "counter",
            "Publications that were delivered, but for which the history had no room.",
            shared.not_kept,
        ),
        ("tidings_channels", "gauge", "Channels that exist.", shared.channels),
        ("tidings_history_bytes", "gauge", "Bytes of history kept.", shared.history_bytes),
        ("tidings_positions", "gauge", "Positions of forgotten channels kept.", shared.positions),
        ("tidings_interest", "gauge", "Subscriptions as the hub counts them.", shared.interest),
        ("tidings_outbound_bytes", "gauge", "Bytes counted in the global outbound budget.", shared.outbound_bytes),
        (
            "tidings_deflate_window_bytes",
            "gauge",
            "Memory of compression windows that connections keep.",
            shared.deflate_window_bytes,
        ),
        ("tidings_mailbox_bytes", "gauge", "Bytes waiting in mailboxes.", shared.mailbox_bytes),
        ("tidings_limits_busy", "gauge", "Allowances of clients that are not whole.", shared.limits_busy),
        (
            "tidings_limits_evicted_total",
            "counter",
            "Allowances that were forgotten before they were whole, since limits.tracked were busy.",
            shared.limits_evicted,
        ),
        (
            "tidings_limits_capped",
            "gauge",
            "Users, keys and addresses whose open connections are counted.",
            shared.limits_capped,
        ),
        ("tidings_uptime_seconds", "gauge", "Seconds since the start.", shared.uptime_s),
    ] {
        page.single(name, kind, help, value);
    }
    page.family("tidings_drain_state", "gauge", "1 for the state that the server is in.");
    for phase in Phase::ALL {
        let labels = format!("state=\"{}\"", phase.label());
        page.sample("tidings_drain_state", &labels, u8::from(phase == shared.phase));
    }
}

fn write_requests(page: &mut Page, threads: &[Arc<Counters>]) {
    let name = "tidings_http_requests_total";
    page.family(name, "counter", "HTTP requests answered, by method and class of status.");
    let all: Vec<&Requests> = threads.iter().map(|own| &own.requests).collect();
    for (method, status, sum) in Requests::sum(&all) {
        page.sample(name, &format!("method=\"{method}\",status=\"{status}\""), sum);
    }
}

fn write_key_sets(page: &mut Page, all: &[Arc<KeySetFigures>], uptime_s: u64) {
    let name = "tidings_key_set_fetches_total";
    page.family(name, "counter", "Fetches of an issuer's key set, by outcome.");
    for own in all {
        for (outcome, count) in [("fetched", &own.fetched), ("failed", &own.failed)] {
            page.sample(name, &format!("issuer=\"{}\",outcome=\"{outcome}\"", own.issuer), count.get());
        }
    }
    let name = "tidings_key_set_age_seconds";
    page.family(name, "gauge", "Seconds since the keys of an issuer that are in use were fetched.");
    for own in all {
        if let Some(age) = own.age_s(uptime_s) {
            page.sample(name, &format!("issuer=\"{}\"", own.issuer), age);
        }
    }
}

fn write_certificates(page: &mut Page, expiries: &[Expiry], (issued, failed): (u64, u64)) {
    let name = "tidings_certificate_expires_timestamp_seconds";
    page.family(name, "gauge", "When a certificate ends that listeners show, in seconds since 1970.");
    for own in expiries {
        page.sample(name, &format!("certificate=\"{}\"", own.certificate), own.at_s);
    }
    let name = "tidings_acme_orders_total";
    page.family(name, "counter", "Orders of a certificate from an authority, by whether they brought one.");
    page.sample(name, "outcome=\"issued\"", issued);
    page.sample(name, "outcome=\"failed\"", failed);
}

fn write_by_reason(
    page: &mut Page,
    threads: &[Arc<Counters>],
    name: &str,
    help: &str,
    can_be: fn(Code) -> bool,
    pick: fn(&Counters, Code) -> u64,
) {
    page.family(name, "counter", help);
    for reason in Code::ALL.into_iter().filter(|reason| can_be(*reason)) {
        let sum: u64 = threads.iter().map(|own| pick(own, reason)).sum();
        page.sample(name, &format!("reason=\"{}\"", reason.label()), sum);
    }
}

fn write_lag(page: &mut Page, threads: &[Arc<Counters>]) {
    let mut sum = Sum { sum_us: threads.iter().map(|own| own.lag_sum_us.get()).sum(), ..Sum::default() };
    // Each counter holds its own bucket; in the format a bucket holds all below it too.
    for (index, bound) in LAG_BUCKETS_US.iter().enumerate() {
        sum.count += threads.iter().map(|own| own.lag[index].get()).sum::<u64>();
        sum.up_to.push((*bound, sum.count));
    }
    sum.count += threads.iter().map(|own| own.lag[LAG_BUCKETS_US.len()].get()).sum::<u64>();
    let help = "How long a reactor was busy before it could wait for events again.";
    page.histogram("tidings_loop_lag_seconds", help, &sum);
}

/// Under the names that every Prometheus client library gives them; what the system does not report is left out.
fn write_process(page: &mut Page, process: &Process) {
    let numbers = [
        ("process_cpu_seconds_total", "counter", "Processor time used, user and system.", process.cpu_s),
        ("process_start_time_seconds", "gauge", "When the process began, in seconds since 1970.", process.start_s),
        ("process_resident_memory_bytes", "gauge", "Resident memory.", process.resident_bytes.map(|n| n as f64)),
        ("process_virtual_memory_bytes", "gauge", "Address space.", process.virtual_bytes.map(|n| n as f64)),
        ("process_open_fds", "gauge", "Open descriptors.", process.descriptors.map(|n| n as f64)),
        ("process_max_fds", "gauge", "Descriptors that may be open.", process.descriptors_max.map(|n| n as f64)),
    ];
    for (name, kind, help, value) in numbers {
        if let Some(value) = value {
            page.single(name, kind, help, value);
        }
    }
}
