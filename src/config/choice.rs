//! Knobs whose value is one of a few words.

use super::kind::{Kind, quoted};
use toml::de::DeValue;

/// How what connections have to say reaches their sockets at the end of a tick.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FlushPath {
    /// One `send(2)` or `writev(2)` for each connection.
    Writev,
    /// One `io_uring_enter(2)` for a publication's many readers; as [`FlushPath::Writev`], with a warning, where there is none.
    Uring,
    /// io_uring where the kernel gives one.
    Auto,
}

/// One of these words.
pub(super) struct OneOf<T: 'static>(pub(super) &'static [(&'static str, T)]);

impl FlushPath {
    /// The words for it.
    pub(super) const WORDS: OneOf<FlushPath> =
        OneOf(&[("writev", FlushPath::Writev), ("uring", FlushPath::Uring), ("auto", FlushPath::Auto)]);
}

impl<T: Copy + PartialEq> Kind<T> for OneOf<T> {
    fn expected(&self) -> String {
        let words: Vec<String> = self.0.iter().map(|(word, _)| quoted(word)).collect();
        format!("one of {}", words.join(", "))
    }

    fn unit(&self) -> String {
        self.expected()
    }

    fn read(&self, value: &DeValue<'_>) -> Option<T> {
        let text = value.as_str()?;
        self.0.iter().find(|(word, _)| *word == text).map(|(_, value)| *value)
    }

    fn write(&self, value: &T) -> String {
        quoted(self.0.iter().find(|(_, known)| known == value).map_or("", |(word, _)| word))
    }

    fn check(&self, _: &T) -> Result<(), String> {
        Ok(())
    }
}
