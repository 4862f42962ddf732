//! Who is trusted by a client: which certificates are trusted, and why one is not.

use super::provider;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject as _;
use rustls::{CertificateError, ClientConfig, RootCertStore};
use std::path::{Path, PathBuf};

/// Who is trusted to certify a server's name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Trust {
    /// The authorities that this system trusts, or those that `SSL_CERT_FILE` and `SSL_CERT_DIR` name instead.
    #[default]
    System,
    /// The certificates in a file (PEM), and no others.
    File(PathBuf),
}

/// What a client needs for its handshakes.
#[must_use]
pub fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(provider())
        .with_safe_default_protocol_versions()
        .expect("the provider speaks TLS 1.2 and 1.3")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// The certificates of those who are trusted. Reads files.
///
/// # Errors
/// There is none: the end of a sentence.
pub fn roots(trust: &Trust) -> Result<RootCertStore, String> {
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

/// Why a certificate was not trusted, if that is what failed: the end of a sentence.
#[must_use]
pub fn distrust(error: &rustls::Error) -> Option<String> {
    match error {
        // The second error: signed by another key of a known name, as when a private authority was made again.
        rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer | CertificateError::BadSignature) => {
            Some("none of the authorities that are trusted here signed it".to_owned())
        }
        rustls::Error::InvalidCertificate(error) => Some(error.to_string()),
        _ => None,
    }
}
