//! Why a thread cannot begin.

use rustls::pki_types::{InvalidDnsNameError, pem};
use std::io;

/// Why a thread cannot begin.
#[derive(Debug, thiserror::Error)]
pub enum BeginError {
    /// The kernel gives no epoll or timer.
    #[error("a thread cannot begin: {0}")]
    Kernel(#[source] io::Error),
    /// There is nothing to check a server's certificate with.
    #[error(transparent)]
    Trust(#[from] TrustError),
}

/// Why there is nothing to check a server's certificate with.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// The library has no version of TLS for its cryptography.
    #[error("{0}")]
    Versions(#[source] rustls::Error),
    /// No file of certificates is where systems have it.
    #[error("this machine has no file of certificates where it usually is: name one with --ca")]
    NoSystemFile,
    /// The file cannot be read, or is not PEM.
    #[error("{0}: {1}")]
    File(String, #[source] pem::Error),
    /// The file has no certificate that can be used.
    #[error("{0}: there is no certificate in it")]
    Empty(String),
    /// No certificate can have the name of the target.
    #[error("`{0}`: {1}")]
    Name(String, #[source] InvalidDnsNameError),
}
