//! The latencies of a run as an HdrHistogram log, which the tools of that family read and plot.

use crate::outcome::Outcome;
use std::fmt::Write;

/// One interval per latency, tagged with its name, in nanoseconds.
#[must_use]
pub fn hdr_log(outcome: &Outcome) -> String {
    let started = outcome.started_unix_ms as f64 / 1000.0;
    let mut text = String::new();
    let _ = writeln!(text, "#[Histogram log format version 1.3]");
    let _ = writeln!(text, "#[StartTime: {started:.3} (seconds since epoch)]");
    let _ = writeln!(text, "\"StartTimestamp\",\"Interval_Length\",\"Interval_Max\",\"Interval_Compressed_Histogram\"");
    for (name, latency) in &outcome.latencies {
        let (length, max) = (outcome.measured_seconds, latency.max * 1e9);
        let _ = writeln!(text, "Tag={name},0.000,{length:.3},{max:.3},{}", latency.hdr);
    }
    text
}
