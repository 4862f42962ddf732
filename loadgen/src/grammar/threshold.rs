//! Thresholds: what a run must keep to, such as `delivery.p99<50ms`.

use super::number::{part_count, part_duration, part_share, part_size};
use super::{BadText, Part};
use std::fmt;

/// Numbers of a run besides latencies: name, unit, meaning.
pub const METRICS: &[(&str, Unit, &str)] = &[
    ("lost", Unit::Count, "messages that never came"),
    ("duplicated", Unit::Count, "messages that came more than once"),
    ("reordered", Unit::Count, "messages that came after a later one"),
    ("corrupted", Unit::Count, "messages that came with other bytes"),
    ("reach", Unit::Share, "received of what should have been"),
    ("unsent", Unit::Count, "messages that were due and not sent"),
    ("rate", Unit::Share, "answered in time, or delivered, of what was asked for"),
    ("sent", Unit::Count, "messages or publications sent"),
    ("received", Unit::Count, "messages received"),
    ("throughput", Unit::Count, "messages received per second"),
    ("errors", Unit::Count, "everything that went wrong"),
    ("refused", Unit::Count, "connections that could not be opened"),
    ("dropped", Unit::Count, "connections that the server ended"),
    ("expired", Unit::Count, "connections that the server ended since their token expired"),
    ("gaps", Unit::Count, "resumed subscriptions that missed something"),
    ("connections", Unit::Count, "connections open while it measured"),
    ("listen_drops", Unit::Count, "handshakes that the kernel dropped"),
    ("cpu_us_per_msg", Unit::Count, "the server's CPU microseconds per message (--pid)"),
    ("server_busy", Unit::Share, "the server's busiest thread, or its share of its CPUs (--pid)"),
    ("bytes_per_connection", Unit::Bytes, "the server's memory per connection (--pid)"),
    ("recovered_in", Unit::Time, "until 99 % of the connections were back (reconnect)"),
    ("rss_slope", Unit::BytesPerHour, "growth of the server's memory per hour (soak, --pid)"),
    ("fd_slope", Unit::Count, "growth of the server's descriptors per hour (soak, --pid)"),
    ("latency_slope", Unit::Time, "growth of the median latency per hour (soak)"),
];

/// Latencies by name.
const HISTOGRAMS: [&str; 9] = ["response", "service", "lag", "delivery", "first", "median", "last", "open", "recovery"];
/// What can be asked of a latency, besides percentiles such as `p99.9`.
const STATS: [&str; 5] = ["min", "mean", "max", "stddev", "count"];

/// What a number of a run is measured in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// Things.
    Count,
    /// 0 to 1, written as a percentage or so.
    Share,
    /// Seconds, written with a unit.
    Time,
    /// Bytes.
    Bytes,
    /// Bytes per hour, written such as `1MB/h`.
    BytesPerHour,
}

/// What a threshold is about.
#[derive(Debug, Clone, PartialEq)]
pub enum Metric {
    /// A number of [`METRICS`].
    Scalar(&'static str),
    /// A statistic of a latency; without a name, of the scenario's own.
    Latency(Option<&'static str>, Stat),
}

/// A statistic of a latency.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Stat {
    /// The smallest.
    Min,
    /// The mean.
    Mean,
    /// The largest.
    Max,
    /// The standard deviation.
    Stddev,
    /// How many there are.
    Count,
    /// A percentile, 0 to 100.
    Percentile(f64),
}

/// How the measured value must compare with the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Op {
    /// `<`
    Below,
    /// `<=`
    AtMost,
    /// `>`
    Above,
    /// `>=`
    AtLeast,
    /// `==`
    Equal,
}

/// One threshold.
#[derive(Debug, Clone, PartialEq)]
pub struct Threshold {
    /// As it was written.
    pub text: String,
    /// What is measured.
    pub metric: Metric,
    /// How it is compared.
    pub op: Op,
    /// The limit, in seconds, bytes, counts or shares.
    pub limit: f64,
}

impl Threshold {
    /// Whether a measured value keeps to it.
    #[must_use]
    pub fn holds(&self, value: f64) -> bool {
        match self.op {
            Op::Below => value < self.limit,
            Op::AtMost => value <= self.limit,
            Op::Above => value > self.limit,
            Op::AtLeast => value >= self.limit,
            Op::Equal => value == self.limit,
        }
    }
}

impl fmt::Display for Threshold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// Reads thresholds with commas between them.
///
/// # Errors
/// Points at what is wrong, and names the metric that is nearest.
pub fn thresholds(text: &str) -> Result<Vec<Threshold>, BadText> {
    Part::of(text).split(',').into_iter().map(one).collect()
}

fn one(part: Part<'_>) -> Result<Threshold, BadText> {
    let Some(at) = part.text().find(['<', '>', '=']) else {
        return part.wrong("a metric, one of < <= > >= ==, and a value, such as p99<50ms");
    };
    let (name, rest) = part.cut(at);
    let signs = rest.text().find(|c| !matches!(c, '<' | '>' | '=')).unwrap_or(rest.text().len());
    let (op, value) = rest.cut(signs);
    let metric = metric(name.trimmed())?;
    let op = match op.text() {
        "<" => Op::Below,
        "<=" => Op::AtMost,
        ">" => Op::Above,
        ">=" => Op::AtLeast,
        "==" | "=" => Op::Equal,
        _ => return op.wrong("one of < <= > >= =="),
    };
    let limit = limit(&metric, value.trimmed())?;
    Ok(Threshold { text: part.text().to_owned(), metric, op, limit })
}

