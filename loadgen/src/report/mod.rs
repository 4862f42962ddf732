//! What a reader sees of a result: text for a terminal, tables, logs, a page.

mod csv;
#[cfg(test)]
mod example;
mod hdr_log;
mod html;
mod moment;
mod named;
pub mod numbers;
mod summary;
mod wrapped;

pub use csv::csv;
#[cfg(test)]
pub(crate) use example::example;
pub use hdr_log::hdr_log;
pub use html::html;
pub(crate) use named::measured;
pub use summary::summary;

use crate::outcome::Latency;
use data_encoding::BASE64;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

/// The whole histogram of a latency, in nanoseconds; `None` when the result has none that can be read.
#[must_use]
pub fn histogram(latency: &Latency) -> Option<Histogram<u64>> {
    let bytes = BASE64.decode(latency.hdr.as_bytes()).ok()?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}
