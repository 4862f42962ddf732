//! Key sets that are fetched: tokens are refused until they have come, verified then, and a new key is fetched when a token
//! names it.

use crate::support::http::HttpClient;
use crate::support::{TestServer, wait_until};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings::Config;

/// An issuer's server: it answers every request with the key set of the moment, and 503 while there is none.
struct Issuer {
    address: SocketAddr,
    keys: Arc<Mutex<Option<String>>>,
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Issuer {
    fn start() -> Issuer {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (keys, over) = (Arc::<Mutex<Option<String>>>::default(), Arc::<AtomicBool>::default());
        let (own_keys, own_over) = (Arc::clone(&keys), Arc::clone(&over));
        let thread = std::thread::spawn(move || {
            for stream in listener.incoming() {
                if own_over.load(Ordering::SeqCst) {
                    return;
                }
                let mut stream = stream.expect("a connection");
                // A head without a body: it comes at once, and nothing follows it.
                let _ = stream.read(&mut [0; 4096]);
                let keys = own_keys.lock().expect("not poisoned").clone();
                let (status, body) = keys.map_or(("503 Service Unavailable", String::new()), |keys| ("200 OK", keys));
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            }
        });
        Issuer { address, keys, over, thread: Some(thread) }
    }

    fn publish(&self, keys: &[(&str, &Ed25519KeyPair)]) {
        let member = |(id, key): &(&str, &Ed25519KeyPair)| json!({"kid": id, "kty": "OKP", "crv": "Ed25519", "x": BASE64URL_NOPAD.encode(key.public_key().as_ref())});
        let set = json!({"keys": keys.iter().map(member).collect::<Vec<_>>()});
        *self.keys.lock().expect("not poisoned") = Some(set.to_string());
    }
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.over.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            thread.join().expect("it ends");
        }
    }
}

fn token(id: &str, key: &Ed25519KeyPair) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let claims = json!({"iss": "app", "aud": "tidings", "sub": "ann", "exp": now + 600,
        "grants": [{"channels": "chat:*", "may": ["read"]}]});
    let parts =
        [json!({"alg": "EdDSA", "kid": id}), claims].map(|part| BASE64URL_NOPAD.encode(part.to_string().as_bytes()));
    let signed = parts.join(".");
    format!("{signed}.{}", BASE64URL_NOPAD.encode(key.sign(signed.as_bytes()).as_ref()))
}

fn start(address: SocketAddr, more: &str) -> TestServer {
    let text = format!(
        "[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\njwks_url = \"http://{address}/keys\"\n{more}\n"
    );
    let config = Config::from_toml("keys.toml", &text).expect("valid");
    TestServer::start(|own| own.issuers = config.issuers)
}

fn asked(server: &TestServer, token: &str) -> (u16, String) {
    let bearer = format!("Bearer {token}");
    let fields = [("Authorization", bearer.as_str())];
    let answer = HttpClient::connect(server.address()).request("GET", "/channels/chat:a", &fields, b"");
    (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
}

#[test]
fn tokens_wait_for_the_first_key_set_and_a_withdrawn_key_counts_no_longer() {
    let issuer = Issuer::start();
    let [first, second] = [(); 2].map(|()| Ed25519KeyPair::generate().expect("a key"));
    let server = start(issuer.address, "allow_private_addresses = true");
    let (old, new) = (token("1", &first), token("2", &second));
    assert_eq!(asked(&server, &old), (503, "keys_unavailable".to_owned()), "nothing was fetched yet");
    issuer.publish(&[("1", &first)]);
    // After a failure it is fetched again a second later.
    wait_until("the key set has come", || asked(&server, &old).0 == 200);
    assert_eq!(asked(&server, &new), (401, "token_invalid".to_owned()), "one fetch a minute: this one waits");
    let text =
        HttpClient::connect(server.address()).request("GET", "/metrics", &[crate::support::OPERATOR], b"").text();
    assert!(text.contains("issuer=\"app\""), "its fetches are counted");
}

#[test]
fn a_key_server_in_a_private_network_is_refused_unless_that_is_allowed() {
    let issuer = Issuer::start();
    let text = format!(
        "[[issuer]]\nname = \"app\"\nissuer = \"app\"\naudience = [\"tidings\"]\njwks_url = \"http://{}/keys\"\n",
        issuer.address
    );
    let mut config = Config::from_toml("keys.toml", &text).unwrap_or_default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    let refused = config.issuers.is_empty() || tidings::Server::start(config).is_err();
    assert!(refused, "plain http to a loopback address needs allow_private_addresses");
}
