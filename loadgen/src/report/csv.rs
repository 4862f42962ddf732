//! The seconds of a run as comma-separated values (RFC 4180).

use crate::outcome::{Outcome, Window};
use std::collections::BTreeSet;

/// What every second has, with units.
const COLUMNS: [&str; 14] = [
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
];
/// What every latency of a second has, after the latency's name.
const OF_LATENCY: [&str; 4] = ["count", "p50_s", "p99_s", "max_s"];

/// A line per second, and a first line with names and units. Each latency that any second has is in every line; what was
/// not measured is empty.
#[must_use]
pub fn csv(outcome: &Outcome) -> String {
    let latencies: BTreeSet<&String> = outcome.series.iter().flat_map(|window| window.latencies.keys()).collect();
    let of_latencies = latencies.iter().flat_map(|latency| OF_LATENCY.map(|part| field(&format!("{latency}_{part}"))));
    let names: Vec<String> = COLUMNS.map(str::to_owned).into_iter().chain(of_latencies).collect();
    let lines = outcome.series.iter().map(|window| line(window, &latencies).join(","));
    [names.join(",")].into_iter().chain(lines).flat_map(|line| [line, "\r\n".to_owned()]).collect()
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
    fields.extend(window.server.map_or_else(Default::default, |server| {
        let (user, system) = (server.cpu_user.to_string(), server.cpu_system.to_string());
        [user, system, server.rss.to_string(), server.descriptors.to_string()]
    }));
    for name in latencies {
        fields.extend(window.latencies.get(*name).map_or_else(Default::default, |latency| {
            let times = [latency.p50, latency.p99, latency.max].map(|seconds| seconds.to_string());
            let [p50, p99, max] = times;
            [latency.count.to_string(), p50, p99, max]
        }));
    }
    fields
}

/// A text as a field: in quotation marks where it needs them.
fn field(text: &str) -> String {
    if text.contains(['"', ',', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::{COLUMNS, csv};
    use crate::report::example::example;

    /// The records of a text, by the grammar of RFC 4180.
    fn records(text: &str) -> Vec<Vec<String>> {
        let (mut records, mut record, mut field, mut quoted) = (Vec::new(), Vec::new(), String::new(), false);
        let mut rest = text.chars().peekable();
        while let Some(c) = rest.next() {
            match c {
                '"' if quoted && rest.next_if_eq(&'"').is_some() => field.push('"'),
                '"' => quoted = !quoted,
                ',' if !quoted => record.push(std::mem::take(&mut field)),
                '\r' if !quoted => {
                    assert_eq!(rest.next(), Some('\n'), "lines end with both");
                    record.push(std::mem::take(&mut field));
                    records.push(std::mem::take(&mut record));
                }
                other => field.push(other),
            }
        }
        assert!(!quoted && record.is_empty() && field.is_empty(), "the last line ends, too");
        records
    }

    #[test]
    fn every_line_has_every_column_and_the_values_of_its_second() {
        let mut outcome = example("a", 7);
        let odd = outcome.series[3].latencies["delivery"];
        outcome.series[3].latencies.insert("odd \"name\", really".to_owned(), odd);
        outcome.series[4].server = None;
        let records = records(&csv(&outcome));
        assert_eq!(records.len(), 1 + outcome.series.len());
        assert!(records.iter().all(|record| record.len() == COLUMNS.len() + 8), "{records:?}");
        let column = |name: &str| records[0].iter().position(|known| known == name).expect(name);
        let number = |row: usize, name: &str| records[1 + row][column(name)].parse::<f64>().ok();
        for (row, window) in outcome.series.iter().enumerate() {
            assert_eq!(number(row, "at_s"), Some(window.at));
            assert_eq!(number(row, "received"), Some(window.received as f64));
            assert_eq!(number(row, "server_rss_bytes"), window.server.map(|server| server.rss as f64));
            assert_eq!(number(row, "delivery_p99_s"), Some(window.latencies["delivery"].p99));
            assert_eq!(number(row, "odd \"name\", really_max_s"), (row == 3).then_some(odd.max));
        }
    }
}
