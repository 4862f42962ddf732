//! The secrets with which an app signs the names of channels: one, or two while one takes the place of the other.

use super::signing_secret::{BadSecret, SigningSecret};
use std::fmt;

/// How many count at once.
const SECRETS_MAX: usize = 2;

/// Why a text holds no secrets. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadSecrets {
    /// It holds this many lines.
    Count(usize),
    /// One of them has the wrong length.
    Secret(BadSecret),
}

impl fmt::Display for BadSecrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            BadSecrets::Count(count) => {
                write!(f, "there are 1 to {SECRETS_MAX} secrets, each on a line of its own, and here are {count}")
            }
            BadSecrets::Secret(problem) => write!(f, "{problem}"),
        }
    }
}

impl std::error::Error for BadSecrets {}

/// See the module.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignSecrets(Box<[SigningSecret]>);

impl SignSecrets {
    /// Reads secrets, each on a line of its own.
    ///
    /// # Errors
    /// There is none, there are more than two, or one is too short or too long.
    pub fn parse(text: &str) -> Result<SignSecrets, BadSecrets> {
        let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
        if !(1..=SECRETS_MAX).contains(&lines.len()) {
            return Err(BadSecrets::Count(lines.len()));
        }
        let secrets = lines.iter().map(|line| SigningSecret::parse(line.as_bytes())).collect::<Result<_, _>>();
        secrets.map(SignSecrets).map_err(BadSecrets::Secret)
    }

    /// Each of them.
    pub fn iter(&self) -> impl Iterator<Item = &SigningSecret> {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use super::{BadSecrets, SignSecrets};

    #[test]
    fn one_or_two_lines_are_secrets() {
        let (one, other) = ("a".repeat(32), "b".repeat(32));
        for (text, secrets) in [
            (one.clone(), vec![&one]),
            (format!(" {one}\r\n\n"), vec![&one]),
            (format!("{one}\n{other}\n"), vec![&one, &other]),
        ] {
            let read = SignSecrets::parse(&text).expect("secrets");
            assert!(read.iter().map(|secret| secret.reveal()).eq(secrets.iter().map(|secret| secret.as_bytes())));
            assert!(!format!("{read:?}").contains("aaa"));
        }
        for (text, count) in [(String::new(), 0), (format!("{one}\n{other}\n{one}"), 3)] {
            assert_eq!(SignSecrets::parse(&text), Err(BadSecrets::Count(count)));
        }
        let error = SignSecrets::parse(&format!("{one}\n{}", "b".repeat(31))).expect_err("too short").to_string();
        assert!(error.contains("31") && !error.contains("bbb"), "{error}");
    }
}
