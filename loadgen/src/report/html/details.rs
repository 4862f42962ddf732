//! Everything else that results say, in tables to be opened.

use super::escape::escape;
use crate::numbers::{bytes, count, duration, share, whole};
use crate::outcome::{GeneratorCost, KernelCounts, Outcome, ServerCost};
use crate::report::moment::moment;
use crate::report::named;
use std::fmt::Write;

/// The columns of the latencies after the percentiles.
const STATISTICS: [&str; 5] = ["max", "min", "mean", "std. dev.", "count"];

/// Latencies and accounts, which are open, and how they came about, which is not.
pub(super) fn details(outcome: &Outcome) -> String {
    let mut text = format!("<details open><summary>{}: latencies and accounts</summary>\n", escape(&outcome.label));
    latencies(&mut text, outcome);
    text.push_str("<div class=\"tables\">\n");
    accounts(&mut text, outcome);
    let thresholds = outcome.thresholds.iter().map(|threshold| {
        let sign = if threshold.passed { "✓ holds" } else { "✗ missed" };
        (threshold.text.clone(), format!("{sign} ({})", named::measured(threshold)))
    });
    table(&mut text, "Thresholds", thresholds);
    let mut errors: Vec<(&String, &u64)> = outcome.errors.iter().collect();
    errors.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
    counts(&mut text, "Errors", errors.into_iter().map(|(error, times)| (error.clone(), whole(*times))));
    counts(&mut text, "Attacks", outcome.attacks.iter().map(|(what, times)| (what.clone(), whole(*times))));
    list(&mut text, "Notes", &outcome.notes);
    text.push_str("</div></details>\n");
    let (label, command) = (escape(&outcome.label), escape(&outcome.environment.command));
    let _ = writeln!(text, "<details><summary>{label}: plan, costs and machine</summary>");
    let _ = writeln!(text, "<p class=\"command\"><code>{command}</code></p>\n<div class=\"tables\">");
    plan(&mut text, outcome);
    if let Some(cost) = &outcome.server {
        server(&mut text, cost);
    }
    generator(&mut text, &outcome.generator);
    kernel(&mut text, &outcome.kernel);
    numbers(&mut text, outcome);
    let metrics = outcome.metrics.iter().map(|(name, change)| (name.clone(), count(*change)));
    counts(&mut text, "What the server's own metrics changed by", metrics);
    environment(&mut text, outcome);
    text + "</div></details>\n"
}

fn latencies(text: &mut String, outcome: &Outcome) {
    let mut columns: Vec<f64> =
        outcome.latencies.values().flat_map(|latency| &latency.percentiles).map(|one| one.0).collect();
    columns.sort_by(f64::total_cmp);
    columns.dedup();
    if outcome.latencies.is_empty() {
        return;
    }
    text.push_str("<div class=\"scroll\"><table><caption>Latencies</caption><thead><tr><td></td>");
    let names = columns.iter().map(|percentile| format!("p{percentile}"));
    for name in names.chain(STATISTICS.map(str::to_owned)) {
        // Writing to a string does not fail.
        let _ = write!(text, "<th class=\"n\" scope=\"col\">{name}</th>");
    }
    text.push_str("</tr></thead><tbody>\n");
    for (name, latency) in named::latencies(outcome) {
        let _ = write!(text, "<tr><th scope=\"row\">{}</th>", escape(name));
        let percentiles = columns.iter().map(|percentile| latency.percentile(*percentile).unwrap_or(f64::NAN));
        for seconds in percentiles.chain([latency.max, latency.min, latency.mean, latency.stddev]) {
            let _ = write!(text, "<td class=\"n\">{}</td>", duration(seconds));
        }
        let _ = writeln!(text, "<td class=\"n\">{}</td></tr>", whole(latency.count));
    }
    text.push_str("</tbody></table></div>\n");
}

fn accounts(text: &mut String, outcome: &Outcome) {
    let totals = &outcome.totals;
    let messages = [
        ("sent", totals.sent),
        ("acknowledged", totals.acknowledged),
        ("expected", totals.expected),
        ("received", totals.received),
        ("lost", totals.lost),
        ("duplicated", totals.duplicated),
        ("reordered", totals.reordered),
        ("corrupted", totals.corrupted),
    ];
    counts(
        text,
        "Messages of the whole run",
        messages.into_iter().map(|(name, value)| (name.to_owned(), whole(value))),
    );
    let connections = [
        ("opened", totals.opened),
        ("refused", totals.refused),
        ("dropped by the server", totals.dropped),
        ("expired", totals.expired),
        ("errors of all kinds", totals.errors),
        ("bytes written", totals.bytes_out),
        ("bytes read", totals.bytes_in),
    ];
    counts(
        text,
        "Connections of the whole run",
        connections.into_iter().map(|(name, value)| (name.to_owned(), whole(value))),
    );
}

fn plan(text: &mut String, outcome: &Outcome) {
    let ended = if outcome.interrupted { ", and was interrupted" } else { "" };
    let first = [
        ("scenario", outcome.scenario.clone()),
        ("target", outcome.target.clone()),
        ("adapter", outcome.adapter.clone()),
        ("began", moment(outcome.started_unix_ms)),
        ("lasted", duration(outcome.measured_seconds) + ended),
        ("about", format!("the latency called {}", outcome.primary)),
    ];
    let first = first.map(|(name, value)| (name.to_owned(), value));
    table(text, "Plan", first.into_iter().chain(outcome.plan.iter().cloned()));
}

