//! A password that this server signs in with elsewhere: never shown by accident.

use std::fmt;

/// Bytes of a password. More are a mistake, such as a wrong file.
pub const PASSWORD_BYTES: std::ops::RangeInclusive<usize> = 1..=1024;

/// Why a text is no password. The text itself is not repeated: it may be one with a mistake in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadPassword {
    /// How many bytes it has.
    pub bytes: usize,
}

impl fmt::Display for BadPassword {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (PASSWORD_BYTES.start(), PASSWORD_BYTES.end());
        write!(f, "a password has {least} to {most} bytes, and this one has {}", self.bytes)
    }
}

impl std::error::Error for BadPassword {}

/// See the module.
#[derive(Clone, PartialEq, Eq)]
pub struct Password(Box<str>);

impl Password {
    /// Takes all of a text: white space may be part of a password.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn parse(text: &str) -> Result<Password, BadPassword> {
        if PASSWORD_BYTES.contains(&text.len()) {
            Ok(Password(text.into()))
        } else {
            Err(BadPassword { bytes: text.len() })
        }
    }

    /// The password itself, for what signs in with it.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Password {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Password(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{BadPassword, PASSWORD_BYTES, Password};

    #[test]
    fn a_password_has_a_length_and_is_not_shown() {
        let most = *PASSWORD_BYTES.end();
        for text in ["p", " a b ", &"p".repeat(most)] {
            assert_eq!(Password::parse(text).expect("a password").reveal(), text);
        }
        for bytes in [0, most + 1] {
            let error = Password::parse(&"p".repeat(bytes)).expect_err("no password");
            assert_eq!(error, BadPassword { bytes });
            assert!(!error.to_string().contains("ppp"));
        }
        assert!(!format!("{:?}", Password::parse("hunter2")).contains("hunter"));
    }
}
