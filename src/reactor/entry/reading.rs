//! What is known of the bytes that a socket still has for us.

/// How far the peer's stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum PeerStream {
    /// Its end is not known of.
    Open,
    /// The kernel announced its end: bytes may come before it.
    Ending,
    /// Its end was read.
    Ended,
}

/// Whether a socket is worth reading. It may be even after the peer's end was read: an error that comes later is found by
/// a read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Reading {
    is_readable: bool,
    stream: PeerStream,
}

impl Reading {
    /// That of a socket that was just accepted: it may have come with its first bytes.
    pub(super) const NEW: Reading = Reading { is_readable: true, stream: PeerStream::Open };

    /// Whether the socket may have something to read.
    #[inline]
    pub(crate) fn is_readable(self) -> bool {
        self.is_readable
    }

    /// Whether the peer's end was read.
    #[inline]
    pub(crate) fn has_ended(self) -> bool {
        self.stream == PeerStream::Ended
    }

    /// The kernel reported something: `readable` when there may be something to read, `hung_up` when the peer's end came.
    #[inline]
    pub(crate) fn note_event(&mut self, readable: bool, hung_up: bool) {
        self.is_readable |= readable;
        if hung_up && self.stream == PeerStream::Open {
            self.stream = PeerStream::Ending;
        }
    }

    /// A read brought fewer bytes than it had room for.
    #[inline]
    pub(crate) fn note_short_read(&mut self) {
        // Only the next read finds an end that is behind these bytes, and no event will announce it again.
        if self.stream == PeerStream::Open {
            self.is_readable = false;
        }
    }

    /// A read found nothing, or failed.
    #[inline]
    pub(crate) fn note_empty(&mut self) {
        self.is_readable = false;
    }

    /// A read found the peer's end.
    #[inline]
    pub(crate) fn note_end(&mut self) {
        *self = Reading { is_readable: false, stream: PeerStream::Ended };
    }
}

#[cfg(test)]
mod tests {
    use super::Reading;

    #[test]
    fn a_short_read_empties_a_socket_whose_end_has_not_come() {
        let mut reading = Reading::NEW;
        assert!(reading.is_readable(), "it may have come with its first bytes");
        reading.note_short_read();
        assert!(!reading.is_readable());
        reading.note_event(true, false);
        assert!(reading.is_readable());
        reading.note_empty();
        assert!(!reading.is_readable() && !reading.has_ended());
    }

    #[test]
    fn an_end_that_was_announced_is_read_after_a_short_read() {
        let mut reading = Reading::NEW;
        reading.note_event(true, true);
        reading.note_short_read();
        assert!(reading.is_readable() && !reading.has_ended(), "the end is not read yet");
        reading.note_end();
        assert!(!reading.is_readable() && reading.has_ended());
    }

    /// A peer that ended its side and then resets the connection.
    #[test]
    fn an_error_after_the_end_is_read() {
        let mut reading = Reading::NEW;
        reading.note_end();
        reading.note_event(true, true);
        assert!(reading.is_readable() && reading.has_ended());
    }
}
