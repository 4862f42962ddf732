//! Where something stands in a configuration file.

use super::settings::Source;

/// A file and its text, which tell where something stands.
#[derive(Clone, Copy)]
pub(super) struct File<'f> {
    name: &'f str,
    text: &'f str,
}

impl<'f> File<'f> {
    /// A file of this name with this text.
    pub(super) fn new(name: &'f str, text: &'f str) -> File<'f> {
        File { name, text }
    }

    /// The line and column of a byte.
    pub(super) fn at(&self, byte: usize) -> Source {
        // A slice that ended inside a character would panic.
        let before = &self.text[..self.text.floor_char_boundary(byte)];
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let line = before.matches('\n').count() + 1;
        Source::File(self.name.to_owned(), line, before[start..].chars().count() + 1)
    }
}
