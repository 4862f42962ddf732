//! The latencies of a run as an HdrHistogram log, which the tools of that family read and plot.

use super::named::latencies;
use crate::outcome::Outcome;
use std::fmt::Write;

/// One interval per latency, as long as the measuring and tagged with the latency's name, in nanoseconds. A latency
/// whose histogram cannot be read is left out: one line that is wrong makes readers refuse the whole log.
#[must_use]
pub fn hdr_log(outcome: &Outcome) -> String {
    let started = outcome.started_unix_ms as f64 / 1000.0;
    let mut text = String::new();
    // Writing to a string does not fail.
    let _ = writeln!(text, "#[Histogram log format version 1.3]");
    let _ = writeln!(text, "#[StartTime: {started:.3} (seconds since epoch)]");
    let _ = writeln!(text, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"");
    for (name, latency) in latencies(outcome) {
        let Some(histogram) = latency.histogram() else { continue };
        let tag: String = name.chars().map(|c| if c == ',' || c.is_whitespace() { '_' } else { c }).collect();
        let (length, max) = (outcome.measured_seconds, histogram.max());
        let _ = writeln!(text, "Tag={tag},0.000,{length:.3},{max}.000,{}", latency.hdr);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::hdr_log;
    use crate::report::example::example;
    use data_encoding::BASE64;
    use hdrhistogram::Histogram;
    use hdrhistogram::serialization::Deserializer;
    use hdrhistogram::serialization::interval_log::{IntervalLogIterator, LogEntry};
    use std::time::Duration;

    #[test]
    fn the_usual_parser_reads_the_log_and_finds_each_latency() {
        let outcome = example("a", 5);
        let text = hdr_log(&outcome);
        let entries: Vec<LogEntry<'_>> =
            IntervalLogIterator::new(text.as_bytes()).collect::<Result<_, _>>().expect("a log");
        assert_eq!(entries[0], LogEntry::StartTime(Duration::from_millis(outcome.started_unix_ms)));
        let mut tags = Vec::new();
        for entry in &entries[1..] {
            let LogEntry::Interval(interval) = entry else { panic!("{entry:?}") };
            let tag = interval.tag().expect("a tag").as_str();
            let latency = &outcome.latencies[tag];
            let bytes = BASE64.decode(interval.encoded_histogram().as_bytes()).expect("base64");
            let histogram: Histogram<u64> = Deserializer::new().deserialize(&mut bytes.as_slice()).expect("one");
            assert_eq!((histogram.len(), histogram.max() as f64), (latency.count, interval.max()));
            assert!((interval.duration().as_secs_f64() - outcome.measured_seconds).abs() < 0.001);
            tags.push(tag);
        }
        assert_eq!(tags, ["delivery", "response", "service", "lag", "first", "median", "last"]);
    }

    #[test]
    fn what_cannot_be_read_does_not_spoil_the_log() {
        let mut outcome = example("a", 6);
        let lag = outcome.latencies.remove("lag").expect("a lag");
        outcome.latencies.insert("my, lag".to_owned(), lag);
        outcome.latencies.get_mut("first").expect("a latency").hdr = "not a histogram".to_owned();
        let text = hdr_log(&outcome);
        let entries = IntervalLogIterator::new(text.as_bytes()).collect::<Result<Vec<_>, _>>().expect("a log");
        assert_eq!(entries.len(), 1 + outcome.latencies.len() - 1);
        assert!(text.contains("\nTag=my__lag,0.000,8.000,"), "{text}");
    }
}
