//! The charts of a page: what is drawn of the results, and in which colours.

use super::chart::{Axis, Line, Scale, chart};
use crate::outcome::{Outcome, Window};
use crate::report::histogram;
use crate::report::numbers::{bytes, count, duration, share};

/// A value of a second, and what it is called.
type Part = (&'static str, fn(&Window, &Outcome) -> f64);

/// Colours of the palette.
const COLOURS: usize = 6;

const PERCENTILE: Axis = Axis { name: "percentile", scale: Scale::Rarity, show: percentile };
const SECONDS: Axis = Axis { name: "seconds", scale: Scale::Linear, show: |value| format!("{value:.0}") };
const LATENCY: Axis = Axis { name: "latency", scale: Scale::Log, show: duration };

fn percentile(rarity: f64) -> String {
    let percent = 100.0 * (1.0 - 1.0 / rarity);
    let digits = (rarity.log10().round() as usize).saturating_sub(2);
    format!("{percent:.digits$}")
}

/// All charts that the results have something for.
pub(super) fn all(outcomes: &[&Outcome]) -> String {
    [
        percentiles(outcomes),
        throughput(outcomes),
        latency(outcomes),
        cpu(outcomes),
        memory(outcomes),
        spread(outcomes),
        busy(outcomes),
    ]
    .concat()
}

/// Latency by percentile: all latencies of one result, or the one that it is about of several.
fn percentiles(outcomes: &[&Outcome]) -> String {
    let mut lines = Vec::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        let names: Vec<&String> = match outcomes.len() {
            1 => outcome
                .latencies
                .keys()
                .filter(|name| {
                    !["first", "median", "last", "open"].contains(&name.as_str()) || **name == outcome.primary
                })
                .collect(),
            _ => vec![&outcome.primary],
        };
        for (place, name) in names.into_iter().enumerate() {
            let label = if outcomes.len() == 1 { name.clone() } else { format!("{} ({name})", outcome.label) };
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
            lines.extend(
                curve(outcome, name, label, colour)
                    .map(|line| Line { dashed: place != 1 && outcomes.len() > 1, ..line }),
            );
        }
    }
    chart("First, median and last receiver of each publication", PERCENTILE, LATENCY, &lines)
}

/// A latency from the median to its rarest values, about ten points for each power of ten.
fn curve(outcome: &Outcome, name: &str, label: String, colour: usize) -> Option<Line> {
    let histogram = histogram(outcome.latencies.get(name)?)?;
    let steps = (10.0 * (histogram.len() as f64).log10()).ceil() as i32;
    let points = (0..=steps).map(|step| {
        let rarity = 10_f64.powf(f64::from(step) / 10.0);
        (rarity, histogram.value_at_quantile(1.0 - 1.0 / rarity).max(1) as f64 / 1e9)
    });
    Some(Line { name: label, colour: colour % COLOURS, dashed: false, points: points.collect() })
}

/// A line per result, of a value of each second that counts.
fn over_time(outcomes: &[&Outcome], parts: &[Part]) -> Vec<Line> {
    let mut lines = Vec::new();
    for (index, outcome) in outcomes.iter().enumerate() {
        for (place, (name, value)) in parts.iter().enumerate() {
            let points: Vec<(f64, f64)> = outcome
                .series
                .iter()
                .filter(|window| window.seconds > 0.2)
                .map(|window| (window.at, value(window, outcome)))
                .collect();
            let label = match (outcomes.len(), parts.len()) {
                (1, _) => (*name).to_owned(),
                (_, 1) => outcome.label.clone(),
                _ => format!("{} {name}", outcome.label),
            };
            let colour = if outcomes.len() == 1 { place } else { index };
            if points.iter().any(|point| point.1.is_finite()) {
                lines.push(Line {
                    name: label,
                    colour: colour % COLOURS,
                    dashed: outcomes.len() > 1 && place > 0,
                    points,
                });
            }
        }
    }
    lines
}

fn throughput(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "per second", scale: Scale::Linear, show: count };
    let is_storm = outcomes.iter().any(|outcome| outcome.scenario == "storm");
    let lines = match is_storm {
        true => over_time(outcomes, &[("connections opened", |window, _| window.opened as f64 / window.seconds)]),
        false => over_time(outcomes, &[("messages received", |window, _| window.received as f64 / window.seconds)]),
    };
    chart(
        if is_storm { "Connections opened per second" } else { "Messages received per second" },
        SECONDS,
        axis,
        &lines,
    )
}

fn latency(outcomes: &[&Outcome]) -> String {
    let parts: [Part; 3] = [
        ("p50", |window, outcome| window.latencies.get(&outcome.primary).map_or(f64::NAN, |latency| latency.p50)),
        ("p99", |window, outcome| window.latencies.get(&outcome.primary).map_or(f64::NAN, |latency| latency.p99)),
        ("max", |window, outcome| window.latencies.get(&outcome.primary).map_or(f64::NAN, |latency| latency.max)),
    ];
    let parts = if outcomes.len() == 1 { &parts[..] } else { &parts[..2] };
    chart("Latency over time", SECONDS, LATENCY, &over_time(outcomes, parts))
}

fn cpu(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "share of one CPU", scale: Scale::Linear, show: share };
    let lines = over_time(
        outcomes,
        &[
            ("user and system", |window, _| {
                window.server.map_or(f64::NAN, |server| (server.cpu_user + server.cpu_system) / window.seconds)
            }),
            ("user", |window, _| window.server.map_or(f64::NAN, |server| server.cpu_user / window.seconds)),
        ],
    );
    chart("The server's CPU", SECONDS, axis, &lines)
}

fn memory(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "resident", scale: Scale::Linear, show: bytes };
    let lines = over_time(
        outcomes,
        &[("resident memory", |window, _| window.server.map_or(f64::NAN, |server| server.rss as f64))],
    );
    chart("The server's memory", SECONDS, axis, &lines)
}

fn busy(outcomes: &[&Outcome]) -> String {
    let axis = Axis { name: "busiest thread", scale: Scale::Linear, show: share };
    chart(
        "How busy the load generator was",
        SECONDS,
        axis,
        &over_time(outcomes, &[("busiest thread", |window, _| window.generator_busy)]),
    )
}
