//! Finds the members of an object and the items of an array as spans of the text itself, without recursion.
//!
//! Everything here expects text that [`super::validate`] has accepted (at any depth). Given other text it may yield
//! less or nothing, but it never panics and always ends.

/// One member of an object, as spans of its text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The key with its quotation marks, escapes untouched.
    pub key: &'a [u8],
    /// The value, without the white space around it.
    pub value: &'a [u8],
}

/// The members of an object, in their order; see [`members`].
#[derive(Debug, Clone)]
pub struct Members<'a>(Cursor<'a>);

/// The items of an array, in order; see [`items`].
#[derive(Debug, Clone)]
pub struct Items<'a>(Cursor<'a>);

/// The members of the object that `value` is; none when it is not an object.
#[must_use]
pub fn members(value: &[u8]) -> Members<'_> {
    Members(Cursor::inside(value, b'{'))
}

/// The items of the array that `value` is; none when it is not an array.
#[must_use]
pub fn items(value: &[u8]) -> Items<'_> {
    Items(Cursor::inside(value, b'['))
}

/// `text` without the white space of JSON at its ends.
#[must_use]
pub fn trim(text: &[u8]) -> &[u8] {
    let start = text.iter().position(|b| !is_space(*b)).unwrap_or(text.len());
    let end = text.iter().rposition(|b| !is_space(*b)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// How deeply arrays and objects are nested; 0 for a number, string, boolean or null.
#[must_use]
pub fn depth(text: &[u8]) -> usize {
    let mut cursor = Cursor { rest: text };
    let (mut now, mut deepest) = (0_usize, 0);
    while let Some(&byte) = cursor.rest.first() {
        match byte {
            b'"' => {
                cursor.string();
                continue;
            }
            b'[' | b'{' => {
                now += 1;
                deepest = deepest.max(now);
            }
            // Text that was not validated may close what it never opened.
            b']' | b'}' => now = now.saturating_sub(1),
            _ => {}
        }
        cursor.rest = &cursor.rest[1..];
    }
    deepest
}

/// Whether JSON counts the byte as white space.
#[must_use]
pub const fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r')
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        self.0.skip(b',');
        if *self.0.rest.first()? != b'"' {
            return None;
        }
        let key = self.0.string();
        self.0.skip(b':');
        let value = self.0.value()?;
        Some(Member { key, value })
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        self.0.skip(b',');
        self.0.value()
    }
}

/// What is still to be read.
#[derive(Debug, Clone, Copy)]
struct Cursor<'a> {
    rest: &'a [u8],
}

impl<'a> Cursor<'a> {
    /// After the opening bracket of `value`, or at the end when it does not begin with one.
    fn inside(value: &'a [u8], bracket: u8) -> Cursor<'a> {
        match trim(value).split_first() {
            Some((&first, rest)) if first == bracket => Cursor { rest },
            _ => Cursor { rest: &[] },
        }
    }

    /// Skips white space, past one `separator` if it is there, and past white space again.
    fn skip(&mut self, separator: u8) {
        self.skip_space();
        if self.rest.first() == Some(&separator) {
            self.rest = &self.rest[1..];
            self.skip_space();
        }
    }

    fn skip_space(&mut self) {
        let spaces = self.rest.iter().position(|b| !is_space(*b)).unwrap_or(self.rest.len());
        self.rest = &self.rest[spaces..];
    }

    /// Takes the value that begins here; `None` at a closing bracket and at the end.
    fn value(&mut self) -> Option<&'a [u8]> {
        match *self.rest.first()? {
            b'"' => Some(self.string()),
            b'[' | b'{' => Some(self.container()),
            b']' | b'}' | b',' | b':' => None,
            _ => Some(self.scalar()),
        }
    }

    /// Takes a number, `true`, `false` or `null`: all up to white space, a comma or a bracket.
    fn scalar(&mut self) -> &'a [u8] {
        let ends = |b: &u8| is_space(*b) || matches!(b, b',' | b']' | b'}');
        let length = self.rest.iter().position(ends).unwrap_or(self.rest.len());
        self.take(length)
    }

    /// Takes the array or object that begins here.
    fn container(&mut self) -> &'a [u8] {
        let start = *self;
        // One count for both kinds of bracket: in valid JSON they match.
        let mut open = 0_usize;
        while let Some(&byte) = self.rest.first() {
            if byte == b'"' {
                self.string();
                continue;
            }
            self.rest = &self.rest[1..];
            match byte {
                b'[' | b'{' => open += 1,
                // Cannot wrap: the first byte opens, and the loop ends when the count is back at zero.
                b']' | b'}' => open -= 1,
                _ => {}
            }
            if open == 0 {
                break;
            }
        }
        &start.rest[..start.rest.len() - self.rest.len()]
    }

    /// Takes the string that begins here, quotation marks included.
    fn string(&mut self) -> &'a [u8] {
        let mut at = 1;
        loop {
            // `at` lies beyond the end where broken text ends in a backslash.
            at += plain_length(self.rest.get(at..).unwrap_or_default());
            match self.rest.get(at) {
                // Enough for `\u` as well: its four digits cannot end a string.
                Some(b'\\') => at += 2,
                Some(_) => return self.take(at + 1),
                None => return self.take(self.rest.len()),
            }
        }
    }

    fn take(&mut self, length: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(length.min(self.rest.len()));
        self.rest = rest;
        taken
    }
}

