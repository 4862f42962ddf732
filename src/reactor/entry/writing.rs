//! Where a connection is on its way to the socket: in the list of those to flush, waiting for room, or at the end.

use super::interest::Interest;

/// The states of our stream to the peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Writing {
    /// Nothing is to be done.
    Idle,
    /// It is in the list of those to flush.
    Dirty,
    /// Our stream was ended after its last byte.
    Ended,
    /// The last write left bytes: nothing is written before the socket has room.
    Blocked,
    /// The same, found before its turn in the list came: what is left of it has not been counted yet.
    BlockedDirty,
}

impl Writing {
    /// Whether nothing is written before the socket has room.
    #[inline]
    pub(crate) fn is_blocked(self) -> bool {
        matches!(self, Writing::Blocked | Writing::BlockedDirty)
    }

    /// Whether it is in the list of those to flush.
    #[cfg(test)]
    pub(crate) fn is_dirty(self) -> bool {
        matches!(self, Writing::Dirty | Writing::BlockedDirty)
    }

    /// Whether our stream was ended.
    #[inline]
    pub(crate) fn has_ended(self) -> bool {
        self == Writing::Ended
    }

    /// There is something to write. True when the connection has to be put into the list of those to flush.
    #[inline]
    pub(crate) fn mark_dirty(&mut self) -> bool {
        let is_idle = *self == Writing::Idle;
        if is_idle {
            *self = Writing::Dirty;
        }
        is_idle
    }

    /// Its turn in the list of those to flush came; false when it has had it.
    #[inline]
    pub(crate) fn take_dirty(&mut self) -> bool {
        // One comparison for each delivery: a match over all states took six instructions more.
        if *self == Writing::Dirty {
            *self = Writing::Idle;
            return true;
        }
        let is_listed = *self == Writing::BlockedDirty;
        if is_listed {
            *self = Writing::Blocked;
        }
        is_listed
    }

    /// The socket had no room for all.
    pub(crate) fn block(&mut self) {
        *self = match *self {
            Writing::Idle | Writing::Blocked => Writing::Blocked,
            Writing::Dirty | Writing::BlockedDirty => Writing::BlockedDirty,
            Writing::Ended => Writing::Ended,
        };
    }

    /// The socket may have room again.
    pub(crate) fn unblock(&mut self) {
        *self = match *self {
            Writing::Idle | Writing::Blocked => Writing::Idle,
            Writing::Dirty | Writing::BlockedDirty => Writing::Dirty,
            Writing::Ended => Writing::Ended,
        };
    }

    /// The last byte was written: our stream is to be ended. False when it was before.
    pub(crate) fn end(&mut self) -> bool {
        std::mem::replace(self, Writing::Ended) != Writing::Ended
    }

    /// The events that it depends on.
    #[inline]
    pub(crate) fn interest(self) -> Interest {
        if self.is_blocked() { Interest::ReadWrite } else { Interest::Read }
    }
}

#[cfg(test)]
mod tests {
    use super::{Interest, Writing};

    #[test]
    fn it_is_in_the_list_once() {
        let mut writing = Writing::Idle;
        assert!(!writing.take_dirty(), "it is not in the list");
        assert!(writing.mark_dirty());
        assert!(!writing.mark_dirty(), "it is in the list");
        assert!(writing.take_dirty());
        assert_eq!(writing, Writing::Idle);
    }

    #[test]
    fn what_is_blocked_is_put_into_no_list_and_waits_for_room() {
        let mut writing = Writing::Idle;
        assert_eq!(writing.interest(), Interest::Read);
        writing.block();
        assert!(!writing.mark_dirty() && !writing.take_dirty());
        assert_eq!((writing, writing.interest()), (Writing::Blocked, Interest::ReadWrite));
        writing.unblock();
        assert_eq!(writing, Writing::Idle);
    }

    /// Many are written with one system call before the list is gone through: those that had no room keep their turn.
    #[test]
    fn what_blocks_before_its_turn_keeps_its_turn() {
        let mut writing = Writing::Dirty;
        writing.block();
        assert!(writing.is_blocked() && writing.is_dirty());
        assert!(writing.take_dirty());
        assert_eq!(writing, Writing::Blocked);
        let mut writing = Writing::BlockedDirty;
        writing.unblock();
        assert_eq!(writing, Writing::Dirty);
    }

    #[test]
    fn our_stream_is_ended_once_and_then_nothing_is_written() {
        let mut writing = Writing::Blocked;
        assert!(writing.end() && !writing.end());
        writing.block();
        writing.unblock();
        assert!(!writing.mark_dirty() && !writing.take_dirty());
        assert!(writing.has_ended() && !writing.is_blocked());
        assert_eq!(writing.interest(), Interest::Read, "its peer's end is waited for");
    }
}
