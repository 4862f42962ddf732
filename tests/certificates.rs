//! What changes while a server speaks TLS: its certificates, its ticket keys, and what clients notice of it.

use crate::support::tls::{BOTH, ask, client, connect, pair, start};
use crate::support::{TestServer, wait_until};
use rustls::{ClientConfig, HandshakeKind};
use std::fs;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;
use tidings::config::CertificateConfig;
use tidings::{Config, Server};

/// How a handshake with a server went, and the certificate that it showed.
fn handshake(server: &TestServer, config: &Arc<ClientConfig>) -> (Option<HandshakeKind>, Vec<u8>) {
    let mut stream = connect(server.address(), config, "localhost");
    stream.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
    // The ticket comes before the answer.
    assert!(stream.read(&mut [0; 1024]).expect("an answer") > 0);
    let shown = stream.conn.peer_certificates().expect("a certificate")[0].to_vec();
    (stream.conn.handshake_kind(), shown)
}

fn copy(from: &CertificateConfig, to: &CertificateConfig) {
    fs::copy(&from.chain, &to.chain).expect("a file");
    fs::copy(&from.key, &to.key).expect("a file");
}

fn key_file(name: &str, keys: &[&str]) -> PathBuf {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("tickets-{}-{name}", std::process::id()));
    fs::write(&path, keys.join("\n")).expect("a file");
    path
}

#[test]
fn files_that_change_are_shown_by_new_handshakes_and_connections_stay() {
    let [old, new, shown] = ["watched-old", "watched-new", "watched"].map(|name| pair(name, &["localhost"]));
    copy(&old, &shown);
    let trusting = || client(&[&old.chain, &new.chain], BOTH);
    let server = TestServer::start(|own| {
        (own.server.tls, own.server.reactors) = (true, 2);
        own.certificates = vec![shown.clone()];
        own.tls.watch = Duration::from_millis(10);
    });
    let config = trusting();
    let mut stays = connect(server.address(), &config, "localhost");
    let mut get = || {
        stays.write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("open");
        assert!(stays.read(&mut [0; 1024]).expect("an answer") > 0);
    };
    get();
    let (_, first) = handshake(&server, &trusting());
    copy(&new, &shown);
    wait_until("the new certificate is shown", || handshake(&server, &trusting()).1 != first);
    get();
    // On all reactors, and to a client that has a ticket of before.
    for _ in 0..8 {
        assert_ne!(handshake(&server, &trusting()).1, first);
    }
}

#[test]
fn a_configuration_with_a_broken_file_changes_nothing_and_says_why() {
    let [own, next, other] = ["kept", "kept-next", "kept-other"].map(|name| pair(name, &["localhost"]));
    let trusting = || client(&[&own.chain, &next.chain], BOTH);
    let of = |pair: &CertificateConfig| {
        let mut config = Config { certificates: vec![pair.clone()], ..Config::default() };
        (config.server.tls, config.server.reactors) = (true, 2);
        config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
        config
    };
    let server = TestServer::of(Server::start(of(&own)).expect("the server starts"));
    let (_, first) = handshake(&server, &trusting());
    let mut broken = of(&next);
    broken.certificates[0].key = other.key;
    let error = server.reload(&broken).expect_err("another key").to_string();
    assert!(error.contains("not the key of the certificate in"), "{error}");
    let mut no_keys = of(&next);
    no_keys.tls.ticket_keys = key_file("broken", &["nothing"]).to_string_lossy().into_owned();
    let error = server.reload(&no_keys).expect_err("no keys").to_string();
    assert!(error.contains("line 1 is no key of tickets"), "{error}");
    assert_eq!(handshake(&server, &trusting()).1, first, "nothing has changed");
    server.reload(&of(&next)).expect("a pair");
    assert_ne!(handshake(&server, &trusting()).1, first);
}

#[test]
fn a_ticket_counts_on_all_reactors_and_after_a_change() {
    for version in BOTH {
        let (server, _) = start("spread", |own| own.server.reactors = 4);
        let own = crate::support::tls::chain("spread");
        let config = client(&[&own], &[version]);
        assert_eq!(handshake(&server, &config).0, Some(HandshakeKind::Full));
        for _ in 0..16 {
            assert_eq!(handshake(&server, &config).0, Some(HandshakeKind::Resumed));
        }
        let mut same = Config {
            certificates: vec![CertificateConfig { key: own.with_extension("key"), chain: own }],
            ..Config::default()
        };
        (same.server.tls, same.server.listen) = (true, vec!["127.0.0.1:0".parse().expect("an address")]);
        server.reload(&same).expect("as before");
        assert_eq!(handshake(&server, &config).0, Some(HandshakeKind::Resumed));
    }
}

#[test]
fn a_ticket_counts_with_every_server_that_has_its_key() {
    let [a, b, c] = ["a0", "b1", "c2"].map(|part| part.repeat(32));
    let pair = pair("shared", &["localhost"]);
    let with = |name: &str, keys: &[&str]| {
        let file = key_file(name, keys);
        TestServer::start(|own| {
            (own.server.tls, own.certificates) = (true, vec![pair.clone()]);
            own.tls.ticket_keys = file.to_string_lossy().into_owned();
            own.tls.watch = Duration::from_millis(10);
        })
    };
    let [first, second, stranger] = [with("a", &[&a]), with("b", &[&b, &a]), with("c", &[&c])];
    let kind = |server: &TestServer, config: &Arc<ClientConfig>| handshake(server, config).0;
    let config = client(&[&pair.chain], BOTH);
    assert_eq!(kind(&first, &config), Some(HandshakeKind::Full));
    assert_eq!(kind(&second, &config), Some(HandshakeKind::Resumed), "the second opens it");
    assert_eq!(kind(&stranger, &config), Some(HandshakeKind::Full), "it has other keys");
    // The first learns the key by which the second makes tickets.
    let config = client(&[&pair.chain], BOTH);
    assert_eq!(kind(&second, &config), Some(HandshakeKind::Full));
    assert_eq!(kind(&first, &config), Some(HandshakeKind::Full), "it does not have that key yet");
    key_file("a", &["# made in November", &a, &b]);
    wait_until("the first has the second's key", || {
        let config = client(&[&pair.chain], BOTH);
        kind(&second, &config);
        kind(&first, &config) == Some(HandshakeKind::Resumed)
    });
    let answer = ask(connect(first.address(), &config, "localhost"), "GET /livez");
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
}
