//! Entries: publications as a log and a Redis keep them, which are read as they were written or refused.
//!
//! Input: the bytes of one entry.

use super::Target;
use tidings::wire::entry::{Entry, EntryFault};

const JSON: &str = "JSON";
const BINARY: &str = "binary";
const UNKNOWN: &str = "another version";
const SHORT: &str = "too short";
const TEXT: &str = "no text";

pub(crate) const TARGET: Target = Target {
    name: "entries",
    check,
    outcomes: &[JSON, BINARY, UNKNOWN, SHORT, TEXT],
    words: &["1", "\u{0}", "\u{1}", "\u{2}", "\u{4}", "\u{7}", "\u{3}a/b", "\u{4}tick", "{}", "\u{8}"],
};

fn check(data: &[u8]) -> &'static str {
    match Entry::read(data) {
        Ok(entry) => {
            let mut again = Vec::new();
            entry.write(&mut again);
            assert_eq!(Entry::read(&again), Ok(entry));
            assert!(again.len() <= data.len(), "a length may be written longer than it has to be");
            if entry.content_type.is_some() { BINARY } else { JSON }
        }
        Err(EntryFault::Unknown) => UNKNOWN,
        Err(EntryFault::Short) => SHORT,
        Err(EntryFault::Text) => TEXT,
    }
}
