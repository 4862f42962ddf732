//! The kinds of values a knob can have: how each is read from TOML, written as TOML and kept in its range.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;
use toml::de::DeValue;

/// A kind of value: a unit and a range over the Rust type `T`.
pub(super) trait Kind<T> {
    /// What the file must hold, with an example.
    fn expected(&self) -> String;
    /// Unit and range, for people.
    fn unit(&self) -> String;
    /// The value, if it has the right form. The range is left to [`Kind::check`].
    fn read(&self, value: &DeValue<'_>) -> Option<T>;
    /// The value as TOML.
    fn write(&self, value: &T) -> String;
    /// What is wrong with the value: the rest of a sentence that begins with its key.
    fn check(&self, value: &T) -> Result<(), String>;

    /// A value of the right form and within its range.
    fn read_checked(&self, value: &DeValue<'_>) -> Result<T, String> {
        let read = self.read(value).ok_or_else(|| format!("must be {}, not {}", self.expected(), shown(value)))?;
        self.check(&read).map(|()| read)
    }
}

/// One kibibyte.
pub(super) const KIB: usize = 1024;
/// One mebibyte.
pub(super) const MIB: usize = 1024 * KIB;
/// One gibibyte.
pub(super) const GIB: usize = 1024 * MIB;
/// One second.
pub(super) const SECOND: Duration = Duration::from_secs(1);
/// One minute.
pub(super) const MINUTE: Duration = Duration::from_secs(60);
/// One hour.
pub(super) const HOUR: Duration = Duration::from_secs(3600);
/// One day.
pub(super) const DAY: Duration = Duration::from_secs(86_400);

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

/// A size in bytes.
pub(super) struct Bytes {
    /// The smallest.
    pub(super) least: usize,
    /// The largest.
    pub(super) most: usize,
    /// Whether `"inf"` (`usize::MAX`) is allowed besides.
    pub(super) or_inf: bool,
}

impl Kind<usize> for Bytes {
    fn expected(&self) -> String {
        let inf = if self.or_inf { " or \"inf\"" } else { "" };
        format!("a size such as \"64 KiB\" (units B, KiB, MiB, GiB) or a number of bytes such as 65536{inf}")
    }

    fn unit(&self) -> String {
        let inf = if self.or_inf { ", or inf" } else { "" };
        format!("bytes, {} to {}{inf}", size_text(self.least), size_text(self.most))
    }

    fn read(&self, value: &DeValue<'_>) -> Option<usize> {
        match value {
            DeValue::String(text) if self.or_inf && text == "inf" => Some(usize::MAX),
            DeValue::String(text) => with_unit(text, &SIZE_UNITS)?.try_into().ok(),
            other => integer(other)?.try_into().ok(),
        }
    }

    fn write(&self, value: &usize) -> String {
        if self.or_inf && *value == usize::MAX { quoted("inf") } else { quoted(&size_text(*value)) }
    }

    fn check(&self, value: &usize) -> Result<(), String> {
        let fits = (self.least..=self.most).contains(value) || (self.or_inf && *value == usize::MAX);
        let range =
            || format!("must be {} to {}, not {}", size_text(self.least), size_text(self.most), size_text(*value));
        fits.then_some(()).ok_or_else(range)
    }
}

/// A number of things.
pub(super) struct Count {
    /// Of what.
    pub(super) of: &'static str,
    /// The smallest.
    pub(super) least: usize,
    /// The largest.
    pub(super) most: usize,
}

impl Kind<usize> for Count {
    fn expected(&self) -> String {
        format!("a number of {} such as {}", self.of, self.least.max(1))
    }

    fn unit(&self) -> String {
        format!("{}, {} to {}", self.of, self.least, self.most)
    }

    fn read(&self, value: &DeValue<'_>) -> Option<usize> {
        integer(value)?.try_into().ok()
    }

    fn write(&self, value: &usize) -> String {
        value.to_string()
    }

    fn check(&self, value: &usize) -> Result<(), String> {
        let fits = (self.least..=self.most).contains(value);
        fits.then_some(()).ok_or_else(|| format!("must be {} to {}, not {value}", self.least, self.most))
    }
}

/// A duration.
pub(super) struct Time {
    /// The shortest.
    pub(super) least: Duration,
    /// The longest.
    pub(super) most: Duration,
}

impl Kind<Duration> for Time {
    fn expected(&self) -> String {
        "a duration such as \"10s\", \"500ms\" or \"24h\", or a number of seconds such as 10".to_owned()
    }

