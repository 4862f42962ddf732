//! TLS of the listeners: their certificates out of files.

use crate::config::{Config, ConfigError};
use crate::tls::session::Acceptor;
#[cfg(feature = "tls")]
use std::sync::Arc;

/// What of TLS lasts as long as the server, whatever its configuration becomes.
#[derive(Default)]
pub(super) struct Secured {
    /// The keys of tickets, from the first certificate on: clients that were here before a reload come back by theirs.
    #[cfg(feature = "tls")]
    tickets: Option<Arc<dyn rustls::server::ProducesTickets>>,
}

impl Secured {
    /// What listeners that speak TLS begin their sessions with; `None` where there is no certificate.
    ///
    /// # Errors
    /// Certificates that cannot be read or used: all of them, each with its file.
    #[cfg(feature = "tls")]
    pub(super) fn acceptor(&mut self, config: &Config) -> Result<Option<Acceptor>, ConfigError> {
        use crate::config::TlsVersion;
        use crate::tls::certificates::Certificates;
        use crate::tls::server::{Oldest, server_config, ticketer};

        let Some(certificates) = Certificates::new(&read(config)?) else { return Ok(None) };
        let oldest = match config.tls.oldest {
            TlsVersion::Tls12 => Oldest::Tls12,
            TlsVersion::Tls13 => Oldest::Tls13,
        };
        let tickets = match &self.tickets {
            Some(tickets) => Arc::clone(tickets),
            None => {
                let made = ticketer().map_err(|error| ConfigError::of(vec![format!("TLS cannot begin: {error}")]))?;
                Arc::clone(self.tickets.insert(made))
            }
        };
        Ok(Some(server_config(certificates, oldest, tickets).into()))
    }

    /// Nothing.
    ///
    /// # Errors
    /// There is a certificate.
    #[cfg(not(feature = "tls"))]
    #[expect(clippy::unused_self, reason = "it is used where there is TLS")]
    pub(super) fn acceptor(&mut self, config: &Config) -> Result<Option<Acceptor>, ConfigError> {
        if config.all_certificates().is_empty() {
            return Ok(None);
        }
        Err(ConfigError::of(vec![
            "this program was built without the feature \"tls\": it can use no certificate".to_owned(),
        ]))
    }
}

#[cfg(feature = "tls")]
fn read(config: &Config) -> Result<Vec<crate::tls::certificates::Certificate>, ConfigError> {
    let provider = crate::tls::provider();
    let (mut certificates, mut problems) = (Vec::new(), Vec::new());
    for own in config.all_certificates() {
        match crate::tls::certificates::Certificate::read(&own.chain, &own.key, &provider) {
            Ok(certificate) => certificates.push(certificate),
            Err(bad) => problems.push(bad.to_string()),
        }
    }
    ConfigError::unless_empty(problems)?;
    Ok(certificates)
}
