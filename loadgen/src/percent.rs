//! Percent-encoding (RFC 3986 section 2.1): what a user types into a URL, and names inside paths.

/// What is not encoded in a path and query, besides letters, digits and what is encoded already.
const OF_PATHS: &[u8] = b"-._~!$&'()*+,;=:@/?";
/// What is not encoded in one segment of a path, besides letters and digits.
const OF_SEGMENTS: &[u8] = b"-._~!$&'()*+,;=:@";

/// A path with its query, as a user types it: what a URL cannot contain is encoded, and what is encoded already stays.
#[must_use]
pub fn path(text: &str) -> String {
    let bytes = text.as_bytes();
    let is_encoded =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    encoded(bytes, |at, byte| OF_PATHS.contains(&byte) || byte == b'%' && is_encoded(at))
}

/// A name as one segment of a path: decoded once it is the name again.
#[must_use]
pub fn segment(name: &str) -> String {
    encoded(name.as_bytes(), |_, byte| OF_SEGMENTS.contains(&byte))
}

fn encoded(bytes: &[u8], stays: impl Fn(usize, u8) -> bool) -> String {
    let mut text = String::with_capacity(bytes.len());
    for (at, byte) in bytes.iter().enumerate() {
        if byte.is_ascii_alphanumeric() || stays(at, *byte) {
            text.push(char::from(*byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}

/// The bytes that a text encodes; a `%` that begins no escape stays.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    let digit = |byte: Option<&u8>| byte.and_then(|byte| char::from(*byte).to_digit(16));
    let (bytes, mut out, mut at) = (text.as_bytes(), Vec::new(), 0);
    while let Some(byte) = bytes.get(at) {
        match (byte, digit(bytes.get(at + 1)), digit(bytes.get(at + 2))) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(*byte);
                at += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::{decoded, path, segment};
    use proptest::prelude::*;

    #[test]
    fn what_may_not_stand_in_a_path_is_encoded_and_what_is_encoded_stays() {
        assert_eq!(path("/чат 1/%2f?x=%zz&y=a+b#"), "/%D1%87%D0%B0%D1%82%201/%2f?x=%25zz&y=a+b%23");
        assert_eq!(path("/a-b_c.d~e/f:g@h,i;j='k'(l)*!$"), "/a-b_c.d~e/f:g@h,i;j='k'(l)*!$");
        assert_eq!((segment("a/b?c%d e"), segment("load-7:x.y")), ("a%2Fb%3Fc%25d%20e".into(), "load-7:x.y".into()));
        assert_eq!(decoded("p%40ss%"), b"p@ss%");
    }

    proptest! {
        #[test]
        fn a_name_in_a_segment_is_that_name_again(name in "\\PC{0,20}") {
            prop_assert_eq!(decoded(&segment(&name)), name.as_bytes());
            prop_assert_eq!(path(&path(&name)), path(&name));
        }
    }
}
