//! A result as text for a terminal: the verdict first.

use super::named::{are_many, arrivals, latencies, measured};
use super::wrapped::wrapped;
use crate::numbers::{bytes, count, duration, share, whole};
use crate::outcome::{Latency, Level, Outcome, ServerCost};
use std::fmt::Write;

/// How many error texts are shown at most.
const ERRORS: usize = 5;
/// The percentiles of the table.
const PERCENTILES: [f64; 4] = [50.0, 90.0, 99.0, 99.9];
/// Where the reasons of a verdict begin.
const REASONS: usize = 9;
/// Where the values of rows begin.
const VALUES: usize = 15;

/// The summary. `colour` marks the verdict and the thresholds for a terminal.
#[must_use]
pub fn summary(outcome: &Outcome, colour: bool) -> String {
    let mut page = Page { text: String::new(), colour };
    page.verdicts(outcome);
    page.plan(outcome);
    page.messages(outcome);
    page.latencies(outcome);
    if let Some(server) = &outcome.server {
        page.server(server, are_many(outcome));
    }
    page.machine(outcome);
    page.lists(outcome);
    page.text
}

fn connections(outcome: &Outcome) -> f64 {
    outcome.scalars.get("connections").copied().unwrap_or(0.0)
}

struct Page {
    text: String,
    colour: bool,
}

