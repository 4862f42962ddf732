//! The outbound thread of a server: there is one as long as there is something to fetch, and another one when the rules
//! change.

#[cfg(feature = "acme")]
use super::answering::Host;
#[cfg(feature = "acme")]
use super::ordered;
use super::parts::SharedParts;
use super::secured::Secured;
use crate::access::AccessRules;
use crate::access::tokens::{Issuers, KeySet};
use crate::config::{AcmeConfig, ConfigError};
use crate::journal::Journal;
use crate::metrics::Counters;
#[cfg(feature = "acme")]
use crate::metrics::certificates::AcmeFigures;
use crate::metrics::key_sets::{KeySetFigures, KeySets};
use crate::services::outbound::{Intervals, KeySource, KeyTaker, KeyWork, Outbound, Stop};
use crate::tls::Trust;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Instant;

/// The thread of a server, if it has one. It ends with this.
pub(super) struct OutboundThread {
    running: Option<(Stop, JoinHandle<()>)>,
    kept: Vec<Kept>,
    key_sets: Arc<KeySets>,
    journal: Arc<Journal>,
    /// Written by one thread at a time: each begins after the end of the one before.
    counters: Arc<Counters>,
    started: Instant,
    #[cfg(feature = "acme")]
    host: Arc<Host>,
    #[cfg(feature = "acme")]
    orders: Arc<AcmeFigures>,
    /// What is ordered.
    acme: AcmeConfig,
}

/// The keys of an issuer that are fetched.
struct Kept {
    name: String,
    issuer: String,
    url: String,
    figures: Arc<KeySetFigures>,
}

/// A thread that is not started yet, and what it is to keep.
struct Prepared {
    outbound: Option<(Outbound, Stop)>,
    kept: Vec<Kept>,
}

/// Puts keys where tokens are verified: of the issuers that it was made for, since another configuration may have others in
/// their places.
struct Taker(Arc<Issuers>);

impl KeyTaker for Taker {
    fn take(&self, issuer: usize, bytes: &[u8]) -> Result<usize, String> {
        let keys = KeySet::from_jwks(bytes).map_err(|fault| fault.to_string())?;
        let usable = keys.usable();
        self.0.set_keys(issuer, keys);
        Ok(usable)
    }

    fn forget(&self, issuer: usize) {
        self.0.forget_keys(issuer);
    }
}

impl OutboundThread {
    /// None yet. Its counters are those before the last, which are insight's.
    #[cfg_attr(not(feature = "acme"), expect(unused_variables, reason = "nothing is ordered"))]
    pub(super) fn new(shared: &SharedParts, secured: &Arc<Secured>) -> OutboundThread {
        OutboundThread {
            running: None,
            kept: Vec::new(),
            key_sets: Arc::clone(&shared.key_sets),
            journal: Arc::clone(&shared.journal),
            counters: shared.threads.iter().rev().nth(1).map(Arc::clone).unwrap_or_default(),
            started: shared.started,
            #[cfg(feature = "acme")]
            host: Arc::new(Host { secured: Arc::clone(secured), challenges: Arc::clone(&shared.challenges) }),
            #[cfg(feature = "acme")]
            orders: Arc::clone(&shared.orders),
            acme: AcmeConfig::default(),
        }
    }

    /// Fetches for the issuers of these rules from now on, and for no others; the rules ask it for new keys. What was fetched
    /// for those `before` is kept where it is the same that would be fetched. Orders what `acme` says.
    ///
    /// # Errors
    /// A URL may not be called, or a folder not written to, and nothing has changed; or the system has no threads or descriptors.
    pub(super) fn replace(
        &mut self,
        rules: &mut AccessRules,
        before: &Issuers,
        acme: &AcmeConfig,
    ) -> Result<(), ConfigError> {
        let Prepared { outbound, kept } = self.prepare(rules, acme)?;
        self.end();
        #[cfg(feature = "acme")]
        if self.acme != *acme {
            self.orders.begin_anew();
        }
        self.acme = acme.clone();
        // Nothing is fetched for those before any more, so that nothing is lost between this and the first fetch.
        rules.issuers.keep_keys_of(before);
        self.key_sets.replace(kept.iter().map(|kept| Arc::clone(&kept.figures)).collect());
        self.kept = kept;
        if let Some((outbound, stop)) = outbound {
            let thread = std::thread::Builder::new().name("outbound".to_owned()).spawn(move || outbound.run());
            self.running = Some((stop, thread.map_err(|error| system(&error))?));
        }
        Ok(())
    }

