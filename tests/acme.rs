//! Certificates that the server orders itself, from an authority that really looks whether the names lead to it.

mod pebble;

use crate::support::http::HttpClient;
use crate::support::process::Process;
use crate::support::tls::{BOTH, ask, client, connect};
use crate::support::wait_until;
use pebble::{EXTERNAL_KEY, Pebble, Place, folder, free_port};
use rustls::ClientConfig;
use serde_json::Value;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A server's configuration, which stays what it is over its restarts.
struct Own {
    folder: PathBuf,
    tls: u16,
    plain: u16,
    /// The settings of the order that are the same in all tests.
    acme: String,
}

impl Own {
    fn new(name: &str, place: &Place, names: &[&str], challenge: &str) -> Own {
        let folder = folder(&format!("{name}-server"));
        let acme = format!(
            "[acme]\ndomains = {names:?}\nchallenge = \"{challenge}\"\naccept_terms = true\nemail = \"a@example.test\"\n\
             directory = \"{}\"\nca_file = {:?}\nfolder = {:?}\n",
            place.directory(),
            place.ca_file,
            folder.join("kept"),
        );
        Own { folder, tls: free_port(), plain: free_port(), acme }
    }

    fn write(&self, more: &str) -> PathBuf {
        let Own { tls, plain, acme, .. } = self;
        let text = format!(
            "[[listener]]\naddress = \"127.0.0.1:{tls}\"\ntls = true\n\
             [[listener]]\naddress = \"127.0.0.1:{plain}\"\nredirect = \"https\"\n{acme}{more}\n"
        );
        let file = self.folder.join("tidings.toml");
        fs::write(&file, text).expect("a file");
        file
    }

    fn start(&self, more: &str) -> Process {
        let file = self.write(more);
        let path = file.to_str().expect("a path in UTF-8");
        Process::start_with(&[], &["--reactors", "2", "--log-format", "json", "--config", path])
    }

    fn kept(&self, name: &str) -> PathBuf {
        self.folder.join("kept").join(name)
    }

    /// The account with an authority.
    fn account(&self, place: &Place) -> String {
        let file = place.directory().replace("https://", "account-").replace([':', '/'], "-") + ".json";
        fs::read_to_string(self.kept(&file)).unwrap_or_else(|error| panic!("{file}: {error}"))
    }

    fn at_tls(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.tls))
    }

    /// The certificate that is shown for a name to those who trust an authority.
    fn shown(&self, pebble: &Pebble, name: &str) -> Vec<u8> {
        let mut stream = connect(self.at_tls(), &client(&[&pebble.root], BOTH), name);
        stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("it is trusted");
        assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
        stream.conn.peer_certificates().expect("a certificate")[0].to_vec()
    }

    /// What becomes of a handshake that offers this.
    fn handshake(&self, roots: &Path, offered: &[&[u8]]) -> std::io::Result<usize> {
        let mut config = ClientConfig::clone(&client(&[&roots.to_owned()], BOTH));
        config.alpn_protocols = offered.iter().map(|name| name.to_vec()).collect();
        let mut stream = connect(self.at_tls(), &Arc::new(config), "push.example.test");
        stream.flush()?;
        stream.read(&mut [0; 64])
    }
}

fn orders(process: &Process) -> [u64; 2] {
    ["issued", "failed"]
        .map(|outcome| process.metric(&format!("tidings_acme_orders_total{{outcome=\"{outcome}\"}}")) as u64)
}

/// The log of a process that is stopped now.
fn log(process: Process) -> Vec<Value> {
    process.signal("TERM");
    let (status, log) = process.wait();
    assert_eq!(status.code(), Some(0), "{log}");
    log.lines().map(|line| serde_json::from_str(line).expect(line)).collect()
}

/// The events of this name.
fn events<'l>(log: &'l [Value], name: &str) -> Vec<&'l Value> {
    log.iter().filter(|event| event["event"] == name).collect()
}

fn text(event: &Value) -> &str {
    event["message"].as_str().expect("a sentence")
}

#[test]
#[ignore = "run by tests/run acme"]
fn a_certificate_is_ordered_by_tls_kept_over_a_restart_and_renewed() {
    let (place, names) = (Place::new("tls"), ["push.example.test", "api.example.test"]);
    let own = Own::new("tls", &place, &names, "tls-alpn-01");
    let pebble = place.open(free_port(), own.tls);
    let process = own.start("");
    wait_until("a certificate", || orders(&process)[0] == 1);
    let first = own.shown(&pebble, names[0]);
    assert_eq!(own.shown(&pebble, names[1]), first, "one is for both");
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert_eq!((mode(&own.folder.join("kept")), mode(&own.kept("certificate.pem"))), (0o700, 0o600));
    let ends = process.metric("tidings_certificate_expires_timestamp_seconds{certificate=\"push.example.test\"}");
    assert!(ends > 1.7e9, "{ends}");
    // Nothing is expected now: who asks for a proof sees none, and who gets as far is not answered.
    assert!(own.handshake(&pebble.root, &[b"acme-tls/1"]).is_err());
    assert_eq!(own.handshake(&pebble.root, &[b"acme-tls/1", b"h2"]).expect("an end that was said"), 0);
    let account = own.account(&place);
    let log_of_first = log(process);
    let issued = events(&log_of_first, "certificate_issued");
    assert!(issued.len() == 1 && text(issued[0]).contains("api.example.test, valid for "), "{issued:?}");
    assert_eq!(events(&log_of_first, "no_certificate").len(), 1, "it said that there was none yet");

    let process = own.start("");
    assert_eq!(own.shown(&pebble, names[0]), first, "the one that is kept");
    let mut stays = connect(own.at_tls(), &client(&[&pebble.root], BOTH), names[0]);
    let mut get = || {
        stays.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
        assert!(stays.read(&mut [0; 1024]).expect("an answer") > 0);
    };
    get();
    assert_eq!(orders(&process), [0, 0]);
    // Longer than the certificate lasts: renewed now, and no second time within the hour.
    own.write("renew_before = \"60000h\"");
    process.signal("HUP");
    wait_until("a renewed certificate", || orders(&process)[0] == 1);
    wait_until("it is shown", || own.shown(&pebble, names[0]) != first);
    get();
    assert_eq!((own.account(&place), orders(&process)), (account, [1, 0]), "by the same account");
    assert!(events(&log(process), "no_certificate").is_empty());
}

