//! A latency in a result: its figures, and the whole histogram that they come from.

use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer};
use serde::{Deserialize, Serialize};

/// One distribution of latencies.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Latency {
    /// How many were recorded.
    pub count: u64,
    /// Seconds.
    pub min: f64,
    /// Seconds.
    pub mean: f64,
    /// Seconds.
    pub max: f64,
    /// Seconds.
    pub stddev: f64,
    /// Percentile (0 to 100) and seconds, ascending: the usual ones and those of `--percentiles`.
    pub percentiles: Vec<(f64, f64)>,
    /// The whole histogram, HdrHistogram V2, compressed, base64; its unit is the nanosecond.
    pub hdr: String,
}

impl Latency {
    /// A histogram of nanoseconds, with these percentiles (0 to 100).
    pub(crate) fn of(histogram: &Histogram<u64>, percentiles: &[f64]) -> Latency {
        let seconds = |nanos: u64| nanos as f64 / 1e9;
        let mut packed = Vec::new();
        V2DeflateSerializer::new().serialize(histogram, &mut packed).expect("a vector takes every byte");
        Latency {
            count: histogram.len(),
            min: seconds(histogram.min()),
            mean: histogram.mean() / 1e9,
            max: seconds(histogram.max()),
            stddev: histogram.stdev() / 1e9,
            percentiles: percentiles
                .iter()
                .map(|share| (*share, seconds(histogram.value_at_percentile(*share))))
                .collect(),
            hdr: BASE64.encode(&packed),
        }
    }

    /// The whole histogram, in nanoseconds; `None` when the result has none that can be read.
    #[must_use]
    pub fn histogram(&self) -> Option<Histogram<u64>> {
        let bytes = BASE64.decode(self.hdr.as_bytes()).ok()?;
        Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
    }

    /// A percentile (0 to 100), in seconds: one that was reported, or else read from the histogram.
    pub(crate) fn percentile(&self, share: f64) -> Option<f64> {
        let known = self.percentiles.iter().find(|(known, _)| *known == share);
        known.map(|(_, seconds)| *seconds).or_else(|| {
            let histogram = self.histogram()?;
            Some(histogram.value_at_percentile(share) as f64 / 1e9)
        })
    }
}
