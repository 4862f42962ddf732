//! The seconds of a run as comma-separated values (RFC 4180).

use crate::outcome::{Outcome, Window};
use std::collections::BTreeSet;

/// A line per second, and a first line with names and units.
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let latencies: BTreeSet<&String> = outcome.series.iter().flat_map(|window| window.latencies.keys()).collect();
    let mut names: Vec<String> = [
        "at_s",
        "seconds",
        "connections",
        "sent",
        "received",
        "opened",
        "errors",
        "bytes_out",
        "bytes_in",
        "generator_busy",
        "server_cpu_user_s",
        "server_cpu_system_s",
        "server_rss_bytes",
        "server_descriptors",
    ]
    .map(str::to_owned)
    .to_vec();
    for latency in &latencies {
        names.extend(["count", "p50_s", "p99_s", "max_s"].map(|part| format!("{latency}_{part}")));
    }
    let mut text = names.join(",");
    for window in &outcome.series {
        text.push_str("\r\n");
        text.push_str(&line(window, &latencies).join(","));
    }
    text.push_str("\r\n");
    text
}

fn line(window: &Window, latencies: &BTreeSet<&String>) -> Vec<String> {
    let mut fields = vec![window.at.to_string(), window.seconds.to_string()];
    let counts = [
        window.connections,
        window.sent,
        window.received,
        window.opened,
        window.errors,
        window.bytes_out,
        window.bytes_in,
    ];
    fields.extend(counts.map(|count| count.to_string()));
    fields.push(window.generator_busy.to_string());
    match &window.server {
        Some(server) => {
            fields.extend([
                server.cpu_user.to_string(),
                server.cpu_system.to_string(),
                server.rss.to_string(),
                server.descriptors.to_string(),
            ]);
        }
        None => fields.extend(std::iter::repeat_n(String::new(), 4)),
    }
    for name in latencies {
        match window.latencies.get(*name) {
            Some(one) => {
                fields.extend([one.count.to_string(), one.p50.to_string(), one.p99.to_string(), one.max.to_string()])
            }
            None => fields.extend(std::iter::repeat_n(String::new(), 4)),
        }
    }
    fields
}
