//! The whole thread: key sets are fetched at the start, in time, when they are asked for, and never more often.

use super::LONG;
use super::origin::{Authority, Origin, json};
use crate::access::Refresh;
use crate::journal::Journal;
use crate::metrics::Counters;
use crate::metrics::key_sets::KeySetFigures;
use crate::services::outbound::{Intervals, KeySource, KeyTaker, KeyWork, Outbound, Stop};
use crate::tls::Trust;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex, mpsc};
use std::time::{Duration, Instant};

const KEYS: &str = r#"{"keys":[]}"#;
/// Long enough for a sound run on any machine: it is only waited for when a test fails.
const PATIENCE: Duration = Duration::from_secs(30);
const NEVER: Duration = Duration::from_secs(1 << 20);

/// What was taken. It refuses what is no key set, and panics at `panic!`.
#[derive(Default)]
struct Taken {
    sets: Mutex<Vec<(usize, String)>>,
    forgotten: AtomicUsize,
}

impl KeyTaker for Taken {
    fn take(&self, issuer: usize, bytes: &[u8]) -> Result<usize, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        assert_ne!(text, "panic!", "as it was told to");
        if !text.starts_with("{\"keys\":") {
            return Err("it does not begin as one".to_owned());
        }
        self.sets.lock().expect("no panic").push((issuer, text.to_owned()));
        Ok(1)
    }

    fn forget(&self, _: usize) {
        self.forgotten.fetch_add(1, SeqCst);
    }
}

impl Taken {
    fn count(&self) -> usize {
        self.sets.lock().expect("no panic").len()
    }
}

/// A running thread.
struct Running {
    taken: Arc<Taken>,
    refresh: Refresh,
    figures: Vec<Arc<KeySetFigures>>,
    counters: Arc<Counters>,
    stop: Option<Stop>,
    ended: mpsc::Receiver<()>,
}

impl Running {
    /// Fetches the keys of issuer 0, 1 … from these URLs.
    fn start(urls: &[String], trust: Trust, intervals: Intervals, stale: Duration) -> Running {
        let source = |(issuer, url): (usize, &String)| {
            KeySource::new(issuer, &format!("issuer-{issuer}"), url, true, stale).expect("a source")
        };
        let sources: Vec<KeySource> = urls.iter().enumerate().map(source).collect();
        let taken = Arc::new(Taken::default());
        let figures: Vec<_> = sources.iter().map(|source| Arc::new(KeySetFigures::new(&source.name))).collect();
        let counters = Arc::<Counters>::default();
        let work = KeyWork { sources, taker: taken.clone(), figures: figures.clone(), intervals };
        let journal = Arc::<Journal>::default();
        let (outbound, refresh, stop) =
            Outbound::new(work, trust, journal, Arc::clone(&counters), Instant::now()).expect("a runtime");
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || {
            outbound.run();
            // Whoever ended it may have stopped to wait.
            let _ = sender.send(());
        });
        Running { taken, refresh, figures, counters, stop: Some(stop), ended }
    }

    /// From one server without TLS.
    fn of(origin: &Origin, intervals: Intervals, stale: Duration) -> Running {
        Running::start(&[origin.url("http", "/keys")], Trust::File("/nonexistent".into()), intervals, stale)
    }

    fn failed(&self) -> u64 {
        self.figures[0].failed.get()
    }

    /// Ends the thread; fails when it does not end.
    fn end(mut self) {
        self.stop.take();
        self.ended.recv_timeout(PATIENCE).expect("the thread ends when it is told to");
    }
}

/// Intervals that nothing here reaches.
fn slow() -> Intervals {
    Intervals {
        call_max: LONG,
        between_asked: NEVER,
        retry_min: NEVER,
        retry_max: NEVER,
        fresh_min: NEVER,
        fresh_max: NEVER,
        fresh_default: NEVER,
    }
}

fn wait_until(what: &str, mut condition: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < until, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(2));
    }
}