fn server(text: &mut String, server: &ServerCost) {
    let memory = |before: u64, after: u64| {
        format!("{} before, {} with all connections", bytes(before as f64), bytes(after as f64))
    };
    let per_message = server.cpu_us_per_msg.map_or(f64::NAN, |cost| 1e-6 * cost);
    let processes: Vec<String> = server.pids.iter().map(u32::to_string).collect();
    let program = server.program.clone().unwrap_or_else(|| "unknown".to_owned());
    let costs = [
        ("program", program),
        ("processes", processes.join(", ")),
        ("CPU in user mode", duration(server.cpu_user)),
        ("CPU in the kernel", duration(server.cpu_system)),
        ("CPU per message", duration(per_message)),
        ("busy", format!("{} of one CPU, {} of its CPUs", share(server.busy), share(server.busy_share))),
        ("resident memory", memory(server.rss_before, server.rss_after)),
        (
            "proportional memory",
            server.pss_before.zip(server.pss_after).map_or("–".to_owned(), |(before, after)| memory(before, after)),
        ),
        ("memory per connection", bytes_or_nothing(server.bytes_per_connection)),
        ("switches it asked for", whole(server.switches_voluntary)),
        ("other switches", whole(server.switches_involuntary)),
        ("descriptors", whole(server.descriptors)),
    ];
    rows(text, "The server", costs);
}

fn generator(text: &mut String, generator: &GeneratorCost) {
    let costs = [
        ("processes", generator.processes.to_string()),
        ("threads", generator.threads.to_string()),
        ("busiest thread", share(generator.busiest)),
        ("mean of its threads", share(generator.busy)),
        ("memory per connection", bytes_or_nothing(generator.bytes_per_connection)),
        ("checked by tungstenite", format!("{} connections", whole(generator.checked_connections))),
    ];
    rows(text, "The load generator", costs);
}

fn kernel(text: &mut String, kernel: &KernelCounts) {
    let figures = [
        ("handshakes that overflowed a backlog", whole(kernel.listen_overflows)),
        ("handshakes dropped", whole(kernel.listen_drops)),
        ("packets dropped", whole(kernel.backlog_drops)),
        ("segments sent again", whole(kernel.retransmitted)),
        ("memory of TCP, at most", bytes(kernel.tcp_memory_peak as f64)),
        ("memory per connection, both ends", bytes_or_nothing(kernel.bytes_per_connection)),
        ("taken by the hypervisor", share(kernel.steal)),
    ];
    counts(text, "The kernel", figures.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// The numbers that thresholds know, by the names they know them by.
fn numbers(text: &mut String, outcome: &Outcome) {
    let numbers = outcome.scalars.iter().map(|(name, value)| {
        let meaning = named::meaning(name);
        let label = if meaning.is_empty() { name.clone() } else { format!("{name}: {meaning}") };
        (label, named::scalar(name, *value))
    });
    counts(text, "Numbers for thresholds", numbers);
}

fn environment(text: &mut String, outcome: &Outcome) {
    let environment = &outcome.environment;
    let cpus = |pinned: &[usize]| match pinned {
        [] => "not pinned".to_owned(),
        cpus => format!("CPU {}", cpus.iter().map(usize::to_string).collect::<Vec<_>>().join(", ")),
    };
    let unknown = || "unknown".to_owned();
    let machine = [
        ("version", environment.tool_version.clone()),
        ("commit", environment.commit.clone().unwrap_or_else(unknown)),
        ("host", environment.host.clone()),
        ("kernel", environment.kernel.clone()),
        ("CPU", format!("{} × {}", environment.cpus, environment.cpu)),
        ("governor", environment.governor.clone().unwrap_or_else(unknown)),
        ("memory", bytes(environment.memory as f64)),
        ("descriptors per process", whole(environment.descriptors)),
        ("ports", format!("{} to {}", environment.ports.0, environment.ports.1)),
        ("somaxconn", whole(environment.somaxconn)),
        ("generator on", cpus(&environment.pinned_self)),
        ("generator waits", if environment.busy_poll { "polling" } else { "asleep" }.to_owned()),
        ("server on", cpus(&environment.pinned_server)),
    ];
    rows(text, "Machine", machine);
}

fn bytes_or_nothing(value: Option<f64>) -> String {
    bytes(value.unwrap_or(f64::NAN))
}

fn rows<const N: usize>(text: &mut String, caption: &str, rows: [(&str, String); N]) {
    table(text, caption, rows.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// A table of names and values; nothing when it is empty.
fn table(text: &mut String, caption: &str, rows: impl Iterator<Item = (String, String)>) {
    table_of("", text, caption, rows);
}

/// A table whose names are long and whose values are short; nothing when it is empty.
fn counts(text: &mut String, caption: &str, rows: impl Iterator<Item = (String, String)>) {
    table_of(" class=\"long\"", text, caption, rows);
}

fn table_of(class: &str, text: &mut String, caption: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: String = rows
        .map(|(name, value)| format!("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", escape(&name), escape(&value)))
        .collect();
    if !rows.is_empty() {
        let _ = write!(text, "<table{class}><caption>{caption}</caption><tbody>\n{rows}</tbody></table>\n");
    }
}

/// Texts below each other; nothing when there are none.
fn list(text: &mut String, title: &str, entries: &[String]) {
    if !entries.is_empty() {
        let entries: String = entries.iter().map(|entry| format!("<li>{}</li>\n", escape(entry))).collect();
        let _ = write!(text, "<div><h3>{title}</h3><ul>\n{entries}</ul></div>\n");
    }
}