impl Page {
    /// A name and a text after it.
    fn row(&mut self, name: &str, value: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "  {name:<12} {}", wrapped(value, VALUES));
    }

    fn painted(&self, text: &str, level: Level) -> String {
        let paint = match level {
            Level::Valid => "\x1b[32m",
            Level::Suspect => "\x1b[33m",
            Level::Invalid => "\x1b[1;31m",
        };
        if self.colour { format!("{paint}{text}\x1b[0m") } else { text.to_owned() }
    }

    fn verdicts(&mut self, outcome: &Outcome) {
        for verdict in &outcome.verdicts {
            let level = self.painted(&format!("{:<8}", verdict.level.to_string()), verdict.level);
            let _ = writeln!(self.text, "{level} {}", wrapped(&verdict.claim, REASONS));
            let notes = verdict.notes.iter().map(|note| format!("note: {note}"));
            for reason in verdict.reasons.iter().cloned().chain(notes) {
                let _ = writeln!(self.text, "{:REASONS$}{}", "", wrapped(&reason, REASONS));
            }
        }
    }

    fn plan(&mut self, outcome: &Outcome) {
        let title = format!("{}: {} at {} ({})", outcome.label, outcome.scenario, outcome.target, outcome.adapter);
        let _ = writeln!(self.text, "\n{}", wrapped(&title, 0));
        outcome.plan.iter().for_each(|(name, value)| self.row(name, value));
        if outcome.interrupted {
            self.row("interrupted", &format!("after {} of measuring", duration(outcome.measured_seconds)));
        }
    }

    fn messages(&mut self, outcome: &Outcome) {
        let (totals, scalars) = (&outcome.totals, &outcome.scalars);
        self.text.push('\n');
        if let Some(throughput) = scalars.get("throughput").filter(|throughput| **throughput > 0.0) {
            let what = arrivals(outcome);
            let asked = scalars.get("rate").map(|rate| format!(", {} of the rate asked for", share(*rate)));
            let over = duration(outcome.measured_seconds);
            let text = format!("{} {what} per second over {over}{}", count(*throughput), asked.unwrap_or_default());
            self.row("throughput", &text);
        }
        if totals.expected > 0 {
            let reach = share(totals.received as f64 / totals.expected as f64);
            let unsent =
                if totals.unsent > 0 { format!(", {} due and not sent", whole(totals.unsent)) } else { String::new() };
            let sent = whole(totals.sent) + " sent" + &unsent;
            self.row(
                "delivered",
                &format!("{} of {} ({reach}); {sent}", whole(totals.received), whole(totals.expected)),
            );
            let faults = [totals.lost, totals.duplicated, totals.reordered, totals.corrupted].map(whole);
            let [lost, duplicated, reordered, corrupted] = faults;
            self.row(
                "",
                &format!("lost {lost}, duplicated {duplicated}, reordered {reordered}, corrupted {corrupted}"),
            );
        }
        let (opened, refused, dropped) = (whole(totals.opened), whole(totals.refused), whole(totals.dropped));
        let most = whole(connections(outcome) as u64);
        let mut text = format!("{most} at most; opened {opened}, refused {refused}, dropped by the server {dropped}");
        if totals.expired > 0 {
            text.push_str(&format!(", expired {}", whole(totals.expired)));
        }
        self.row("connections", &text);
        self.changes(outcome);
    }

    /// What only some scenarios measure.
    fn changes(&mut self, outcome: &Outcome) {
        let scalar = |name: &str| outcome.scalars.get(name).copied();
        if let Some(seconds) = scalar("recovered_in") {
            self.row("recovered", &format!("99 % were back after {}", duration(seconds)));
        }
        if let Some(gaps) = scalar("gaps").filter(|gaps| *gaps > 0.0) {
            self.row("gaps", &format!("{} resumed subscriptions missed something", count(gaps)));
        }
        for (name, what, show) in [
            ("rss_slope", "memory grows by", bytes as fn(f64) -> String),
            ("fd_slope", "descriptors grow by", count),
            ("latency_slope", "the median latency grows by", duration),
        ] {
            if let Some(slope) = scalar(name) {
                self.row("slope", &format!("{what} {}/h", show(slope)));
            }
        }
    }

    fn latencies(&mut self, outcome: &Outcome) {
        if outcome.latencies.is_empty() {
            return;
        }
        let names = PERCENTILES.map(|percentile| format!("p{percentile}"));
        let columns = names.iter().map(String::as_str).chain(["max", "mean"]);
        let _ = writeln!(self.text, "\n  {}", cells("latency", columns, "count"));
        for (name, latency) in latencies(outcome) {
            let values = row(latency);
            let _ = writeln!(self.text, "  {}", cells(name, values.iter().map(String::as_str), &whole(latency.count)));
        }
    }

    fn server(&mut self, server: &ServerCost, are_many: bool) {
        let cost = server.cpu_us_per_msg.map(|cost| {
            let user = server.cpu_user / (server.cpu_user + server.cpu_system).max(1e-12);
            let parts = [1.0, user, 1.0 - user].map(|part| duration(1e-6 * cost * part));
            format!(", {} CPU/message ({} user, {} system)", parts[0], parts[1], parts[2])
        });
        self.text.push('\n');
        self.row("server", &format!("{} busy{}", share(server.busiest()), cost.unwrap_or_default()));
        let memory = server.pss_after.unwrap_or(server.rss_after);
        let each = server.bytes_per_connection.filter(|_| are_many);
        self.row("", &format!("{} of memory{}", bytes(memory as f64), per_connection(each)));
        let (asked, others) = (whole(server.switches_voluntary), whole(server.switches_involuntary));
        let descriptors = whole(server.descriptors);
        self.row("", &format!("{asked} switches it asked for and {others} others, {descriptors} descriptors"));
    }

    fn machine(&mut self, outcome: &Outcome) {
        let (generator, kernel) = (&outcome.generator, &outcome.kernel);
        self.text.push('\n');
        let checked = whole(generator.checked_connections);
        let each = generator.bytes_per_connection.filter(|_| are_many(outcome));
        let busiest = share(generator.busiest);
        let text = format!(
            "busiest thread {busiest} of {}; {checked} connections checked by tungstenite{}",
            generator.threads,
            per_connection(each)
        );
        self.row("generator", &text);
        let drops = kernel.listen_drops + kernel.listen_overflows + kernel.backlog_drops;
        let both = kernel.bytes_per_connection.map(|each| format!("; {} per connection, both ends", bytes(each)));
        let steal = Some(kernel.steal).filter(|steal| *steal > 0.0).map(|steal| format!("; steal {}", share(steal)));
        let more = both.unwrap_or_default() + &steal.unwrap_or_default();
        self.row("kernel", &format!("{} dropped, {} sent again{more}", whole(drops), whole(kernel.retransmitted)));
    }

    fn lists(&mut self, outcome: &Outcome) {
        for threshold in &outcome.thresholds {
            let (sign, level) = if threshold.passed { ("✓", Level::Valid) } else { ("✗", Level::Invalid) };
            let text = wrapped(&format!("{} ({})", threshold.text, measured(threshold)), VALUES + 2);
            let _ = writeln!(self.text, "  {:<12} {} {text}", "threshold", self.painted(sign, level));
        }
        let mut errors: Vec<(&String, &u64)> = outcome.errors.iter().collect();
        errors.sort_by_key(|(_, times)| std::cmp::Reverse(**times));
        for (error, times) in errors.iter().take(ERRORS) {
            self.row("error", &format!("{} times: {error}", whole(**times)));
        }
        if errors.len() > ERRORS {
            self.row("error", &format!("and {} other kinds", errors.len() - ERRORS));
        }
        for (what, times) in &outcome.attacks {
            self.row("attacks", &format!("{} times {what}", whole(*times)));
        }
        outcome.notes.iter().for_each(|note| self.row("note", note));
    }
}

