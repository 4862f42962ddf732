//! The clocks: CLOCK_MONOTONIC in nanoseconds, the same in every process of a machine, and the CPU time of a thread.

use rustix::time::{ClockId, Timespec, clock_gettime};
use std::time::Duration;

/// Nanoseconds of CLOCK_MONOTONIC.
pub type Nanos = u64;

/// One second.
pub const SECOND: Nanos = 1_000_000_000;

/// Now, on the clock that all processes of this machine share (`clock_gettime(2)`).
#[must_use]
pub fn now() -> Nanos {
    nanos(clock_gettime(ClockId::Monotonic))
}

/// The CPU time that the calling thread has used.
#[must_use]
pub fn thread_cpu() -> Nanos {
    nanos(clock_gettime(ClockId::ThreadCPUTime))
}

/// A duration as nanoseconds; one of over 584 years is as long as that.
#[must_use]
pub fn of(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Nanoseconds as seconds.
#[must_use]
pub fn seconds(nanos: Nanos) -> f64 {
    nanos as f64 / SECOND as f64
}

fn nanos(time: Timespec) -> Nanos {
    u64::try_from(time.tv_sec).unwrap_or(0) * SECOND + u64::try_from(time.tv_nsec).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::{now, thread_cpu};

    #[test]
    fn both_clocks_go_forward() {
        let (began, cpu) = (now(), thread_cpu());
        let mut sum = 0_u64;
        while now() - began < 1_000_000 {
            sum = std::hint::black_box(sum + 1);
        }
        assert!(sum > 0 && thread_cpu() > cpu);
    }
}
