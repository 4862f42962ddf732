//! Which events of a socket the kernel was asked to report.

/// See the module. It only grows: a direction that nothing waits for costs nothing with edge-triggered events.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Interest {
    /// None yet: it is in its first tick.
    None,
    /// That there is something to read.
    Read,
    /// That, and that there is room to write.
    ReadWrite,
}

/// Which events the kernel reports of a socket, and which it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Change {
    pub(crate) from: Interest,
    pub(crate) to: Interest,
}

impl Interest {
    /// What the kernel has to be asked so that it reports what is `wanted`; `None` when it does already.
    pub(crate) fn change_to(self, wanted: Interest) -> Option<Change> {
        (self < wanted).then_some(Change { from: self, to: wanted })
    }
}

#[cfg(test)]
mod tests {
    use super::{Change, Interest};

    #[test]
    fn it_only_grows() {
        let (none, read, both) = (Interest::None, Interest::Read, Interest::ReadWrite);
        assert_eq!(none.change_to(read), Some(Change { from: none, to: read }));
        assert_eq!(none.change_to(both), Some(Change { from: none, to: both }));
        assert_eq!(read.change_to(both), Some(Change { from: read, to: both }));
        assert_eq!([read.change_to(read), both.change_to(read)], [None; 2]);
    }
}