fn per_connection(each: Option<f64>) -> String {
    each.map_or_else(String::new, |each| format!(", {} per connection", bytes(each)))
}

/// The values of a latency's row; what was not reported is read from its histogram.
fn row(latency: &Latency) -> Vec<String> {
    let at = |percentile: &f64| latency.percentile(*percentile).unwrap_or(f64::NAN);
    PERCENTILES.iter().map(at).chain([latency.max, latency.mean]).map(duration).collect()
}

/// A line of the table.
fn cells<'a>(name: &str, values: impl Iterator<Item = &'a str>, count: &str) -> String {
    let values: String = values.map(|value| format!("{value:>9}")).collect();
    format!("{name:<10}{values}{count:>13}")
}

#[cfg(test)]
mod tests {
    use super::summary;
    use crate::report::example::example;

    #[test]
    fn the_verdict_is_first_and_its_reasons_are_below_it() {
        let mut outcome = example("a run", 1);
        outcome.interrupted = true;
        let text = summary(&outcome, false);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "SUSPECT  latency");
        assert_eq!(lines[1], format!("         {}", outcome.verdicts[0].reasons[0]));
        assert_eq!(lines[2], "VALID    throughput");
        assert!(text.contains("\na run: fanout at ws://127.0.0.1:9100 (tidings)\n"), "{text}");
        assert!(text.contains("\n  interrupted  after 8.00 s of measuring\n"), "{text}");
    }

    #[test]
    fn the_table_has_the_latency_that_it_is_about_first_and_columns_that_line_up() {
        let outcome = example("a", 2);
        let text = summary(&outcome, false);
        let table: Vec<&str> = text.lines().skip_while(|line| !line.starts_with("  latency")).take(8).collect();
        let first = |line: &str| line.split_whitespace().next().unwrap_or_default().to_owned();
        let names: Vec<String> = table.iter().map(|line| first(line)).collect();
        assert_eq!(names, ["latency", "delivery", "response", "service", "lag", "first", "median", "last"]);
        assert!(table.iter().all(|line| line.chars().count() == table[0].chars().count()), "{text}");
        assert!(table[1].ends_with("20,000") && table[1].contains("3.0") && !text.contains("NaN"), "{text}");
    }

    #[test]
    fn what_went_wrong_is_told_the_most_frequent_first() {
        let mut outcome = example("a", 3);
        outcome.thresholds[1].value = Some(3.0);
        outcome.thresholds[1].passed = false;
        outcome.errors = (1..=7).map(|times| (format!("error {times}"), times)).collect();
        let text = summary(&outcome, false);
        assert!(text.contains("\n  threshold    ✓ delivery.p99<50ms (950 µs)\n"), "{text}");
        assert!(text.contains("\n  threshold    ✗ lost==0 (3)\n"), "{text}");
        let told: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  error        ")).collect();
        let times = [7, 6, 5, 4, 3].map(|times| format!("{times} times: error {times}"));
        assert_eq!(
            (&told[..5], told[5], told.len()),
            (&times.each_ref().map(String::as_str)[..], "and 2 other kinds", 6)
        );
        assert!(outcome.notes.iter().all(|note| text.contains(note)), "{text}");
    }

    #[test]
    fn lines_fit_and_what_a_server_says_cannot_command_the_terminal() {
        let mut outcome = example(&"a long label ".repeat(12), 4);
        outcome.target = format!("ws://127.0.0.1/{}", "x".repeat(150));
        outcome.plan.push(("much".to_owned(), "word ".repeat(60)));
        outcome.errors.insert("\x1b[2J gone\r\n\u{9b}31m".to_owned(), 9);
        let plain = summary(&outcome, false);
        assert!(!plain.contains(['\x1b', '\r', '\u{9b}']), "{plain:?}");
        assert!(plain.lines().all(|line| line.chars().count() <= 80), "{plain}");
        let colourful = summary(&outcome, true);
        let marks = outcome.verdicts.len() + outcome.thresholds.len();
        assert_eq!((colourful.matches("\x1b[").count(), colourful.matches("\x1b[0m").count()), (2 * marks, marks));
    }
}
