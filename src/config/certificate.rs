//! `[[certificate]]`: what listeners show that speak TLS.

use super::text::quoted;
use std::path::PathBuf;

/// One `[[certificate]]`. The names that it is for stand in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificateConfig {
    /// A file with the certificate and those that lead to one that clients trust (PEM).
    pub chain: PathBuf,
    /// A file with the private key of the first (PEM).
    pub key: PathBuf,
}

impl CertificateConfig {
    /// It as TOML.
    pub(super) fn write(&self) -> String {
        let path = |path: &PathBuf| quoted(&path.to_string_lossy());
        format!("[[certificate]]\nchain = {}\nkey = {}\n", path(&self.chain), path(&self.key))
    }
}
