//! Whom TLS connections believe, and what their handshakes offer.

use super::error::TrustError;
use super::transport::TlsConfig;
use crate::plan::{KeyExchange, Plan, Trust};
use rustls::client::Resumption;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::aws_lc_rs::kx_group;
use rustls::crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;

/// Where Debian, Fedora and Alpine keep the machine's certificates.
const SYSTEM: [&str; 3] =
    ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem"];

/// What connections of a plan are made with; `None` when its target is not reached over TLS.
///
/// # Errors
/// Certificates that cannot be read, or a name that no certificate can have.
pub(super) fn config(plan: &Plan) -> Result<TlsConfig, TrustError> {
    let target = &plan.target;
    if !target.tls {
        return Ok(None);
    }
    let provider = Arc::new(provider(plan.key_exchange));
    let versions = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(TrustError::Versions)?;
    let config = match &plan.trust {
        Trust::Anybody => versions.dangerous().with_custom_certificate_verifier(Arc::new(Anybody(provider))),
        Trust::File(path) => versions.with_root_certificates(roots(path)?),
        Trust::System => {
            let path = SYSTEM.iter().find(|path| std::path::Path::new(path).exists());
            versions.with_root_certificates(roots(path.ok_or(TrustError::NoSystemFile)?)?)
        }
    };
    let name =
        ServerName::try_from(target.host.clone()).map_err(|error| TrustError::Name(target.host.clone(), error))?;
    let mut config = config.with_no_client_auth();
    if !plan.resumes {
        config.resumption = Resumption::disabled();
    }
    Ok(Some((Arc::new(config), name)))
}

fn provider(key_exchange: Option<KeyExchange>) -> CryptoProvider {
    let mut provider = aws_lc_rs::default_provider();
    if let Some(name) = key_exchange {
        let group = match name {
            KeyExchange::X25519 => kx_group::X25519,
            KeyExchange::X25519MlKem768 => kx_group::X25519MLKEM768,
            KeyExchange::Secp256r1 => kx_group::SECP256R1,
        };
        provider.kx_groups = vec![group];
    }
    provider
}

fn roots(path: &str) -> Result<RootCertStore, TrustError> {
    let mut store = RootCertStore::empty();
    let certificates = CertificateDer::pem_file_iter(path).map_err(|error| TrustError::File(path.to_owned(), error))?;
    // A system's file may have certificates that this library cannot read: the others are enough.
    store.add_parsable_certificates(certificates.filter_map(Result::ok));
    if store.is_empty() { Err(TrustError::Empty(path.to_owned())) } else { Ok(store) }
}

/// Trusts every server that can sign for the certificate that it presents: `--insecure`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(message, cert, dss, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
