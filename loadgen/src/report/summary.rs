//! A result as text for a terminal: the verdict first.

use super::numbers::{bytes, count, duration, share, whole};
use crate::outcome::{Latency, Level, Outcome, ServerCost};
use std::fmt::Write;

/// The most error texts that are shown.
const ERRORS: usize = 5;
/// The percentiles of the table.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];

/// The summary. `colour` marks the verdict for a terminal.
#[must_use]
pub fn summary(outcome: &Outcome, colour: bool) -> String {
    let mut text = String::new();
    verdict(&mut text, outcome, colour);
    // Writing to a string does not fail.
    let _ = writeln!(text, "\n{}  {}  ({})", outcome.label, outcome.target, outcome.adapter);
    for (name, value) in &outcome.plan {
        let _ = writeln!(text, "  {name:<12} {value}");
    }
    messages(&mut text, outcome);
    latencies(&mut text, outcome);
    if let Some(server) = &outcome.server {
        costs(&mut text, server, outcome.scalars.get("connections").copied().unwrap_or(0.0));
    }
    generator(&mut text, outcome);
    lists(&mut text, outcome);
    text
}

fn verdict(text: &mut String, outcome: &Outcome, colour: bool) {
    for verdict in &outcome.verdicts {
        let paint = match verdict.level {
            Level::Valid => "\x1b[32m",
            Level::Suspect => "\x1b[33m",
            Level::Invalid => "\x1b[1;31m",
        };
        let (on, off) = if colour { (paint, "\x1b[0m") } else { ("", "") };
        let level = verdict.level.to_string();
        let _ = writeln!(text, "{on}{level:<8}{off} {}", verdict.claim);
        for reason in &verdict.reasons {
            let _ = writeln!(text, "         {}", wrapped(reason, 9));
        }
        for note in &verdict.notes {
            let _ = writeln!(text, "         note: {}", wrapped(note, 9));
        }
    }
}

fn messages(text: &mut String, outcome: &Outcome) {
    let (totals, scalars) = (&outcome.totals, &outcome.scalars);
    let _ = writeln!(text);
    if let Some(throughput) = scalars.get("throughput").filter(|throughput| **throughput > 0.0) {
        let what = if outcome.scenario == "storm" { "connections" } else { "messages" };
        let rate =
            scalars.get("rate").map_or_else(String::new, |rate| format!(", {} of the rate asked for", share(*rate)));
        let _ = writeln!(
            text,
            "  throughput   {} {what}/s over {}{rate}",
            count(*throughput),
            duration(outcome.measured_seconds)
        );
    }
    if totals.expected > 0 {
        let reach = scalars.get("reach").copied().unwrap_or(0.0);
        let _ = writeln!(
            text,
            "  delivered    {} of {} ({})",
            whole(totals.received),
            whole(totals.expected),
            share(reach)
        );
        let _ = writeln!(
            text,
            "  lost {}, duplicated {}, reordered {}, corrupted {}",
            whole(totals.lost),
            whole(totals.duplicated),
            whole(totals.reordered),
            whole(totals.corrupted)
        );
    }
    let _ = writeln!(
        text,
        "  connections  {} at most; opened {}, refused {}, dropped by the server {}",
        whole(scalars.get("connections").copied().unwrap_or(0.0) as u64),
        whole(totals.opened),
        whole(totals.refused),
        whole(totals.dropped)
    );
    if let Some(seconds) = scalars.get("recovered_in") {
        let _ = writeln!(text, "  recovered    99 % were back after {}", duration(*seconds));
    }
    for (name, what, show) in [
        ("rss_slope", "memory grows by", bytes as fn(f64) -> String),
        ("fd_slope", "descriptors grow by", count),
        ("latency_slope", "the median latency grows by", signed_duration),
    ] {
        if let Some(slope) = scalars.get(name) {
            let _ = writeln!(text, "  slope        {what} {}/h", show(*slope));
        }
    }
}

fn signed_duration(seconds: f64) -> String {
    format!("{}{}", if seconds < 0.0 { "-" } else { "" }, duration(seconds.abs()))
}

