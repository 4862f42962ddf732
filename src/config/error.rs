//! What is wrong with a configuration: every mistake at once, each in a sentence that says how to mend it.

use std::fmt;

/// A configuration that cannot be used. Displays one mistake per line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    problems: Vec<String>,
}

impl ConfigError {
    /// `Ok` when there is nothing to complain about.
    pub(crate) fn unless_empty(problems: Vec<String>) -> Result<(), ConfigError> {
        if problems.is_empty() { Ok(()) } else { Err(ConfigError { problems }) }
    }

    /// These mistakes.
    #[must_use]
    pub fn of(problems: Vec<String>) -> ConfigError {
        ConfigError { problems }
    }

    /// The mistakes, in the order of the file or of the sections.
    #[must_use]
    pub fn problems(&self) -> &[String] {
        &self.problems
    }
}

impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problems.join("\n"))
    }
}

impl std::error::Error for ConfigError {}
