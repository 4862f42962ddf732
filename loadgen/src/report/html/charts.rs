//! The charts of a page: what is drawn of the results, and in which colours.

use super::chart::{Axis, Line, chart};
use super::scale::Scale;
use crate::numbers::{bytes, count, duration, rate, share};
use crate::outcome::{Outcome, Window, WindowLatency};
use crate::report::named;

/// A value of a second, and what it is called.
type Part = (&'static str, fn(&Window, &Outcome) -> f64);

/// Colours of the palette.
const COLOURS: usize = 6;
/// Latencies that have a chart of their own, or are about something else.
const APART: [&str; 4] = ["first", "median", "last", "open"];
/// A window shorter than these seconds is too short for a rate.
const SHORT: f64 = 0.2;

const PERCENTILE: Axis = Axis { name: "percentile", scale: Scale::Rarity, show: percentile };
const LATENCY: Axis = Axis { name: "latency (logarithmic)", scale: Scale::Log, show: duration };
const LATENCY_FROM_ZERO: Axis = Axis { name: "latency", scale: Scale::Linear, show: duration };

fn percentile(rarity: f64) -> String {
    let percent = 100.0 * (1.0 - 1.0 / rarity);
    let digits = (rarity.log10().ceil() as usize).saturating_sub(1);
    format!("{percent:.digits$}")
}

/// All charts that the results have something for.
pub(super) fn all(outcomes: &[&Outcome]) -> String {
    [
        percentiles(outcomes),
        spread(outcomes),
        throughput(outcomes),
        latency(outcomes),
        cpu(outcomes),
        memory(outcomes),
        connections(outcomes),
        errors(outcomes),
        busy(outcomes),
    ]
    .concat()
}

/// Latency by percentile: all latencies of one result, or the one that it is about of several.
fn percentiles(outcomes: &[&Outcome]) -> String {
    let mut lines = Vec::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        let is_shown = |name: &str| name == outcome.primary || (outcomes.len() == 1 && !APART.contains(&name));
        let names = named::latencies(outcome).into_iter().map(|(name, _)| name).filter(|name| is_shown(name));
        for (place, name) in names.enumerate() {
            let label = if outcomes.len() == 1 { name.to_owned() } else { format!("{} ({name})", outcome.label) };
            lines.extend(curve(outcome, name, label, index.max(place)));
        }
    }
    chart("Latency by percentile", PERCENTILE, LATENCY, &lines)
}

/// First, median and last receiver of each publication.
fn spread(outcomes: &[&Outcome]) -> String {
    let mut lines = Vec::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        for (place, name) in ["first", "median", "last"].into_iter().enumerate() {
            let (label, colour) = if outcomes.len() == 1 {
                (format!("{name} receiver"), place)
            } else {
                (format!("{} {name}", outcome.label), index)
            };
            let dashed = place != 1 && outcomes.len() > 1;
            lines.extend(curve(outcome, name, label, colour).map(|line| Line { dashed, ..line }));
        }
    }
    chart("First, median and last receiver of each publication", PERCENTILE, LATENCY, &lines)
}

/// A latency from its smallest to its rarest values, ten points for each power of ten.
fn curve(outcome: &Outcome, name: &str, label: String, colour: usize) -> Option<Line> {
    let histogram = outcome.latencies.get(name)?.histogram().filter(|histogram| !histogram.is_empty())?;
    let steps = (10.0 * (histogram.len() as f64).log10()).ceil() as i32;
    let points = (0..=steps).map(|step| {
        let rarity = 10_f64.powf(f64::from(step) / 10.0);
        (rarity, histogram.value_at_quantile(1.0 - 1.0 / rarity).max(1) as f64 / 1e9)
    });
    Some(Line { name: label, colour: colour % COLOURS, dashed: false, points: points.collect() })
}

/// A chart of values of each second, with lines for each result and each part. Seconds that are missing are gaps.
fn over_time(title: &str, y: Axis, outcomes: &[&Outcome], parts: &[Part]) -> String {
    let (x, unit) = time(outcomes);
    let mut lines = Vec::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        for (place, (name, value)) in parts.iter().enumerate() {
            let label = match (outcomes.len(), parts.len()) {
                (1, _) => (*name).to_owned(),
                (_, 1) => outcome.label.clone(),
                _ => format!("{} {name}", outcome.label),
            };
            let points = values(outcome, *value, unit);
            let colour = if outcomes.len() == 1 { place } else { index } % COLOURS;
            if points.iter().any(|point| point.1.is_finite()) {
                lines.push(Line { name: label, colour, dashed: outcomes.len() > 1 && place > 0, points });
            }
        }
    }
    chart(title, x, y, &lines)
}

