//! What shows a certificate authority by TLS that a name leads to this server (RFC 8737).

use super::provider;
use rcgen::{CertificateParams, CustomExtension, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use rustls::sign::CertifiedKey;
use std::sync::Arc;

/// The certificate that is shown to an authority that asks about `name`, with the digest of what it expects in it.
///
/// # Errors
/// The name is none, or the system gives no random bytes: the end of a sentence.
pub fn proof(name: &str, digest: &[u8]) -> Result<Arc<CertifiedKey>, String> {
    let failed = |error: rcgen::Error| error.to_string();
    let mut params = CertificateParams::new(vec![name.to_owned()]).map_err(failed)?;
    params.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let pair = KeyPair::generate().map_err(failed)?;
    let certificate = params.self_signed(&pair).map_err(failed)?;
    let key = PrivateKeyDer::try_from(pair.serialize_der()).map_err(str::to_owned)?;
    let key = provider().key_provider.load_private_key(key).map_err(|error| error.to_string())?;
    // Not by what checks that both belong together: it refuses the extension, which is critical.
    Ok(Arc::new(CertifiedKey::new(vec![certificate.der().clone()], key)))
}

#[cfg(test)]
mod tests {
    use super::proof;
    use crate::tls::current::CurrentCertificates;
    use crate::tls::provider;
    use crate::tls::server::{Oldest, server_config};
    use crate::tls::session::{Acceptor, CHALLENGE_PROTOCOL, Session};
    use crate::tls::tickets::{TicketKeys, Tickets};
    use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
    use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
    use rustls::{ClientConfig, ClientConnection, DigitallySignedStruct, Error, SignatureScheme};
    use std::sync::Arc;

    /// An authority looks at the certificate itself, and trusts none.
    #[derive(Debug)]
    struct Looks;

    impl ServerCertVerifier for Looks {
        fn verify_server_cert(
            &self,
            _: &CertificateDer<'_>,
            _: &[CertificateDer<'_>],
            _: &ServerName<'_>,
            _: &[u8],
            _: UnixTime,
        ) -> Result<ServerCertVerified, Error> {
            Ok(ServerCertVerified::assertion())
        }

        fn verify_tls12_signature(
            &self,
            _: &[u8],
            _: &CertificateDer<'_>,
            _: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            Ok(HandshakeSignatureValid::assertion())
        }

        fn verify_tls13_signature(
            &self,
            message: &[u8],
            certificate: &CertificateDer<'_>,
            signature: &DigitallySignedStruct,
        ) -> Result<HandshakeSignatureValid, Error> {
            self.verify_tls12_signature(message, certificate, signature)
        }

        fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
            provider().signature_verification_algorithms.supported_schemes()
        }
    }

    /// What an authority is shown that asks for a name and offers this; and whether the handshake was all.
    fn shown(acceptor: &Acceptor, name: &str, offered: &[&[u8]]) -> Option<(Vec<u8>, bool)> {
        let mut config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Looks))
            .with_no_client_auth();
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let name = ServerName::try_from(name.to_owned()).expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let (mut session, mut plain) = (Session::new(acceptor).expect("a session"), vec![0; 64 * 1024]);
        while client.is_handshaking() || session.is_handshaking() {
            let mut sealed = Vec::new();
            while client.wants_write() {
                client.write_tls(&mut sealed).expect("memory");
            }
            session.open(&mut sealed, &mut plain).ok()?;
            client.read_tls(&mut &std::mem::take(session.unsent_mut())[..]).expect("memory");
            client.process_new_packets().ok()?;
        }
        Some((client.peer_certificates()?[0].to_vec(), session.is_challenge()))
    }

    #[test]
    fn an_authority_is_shown_the_proof_of_the_name_that_it_asks_for_while_one_is_expected() {
        let certificates = Arc::new(CurrentCertificates::default());
        let tickets = Tickets::new(TicketKeys::random().expect("random bytes"));
        let acceptor: Acceptor = server_config(Arc::clone(&certificates), Oldest::Tls12, tickets, true).into();
        let asks: &[&[u8]] = &[CHALLENGE_PROTOCOL];
        assert_eq!(shown(&acceptor, "a.example", asks), None, "nothing is expected");
        let digest = [7; 32];
        let made = proof("a.example", &digest).expect("a proof");
        certificates.expect([("A.example".to_owned(), Arc::clone(&made))]);
        let (der, is_all) = shown(&acceptor, "a.example", asks).expect("a handshake");
        assert_eq!((der.as_slice(), is_all), (&**made.end_entity_cert().expect("one"), true));
        // The extension of RFC 8737: critical, with the digest as a text of bytes in it.
        let extension = [&[6, 8, 43, 6, 1, 5, 5, 7, 1, 31, 1, 1, 0xff, 4, 34, 4, 32][..], &digest].concat();
        assert!(der.windows(extension.len()).any(|part| part == extension));
        assert_eq!(shown(&acceptor, "b.example", asks), None, "another name");
        assert_eq!(shown(&acceptor, "a.example", &[b"http/1.1"]), None, "clients have no certificate to see yet");
        assert_eq!(shown(&acceptor, "a.example", &[CHALLENGE_PROTOCOL, b"h2"]), None, "nor has who speaks more");
        certificates.expect([]);
        assert_eq!(shown(&acceptor, "a.example", asks), None, "nothing is expected any more");
    }
}