#[test]
#[ignore = "run by tests/run acme"]
fn a_certificate_is_ordered_by_plain_http_on_a_listener_that_redirects() {
    let place = Place::new("http");
    let own = Own::new("http", &place, &["push.example.test"], "http-01");
    let pebble = place.open(own.plain, free_port());
    let process = own.start("");
    wait_until("a certificate", || orders(&process)[0] == 1);
    own.shown(&pebble, "push.example.test");
    let ask = |path: &str| {
        let mut client = HttpClient::connect(SocketAddr::from(([127, 0, 0, 1], own.plain)));
        client.exchange(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")).status
    };
    assert_eq!(ask("/.well-known/acme-challenge/nobody-expects-this"), 404);
    assert_eq!((ask("/.well-known/other"), ask("/")), (301, 301));
    let log = log(process);
    assert!(events(&log, "certificate_failed").is_empty(), "{log:?}");
}

#[test]
#[ignore = "run by tests/run acme"]
fn an_order_that_fails_says_why_and_takes_nothing_away() {
    let place = Place::new("refused");
    let own = Own::new("refused", &place, &["push.example.test"], "tls-alpn-01");
    let pebble = place.open(free_port(), own.tls);
    let process = own.start("");
    wait_until("a certificate", || orders(&process)[0] == 1);
    own.shown(&pebble, "push.example.test");
    let account = own.account(&place);
    log(process);
    let root = pebble.root.clone();
    drop(pebble);

    // Another authority at the same address, which knows no account, and looks where nobody is.
    let stranger = place.open(free_port(), free_port());
    let process = own.start("renew_before = \"60000h\"");
    wait_until("a failure", || orders(&process)[1] == 1);
    let trusting = client(&[&root, &stranger.root], BOTH);
    let answer = ask(connect(own.at_tls(), &trusting, "push.example.test"), "GET /livez");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    let kept = fs::read_to_string(own.kept("certificate.pem")).expect("it is there");
    assert!(kept.starts_with("From https://127.0.0.1:"), "{kept}");
    assert_ne!(own.account(&place), account, "the first is unknown there");
    let log = log(process);
    let failed = events(&log, "certificate_failed");
    assert_eq!(
        (failed.len(), &failed[0]["reason"], &failed[0]["type"]),
        (1, &"refused".into(), &"unauthorized".into())
    );
    assert!(text(failed[0]).contains("push.example.test: unauthorized: "), "{failed:?}");
    let next: u64 = failed[0]["next_s"].as_str().and_then(|next| next.parse().ok()).expect("seconds");
    assert!((90..=180).contains(&next), "{next}");
}

#[test]
#[ignore = "run by tests/run acme"]
fn an_account_is_bound_to_one_that_the_authority_knows_and_until_then_handshakes_are_refused() {
    let place = Place::for_those_it_knows("external");
    let own = Own::new("external", &place, &["push.example.test"], "tls-alpn-01");
    let pebble = place.open(free_port(), own.tls);
    let process = own.start("");
    wait_until("a failure", || orders(&process)[1] == 1);
    assert!(own.handshake(&pebble.root, &[b"http/1.1"]).is_err(), "there is nothing to show");
    let key = own.folder.join("key");
    fs::write(&key, format!("{EXTERNAL_KEY}\n")).expect("a file");
    own.write(&format!("external_account = \"kid-1\"\nexternal_key_file = {key:?}"));
    // What is ordered is another thing now, so nothing of before is waited for.
    process.signal("HUP");
    wait_until("a certificate", || orders(&process)[0] == 1);
    own.shown(&pebble, "push.example.test");
    let log = log(process);
    let failed = events(&log, "certificate_failed");
    assert_eq!((failed.len(), &failed[0]["type"]), (1, &"externalAccountRequired".into()), "{failed:?}");
    assert!(events(&log, "no_certificate").len() <= 2, "{log:?}");
}

#[test]
#[ignore = "run by tests/run acme"]
fn an_authority_that_is_not_there_is_asked_again_later() {
    let place = Place::new("away");
    let own = Own::new("away", &place, &["push.example.test"], "tls-alpn-01");
    let process = own.start("");
    wait_until("a failure", || orders(&process)[1] == 1);
    let pebble = place.open(free_port(), own.tls);
    wait_until("a certificate", || orders(&process)[0] == 1);
    own.shown(&pebble, "push.example.test");
    let log = log(process);
    let failed = events(&log, "certificate_failed");
    assert_eq!((&failed[0]["reason"], &failed[0]["type"]), (&"unreachable".into(), &"none".into()), "{failed:?}");
}