fn latencies(text: &mut String, outcome: &Outcome) {
    if outcome.latencies.is_empty() {
        return;
    }
    let _ = writeln!(
        text,
        "\n  {:<12}{:>10}{:>10}{:>10}{:>10}{:>10}{:>10}{:>12}",
        "latency", "p50", "p90", "p99", "p99.9", "max", "mean", "count"
    );
    let primary = outcome.latencies.get_key_value(&outcome.primary);
    let others = outcome.latencies.iter().filter(|(name, _)| **name != outcome.primary);
    for (name, latency) in primary.into_iter().chain(others) {
        let _ = write!(text, "  {name:<12}");
        for value in row(latency) {
            let _ = write!(text, "{value:>10}");
        }
        let _ = writeln!(text, "{:>12}", whole(latency.count));
    }
}

fn row(latency: &Latency) -> Vec<String> {
    let histogram = super::histogram(latency);
    let at =
        |share: f64| histogram.as_ref().map_or(f64::NAN, |histogram| histogram.value_at_percentile(share) as f64 / 1e9);
    PERCENTILES
        .iter()
        .map(|share| duration(at(*share)))
        .chain([duration(latency.max), duration(latency.mean)])
        .collect()
}

fn costs(text: &mut String, server: &ServerCost, connections: f64) {
    let total = server.cpu_user + server.cpu_system;
    let _ = write!(text, "\n  server       {} busy", share(server.busy_share));
    if let Some(cost) = server.cpu_us_per_msg {
        let user = 100.0 * server.cpu_user / total.max(1e-12);
        let _ = write!(text, ", {cost:.3} µs of CPU per message ({user:.0} % in user mode)");
    }
    let _ = writeln!(text);
    let memory = server.pss_after.unwrap_or(server.rss_after);
    let each = server.bytes_per_connection.filter(|_| connections >= 1000.0);
    let each = each.map_or_else(String::new, |each| format!(", {} per connection", bytes(each)));
    let _ = writeln!(text, "               {} of memory{each}", bytes(memory as f64));
    let _ = writeln!(
        text,
        "               {} switches it asked for and {} others, {} descriptors",
        whole(server.switches_voluntary),
        whole(server.switches_involuntary),
        whole(server.descriptors)
    );
}

fn generator(text: &mut String, outcome: &Outcome) {
    let (generator, kernel) = (&outcome.generator, &outcome.kernel);
    let each = generator
        .bytes_per_connection
        .filter(|_| outcome.scalars.get("connections").is_some_and(|count| *count >= 1000.0));
    let each = each.map_or_else(String::new, |each| format!(", {} per connection", bytes(each)));
    let _ = writeln!(
        text,
        "\n  generator    busiest thread {} of {}; {} connections checked by tungstenite{each}",
        share(generator.busiest),
        generator.threads,
        whole(generator.checked_connections)
    );
    let drops = kernel.listen_drops + kernel.listen_overflows + kernel.backlog_drops;
    let each = kernel
        .bytes_per_connection
        .map_or_else(String::new, |each| format!("; {} per connection, both ends", bytes(each)));
    let _ = writeln!(text, "  kernel       {} dropped, {} sent again{each}", whole(drops), whole(kernel.retransmitted));
}

fn lists(text: &mut String, outcome: &Outcome) {
    for threshold in &outcome.thresholds {
        let sign = if threshold.passed { "ok    " } else { "FAILED" };
        let value = threshold.value.map_or_else(|| "not measured".to_owned(), |value| format!("{value:.6}"));
        let _ = writeln!(text, "  threshold    {sign} {} ({value})", threshold.text);
    }
    let mut errors: Vec<(&String, &u64)> = outcome.errors.iter().collect();
    errors.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    for (error, times) in errors.iter().take(ERRORS) {
        let _ = writeln!(text, "  error        {} times: {}", whole(**times), wrapped(error, 15));
    }
    if errors.len() > ERRORS {
        let _ = writeln!(text, "  error        and {} other kinds", errors.len() - ERRORS);
    }
    for (what, times) in &outcome.mischief {
        let _ = writeln!(text, "  mischief     {} times {}", whole(*times), wrapped(what, 15));
    }
    for note in &outcome.notes {
        let _ = writeln!(text, "  note         {}", wrapped(note, 15));
    }
}

/// Breaks a text at spaces so that no line has over 96 characters, behind an indent.
fn wrapped(text: &str, indent: usize) -> String {
    let (mut out, mut column) = (String::new(), indent);
    for word in text.split_whitespace() {
        if column + word.chars().count() + 1 > 96 && !out.is_empty() {
            out.push('\n');
            out.push_str(&" ".repeat(indent));
            column = indent;
        } else if !out.is_empty() {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += word.chars().count();
    }
    out
}
