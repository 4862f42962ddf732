//! One alarm for a thread, to the nanosecond, and what it is set for.

use crate::clock::{Nanos, SECOND};
use mio::unix::SourceFd;
use mio::{Interest, Registry, Token};
use rustix::time::{
    Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create, timerfd_settime,
};
use std::cmp::Ordering;
use std::io;
use std::os::fd::{AsRawFd, OwnedFd};

/// A timer of the kernel (`timerfd_create(2)`): epoll's own waits are whole milliseconds.
#[derive(Debug)]
pub(super) struct Alarm {
    timer: OwnedFd,
    set: Option<Nanos>,
}

impl Alarm {
    pub(super) fn new(registry: &Registry, token: Token) -> io::Result<Alarm> {
        let timer = timerfd_create(TimerfdClockId::Monotonic, TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC)?;
        registry.register(&mut SourceFd(&timer.as_raw_fd()), token, Interest::READABLE)?;
        Ok(Alarm { timer, set: None })
    }

    /// Sets it to a time, which also clears what it rang for before.
    pub(super) fn set(&mut self, at: Option<Nanos>) -> io::Result<()> {
        // A deadline that is where it was needs no system call.
        if self.set == at {
            return Ok(());
        }
        // Zero disarms a timer (timerfd_settime(2)), which only `None` may.
        let at_least_one = at.map_or(0, |at| at.max(1));
        let time = |nanos: Nanos| Timespec {
            tv_sec: i64::try_from(nanos / SECOND).unwrap_or(i64::MAX),
            tv_nsec: (nanos % SECOND) as _,
        };
        let spec = Itimerspec { it_interval: time(0), it_value: time(at_least_one) };
        timerfd_settime(&self.timer, TimerfdTimerFlags::ABSTIME, &spec)?;
        self.set = at;
        Ok(())
    }
}

/// Something that has to be done at a time.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Timer {
    pub(super) at: Nanos,
    pub(super) what: What,
}

/// What has to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    /// A connection's life is over.
    End(Token),
    /// A slow reader may read a little.
    Sip(Token),
    /// A place in a part is to be taken again; it was cut at this time, or not by an outage if zero.
    Return { part: usize, local: u32, cut: Nanos },
    /// All of a part's connections are cut.
    Outage { part: usize },
}

impl Ord for Timer {
    /// The earliest is the greatest, so that it is at the top of a heap.
    fn cmp(&self, other: &Timer) -> Ordering {
        other.at.cmp(&self.at)
    }
}

impl PartialOrd for Timer {
    fn partial_cmp(&self, other: &Timer) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
