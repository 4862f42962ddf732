//! The answer to a request that is refused: a stable code, and a message that says what to do.

use super::code::Code;
use super::publication::Position;
use std::borrow::Cow;
use std::time::Duration;

/// The refusal of one request, the same on every transport.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// Determines status, close code and label.
    pub code: Code,
    /// A sentence for people: what was wrong, what was expected, how to correct it.
    pub message: Cow<'static, str>,
    /// When the same would be allowed, in milliseconds from now; 0 when that is not known.
    pub retry_after_ms: u32,
    /// Where the channel is, of a publication that was to follow another position.
    pub position: Option<Box<Position>>,
}

impl Refusal {
    /// A refusal with a sentence of its own.
    pub fn new(code: Code, message: impl Into<Cow<'static, str>>) -> Self {
        Refusal { code, message: message.into(), retry_after_ms: 0, position: None }
    }

    /// The same, with the time after which it would be allowed: rounded up, and never 0, which says nothing.
    #[must_use]
    pub fn until(self, wait: Duration) -> Refusal {
        let ms = wait.as_nanos().div_ceil(1_000_000).max(1);
        Refusal { retry_after_ms: u32::try_from(ms).unwrap_or(u32::MAX), ..self }
    }

    /// That of a publication which was to follow another position than this, where the channel is.
    #[must_use]
    pub fn moved(position: Position) -> Refusal {
        Refusal { position: Some(Box::new(position)), ..Code::Moved.into() }
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
