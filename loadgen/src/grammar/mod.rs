//! Everything that a user types as a value: one grammar, and errors that point at the character.
//!
//! ```text
//! count      10k  1.5M  200                     k = 1,000  M = 1,000,000  G = 1,000,000,000
//! rate       5k  5k/s  300/m                    events per second, or per minute
//! duration   500ns  250us  10ms  30s  2m  1h30m
//! size       128  1KiB  16k  1MiB  64KB         k = KiB = 1,024  KB = 1,000
//! ramp       0:10k/30s,10k:2k/5s                from:to/over, one after the other; or one rate
//! sizes      128   128..1KiB   128:90%,16KiB:10%
//! threshold  METRIC OP VALUE, with OP one of < <= > >= ==
//! ```

mod number;
mod scenario;
mod threshold;

pub use number::{count, duration, ramp, rate, share, size, sizes};
pub use scenario::{GroupSpec, Scenario, Value};
pub use threshold::{METRICS, Metric, Op, Stat, Threshold, Unit, thresholds};

use std::fmt;
use std::ops::Range;

/// A text that is not what it should be, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BadText {
    /// The whole text.
    pub text: String,
    /// The bytes of it that are wrong.
    pub place: Range<usize>,
    /// What was expected there.
    pub expected: String,
}

impl BadText {
    fn new(text: &str, place: Range<usize>, expected: impl Into<String>) -> BadText {
        BadText { text: text.to_owned(), place, expected: expected.into() }
    }
}

impl fmt::Display for BadText {
    /// The text, and below the wrong part of it a line with carets and what was expected.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let before = self.text[..self.place.start].chars().count();
        let width = self.text[self.place.clone()].chars().count().max(1);
        write!(f, "  {}\n  {}{} expected {}", self.text, " ".repeat(before), "^".repeat(width), self.expected)
    }
}

impl std::error::Error for BadText {}

/// A part of a text, with its place in it.
#[derive(Debug, Clone, Copy)]
struct Part<'a> {
    whole: &'a str,
    begin: usize,
    end: usize,
}

impl<'a> Part<'a> {
    fn of(whole: &'a str) -> Part<'a> {
        Part { whole, begin: 0, end: whole.len() }.trimmed()
    }

    fn text(&self) -> &'a str {
        &self.whole[self.begin..self.end]
    }

    fn trimmed(self) -> Part<'a> {
        let text = self.text();
        let begin = self.begin + (text.len() - text.trim_start().len());
        Part { begin, end: begin + text.trim().len(), ..self }
    }

    /// Cuts at a place within this part.
    fn cut(self, at: usize) -> (Part<'a>, Part<'a>) {
        let middle = self.begin + at;
        (Part { end: middle, ..self }, Part { begin: middle, ..self })
    }

    /// The parts between separators.
    fn split(self, separator: char) -> Vec<Part<'a>> {
        let mut parts = Vec::new();
        let mut rest = self;
        while let Some(at) = rest.text().find(separator) {
            let (before, after) = rest.cut(at);
            parts.push(before.trimmed());
            rest = Part { begin: after.begin + separator.len_utf8(), ..after };
        }
        parts.push(rest.trimmed());
        parts
    }

    /// The parts before and after the first separator.
    fn split_once(self, separator: &str) -> Option<(Part<'a>, Part<'a>)> {
        let at = self.text().find(separator)?;
        let (before, after) = self.cut(at);
        Some((before.trimmed(), Part { begin: after.begin + separator.len(), ..after }.trimmed()))
    }

    fn wrong<T>(&self, expected: impl Into<String>) -> Result<T, BadText> {
        Err(BadText::new(self.whole, self.begin..self.end, expected))
    }
}