    fn unit(&self) -> String {
        format!("duration, {} to {}", time_text(self.least), time_text(self.most))
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Duration> {
        match value {
            DeValue::String(text) => with_unit(text, &TIME_UNITS).map(Duration::from_nanos),
            other => integer(other).map(Duration::from_secs),
        }
    }

    fn write(&self, value: &Duration) -> String {
        quoted(&time_text(*value))
    }

    fn check(&self, value: &Duration) -> Result<(), String> {
        let fits = (self.least..=self.most).contains(value);
        let range =
            || format!("must be {} to {}, not {}", time_text(self.least), time_text(self.most), time_text(*value));
        fits.then_some(()).ok_or_else(range)
    }
}

/// Yes or no.
pub(super) struct Flag;

impl Kind<bool> for Flag {
    fn expected(&self) -> String {
        "true or false".to_owned()
    }

    fn unit(&self) -> String {
        "true or false".to_owned()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<bool> {
        value.as_bool()
    }

    fn write(&self, value: &bool) -> String {
        value.to_string()
    }

    fn check(&self, _: &bool) -> Result<(), String> {
        Ok(())
    }
}

/// A text, or a list of texts, of a certain form.
pub(super) struct Text {
    /// What it is, for people.
    pub(super) of: &'static str,
    /// An example.
    pub(super) example: &'static str,
    /// Whether a text has the form.
    pub(super) valid: fn(&str) -> bool,
}

impl Text {
    fn check_one(&self, text: &str) -> Result<(), String> {
        let wrong = || format!("must be {} such as {}, not {}", self.of, quoted(self.example), quoted(text));
        (self.valid)(text).then_some(()).ok_or_else(wrong)
    }
}

impl Kind<String> for Text {
    fn expected(&self) -> String {
        format!("{} such as {}", self.of, quoted(self.example))
    }

    fn unit(&self) -> String {
        self.of.to_owned()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<String> {
        value.as_str().map(str::to_owned)
    }

    fn write(&self, value: &String) -> String {
        quoted(value)
    }

    fn check(&self, value: &String) -> Result<(), String> {
        self.check_one(value)
    }
}

impl Kind<Vec<String>> for Text {
    fn expected(&self) -> String {
        format!("a list, each item {}, such as [{}]", self.of, quoted(self.example))
    }

    fn unit(&self) -> String {
        format!("list, each item {}", self.of)
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<String>> {
        value.as_array()?.iter().map(|item| item.get_ref().as_str().map(str::to_owned)).collect()
    }

    fn write(&self, value: &Vec<String>) -> String {
        list(value.iter().map(String::as_str))
    }

    fn check(&self, value: &Vec<String>) -> Result<(), String> {
        value.iter().try_for_each(|text| self.check_one(text))
    }
}

/// Addresses to listen on.
pub(super) struct Addresses;

impl Kind<Vec<SocketAddr>> for Addresses {
    fn expected(&self) -> String {
        "a list of addresses such as [\"127.0.0.1:8080\", \"[::1]:8080\"]".to_owned()
    }

    fn unit(&self) -> String {
        "list of IP addresses with port, at least one; port 0 takes a free one".to_owned()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<Vec<SocketAddr>> {
        value.as_array()?.iter().map(|item| item.get_ref().as_str().and_then(parse_address)).collect()
    }

    fn write(&self, value: &Vec<SocketAddr>) -> String {
        let texts: Vec<String> = value.iter().map(SocketAddr::to_string).collect();
        list(texts.iter().map(String::as_str))
    }

    fn check(&self, value: &Vec<SocketAddr>) -> Result<(), String> {
        (!value.is_empty()).then_some(()).ok_or_else(|| format!("must be {}, not an empty list", self.expected()))
    }
}

/// Reads an address to listen on: `127.0.0.1:8080`, `[::1]:8080`, or `localhost:8080` for IPv4 loopback.
#[must_use]
pub fn parse_address(text: &str) -> Option<SocketAddr> {
    match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| (Ipv4Addr::LOCALHOST, port).into()),
        None => text.parse().ok(),
    }
}

/// A text as a TOML string.
pub(super) fn quoted(text: &str) -> String {
    let mut out = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            c if c.is_control() => out.push_str(&format!("\\U{:08X}", u32::from(c))),
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

/// Texts as a TOML array.
fn list<'t>(items: impl Iterator<Item = &'t str>) -> String {
    format!("[{}]", items.map(quoted).collect::<Vec<_>>().join(", "))
}

/// A whole number that is not negative.
fn integer(value: &DeValue<'_>) -> Option<u64> {
    let digits = value.as_integer()?;
    u64::from_str_radix(digits.as_str(), digits.radix()).ok()
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
    let zero = if units.len() == TIME_UNITS.len() { ("s", 1) } else { ("B", 1) };
    if value == 0 {
        return zero;
    }
    units.iter().find(|(_, factor)| value.is_multiple_of(*factor)).copied().unwrap_or(zero)
}

/// A value of the file as a person recognises it.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => quoted(text),
        DeValue::Integer(number) => format!("the number {number}"),
        DeValue::Float(number) => format!("the number {number}"),
        DeValue::Boolean(flag) => flag.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(items) if items.is_empty() => "an empty list".to_owned(),
        DeValue::Array(_) => "this list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}
