//! TLS: who is trusted by a client, and a server's sessions and certificates. Bytes and files, no sockets.

#[cfg(all(test, feature = "tls"))]
pub(crate) mod both_ends;
#[cfg(feature = "tls")]
pub mod certificates;
#[cfg(feature = "acme")]
pub mod challenge;
#[cfg(feature = "tls")]
pub mod current;
pub mod failure;
#[cfg(all(test, feature = "tls"))]
pub(crate) mod forged;
#[cfg(feature = "tls")]
pub mod server;
#[cfg(feature = "tls")]
pub mod session;
#[cfg(not(feature = "tls"))]
#[path = "without.rs"]
pub mod session;
#[cfg(feature = "tls")]
pub mod tickets;
#[cfg(feature = "outbound")]
mod trust;
#[cfg(feature = "tls")]
mod validity;

#[cfg(feature = "tls")]
pub use validity::Validity;

#[cfg(feature = "outbound")]
pub use trust::{Trust, client_config, distrust, roots};

/// The cryptography of the whole program, which is always named: the default of a process depends on what else is linked
/// into it.
#[cfg(feature = "tls")]
#[must_use]
pub fn provider() -> std::sync::Arc<rustls::crypto::CryptoProvider> {
    std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