    /// Ends it, whatever is in progress.
    pub(super) fn end(&mut self) {
        let Some((stop, thread)) = self.running.take() else { return };
        drop(stop);
        if thread.join().is_err() {
            log::error!(event = "thread_panicked"; "the outbound thread panicked");
        }
    }

    #[cfg_attr(not(feature = "acme"), expect(unused_variables, reason = "nothing is ordered"))]
    fn prepare(&self, rules: &mut AccessRules, acme: &AcmeConfig) -> Result<Prepared, ConfigError> {
        let sources = sources(&rules.issuers)?;
        let mut kept = Vec::new();
        for config in rules.issuers.configs() {
            let Some(url) = &config.key_set_url else { continue };
            let figures = self.figures(&config.name, &config.issuer, url);
            kept.push(Kept { name: config.name.clone(), issuer: config.issuer.clone(), url: url.clone(), figures });
        }
        #[cfg(feature = "acme")]
        let order = ordered::work(acme, self.host.clone(), Arc::clone(&self.orders))?;
        #[cfg(not(feature = "acme"))]
        let order: Option<()> = None;
        if sources.is_empty() && order.is_none() {
            return Ok(Prepared { outbound: None, kept });
        }
        let figures = kept.iter().map(|kept| Arc::clone(&kept.figures)).collect();
        let taker = Arc::new(Taker(Arc::clone(&rules.issuers)));
        let work = KeyWork { sources, taker, figures, intervals: Intervals::default() };
        let (journal, counters) = (Arc::clone(&self.journal), Arc::clone(&self.counters));
        let outbound = Outbound::new(work, Trust::System, journal, counters, self.started);
        let (outbound, refresh, stop) = outbound.map_err(|error| system(&error))?;
        rules.refresh = refresh;
        #[cfg(feature = "acme")]
        let outbound = match order {
            Some(order) => outbound.ordering(order),
            None => outbound,
        };
        Ok(Prepared { outbound: Some((outbound, stop)), kept })
    }

    /// The figures of a key set: those from before, if it is the same that was fetched before. The keys that are kept do not
    /// become younger by another name.
    fn figures(&self, name: &str, issuer: &str, url: &str) -> Arc<KeySetFigures> {
        let same = self.kept.iter().find(|kept| kept.issuer == issuer && kept.url == url);
        if let Some(same) = same.filter(|same| same.name == name) {
            return Arc::clone(&same.figures);
        }
        let figures = KeySetFigures::new(name);
        if let Some(second) = same.and_then(|same| same.figures.held_since()) {
            figures.hold(second);
        }
        Arc::new(figures)
    }
}

impl Drop for OutboundThread {
    fn drop(&mut self) {
        self.end();
    }
}

/// Where the key sets of these issuers are.
fn sources(issuers: &Issuers) -> Result<Vec<KeySource>, ConfigError> {
    let (mut sources, mut problems) = (Vec::new(), Vec::new());
    for (place, config) in issuers.configs().enumerate() {
        let Some(url) = &config.key_set_url else { continue };
        match KeySource::new(place, &config.name, url, config.allow_private_addresses, config.key_set_stale) {
            Ok(source) => sources.push(source),
            Err(fault) => problems.push(format!("[[issuer]] {}: \"jwks_url\": {fault}", place + 1)),
        }
    }
    ConfigError::unless_empty(problems).map(|()| sources)
}

/// Whether the addresses of the issuers' key sets may be called, as far as they tell by themselves.
pub(super) fn check_addresses(issuers: &Issuers) -> Result<(), ConfigError> {
    sources(issuers).map(drop)
}

fn system(error: &io::Error) -> ConfigError {
    ConfigError::of(vec![format!("nothing can be fetched from other servers: {error}")])
}
