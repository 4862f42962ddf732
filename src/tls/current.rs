//! The certificates of a server that runs, which may change: handshakes that begin after a change see the new ones.

use super::certificates::Certificates;
use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// See the module. None is a state too: no handshake succeeds then.
#[derive(Debug, Default)]
pub struct CurrentCertificates(ArcSwapOption<Certificates>);

impl CurrentCertificates {
    /// Takes these in place of those of before, for all reactors at once. Connections stay, with the certificate that they saw.
    pub fn replace(&self, certificates: Option<Certificates>) {
        self.0.store(certificates.map(Arc::new));
    }
}

impl ResolvesServerCert for CurrentCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.0.load().as_ref()?.resolve(hello)
    }
}
