//! Looks at files that change, at given times: what is read, when, and what is not.

use super::{Secured, load};
use crate::config::{CertificateConfig, Config};
use crate::tls::provider;
use crate::tls::session::Session;
use crate::tls::tickets::OWN_KEY_LASTS;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::server::ProducesTickets as _;
use rustls::{ClientConfig, ClientConnection, RootCertStore};
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A folder with the files of a server.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Folder {
        let folder = std::env::temp_dir().join(format!("tidings-secured-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Folder(folder)
    }

    fn config(&self) -> Config {
        let pair = CertificateConfig { chain: self.0.join("chain"), key: self.0.join("key") };
        Config { certificates: vec![pair], ..Config::default() }
    }

    /// Writes a pair of its own: a client that trusts it alone.
    fn write(&self, parts: &[&str]) -> Arc<ClientConfig> {
        let CertifiedKey { cert, signing_key }: CertifiedKey<KeyPair> =
            generate_simple_self_signed(vec!["localhost".to_owned()]).expect("a certificate");
        for (name, text) in [("chain", cert.pem()), ("key", signing_key.serialize_pem())] {
            if parts.contains(&name) {
                // Another file in its place, as whoever replaces certificates does.
                fs::write(self.0.join("new"), text).expect("a file");
                fs::rename(self.0.join("new"), self.0.join(name)).expect("a file");
            }
        }
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(cert.pem().as_bytes()).expect("a certificate")).expect("a root");
        let config = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        Arc::new(config)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        drop(fs::remove_dir_all(&self.0));
    }
}

/// Whether a handshake comes to its end.
fn is_trusted(secured: &Secured, config: &Arc<ClientConfig>) -> bool {
    let mut session = Session::new(&secured.acceptor(&Config::default()).expect("there is TLS")).expect("a session");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut client = ClientConnection::new(Arc::clone(config), name).expect("a client");
    let mut plain = vec![0; 64 * 1024];
    while client.is_handshaking() {
        let mut sealed = Vec::new();
        while client.wants_write() {
            client.write_tls(&mut sealed).expect("memory");
        }
        if session.open(&mut sealed, &mut plain).is_err() {
            return false;
        }
        let said = std::mem::take(session.unsent_mut());
        client.read_tls(&mut &said[..]).expect("memory");
        if client.process_new_packets().is_err() {
            return false;
        }
    }
    true
}

#[test]
fn what_two_looks_find_changed_in_the_same_way_is_read() {
    let folder = Folder::new("settled");
    let old = folder.write(&["chain", "key"]);
    let began = Instant::now();
    let secured = Secured::begin(&folder.config(), began).expect("a pair");
    let at = |seconds: u64| secured.look(began + Duration::from_secs(seconds));
    at(0);
    assert!(is_trusted(&secured, &old));
    let new = folder.write(&["chain", "key"]);
    assert!(!is_trusted(&secured, &new), "nobody has looked");
    // The first look finds it, and the second that it stays.
    at(10);
    assert!(is_trusted(&secured, &old));
    at(19);
    assert!(is_trusted(&secured, &old), "it is not time yet");
    at(20);
    assert!(is_trusted(&secured, &new) && !is_trusted(&secured, &old));
}

#[test]
fn files_that_are_of_no_use_change_nothing_and_are_read_again_when_they_change() {
    let folder = Folder::new("broken");
    let old = folder.write(&["chain", "key"]);
    let began = Instant::now();
    let secured = Secured::begin(&folder.config(), began).expect("a pair");
    let mut seconds = 0;
    let mut look_twice = || {
        for _ in 0..2 {
            seconds += 10;
            secured.look(began + Duration::from_secs(seconds));
        }
    };
    // A key without its certificate, and then no key at all.
    folder.write(&["key"]);
    look_twice();
    assert!(is_trusted(&secured, &old));
    fs::remove_file(folder.0.join("key")).expect("it is there");
    look_twice();
    assert!(is_trusted(&secured, &old));
    let error = load(&folder.config()).expect_err("there is no key").to_string();
    assert!(error.contains("key: No such file"), "{error}");
    let new = folder.write(&["chain", "key"]);
    look_twice();
    assert!(is_trusted(&secured, &new));
}

#[test]
fn files_are_not_looked_at_where_that_is_off_and_a_swap_is_what_is_asked_for() {
    let folder = Folder::new("off");
    let old = folder.write(&["chain", "key"]);
    let began = Instant::now();
    let mut config = folder.config();
    config.tls.watch = Duration::ZERO;
    let secured = Secured::begin(&config, began).expect("a pair");
    let new = folder.write(&["chain", "key"]);
    (1..9).for_each(|hours| secured.look(began + Duration::from_secs(hours * 3600)));
    assert!(is_trusted(&secured, &old));
    secured.swap(load(&config).expect("a pair"), began);
    assert!(is_trusted(&secured, &new));
    secured.swap(load(&Config::default()).expect("nothing"), began);
    assert!(!is_trusted(&secured, &new), "there is no certificate");
}

#[test]
fn own_keys_of_tickets_become_others_with_time_and_those_of_a_file_stay() {
    let folder = Folder::new("rotation");
    folder.write(&["chain", "key"]);
    let began = Instant::now();
    let mut config = folder.config();
    let secured = Secured::begin(&config, began).expect("a pair");
    let ticket = secured.tickets.encrypt(b"x").expect("a ticket");
    let opens = |at: Instant, ticket: &[u8]| {
        secured.look(at);
        secured.tickets.decrypt(ticket).is_some()
    };
    assert!(opens(began + OWN_KEY_LASTS, &ticket), "the key before opens");
    assert!(!opens(began + 2 * OWN_KEY_LASTS, &ticket));
    let file = folder.0.join("tickets");
    fs::write(&file, "ab".repeat(32)).expect("a file");
    config.tls.ticket_keys = file.to_string_lossy().into_owned();
    secured.swap(load(&config).expect("keys"), began);
    let shared = secured.tickets.encrypt(b"x").expect("a ticket");
    assert!(opens(began + 9 * OWN_KEY_LASTS, &shared));
    // Back to keys of its own, which are new ones at once: those of the file may be known to others.
    secured.swap(load(&folder.config()).expect("a pair"), began + 9 * OWN_KEY_LASTS);
    let own = secured.tickets.encrypt(b"x").expect("a ticket");
    assert_ne!(own[..16], shared[..16]);
    assert!(opens(began + 9 * OWN_KEY_LASTS, &shared), "for a while");
}
