//! TLS of the listeners: their certificates and ticket keys out of files, again when the files change.

use super::ordered;
use crate::config::{AcmeChallenge, CertificateConfig, Config, ConfigError, TlsVersion};
use crate::metrics::certificates::{Expiries, Expiry};
use crate::tls::certificates::{Certificate, Certificates};
use crate::tls::current::CurrentCertificates;
use crate::tls::provider;
use crate::tls::server::{Oldest, server_config};
use crate::tls::session::Acceptor;
use crate::tls::tickets::{OWN_KEY_LASTS, TicketKeys, Tickets};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The files that TLS needs, as a configuration names them, and how often they are looked at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Files {
    certificates: Vec<CertificateConfig>,
    /// What an authority gave, which need not be there yet.
    ordered: Option<PathBuf>,
    ticket_keys: Option<PathBuf>,
    every: Duration,
}

/// What tells a file from what it was: when it was changed, its size, and which it is. `None` for one that is not there.
type Stamp = Option<(i64, i64, u64, u64)>;

impl Files {
    fn of(config: &Config) -> Files {
        let ticket_keys = (!config.tls.ticket_keys.is_empty()).then(|| PathBuf::from(&config.tls.ticket_keys));
        let ordered = ordered::certificate(config);
        Files { certificates: config.all_certificates(), ordered, ticket_keys, every: config.tls.watch }
    }

    fn stamps(&self) -> Vec<Stamp> {
        let pairs = self.certificates.iter().flat_map(|pair| [&pair.chain, &pair.key]);
        let stamp = |path: &PathBuf| {
            let data = std::fs::metadata(path).ok()?;
            Some((data.mtime(), data.mtime_nsec(), data.size(), data.ino()))
        };
        pairs.chain(&self.ordered).chain(&self.ticket_keys).map(stamp).collect()
    }
}

/// What stood in the files of a configuration.
#[derive(Debug)]
pub(super) struct Loaded {
    certificates: Option<Certificates>,
    expiries: Vec<Expiry>,
    /// `None` where the server makes its own.
    tickets: Option<TicketKeys>,
    files: Files,
    stamps: Vec<Stamp>,
}

/// Reads the certificates and ticket keys of a configuration. Nothing changes by that.
///
/// # Errors
/// Files that cannot be read or used: all of them, each with what is wrong.
pub(super) fn load(config: &Config) -> Result<Loaded, ConfigError> {
    ordered::check(config)?;
    read(Files::of(config), Broken::Refused)
}

/// What becomes of a broken file with what an authority gave.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Broken {
    /// Nothing changes.
    Refused,
    /// It is as if it were not there: another certificate is ordered, and nobody has to be there for that.
    Ignored,
}

fn read(files: Files, broken: Broken) -> Result<Loaded, ConfigError> {
    // Before they are read: what is written meanwhile is found by the next look.
    let stamps = files.stamps();
    let provider = provider();
    let (mut certificates, mut problems) = (Vec::new(), Vec::new());
    for own in &files.certificates {
        match Certificate::read(&own.chain, &own.key, &provider) {
            Ok(certificate) => certificates.push(certificate),
            Err(bad) => problems.push(bad.to_string()),
        }
    }
    match files.ordered.as_deref().filter(|path| path.exists()).map(|path| Certificate::read(path, path, &provider)) {
        Some(Ok(certificate)) => certificates.push(certificate),
        Some(Err(bad)) if broken == Broken::Refused => problems.push(bad.to_string()),
        Some(Err(_)) | None => {}
    }
    let tickets = files.ticket_keys.as_deref().map(|path: &Path| TicketKeys::read(path)).transpose();
    let tickets = tickets.unwrap_or_else(|problem| {
        problems.push(problem);
        None
    });
    ConfigError::unless_empty(problems)?;
    let expiries = certificates.iter().filter_map(expiry).collect();
    Ok(Loaded { certificates: Certificates::new(&certificates), expiries, tickets, files, stamps })
}

fn expiry(certificate: &Certificate) -> Option<Expiry> {
    // As a label's value has it: names of certificates may have anything in them.
    let name = certificate.names().first().map(|name| name.replace(['\\', '"', '\n'], "?")).unwrap_or_default();
    Some(Expiry { certificate: name.into(), at_s: certificate.validity()?.until })
}

/// See the module. It is there without a certificate too, for listeners that are added later.
pub(super) struct Secured {
    certificates: Arc<CurrentCertificates>,
    tickets: Arc<Tickets>,
    expiries: Arc<Expiries>,
    watched: Mutex<Watched>,
}

/// What is known of the files.
struct Watched {
    files: Files,
    /// Of what was read last, whether it was of use or not.
    read: Vec<Stamp>,
    /// Of the last look.
    seen: Vec<Stamp>,
    next: Instant,
    /// When the server's own key for tickets has made them long enough; `None` where a file has the keys.
    rotates: Option<Instant>,
}

