//! The ranges that knobs have, in a few characters.

use super::kind::{Bytes, Count, GIB, Time};
use super::rate::{Counted, RateOf};
use std::time::Duration;

pub(super) const fn bytes(min: usize, max: usize) -> Bytes {
    Bytes { min, max, or_inf: false }
}

pub(super) const fn count(of: &'static str, min: usize, max: usize) -> Count {
    Count { of, min, max }
}

pub(super) const fn time(min: Duration, max: Duration) -> Time {
    Time { min, max }
}

pub(super) const MILLISECOND: Duration = Duration::from_millis(1);
pub(super) const TIB: usize = 1024 * GIB;
pub(super) const PIECES: RateOf = RateOf(Counted::Pieces);
pub(super) const OF_BYTES: RateOf = RateOf(Counted::Bytes);
/// Connections that a client may have; 0 is no limit.
pub(super) const CAP: Count = count("connections", 0, 100_000_000);
