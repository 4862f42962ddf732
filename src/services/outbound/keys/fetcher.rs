//! Fetches the keys of one issuer, for as long as the server runs.

use super::lifetime::lifetime;
use super::schedule::{Intervals, Schedule};
use super::{KeySource, KeyTaker};
use crate::journal::{Event, Journal, Kind};
use crate::metrics::Counters;
use crate::metrics::key_sets::KeySetFigures;
use crate::services::outbound::caller::{Bounds, Caller};
use crate::services::outbound::fault::CallFault;
use std::fmt::Display;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{Notify, Semaphore};

/// What key sets are asked for as.
const ACCEPT: &str = "application/jwk-set+json, application/json";

/// What all issuers have in common.
pub(in crate::services::outbound) struct Shared {
    pub(in crate::services::outbound) taker: Arc<dyn KeyTaker>,
    pub(in crate::services::outbound) intervals: Intervals,
    pub(in crate::services::outbound) body_bytes_max: usize,
    /// One permit for each fetch that may be in progress, since each may take the memory of the largest answer.
    pub(in crate::services::outbound) turns: Semaphore,
    pub(in crate::services::outbound) journal: Arc<Journal>,
    pub(in crate::services::outbound) counters: Arc<Counters>,
    pub(in crate::services::outbound) figures: Vec<Arc<KeySetFigures>>,
    pub(in crate::services::outbound) started: Instant,
}

/// The work for one issuer.
pub(in crate::services::outbound) struct Fetcher {
    source: KeySource,
    /// Its place among the figures.
    place: usize,
    caller: Caller,
    schedule: Schedule,
    asked: Arc<Notify>,
    shared: Arc<Shared>,
}

/// A set of keys that was taken.
struct Fetched {
    /// How long it is fresh, if it says so.
    fresh: Option<Duration>,
    keys: usize,
}

/// Why there are no new keys: a label and a sentence.
struct Failure {
    label: &'static str,
    problem: String,
}

impl From<CallFault> for Failure {
    fn from(fault: CallFault) -> Failure {
        Failure { label: fault.label(), problem: fault.to_string() }
    }
}

impl Fetcher {
    pub(in crate::services::outbound) fn new(
        source: KeySource,
        place: usize,
        caller: Caller,
        asked: Arc<Notify>,
        shared: Arc<Shared>,
    ) -> Fetcher {
        let mut schedule = Schedule::new(shared.intervals, source.stale, Instant::now());
        // Keys from before a change of the configuration do not become younger by it.
        if let Some(second) = shared.figures[place].held_since() {
            schedule.hold(shared.started + Duration::from_secs(second));
        }
        Fetcher { source, place, caller, schedule, asked, shared }
    }

    /// Fetches until the thread ends.
    pub(in crate::services::outbound) async fn run(mut self) {
        loop {
            self.wait().await;
            // Whoever asked until now gets what is fetched now.
            pin!(self.asked.notified()).as_mut().enable();
            self.schedule.begin(Instant::now());
            let fetched = self.fetch().await;
            self.note(fetched, Instant::now());
        }
    }

    /// Waits until a fetch is due, and sees to it that keys do not become too old meanwhile.
    async fn wait(&mut self) {
        loop {
            let now = Instant::now();
            if self.schedule.forget(now) {
                self.forget(now);
            }
            if self.schedule.is_due(now) {
                return;
            }
            let next = self.schedule.next().into();
            // Once it is asked, more of that would only wake this thread, as often as anybody likes.
            if self.schedule.is_asked() {
                tokio::time::sleep_until(next).await;
            } else if tokio::time::timeout_at(next, self.asked.notified()).await.is_ok() {
                self.schedule.ask(Instant::now());
            }
        }
    }

    /// Fetches and hands on.
    async fn fetch(&self) -> Result<Fetched, Failure> {
        // It is never closed.
        let _turn = self.shared.turns.acquire().await;
        let (caller, url) = (self.caller.clone(), self.source.url.clone());
        let bounds = Bounds { time: self.shared.intervals.call_max, body_bytes: self.shared.body_bytes_max };
        // A task of its own, so that a panic in it ends this call and not all those to come.
        let call = tokio::spawn(async move { caller.get(url, ACCEPT, bounds).await });
        let answer = call.await.unwrap_or_else(|_| Err(self.panicked()))?;
        let take = AssertUnwindSafe(|| self.shared.taker.take(self.source.issuer, &answer.body));
        let taken = catch_unwind(take).map_err(|_| self.panicked())?;
        let keys = taken.map_err(|problem| Failure {
            label: "bad_keys",
            problem: format!("its answer is not a set of keys: {problem}"),
        })?;
        Ok(Fetched { fresh: lifetime(&answer.fields), keys })
    }

    fn panicked(&self) -> CallFault {
        self.shared.counters.panics.add(1);
        CallFault::Panicked
    }

    /// Plans the next fetch, logs and counts this one.
    fn note(&mut self, fetched: Result<Fetched, Failure>, now: Instant) {
        let figures = &self.shared.figures[self.place];
        match fetched {
            Ok(Fetched { fresh, keys }) => {
                let wait = self.schedule.succeed(now, fresh);
                figures.fetched.add(1);
                figures.hold(self.since_start(now).as_secs());
                let fields: [(&'static str, &dyn Display); 2] = [("keys", &keys), ("next_s", &wait.as_secs())];
                let message = format_args!("fetched the keys of issuer {:?}", self.source.name);
                self.tell(Kind::KeysFetched, now, "", &fields, message);
            }
            Err(Failure { label, problem }) => {
                let wait = self.schedule.fail(now, rand::random());
                figures.failed.add(1);
                let message = format_args!("cannot fetch the keys of issuer {:?}: {problem}", self.source.name);
                self.tell(Kind::KeysFailed, now, label, &[("next_s", &wait.as_secs_f32())], message);
            }
        }
    }

    fn forget(&self, now: Instant) {
        if catch_unwind(AssertUnwindSafe(|| self.shared.taker.forget(self.source.issuer))).is_err() {
            self.panicked();
        }
        self.shared.figures[self.place].let_go();
        let message = format_args!(
            "the keys of issuer {:?} could not be fetched again for {:?} and are no longer used",
            self.source.name, self.source.stale
        );
        self.tell(Kind::KeysFailed, now, "keys_stale", &[], message);
    }

    fn tell(
        &self,
        kind: Kind,
        now: Instant,
        reason: &str,
        fields: &[(&'static str, &dyn Display)],
        message: std::fmt::Arguments<'_>,
    ) {
        let own: [(&'static str, &dyn Display); 1] = [("issuer", &self.source.name)];
        let fields = [&own[..], fields].concat();
        let event = Event { peer: None, reason, fields: &fields, message };
        self.shared.journal.tell(kind, self.since_start(now).as_millis() as u64, &event);
    }

    fn since_start(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.shared.started)
    }
}
