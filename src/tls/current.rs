//! The certificates of a server that runs, which may change: handshakes that begin after a change see the new ones.

use super::certificates::Certificates;
use super::session::CHALLENGE_PROTOCOL;
use arc_swap::ArcSwapOption;
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use std::collections::HashMap;
use std::sync::Arc;

/// See the module. None is a state too: no handshake succeeds then.
#[derive(Debug, Default)]
pub struct CurrentCertificates {
    shown: ArcSwapOption<Certificates>,
    /// What certificate authorities are shown that ask whether a name leads here, by these names.
    proofs: ArcSwapOption<HashMap<String, Arc<CertifiedKey>>>,
}

impl CurrentCertificates {
    /// Takes these in place of those of before, for all reactors at once. Connections stay, with the certificate that they saw.
    pub fn replace(&self, certificates: Option<Certificates>) {
        self.shown.store(certificates.map(Arc::new));
    }

    /// Whether there are any.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.shown.load().is_none()
    }

    /// Expects authorities to ask about these names from now on, and about no others.
    pub fn expect(&self, proofs: impl IntoIterator<Item = (String, Arc<CertifiedKey>)>) {
        let proofs: HashMap<_, _> =
            proofs.into_iter().map(|(name, proof)| (name.to_ascii_lowercase(), proof)).collect();
        self.proofs.store((!proofs.is_empty()).then(|| proofs.into()));
    }
}

impl ResolvesServerCert for CurrentCertificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        if asks_for_proof(&hello) {
            // Nothing else is any use to it, and one that is not expected is refused.
            return self.proofs.load().as_ref()?.get(&hello.server_name()?.to_ascii_lowercase()).cloned();
        }
        self.shown.load().as_ref()?.resolve(hello)
    }
}

/// Whether a client offers what authorities speak, and nothing else (RFC 8737 section 3).
fn asks_for_proof(hello: &ClientHello<'_>) -> bool {
    let mut offered = hello.alpn().into_iter().flatten();
    offered.next() == Some(CHALLENGE_PROTOCOL) && offered.next().is_none()
}
