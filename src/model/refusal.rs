//! What a request is told when it cannot be served: status, stable code, and a message that says what to do.

use std::borrow::Cow;

/// The refusal of one request, the same on every transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// An HTTP status (RFC 9110 section 15), on the socket too.
    pub status: u16,
    /// A stable name for programs, `snake_case`.
    pub code: &'static str,
    /// A sentence for people: what was wrong, what was expected, how to mend it.
    pub message: Cow<'static, str>,
}

impl Refusal {
    /// A refusal with a status, a stable code and a sentence for people.
    pub fn new(status: u16, code: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { status, code, message: message.into() }
    }
}