/// How many bytes come before the first `"` or `\`.
///
/// Compilers turn a loop over 32 bytes without an early exit into a few vector instructions.
fn plain_length(bytes: &[u8]) -> usize {
    let special = |b: u8| b == b'"' || b == b'\\';
    let blocks = bytes.chunks_exact(32).take_while(|block| !block.iter().fold(false, |hit, b| hit | special(*b)));
    let plain = blocks.count() * 32;
    let tail = &bytes[plain..];
    plain + tail.iter().position(|b| special(*b)).unwrap_or(tail.len())
}

#[cfg(test)]
mod tests {
    use super::{Member, depth, items, members, trim};

    fn spans(object: &str) -> Vec<(&str, &str)> {
        let text = |bytes| std::str::from_utf8(bytes).expect("spans end between characters");
        members(object.as_bytes()).map(|Member { key, value }| (text(key), text(value))).collect()
    }

    #[test]
    fn members_are_spans_of_the_text_itself() {
        let object =
            " {\"a\" : 1.10 ,\"b\\\"\":\t[1, {\"x\":\"]}\"} ] ,\n\"c\":\"q\\\\\",\"\":{},\"d\":-0,\"a\":null} ";
        let expected = [
            ("\"a\"", "1.10"),
            ("\"b\\\"\"", "[1, {\"x\":\"]}\"} ]"),
            ("\"c\"", "\"q\\\\\""),
            ("\"\"", "{}"),
            ("\"d\"", "-0"),
            ("\"a\"", "null"),
        ];
        assert_eq!(spans(object), expected);
        assert_eq!(spans("{}"), []);
        assert_eq!(spans("{ }"), []);
        assert_eq!(spans("[1]"), []);
    }

    #[test]
    fn items_are_spans_of_the_text_itself() {
        let found: Vec<_> = items(b"[1 ,[2,3], {\"a\":[]} ,\"x,]\" , true,123456789012345678901234567890 ]").collect();
        let expected: [&[u8]; 6] =
            [b"1", b"[2,3]", b"{\"a\":[]}", b"\"x,]\"", b"true", b"123456789012345678901234567890"];
        assert_eq!(found, expected);
        assert_eq!(items(b"[]").count(), 0);
        assert_eq!(items(b" [ ] ").count(), 0);
        assert_eq!(items(b"{\"a\":1}").count(), 0);
    }

    #[test]
    fn strings_end_where_they_end_at_every_length() {
        for length in 0..200 {
            for escape in ["", "\\\"", "\\\\", "\\u005c", "\\\\\\\""] {
                let value = format!("\"{}{escape}{}\"", "é".repeat(length / 2), "x".repeat(length % 67));
                let object = format!("{{\"a\":{value},\"b\":[{value}]}}");
                assert_eq!(spans(&object), [("\"a\"", value.as_str()), ("\"b\"", format!("[{value}]").as_str())]);
            }
        }
    }

    #[test]
    fn the_depth_counts_brackets_outside_strings() {
        for (text, expected) in
            [("1", 0), ("\"[[[\"", 0), ("[]", 1), ("[{}]", 2), ("[[],[[\"\\\"[\"]]]", 3), ("{\"[\":1}", 1)]
        {
            assert_eq!(depth(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn depth_costs_no_stack() {
        let deep = format!("{}{}", "[".repeat(1_000_000), "]".repeat(1_000_000));
        assert_eq!(depth(deep.as_bytes()), 1_000_000);
        assert_eq!(items(deep.as_bytes()).count(), 1);
    }

    #[test]
    fn broken_text_ends_without_a_panic() {
        let text = b" {\"a\":[1,{\"b\":\"x\\\\y\"},null],\"c\\\"\":{}} ";
        for start in 0..text.len() {
            for end in start..=text.len() {
                let part = &text[start..end];
                let _ = (members(part).count(), items(part).count(), depth(part), trim(part));
            }
        }
        for odd in
            ["{\"", "{\"\\", "[\"\\\"", "[}", "{]", "[]]]", "{\"a\"", "{\"a\":", "[,", "[:", "{\"a\":}", "[1,,2]"]
        {
            assert!(members(odd.as_bytes()).count() + items(odd.as_bytes()).count() < 5, "{odd}");
        }
    }
}
