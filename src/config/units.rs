//! Sizes and durations as texts: units, and how each is read and written.

use std::time::Duration;

/// Sizes, from a word to its factor. The largest that divides a size is the one it is written in.
pub(super) const SIZE_UNITS: [(&str, u64); 5] =
    [("TiB", 1 << 40), ("GiB", 1 << 30), ("MiB", 1 << 20), ("KiB", 1 << 10), ("B", 1)];
/// Durations in nanoseconds, the same way.
pub(super) const TIME_UNITS: [(&str, u64); 7] = [
    ("d", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
];

/// Units of sizes as people write them, in small letters: those of 1000 and those of 1024.
const SIZES_READ: [(&str, u64); 10] = [
    ("", 1),
    ("b", 1),
    ("kb", 1000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
];

/// `10MB`, `64 KiB`, `1.5GiB` or `65536`: a number, perhaps a space, and a unit in any case. A fraction must come to whole
/// bytes. A bare `k` or `M` is not a unit, since it means 1000 to some people and 1024 to others.
pub(super) fn size(text: &str) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim_start().to_ascii_lowercase();
    let factor = SIZES_READ.iter().find(|(name, _)| *name == unit)?.1;
    let Some((whole, fraction)) = number.split_once('.') else {
        return number.parse::<u64>().ok()?.checked_mul(factor);
    };
    // In whole numbers: a float would round, and every size is to be exact.
    let scale = 10_u64.checked_pow(fraction.len().try_into().ok()?)?;
    let parts = fraction.parse::<u64>().ok()?.checked_mul(factor)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(factor)?;
    if parts.is_multiple_of(scale) { whole.checked_add(parts / scale) } else { None }
}

/// `"64 KiB"` or `"10s"`: a whole number, perhaps a space, and one of the units.
pub(super) fn with_unit(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let factor = units.iter().find(|(name, _)| *name == unit.trim_start())?.1;
    number.parse::<u64>().ok()?.checked_mul(factor)
}

/// A size in the largest unit that divides it.
pub(super) fn size_text(bytes: usize) -> String {
    let (name, factor) = in_largest_unit(bytes as u64, &SIZE_UNITS);
    format!("{} {name}", bytes as u64 / factor)
}

/// A duration in the largest unit that divides it.
pub(super) fn time_text(time: Duration) -> String {
    let nanos = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX);
    let (name, factor) = in_largest_unit(nanos, &TIME_UNITS);
    format!("{}{name}", nanos / factor)
}

fn in_largest_unit(value: u64, units: &[(&'static str, u64)]) -> (&'static str, u64) {
    // Every unit divides 0, so one is chosen: `0s` or `0 B`. The tables are distinguished by their length.
    let zero = if units.len() == TIME_UNITS.len() { ("s", 1) } else { ("B", 1) };
    if value == 0 {
        return zero;
    }
    units.iter().find(|(_, factor)| value.is_multiple_of(*factor)).copied().unwrap_or(zero)
}
