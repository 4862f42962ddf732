//! Numbers with units: counts, rates, durations, sizes, and ramps of them.

use super::{BadText, Part};
use crate::plan::{Leg, Ramp, Sizes};
use std::time::Duration;

/// Units of a duration, in nanoseconds.
const TIMES: [(&str, f64); 6] = [("ns", 1.0), ("us", 1e3), ("ms", 1e6), ("s", 1e9), ("m", 6e10), ("h", 3.6e12)];
/// Units of a count.
const COUNTS: [(&str, f64); 5] = [("", 1.0), ("k", 1e3), ("K", 1e3), ("M", 1e6), ("G", 1e9)];
/// Units of a size, in bytes.
const BYTES: [(&str, f64); 12] = [
    ("", 1.0),
    ("B", 1.0),
    ("k", 1024.0),
    ("K", 1024.0),
    ("KiB", 1024.0),
    ("KB", 1e3),
    ("kB", 1e3),
    ("M", 1_048_576.0),
    ("MiB", 1_048_576.0),
    ("MB", 1e6),
    ("GiB", 1_073_741_824.0),
    ("GB", 1e9),
];

/// A whole number of things.
///
/// # Errors
/// Where it is none.
pub fn count(text: &str) -> Result<u64, BadText> {
    let part = Part::of(text);
    let value = part_count(part)?;
    if value.fract() == 0.0 { Ok(value as u64) } else { part.wrong("a whole number, such as 200, 1.5k or 2M") }
}

/// Events per second.
///
/// # Errors
/// Where it is none.
pub fn rate(text: &str) -> Result<f64, BadText> {
    part_rate(Part::of(text))
}

/// A length of time.
///
/// # Errors
/// Where it is none.
pub fn duration(text: &str) -> Result<Duration, BadText> {
    part_duration(Part::of(text))
}

/// Bytes.
///
/// # Errors
/// Where it is none.
pub fn size(text: &str) -> Result<usize, BadText> {
    part_size(Part::of(text))
}

/// A share: a percentage, or a number from 0 to 1.
///
/// # Errors
/// Where it is none.
pub fn share(text: &str) -> Result<f64, BadText> {
    part_share(Part::of(text))
}

/// A rate, or rates that change.
///
/// # Errors
/// Where it is none.
pub fn ramp(text: &str) -> Result<Ramp, BadText> {
    let whole = Part::of(text);
    if !whole.text().contains(':') {
        return part_rate(whole).map(Ramp::constant);
    }
    let legs = whole.split(',').into_iter().map(leg).collect::<Result<Vec<Leg>, BadText>>()?;
    Ok(Ramp::new(legs))
}

/// How large messages are.
///
/// # Errors
/// Where it is no size, no range and no list.
pub fn sizes(text: &str) -> Result<Sizes, BadText> {
    let whole = Part::of(text);
    if let Some((least, most)) = whole.split_once("..") {
        let (small, large) = (part_size(least)?, part_size(most)?);
        return if small <= large {
            Ok(Sizes::Between(small, large))
        } else {
            most.wrong("a size that is not below the first")
        };
    }
    if !whole.text().contains(':') {
        return part_size(whole).map(Sizes::fixed);
    }
    let one = |part: Part<'_>| match part.split_once(":") {
        Some((size, share)) => Ok((part_size(size)?, part_share(share)?)),
        None => part.wrong("a size and how often it comes, such as 128:90%"),
    };
    whole.split(',').into_iter().map(one).collect::<Result<_, _>>().map(Sizes::OneOf)
}

pub(super) fn part_count(part: Part<'_>) -> Result<f64, BadText> {
    with_unit(part, &COUNTS, "a number, such as 200, 1.5k or 2M")
}

pub(super) fn part_size(part: Part<'_>) -> Result<usize, BadText> {
    let bytes = with_unit(part, &BYTES, "a size, such as 128, 1KiB or 2MB")?;
    if bytes.fract() == 0.0 { Ok(bytes as usize) } else { part.wrong("a whole number of bytes") }
}

pub(super) fn part_rate(part: Part<'_>) -> Result<f64, BadText> {
    match part.split_once("/") {
        None => part_count(part),
        Some((number, unit)) => {
            let number = part_count(number)?;
            match unit.text() {
                "s" => Ok(number),
                "m" => Ok(number / 60.0),
                "h" => Ok(number / 3600.0),
                _ => unit.wrong("s, m or h"),
            }
        }
    }
}

/// Several numbers with units one after the other add up: `1h30m`.
pub(super) fn part_duration(part: Part<'_>) -> Result<Duration, BadText> {
    let (mut rest, mut nanos) = (part, 0.0);
    loop {
        let text = rest.text();
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let Ok(value) = text[..digits].parse::<f64>() else {
            return rest.wrong("a duration, such as 250us, 10ms, 30s or 1h30m");
        };
        let unit_end = text[digits..].find(|c: char| c.is_ascii_digit()).map_or(text.len(), |end| digits + end);
        let (number, after) = rest.cut(unit_end);
        let unit = number.cut(digits).1;
        match TIMES.iter().find(|(name, _)| *name == unit.text()) {
            Some((_, scale)) => nanos += value * scale,
            None => return unit.wrong("ns, us, ms, s, m or h"),
        }
        if after.text().is_empty() {
            return if nanos < 1e18 {
                Ok(Duration::from_nanos(nanos as u64))
            } else {
                part.wrong("less than thirty years")
            };
        }
        rest = after;
    }
}

