//! One line of the log, as text or as JSON: whatever a peer sent can neither end the line nor begin a field.

use log::kv::{Key, Value, VisitSource};
use log::{Level, Record};
use std::fmt::{self, Write as _};
use std::time::{SystemTime, UNIX_EPOCH};

/// Bytes of one value; the rest is left out and marked.
const VALUE_BYTES: usize = 512;
/// Bytes of a whole line.
pub(super) const LINE_BYTES: usize = 8 * 1024;

/// The form of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// `2026-11-29T08:46:10.123Z WARN slow_reader "a sentence" peer=203.0.113.7:50000 reason=slow_consumer`
    Text,
    /// One JSON object with `time`, `level`, `event`, `message` and the fields.
    Json,
}

/// Writes a record as one line with its end.
#[must_use]
pub fn line(format: Format, record: &Record<'_>, wall: SystemTime) -> String {
    let mut fields = Fields { event: None, rest: String::new(), format };
    // Only a value that fails to display ends a visit: then the line has fewer fields.
    let _ = record.key_values().visit(&mut fields);
    let event = fields.event.unwrap_or_else(|| "log".to_owned());
    let mut out = String::with_capacity(256);
    let (time, level) = (stamp(wall), level(record.level(), format));
    // Writing to a String cannot fail.
    let _ = match format {
        Format::Text => write!(out, "{time} {level} {event} "),
        Format::Json => write!(out, "{{\"time\":\"{time}\",\"level\":\"{level}\",\"event\":\"{event}\",\"message\":"),
    };
    quoted(&mut out, record.args());
    out.push_str(&fields.rest);
    out.push_str(if format == Format::Json { "}\n" } else { "\n" });
    out
}

/// The fields but for the event, each after a separator.
struct Fields {
    event: Option<String>,
    rest: String,
    format: Format,
}

impl<'kvs> VisitSource<'kvs> for Fields {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        if key.as_str() == "event" {
            // It is written without quotation marks in both formats, so it may have nothing that needs them.
            self.event = Some(value.to_string().chars().filter(|c| is_bare(*c)).collect());
            return Ok(());
        }
        // Half, since one more value and the message come on top.
        if self.rest.len() > LINE_BYTES / 2 {
            return Ok(());
        }
        let rest = &mut self.rest;
        let _ = match self.format {
            Format::Text => write!(rest, " {}=", key.as_str()),
            Format::Json => write!(rest, ",\"{}\":", key.as_str()),
        };
        let number = value.to_u64();
        let start = rest.len();
        match number {
            Some(number) => {
                let _ = write!(rest, "{number}");
            }
            None => quoted(rest, &value),
        }
        if self.format == Format::Text && number.is_none() {
            unquote_if_bare(rest, start);
        }
        Ok(())
    }
}

/// A word needs no quotation marks in a line of text.
fn unquote_if_bare(out: &mut String, start: usize) {
    let inside = &out[start + 1..out.len() - 1];
    if !inside.is_empty() && inside.chars().all(is_bare) {
        out.pop();
        out.remove(start);
    }
}

fn is_bare(c: char) -> bool {
    // No space, no `=` and no quotation mark: without these a value cannot look like the next field.
    c.is_ascii_alphanumeric() || "-._~:/@+%[],?&#!*();".contains(c)
}

/// A text in quotation marks, with the escapes of JSON for everything that could be taken for something else.
fn quoted(out: &mut String, text: &dyn fmt::Display) {
    out.push('"');
    // Only the limit ends it early.
    if write!(Escaped { out, left: VALUE_BYTES }, "{text}").is_err() {
        out.push('…');
    }
    out.push('"');
}

/// Escapes what is written to it, up to a number of bytes.
struct Escaped<'a> {
    out: &'a mut String,
    left: usize,
}

impl fmt::Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for c in text.chars() {
            self.left = self.left.checked_sub(c.len_utf8()).ok_or(fmt::Error)?;
            match c {
                '"' | '\\' => self.out.extend(['\\', c]),
                '\n' => self.out.push_str("\\n"),
                '\r' => self.out.push_str("\\r"),
                '\t' => self.out.push_str("\\t"),
                c if is_misleading(c) => write!(self.out, "\\u{:04x}", u32::from(c))?,
                c => self.out.push(c),
            }
        }
        Ok(())
    }
}

/// Control characters (a terminal obeys them), and characters that some programs take for the end of a line or that turn
/// the direction of text. All of them are below U+10000.
fn is_misleading(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{2028}' | '\u{2029}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}

