//! A small HTTP server for what calls out, with or without TLS: it counts, and each answer is a script.

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// Both ways of a connection.
pub(crate) trait Stream: Read + Write {}

impl<T: Read + Write> Stream for T {}

/// What the server has seen.
#[derive(Default)]
pub(crate) struct Seen {
    connections: AtomicUsize,
    requests: Mutex<Vec<String>>,
    stopping: AtomicBool,
}

/// A running server. It accepts nothing more when it goes out of scope.
pub(crate) struct Origin {
    pub(crate) address: SocketAddr,
    seen: Arc<Seen>,
    accepting: Option<JoinHandle<()>>,
}

impl Origin {
    /// Starts one. `answer` is called for each request, with its number from 0, until it says that the connection ends.
    pub(crate) fn start(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(usize, &mut dyn Stream) -> bool + Send + Sync + 'static,
    ) -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let (seen, answer) = (Arc::<Seen>::default(), Arc::new(answer));
        let own = Arc::clone(&seen);
        let accepting = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own.stopping.load(SeqCst) {
                    return;
                }
                let (stream, tls, answer) = (stream.expect("a connection"), tls.clone(), Arc::clone(&answer));
                own.connections.fetch_add(1, SeqCst);
                let seen = Arc::clone(&own);
                // It ends with its connection, which its client closes.
                std::thread::spawn(move || match tls {
                    Some(tls) => {
                        let session = ServerConnection::new(tls).expect("a session");
                        serve(&mut StreamOwned::new(session, stream), &seen, &*answer);
                    }
                    None => serve(&mut { stream }, &seen, &*answer),
                });
            }
        });
        Origin { address, seen, accepting: Some(accepting) }
    }

    /// One that answers every request alike, and keeps its connections.
    pub(crate) fn always(tls: Option<Arc<ServerConfig>>, answer: impl Into<Vec<u8>>) -> Origin {
        let answer = answer.into();
        Origin::start(tls, move |_, stream| stream.write_all(&answer).and_then(|()| stream.flush()).is_ok())
    }

    /// A URL at this server.
    pub(crate) fn url(&self, scheme: &str, path: &str) -> String {
        format!("{scheme}://{}{path}", self.address)
    }

    /// How many connections were accepted.
    pub(crate) fn connections(&self) -> usize {
        self.seen.connections.load(SeqCst)
    }

    /// The heads of all requests.
    pub(crate) fn requests(&self) -> Vec<String> {
        self.seen.requests.lock().expect("no panic").clone()
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.seen.stopping.store(true, SeqCst);
        // Wakes the accept, which sees it.
        drop(TcpStream::connect(self.address));
        let ended = self.accepting.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || matches!(ended, Some(Ok(()))), "the server panicked");
    }
}

fn serve(stream: &mut dyn Stream, seen: &Seen, answer: &dyn Fn(usize, &mut dyn Stream) -> bool) {
    while let Some(head) = head(stream) {
        let number = {
            let mut requests = seen.requests.lock().expect("no panic");
            requests.push(head);
            requests.len() - 1
        };
        if !answer(number, stream) {
            return;
        }
    }
}

/// The head of a request without a body; `None` at the end of the connection.
fn head(stream: &mut dyn Stream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        // An error is an end too: a client that does not trust this server's certificate says so and goes.
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    String::from_utf8(head).ok()
}

/// An answer with a JSON body, and further fields, each with its end of line.
pub(crate) fn json(body: &str, fields: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n{fields}\r\n{body}")
        .into()
}

/// An authority for certificates, and the file that those who trust it have.
pub(crate) struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// Its certificate (PEM).
    pub(crate) file: PathBuf,
}

impl Authority {
    /// A new one.
    pub(crate) fn new() -> Authority {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let mut params = CertificateParams::new([]).expect("names");
        let number = COUNT.fetch_add(1, SeqCst);
        params.distinguished_name.push(DnType::CommonName, format!("Tests {number}"));
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate");
        let file = std::env::temp_dir().join(format!("tidings-authority-{}-{number}.pem", std::process::id()));
        std::fs::write(&file, issuer.pem()).expect("a file");
        Authority { issuer, file }
    }

    /// A server's side, certified for a name or address.
    pub(crate) fn certify(&self, name: &str, adjust: impl FnOnce(&mut CertificateParams)) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        adjust(&mut params);
        let key = KeyPair::generate().expect("a key");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::try_from(key.serialize_der()).expect("a key");
        let builder = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let builder = builder.with_safe_default_protocol_versions().expect("versions").with_no_client_auth();
        Arc::new(builder.with_single_cert(vec![certificate.der().clone()], key).expect("a key that fits"))
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // Left there it harms nobody.
        let _ = std::fs::remove_file(&self.file);
    }
}