fn values(outcome: &Outcome, value: fn(&Window, &Outcome) -> f64, unit: f64) -> Vec<(f64, f64)> {
    let mut points = Vec::new();
    let mut end = f64::NEG_INFINITY;
    // The warm-up does not count, and time begins where counting does.
    for window in outcome.series.iter().filter(|window| window.at >= 0.0 && window.seconds > SHORT) {
        if window.at > end + 0.5 * window.seconds && !points.is_empty() {
            points.push((f64::NAN, f64::NAN));
        }
        end = window.at + window.seconds;
        points.push((window.at / unit, value(window, outcome)));
    }
    points
}

/// The axis of time in a unit that suits the longest result, and that unit in seconds.
fn time(outcomes: &[&Outcome]) -> (Axis, f64) {
    let last = outcomes.iter().filter_map(|outcome| outcome.series.last()).map(|window| window.at).fold(0.0, f64::max);
    let (name, unit) = match last {
        last if last >= 7200.0 => ("hours", 3600.0),
        last if last >= 300.0 => ("minutes", 60.0),
        _ => ("seconds", 1.0),
    };
    (Axis { name, scale: Scale::Linear, show: |value| format!("{value:.2}").trim_end_matches(".00").to_owned() }, unit)
}

fn throughput(outcomes: &[&Outcome]) -> String {
    let (title, part): (&str, Part) = if outcomes.iter().any(|outcome| outcome.scenario == "storm") {
        let opened: Part = ("connections opened", |window, _| window.opened as f64 / window.seconds);
        ("Connections opened per second", opened)
    } else {
        let received: Part = ("arrived", |window, _| window.received as f64 / window.seconds);
        let title = match shared(outcomes, named::arrivals) {
            Some("echoes") => "Echoes per second",
            Some("deliveries") => "Deliveries per second",
            _ => "Messages received per second",
        };
        (title, received)
    };
    // Of connections that are only there nothing arrives.
    if outcomes.iter().all(|outcome| outcome.series.iter().all(|window| part.1(window, outcome) == 0.0)) {
        return String::new();
    }
    over_time(title, Axis { name: "per second", scale: Scale::Linear, show: count }, outcomes, &[part])
}

fn latency(outcomes: &[&Outcome]) -> String {
    fn primary(window: &Window, outcome: &Outcome, value: fn(&WindowLatency) -> f64) -> f64 {
        let latency = window.latencies.get(&outcome.primary).filter(|latency| latency.count > 0);
        latency.map_or(f64::NAN, value)
    }
    let parts: [Part; 3] = [
        ("p50", |window, outcome| primary(window, outcome, |latency| latency.p50)),
        ("p99", |window, outcome| primary(window, outcome, |latency| latency.p99)),
        ("max", |window, outcome| primary(window, outcome, |latency| latency.max)),
    ];
    // Of several results, the largest values would hide everything else.
    let parts = if outcomes.len() == 1 { &parts[..] } else { &parts[..2] };
    let subject = shared(outcomes, named::subject).unwrap_or("latency");
    over_time(&format!("Latency over time: {subject}"), LATENCY_FROM_ZERO, outcomes, parts)
}

/// What all results have in common, if they do.
fn shared(outcomes: &[&Outcome], of: fn(&Outcome) -> &'static str) -> Option<&'static str> {
    let first = of(outcomes.first()?);
    outcomes.iter().all(|outcome| of(outcome) == first).then_some(first)
}

fn cpu(outcomes: &[&Outcome]) -> String {
    let parts: [Part; 2] = [
        ("user and system", |window, _| {
            window.server.map_or(f64::NAN, |server| (server.cpu_user + server.cpu_system) / window.seconds)
        }),
        ("user", |window, _| window.server.map_or(f64::NAN, |server| server.cpu_user / window.seconds)),
    ];
    over_time("The server's CPU", Axis { name: "of one CPU", scale: Scale::Linear, show: share }, outcomes, &parts)
}

fn memory(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "resident", scale: Scale::Binary, show: bytes };
    let part: Part = ("resident memory", |window, _| window.server.map_or(f64::NAN, |server| server.rss as f64));
    over_time("The server's memory", axis, outcomes, &[part])
}

/// Connections, where their number changes.
fn connections(outcomes: &[&Outcome]) -> String {
    let changes = |outcome: &&Outcome| {
        let mut counts = outcome.series.iter().filter(|window| window.at >= 0.0).map(|window| window.connections);
        counts.next().is_some_and(|first| counts.any(|count| count != first))
    };
    if !outcomes.iter().any(changes) {
        return String::new();
    }
    let axis = Axis { name: "open", scale: Scale::Linear, show: count };
    let part: Part = ("connections", |window, _| window.connections as f64);
    over_time("Open connections", axis, outcomes, &[part])
}

