//! How latencies are kept and how they cross a pipe: an HdrHistogram.

use crate::clock::Nanos;
use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer, Serializer, V2Serializer};
use serde::{Deserialize, Serialize};

/// The smallest difference that a histogram resolves, in nanoseconds.
const LEAST: u64 = 100;
/// Longer latencies are recorded as this: an hour.
const MOST: u64 = 3_600_000_000_000;
/// Significant decimal digits of a latency.
const DIGITS: u8 = 3;

/// A distribution of latencies in nanoseconds.
#[derive(Debug, Clone)]
pub struct Distribution(Histogram<u64>);

impl Default for Distribution {
    fn default() -> Self {
        Distribution(Histogram::new_with_bounds(LEAST, MOST, DIGITS).expect("bounds that a histogram can have"))
    }
}

impl Distribution {
    /// Records a latency.
    pub fn record(&mut self, latency: Nanos) {
        self.0.saturating_record(latency);
    }

    /// How many were recorded.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.0.len()
    }

    /// Takes another one in.
    pub fn merge(&mut self, other: &Distribution) {
        self.0.add(&other.0).expect("both have the same bounds");
    }

    /// The histogram itself.
    #[must_use]
    pub fn histogram(&self) -> &Histogram<u64> {
        &self.0
    }

    /// HdrHistogram V2 in base64, not compressed: runs of zeros are short anyway.
    fn packed(&self) -> String {
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&self.0, &mut bytes).expect("a vector takes every byte");
        BASE64.encode(&bytes)
    }

    fn unpacked(text: &str) -> Result<Distribution, String> {
        let bytes = BASE64.decode(text.as_bytes()).map_err(|error| error.to_string())?;
        let read =
            Deserializer::new().deserialize::<u64, _>(&mut bytes.as_slice()).map_err(|error| error.to_string())?;
        let mut distribution = Distribution::default();
        distribution.0.add(&read).map_err(|error| error.to_string())?;
        Ok(distribution)
    }
}

impl Serialize for Distribution {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.packed())
    }
}

impl<'de> Deserialize<'de> for Distribution {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Distribution::unpacked(&text).map_err(serde::de::Error::custom)
    }
}
