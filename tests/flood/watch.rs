//! The watchdog: where every thread is, printed when a flood does not end.

use super::Flood;
use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

/// What each thread does now.
pub(super) struct Board {
    lines: Mutex<BTreeMap<String, String>>,
}

impl Board {
    pub(super) fn new() -> Board {
        Board { lines: Mutex::default() }
    }

    /// Writes down what this thread is about to do.
    pub(super) fn note(&self, what: impl Into<String>) {
        let name = std::thread::current().name().unwrap_or("unnamed").to_owned();
        self.lines.lock().expect("notes are plain").insert(name, what.into());
    }
}

/// Runs `act`; when it takes longer than `limit`, prints the state of everything and ends the process: a thread that is
/// stuck cannot be ended in another way.
pub(super) fn within(limit: Duration, flood: &Flood<'_>, act: impl FnOnce()) {
    std::thread::scope(|scope| {
        let (done, waiting) = channel::<()>();
        scope.spawn(move || {
            if waiting.recv_timeout(limit) == Err(RecvTimeoutError::Timeout) {
                eprintln!("the flood is stuck after {limit:?}: {:#?}", flood.board.lines.lock());
                eprintln!("{}\nhub: {:?}", flood.ledger.summary(), flood.server.hub().stats());
                eprintln!("{}", crate::support::http::get_as_operator(flood.server.address(), "/metrics").text());
                std::process::exit(101);
            }
        });
        act();
        drop(done);
    });
}
