//! Strings and numbers between Rust and JSON: reading a quoted string, writing one, writing digits.

use std::borrow::Cow;

/// Reads a JSON string with its quotation marks; `None` when it is not a string, or contains half of a surrogate pair.
#[must_use]
pub fn unquote(raw: &[u8]) -> Option<Cow<'_, str>> {
    let inner = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    if inner.contains(&b'\\') {
        return serde_json::from_slice::<String>(raw).ok().map(Cow::Owned);
    }
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// Writes `text` as a JSON string.
pub fn write_string(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let bytes = text.as_bytes();
    let mut from = 0;
    for (at, &byte) in bytes.iter().enumerate() {
        // From 0x80 on bytes are parts of characters, which JSON takes unescaped.
        if byte >= 0x20 && byte != b'"' && byte != b'\\' {
            continue;
        }
        out.extend_from_slice(&bytes[from..at]);
        write_escape(out, byte);
        from = at + 1;
    }
    out.extend_from_slice(&bytes[from..]);
    out.push(b'"');
}

fn write_escape(out: &mut Vec<u8>, byte: u8) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    match byte {
        b'"' => out.extend_from_slice(b"\\\""),
        b'\\' => out.extend_from_slice(b"\\\\"),
        b'\n' => out.extend_from_slice(b"\\n"),
        b'\r' => out.extend_from_slice(b"\\r"),
        b'\t' => out.extend_from_slice(b"\\t"),
        _ => {
            let (high, low) = (HEX[usize::from(byte >> 4)], HEX[usize::from(byte & 15)]);
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', high, low]);
        }
    }
}

/// Writes `number` in decimal digits.
pub fn write_number(out: &mut Vec<u8>, mut number: u64) {
    let mut digits = [0_u8; 20];
    let mut at = digits.len();
    loop {
        at -= 1;
        digits[at] = b'0' + (number % 10) as u8;
        number /= 10;
        if number == 0 {
            break;
        }
    }
    out.extend_from_slice(&digits[at..]);
}

#[cfg(test)]
mod tests {
    use super::{unquote, write_number, write_string};

    #[test]
    fn every_string_comes_back_from_its_json() {
        let all: String = (0..0x300).filter_map(char::from_u32).chain("消息😀\u{2028}\u{10ffff}".chars()).collect();
        for text in ["", "a", "\"", "\\", "a\"b\\c\n", &all] {
            let mut out = Vec::new();
            write_string(&mut out, text);
            assert_eq!(serde_json::from_slice::<String>(&out).expect(text), text);
            assert_eq!(unquote(&out).expect(text), text);
            assert!(out.iter().all(|byte| *byte >= 0x20), "a control character would break lines");
        }
    }

    #[test]
    fn only_whole_strings_are_unquoted() {
        assert_eq!(unquote(br#""m\u0065thod""#).expect("escaped"), "method");
        assert_eq!(unquote(br#""\ud83d\ude00""#).expect("a pair"), "😀");
        for bad in ["", "\"", "a", "\"a", "a\"", "1", r#""\ud800""#, r#""a\""#] {
            assert!(unquote(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn numbers_are_written_as_rust_writes_them() {
        for number in [0, 1, 9, 10, 99, 100, 12345, u64::from(u32::MAX), u64::MAX] {
            let mut out = Vec::new();
            write_number(&mut out, number);
            assert_eq!(out, number.to_string().into_bytes());
        }
    }
}
