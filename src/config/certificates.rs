//! All certificates of a configuration, `tls.chain` before the blocks, and whether there are listeners for them.

use super::certificate::CertificateConfig;
use super::knobs::Config;
use std::path::PathBuf;

impl Config {
    /// All certificates: that of `tls.chain`, and then those of the `[[certificate]]` blocks. The first is for clients that ask for
    /// no name, or for one that none is for.
    #[must_use]
    pub fn all_certificates(&self) -> Vec<CertificateConfig> {
        let of_section = (!self.tls.chain.is_empty())
            .then(|| CertificateConfig { chain: PathBuf::from(&self.tls.chain), key: PathBuf::from(&self.tls.key) });
        of_section.into_iter().chain(self.certificates.iter().cloned()).collect()
    }

    /// What is wrong with certificates and those that need them.
    pub(super) fn certificate_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.tls.chain.is_empty() != self.tls.key.is_empty() {
            problems.push("\"tls.chain\" and \"tls.key\" go together: a certificate, and its private key".to_owned());
        }
        let speaks = self.all_listeners().iter().any(|listener| listener.tls);
        let has_one = !self.all_certificates().is_empty() || self.acme.is_wanted();
        if speaks && !has_one {
            problems.push(
                "a listener speaks TLS and there is no certificate: set \"tls.chain\" and \"tls.key\", add a [[certificate]], or have one \
                 ordered for \"acme.domains\""
                    .to_owned(),
            );
        }
        // It would be believed to be in use.
        if has_one && !speaks {
            problems.push(
                "there is a certificate, and no listener speaks TLS: set \"server.tls\" for server.listen, or \"tls\" in a [[listener]]"
                    .to_owned(),
            );
        }
        problems
    }
}
