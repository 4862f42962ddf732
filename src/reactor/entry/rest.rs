//! Bytes of a connection that were read and not consumed, and why not; and its TLS, if it has any.

use super::sealing::Sealing;
use super::socket::Socket;

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
    /// Empty where there is nothing but TLS.
    bytes: Box<[u8]>,
    left: Left,
    sealing: Option<Box<Sealing>>,
}

impl Rest {
    /// Whether nothing is left.
    #[inline]
    pub(crate) fn is_empty(&self) -> bool {
        self.0.as_ref().is_none_or(|kept| kept.bytes.is_empty())
    }

    /// Whether something is left that needs no more bytes to go on.
    #[inline]
    pub(crate) fn is_pending(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| {
            kept.left == Left::Pending || kept.sealing.as_ref().is_some_and(|sealing| sealing.is_pending())
        })
    }

    /// Keeps `bytes`, if there are any.
    #[inline]
    pub(crate) fn keep(&mut self, bytes: &[u8], left: Left) {
        if !bytes.is_empty() {
            // Exactly as long as its bytes, since a peer may let them wait for minutes.
            let bytes = bytes.into();
            match &mut self.0 {
                None => self.0 = Some(Box::new(Kept { bytes, left, sealing: None })),
                Some(kept) => (kept.bytes, kept.left) = (bytes, left),
            }
        }
    }

    /// Moves what is left to the front of `scratch`: how many bytes, and whether they need no more to go on.
    #[inline]
    pub(crate) fn take(&mut self, scratch: &mut [u8]) -> (usize, bool) {
        let Some(kept) = &mut self.0 else { return (0, false) };
        let (bytes, left) = (std::mem::take(&mut kept.bytes), std::mem::replace(&mut kept.left, Left::Incomplete));
        if kept.sealing.is_none() {
            self.0 = None;
        }
        scratch[..bytes.len()].copy_from_slice(&bytes);
        (bytes.len(), left == Left::Pending)
    }

    /// Forgets what is left.
    pub(crate) fn clear(&mut self) {
        match &mut self.0 {
            Some(kept) if kept.sealing.is_some() => (kept.bytes, kept.left) = (Box::default(), Left::Incomplete),
            _ => self.0 = None,
        }
    }

    /// Whether the connection has TLS.
    #[inline]
    pub(crate) fn is_sealed(&self) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.sealing.is_some())
    }

    /// Sealed bytes that wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.0.as_ref().and_then(|kept| kept.sealing.as_ref()).map_or(0, |sealing| sealing.unsent())
    }

    /// Whether there are any.
    #[inline]
    pub(crate) fn has_unsent(&self) -> bool {
        self.0.is_some() && self.unsent() > 0
    }

    /// The TLS of the connection.
    #[inline]
    pub(crate) fn sealing_mut(&mut self) -> Option<&mut Sealing> {
        self.0.as_mut().and_then(|kept| kept.sealing.as_deref_mut())
    }

    /// See [`Sealing::glance`].
    #[inline]
    pub(crate) fn glance(&self) -> bool {
        self.0.as_ref().and_then(|kept| kept.sealing.as_ref()).is_some_and(|sealing| sealing.glance())
    }

    /// The connection has TLS from its first byte on.
    pub(crate) fn begin_sealing(&mut self, sealing: Sealing) {
        self.0 =
            Some(Box::new(Kept { bytes: Box::default(), left: Left::Incomplete, sealing: Some(Box::new(sealing)) }));
    }

    /// Its socket is closed next, and nothing is owed: its TLS ends.
    #[inline]
    pub(crate) fn say_end<S: Socket>(&mut self, stream: &mut S) {
        if let Some(sealing) = self.sealing_mut() {
            sealing.say_end(stream);
        }
    }

    /// It has none, after all.
    pub(crate) fn end_sealing(&mut self) {
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
