//! Rates as people write them: `100/s`, `1000/m burst 200`, `10MB/s`, `off`.

use super::kind::{DAY, Kind, MIB, SECOND, quoted};
use super::units::{TIME_UNITS, size, size_text, time_text, with_unit};
use std::fmt;
use std::time::Duration;
use toml::de::DeValue;

/// The shortest and the longest time that a count may be given for.
const PER: (Duration, Duration) = (Duration::from_millis(1), DAY);
/// More than this in a second could not be told apart by the unit that states are kept in, 64ths of a nanosecond.
const PER_SECOND_MAX: u128 = 1_000_000_000;
/// The longest time in which a whole burst may come back. States are moments since the start and must not overflow.
const BURST_TIME_MAX: Duration = Duration::from_secs(30 * 24 * 3600);

/// How many of something, such as requests or bytes: `count` within each `per` over time, and up to `burst` at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// How many come back within `per`. At least 1.
    pub count: u64,
    /// The time in which they do.
    pub per: Duration,
    /// How many there may be at once after a pause. At least 1.
    pub burst: u64,
    /// What is counted.
    pub of: Counted,
}

/// What a rate counts: bytes have units of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Counted {
    /// Requests, publications, connections: a plain number.
    Pieces,
    /// Bytes: a size such as `64KiB`.
    Bytes,
}

/// The rate of one connection: what is not set depends on the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConnectionRate {
    /// The default rate, unless the server is in open mode.
    Auto,
    /// This rate, or none, in open mode too.
    Set(Option<Rate>),
}

/// Requests of one connection. Game clients send 60 times a second and some read besides; a page that comes back subscribes
/// to its 1,000 channels at once.
pub const CONNECTION_REQUESTS: Rate = Rate::of_second(200, 2000, Counted::Pieces);
/// Publications of one connection: 60 positions a second, and what was written offline at once.
pub const CONNECTION_PUBLICATIONS: Rate = Rate::of_second(100, 500, Counted::Pieces);
/// Bytes from one connection: a hundred publications of 20 KiB a second, and sixteen of the largest bodies at once.
pub const CONNECTION_BYTES: Rate = Rate::of_second(2 * MIB as u64, 16 * MIB as u64, Counted::Bytes);

impl ConnectionRate {
    /// The rate, which is `auto` where none was set and the server is not in open mode.
    #[must_use]
    pub fn resolve(self, auto: Rate, open_mode: bool) -> Option<Rate> {
        match self {
            ConnectionRate::Auto => (!open_mode).then_some(auto),
            ConnectionRate::Set(rate) => rate,
        }
    }
}

impl Rate {
    /// So many in a second, and up to `burst` at once.
    pub(super) const fn of_second(count: u64, burst: u64, of: Counted) -> Rate {
        Rate { count, per: SECOND, burst, of }
    }

    /// Reads `100/s`, `1000/m burst 200`, `5/10s`, and for bytes `10MB/s` or `64KiB/s burst 1MiB`. Without a burst it is what
    /// one period allows. `off` and `0` are no rate: `Some(None)`. `None` when it is none of these, or out of range.
    #[must_use]
    pub fn parse(text: &str, of: Counted) -> Option<Option<Rate>> {
        let read = Rate::read(text, of)?;
        read.is_none_or(|rate| rate.problem().is_none()).then_some(read)
    }

    /// The same, whatever its range.
    fn read(text: &str, of: Counted) -> Option<Option<Rate>> {
        let text = text.trim();
        if matches!(text, "off" | "0") {
            return Some(None);
        }
        let (count, rest) = text.split_once('/')?;
        let count = of.read(count)?;
        let mut words = rest.split_whitespace();
        let per = words.next()?;
        let per = if per.starts_with(|c: char| c.is_ascii_digit()) { per.to_owned() } else { format!("1{per}") };
        let per = Duration::from_nanos(with_unit(&per, &TIME_UNITS)?);
        let burst = match words.next() {
            None => count,
            // The rest, since a size may have a space before its unit.
            Some("burst") => of.read(&words.collect::<Vec<_>>().join(" "))?,
            Some(_) => return None,
        };
        Some(Some(Rate { count, per, burst, of }))
    }

    /// What is wrong with it: the rest of a sentence that begins with what it is.
    fn problem(&self) -> Option<String> {
        let Rate { count, per, burst, .. } = *self;
        if count == 0 || burst == 0 {
            return Some("must allow at least 1; \"off\" is no limit".to_owned());
        }
        if !(PER.0..=PER.1).contains(&per) {
            let [min, max, given] = [PER.0, PER.1, per].map(time_text);
            return Some(format!("must be for {min} to {max}, not for {given}"));
        }
        if u128::from(count) * SECOND.as_nanos() > PER_SECOND_MAX * per.as_nanos() {
            return Some(format!("must be at most {PER_SECOND_MAX} in a second"));
        }
        let back = u128::from(burst) * per.as_nanos() / u128::from(count);
        (back > BURST_TIME_MAX.as_nanos())
            .then(|| format!("has a burst that takes more than {} to come back", time_text(BURST_TIME_MAX)))
    }
}

impl Counted {
    fn read(self, text: &str) -> Option<u64> {
        let text = text.trim();
        match self {
            Counted::Pieces => text.bytes().all(|byte| byte.is_ascii_digit()).then(|| text.parse().ok())?,
            Counted::Bytes => size(text),
        }
    }

    fn write(self, count: u64) -> String {
        match self {
            Counted::Pieces => count.to_string(),
            Counted::Bytes => size_text(usize::try_from(count).unwrap_or(usize::MAX)),
        }
    }