/// A share as a percentage or a weight.
pub(super) fn part_share(part: Part<'_>) -> Result<f64, BadText> {
    let text = part.text();
    let (number, scale) = text.strip_suffix('%').map_or((text, 1.0), |number| (number.trim_end(), 100.0));
    match number.parse::<f64>() {
        Ok(value) if value.is_finite() && value > 0.0 => Ok(value / scale),
        _ => part.wrong("a share above zero, such as 90% or 0.9"),
    }
}

fn leg(part: Part<'_>) -> Result<Leg, BadText> {
    let expected = "from:to/over, such as 0:10k/30s";
    let Some((from, rest)) = part.split_once(":") else { return part.wrong(expected) };
    let Some(slash) = rest.text().rfind('/') else { return rest.wrong(expected) };
    let (to, over) = rest.cut(slash);
    let over = over.cut(1).1;
    let seconds = part_duration(over.trimmed())?.as_secs_f64();
    if seconds == 0.0 {
        return over.wrong("more than no time");
    }
    Ok(Leg { from: part_count(from)?, to: part_count(to.trimmed())?, seconds })
}

fn with_unit(part: Part<'_>, units: &[(&str, f64)], expected: &str) -> Result<f64, BadText> {
    let text = part.text();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.' && c != '_').unwrap_or(text.len());
    let (number, unit) = part.cut(digits);
    let Ok(value) = number.text().replace('_', "").parse::<f64>() else { return part.wrong(expected) };
    let unit = unit.trimmed();
    match units.iter().find(|(name, _)| *name == unit.text()) {
        Some((_, scale)) if value * scale < 9e15 => Ok(value * scale),
        Some(_) => part.wrong("less than nine thousand million million"),
        None => {
            let names: Vec<&str> = units.iter().map(|(name, _)| *name).filter(|name| !name.is_empty()).collect();
            unit.wrong(format!("no unit, or one of {}", names.join(" ")))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{count, duration, ramp, rate, size, sizes};
    use crate::plan::Sizes;
    use proptest::prelude::*;
    use std::time::Duration;

    #[test]
    fn values_are_read_with_their_units() {
        assert_eq!(
            (count("200"), count("10k"), count("1.5M"), count("1_000")),
            (Ok(200), Ok(10_000), Ok(1_500_000), Ok(1000))
        );
        assert_eq!((rate("5k/s"), rate("300/m"), rate("0.5")), (Ok(5000.0), Ok(5.0), Ok(0.5)));
        assert_eq!(duration("1h30m"), Ok(Duration::from_secs(5400)));
        assert_eq!(duration("250us"), Ok(Duration::from_micros(250)));
        assert_eq!(duration("1.5ms"), Ok(Duration::from_micros(1500)));
        assert_eq!((size("128"), size("1KiB"), size("16k"), size("64KB")), (Ok(128), Ok(1024), Ok(16384), Ok(64000)));
        assert_eq!(sizes("128..1KiB"), Ok(Sizes::Between(128, 1024)));
        assert_eq!(sizes("128:90%, 16KiB:10%"), Ok(Sizes::OneOf(vec![(128, 0.9), (16384, 0.1)])));
        let ramp = ramp("0:10k/10s, 10k:0/5s").expect("a ramp");
        assert_eq!((ramp.at(Duration::from_secs(5)), ramp.at(Duration::from_secs(20))), (5000.0, 0.0));
    }

    #[test]
    fn mistakes_are_pointed_at() {
        let told = |error: super::BadText| error.to_string();
        assert_eq!(told(duration("10mz").expect_err("a mistake")), "  10mz\n    ^^ expected ns, us, ms, s, m or h");
        assert_eq!(told(rate("5k/d").expect_err("a mistake")), "  5k/d\n     ^ expected s, m or h");
        assert_eq!(
            told(ramp("0:1k/5s,1k:2x/5s").expect_err("a mistake")),
            "  0:1k/5s,1k:2x/5s\n              ^ expected no unit, or one of k K M G"
        );
        assert_eq!(
            told(sizes("1KiB..128").expect_err("a mistake")),
            "  1KiB..128\n        ^^^ expected a size that is not below the first"
        );
        for text in ["", "k", "1.2.3", "-5", "1.5"] {
            assert!(count(text).is_err(), "{text}");
        }
        for text in ["5", "s", "", "1h x", "0:1/0s"] {
            assert!(duration(text).is_err(), "{text}");
        }
        assert!(ramp("1:2").is_err() && ramp("0:1/0s").is_err() && size("1.5").is_err() && count("99999999G").is_err());
    }

    proptest! {
        #[test]
        fn nothing_that_is_typed_breaks_it(text in "\\PC{0,20}") {
            for error in [count(&text).err(), rate(&text).err(), duration(&text).err(), size(&text).err(), ramp(&text).err(), sizes(&text).err()].into_iter().flatten() {
                prop_assert!(error.to_string().contains("expected"));
            }
        }

        #[test]
        fn what_is_written_is_read(value in 0_u64..1_000_000_000) {
            prop_assert_eq!(count(&value.to_string()), Ok(value));
            prop_assert_eq!(duration(&format!("{value}us")), Ok(Duration::from_micros(value)));
        }
    }
}
