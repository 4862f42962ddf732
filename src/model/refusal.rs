//! The answer to a request that is refused: a stable code, and a message that says what to do.

use super::code::Code;
use std::borrow::Cow;

/// The refusal of one request, the same on every transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Determines status, close code and label.
    pub code: Code,
    /// A sentence for people: what was wrong, what was expected, how to correct it.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a sentence of its own.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { code, message: message.into() }
    }

    /// An HTTP status (RFC 9110 section 15), on the socket too.
    #[must_use]
    pub const fn status(&self) -> u16 {
        self.code.http_status()
    }

    /// The code's name for programs, `snake_case`.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        self.code.label()
    }
}

impl From<Code> for Refusal {
    /// A refusal with the code's own sentence.
    fn from(code: Code) -> Self {
        Refusal::new(code, code.message())
    }
}
