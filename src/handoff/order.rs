//! Orders: what the server tells its reactors to do, as letters, in the order in which they were given.

use super::walk::Walk;
use crate::access::AccessRules;
use std::sync::Arc;
use std::sync::mpsc::Sender;
use std::time::{Duration, Instant};

/// The longest that a drain may be asked to take: adding more to an `Instant` could overflow.
const DRAIN_MAX: Duration = Duration::from_secs(365 * 24 * 60 * 60);

/// What a reactor is to do, besides serving.
#[derive(Debug, Clone)]
pub enum Order {
    /// End, after saying goodbye to every connection. A later order replaces an earlier one.
    Drain(Farewell),
    /// Judge by these rules from now on, and end the subscriptions that they no longer allow.
    Rules(Arc<AccessRules>),
    /// Take the next of the changes of settings that were handed over to this reactor apart from its letters.
    Change,
    /// Say that the server is not ready from now on, and go on serving.
    Leave,
    /// Say that the server is not ready while its engine is away, or that it is again; and go on serving.
    Ready(bool),
    /// Say that this reactor takes its letters, by dropping it.
    Answer(Sender<()>),
    /// Look at connections, or end some of them, and answer.
    Walk(Arc<Walk>),
}

/// How a server is to drain.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// From now on the server is not ready; until this much later it goes on as before.
    pub delay: Duration,
    /// Then it says goodbye to its connections, evenly over this time.
    pub spread: Duration,
    /// This long after the delay those that are left are cut off.
    pub timeout: Duration,
    /// Another process listens on the same sockets: what waits there is its.
    pub hands_over: bool,
}

/// The same in points of time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Farewell {
    /// When goodbyes begin.
    pub begins: Instant,
    /// For how long they are spread.
    pub spread: Duration,
    /// When those that are left are cut off.
    pub until: Instant,
    /// What waits at the listening sockets is another process's.
    pub hands_over: bool,
}

impl Drain {
    /// A drain that waits for no connection.
    pub const AT_ONCE: Drain =
        Drain { delay: Duration::ZERO, spread: Duration::ZERO, timeout: Duration::ZERO, hands_over: false };

    /// The order that is given at `now`.
    #[must_use]
    pub fn at(self, now: Instant) -> Order {
        let begins = now + self.delay.min(DRAIN_MAX);
        Order::Drain(Farewell {
            begins,
            spread: self.spread,
            until: begins + self.timeout.min(DRAIN_MAX),
            hands_over: self.hands_over,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::{DRAIN_MAX, Drain, Order};
    use std::time::{Duration, Instant};

    #[test]
    fn a_drain_has_moments_however_long_it_may_take() {
        let now = Instant::now();
        let drain = Drain {
            delay: Duration::from_secs(5),
            spread: Duration::from_secs(2),
            timeout: Duration::MAX,
            hands_over: false,
        };
        let Order::Drain(farewell) = drain.at(now) else { panic!("a drain") };
        assert_eq!(farewell.begins, now + Duration::from_secs(5));
        assert_eq!((farewell.spread, farewell.until), (drain.spread, farewell.begins + DRAIN_MAX));
        let Order::Drain(farewell) = Drain::AT_ONCE.at(now) else { panic!("a drain") };
        assert_eq!((farewell.begins, farewell.until), (now, now));
    }
}
