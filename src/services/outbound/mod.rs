//! Outbound: the one thread that calls other servers, so that no reactor and no worker ever waits for one.
//!
//! All it does is in tasks of one runtime. Each call has a limit of time and of bytes, goes where its [`Reach`] allows,
//! follows no redirect and uses no proxy. When the thread is told to end it waits for no peer.

#[cfg(feature = "acme")]
mod acme;
mod backoff;
mod caller;
mod connect;
mod fault;
mod keys;
mod reach;
#[cfg(test)]
mod tests;

#[cfg(feature = "acme")]
pub use acme::{AcmeHost, AcmeWork, ChallengeKind, Store, Wanted};
pub use fault::CallFault;
pub use keys::{Intervals, KeySource, KeyTaker};
pub use reach::Reach;

use crate::access::Refresh;
use crate::access::tokens::KEY_SET_BYTES_MAX;
use crate::journal::{Event, Journal, Kind};
use crate::metrics::Counters;
use crate::metrics::key_sets::KeySetFigures;
use crate::tls::{Trust, client_config, roots};
#[cfg(feature = "acme")]
use acme::Buyer;
use caller::Caller;
use keys::{Fetcher, Shared};
use rustls::RootCertStore;
use std::io;
use std::sync::Arc;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::{Notify, Semaphore, oneshot};

/// Threads that look names up.
const LOOKUPS_MAX: usize = 4;
/// Key sets that are fetched at once.
const FETCHES_MAX: usize = 16;

/// What is to be fetched, and what becomes of it.
pub struct KeyWork {
    /// Where the keys of each issuer are.
    pub sources: Vec<KeySource>,
    /// Who takes them.
    pub taker: Arc<dyn KeyTaker>,
    /// Where it is counted: a row for each source, in the same order.
    pub figures: Vec<Arc<KeySetFigures>>,
    /// When it is fetched.
    pub intervals: Intervals,
}

/// The thread's belongings.
pub struct Outbound {
    runtime: Runtime,
    work: KeyWork,
    /// By the place of their sources.
    asked: Vec<Arc<Notify>>,
    trust: Trust,
    #[cfg(feature = "acme")]
    acme: Option<AcmeWork>,
    journal: Arc<Journal>,
    counters: Arc<Counters>,
    started: Instant,
    stopped: oneshot::Receiver<()>,
}

/// Ends the outbound thread when it is dropped.
pub struct Stop(#[expect(dead_code, reason = "the other end sees it go")] oneshot::Sender<()>);

impl Outbound {
    /// What the thread is to do, how others ask it for keys, and what ends it. `counters` have no other writer.
    ///
    /// # Errors
    /// The system has no descriptors for the runtime.
    pub fn new(
        work: KeyWork,
        trust: Trust,
        journal: Arc<Journal>,
        counters: Arc<Counters>,
        started: Instant,
    ) -> io::Result<(Outbound, Refresh, Stop)> {
        let mut builder = Builder::new_current_thread();
        builder.enable_io().enable_time().max_blocking_threads(LOOKUPS_MAX).thread_name("lookup");
        let runtime = builder.build()?;
        let asked: Vec<Arc<Notify>> = work.sources.iter().map(|_| Arc::default()).collect();
        let issuers: Vec<usize> = work.sources.iter().map(|source| source.issuer).collect();
        let by_issuer: Vec<(usize, Arc<Notify>)> = issuers.into_iter().zip(asked.iter().cloned()).collect();
        let refresh = Refresh::by(move |issuer| {
            // A note that is there already is not left twice, and a thread that does not wait is not woken.
            by_issuer.iter().filter(|(own, _)| *own == issuer).for_each(|(_, asked)| asked.notify_one());
        });
        let (sender, stopped) = oneshot::channel();
        let outbound = Outbound {
            runtime,
            work,
            asked,
            trust,
            #[cfg(feature = "acme")]
            acme: None,
            journal,
            counters,
            started,
            stopped,
        };
        Ok((outbound, refresh, Stop(sender)))
    }

    /// The same, which orders a certificate besides.
    #[cfg(feature = "acme")]
    #[must_use]
    pub fn ordering(self, acme: AcmeWork) -> Outbound {
        Outbound { acme: Some(acme), ..self }
    }

    /// Works until it is told to end, and ends then whatever is in progress.
    pub fn run(self) {
        #[cfg(feature = "acme")]
        let ordering = self.acme.map(|work| {
            let (_, caller) = callers(&work.trust);
            Buyer::new(work, caller, (Arc::clone(&self.journal), Arc::clone(&self.counters)), self.started)
        });
        let Outbound { runtime, work, asked, trust, journal, counters, started, stopped, .. } = self;
        let KeyWork { sources, taker, figures, intervals } = work;
        let (public, anywhere) = callers(&trust);
        let shared = Arc::new(Shared {
            taker,
            intervals,
            body_bytes_max: KEY_SET_BYTES_MAX,
            turns: Semaphore::new(FETCHES_MAX),
            journal,
            counters,
            figures,
            started,
        });
        runtime.block_on(async {
            for (place, (source, asked)) in sources.into_iter().zip(asked).enumerate() {
                let caller = if source.reach == Reach::Public { &public } else { &anywhere };
                let fetcher = Fetcher::new(source, place, caller.clone(), asked, Arc::clone(&shared));
                tokio::spawn(watched(fetcher, Arc::clone(&shared)));
            }
            #[cfg(feature = "acme")]
            if let Some(buyer) = ordering {
                tokio::spawn(buyer.run());
            }
            // An error: the other end was dropped, which is how it is told.
            drop(stopped.await);
        });
        // The tasks end here. A look-up may still be in progress, and the system lets none be interrupted: not waited for.
        runtime.shutdown_background();
    }
}

/// One for each reach: connections of one are no way into the other.
fn callers(trust: &Trust) -> (Caller, Caller) {
    // Without authorities that are trusted, http still has no need of them.
    let (roots, problem) = match roots(trust) {
        Ok(roots) => (roots, None),
        Err(problem) => (RootCertStore::empty(), Some(problem)),
    };
    let tls = client_config(roots);
    let lookups = Arc::new(Semaphore::new(LOOKUPS_MAX));
    let caller = |reach| Caller::new(reach, tls.clone(), problem.clone(), Arc::clone(&lookups));
    (caller(Reach::Public), caller(Reach::Anywhere))
}

/// A panic outside of a call is a defect that ends the fetching of one issuer's keys: at least it is seen.
async fn watched(fetcher: Fetcher, shared: Arc<Shared>) {
    if tokio::spawn(fetcher.run()).await.is_err() {
        shared.counters.panics.add(1);
        let event = Event {
            peer: None,
            reason: "",
            fields: &[],
            message: format_args!("keys of one issuer are no longer fetched"),
        };
        shared.journal.tell(Kind::Panicked, shared.started.elapsed().as_millis() as u64, &event);
    }
}