/// Errors, where there are any.
fn errors(outcomes: &[&Outcome]) -> String {
    if outcomes.iter().all(|outcome| outcome.series.iter().all(|window| window.errors == 0)) {
        return String::new();
    }
    let axis = Axis { name: "per second", scale: Scale::Linear, show: rate };
    over_time("Errors", axis, outcomes, &[("errors", |window, _| window.errors as f64 / window.seconds)])
}

fn busy(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "of its time", scale: Scale::Linear, show: share };
    over_time(
        "How busy the load generator was",
        axis,
        outcomes,
        &[("busiest thread", |window, _| window.generator_busy)],
    )
}

#[cfg(test)]
mod tests {
    use super::{all, percentile};
    use crate::report::example::example;

    /// The titles of the figures, and what each has inside.
    fn figures(page: &str) -> Vec<(String, String)> {
        let parts = page.split("<figcaption>").skip(1).filter_map(|figure| figure.split_once("</figcaption>"));
        parts.map(|(title, rest)| (title.to_owned(), rest.to_owned())).collect()
    }

    /// The line of a colour in a figure.
    fn path(figure: &str, class: &str) -> String {
        let path = figure.split(&format!("<path class=\"{class}\" d=\"")).nth(1);
        path.and_then(|rest| rest.split('"').next()).unwrap_or_default().to_owned()
    }

    #[test]
    fn everything_measured_has_a_chart_and_what_was_not_measured_is_a_gap() {
        let mut outcome = example("a", 8);
        let titles = |page: &str| figures(page).into_iter().map(|(title, _)| title).collect::<Vec<_>>();
        let steady = titles(&all(&[&outcome]));
        assert_eq!(steady.len(), 7, "{steady:?}");
        outcome.series[5].errors = 3;
        outcome.series[6].connections -= 1;
        let page = all(&[&outcome]);
        let more = titles(&page);
        assert!(more.contains(&"Errors".to_owned()) && more.contains(&"Open connections".to_owned()), "{more:?}");
        let (_, throughput) = &figures(&page)[2];
        let line = path(throughput, "c0");
        assert_eq!((line.matches('M').count(), line.matches('L').count()), (2, outcome.series.len() - 2), "{line}");
        outcome.series.iter_mut().for_each(|window| window.server = None);
        assert_eq!(titles(&all(&[&outcome])).len(), more.len() - 2, "nobody watched the server");
    }

    #[test]
    fn rarer_is_slower_and_later_receivers_are_above_earlier_ones() {
        let outcome = example("a", 9);
        let page = all(&[&outcome]);
        let (title, spread) = &figures(&page)[1];
        assert!(title.starts_with("First, median"), "{title}");
        let heights = |class: &str| -> Vec<f64> {
            let line = path(spread, class);
            let points = line.trim_start_matches('M').split('L');
            points.filter_map(|point| point.split_once(' ')?.1.parse().ok()).collect()
        };
        let (first, median, last) = (heights("c0"), heights("c1"), heights("c2"));
        assert_eq!(first.len(), 45, "ten points for each power of ten of 20,000 values");
        assert!(first.windows(2).all(|pair| pair[0] >= pair[1]), "{first:?}");
        assert!(first[3] > median[3] && median[3] > last[3], "{} {} {}", first[3], median[3], last[3]);
    }

    #[test]
    fn time_begins_where_counting_does() {
        let mut outcome = example("a", 12);
        outcome.series.iter_mut().for_each(|window| window.at -= 2.0);
        let page = all(&[&outcome]);
        let (title, throughput) = &figures(&page)[2];
        assert_eq!(title, "Deliveries per second");
        let line = path(throughput, "c0");
        assert!(line.starts_with("M68.0 "), "the first second that counts is at the axis: {line}");
    }

    #[test]
    fn long_runs_are_drawn_in_hours() {
        let mut outcome = example("a", 10);
        outcome.series.iter_mut().for_each(|window| {
            window.at *= 600.0;
            window.seconds = 600.0;
        });
        assert!(all(&[&outcome]).contains(">hours</text>"));
    }

    #[test]
    fn percentiles_have_as_many_digits_as_they_need() {
        assert_eq!([1.0, 2.0, 10.0, 100.0, 1e3, 1e4].map(percentile), ["0", "50", "90", "99.0", "99.90", "99.990"]);
    }
}
