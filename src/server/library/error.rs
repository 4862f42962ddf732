//! Why the server refused a call of its own program.

use crate::model::code::Code;
use crate::model::refusal::Refusal;

/// Why something could not be published, read or subscribed to.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({}): {}", .0.label(), .0.status(), .0.message)]
pub struct Error(Refusal);

impl Error {
    pub(super) fn new(code: Code, message: impl Into<std::borrow::Cow<'static, str>>) -> Error {
        Error(Refusal::new(code, message))
    }

    /// The status that a client would get over HTTP (RFC 9110 section 15): 400 for what is wrong with the request itself, 503
    /// for what may work later.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.0.status()
    }

    /// A stable name for programs, as in the protocol: `bad_json`, `bad_channel`, `busy`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        self.0.label()
    }

    /// A sentence for people: what was wrong, what was expected.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.0.message
    }
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Error {
        Error(refusal)
    }
}
