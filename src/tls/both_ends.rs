//! A server's and a client's configuration with one certificate, for tests of sessions.

use super::provider;
use super::session::Acceptor;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ClientConfig, RootCertStore, ServerConfig, SupportedProtocolVersion};
use std::sync::Arc;

/// Of `localhost`, for these versions.
pub(crate) fn localhost(versions: &[&'static SupportedProtocolVersion]) -> (Acceptor, Arc<ClientConfig>) {
    let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
        generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).expect("a key");
    let server = ServerConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .expect("a pair");
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).expect("a root");
    // Its keys take records in any order, so that a test can make them (`forged`).
    let mut chacha = rustls::crypto::CryptoProvider::clone(&provider());
    chacha.cipher_suites.retain(|suite| format!("{:?}", suite.suite()).contains("CHACHA20"));
    let mut client = ClientConfig::builder_with_provider(Arc::new(chacha))
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    client.enable_secret_extraction = true;
    (Acceptor::from(server), Arc::new(client))
}
