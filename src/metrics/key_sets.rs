//! What is known of the key sets of issuers: fetches by outcome, and the age of the keys in use.

use super::Counter;
use arc_swap::ArcSwap;
use std::sync::Arc;

/// The figures of one issuer. Only the outbound thread writes them.
#[derive(Debug)]
pub struct KeySetFigures {
    /// As it stands between quotation marks.
    pub(super) issuer: Box<str>,
    /// Fetches that brought keys.
    pub fetched: Counter,
    /// Fetches that did not.
    pub failed: Counter,
    /// The second after the start in which the keys in use were fetched, plus one; 0 while there are none.
    held_since: Counter,
}

impl KeySetFigures {
    /// Nothing yet, for the issuer of this name.
    #[must_use]
    pub fn new(issuer: &str) -> KeySetFigures {
        // As a label's value has it.
        let issuer = issuer.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        KeySetFigures {
            issuer: issuer.into(),
            fetched: Counter::default(),
            failed: Counter::default(),
            held_since: Counter::default(),
        }
    }

    /// Notes that keys were fetched in this second after the start.
    pub fn hold(&self, second: u64) {
        self.held_since.set(second + 1);
    }

    /// Notes that no keys are in use.
    pub fn let_go(&self) {
        self.held_since.set(0);
    }

    /// The second after the start in which the keys in use were fetched, if there are any.
    #[must_use]
    pub fn held_since(&self) -> Option<u64> {
        self.held_since.get().checked_sub(1)
    }

    /// How old the keys in use are, if there are any.
    pub(super) fn age_s(&self, uptime_s: u64) -> Option<u64> {
        self.held_since().map(|since| uptime_s.saturating_sub(since))
    }
}

/// The figures of all issuers whose keys are fetched. They are others when the configuration changes.
#[derive(Debug, Default)]
pub struct KeySets(ArcSwap<Vec<Arc<KeySetFigures>>>);

impl KeySets {
    /// Those that there are now.
    pub fn all(&self) -> Arc<Vec<Arc<KeySetFigures>>> {
        self.0.load_full()
    }

    /// Replaces them.
    pub fn replace(&self, all: Vec<Arc<KeySetFigures>>) {
        self.0.store(Arc::new(all));
    }
}
