//! Who answers for the names of a certificate that is ordered, and takes it: the listeners of this server.

use super::secured::Secured;
use crate::access::Challenges;
use crate::services::outbound::AcmeHost;
use rustls::sign::CertifiedKey;
use std::sync::Arc;
use std::time::Instant;

/// See the module.
pub(super) struct Host {
    pub(super) secured: Arc<Secured>,
    pub(super) challenges: Arc<Challenges>,
}

impl AcmeHost for Host {
    fn expect_http(&self, answers: Vec<(String, String)>) {
        self.challenges.expect(answers);
    }

    fn expect_tls(&self, proofs: Vec<(String, Arc<CertifiedKey>)>) {
        self.secured.certificates().expect(proofs);
    }

    fn has_certificate(&self) -> bool {
        !self.secured.certificates().is_empty()
    }

    fn take(&self) -> Result<(), String> {
        self.secured.read_again(Instant::now()).map_err(|error| error.to_string())
    }
}
