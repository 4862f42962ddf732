//! Patterns of channel names, for rules and grants: one grammar, compiled once.

use super::name::NAME_BYTES_MAX;
use std::fmt;

/// A pattern of channel names. `*` stands for a run of any length without `:` `/` `.`, `**` for anything, and a lone `*` for
/// anything, too; every other character stands for itself.
///
/// A name without stars matches itself alone. Matching takes at most the length of the name times that of the pattern.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Glob {
    text: Box<str>,
    form: Form,
}

/// What a pattern needs to be matched.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Form {
    /// No star: the name itself.
    Literal,
    /// Text, and then one star, or two, at the very end.
    Prefix { bytes: u8, anything: bool },
    /// Text, which may be empty, and then stars elsewhere, or several of them.
    Pieces { bytes: u8, pieces: Box<[Piece]> },
}

/// A star, and the text from it to the next star or to the end, by its place in the pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Piece {
    anything: bool,
    begin: u8,
    end: u8,
}

impl Piece {
    fn text<'p>(&self, pattern: &'p str) -> &'p [u8] {
        &pattern.as_bytes()[usize::from(self.begin)..usize::from(self.end)]
    }

    /// Where what its star stands for may begin, if it reaches to the end of a text.
    fn first_place_before_end(&self, text: &[u8]) -> usize {
        let last = if self.anything { None } else { text.iter().rposition(|byte| is_separator(*byte)) };
        last.map_or(0, |separator| separator + 1)
    }
}

/// Why a text is no pattern.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GlobFault {
    /// It is empty.
    Empty,
    /// It has this many bytes, which is more than a name can have.
    TooLong(usize),
    /// Three stars or more in a row.
    Stars,
    /// A character that no name has.
    Character(char),
}

impl fmt::Display for GlobFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            GlobFault::Empty => f.write_str("a pattern is not empty; ** matches every channel"),
            GlobFault::TooLong(bytes) => {
                write!(f, "a pattern has at most {NAME_BYTES_MAX} bytes, and this one has {bytes}")
            }
            GlobFault::Stars => {
                f.write_str("a pattern has * (a run without : / .) and ** (anything), never three stars in a row")
            }
            GlobFault::Character(c @ ('\\' | '?')) => {
                write!(f, "no channel's name has a \"{c}\", so this pattern matches none; only * and ** are special")
            }
            GlobFault::Character(c) => {
                write!(f, "no channel's name has a control character (here U+{:04X})", u32::from(*c))
            }
        }
    }
}

impl std::error::Error for GlobFault {}

/// Where a single star stops.
const fn is_separator(byte: u8) -> bool {
    matches!(byte, b':' | b'/' | b'.')
}

impl Glob {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It is empty, too long, has three stars in a row or a character that no name has.
    pub fn parse(text: &str) -> Result<Glob, GlobFault> {
        if text.is_empty() {
            return Err(GlobFault::Empty);
        }
        if text.len() > NAME_BYTES_MAX {
            return Err(GlobFault::TooLong(text.len()));
        }
        if let Some(c) = text.chars().find(|c| c.is_control() || matches!(c, '\\' | '?')) {
            return Err(GlobFault::Character(c));
        }
        if text.contains("***") {
            return Err(GlobFault::Stars);
        }
        Ok(Glob { text: text.into(), form: form(text) })
    }

    /// The pattern of every channel.
    #[must_use]
    pub fn everything() -> Glob {
        Glob { text: "**".into(), form: form("**") }
    }

    /// Whether a name has this form.
    #[must_use]
    #[inline]
    pub fn matches(&self, name: &str) -> bool {
        match &self.form {
            Form::Literal => *self.text == *name,
            Form::Prefix { bytes, anything } => {
                let prefix = &self.text.as_bytes()[..usize::from(*bytes)];
                name.as_bytes()
                    .strip_prefix(prefix)
                    .is_some_and(|rest| *anything || !rest.iter().copied().any(is_separator))
            }
            Form::Pieces { bytes, pieces } => {
                let prefix = &self.text.as_bytes()[..usize::from(*bytes)];
                name.as_bytes().strip_prefix(prefix).is_some_and(|rest| matches_pieces(&self.text, pieces, rest))
            }
        }
    }

    /// The pattern as it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// What every name that matches begins with: the text before the first star.
    pub(super) fn prefix(&self) -> &str {
        self.text.split('*').next().unwrap_or_default()
    }

    /// What every name that matches ends with: the text after the last star.
    pub(super) fn suffix(&self) -> &str {
        self.text.rsplit('*').next().unwrap_or_default()
    }
}

impl fmt::Debug for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Glob({})", self.text)
    }
}

impl fmt::Display for Glob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

fn form(text: &str) -> Form {
    let Some(first) = text.find('*') else { return Form::Literal };
    // At most `NAME_BYTES_MAX`, which a byte holds.
    let bytes = first as u8;
    match &text[first..] {
        // Alone it stands for every name: people write "*" and mean all.
        "*" => Form::Prefix { bytes, anything: first == 0 },
        "**" => Form::Prefix { bytes, anything: true },
        _ => Form::Pieces { bytes, pieces: pieces(text) },
    }
}

fn pieces(pattern: &str) -> Box<[Piece]> {
    let mut pieces = Vec::new();
    let mut at = 0;
    while let Some(star) = pattern[at..].find('*').map(|star| at + star) {
        let anything = pattern[star + 1..].starts_with('*');
        let begin = star + 1 + usize::from(anything);
        at = pattern[begin..].find('*').map_or(pattern.len(), |next| begin + next);
        pieces.push(Piece { anything, begin: begin as u8, end: at as u8 });
    }
    pieces.into_boxed_slice()
}

