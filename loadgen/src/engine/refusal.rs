//! A server's refusal: a status, and what its body says about it.

use super::http::Body;
use crate::reason::worded;

/// What of a body is kept, in bytes.
const KEPT: usize = 2048;

/// A refusal whose body comes.
#[derive(Debug)]
pub(super) struct Refusal {
    /// What was refused, and with which status.
    title: String,
    body: Body,
    text: Vec<u8>,
}

impl Refusal {
    /// A refusal whose head has come.
    pub(super) fn new(title: String, body: Body) -> Refusal {
        Refusal { title, body, text: Vec::new() }
    }

    /// Takes what was read of the body; how many bytes are done with.
    pub(super) fn read(&mut self, input: &[u8]) -> Result<usize, String> {
        let text = &mut self.text;
        self.body.read(input, &mut |bytes| keep(text, bytes))
    }

    /// Whether there is nothing more to read.
    pub(super) fn is_over(&self) -> bool {
        self.body.is_over() || self.text.len() >= KEPT
    }

    /// All of it in words.
    pub(super) fn words(&self) -> String {
        worded(&self.title, &self.text)
    }
}

/// Keeps the begin of a body.
pub(super) fn keep(text: &mut Vec<u8>, bytes: &[u8]) {
    text.extend_from_slice(&bytes[..bytes.len().min(KEPT.saturating_sub(text.len()))]);
}

#[cfg(test)]
mod tests {
    use super::{Body, Refusal};

    #[test]
    fn a_body_without_an_end_is_not_waited_for() {
        let mut refusal = Refusal::new("no".to_owned(), Body::Rest);
        assert_eq!((refusal.read(b"abc"), refusal.is_over(), refusal.words()), (Ok(3), false, "no: abc".to_owned()));
        assert_eq!((refusal.read(&[b'x'; 5000]), refusal.is_over()), (Ok(5000), true));
        assert!(Refusal::new("no".to_owned(), Body::Length(0)).is_over());
    }
}