impl Secured {
    /// # Errors
    /// As [`load`], or the system gives no random bytes.
    pub(super) fn begin(config: &Config, now: Instant) -> Result<Secured, ConfigError> {
        let no_bytes = |error| ConfigError::of(vec![format!("TLS cannot begin: {error}")]);
        let tickets = Tickets::new(TicketKeys::random().map_err(no_bytes)?);
        let certificates = Arc::<CurrentCertificates>::default();
        let rotates = Some(now + OWN_KEY_LASTS);
        let watched = Watched { files: Files::default(), read: Vec::new(), seen: Vec::new(), next: now, rotates };
        let secured = Secured { certificates, tickets, expiries: Arc::default(), watched: Mutex::new(watched) };
        ordered::check(config)?;
        secured.swap(read(Files::of(config), Broken::Ignored)?, now);
        Ok(secured)
    }

    /// When the certificates end that are shown.
    pub(super) fn expiries(&self) -> Arc<Expiries> {
        Arc::clone(&self.expiries)
    }

    /// What handshakes are answered with.
    #[cfg(feature = "acme")]
    pub(super) fn certificates(&self) -> &CurrentCertificates {
        &self.certificates
    }

    /// Reads the files again that are in use.
    ///
    /// # Errors
    /// One is of no use, and nothing changes.
    #[cfg(feature = "acme")]
    pub(super) fn read_again(&self, now: Instant) -> Result<(), ConfigError> {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        let loaded = read(watched.files.clone(), Broken::Refused)?;
        self.take(&mut watched, loaded, now);
        Ok(())
    }

    /// What sessions of listeners begin with that speak TLS. It need not be made anew when files change.
    #[expect(clippy::unnecessary_wraps, reason = "a program without TLS has none")]
    pub(super) fn acceptor(&self, config: &Config) -> Option<Acceptor> {
        let oldest = match config.tls.oldest {
            TlsVersion::Tls12 => Oldest::Tls12,
            TlsVersion::Tls13 => Oldest::Tls13,
        };
        let is_asked = config.acme.is_wanted() && config.acme.challenge == AcmeChallenge::TlsAlpn01;
        Some(server_config(Arc::clone(&self.certificates), oldest, Arc::clone(&self.tickets), is_asked).into())
    }

    /// Takes what was read in place of what there was, on all reactors at once. Connections stay as they are.
    pub(super) fn swap(&self, loaded: Loaded, now: Instant) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        self.take(&mut watched, loaded, now);
    }

    fn take(&self, watched: &mut Watched, loaded: Loaded, now: Instant) {
        let Loaded { certificates, expiries, tickets, files, stamps } = loaded;
        self.certificates.replace(certificates);
        self.expiries.replace(expiries);
        watched.rotates = match tickets {
            Some(keys) => {
                self.tickets.replace(keys);
                None
            }
            // Its own keys stay: clients that come back after a change skip a part of the handshake all the same.
            None if watched.rotates.is_some() => watched.rotates,
            // Those of a file may be known to others.
            None => Some(self.rotate(now)),
        };
        (watched.files, watched.read, watched.seen) = (files, stamps.clone(), stamps);
    }

    /// Makes a new key for tickets: when the next is due.
    fn rotate(&self, now: Instant) -> Instant {
        if let Err(error) = self.tickets.rotate() {
            log::warn!(event = "tls_tickets"; "there is no new key for tickets, the old one goes on: {error}");
        }
        now + OWN_KEY_LASTS
    }

    /// What the control thread does for TLS every time that it wakes up: a new key for tickets when that is due, and now and then
    /// a look at the files.
    pub(super) fn look(&self, now: Instant) {
        let mut watched = self.watched.lock().unwrap_or_else(PoisonError::into_inner);
        if watched.rotates.is_some_and(|at| at <= now) {
            watched.rotates = Some(self.rotate(now));
        }
        if watched.files.every.is_zero() || watched.next > now {
            return;
        }
        watched.next = now + watched.files.every;
        let stamps = watched.files.stamps();
        let has_settled = stamps == watched.seen;
        // Two looks see the same: nobody is writing them now, and chain and key belong together.
        if stamps == watched.read || !has_settled {
            watched.seen = stamps;
            return;
        }
        match read(watched.files.clone(), Broken::Refused) {
            Ok(loaded) => {
                self.take(&mut watched, loaded, now);
                log::info!(event = "certificates"; "the files of certificates or ticket keys changed; new handshakes use them");
            }
            Err(error) => {
                watched.read = stamps;
                for problem in error.problems() {
                    log::error!(event = "certificates"; "a file of TLS changed and is of no use, so nothing changes: {problem}");
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "secured_tests.rs"]
mod tests;
