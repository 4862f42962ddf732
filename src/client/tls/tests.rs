//! The client against a server that speaks TLS, with certificates made here.

use super::super::{Client, ClientError, Endpoint, Request, Trust};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tungstenite::handshake::server::{Request as Upgrade, Response};
use tungstenite::{Message, WebSocket};

const WAIT: Duration = Duration::from_secs(5);

type Issuer = CertifiedIssuer<'static, KeyPair>;

/// A file that goes away with its owner.
struct Pem(PathBuf);

impl Pem {
    fn with(name: &str, text: &str) -> Pem {
        let path = std::env::temp_dir().join(format!("tidings-tls-{}-{name}.pem", std::process::id()));
        std::fs::write(&path, text).expect("a file");
        Pem(path)
    }
}

impl Drop for Pem {
    fn drop(&mut self) {
        // Left behind it harms nobody.
        let _ = std::fs::remove_file(&self.0);
    }
}

fn issuer() -> Issuer {
    named_issuer("Tests")
}

fn named_issuer(name: &str) -> Issuer {
    let mut params = CertificateParams::new([]).expect("names");
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate")
}

/// The server's side for one name.
fn config(issuer: &Issuer, name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
    let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
    adjust(&mut params);
    let key = KeyPair::generate().expect("a key");
    let certificate = params.signed_by(&key, issuer).expect("a certificate");
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
    let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
    let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
    Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).expect("a key that fits"))
}

type TlsSocket = WebSocket<StreamOwned<ServerConnection, TcpStream>>;

/// Accepts one connection; what comes after the handshakes is the script's.
fn server(config: Arc<ServerConfig>, script: impl FnOnce(TlsSocket) + Send + 'static) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let thread = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        stream.set_read_timeout(Some(WAIT)).expect("a time limit");
        let stream = StreamOwned::new(ServerConnection::new(config).expect("a session"), stream);
        #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
        let shake = |_: &Upgrade, mut response: Response| {
            response.headers_mut().insert("Sec-WebSocket-Protocol", "tidings.v1".parse().expect("a value"));
            Ok(response)
        };
        // A client that does not believe the certificate ends it here.
        if let Ok(socket) = tungstenite::accept_hdr(stream, shake) {
            script(socket);
        }
    });
    (address, thread)
}

fn endpoint(address: SocketAddr, trust: &Pem) -> Endpoint {
    let endpoint: Endpoint = format!("https://{address}").parse().expect("an endpoint");
    endpoint.trusting(Trust::File(trust.0.clone()))
}

#[test]
fn requests_large_pushes_and_the_end_go_through_tls() {
    let issuer = issuer();
    let trust = Pem::with("good", &issuer.pem());
    let (address, thread) = server(config(&issuer, "127.0.0.1", |_| {}), |mut socket| {
        assert!(socket.read().expect("a request").into_text().expect("text").contains("/channels/a"));
        let large = format!("{{\"channel\":\"a\",\"offset\":1,\"data\":\"{}\"}}", "x".repeat(200_000));
        for text in [&large, "{\"id\":1,\"status\":200}", "{\"channel\":\"a\",\"offset\":2}"] {
            socket.send(Message::text(text)).expect("sent");
        }
        assert!(socket.read().expect("a goodbye").is_close());
        while socket.read().is_ok() {}
    });
    let mut client = Client::connect(&endpoint(address, &trust), WAIT).expect("connected");
    assert_eq!(client.ask(&Request::get("a"), WAIT).expect("an answer").number("status"), Some(200));
    for offset in [1, 2] {
        let push = client.next_push(WAIT).expect("connected").expect("a push");
        assert_eq!(push.number("offset"), Some(offset));
    }
    assert!(client.next_push(Duration::from_millis(100)).expect("silence is no failure").is_none());
    client.close();
    thread.join().expect("the script");
}

/// Connects to a server whose certificate is for `name`, believing `trusted`.
fn refused(issuer: &Issuer, name: &str, trusted: &Pem, adjust: impl FnOnce(&mut CertificateParams)) -> ClientError {
    let (address, thread) = server(config(issuer, name, adjust), |_| panic!("it was believed"));
    let error = Client::connect(&endpoint(address, trusted), WAIT).expect_err("not believed");
    thread.join().expect("the script");
    assert!(matches!(error, ClientError::Untrusted { .. }) && !error.is_temporary(), "{error}");
    error
}

#[test]
fn certificates_of_strangers_of_others_and_of_the_past_are_not_believed() {
    let one = issuer();
    let trust = Pem::with("one", &one.pem());
    for (file, stranger) in [("other", named_issuer("Others")), ("namesake", issuer())] {
        let strange = Pem::with(file, &stranger.pem());
        let error = refused(&one, "127.0.0.1", &strange, |_| {}).to_string();
        assert!(error.contains("none of the authorities that are trusted here signed it"), "{error}");
    }
    let error = refused(&one, "elsewhere.example", &trust, |_| {}).to_string();
    assert!(error.contains("not valid for name"), "{error}");
    let past = |params: &mut CertificateParams| params.not_after = rcgen::date_time_ymd(2001, 1, 1);
    let error = refused(&one, "127.0.0.1", &trust, past).to_string();
    assert!(error.contains("expired"), "{error}");
}

#[test]
fn a_server_without_tls_and_a_file_without_certificates_are_told_apart() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let plain = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        std::io::Write::write_all(&mut stream, b"HTTP/1.1 400 Bad Request\r\n\r\n").expect("sent");
        // Its own end would be a reset, since it has not read what came.
        while std::io::Read::read(&mut stream, &mut [0; 4096]).is_ok_and(|read| read > 0) {}
    });
    let trust = Pem::with("plain", &issuer().pem());
    let error = Client::connect(&endpoint(address, &trust), WAIT).expect_err("no TLS");
    assert!(matches!(error, ClientError::NoTls { .. }) && !error.is_temporary(), "{error}");
    assert_eq!(error.to_string(), format!("no TLS with {address}: its answer is not TLS"));
    plain.join().expect("the script");

    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    let empty = Pem::with("empty", "no certificate\n");
    let error = Client::connect(&endpoint(address, &empty), WAIT).expect_err("nothing to trust").to_string();
    assert!(error.contains("empty.pem: there is no certificate (PEM) in it"), "{error}");
}
