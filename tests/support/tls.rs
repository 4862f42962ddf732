//! Clients and certificates for servers that speak TLS.

use super::TestServer;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidings::Config;
use tidings::config::CertificateConfig;

pub(crate) const BOTH: &[&SupportedProtocolVersion] = &[&rustls::version::TLS12, &rustls::version::TLS13];

pub(crate) type Stream = StreamOwned<ClientConnection, TcpStream>;

/// Writes a certificate for these names: the files of its chain and its key.
pub(crate) fn pair(name: &str, names: &[&str]) -> CertificateConfig {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
        generate_simple_self_signed(names).expect("a certificate");
    let chain = chain(name);
    let key = chain.with_extension("key");
    fs::write(&chain, cert.pem()).expect("a file");
    fs::write(&key, signing_key.serialize_pem()).expect("a file");
    CertificateConfig { chain, key }
}

/// The file of the chain that [`pair`] wrote by this name.
pub(crate) fn chain(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tls-{}-{name}.pem", std::process::id()))
}

pub(crate) fn roots(chains: &[&PathBuf]) -> RootCertStore {
    let mut roots = RootCertStore::empty();
    for chain in chains {
        roots.add(CertificateDer::from_pem_file(chain).expect("a certificate")).expect("a root");
    }
    roots
}

/// A client that trusts these chains.
pub(crate) fn client(chains: &[&PathBuf], versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(tidings::tls::provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots(chains))
        .with_no_client_auth();
    Arc::new(config)
}

pub(crate) fn connect(address: SocketAddr, config: &Arc<ClientConfig>, name: &str) -> Stream {
    let stream = TcpStream::connect(address).expect("it listens");
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("an option");
    // Its first request follows the end of its handshake, which would otherwise have to be acknowledged before.
    stream.set_nodelay(true).expect("an option");
    let name = ServerName::try_from(name.to_owned()).expect("a name");
    StreamOwned::new(ClientConnection::new(Arc::clone(config), name).expect("a client"), stream)
}

/// A server that speaks TLS alone, with one certificate for localhost, and what its clients need.
pub(crate) fn start(name: &str, adjust: impl FnOnce(&mut Config)) -> (TestServer, Arc<ClientConfig>) {
    let pair = pair(name, &["localhost"]);
    let config = client(&[&pair.chain], BOTH);
    let server = TestServer::start(|own| {
        own.server.tls = true;
        own.certificates = vec![pair];
        adjust(own);
    });
    (server, config)
}

/// One request over a connection of its own: all that is answered.
pub(crate) fn ask(mut stream: Stream, request: &str) -> String {
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("open");
    let mut answer = String::new();
    // Its end is said, so nobody can have cut it short.
    stream.read_to_string(&mut answer).expect("an end that was said");
    answer
}
