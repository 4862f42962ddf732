//! What the names in a result say to a reader: which latency comes first, and what a number is measured in.

use crate::grammar::{METRICS, Unit};
use crate::numbers::{bytes, count, duration, share};
use crate::outcome::{Latency, Outcome, ThresholdResult};

/// The order of latencies after the one that the scenario is about: those that belong together side by side.
const ORDER: [&str; 9] = ["response", "service", "lag", "delivery", "first", "median", "last", "open", "recovery"];

/// The latencies of a result with their names, the one that it is about first.
pub(super) fn latencies(outcome: &Outcome) -> Vec<(&str, &Latency)> {
    let mut all: Vec<(&str, &Latency)> =
        outcome.latencies.iter().map(|(name, latency)| (name.as_str(), latency)).collect();
    let place = |name: &str| ORDER.iter().position(|known| *known == name).unwrap_or(ORDER.len());
    all.sort_by_key(|(name, _)| (*name != outcome.primary, place(name)));
    all
}

/// Memory per connection of fewer connections than these is mostly what the process needs anyway.
const MANY: f64 = 1000.0;
/// The same of a run that is about nothing else, and whose verdict says when they are too few.
const MANY_IDLE: f64 = 100.0;

/// Whether there were enough connections to say what one costs.
pub(super) fn are_many(outcome: &Outcome) -> bool {
    let least = if outcome.scenario == "idle" { MANY_IDLE } else { MANY };
    outcome.scalars.get("connections").is_some_and(|connections| *connections >= least)
}

/// What arrives in a run of this scenario.
pub(super) fn arrivals(outcome: &Outcome) -> &'static str {
    match outcome.scenario.as_str() {
        "echo" | "hostile" => "echoes",
        "storm" => "connections opened",
        "fanout" | "churn" | "slow" | "reconnect" | "soak" => "deliveries",
        _ => "messages",
    }
}

/// What the latency that a result is about is a latency of.
pub(super) fn subject(outcome: &Outcome) -> &'static str {
    match outcome.primary.as_str() {
        "response" => "response",
        "delivery" => "delivery",
        "open" => "time to open",
        "recovery" => "recovery",
        _ => "latency",
    }
}

/// A number of [`Outcome::scalars`] in its unit.
pub(super) fn scalar(name: &str, value: f64) -> String {
    let unit = METRICS.iter().find(|(known, _, _)| *known == name).map_or(Unit::Count, |(_, unit, _)| *unit);
    written(unit, value)
}

/// What a number of [`Outcome::scalars`] means; nothing for one that is not known.
pub(super) fn meaning(name: &str) -> &'static str {
    METRICS.iter().find(|(known, _, _)| *known == name).map_or("", |(_, _, meaning)| meaning)
}

/// The measured value of a threshold, in the unit of what it is about.
pub(crate) fn measured(threshold: &ThresholdResult) -> String {
    let Some(value) = threshold.value else { return "was not measured".to_owned() };
    let name = threshold.text.split(['<', '>', '=']).next().unwrap_or_default().trim();
    if METRICS.iter().any(|(known, _, _)| *known == name) {
        return scalar(name, value);
    }
    let is_count = name.rsplit('.').next() == Some("count");
    written(if is_count { Unit::Count } else { Unit::Time }, value)
}

fn written(unit: Unit, value: f64) -> String {
    match unit {
        Unit::Count => count(value),
        Unit::Share => share(value),
        Unit::Time => duration(value),
        Unit::Bytes => bytes(value),
        Unit::BytesPerHour => bytes(value) + "/h",
    }
}

#[cfg(test)]
mod tests {
    use super::{latencies, meaning, measured, scalar};
    use crate::outcome::ThresholdResult;
    use crate::report::example::example;

    #[test]
    fn the_latency_that_it_is_about_comes_first_and_receivers_in_their_order() {
        let outcome = example("a", 1);
        let names: Vec<&str> = latencies(&outcome).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["delivery", "response", "service", "lag", "first", "median", "last"]);
    }

    #[test]
    fn values_are_written_in_the_unit_of_what_they_measure() {
        let told = |text: &str, value| measured(&ThresholdResult { text: text.to_owned(), value, passed: false });
        assert_eq!(told("delivery.p99 <= 50ms", Some(0.00095)), "950 µs");
        assert_eq!(told("p99.9<1s", Some(1.25)), "1.25 s");
        assert_eq!(told("response.count>=10k", Some(20_000.0)), "20.0 k");
        assert_eq!((told("rate>=99%", Some(0.9)), told("lost==0", Some(3.0))), ("90 %".to_owned(), "3".to_owned()));
        assert_eq!(told("bytes_per_connection<=256", None), "was not measured");
        assert_eq!(scalar("rss_slope", 2048.0), "2.00 KiB/h");
        assert_eq!(scalar("unknown", 12.5), "12.5");
        assert!(meaning("reach").contains("received") && meaning("unknown").is_empty());
    }
}
