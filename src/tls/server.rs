//! What a server's handshakes need: certificates, versions, ciphers and tickets.

use super::current::CurrentCertificates;
use super::provider;
use super::session::CHALLENGE_PROTOCOL;
use super::tickets::Tickets;
use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::cipher_suite::{
    TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256, TLS13_AES_128_GCM_SHA256,
};
use rustls::{ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// The oldest version that is spoken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Oldest {
    /// TLS 1.2.
    #[default]
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Oldest {
    fn versions(self) -> &'static [&'static SupportedProtocolVersion] {
        static ALL: [&SupportedProtocolVersion; 2] = [&rustls::version::TLS13, &rustls::version::TLS12];
        match self {
            Oldest::Tls12 => &ALL,
            Oldest::Tls13 => &ALL[..1],
        }
    }
}

/// What listeners with these certificates need. Both may change while they are in use. `is_asked`: certificate authorities may ask
/// whether a name leads here.
#[must_use]
pub fn server_config(
    certificates: Arc<CurrentCertificates>,
    oldest: Oldest,
    tickets: Arc<Tickets>,
    is_asked: bool,
) -> ServerConfig {
    let mut config = ServerConfig::builder_with_provider(quick_first())
        .with_protocol_versions(oldest.versions())
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    // A client that speaks h2 as well falls back to it.
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    if is_asked {
        config.alpn_protocols.push(CHALLENGE_PROTOCOL.to_vec());
    }
    config.ignore_client_order = true;
    config.ticketer = tickets;
    // One is enough: a client that comes back gets another.
    config.send_tls13_tickets = 1;
    config
}

/// The provider with AES-128 before AES-256, whose SHA-384 has no hardware: 18 µs of each handshake, measured. Both are of
/// no danger to break.
fn quick_first() -> Arc<CryptoProvider> {
    let mut provider = CryptoProvider::clone(&provider());
    let quick =
        [TLS13_AES_128_GCM_SHA256, TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256, TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256];
    provider.cipher_suites.sort_by_key(|suite| !quick.iter().any(|quick| quick.suite() == suite.suite()));
    Arc::new(provider)
}
