//! The kinds of values a knob can have: how each is read from TOML, written as TOML and kept in its range.

use super::units::{TIME_UNITS, size, size_text, time_text, with_unit};
use std::time::Duration;
use toml::Spanned;
use toml::de::DeValue;

/// A kind of value: a unit and a range over the Rust type `T`.
pub(super) trait Kind<T> {
    /// What the file must contain, with an example.
    fn expected(&self) -> String;
    /// Unit and range, for people.
    fn unit(&self) -> String;
    /// The value, if it has the right form. The range is left to [`Kind::check`].
    fn read(&self, value: &DeValue<'_>) -> Option<T>;
    /// The value as TOML.
    fn write(&self, value: &T) -> String;
    /// What is wrong with the value: the rest of a sentence that starts with its key.
    fn check(&self, value: &T) -> Result<(), String>;

    /// The text of a variable or a flag, as the value that a file would have: a whole number, `true`, `false`, or else a
    /// text.
    fn value_of<'t>(&self, texts: &'t [String]) -> DeValue<'t> {
        let text = texts.last().map_or("", String::as_str);
        match DeValue::parse(text).map(Spanned::into_inner) {
            Ok(value @ (DeValue::Integer(_) | DeValue::Boolean(_))) => value,
            // Also `inf`, which is a float to TOML and a text to the kind that takes it.
            _ => DeValue::String(text.into()),
        }
    }

    /// What a list can be added to by giving it several times.
    fn is_list(&self) -> bool {
        false
    }

    /// A value that is never shown.
    fn is_secret(&self) -> bool {
        false
    }

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

/// A size in bytes.
pub(super) struct Bytes {
    /// The smallest.
    pub(super) min: usize,
    /// The largest.
    pub(super) max: usize,
    /// Whether `"inf"` (`usize::MAX`) is allowed besides.
    pub(super) or_inf: bool,
}

impl Kind<usize> for Bytes {
    fn expected(&self) -> String {
        let inf = if self.or_inf { " or \"inf\"" } else { "" };
        format!(
            "a size such as \"10MB\" or \"64KiB\" (kB, MB, GB of 1000; KiB, MiB, GiB of 1024) or a number of bytes{inf}"
        )
    }

    fn unit(&self) -> String {
        let inf = if self.or_inf { ", or inf" } else { "" };
        format!("bytes, {} to {}{inf}", size_text(self.min), size_text(self.max))
    }

    fn read(&self, value: &DeValue<'_>) -> Option<usize> {
        match value {
            DeValue::String(text) if self.or_inf && text == "inf" => Some(usize::MAX),
            DeValue::String(text) => size(text)?.try_into().ok(),
            other => integer(other)?.try_into().ok(),
        }
    }

    fn write(&self, value: &usize) -> String {
        if self.or_inf && *value == usize::MAX { quoted("inf") } else { quoted(&size_text(*value)) }
    }

    fn check(&self, value: &usize) -> Result<(), String> {
        let fits = (self.min..=self.max).contains(value) || (self.or_inf && *value == usize::MAX);
        let range = || format!("must be {} to {}, not {}", size_text(self.min), size_text(self.max), size_text(*value));
        fits.then_some(()).ok_or_else(range)
    }
}

/// A count.
pub(super) struct Count {
    /// What is counted.
    pub(super) of: &'static str,
    /// The smallest.
    pub(super) min: usize,
    /// The largest.
    pub(super) max: usize,
}

impl Kind<usize> for Count {
    fn expected(&self) -> String {
        format!("a number of {} such as {}", self.of, self.min.max(1))
    }

    fn unit(&self) -> String {
        format!("{}, {} to {}", self.of, self.min, self.max)
    }

    fn read(&self, value: &DeValue<'_>) -> Option<usize> {
        integer(value)?.try_into().ok()
    }

    fn write(&self, value: &usize) -> String {
        value.to_string()
    }

    fn check(&self, value: &usize) -> Result<(), String> {
        let fits = (self.min..=self.max).contains(value);
        fits.then_some(()).ok_or_else(|| format!("must be {} to {}, not {value}", self.min, self.max))
    }
}

/// A duration.
pub(super) struct Time {
    /// The shortest.
    pub(super) min: Duration,
    /// The longest.
    pub(super) max: Duration,
}

impl Kind<Duration> for Time {
    fn expected(&self) -> String {
        "a duration such as \"10s\", \"500ms\" or \"24h\", or a number of seconds such as 10".to_owned()
    }

    fn unit(&self) -> String {
        format!("duration, {} to {}", time_text(self.min), time_text(self.max))
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
        let fits = (self.min..=self.max).contains(value);
        let range = || format!("must be {} to {}, not {}", time_text(self.min), time_text(self.max), time_text(*value));
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

/// A whole number that is not negative.
fn integer(value: &DeValue<'_>) -> Option<u64> {
    let digits = value.as_integer()?;
    // A negative number fails here, so that the message says what was expected.
    u64::from_str_radix(digits.as_str(), digits.radix()).ok()
}

/// A value as it appears in the file, for messages.
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