fn metric(name: Part<'_>) -> Result<Metric, BadText> {
    if let Some((known, _, _)) = METRICS.iter().find(|(known, _, _)| *known == name.text()) {
        return Ok(Metric::Scalar(known));
    }
    if let Some((histogram, stat)) = name.split_once(".")
        && !histogram.text().starts_with('p')
    {
        let known = HISTOGRAMS.iter().find(|known| **known == histogram.text());
        return match known {
            Some(known) => Ok(Metric::Latency(Some(known), read_stat(stat)?)),
            None => histogram.wrong(nearest(histogram.text(), HISTOGRAMS.iter().copied())),
        };
    }
    if name.text().starts_with('p') || STATS.contains(&name.text()) {
        return read_stat(name).map(|stat| Metric::Latency(None, stat));
    }
    let all = METRICS.iter().map(|(name, _, _)| *name).chain(HISTOGRAMS);
    name.wrong(nearest(name.text(), all))
}

fn read_stat(part: Part<'_>) -> Result<Stat, BadText> {
    match part.text() {
        "min" => Ok(Stat::Min),
        "mean" => Ok(Stat::Mean),
        "max" => Ok(Stat::Max),
        "stddev" => Ok(Stat::Stddev),
        "count" => Ok(Stat::Count),
        text => match text.strip_prefix('p').and_then(|number| number.parse::<f64>().ok()) {
            Some(percentile) if (0.0..=100.0).contains(&percentile) => Ok(Stat::Percentile(percentile)),
            _ => part.wrong(format!("a percentile such as p99.9, or one of {}", STATS.join(" "))),
        },
    }
}

fn limit(metric: &Metric, value: Part<'_>) -> Result<f64, BadText> {
    let unit = match metric {
        Metric::Latency(_, Stat::Count) => Unit::Count,
        Metric::Latency(_, _) => Unit::Time,
        Metric::Scalar(name) => {
            METRICS.iter().find(|(known, _, _)| known == name).map_or(Unit::Count, |(_, unit, _)| *unit)
        }
    };
    match unit {
        Unit::Count => part_count(value),
        Unit::Share => part_share(value),
        Unit::Time => part_duration(value).map(|time| time.as_secs_f64()),
        Unit::Bytes => part_size(value).map(|bytes| bytes as f64),
        Unit::BytesPerHour => match value.split_once("/") {
            Some((bytes, hour)) if hour.text() == "h" => part_size(bytes).map(|bytes| bytes as f64),
            _ => value.wrong("a size per hour, such as 1MB/h"),
        },
    }
}

fn nearest(word: &str, known: impl Iterator<Item = &'static str>) -> String {
    let known: Vec<&str> = known.collect();
    let nearest = known.iter().min_by_key(|candidate| strsim::damerau_levenshtein(word, candidate));
    let hint = nearest.filter(|nearest| strsim::damerau_levenshtein(word, nearest) <= 3);
    format!("{}one of {}", hint.map_or_else(String::new, |hint| format!("`{hint}`: ")), known.join(" "))
}

#[cfg(test)]
mod tests {
    use super::{Metric, Op, Stat, thresholds};
    use proptest::prelude::*;

    #[test]
    fn thresholds_are_read_in_si_units() {
        let read =
            thresholds("p99<50ms, lost==0,delivery.p99.9 <= 1s,rss_slope<1MB/h,rate>=99%,bytes_per_connection<=256")
                .expect("thresholds");
        let facts: Vec<_> =
            read.iter().map(|threshold| (threshold.metric.clone(), threshold.op, threshold.limit)).collect();
        assert_eq!(
            facts,
            [
                (Metric::Latency(None, Stat::Percentile(99.0)), Op::Below, 0.05),
                (Metric::Scalar("lost"), Op::Equal, 0.0),
                (Metric::Latency(Some("delivery"), Stat::Percentile(99.9)), Op::AtMost, 1.0),
                (Metric::Scalar("rss_slope"), Op::Below, 1e6),
                (Metric::Scalar("rate"), Op::AtLeast, 0.99),
                (Metric::Scalar("bytes_per_connection"), Op::AtMost, 256.0),
            ]
        );
        assert!(read[0].holds(0.0499) && !read[0].holds(0.05) && read[2].holds(1.0) && !read[1].holds(1.0));
        assert_eq!(read[2].to_string(), "delivery.p99.9 <= 1s");
    }

    #[test]
    fn mistakes_are_pointed_at_with_the_nearest_word() {
        let told = |text: &str| thresholds(text).expect_err("a mistake").to_string();
        assert_eq!(
            told("delivery.p99<50mz"),
            "  delivery.p99<50mz\n                 ^^ expected ns, us, ms, s, m or h"
        );
        assert!(
            told("p99<1s,losst==0").contains("\n         ^^^^^ expected `lost`: one of"),
            "{}",
            told("p99<1s,losst==0")
        );
        assert!(told("delivry.p99<1s").contains("^^^^^^^ expected `delivery`:"));
        assert!(told("p199<1s").contains("^^^^ expected a percentile"));
        assert!(told("lost=>0").contains("    ^^ expected one of"));
        assert!(told("rss_slope<1MB").contains("1MB/h") && told("nothing").contains("such as p99<50ms"));
    }

    #[test]
    fn every_metric_is_explained_to_users() {
        let page = include_str!("../../README.md");
        let names = super::METRICS.iter().map(|(name, _, _)| *name).chain(super::HISTOGRAMS);
        let silent: Vec<&str> = names.filter(|name| !page.contains(&format!("`{name}`"))).collect();
        assert!(silent.is_empty(), "{silent:?}");
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_breaks_it(text in "[a-z0-9.<>=, %µ/]{0,30}") {
            if let Err(error) = thresholds(&text) {
                prop_assert!(error.to_string().contains("expected"));
            }
        }
    }
}