/// Whether pieces match what follows the text before the first star. Nearly all names that do not match end in another way,
/// and are walked over by nobody.
fn matches_pieces(pattern: &str, pieces: &[Piece], rest: &[u8]) -> bool {
    let Some((last, others)) = pieces.split_last() else { return rest.is_empty() };
    let Some(rest) = rest.strip_suffix(last.text(pattern)) else { return false };
    let first = last.first_place_before_end(rest);
    if others.is_empty() { first == 0 } else { places_after(pattern, others, rest)[first..=rest.len()].contains(&true) }
}

/// Places in a name, and its end.
type Places = [bool; NAME_BYTES_MAX + 1];
const NOWHERE: Places = [false; NAME_BYTES_MAX + 1];

/// Where these pieces may end in a text. For each it is walked over once with all places where it may begin: patterns come in
/// tokens as well, so none may make it go back and forth.
fn places_after(pattern: &str, pieces: &[Piece], text: &[u8]) -> Places {
    let mut reached = NOWHERE;
    reached[0] = true;
    for piece in pieces {
        let (own, mut next, mut may_begin, mut ends) = (piece.text(pattern), NOWHERE, false, false);
        for (at, byte) in text.iter().enumerate() {
            may_begin |= reached[at];
            // Its first byte by itself: at nearly all places there is another one.
            if may_begin && own.first() == Some(byte) && text[at..].starts_with(own) {
                next[at + own.len()] = true;
                ends = true;
            }
            may_begin &= piece.anything || !is_separator(*byte);
        }
        if !ends {
            return NOWHERE;
        }
        reached = next;
    }
    reached
}

#[cfg(test)]
mod tests {
    use super::{Glob, GlobFault, is_separator};
    use proptest::prelude::{prop_assert_eq, proptest};

    #[test]
    fn stars_stand_for_runs_and_two_stars_for_anything() {
        for (pattern, yes, no) in [
            ("news", &["news"][..], &["news2", "new", "NEWS", "news:a"][..]),
            ("*", &["a", "a:b", "a/b.c:d", "ä"], &[]),
            ("**", &["a", "a:b/c"], &[]),
            (
                "private-*",
                &["private-", "private-a", "private-ä"],
                &["private", "private-a:b", "private-a.b", "private-a/b"],
            ),
            ("private-**", &["private-", "private-a:b/c.d"], &["private", "xprivate-a"]),
            ("chat:*", &["chat:a", "chat:"], &["chat:a:b", "chat", "chat.a"]),
            ("chat:*:in", &["chat:a:in", "chat::in"], &["chat:a:b:in", "chat:a:out", "chat:a:in:x"]),
            ("*:in", &["a:in", ":in"], &["a:b:in", "a:in:b"]),
            ("**:in", &["a:in", "a:b:in", ":in", "in:in"], &["in", "a:in:b"]),
            ("a*b*c", &["abc", "aXbYc", "abbc", "abcbc"], &["a:bc", "ab", "abcd"]),
            ("a**c", &["ac", "a:b:c", "acc"], &["a", "ca"]),
            ("**a*", &["a", "xa", "x:ya", "x:yaz", "a:a"], &["a:b", "x"]),
            ("*a:b*", &["a:b", "xa:by"], &["x:a:b", "xa:b:y", "a:c"]),
            ("*aa", &["aa", "aaa"], &["a", "a:aa"]),
            ("**aa*aa", &["aaaa", ":aaaaa", "aa:aaaa"], &["aaa", "aa:aa"]),
            ("*ab**ab*", &["abab", "xab:abx", "ab:abab"], &["ab", "x:abab", "abab:"]),
            ("user/*/inbox/**", &["user/1/inbox/", "user/1/inbox/a/b"], &["user/1/2/inbox/a", "user/1/inbox"]),
        ] {
            let glob = Glob::parse(pattern).expect(pattern);
            assert_eq!(glob.as_str(), pattern);
            yes.iter().for_each(|name| assert!(glob.matches(name), "{pattern} {name}"));
            no.iter().for_each(|name| assert!(!glob.matches(name), "{pattern} {name}"));
        }
    }

    #[test]
    fn what_no_name_has_is_no_pattern() {
        for (text, fault) in [
            ("", GlobFault::Empty),
            ("a***", GlobFault::Stars),
            ("****", GlobFault::Stars),
            ("a?", GlobFault::Character('?')),
            ("a\\*", GlobFault::Character('\\')),
            ("a\n", GlobFault::Character('\n')),
        ] {
            assert_eq!(Glob::parse(text), Err(fault), "{text:?}");
        }
        assert!(Glob::parse(&"a".repeat(255)).is_ok());
        assert_eq!(Glob::parse(&"a".repeat(256)), Err(GlobFault::TooLong(256)));
        assert!(Glob::parse(&"*a".repeat(127)).expect("a pattern").matches(&"a".repeat(255)), "at its longest");
    }

    /// The grammar, written down as plainly as possible.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match pattern {
            [] => name.is_empty(),
            [b'*', b'*', rest @ ..] => (0..=name.len()).any(|end| plainly(rest, &name[end..])),
            [b'*', rest @ ..] => (0..=name.len())
                .take_while(|end| !name[..*end].iter().copied().any(is_separator))
                .any(|end| plainly(rest, &name[end..])),
            [byte, rest @ ..] => name.first() == Some(byte) && plainly(rest, &name[1..]),
        }
    }

    proptest! {
        #[test]
        fn matching_is_what_the_grammar_says(pattern in "[ab:*]{1,8}", name in "[ab:]{1,10}") {
            if let Ok(glob) = Glob::parse(&pattern) {
                let expected = pattern == "*" || plainly(pattern.as_bytes(), name.as_bytes());
                prop_assert_eq!(glob.matches(&name), expected, "{} {}", pattern, name);
            }
        }
    }
}