fn level(level: Level, format: Format) -> &'static str {
    match (level, format) {
        (Level::Error, Format::Text) => "ERROR",
        (Level::Warn, Format::Text) => "WARN",
        (Level::Info, Format::Text) => "INFO",
        (Level::Debug, Format::Text) => "DEBUG",
        (Level::Trace, Format::Text) => "TRACE",
        (Level::Error, Format::Json) => "error",
        (Level::Warn, Format::Json) => "warn",
        (Level::Info, Format::Json) => "info",
        (Level::Debug, Format::Json) => "debug",
        (Level::Trace, Format::Json) => "trace",
    }
}

/// A time in the format of RFC 3339, in UTC with milliseconds.
fn stamp(wall: SystemTime) -> String {
    let since = wall.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (days, second) = ((since.as_secs() / 86_400) as i64, since.as_secs() % 86_400);
    let (year, month, day) = date(days);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.{:03}Z",
        second / 3600,
        second / 60 % 60,
        second % 60,
        since.subsec_millis()
    )
}

/// The date of the day `days` days after 1970-01-01. Years are counted from March, so that a leap day ends one; 400 of
/// them have 146,097 days.
fn date(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 { from_march + 3 } else { from_march - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::{Format, VALUE_BYTES, line, stamp};
    use log::{Level, Record};
    use std::time::{Duration, UNIX_EPOCH};

    fn written(format: Format, message: &str, fields: &[(&str, &str)]) -> String {
        let wall = UNIX_EPOCH + Duration::from_millis(1_796_028_370_123);
        let mut record = Record::builder();
        line(format, &record.level(Level::Warn).key_values(&fields).args(format_args!("{message}")).build(), wall)
    }

    #[test]
    fn a_line_has_time_level_event_sentence_and_fields() {
        let fields =
            [("event", "slow_reader"), ("peer", "[::1]:80"), ("reason", "slow_consumer"), ("note", "two words")];
        assert_eq!(
            written(Format::Text, "a reader", &fields),
            "2026-11-30T08:46:10.123Z WARN slow_reader \"a reader\" peer=[::1]:80 reason=slow_consumer note=\"two words\"\n"
        );
        assert_eq!(
            written(Format::Json, "a reader", &fields),
            "{\"time\":\"2026-11-30T08:46:10.123Z\",\"level\":\"warn\",\"event\":\"slow_reader\",\"message\":\"a reader\",\
             \"peer\":\"[::1]:80\",\"reason\":\"slow_consumer\",\"note\":\"two words\"}\n"
        );
    }

    #[test]
    fn nothing_that_a_peer_sends_ends_a_line_or_begins_a_field() {
        let evil =
            "x\r\n2026-11-29T00:00:00.000Z ERROR forged \u{1b}[2J\u{9b}1m\u{7f}\0 peer=\"1\" \\ \u{2028}\u{202e}";
        for format in [Format::Text, Format::Json] {
            let text = written(format, evil, &[("event", "refu\nsed"), ("origin", evil), ("empty", "")]);
            assert_eq!(text.matches('\n').count(), 1, "{text:?}");
            assert!(text.ends_with('\n') && !text.trim_end_matches('\n').contains(char::is_control), "{text:?}");
            assert!(!text.contains(['\u{2028}', '\u{202e}']), "{text:?}");
            assert!(text.contains("refused"), "{text:?}");
        }
        let text = written(Format::Text, "m", &[("origin", "a peer=b"), ("empty", "")]);
        assert!(text.ends_with(" origin=\"a peer=b\" empty=\"\"\n"), "{text}");
        let json = written(Format::Json, evil, &[("origin", evil)]);
        let read: serde_json::Value = serde_json::from_str(&json).expect("valid JSON");
        assert_eq!((read["message"].as_str(), read["origin"].as_str()), (Some(evil), Some(evil)));
    }

    #[test]
    fn a_value_up_to_the_limit_is_whole_and_a_longer_one_is_cut_and_marked() {
        let fits = "é".repeat(VALUE_BYTES / 2);
        assert!(written(Format::Text, &fits, &[]).ends_with(&format!("{fits}\"\n")));
        assert!(written(Format::Text, &format!("{fits}x"), &[]).ends_with(&format!("{fits}…\"\n")));
        let many: Vec<(&str, &str)> = vec![("a", fits.as_str()); 100];
        assert!(written(Format::Json, &fits, &many).len() <= super::LINE_BYTES);
    }

    #[test]
    fn days_become_dates_also_around_leap_days() {
        for (seconds, expected) in [
            (0, "1970-01-01T00:00:00.000Z"),
            (951_782_399, "2000-02-28T23:59:59.000Z"),
            (951_782_400, "2000-02-29T00:00:00.000Z"),
            (1_709_251_199, "2024-02-29T23:59:59.000Z"),
            (1_709_251_200, "2024-03-01T00:00:00.000Z"),
            (4_107_542_400, "2100-03-01T00:00:00.000Z"),
        ] {
            assert_eq!(stamp(UNIX_EPOCH + Duration::from_secs(seconds)), expected);
        }
    }
}
