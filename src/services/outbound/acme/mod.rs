//! A certificate that is ordered from an authority (ACME, RFC 8555), kept in a folder, and renewed, for as long as the server runs.

mod buyer;
mod client;
mod due;
mod failure;
mod order;
mod store;

pub(super) use buyer::Buyer;
pub use store::Store;

use crate::metrics::certificates::AcmeFigures;
use crate::tls::Trust;
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::time::Duration;

/// What an order is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// The names that the certificate is for, in lower case.
    pub domains: Vec<String>,
    /// Where the authority reaches the operator; empty for nowhere.
    pub email: String,
    /// Where the authority says what it can do.
    pub directory: String,
    /// How it finds out that the names lead here.
    pub challenge: ChallengeKind,
    /// An account that there is with the authority already: the id of a key, and the key.
    pub external: Option<(String, Vec<u8>)>,
    /// How long before its end a certificate is renewed; zero for a third of its time.
    pub renew_before: Duration,
}

/// How an authority finds out that a name leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChallengeKind {
    /// By a TLS connection (RFC 8737).
    TlsAlpn,
    /// By plain HTTP (RFC 8555 section 8.3).
    Http,
}

/// What is to be ordered, and what becomes of it.
pub struct AcmeWork {
    /// What is ordered.
    pub wanted: Wanted,
    /// Where the account and the certificate are kept.
    pub store: Store,
    /// Who the authority's own certificate is trusted by.
    pub trust: Trust,
    /// Who answers for the names, and takes the certificate.
    pub host: Arc<dyn AcmeHost>,
    /// Where it is counted, and since when the authority is left alone.
    pub figures: Arc<AcmeFigures>,
}

/// The server that a certificate is for. Called on the outbound thread alone.
pub trait AcmeHost: Send + Sync {
    /// Answers an authority that asks by plain HTTP: tokens with their answers, and no others.
    fn expect_http(&self, answers: Vec<(String, String)>);

    /// Shows an authority that asks by TLS these certificates by the names that it asks for, and no others.
    fn expect_tls(&self, proofs: Vec<(String, Arc<CertifiedKey>)>);

    /// Whether new handshakes are shown any certificate.
    fn has_certificate(&self) -> bool;

    /// The file of the certificate was replaced: uses it from now on.
    ///
    /// # Errors
    /// It cannot, and goes on with what it has: the end of a sentence.
    fn take(&self) -> Result<(), String>;
}
