//! `[[certificate]]` as it stands in a file.

use super::{Block, Kind};
use crate::config::certificate::CertificateConfig;
use crate::config::knobs::Config;
use std::path::PathBuf;

/// What a written file says of them.
const ABOUT: &str = "Certificates for listeners that speak TLS, each a block: [[certificate]] with chain = \
    \"/etc/tidings/fullchain.pem\" and key = \"/etc/tidings/privkey.pem\". A client gets the one for the name that it asks for, or \
    the first.";

impl Kind for CertificateConfig {
    const NAME: &'static str = "certificate";
    const KEYS: &'static [&'static str] = &["chain", "key"];
    const ABOUT: &'static str = ABOUT;

    fn list(config: &mut Config) -> &mut Vec<CertificateConfig> {
        &mut config.certificates
    }

    fn read(block: &mut Block<'_>) -> Option<CertificateConfig> {
        let chain = block.take::<String>("chain", "the path of a file such as \"/etc/tidings/fullchain.pem\"");
        let key = block.take::<String>("key", "the path of a file such as \"/etc/tidings/privkey.pem\"");
        for (needed, what) in
            [("chain", "a certificate and those that lead to one that clients trust"), ("key", "its private key")]
        {
            if !block.has(needed) {
                block.complain_of_all(format!("a [[certificate]] needs \"{needed}\": a file (PEM) with {what}"));
            }
        }
        let path = |text: toml::Spanned<String>| PathBuf::from(text.into_inner());
        Some(CertificateConfig { chain: path(chain?), key: path(key?) })
    }
}
