//! Asking for fresh keys of an issuer: from any thread, without waiting.

use std::fmt;
use std::sync::Arc;

/// Asks the outbound thread, if there is one.
#[derive(Clone, Default)]
pub struct KeyRefresh(Option<Arc<Ask>>);

type Ask = dyn Fn(usize) + Send + Sync;

impl KeyRefresh {
    /// Asks by calling `ask`, which must not wait for anything.
    pub fn by(ask: impl Fn(usize) + Send + Sync + 'static) -> KeyRefresh {
        KeyRefresh(Some(Arc::new(ask)))
    }

    /// Asks for the keys of the issuer at this place of the configuration, since a token names one that is not known. However
    /// often that is, they are fetched once a minute at most.
    pub fn request_refresh(&self, issuer: usize) {
        if let Some(ask) = &self.0 {
            ask(issuer);
        }
    }
}

impl fmt::Debug for KeyRefresh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("KeyRefresh").field(&self.0.is_some()).finish()
    }
}
