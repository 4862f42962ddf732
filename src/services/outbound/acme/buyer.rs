//! Sees to it that there is a certificate, for as long as the server runs.

use super::client::Client;
use super::due::{BETWEEN_ORDERS, pause, renewal};
use super::failure::Failure;
use super::order::Ordering;
use super::store::Kept;
use super::{AcmeWork, Wanted};
use crate::journal::{Event, Journal, Kind};
use crate::metrics::Counters;
use crate::metrics::certificates::AcmeFigures;
use crate::services::outbound::caller::Caller;
use std::collections::BTreeSet;
use std::fmt::{Arguments, Display};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// How long all of an order may take.
const ORDER_MAX: Duration = Duration::from_secs(10 * 60);
/// The folder is looked at this often: another process may have renewed, and clocks jump.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// How long another process that orders is given before the next look.
const LOCKED_WAIT: Duration = Duration::from_secs(5);

/// How long after its begin the first order is made: listeners learn of a change of the configuration after this thread does, and the
/// authority may look at once.
const BEGINS_AFTER: Duration = Duration::from_secs(1);

/// See the module.
pub(in crate::services::outbound) struct Buyer {
    ordering: Ordering,
    figures: Arc<AcmeFigures>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    started: Instant,
    /// By how much this process is early.
    draw: f64,
}

impl Buyer {
    pub(in crate::services::outbound) fn new(
        work: AcmeWork,
        caller: Caller,
        (journal, counters): (Arc<Journal>, Arc<Counters>),
        started: Instant,
    ) -> Buyer {
        let AcmeWork { wanted, store, host, figures, .. } = work;
        let ordering = Ordering { wanted, store, host, client: Client::new(caller) };
        Buyer { ordering, figures, journal, counters, started, draw: rand::random() }
    }

    /// Orders when it is time to, until the thread ends.
    pub(in crate::services::outbound) async fn run(self) {
        if !self.ordering.host.has_certificate() {
            log::warn!(
                event = "no_certificate";
                "there is no certificate yet: TLS handshakes are refused until {} has given one for {}",
                self.ordering.wanted.directory, self.ordering.wanted.domains.join(", ")
            );
        }
        tokio::time::sleep(BEGINS_AFTER).await;
        loop {
            let wait = match self.left() {
                Some(left) => left.min(LOOK_EVERY),
                None => self.order().await,
            };
            tokio::time::sleep(wait).await;
        }
    }

    /// How long the certificate that is kept lasts, until it is renewed; `None` when one has to be ordered.
    fn left(&self) -> Option<Duration> {
        let left = match self.ordering.store.certificate() {
            Ok(kept) => kept.and_then(|kept| left(&self.ordering.wanted, &kept, now(), self.draw)),
            Err(problem) => {
                log::warn!(event = "certificate_failed"; "the certificate that is kept is of no use, so another is ordered: {problem}");
                None
            }
        };
        // Whatever is due, the authority is left alone for as long as was found before.
        left.or_else(|| self.figures.paused_for(self.started.elapsed()))
    }

    /// Orders, unless another process does. How long to wait before the next look.
    async fn order(&self) -> Duration {
        let lock = match self.ordering.store.lock() {
            Ok(Some(lock)) => lock,
            Ok(None) => return LOCKED_WAIT,
            Err(error) => return self.failed(&Failure::own("folder", format!("its folder cannot be locked: {error}"))),
        };
        // Until a moment ago another one may have had the lock.
        if let Some(left) = self.left() {
            self.take();
            return left.min(LOOK_EVERY);
        }
        let ordering = self.ordering.clone();
        // A task of its own, so that a panic in it ends this order and not all those to come.
        let order = tokio::spawn(async move { tokio::time::timeout(ORDER_MAX, ordering.issue()).await });
        let issued = match order.await {
            Ok(Ok(issued)) => issued,
            Ok(Err(_)) => Err(Failure::own("timed_out", format!("the order was not done within {ORDER_MAX:?}"))),
            Err(_) => {
                self.counters.panics.add(1);
                Err(Failure::own("panicked", "the order panicked"))
            }
        };
        drop(lock);
        match issued {
            Ok(kept) => self.issued(&kept),
            Err(failure) => self.failed(&failure),
        }
    }

