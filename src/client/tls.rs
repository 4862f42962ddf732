//! TLS between the client and a server: which certificates are trusted, and the handshake.

use super::error::{ClientError, is_timeout};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{CertificateError, ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use std::io;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who is trusted to certify a server's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that this system trusts.
    #[default]
    System,
    /// The certificates in a file (PEM), and no others.
    File(PathBuf),
}

/// A session on a connection.
pub(super) type Session = StreamOwned<ClientConnection, TcpStream>;

/// Shakes hands with the server of this name or address.
pub(super) fn shake(host: &str, address: &str, trust: &Trust, tcp: TcpStream) -> Result<Session, ClientError> {
    let untrusted = |problem| ClientError::Untrusted { address: address.to_owned(), problem };
    let name = ServerName::try_from(host.trim_matches(['[', ']']).to_owned());
    let name = name.map_err(|_| untrusted(format!("a certificate cannot have the name {host:?}")))?;
    let config = config(trust).map_err(untrusted)?;
    let session = ClientConnection::new(Arc::new(config), name);
    let mut stream = StreamOwned::new(session.map_err(|error| untrusted(error.to_string()))?, tcp);
    // Here and not with the first write, so that a certificate that is not trusted gets an error of its own.
    while stream.conn.is_handshaking() {
        stream.conn.complete_io(&mut stream.sock).map_err(|error| problem(&error, address))?;
    }
    Ok(stream)
}

/// The provider is always named: the default of a process depends on what else is linked into it.
fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let versions = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    Ok(versions.with_root_certificates(roots(trust)?).with_no_client_auth())
}

fn roots(trust: &Trust) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    match trust {
        Trust::File(path) => store.add_parsable_certificates(certificates(path)?),
        Trust::System => {
            let found = rustls_native_certs::load_native_certs();
            let added = store.add_parsable_certificates(found.certs);
            // Systems have certificates that cannot be read: it matters only where nothing is left.
            if let (true, Some(error)) = (store.is_empty(), found.errors.first()) {
                return Err(format!("the certificates that this system trusts cannot be read: {error}"));
            }
            added
        }
    };
    if store.is_empty() { Err("there is no certificate to check it against".to_owned()) } else { Ok(store) }
}

fn certificates(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let named = |error| format!("{}: {error}", path.display());
    let found = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let found = found.map_err(|error| named(error.to_string()))?;
    if found.is_empty() { Err(named("there is no certificate (PEM) in it".to_owned())) } else { Ok(found) }
}

/// Why a handshake failed: for its certificate, for not being TLS, or for the connection.
fn problem(error: &io::Error, address: &str) -> ClientError {
    let address = address.to_owned();
    if is_timeout(error) {
        return ClientError::TimedOut;
    }
    match error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        // The second error: signed by another key of a known name, as when a private authority was made again.
        Some(rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature)) => {
            ClientError::Untrusted {
                address,
                problem: "none of the authorities that are trusted here signed it".to_owned(),
            }
        }
        Some(rustls::Error::InvalidCertificate(error)) => {
            ClientError::Untrusted { address, problem: error.to_string() }
        }
        Some(rustls::Error::InvalidMessage(_)) => {
            ClientError::NoTls { address, problem: "its answer is not TLS".to_owned() }
        }
        Some(error) => ClientError::NoTls { address, problem: error.to_string() },
        None => ClientError::Lost(format!("{error}, while TLS was begun")),
    }
}

#[cfg(test)]
mod tests;
