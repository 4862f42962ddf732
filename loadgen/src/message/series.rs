//! What is timed, and the parts of a run in which it is.

use serde::{Deserialize, Serialize};

/// Parts of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Phase {
    /// Connections are opened; there is no traffic.
    Opening,
    /// There is traffic that does not count.
    Warmup,
    /// It counts.
    Measure,
    /// What is in progress arrives.
    Drain,
}

/// What is timed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Series {
    /// From when an echo's message was meant to leave to when it was back.
    Response,
    /// From when a message left to when it arrived.
    Service,
    /// How much later than meant it left.
    Lag,
    /// From when a publication was meant to leave to when a receiver had it.
    Delivery,
    /// The same to the first receiver.
    First,
    /// The same to the median receiver.
    Median,
    /// The same to the last receiver.
    Last,
    /// From when a connection was meant to be opened to when it was usable.
    Open,
    /// From when a connection was cut to when it was usable again.
    Recovery,
}

impl Series {
    /// All of them, in the order of their discriminants.
    pub const ALL: [Series; 9] = [
        Series::Response,
        Series::Service,
        Series::Lag,
        Series::Delivery,
        Series::First,
        Series::Median,
        Series::Last,
        Series::Open,
        Series::Recovery,
    ];

    /// Its name in results and thresholds.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Series::Response => "response",
            Series::Service => "service",
            Series::Lag => "lag",
            Series::Delivery => "delivery",
            Series::First => "first",
            Series::Median => "median",
            Series::Last => "last",
            Series::Open => "open",
            Series::Recovery => "recovery",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Series;

    #[test]
    fn series_are_listed_in_the_order_in_which_they_are_numbered() {
        assert!(Series::ALL.iter().enumerate().all(|(number, series)| *series as usize == number));
    }
}
