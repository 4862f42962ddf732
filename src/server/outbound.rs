//! The outbound thread of a server, where there is something to fetch: made before the reactors, which ask it, and started
//! after everything else.

use super::StartError;
use super::parts::SharedParts;
use crate::access::tokens::KeySet;
use crate::access::{AccessRules, Refresh};
use crate::config::ConfigError;
use crate::metrics::key_sets::KeySetFigures;
use crate::services::outbound::{Intervals, KeySource, KeyTaker, KeyWork, Outbound, Stop};
use crate::tls::Trust;
use arc_swap::ArcSwap;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

/// A thread that is not started yet.
pub(super) struct Prepared {
    outbound: Outbound,
    stop: Stop,
}

/// One that is.
pub(super) struct Running {
    stop: Stop,
    thread: JoinHandle<()>,
}

/// How long keys are used that cannot be fetched again.
const STALE: Duration = Duration::from_secs(24 * 60 * 60);

/// Prepares the thread, if an issuer's keys are fetched; from then on the rules ask it for new ones.
pub(super) fn prepare(shared: &mut SharedParts) -> Result<Option<Prepared>, StartError> {
    let rules = shared.rules.load_full();
    let sources = sources(&rules)?;
    if sources.is_empty() {
        return Ok(None);
    }
    let named = rules.issuers.configs().filter(|issuer| issuer.key_set_url.is_some());
    shared.key_sets = Arc::new(named.map(|issuer| KeySetFigures::new(&issuer.name)).collect());
    let work = KeyWork {
        sources,
        taker: Arc::new(Taker(Arc::clone(&shared.rules))),
        figures: Arc::clone(&shared.key_sets),
        intervals: Intervals::default(),
    };
    let journal = Arc::clone(&shared.journal);
    // Those before the last, which are insight's.
    let counters = shared.threads.iter().rev().nth(1).map(Arc::clone).unwrap_or_default();
    let (outbound, fresh, stop) = Outbound::new(work, Trust::System, journal, counters, shared.started)?;
    let refresh = Refresh::by(move |issuer| fresh.request_refresh(issuer));
    shared.rules.store(Arc::new(AccessRules { refresh, ..AccessRules::clone(&rules) }));
    Ok(Some(Prepared { outbound, stop }))
}

/// Where the key sets of the issuers are.
fn sources(rules: &AccessRules) -> Result<Vec<KeySource>, ConfigError> {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for (place, issuer) in rules.issuers.configs().enumerate() {
        let Some(url) = &issuer.key_set_url else { continue };
        match KeySource::new(place, &issuer.name, url, issuer.allow_private_addresses, STALE) {
            Ok(source) => sources.push(source),
            Err(fault) => problems.push(format!("[[issuer]] {}: \"jwks_url\": {fault}", place + 1)),
        }
    }
    if problems.is_empty() { Ok(sources) } else { Err(ConfigError::of(problems)) }
}

/// Gives key sets to the rules of the moment.
struct Taker(Arc<ArcSwap<AccessRules>>);

impl KeyTaker for Taker {
    fn take(&self, issuer: usize, bytes: &[u8]) -> Result<(), String> {
        let keys = KeySet::from_jwks(bytes).map_err(|fault| fault.to_string())?;
        self.0.load().issuers.set_keys(issuer, keys);
        Ok(())
    }

    fn forget(&self, issuer: usize) {
        self.0.load().issuers.forget_keys(issuer);
    }
}

impl Prepared {
    /// Starts the thread.
    pub(super) fn start(self) -> io::Result<Running> {
        let Prepared { outbound, stop } = self;
        let thread = std::thread::Builder::new().name("outbound".to_owned()).spawn(move || outbound.run())?;
        Ok(Running { stop, thread })
    }
}

impl Running {
    /// Ends it, whatever is in progress.
    pub(super) fn end(self) {
        drop(self.stop);
        if self.thread.join().is_err() {
            log::error!(event = "thread_panicked"; "the outbound thread panicked");
        }
    }
}
