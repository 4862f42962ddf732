//! The secret that a server shares with those that sign tokens for it: never shown by accident.

use std::fmt;

/// Bytes of a secret. Fewer could be guessed from a single token; more are a mistake, such as a wrong file.
pub const SECRET_BYTES: std::ops::RangeInclusive<usize> = 32..=1024;

/// Why bytes are no secret. They are not repeated: they may be one with a mistake in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BadSecret {
    /// How many they are.
    pub bytes: usize,
}

impl fmt::Display for BadSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (least, most) = (SECRET_BYTES.start(), SECRET_BYTES.end());
        write!(
            f,
            "the secret of an issuer has {least} to {most} bytes, and this one has {}; make one with: \
             head -c 48 /dev/urandom | base64",
            self.bytes
        )
    }
}

impl std::error::Error for BadSecret {}

/// A secret that signs tokens (HS256, HS384, HS512). Its bytes are taken as they were written: what looks like base64 is
/// not decoded, as libraries do it that take the secret as a text.
#[derive(Clone, PartialEq, Eq)]
pub struct SigningSecret(Box<[u8]>);

impl SigningSecret {
    /// Reads a secret. One line end at its end, such as a file's last one, is not part of it.
    ///
    /// # Errors
    /// It is too short or too long.
    pub fn parse(bytes: &[u8]) -> Result<SigningSecret, BadSecret> {
        let bytes = bytes.strip_suffix(b"\n").unwrap_or(bytes);
        let bytes = bytes.strip_suffix(b"\r").unwrap_or(bytes);
        if SECRET_BYTES.contains(&bytes.len()) {
            Ok(SigningSecret(bytes.into()))
        } else {
            Err(BadSecret { bytes: bytes.len() })
        }
    }

    /// The secret itself, for what signs or verifies with it.
    #[must_use]
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for SigningSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SigningSecret(…)")
    }
}

#[cfg(test)]
mod tests {
    use super::{BadSecret, SECRET_BYTES, SigningSecret};

    #[test]
    fn a_secret_has_a_length_and_the_line_end_of_its_file_is_not_part_of_it() {
        let (least, most) = (*SECRET_BYTES.start(), *SECRET_BYTES.end());
        for bytes in [least, most] {
            let text = "s".repeat(bytes);
            for written in [text.clone(), format!("{text}\n"), format!("{text}\r\n")] {
                let secret = SigningSecret::parse(written.as_bytes()).expect("a secret");
                assert_eq!(secret.reveal(), text.as_bytes());
            }
        }
        let spaced = format!(" {}\n\n", "s".repeat(least));
        assert_eq!(SigningSecret::parse(spaced.as_bytes()).map(|secret| secret.reveal().len()), Ok(least + 2));
        for bytes in [0, least - 1, most + 1] {
            let error = SigningSecret::parse("s".repeat(bytes).as_bytes()).expect_err("no secret");
            assert_eq!(error, BadSecret { bytes });
            assert!(!error.to_string().contains("sss"), "what was given may be a secret");
        }
    }

    #[test]
    fn a_secret_is_never_shown() {
        let secret = SigningSecret::parse("0123456789".repeat(4).as_bytes()).expect("a secret");
        assert_eq!(format!("{secret:?}"), "SigningSecret(…)");
    }
}
