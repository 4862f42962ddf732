//! The field Sec-WebSocket-Extensions as a list of names with parameters (RFC 6455 section 9.1).

use crate::model::token::is_token;
use smallvec::SmallVec;
use std::borrow::Cow;

/// One extension that the client offers, with its parameters in the order written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Extension<'b> {
    /// Its registered name.
    pub name: &'b str,
    /// Its parameters.
    pub params: SmallVec<[Param<'b>; 4]>,
}

/// A parameter; its value unquoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param<'b> {
    /// Its name.
    pub name: &'b str,
    /// Its value, if it has one.
    pub value: Option<Cow<'b, str>>,
}

/// The field breaks its grammar, which fails the handshake (RFC 6455 section 9.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("Sec-WebSocket-Extensions is a list like: permessage-deflate; client_max_window_bits, other; a=\"b\"")]
pub struct BadExtensions;

/// Reads all values of the field as one list. Empty elements are skipped, as in every list of HTTP (RFC 9110 section
/// 5.6.1.2), and an empty field offers nothing.
///
/// # Errors
/// Something is not a token where one is required, or a quoted value is not a token once unquoted.
pub fn parse_extensions<'b>(values: &[&'b str]) -> Result<SmallVec<[Extension<'b>; 2]>, BadExtensions> {
    let mut extensions = SmallVec::new();
    for value in values {
        let mut rest = Rest(value);
        loop {
            rest.skip_spaces();
            if rest.take(b',') {
                continue;
            }
            if rest.0.is_empty() {
                break;
            }
            extensions.push(extension(&mut rest)?);
            if !rest.0.is_empty() && !rest.take(b',') {
                return Err(BadExtensions);
            }
        }
    }
    Ok(extensions)
}

fn extension<'b>(rest: &mut Rest<'b>) -> Result<Extension<'b>, BadExtensions> {
    let name = rest.token()?;
    let mut params = SmallVec::new();
    loop {
        rest.skip_spaces();
        if !rest.take(b';') {
            return Ok(Extension { name, params });
        }
        rest.skip_spaces();
        let name = rest.token()?;
        // RFC 6455 section 9.1 uses the grammar of RFC 2616, where white space may stand between any two tokens.
        rest.skip_spaces();
        let value = if rest.take(b'=') { Some(rest.value()?) } else { None };
        params.push(Param { name, value });
    }
}

/// What has not been read yet.
struct Rest<'b>(&'b str);

impl<'b> Rest<'b> {
    fn skip_spaces(&mut self) {
        self.0 = self.0.trim_start_matches([' ', '\t']);
    }

    fn take(&mut self, wanted: u8) -> bool {
        let there = self.0.as_bytes().first() == Some(&wanted);
        if there {
            self.0 = &self.0[1..];
        }
        there
    }

    fn token(&mut self) -> Result<&'b str, BadExtensions> {
        let end = self.0.find([' ', '\t', ';', ',', '=', '"']).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        if is_token(token) { Ok(token) } else { Err(BadExtensions) }
    }

    fn value(&mut self) -> Result<Cow<'b, str>, BadExtensions> {
        self.skip_spaces();
        if !self.take(b'"') {
            return self.token().map(Cow::Borrowed);
        }
        let mut unquoted = String::new();
        loop {
            let next = self.0.chars().next().ok_or(BadExtensions)?;
            self.0 = &self.0[next.len_utf8()..];
            match next {
                '"' => break,
                '\\' => {
                    let escaped = self.0.chars().next().ok_or(BadExtensions)?;
                    self.0 = &self.0[escaped.len_utf8()..];
                    unquoted.push(escaped);
                }
                plain => unquoted.push(plain),
            }
        }
        if is_token(&unquoted) { Ok(Cow::Owned(unquoted)) } else { Err(BadExtensions) }
    }
}

#[cfg(test)]
mod tests {
    use super::parse_extensions;

    /// The list written out again, or why not.
    fn read(values: &[&str]) -> Option<String> {
        let extensions = parse_extensions(values).ok()?;
        let shown = extensions.iter().map(|extension| {
            let params = extension.params.iter().map(|param| match &param.value {
                Some(value) => format!(";{}={value}", param.name),
                None => format!(";{}", param.name),
            });
            format!("{}{}", extension.name, params.collect::<String>())
        });
        Some(shown.collect::<Vec<_>>().join(","))
    }

    #[test]
    fn lists_are_read_whatever_their_spacing_and_quoting() {
        for (value, expected) in [
            ("permessage-deflate", "permessage-deflate"),
            ("a;b", "a;b"),
            (" a ; b = 1\t; c , d ", "a;b=1;c,d"),
            ("a;b=\"1\"", "a;b=1"),
            ("a;b=\"\\1\\0\"", "a;b=10"),
            ("a,,b,", "a,b"),
            ("a;b;b=2", "a;b;b=2"),
        ] {
            assert_eq!(read(&[value]).as_deref(), Some(expected), "{value}");
        }
        for nothing in [&[][..], &[""], &[" "], &[","], &[", ,", ""]] {
            assert_eq!(read(nothing).as_deref(), Some(""), "{nothing:?}");
        }
        assert_eq!(read(&["a;b", "c"]).as_deref(), Some("a;b,c"), "two fields are one list");
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for value in [
            ";",
            "a;",
            "a; ;b",
            "a;b=",
            "a;b=;c",
            "a b",
            "a;b c",
            "a;b=\"",
            "a;b=\"1",
            "a;b=\"1\\",
            "a;=1",
            "a;b=\"\"",
            "a;b=\"1 2\"",
            "a;b=\"1,2\"",
            "a;b=1=2",
            "\"a\"",
            "a;\"b\"",
            "a;b=\"1\"2",
            "é",
            "a;b=é",
            "a/b",
        ] {
            assert_eq!(read(&[value]), None, "{value}");
        }
    }
}
