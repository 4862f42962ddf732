//! Bytes of a connection that were read and not consumed, and why not.

/// Why bytes were left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Left {
    /// They are only the beginning of something.
    Incomplete,
    /// The connection had to wait, or its turn was over: nothing needs to be read before it goes on.
    Pending,
}

/// See the module. One word, since most connections have none most of the time; the few that have one pay for a second
/// allocation.
#[derive(Debug, Default)]
pub(crate) struct Rest(Option<Box<Kept>>);

#[derive(Debug)]
struct Kept {
    bytes: Box<[u8]>,
    left: Left,
}

impl Rest {
    /// Whether nothing is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_none()
    }

    /// Whether something is left that needs no more bytes to go on.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.left == Left::Pending)
    }

    /// Keeps `bytes`, if there are any.
    #[inline]
    pub(crate) fn keep(&mut self, bytes: &[u8], left: Left) {
        if !bytes.is_empty() {
            // Exactly as long as its bytes, since a peer may let them wait for minutes.
            self.0 = Some(Box::new(Kept { bytes: bytes.into(), left }));
        }
    }

    /// Moves what is left to the front of `scratch`: how many bytes, and whether they need no more to go on.
    #[inline]
    pub(crate) fn take(&mut self, scratch: &mut [u8]) -> (usize, bool) {
        let Some(kept) = self.0.take() else { return (0, false) };
        scratch[..kept.bytes.len()].copy_from_slice(&kept.bytes);
        (kept.bytes.len(), kept.left == Left::Pending)
    }

    /// Forgets what is left.
    pub(crate) fn clear(&mut self) {
        self.0 = None;
    }
}

#[cfg(test)]
mod tests {
    use super::{Left, Rest};

    #[test]
    fn what_is_kept_is_taken_once_with_its_reason() {
        let mut scratch = [0; 8];
        for (left, is_pending) in [(Left::Incomplete, false), (Left::Pending, true)] {
            let mut rest = Rest::default();
            rest.keep(b"\0half\x01", left);
            assert_eq!((rest.is_empty(), rest.is_pending()), (false, is_pending));
            assert_eq!(rest.take(&mut scratch), (6, is_pending));
            assert_eq!(&scratch[..6], b"\0half\x01");
            assert!(rest.is_empty() && !rest.is_pending());
            assert_eq!(rest.take(&mut scratch), (0, false));
        }
    }

    #[test]
    fn nothing_is_kept_of_nothing() {
        let mut rest = Rest::default();
        rest.keep(b"", Left::Pending);
        assert!(rest.is_empty() && !rest.is_pending());
        rest.keep(b"x", Left::Pending);
        rest.clear();
        assert!(rest.is_empty() && !rest.is_pending());
    }
}