    fn issued(&self, kept: &Kept) -> Duration {
        self.figures.succeed(self.started.elapsed() + BETWEEN_ORDERS);
        self.take();
        let days = (kept.validity.until - now()) / 86_400;
        let message = format_args!("there is a new certificate for {}, valid for {days} days", kept.names.join(", "));
        self.tell(Kind::CertificateIssued, "", &[("days", &days)], message);
        Duration::ZERO
    }

    fn failed(&self, failure: &Failure) -> Duration {
        let asked = self.ordering.client.take_asked();
        let wait = pause(failure.blame, self.figures.failures() + 1, asked, rand::random());
        self.figures.fail(self.started.elapsed() + wait);
        let kind: &dyn Display = match &failure.kind {
            Some(kind) => kind,
            None => &"none",
        };
        let fields: [(&'static str, &dyn Display); 2] = [("type", kind), ("next_s", &wait.as_secs())];
        let names = self.ordering.wanted.domains.join(", ");
        let message =
            format_args!("no certificate for {names} from {}: {}", self.ordering.wanted.directory, failure.problem);
        self.tell(Kind::CertificateFailed, failure.label, &fields, message);
        wait
    }

    fn take(&self) {
        if let Err(problem) = self.ordering.host.take() {
            log::error!(event = "certificate_failed"; "the new certificate cannot be used, and the one before is: {problem}");
        }
    }

    fn tell(&self, kind: Kind, reason: &str, fields: &[(&'static str, &dyn Display)], message: Arguments<'_>) {
        let event = Event { peer: None, reason, fields, message };
        self.journal.tell(kind, self.started.elapsed().as_millis() as u64, &event);
    }
}

/// How long a certificate lasts, until it is renewed; `None` if it is another than the one that is wanted, or that time is over.
fn left(wanted: &Wanted, kept: &Kept, now: i64, draw: f64) -> Option<Duration> {
    let names = |names: &[String]| names.iter().map(|name| name.to_ascii_lowercase()).collect::<BTreeSet<_>>();
    if names(&kept.names) != names(&wanted.domains) || kept.from != wanted.directory {
        return None;
    }
    let left = renewal(kept.validity, wanted.renew_before, draw) - now;
    u64::try_from(left).ok().filter(|left| *left > 0).map(Duration::from_secs)
}

/// Seconds since 1970.
fn now() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs() as i64)
}

#[cfg(test)]
mod tests {
    use super::super::{ChallengeKind, Wanted};
    use super::{Kept, left};
    use crate::tls::Validity;
    use std::time::Duration;

    #[test]
    fn a_certificate_lasts_while_it_is_the_one_that_is_wanted_and_not_old() {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let wanted = Wanted {
            domains: names(&["a.example", "b.example"]),
            email: String::new(),
            directory: "https://ca.example/".to_owned(),
            challenge: ChallengeKind::Http,
            external: None,
            renew_before: Duration::ZERO,
        };
        let from = wanted.directory.clone();
        let kept = Kept { names: names(&["B.example", "a.example"]), validity: Validity { from: 0, until: 900 }, from };
        let lasts = |wanted: &Wanted, kept: &Kept, now| left(wanted, kept, now, 0.0).map(|left| left.as_secs());
        assert_eq!(lasts(&wanted, &kept, 0), Some(600));
        assert_eq!((lasts(&wanted, &kept, 599), lasts(&wanted, &kept, 600)), (Some(1), None));
        let earlier = Wanted { renew_before: Duration::from_secs(800), ..wanted.clone() };
        assert_eq!((lasts(&earlier, &kept, 99), lasts(&earlier, &kept, 100)), (Some(1), None));
        for other in [
            Kept { names: names(&["a.example"]), ..kept.clone() },
            Kept { names: names(&["a.example", "b.example", "c.example"]), ..kept.clone() },
            Kept { from: "https://staging.example/".to_owned(), ..kept },
        ] {
            assert_eq!(lasts(&wanted, &other, 0), None, "{other:?}");
        }
    }
}
