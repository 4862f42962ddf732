//! A certificate authority: pebble, which really looks whether names lead to the server, with a DNS in which every name does.

use crate::support::tls::{BOTH, ask, client, connect, pair};
use crate::support::wait_until;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

/// A port that is free now, since pebble and its DNS do not say which one they took. Below those that systems give to whoever asks
/// for any, and for each test process others.
pub(super) fn free_port() -> u16 {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let next = || 20_000 + ((std::process::id() as usize * 61 + COUNT.fetch_add(1, Relaxed)) % 12_000) as u16;
    let mut ports = std::iter::repeat_with(next).take(12_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("a port")
}

/// A folder of one test.
pub(super) fn folder(name: &str) -> PathBuf {
    static COUNT: AtomicUsize = AtomicUsize::new(0);
    let name = format!("acme-{}-{}-{name}", std::process::id(), COUNT.fetch_add(1, Relaxed));
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&folder).expect("a folder");
    folder
}

/// A process that ends with this.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(program: &str, arguments: &[&str], answers_at: u16) -> Ended {
    let mut command = Command::new(program);
    // Real looks, at once; and each order is looked at, whatever was seen before.
    command.envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_AUTHZREUSE", "0")]).env_remove("PEBBLE_VA_ALWAYS_VALID");
    command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let mut ended = Ended(command.spawn().expect("the Debian package pebble is installed"));
    wait_until(program, || {
        assert!(ended.0.try_wait().expect("a child").is_none(), "{program} ended: is another process at its port?");
        TcpStream::connect(("127.0.0.1", answers_at)).is_ok()
    });
    ended
}

/// Where an authority is, and how it asks. Another one may be started with the same.
pub(super) struct Place {
    port: u16,
    folder: PathBuf,
    /// Who trusts the authority's own listener.
    pub(super) ca_file: PathBuf,
    key: PathBuf,
    /// Whether it wants to know its customers before.
    external: bool,
}

impl Place {
    pub(super) fn new(name: &str) -> Place {
        let own = pair(&format!("pebble-{name}"), &["127.0.0.1"]);
        Place { port: free_port(), folder: folder(name), ca_file: own.chain, key: own.key, external: false }
    }

    pub(super) fn for_those_it_knows(name: &str) -> Place {
        Place { external: true, ..Place::new(name) }
    }

    pub(super) fn directory(&self) -> String {
        format!("https://127.0.0.1:{}/dir", self.port)
    }

    /// Starts one that asks at these ports.
    pub(super) fn open(&self, http: u16, tls: u16) -> Pebble {
        let [dns, names, management] = [free_port(), free_port(), free_port()];
        let names_at = format!("127.0.0.1:{names}");
        let dns_at = format!("127.0.0.1:{dns}");
        let none = ["-http01", "", "-https01", "", "-tlsalpn01", "", "-defaultIPv6", ""];
        let own = ["-dns01", &dns_at, "-management", &names_at, "-defaultIPv4", "127.0.0.1"];
        let dns = start("pebble-challtestsrv", &[&own[..], &none[..]].concat(), names);
        let config = serde_json::json!({ "pebble": {
            "listenAddress": format!("127.0.0.1:{}", self.port),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": self.ca_file, "privateKey": self.key,
            "httpPort": http, "tlsPort": tls, "ocspResponderURL": "",
            "externalAccountBindingRequired": self.external,
            "externalAccountMACKeys": { "kid-1": EXTERNAL_KEY },
        }});
        let file = self.folder.join("pebble.json");
        std::fs::write(&file, config.to_string()).expect("a file");
        let file = file.to_str().expect("a path in UTF-8");
        let pebble = start("pebble", &["-config", file, "-dnsserver", &dns_at], self.port);
        let management = SocketAddr::from(([127, 0, 0, 1], management));
        wait_until("its management", || TcpStream::connect(management).is_ok());
        Pebble { root: self.root(management), _pebble: pebble, _dns: dns }
    }

    /// The certificate that this run of it signs by.
    fn root(&self, management: SocketAddr) -> PathBuf {
        let trusting = client(&[&self.ca_file], BOTH);
        let answer = ask(connect(management, &trusting, "127.0.0.1"), "GET /roots/0");
        let pem = &answer[answer.find("-----BEGIN").unwrap_or_else(|| panic!("no certificate: {answer}"))..];
        let file = self.folder.join(format!("root-{}.pem", management.port()));
        std::fs::write(&file, pem).expect("a file");
        file
    }
}

/// The key of `kid-1`.
pub(super) const EXTERNAL_KEY: &str = "b10lLJs8l1GPIzsLP0s6pMt8O0XVGnfTaCeROxQM0BIt2XrJMDHJZBM5NuQmQJQH";

/// An authority that runs.
pub(super) struct Pebble {
    /// Who trusts its certificates.
    pub(super) root: PathBuf,
    _pebble: Ended,
    _dns: Ended,
}
