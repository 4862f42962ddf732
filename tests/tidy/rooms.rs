//! Which part of the server may use what: other parts, third-party crates, sockets, clocks and locks.

use super::rules::{Findings, House};
use super::sources::{names, production};

/// The server.
const HOUSE: House = House { name: "tidings", folder: "", directions: DIRECTIONS, world: WORLD, crates: CRATES };

/// Which parts of the crate a part names, from the top of the river to its bottom. A part is a folder or a file directly
/// under `src/`; it may always name itself. What is not listed here may not exist, and what is listed must.
const DIRECTIONS: &[(&str, &str)] = &[
    ("main", "cli"),
    ("cli", "server client journal config model store"),
    // Models of the threads, built with --cfg shuttle alone.
    ("models", "handoff node hub model access"),
    // Test code only: it stands where the server does, around everything.
    ("simulation", "server reactor workers services handoff connection node hub wire model metrics config"),
    (
        "server",
        "reactor workers services engine handoff connection protocol node hub access wire model metrics journal config \
         tls",
    ),
    ("reactor", "handoff connection protocol node hub access wire model metrics journal config tls"),
    ("workers", "handoff connection protocol node hub access wire metrics"),
    ("services", "handoff connection protocol node hub access model metrics journal tls"),
    ("engine", "handoff node hub store wire model metrics config tls"),
    ("handoff", "protocol node hub access model sync"),
    ("connection", "protocol node hub access wire model metrics journal config"),
    ("protocol", "node hub access wire model web config"),
    ("node", "hub access model"),
    ("hub", "wire model config sync"),
    ("access", "wire model config"),
    ("wire", "model"),
    ("web", ""),
    ("metrics", "model"),
    ("journal", ""),
    // Files on disk: values and times come from whoever owns it.
    ("store", ""),
    ("client", "tls"),
    ("tls", ""),
    ("config", "model"),
    ("model", ""),
    ("sync", ""),
];

/// What is of the world outside, the words by which code reaches it, and the only parts that do: all others are values in
/// and values out. Addresses are only values.
const WORLD: &[(&str, &[&str], &str)] = &[
    // Services may block: the outbound thread looks names up, and what it connects to is a socket of its runtime.
    (
        "a socket",
        &["mio::", "socket2::", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "UnixStream"],
        "client reactor server services engine",
    ),
    // How many there may be is a matter of the configuration, and log lines say which one wrote them.
    ("a thread", &["std::thread"], "cli server engine simulation config journal"),
    (
        "a clock",
        &["Instant::now", "SystemTime::now", ".elapsed()"],
        "cli client reactor server workers services engine handoff journal models simulation",
    ),
];

/// The only places of locks: the hub, where threads meet, and what all of them know of a client, whose connections may be with
/// any of them.
const LOCKS: &[&str] = &[
    "hub/",
    "access/limits/table.rs",
    "access/limits/caps.rs",
    "access/revocations.rs",
    "handoff/mailbox.rs",
    "handoff/callers.rs",
    "server/library/asynchronous.rs",
    // Changes of the configuration, one after the other.
    "server/running.rs",
    // Files of certificates, which the control thread looks at and a change of the configuration replaces.
    "server/secured.rs",
    "sync.rs",
    "models.rs",
    // What its owner and its readers share.
    "store/state.rs",
];

/// Which parts use which third-party crate: as few as possible, and no part that does not.
const CRATES: &[(&str, &str)] = &[
    ("arc_swap", "access workers server services engine metrics simulation tls"),
    ("aws_lc_rs", "access model tls"),
    ("bytes", "protocol model server services engine models"),
    ("clap", "cli"),
    ("clap_complete", "cli"),
    ("clap_mangen", "cli"),
    ("crossbeam_channel", "workers engine handoff server journal sync"),
    ("data_encoding", "protocol hub server access model tls engine"),
    ("form_urlencoded", "wire"),
    ("futures_core", "server"),
    ("hashbrown", "hub reactor engine"),
    ("http_body_util", "services"),
    ("httparse", "wire"),
    ("httpdate", "wire services"),
    // Calls to other servers are all made in one place.
    ("hyper", "services"),
    ("hyper_rustls", "services"),
    ("hyper_util", "services"),
    // One part asks authorities for certificates, and another makes what they are shown.
    ("instant_acme", "services"),
    ("io_uring", "reactor"),
    ("ipnet", "services model"),
    ("listenfd", "cli"),
    ("log", "server engine reactor services journal cli"),
    ("mio", "reactor engine"),
    ("nix", "reactor metrics server journal cli"),
    ("percent_encoding", "protocol client config"),
    ("proxy_header", "wire"),
    ("rand", "hub engine server services client cli simulation"),
    ("rcgen", "services tls"),
    ("rustix", "server"),
    ("rustls", "client services tls server engine"),
    ("rustls_native_certs", "tls"),
    ("rustls_pki_types", "access"),
    ("serde", "protocol wire cli config server access"),
    ("serde_json", "protocol wire client cli server simulation access services"),
    ("signal_hook", "server"),
    ("simd_json", "wire"),
    ("simdutf8", "protocol wire"),
    ("siphasher", "hub"),
    ("slab", "hub reactor"),
    ("smallvec", "protocol wire access hub node connection reactor handoff engine"),
    ("socket2", "reactor"),
    ("strsim", "protocol config"),
    ("subtle", "access model"),
    ("thiserror", "wire client server services tls engine"),
    ("tokio", "server services"),
    ("toml", "config"),
    ("tower_service", "services"),
    ("tungstenite", "wire client"),
    ("webpki", "tls"),
    ("zlib_rs", "store wire"),
];

#[test]
fn imports_point_down_only() {
    HOUSE.check_directions(&production());
}

#[test]
fn only_some_parts_know_sockets_threads_and_clocks() {
    HOUSE.check_world(&production());
}

#[test]
fn locks_are_in_the_hub_and_where_threads_meet() {
    let mut findings = Findings::default();
    for source in production() {
        let inside = source.path.strip_prefix("src/").unwrap_or(&source.path);
        let place = LOCKS.iter().find(|place| inside.starts_with(**place));
        for (number, line) in source.code() {
            let is_lock = |lock: &&str| names(&line, lock) || line.contains(&format!("::{lock}"));
            if ["Mutex", "RwLock", "Condvar"].iter().any(is_lock) {
                findings.met(place.unwrap_or(&inside), "a lock", place.is_some(), &format!("{}:{number}", source.path));
            }
        }
    }
    findings.judge("LOCKS", LOCKS.iter().map(|place| (*place, "a lock")));
}

#[test]
fn each_third_party_crate_stays_where_it_belongs() {
    HOUSE.check_crates(&production());
}

#[test]
fn every_dependency_has_its_place() {
    HOUSE.check_dependencies();
}
