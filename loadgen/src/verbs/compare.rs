//! `compare`: what changed between two results by more than chance.

mod differences;

use self::differences::differences;
use super::ending::{Failure, THRESHOLD};
use super::input::read;
use super::output::Voice;
use crate::cli::CompareArgs;
use crate::numbers::{count, duration};
use crate::outcome::{Outcome, Window};
use crate::stats::{Comparison, compare as compare_series};

/// A comparison, and how its values are shown.
type Row = (Comparison, fn(f64) -> String);

/// A measure of a second: its name, how it is shown, and its value.
type Measure = (&'static str, fn(f64) -> String, fn(&Window, &Outcome) -> Option<f64>);

const MEASURES: [Measure; 5] = [
    ("throughput", rate, |window, outcome| {
        let work = if outcome.scenario == "storm" { window.opened } else { window.received };
        (window.seconds > 0.0).then(|| work as f64 / window.seconds)
    }),
    ("p50", duration, |window, outcome| window.latencies.get(&outcome.primary).map(|latency| latency.p50)),
    ("p99", duration, |window, outcome| window.latencies.get(&outcome.primary).map(|latency| latency.p99)),
    ("max", duration, |window, outcome| window.latencies.get(&outcome.primary).map(|latency| latency.max)),
    ("cpu_us_per_msg", microseconds, |window, outcome| {
        let work = if outcome.scenario == "storm" { window.opened } else { window.received };
        let server = window.server.as_ref()?;
        (work > 0).then(|| 1e6 * (server.cpu_user + server.cpu_system) / work as f64)
    }),
];

/// Compares, and fails where `--fail-if` says so.
pub(super) fn compare(args: &CompareArgs, voice: &mut Voice) -> Result<u8, Failure> {
    let limits = args.fail_if.iter().map(|text| limit(text)).collect::<Result<Vec<_>, _>>().map_err(Failure::Usage)?;
    let before = read(&args.before).map_err(Failure::Run)?;
    let after = read(&args.after).map_err(Failure::Run)?;
    let mut failed = false;
    let comparisons = comparisons(&before, &after);
    if comparisons.is_empty() {
        return Err(Failure::Run("there are no five whole seconds in both to compare".to_owned()));
    }
    voice.say(&table(&before, &after, &comparisons, args.markdown));
    differences(&before, &after).iter().for_each(|note| voice.say(&format!("note: {note}\n")));
    for (name, percent) in limits {
        let found = comparisons.iter().find(|(comparison, _)| comparison.name == name);
        let Some((comparison, _)) = found else {
            return Err(Failure::Run(format!("--fail-if: {name} was not measured in both")));
        };
        // More than the limit, and more than chance makes of it.
        if comparison.differs() && comparison.change.point > percent {
            voice.say(&format!("FAILED: {name} grew by {comparison}, more than {percent} %\n"));
            failed = true;
        }
    }
    Ok(if failed { THRESHOLD } else { 0 })
}

fn comparisons(before: &Outcome, after: &Outcome) -> Vec<Row> {
    let mut comparisons = Vec::new();
    for (name, show, value) in MEASURES {
        let series = |outcome: &Outcome| -> Vec<f64> {
            let whole = outcome.series.iter().filter(|window| window.at >= 0.0 && window.seconds > 0.9);
            whole.filter_map(|window| value(window, outcome)).collect()
        };
        let (a, b) = (series(before), series(after));
        // Nothing is not the same as nothing, nor a multiple of it.
        if [&a, &b].iter().any(|series| series.iter().all(|value| *value == 0.0)) {
            continue;
        }
        if let Ok(comparison) = compare_series(name, &a, &b, before.started_unix_ms) {
            comparisons.push((comparison, show));
        }
    }
    comparisons
}

fn table(before: &Outcome, after: &Outcome, rows: &[Row], markdown: bool) -> String {
    let mut text = String::new();
    if markdown {
        text.push_str(&format!(
            "| measure (median of seconds) | {} | {} | change |\n|---|---|---|---|\n",
            before.label, after.label
        ));
        for (row, show) in rows {
            text.push_str(&format!("| {} | {} | {} | {row} |\n", row.name, show(row.a), show(row.b)));
        }
        return text;
    }
    text.push_str(&format!("A  {}  ({})\nB  {}  ({})\n\n", before.label, before.target, after.label, after.target));
    text.push_str(&format!("{:<16}{:>14}{:>14}   change from A to B, 95 % interval\n", "median second", "A", "B"));
    for (row, show) in rows {
        text.push_str(&format!("{:<16}{:>14}{:>14}   {row}\n", row.name, show(row.a), show(row.b)));
    }
    text
}

fn limit(text: &str) -> Result<(String, f64), String> {
    let wrong = || format!("--fail-if: `{text}` is not a measure, > and a percentage, such as p99>5%");
    let (name, percent) = text.split_once('>').ok_or_else(wrong)?;
    let percent = percent.trim().trim_start_matches('+').trim_end_matches('%').trim().parse().map_err(|_| wrong())?;
    let name = name.trim();
    let names: Vec<&str> = MEASURES.iter().map(|(known, _, _)| *known).collect();
    if names.contains(&name) {
        Ok((name.to_owned(), percent))
    } else {
        Err(format!("{}: there are {}", wrong(), names.join(", ")))
    }
}

fn rate(value: f64) -> String {
    format!("{}/s", count(value))
}

fn microseconds(value: f64) -> String {
    format!("{value:.3} µs")
}

#[cfg(test)]
mod tests {
    use super::limit;

    fn is_compared(a: &crate::outcome::Outcome, b: &crate::outcome::Outcome) -> bool {
        super::comparisons(a, b).iter().any(|(row, _)| row.name == "throughput")
    }

    #[test]
    fn what_happened_in_neither_or_in_one_is_not_compared() {
        let (mut a, b) = (crate::report::example("a", 1), crate::report::example("b", 2));
        assert!(is_compared(&a, &b));
        a.series.iter_mut().for_each(|window| window.received = 0);
        assert!(!is_compared(&a, &b) && !is_compared(&b, &a) && !is_compared(&a, &a));
    }

    #[test]
    fn limits_are_read() {
        assert_eq!(limit("p99>+5%"), Ok(("p99".to_owned(), 5.0)));
        assert_eq!(limit("cpu_us_per_msg > 2.5"), Ok(("cpu_us_per_msg".to_owned(), 2.5)));
        for wrong in ["p99", "p98>5%", "p99>much"] {
            assert!(limit(wrong).is_err(), "{wrong}");
        }
    }
}