#[test]
fn key_sets_are_fetched_at_the_start_each_for_its_issuer() {
    let authority = Authority::new();
    let first = Origin::always(Some(authority.certify("127.0.0.1", |_| {})), json(r#"{"keys":[1]}"#, ""));
    let second = Origin::always(None, json(r#"{"keys":[2]}"#, ""));
    let urls = [first.url("https", "/a"), second.url("http", "/b")];
    let running = Running::start(&urls, Trust::File(authority.file.clone()), Intervals::default(), NEVER);
    wait_until("both are there", || running.taken.count() == 2);
    wait_until("both are counted", || running.figures.iter().all(|figures| figures.fetched.get() == 1));
    let mut sets = running.taken.sets.lock().expect("no panic").clone();
    sets.sort();
    assert_eq!(sets, [(0, r#"{"keys":[1]}"#.to_owned()), (1, r#"{"keys":[2]}"#.to_owned())]);
    assert!(first.requests()[0].contains("application/jwk-set+json"));
    assert_eq!((first.requests().len(), second.requests().len(), running.failed()), (1, 1, 0));
    running.end();
}

#[test]
fn keys_are_fetched_again_when_they_are_no_longer_fresh() {
    let origin = Origin::start(None, |number, stream| {
        // The fourth answer does not say, and so is kept for long.
        let fields = if number < 3 { "Cache-Control: max-age=0\r\n" } else { "" };
        stream.write_all(&json(KEYS, fields)).is_ok()
    });
    let intervals = Intervals { fresh_min: Duration::from_millis(10), ..slow() };
    let running = Running::of(&origin, intervals, NEVER);
    wait_until("four fetches", || running.taken.count() == 4);
    running.end();
    assert_eq!(origin.requests().len(), 4);
}

#[test]
fn ten_thousand_requests_cause_one_fetch_in_each_interval() {
    const BETWEEN: Duration = Duration::from_millis(100);
    let origin = Origin::always(None, json(KEYS, ""));
    let began = Instant::now();
    let running = Running::of(&origin, Intervals { between_asked: BETWEEN, ..slow() }, NEVER);
    wait_until("the first fetch", || running.taken.count() == 1);
    let ask = |times: usize| (0..times).for_each(|_| running.refresh.request(0));
    while running.taken.count() < 4 {
        assert!(began.elapsed() < PATIENCE, "requests cause fetches");
        std::thread::scope(|scope| (0..4).for_each(|_| drop(scope.spawn(|| ask(10_000)))));
        // Of nobody: nothing happens.
        running.refresh.request(1);
    }
    let (fetches, time) = (origin.requests().len() as u128, began.elapsed());
    assert!(fetches <= time.as_millis() / BETWEEN.as_millis() + 1, "{fetches} fetches in {time:?}");
    running.end();
}

#[test]
fn a_request_within_the_interval_waits_for_its_end() {
    let origin = Origin::always(None, json(KEYS, ""));
    let running = Running::of(&origin, Intervals { between_asked: NEVER, ..slow() }, NEVER);
    wait_until("the first fetch", || running.taken.count() == 1);
    (0..10_000).for_each(|_| running.refresh.request(0));
    running.end();
    assert_eq!(origin.requests().len(), 1);
}

#[test]
fn keys_stay_in_use_while_their_server_fails_until_they_are_too_old_and_come_back() {
    let healthy = Arc::new(AtomicUsize::new(1));
    let own = Arc::clone(&healthy);
    let origin = Origin::start(None, move |_, stream| {
        let answer = match own.load(SeqCst) {
            0 => b"HTTP/1.1 503 X\r\nContent-Length: 0\r\n\r\n".to_vec(),
            _ => json(KEYS, "Cache-Control: max-age=0\r\n"),
        };
        stream.write_all(&answer).is_ok()
    });
    let (soon, stale) = (Duration::from_millis(10), Duration::from_millis(500));
    let intervals = Intervals { fresh_min: soon, retry_min: soon, retry_max: soon, ..slow() };
    let running = Running::of(&origin, intervals, stale);
    wait_until("the first fetch", || running.taken.count() > 0);
    healthy.store(0, SeqCst);
    wait_until("failures", || running.failed() > 3);
    wait_until("keys that are too old", || running.taken.forgotten.load(SeqCst) == 1);
    let failed = running.failed();
    wait_until("more failures", || running.failed() > failed + 3);
    assert_eq!(running.taken.forgotten.load(SeqCst), 1, "once");
    let before = running.taken.count();
    healthy.store(1, SeqCst);
    wait_until("keys again", || running.taken.count() > before);
    running.end();
}

#[test]
fn what_is_no_key_set_counts_as_a_failure_and_a_panic_ends_one_fetch_alone() {
    let origin = Origin::start(None, |number, stream| {
        let body = ["", "<html>", "panic!", KEYS][number.min(3)];
        stream.write_all(&json(body, "")).is_ok()
    });
    let soon = Duration::from_millis(5);
    let running = Running::of(&origin, Intervals { retry_min: soon, retry_max: soon, ..slow() }, NEVER);
    wait_until("the fourth answer", || running.figures[0].fetched.get() == 1);
    assert_eq!((running.failed(), running.counters.panics.get(), running.taken.count()), (3, 1, 1));
    running.end();
}

/// It would wait for ever otherwise: the server never answers, and the call has an hour.
#[test]
fn the_end_waits_for_no_server() {
    let silent = Origin::start(None, |_, stream| stream.read(&mut [0]).is_err());
    let running = Running::of(&silent, Intervals { call_max: Duration::from_secs(3600), ..slow() }, NEVER);
    wait_until("a request in progress", || !silent.requests().is_empty());
    running.end();
}

/// Those who wait for their turn are no different.
#[test]
fn one_server_that_never_answers_holds_up_no_other() {
    let silent = Origin::start(None, |_, stream| stream.read(&mut [0]).is_err());
    let good = Origin::always(None, json(KEYS, ""));
    let urls: Vec<String> = (0..15).map(|_| silent.url("http", "/keys")).chain([good.url("http", "/keys")]).collect();
    let running = Running::start(&urls, Trust::File("/nonexistent".into()), slow(), NEVER);
    wait_until("the good server's keys", || running.taken.count() == 1);
    running.end();
}
