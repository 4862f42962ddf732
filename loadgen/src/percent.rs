//! Percent-encoding (RFC 3986 section 2.1): what a user types into a URL, and names inside paths.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What is encoded in one segment of a path: all but letters, digits and the signs that may stand there.
const OF_SEGMENTS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');
/// What is encoded in a path and its query. The sign `%` stays: see [`path`].
const OF_PATHS: &AsciiSet = &OF_SEGMENTS.remove(b'/').remove(b'?').remove(b'%');

/// A path with its query, as a user types it: what a URL cannot contain is encoded, and what is encoded already stays.
#[must_use]
pub fn path(text: &str) -> String {
    let mut parts = text.split('%');
    let mut typed = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let is_escape = part.as_bytes().get(..2).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
        typed.push_str(if is_escape { "%" } else { "%25" });
        typed.push_str(part);
    }
    utf8_percent_encode(&typed, OF_PATHS).to_string()
}

/// A name as one segment of a path: decoded once it is the name again.
#[must_use]
pub fn segment(name: &str) -> String {
    utf8_percent_encode(name, OF_SEGMENTS).to_string()
}

/// The bytes that a text encodes; a `%` that begins no escape stays.
#[must_use]
pub fn decoded(text: &str) -> Vec<u8> {
    percent_decode_str(text).collect()
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
