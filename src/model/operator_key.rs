//! The operators' key: a secret that is compared in constant time and never shown by accident.

use std::fmt;
use subtle::ConstantTimeEq as _;

/// Bytes of a key. Fewer could be guessed; more are a mistake, such as a wrong file.
pub const KEY_BYTES: std::ops::RangeInclusive<usize> = 16..=256;

/// Why a text is not an operator key. The text itself is not repeated: it may be a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadKey {
    /// Its length.
    Length(usize),
    /// A byte that `Authorization: Bearer` cannot have.
    Character,
}

impl fmt::Display for BadKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (KEY_BYTES.start(), KEY_BYTES.end());
        match self {
            BadKey::Length(bytes) => {
                write!(f, "an operator key has {least} to {most} bytes, and this one has {bytes}")?
            }
            BadKey::Character => f.write_str("an operator key consists of letters, digits and - . _ ~ + / =")?,
        }
        f.write_str("; make one with: head -c 32 /dev/urandom | base64")
    }
}

impl std::error::Error for BadKey {}

/// A key whose holder is an operator.
#[derive(Clone, PartialEq, Eq)]
pub struct OperatorKey(Box<str>);

impl OperatorKey {
    /// Reads a key; white space around it, such as a file's last line end, is not part of it.
    ///
    /// # Errors
    /// It is too short, too long, or has bytes that `Authorization: Bearer` cannot have.
    pub fn parse(text: &str) -> Result<OperatorKey, BadKey> {
        let text = text.trim();
        if !KEY_BYTES.contains(&text.len()) {
            return Err(BadKey::Length(text.len()));
        }
        // RFC 6750 section 2.1 (token68); a fragment of a URL may have all of these, too.
        let fits = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~+/=".contains(&byte);
        if text.bytes().all(fits) { Ok(OperatorKey(text.into())) } else { Err(BadKey::Character) }
    }

    /// Whether `presented` is this key. The time it takes reveals at most the key's length.
    #[must_use]
    pub fn is(&self, presented: &str) -> bool {
        self.0.as_bytes().ct_eq(presented.as_bytes()).into()
    }

    /// The key itself, for the file that it is written to and the address that is printed.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for OperatorKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("OperatorKey(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{BadKey, KEY_BYTES, OperatorKey};

    #[test]
    fn a_key_has_a_length_and_characters_that_a_header_can_hold() {
        let (least, most) = (*KEY_BYTES.start(), *KEY_BYTES.end());
        for good in ["a".repeat(least), "a".repeat(most), format!(" {}\n", "-._~+/=Az09".repeat(2))] {
            assert_eq!(OperatorKey::parse(&good).expect("a key").reveal(), good.trim());
        }
        for bad in ["a".repeat(least - 1), "a".repeat(most + 1), String::new()] {
            assert_eq!(OperatorKey::parse(&bad), Err(BadKey::Length(bad.len())));
        }
        for bad in ["a b", "a\"b", "ä", "a\tb", "a,b"] {
            let error = OperatorKey::parse(&bad.repeat(16)).expect_err("no key");
            assert_eq!(error, BadKey::Character);
            assert!(!error.to_string().contains(bad), "what was given may be a secret");
        }
    }

    #[test]
    fn a_key_is_compared_whole_and_never_shown() {
        let key = OperatorKey::parse("0123456789abcdef").expect("a key");
        assert!(key.is("0123456789abcdef"));
        for other in ["", "0123456789abcde", "0123456789abcdefg", "0123456789abcdeF", " 0123456789abcdef"] {
            assert!(!key.is(other), "{other}");
        }
        assert!(!format!("{key:?}").contains("0123"));
    }
}
