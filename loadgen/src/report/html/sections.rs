//! The parts of a page that are text: verdicts, key figures, tables.

use super::escape;
use crate::outcome::Outcome;
use crate::report::numbers::{bytes, count, duration, share, whole};
use std::fmt::Write;

/// A name, a value where it was measured, and how it is shown.
type Figure = (&'static str, Option<f64>, fn(f64) -> String);

/// What can be trusted, first of all.
pub(super) fn verdicts(outcomes: &[&Outcome]) -> String {
    let mut text = "<section class=\"verdicts\" aria-label=\"Verdicts\">\n".to_owned();
    for outcome in outcomes {
        text.push_str("<div class=\"verdict\">");
        if outcomes.len() > 1 {
            // Writing to a string does not fail.
            let _ = write!(text, "<h2>{}</h2>", escape(&outcome.label));
        }
        text.push_str("<ul>");
        for verdict in &outcome.verdicts {
            let level = verdict.level.to_string();
            let _ = write!(text, "<li><span class=\"level {level}\">{level}</span> {}", escape(&verdict.claim));
            verdict.reasons.iter().chain(&verdict.notes).for_each(|reason| {
                let _ = write!(text, "<span class=\"reason\">{}</span>", escape(reason));
            });
            text.push_str("</li>");
        }
        text.push_str("</ul></div>\n");
    }
    text.push_str("</section>\n");
    text
}

/// Names and values that a reader looks for.
fn figures(outcome: &Outcome) -> Vec<Figure> {
    let scalar = |name: &str| outcome.scalars.get(name).copied();
    let primary = outcome.latencies.get(&outcome.primary);
    let at = |share: f64| primary.and_then(|latency| crate::session::percentile_of(latency, share));
    vec![
        ("per second", scalar("throughput").filter(|rate| *rate > 0.0), count),
        ("median latency", at(50.0), duration),
        ("99th percentile", at(99.0), duration),
        ("99.9th percentile", at(99.9), duration),
        ("reach", scalar("reach"), share),
        ("lost", scalar("reach").and(scalar("lost")), count),
        ("µs of the server's CPU per message", scalar("cpu_us_per_msg"), |value| format!("{value:.3}")),
        (
            "of the server per connection",
            scalar("bytes_per_connection").filter(|_| scalar("connections").is_some_and(|n| n >= 1000.0)),
            bytes,
        ),
        ("until 99 % were back", scalar("recovered_in"), duration),
        ("connections", scalar("connections"), count),
    ]
}

/// Cards for one result; a table with ratios to the first for several.
pub(super) fn key_figures(outcomes: &[&Outcome]) -> String {
    let Some(first) = outcomes.first() else { return String::new() };
    if outcomes.len() == 1 {
        let mut text = "<section class=\"cards\" aria-label=\"Key figures\">\n".to_owned();
        for (name, value, show) in figures(first) {
            if let Some(value) = value {
                let _ = writeln!(text, "<div class=\"card\"><b>{}</b><span>{name}</span></div>", show(value));
            }
        }
        return text + "</section>\n";
    }
    let mut text =
        "<section class=\"scroll\"><table><caption>Side by side; ratios are to the first</caption><thead><tr><th></th>"
            .to_owned();
    outcomes.iter().for_each(|outcome| {
        let _ = write!(text, "<th class=\"n\">{}</th>", escape(&outcome.label));
    });
    text.push_str("</tr></thead><tbody>\n");
    let columns: Vec<_> = outcomes.iter().map(|outcome| figures(outcome)).collect();
    for (row, (name, base, show)) in columns[0].iter().enumerate() {
        if columns.iter().all(|column| column[row].1.is_none()) {
            continue;
        }
        let _ = write!(text, "<tr><th>{name}</th>");
        for (place, column) in columns.iter().enumerate() {
            let value = column[row].1;
            let ratio = value
                .zip(*base)
                .filter(|(_, base)| place > 0 && *base != 0.0)
                .map(|(value, base)| format!(" ({:.2} ×)", value / base));
            let _ = write!(
                text,
                "<td class=\"n\">{}{}</td>",
                value.map_or("–".to_owned(), show),
                ratio.unwrap_or_default()
            );
        }
        text.push_str("</tr>\n");
    }
    text + "</tbody></table></section>\n"
}

/// Everything else, to be opened.
pub(super) fn details(outcome: &Outcome) -> String {
    let mut text = format!("<details open><summary>{}: latencies and accounts</summary>\n", escape(&outcome.label));
    latencies(&mut text, outcome);
    let totals = &outcome.totals;
    let accounts = [
        ("sent", totals.sent),
        ("expected", totals.expected),
        ("received", totals.received),
        ("lost", totals.lost),
        ("duplicated", totals.duplicated),
        ("reordered", totals.reordered),
        ("corrupted", totals.corrupted),
        ("acknowledged", totals.acknowledged),
        ("connections opened", totals.opened),
        ("connections refused", totals.refused),
        ("connections dropped", totals.dropped),
        ("errors", totals.errors),
        ("bytes written", totals.bytes_out),
        ("bytes read", totals.bytes_in),
    ];
    table(
        &mut text,
        "Accounts of the whole run",
        accounts.iter().map(|(name, value)| ((*name).to_owned(), whole(*value))),
    );
    let thresholds = outcome.thresholds.iter().map(|threshold| {
        let value = threshold.value.map_or("not measured".to_owned(), |value| format!("{value:.6}"));
        (threshold.text.clone(), format!("{} ({value})", if threshold.passed { "holds" } else { "missed" }))
    });
    table(&mut text, "Thresholds", thresholds);
    table(&mut text, "Errors", outcome.errors.iter().map(|(error, times)| (error.clone(), whole(*times))));
    table(&mut text, "Mischief", outcome.mischief.iter().map(|(what, times)| (what.clone(), whole(*times))));
    table(&mut text, "Notes", outcome.notes.iter().map(|note| (note.clone(), String::new())));
    text.push_str("</details>\n<details><summary>Plan, costs and machine</summary>\n");
    let target = [("target".to_owned(), outcome.target.clone()), ("adapter".to_owned(), outcome.adapter.clone())];
    table(&mut text, "Plan", target.into_iter().chain(outcome.plan.iter().cloned()));
    costs(&mut text, outcome);
    environment(&mut text, outcome);
    table(
        &mut text,
        "What the server's own metrics changed by",
        outcome.metrics.iter().map(|(name, change)| (name.clone(), count(*change))),
    );
    text + "</details>\n"
}

fn latencies(text: &mut String, outcome: &Outcome) {
    let Some(any) = outcome.latencies.values().next() else { return };
    text.push_str("<div class=\"scroll\"><table><caption>Latencies</caption><thead><tr><th></th>");
    for (percentile, _) in &any.percentiles {
        let _ = write!(text, "<th class=\"n\">p{percentile}</th>");
    }
    text.push_str("<th class=\"n\">max</th><th class=\"n\">mean</th><th class=\"n\">count</th></tr></thead><tbody>\n");
    for (name, latency) in &outcome.latencies {
        let _ = write!(text, "<tr><th>{}</th>", escape(name));
        let values = latency.percentiles.iter().map(|(_, seconds)| *seconds).chain([latency.max, latency.mean]);
        values.for_each(|seconds| {
            let _ = write!(text, "<td class=\"n\">{}</td>", duration(seconds));
        });
        let _ = writeln!(text, "<td class=\"n\">{}</td></tr>", whole(latency.count));
    }
    text.push_str("</tbody></table></div>\n");
}

fn costs(text: &mut String, outcome: &Outcome) {
    let mut rows: Vec<(String, String)> = Vec::new();
    let mut row = |name: &str, value: String| rows.push((name.to_owned(), value));
    if let Some(server) = &outcome.server {
        row(
            "server's CPU, user and system",
            format!("{} and {}", duration(server.cpu_user), duration(server.cpu_system)),
        );
        row("server busy", format!("{} of its CPUs", share(server.busy_share)));
        row(
            "server's memory",
            format!(
                "{} before, {} with all connections",
                bytes(server.rss_before as f64),
                bytes(server.rss_after as f64)
            ),
        );
        row(
            "server's switches",
            format!("{} it asked for, {} others", whole(server.switches_voluntary), whole(server.switches_involuntary)),
        );
        row("server's descriptors", whole(server.descriptors));
        row("server's processes", format!("{:?} {}", server.pids, server.program.clone().unwrap_or_default()));
    }
    let (generator, kernel) = (&outcome.generator, &outcome.kernel);
    row(
        "generator",
        format!(
            "{} processes, {} threads; busiest {}, mean {}",
            generator.processes,
            generator.threads,
            share(generator.busiest),
            share(generator.busy)
        ),
    );
    row("checked by tungstenite", format!("{} connections", whole(generator.checked_connections)));
    row("kernel: handshakes dropped", whole(kernel.listen_drops + kernel.listen_overflows));
    row(
        "kernel: packets dropped, sent again",
        format!("{}, {}", whole(kernel.backlog_drops), whole(kernel.retransmitted)),
    );
    row("steal", share(kernel.steal));
    table(text, "Costs", rows.into_iter());
}

fn environment(text: &mut String, outcome: &Outcome) {
    let environment = &outcome.environment;
    let rows = [
        ("command", environment.command.clone()),
        ("version", format!("{} {}", environment.tool_version, environment.commit.clone().unwrap_or_default())),
        ("kernel", environment.kernel.clone()),
        ("CPU", format!("{} × {}", environment.cpus, environment.cpu)),
        ("governor", environment.governor.clone().unwrap_or_else(|| "unknown".to_owned())),
        ("memory", bytes(environment.memory as f64)),
        ("descriptors per process", whole(environment.descriptors)),
        ("ports", format!("{} to {}", environment.ports.0, environment.ports.1)),
        ("somaxconn", whole(environment.somaxconn)),
        ("pinned", format!("generator {:?}, server {:?}", environment.pinned_self, environment.pinned_server)),
    ];
    table(text, "Machine", rows.into_iter().map(|(name, value)| (name.to_owned(), value)));
}

/// A table of names and values; nothing when it is empty.
fn table(text: &mut String, caption: &str, rows: impl Iterator<Item = (String, String)>) {
    let rows: Vec<String> =
        rows.map(|(name, value)| format!("<tr><td>{}</td><td>{}</td></tr>\n", escape(&name), escape(&value))).collect();
    if !rows.is_empty() {
        let _ = write!(
            text,
            "<div class=\"scroll\"><table><caption>{caption}</caption><tbody>\n{}</tbody></table></div>\n",
            rows.concat()
        );
    }
}
