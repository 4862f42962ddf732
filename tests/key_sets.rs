//! Key sets of issuers, fetched by a whole server: from an address that may be called, once a minute at most, and kept.

use crate::support::http::{HttpClient, get_as_operator};
use crate::support::origin::{Authority, Origin, json};
use crate::support::process::Process;
use crate::support::{TestServer, wait_until};
use crate::tokens::now;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair as _};
use data_encoding::BASE64URL_NOPAD;
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use tidings::{Config, Server, StartError};

/// An issuer's key, with its id.
struct Signer(EcdsaKeyPair, &'static str);

impl Signer {
    fn new(id: &'static str) -> Signer {
        Signer(EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a key"), id)
    }

    /// What its issuer publishes.
    fn key_set(&self) -> String {
        let (x, y) = self.0.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|bytes| BASE64URL_NOPAD.encode(bytes));
        format!(r#"{{"keys":[{{"kty":"EC","crv":"P-256","kid":"{}","x":"{x}","y":"{y}"}}]}}"#, self.1)
    }

    /// A token that may read `news`, as a field.
    fn bearer(&self, issuer: &str) -> String {
        let header = format!(r#"{{"alg":"ES256","kid":"{}"}}"#, self.1);
        let claims = format!(
            r#"{{"iss":"{issuer}","aud":"me","sub":"ann","exp":{},"grants":[{{"channels":"news","may":"read"}}]}}"#,
            now() + 600
        );
        let signed = [header, claims].map(|part| BASE64URL_NOPAD.encode(part.as_bytes())).join(".");
        let signature = self.0.sign(&SystemRandom::new(), signed.as_bytes()).expect("a signature");
        format!("Bearer {signed}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}

fn block(name: &str, url: &str, more: &str) -> String {
    format!("[[issuer]]\nname = \"{name}\"\nissuer = \"{name}\"\naudience = \"me\"\njwks_url = \"{url}\"\n{more}\n")
}

/// The status of a read with a token, and the code if it was refused.
fn read(address: SocketAddr, bearer: &str) -> (u16, String) {
    let mut client = HttpClient::connect(address);
    let answer = client.request("GET", "/channels/news", &[("Authorization", bearer)], b"");
    (answer.status, if answer.status == 200 { String::new() } else { answer.code() })
}

/// A server as a process, with a configuration of its own and its log in JSON.
fn start(toml: &str, variables: &[(&str, &str)]) -> Process {
    let name = format!("key-sets-{}-{}.toml", std::process::id(), toml.len());
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&file, toml).expect("a writable folder");
    let path = file.to_str().expect("a path in UTF-8");
    let process = Process::start_with(variables, &["--reactors", "1", "--log-format", "json", "--config", path]);
    std::fs::remove_file(&file).expect("it was written");
    process
}

/// The events of this name in the log of a server that is stopped now.
fn events(process: Process, name: &str) -> Vec<Value> {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    let all = log.lines().map(|line| serde_json::from_str::<Value>(line).expect(line));
    all.filter(|event| event["event"] == name).collect()
}

#[test]
fn keys_are_fetched_over_tls_and_once_however_many_tokens_name_unknown_ones() {
    let (authority, signer, stranger) = (Authority::new(), Signer::new("1"), Signer::new("2"));
    let (answer, released) = (json(&signer.key_set(), ""), Arc::new(AtomicBool::new(false)));
    let own = Arc::clone(&released);
    let origin = Origin::start(Some(authority.certify("127.0.0.1", |_| {})), move |_, stream| {
        while !own.load(SeqCst) {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        stream.write_all(&answer).and_then(|()| stream.flush()).is_ok()
    });
    // Asked by no one: calls go by no proxy of the environment.
    let proxy = Origin::always(None, "HTTP/1.1 502 X\r\nContent-Length: 0\r\n\r\n");
    let (trust, by) = (authority.file.to_str().expect("a path in UTF-8"), proxy.url("http", ""));
    let proxies = ["http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"];
    let variables: Vec<_> = proxies.into_iter().map(|name| (name, &*by)).chain([("SSL_CERT_FILE", trust)]).collect();
    let toml = block("idp", &origin.url("https", "/keys"), "allow_private_addresses = true");
    let process = start(&toml, &variables);
    let (known, unknown) = (signer.bearer("idp"), stranger.bearer("idp"));
    assert_eq!(read(process.address, &known), (503, "keys_unavailable".to_owned()));
    released.store(true, SeqCst);
    wait_until("the keys", || read(process.address, &known).0 == 200);
    let mut client = HttpClient::connect(process.address);
    for _ in 0..2000 {
        let answer = client.request("GET", "/channels/news", &[("Authorization", &unknown)], b"");
        assert_eq!((answer.status, answer.code()), (401, "token_invalid".to_owned()));
    }
    assert_eq!((origin.requests().len(), proxy.connections()), (1, 0));
    assert!((process.metric("tidings_key_set_fetches_total{issuer=\"idp\",outcome=\"fetched\"}") - 1.0).abs() < 0.1);
    let page = get_as_operator(process.address, "/metrics").text();
    assert!(page.contains("\ntidings_key_set_age_seconds{issuer=\"idp\"} "), "{page}");
    let fetched = events(process, "keys_fetched");
    assert_eq!((&fetched[0]["issuer"], fetched.len()), (&Value::from("idp"), 1));
    assert_eq!((fetched[0]["keys"].as_str(), fetched[0]["next_s"].as_str()), (Some("1"), Some("3600")), "{fetched:?}");
}

#[test]
fn a_name_that_leads_to_this_machine_is_not_called_unless_it_is_allowed() {
    let (authority, signer) = (Authority::new(), Signer::new("1"));
    let origin = Origin::always(Some(authority.certify("localhost", |_| {})), json(&signer.key_set(), ""));
    let url = format!("https://localhost:{}/keys?secret", origin.address.port());
    let trust = [("SSL_CERT_FILE", authority.file.to_str().expect("a path in UTF-8"))];
    let process = start(&block("idp", &url, ""), &trust);
    wait_until("a failure", || {
        process.metric("tidings_key_set_fetches_total{issuer=\"idp\",outcome=\"failed\"}") > 0.0
    });
    assert_eq!(read(process.address, &signer.bearer("idp")), (503, "keys_unavailable".to_owned()));
    let failed = events(process, "keys_failed");
    assert_eq!((&failed[0]["issuer"], &failed[0]["reason"]), (&"idp".into(), &"address_not_allowed".into()));
    let message = failed[0]["message"].as_str().expect("a sentence");
    assert!(message.contains("a loopback address; allow_private_addresses = true allows it"), "{message}");
    assert!(!failed[0].to_string().contains("secret"), "{failed:?}");

    let process = start(&block("idp", &url, "allow_private_addresses = true"), &trust);
    wait_until("the keys", || read(process.address, &signer.bearer("idp")).0 == 200);
    assert_eq!(origin.connections(), 1, "none was opened before");
}

#[test]
fn a_server_does_not_start_with_an_address_that_may_not_be_called() {
    let mut config = Config::from_toml("t", &block("idp", "https://10.0.0.1/keys", "")).expect("valid");
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    match Server::start(config) {
        Err(StartError::Config(error)) => assert_eq!(
            error.problems(),
            [
                "[[issuer]] 1: \"jwks_url\": it leads to 10.0.0.1, a private address; allow_private_addresses = true allows it"
            ]
        ),
        Err(other) => panic!("{other}"),
        Ok(_) => panic!("it started"),
    }
}

#[test]
fn a_changed_configuration_keeps_what_is_fetched_and_fetches_what_is_new() {
    let (first, second) = (Signer::new("1"), Signer::new("1"));
    let (healthy, answer) = (Arc::new(AtomicBool::new(true)), json(&first.key_set(), ""));
    let own = Arc::clone(&healthy);
    let origin = Origin::start(None, move |_, stream| {
        let answer = if own.load(SeqCst) { &answer[..] } else { b"HTTP/1.1 500 X\r\nContent-Length: 0\r\n\r\n" };
        stream.write_all(answer).is_ok()
    });
    let other = Origin::always(None, json(&second.key_set(), ""));
    let allowed = "allow_private_addresses = true";
    let one = block("one", &origin.url("http", "/keys"), allowed);
    // Before it, so that it has another place than it had.
    let both = block("two", &other.url("http", "/keys"), allowed) + &one;
    let config = |toml: &str| Config::from_toml("t", toml).expect("valid");
    let server = TestServer::start(|own| own.issuers = config(&one).issuers);
    let (of_first, of_second) = (first.bearer("one"), second.bearer("two"));
    wait_until("the first keys", || read(server.address(), &of_first).0 == 200);
    assert_eq!(read(server.address(), &of_second).0, 401, "nobody knows its issuer");

    healthy.store(false, SeqCst);
    server.change_rules(&config(&both)).expect("valid");
    assert_eq!(read(server.address(), &of_first).0, 200, "its keys are kept");
    wait_until("the second keys", || read(server.address(), &of_second).0 == 200);
    let count = |issuer: &str, outcome: &str| {
        server.metric(&format!("tidings_key_set_fetches_total{{issuer=\"{issuer}\",outcome=\"{outcome}\"}}"))
    };
    wait_until("a failure", || count("one", "failed") > 0.0);
    assert_eq!((count("one", "fetched") as u64, count("two", "fetched") as u64), (1, 1));
    assert_eq!(read(server.address(), &of_first).0, 200, "they stay while their server fails");

    server.change_rules(&config(&both.replace(&one, ""))).expect("valid");
    wait_until("its issuer is gone", || read(server.address(), &of_first).0 == 401);
    assert_eq!(read(server.address(), &of_second).0, 200);
    let asked = origin.requests().len();
    wait_until("another fetch for the second", || other.requests().len() == 2);
    assert_eq!(origin.requests().len(), asked, "nobody asks the first again");
}
