//! Key sets of issuers (JWKS): fetched at the start, again when they are no longer fresh, and when somebody asks.

mod fetcher;
mod lifetime;
mod schedule;

pub(super) use fetcher::{Fetcher, Shared};
pub use schedule::Intervals;

use super::fault::CallFault;
use super::reach::Reach;
use hyper::Uri;
use std::time::Duration;

/// Where the keys of one issuer are.
#[derive(Debug, Clone)]
pub struct KeySource {
    /// The issuer's place in the configuration.
    pub(super) issuer: usize,
    /// Its name in logs and metrics.
    pub(super) name: Box<str>,
    pub(super) url: Uri,
    pub(super) reach: Reach,
    /// How long keys are used that cannot be fetched again.
    pub(super) stale: Duration,
}

impl KeySource {
    /// Keys at a URL: by https from a public address, unless private ones (and with them http) are allowed.
    ///
    /// # Errors
    /// It is not a URL, or one that may not be called, as far as it tells by itself: its name is not looked up.
    pub fn new(
        issuer: usize,
        name: &str,
        url: &str,
        allow_private: bool,
        stale: Duration,
    ) -> Result<KeySource, CallFault> {
        let reach = if allow_private { Reach::Anywhere } else { Reach::Public };
        let parsed: Uri = url.parse().map_err(|error: hyper::http::uri::InvalidUri| not_url(&error.to_string()))?;
        reach.admit_url(&parsed)?;
        // Both would be dropped in silence: a user, and a port that is none.
        if let Some(authority) = parsed.authority() {
            if authority.as_str().contains('@') {
                return Err(not_url("a user or a password in it would not be sent"));
            }
            if authority.port_u16().is_none() && authority.as_str() != authority.host() {
                return Err(not_url("a port is a number up to 65535"));
            }
        }
        Ok(KeySource { issuer, name: name.into(), url: parsed, reach, stale })
    }
}

fn not_url(problem: &str) -> CallFault {
    CallFault::NotUrl(problem.to_owned())
}

/// What becomes of key sets. Called on the outbound thread alone.
pub trait KeyTaker: Send + Sync {
    /// Uses the keys in these bytes from now on, and those that the issuer had before no longer. How many there are.
    ///
    /// # Errors
    /// They are no key set, for the end of a sentence, with nothing of the bytes in it. Those from before stay in use.
    fn take(&self, issuer: usize, bytes: &[u8]) -> Result<usize, String>;

    /// The issuer's keys are too old: uses none of them any longer.
    fn forget(&self, issuer: usize);
}

#[cfg(test)]
mod tests {
    use super::KeySource;
    use std::time::Duration;

    #[test]
    fn a_source_has_a_url_that_may_be_called() {
        for (url, wrong) in [
            ("https://login.example/keys", None),
            ("https://login.example:8443/realms/a/certs?x=1", None),
            ("HTTPS://LOGIN.EXAMPLE", None),
            ("", Some("not a URL")),
            ("keys.json", Some("https://")),
            ("https://", Some("not a URL")),
            ("https://login.example:99999/", Some("a port")),
            ("https://login.example:/", Some("a port")),
            ("https://[2606:4700::1111]/", None),
            ("https://login example/", Some("not a URL")),
            ("https://user:secret@login.example/keys", Some("would not be sent")),
            ("file:///etc/passwd", Some("not a URL")),
            ("http://login.example/keys", Some("allow_private_addresses = true")),
            ("https://169.254.169.254/keys", Some("a link-local address; allow_private_addresses = true")),
        ] {
            let source = KeySource::new(0, "main", url, false, Duration::ZERO);
            match (source, wrong) {
                (Ok(_), None) => {}
                (Err(fault), Some(words)) => {
                    let text = fault.to_string();
                    assert!(text.contains(words), "{url}: {text}");
                    assert!(!text.contains("secret"), "{url}: {text}");
                }
                (source, _) => panic!("{url}: {source:?}"),
            }
        }
        assert!(KeySource::new(0, "main", "http://127.0.0.1:1/keys", true, Duration::ZERO).is_ok());
    }
}
