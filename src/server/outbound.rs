//! The outbound thread of a server, where there is something to fetch: made before the reactors, which ask it, and started
//! after everything else.

use super::parts::SharedParts;
use crate::config::Config;
use crate::services::outbound::{KeyWork, Outbound, Stop};
use crate::tls::Trust;
use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;

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

/// Prepares the thread, if the configuration gives it anything to do.
pub(super) fn prepare(config: &Config, shared: &SharedParts) -> io::Result<Option<Prepared>> {
    let Some(work) = key_work(config) else { return Ok(None) };
    let journal = Arc::clone(&shared.journal);
    // Those before the last, which are insight's.
    let counters = shared.threads.iter().rev().nth(1).map(Arc::clone).unwrap_or_default();
    let (outbound, _, stop) = Outbound::new(work, Trust::System, journal, counters, shared.started)?;
    Ok(Some(Prepared { outbound, stop }))
}

/// The key sets that a configuration names: none as long as it has no issuers.
fn key_work(_: &Config) -> Option<KeyWork> {
    None
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