    const fn examples(self) -> &'static str {
        match self {
            Counted::Pieces => "\"100/s\" or \"1000/m burst 200\"",
            Counted::Bytes => "\"10MB/s\" or \"64KiB/s burst 1MiB\"",
        }
    }
}

impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let per = time_text(self.per);
        // `1s` is written `s`, and `10s` unchanged.
        let per = per.strip_prefix('1').filter(|unit| !unit.starts_with(|c: char| c.is_ascii_digit())).unwrap_or(&per);
        write!(f, "{}/{per}", self.of.write(self.count))?;
        if self.burst == self.count { Ok(()) } else { write!(f, " burst {}", self.of.write(self.burst)) }
    }
}

/// A rate, or `off`.
pub(super) struct RateOf(pub(super) Counted);

impl Kind<Option<Rate>> for RateOf {
    fn expected(&self) -> String {
        format!("a rate such as {}, or \"off\"", self.0.examples())
    }

    fn unit(&self) -> String {
        match self.0 {
            Counted::Pieces => "rate, or off".to_owned(),
            Counted::Bytes => "rate of bytes, or off".to_owned(),
        }
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Option<Rate>> {
        match value {
            DeValue::String(text) => Rate::read(text, self.0),
            // A bare 0, which turns limits off in many a configuration.
            DeValue::Integer(number) if number.as_str() == "0" => Some(None),
            _ => None,
        }
    }

    fn write(&self, value: &Option<Rate>) -> String {
        quoted(&value.map_or_else(|| "off".to_owned(), |rate| rate.to_string()))
    }

    fn check(&self, value: &Option<Rate>) -> Result<(), String> {
        value.as_ref().and_then(Rate::problem).map_or(Ok(()), Err)
    }
}

/// A rate of one connection, which is `auto` unless it is set.
pub(super) struct AutoRate(pub(super) Rate);

impl Kind<ConnectionRate> for AutoRate {
    fn expected(&self) -> String {
        format!("a rate such as {}, \"auto\" or \"off\"", self.0.of.examples())
    }

    fn unit(&self) -> String {
        let inner = Kind::<Option<Rate>>::unit(&RateOf(self.0.of));
        format!("{inner}; auto is {}", self.0)
    }

    fn read(&self, value: &DeValue<'_>) -> Option<ConnectionRate> {
        match value {
            DeValue::String(text) if text.trim() == "auto" => Some(ConnectionRate::Auto),
            value => RateOf(self.0.of).read(value).map(ConnectionRate::Set),
        }
    }

    fn write(&self, value: &ConnectionRate) -> String {
        match value {
            ConnectionRate::Auto => quoted("auto"),
            ConnectionRate::Set(rate) => RateOf(self.0.of).write(rate),
        }
    }

    fn check(&self, value: &ConnectionRate) -> Result<(), String> {
        match value {
            ConnectionRate::Auto => Ok(()),
            ConnectionRate::Set(rate) => RateOf(self.0.of).check(rate),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{Counted, Rate};
    use std::time::Duration;

    fn pieces(text: &str) -> Option<Option<Rate>> {
        Rate::parse(text, Counted::Pieces)
    }

    #[test]
    fn rates_are_read_as_people_write_them_and_written_so_that_they_read_back() {
        let rows = [
            ("100/s", Counted::Pieces, (100, 1_000, 100), "100/s"),
            ("1000/m burst 200", Counted::Pieces, (1000, 60_000, 200), "1000/m burst 200"),
            (" 5 / 10s ", Counted::Pieces, (5, 10_000, 5), "5/10s"),
            ("7/h  burst  1", Counted::Pieces, (7, 3_600_000, 1), "7/h burst 1"),
            ("1/d", Counted::Pieces, (1, 86_400_000, 1), "1/d"),
            ("3/1ms", Counted::Pieces, (3, 1, 3), "3/ms"),
            ("10MB/s", Counted::Bytes, (10_000_000, 1_000, 10_000_000), "10000000 B/s"),
            ("64KiB/s burst 1 MiB", Counted::Bytes, (65_536, 1_000, 1_048_576), "64 KiB/s burst 1 MiB"),
            ("500/s burst 1000", Counted::Bytes, (500, 1_000, 1000), "500 B/s burst 1000 B"),
        ];
        for (text, of, (count, per_ms, burst), written) in rows {
            let rate = Rate { count, per: Duration::from_millis(per_ms), burst, of };
            assert_eq!(Rate::parse(text, of), Some(Some(rate)), "{text}");
            assert_eq!(rate.to_string(), written);
            assert_eq!(Rate::parse(written, of), Some(Some(rate)), "{written}");
        }
        assert_eq!((pieces("off"), pieces("0")), (Some(None), Some(None)));
    }

    #[test]
    fn what_is_no_rate_or_out_of_range_is_refused() {
        for text in [
            "",
            "100",
            "/s",
            "100/",
            "s/100",
            "-1/s",
            "1.5/s",
            "100/s 200",
            "100/s burst",
            "100/s burst -1",
            "10MB/s",
            "100/s peak 200",
            "100//s",
            "100/week",
            "0/s",
            "1/s burst 0",
            "1/ns",
            "1/2d",
            "1000000001/s",
            "1001/us",
            "1/d burst 31",
            "99999999999999999999/s",
            "1e3/s",
            "OFF",
        ] {
            assert_eq!(pieces(text), None, "{text:?}");
        }
        assert!(pieces("1000000000/s").is_some() && pieces("1/d burst 30").is_some(), "the limits themselves");
        assert_eq!(Rate::parse("1.0000001KiB/s", Counted::Bytes), None, "no whole bytes");
    }
}
