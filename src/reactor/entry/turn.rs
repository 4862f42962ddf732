//! Whether a connection waits for its turn to be read, and in which of the two lists.

/// The lists of those to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum List {
    /// Each tick gives one turn to each of them, within its budget.
    Ready,
    /// Their last turns were much work for the codec: they wait for all others.
    Heavy,
}

/// See the module. One byte, of which a connection's last turn is a part: it decides about the list for the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Turn {
    /// It is in no list; its last turn was little work for the codec.
    Light,
    /// It is in no list; its last turn was much work for the codec.
    Heavy,
    /// It is in [`List::Ready`].
    InReady,
    /// It is in [`List::Heavy`].
    InHeavy,
    /// It sent more than it may, and gets no turn for now.
    Paused,
}

impl Turn {
    /// Whether it is in one of the lists.
    #[inline]
    pub(crate) fn is_listed(self) -> bool {
        matches!(self, Turn::InReady | Turn::InHeavy)
    }

    /// There is something to read: the list that the connection has to be put into, unless it is in one.
    #[inline]
    pub(crate) fn enlist(&mut self) -> Option<List> {
        let (list, listed) = match self {
            Turn::Light => (List::Ready, Turn::InReady),
            Turn::Heavy => (List::Heavy, Turn::InHeavy),
            Turn::InReady | Turn::InHeavy | Turn::Paused => return None,
        };
        *self = listed;
        Some(list)
    }

    /// Its turn came; false when it has had it.
    #[inline]
    pub(crate) fn take(&mut self) -> bool {
        *self = match self {
            Turn::InReady => Turn::Light,
            Turn::InHeavy => Turn::Heavy,
            Turn::Light | Turn::Heavy | Turn::Paused => return false,
        };
        true
    }

    /// It gets no turn before [`Turn::resume`].
    pub(crate) fn pause(&mut self) {
        *self = Turn::Paused;
    }

    /// Whether it gets no turn for now.
    #[inline]
    pub(crate) fn is_paused(self) -> bool {
        self == Turn::Paused
    }

    /// It may have its turn again, if it was paused.
    pub(crate) fn resume(&mut self) {
        if self.is_paused() {
            *self = Turn::Light;
        }
    }

    /// Its turn is over, and was much work for the codec if it `was_heavy`.
    #[inline]
    pub(crate) fn end(&mut self, was_heavy: bool) {
        // After a panic it may be in a list already, which is the one that it stays in.
        if !self.is_listed() && !self.is_paused() {
            *self = if was_heavy { Turn::Heavy } else { Turn::Light };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{List, Turn};

    #[test]
    fn it_is_in_one_list_once() {
        let mut turn = Turn::Light;
        assert!(!turn.take(), "it is in no list");
        assert_eq!(turn.enlist(), Some(List::Ready));
        assert_eq!(turn.enlist(), None, "it is in a list");
        assert!(turn.is_listed() && turn.take() && !turn.is_listed());
    }

    #[test]
    fn what_is_paused_in_its_turn_gets_no_other_before_it_may_go_on() {
        let mut turn = Turn::InReady;
        assert!(turn.take());
        turn.pause();
        turn.end(true);
        assert!(turn.is_paused() && turn.enlist().is_none() && !turn.take() && !turn.is_listed());
        turn.resume();
        assert_eq!(turn.enlist(), Some(List::Ready));
        turn.resume();
        assert!(turn.is_listed(), "it was not paused");
    }

    #[test]
    fn a_heavy_turn_decides_about_the_next_list_alone() {
        let mut turn = Turn::Light;
        turn.end(true);
        assert_eq!(turn.enlist(), Some(List::Heavy));
        turn.end(false);
        assert_eq!(turn, Turn::InHeavy, "it is in that list, whatever its turn was");
        assert!(turn.take());
        turn.end(false);
        assert_eq!(turn.enlist(), Some(List::Ready));
    }
}
