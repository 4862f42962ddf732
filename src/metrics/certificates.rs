//! What is known of the certificates that listeners show: when they end, and how orders of one went.

use super::Counter;
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Duration;

/// When a certificate ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Expiry {
    /// Its first name, as it stands between quotation marks.
    pub certificate: Box<str>,
    /// In seconds since 1970.
    pub at_s: i64,
}

/// The ends of all certificates that are shown. They are others when one is replaced.
#[derive(Debug, Default)]
pub struct Expiries(ArcSwap<Vec<Expiry>>);

impl Expiries {
    /// Those that there are now.
    #[must_use]
    pub fn all(&self) -> Arc<Vec<Expiry>> {
        self.0.load_full()
    }

    /// Replaces them.
    pub fn replace(&self, all: Vec<Expiry>) {
        self.0.store(Arc::new(all));
    }
}

/// Orders of a certificate. Only the outbound thread writes it.
#[derive(Debug, Default)]
pub struct AcmeFigures {
    /// Those that brought one.
    pub issued: Counter,
    /// Those that did not.
    pub failed: Counter,
    /// Those since the last that did.
    in_a_row: Counter,
    /// The second after the start until which the authority is left alone.
    paused_until_s: Counter,
}

impl AcmeFigures {
    /// An order brought a certificate; the next is this long after the start at the earliest.
    pub fn succeed(&self, next: Duration) {
        self.issued.add(1);
        self.in_a_row.set(0);
        self.paused_until_s.set(next.as_secs());
    }

    /// An order failed; the next is this long after the start at the earliest.
    pub fn fail(&self, next: Duration) {
        self.failed.add(1);
        self.in_a_row.add(1);
        // Rounded up, so that the next is not too early.
        self.paused_until_s.set(next.as_secs() + 1);
    }

    /// How many failed since the last that did not.
    #[must_use]
    pub fn failures(&self) -> u64 {
        self.in_a_row.get()
    }

    /// How long the authority is still left alone, this long after the start.
    #[must_use]
    pub fn paused_for(&self, uptime: Duration) -> Option<Duration> {
        Duration::from_secs(self.paused_until_s.get()).checked_sub(uptime).filter(|left| !left.is_zero())
    }

    /// Something else is ordered from now on: what failed before says nothing about it.
    pub fn begin_anew(&self) {
        self.in_a_row.set(0);
        self.paused_until_s.set(0);
    }
}

#[cfg(test)]
mod tests {
    use super::AcmeFigures;
    use std::time::Duration;

    #[test]
    fn an_authority_is_left_alone_until_a_moment_or_until_something_else_is_ordered() {
        let (figures, s) = (AcmeFigures::default(), Duration::from_secs);
        assert_eq!(figures.paused_for(s(0)), None);
        figures.fail(s(10));
        figures.fail(s(30));
        assert_eq!((figures.failures(), figures.paused_for(s(29)), figures.paused_for(s(31))), (2, Some(s(2)), None));
        figures.begin_anew();
        assert_eq!((figures.failures(), figures.paused_for(s(29)), figures.failed.get()), (0, None, 2));
        figures.fail(s(40));
        figures.succeed(s(3600));
        assert_eq!((figures.failures(), figures.issued.get(), figures.paused_for(s(3599))), (0, 1, Some(s(1))));
    }
}
