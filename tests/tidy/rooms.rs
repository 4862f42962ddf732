//! Which part of the crate may use what: other parts, third-party crates, sockets, clocks and locks.

use super::sources::{names, none, production, root, word};
use std::fs;

/// Which parts of the crate a part may name, from the top of the river to its bottom. A part is a folder or a file
/// directly under `src/`; it may always name itself. What is not listed here may not exist.
const DIRECTIONS: &[(&str, &[&str])] = &[
    ("main", &["cli"]),
    ("cli", &["server", "client", "journal", "config", "model"]),
    // Models of the threads, built with --cfg shuttle alone.
    ("models", &["handoff", "hub", "model"]),
    // Test code only: it stands where the server does, around everything.
    (
        "simulation",
        &[
            "server",
            "reactor",
            "workers",
            "handoff",
            "connection",
            "hub",
            "access",
            "wire",
            "model",
            "metrics",
            "journal",
            "config",
            "close",
        ],
    ),
    (
        "server",
        &[
            "reactor",
            "workers",
            "handoff",
            "connection",
            "hub",
            "access",
            "wire",
            "model",
            "web",
            "metrics",
            "journal",
            "config",
            "close",
        ],
    ),
    (
        "reactor",
        &["handoff", "connection", "hub", "access", "wire", "model", "web", "metrics", "journal", "config", "close"],
    ),
    ("workers", &["handoff", "connection", "hub", "wire", "model", "metrics", "journal", "config", "close"]),
    ("handoff", &["connection", "hub", "model", "metrics", "config", "close", "sync"]),
    ("connection", &["hub", "access", "wire", "model", "web", "metrics", "journal", "config", "close"]),
    ("hub", &["wire", "model", "config", "close", "sync"]),
    ("access", &["wire", "model", "close"]),
    ("wire", &["model", "close"]),
    ("model", &[]),
    ("web", &[]),
    ("metrics", &["close"]),
    ("journal", &[]),
    ("client", &[]),
    ("config", &["model"]),
    ("close", &[]),
    ("sync", &[]),
];

/// Words that a pure part must not contain: no sockets (addresses are only values), no threads, no clock.
const SOCKETS: &[&str] =
    &["mio::", "socket2::", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "UnixStream"];
const THREADS_AND_CLOCKS: &[&str] = &["std::thread", "Instant::now", "SystemTime::now", ".elapsed()"];
const PURE: &[&str] = &["model", "wire", "access", "connection", "hub"];

/// Where locks may be: the hub, and the mailbox between threads.
const LOCKS: &[&str] =
    &["hub/", "handoff/mailbox.rs", "handoff/callers.rs", "server/library.rs", "sync.rs", "models.rs"];

/// Which parts use which third-party crate: as few as possible.
const CRATES: &[(&str, &[&str])] = &[
    ("bytes", &["wire", "model", "hub", "connection", "handoff", "reactor", "workers", "server", "web", "models"]),
    ("clap", &["cli"]),
    ("crossbeam_channel", &["workers", "handoff", "server", "journal", "sync"]),
    ("data_encoding", &["wire", "hub", "server"]),
    ("httparse", &["wire"]),
    ("httpdate", &["wire", "reactor"]),
    ("io_uring", &["reactor"]),
    ("log", &["server", "reactor", "workers", "handoff", "journal", "cli"]),
    ("mio", &["reactor", "handoff", "server"]),
    ("nix", &["reactor", "metrics", "server", "journal"]),
    ("rand", &["hub", "server", "client", "cli", "simulation"]),
    // The client's TLS; the server has none.
    ("rustls", &["client"]),
    ("rustls_native_certs", &["client"]),
    ("serde", &["wire", "cli"]),
    ("serde_json", &["wire", "client", "cli", "simulation"]),
    ("signal_hook", &["server"]),
    ("simd_json", &["wire"]),
    ("simdutf8", &["wire"]),
    ("siphasher", &["hub"]),
    ("slab", &["hub", "reactor"]),
    ("smallvec", &["wire", "access", "hub", "connection", "reactor", "handoff"]),
    ("socket2", &["reactor"]),
    ("strsim", &["wire", "config"]),
    ("subtle", &["model"]),
    ("thiserror", &["wire", "client", "server"]),
    ("toml", &["config"]),
    ("tungstenite", &["wire", "client"]),
    ("zlib_rs", &["wire"]),
];

/// The parts of the crate that a line names, by `crate::`, `tidings::` or enough `super::`.
fn parts_named(line: &str, depth: usize) -> Vec<String> {
    let mut found = Vec::new();
    let up = "super::".repeat(depth);
    for start in ["crate::", "tidings::", up.as_str()] {
        for (at, _) in line.match_indices(start) {
            let rest = &line[at + start.len()..];
            if line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '_' || c == ':') {
                continue;
            }
            match rest.strip_prefix('{') {
                Some(group) => found.extend(group.split(',').map(|item| word(item.trim()).to_owned())),
                None => found.push(word(rest).to_owned()),
            }
        }
    }
    found
}

#[test]
fn imports_point_down_only() {
    let parts: Vec<&str> = DIRECTIONS.iter().map(|(part, _)| *part).collect();
    let mut violations = Vec::new();
    for source in production().iter().filter(|source| source.part() != "lib") {
        let Some((part, allowed)) = DIRECTIONS.iter().find(|(part, _)| *part == source.part()) else {
            violations.push(format!("{}: this part has no place in DIRECTIONS", source.path));
            continue;
        };
        for (number, line) in source.code() {
            for name in
                parts_named(&line, source.depth()).iter().filter(|name| parts.contains(&name.as_str()) && *name != part)
            {
                if !allowed.contains(&name.as_str()) {
                    violations.push(format!("{}:{number}: {part} must not know {name}", source.path));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn pure_parts_know_no_socket_no_thread_and_no_clock() {
    let mut violations = Vec::new();
    for source in production().iter().filter(|source| PURE.contains(&source.part())) {
        for (number, line) in source.code() {
            for what in SOCKETS.iter().chain(THREADS_AND_CLOCKS).filter(|what| line.contains(**what)) {
                violations.push(format!("{}:{number}: {} must not use {what}", source.path, source.part()));
            }
        }
    }
    none(&violations);
}

#[test]
fn locks_are_in_the_hub_and_where_threads_meet() {
    let mut violations = Vec::new();
    for source in production() {
        if LOCKS.iter().any(|place| source.path.starts_with(&format!("src/{place}"))) {
            continue;
        }
        for (number, line) in source.code() {
            if ["Mutex", "RwLock", "Condvar"]
                .iter()
                .any(|lock| names(&line, lock) || line.contains(&format!("::{lock}")))
            {
                violations.push(format!("{}:{number}: a lock outside {LOCKS:?}", source.path));
            }
        }
    }
    none(&violations);
}

#[test]
fn each_third_party_crate_stays_where_it_belongs() {
    let mut violations = Vec::new();
    for source in production() {
        for (number, line) in source.code() {
            for (name, parts) in CRATES {
                if names(&line, &format!("{name}::")) && !parts.contains(&source.part()) {
                    violations.push(format!("{}:{number}: {name} belongs to {parts:?}", source.path));
                }
            }
        }
    }
    none(&violations);
}

#[test]
fn every_dependency_has_its_place() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).expect("the manifest");
    let section = manifest.split("\n[dependencies]\n").nth(1).expect("dependencies");
    let lines = section.lines().take_while(|line| !line.starts_with('['));
    let mut declared: Vec<String> = lines
        .filter(|line| line.contains('=') && !line.starts_with('#'))
        .map(|line| line.split(['=', ' ']).next().unwrap_or_default().replace('-', "_"))
        .collect();
    declared.sort();
    let known: Vec<String> = CRATES.iter().map(|(name, _)| (*name).to_owned()).collect();
    assert_eq!(declared, known, "the dependencies in Cargo.toml and the table of crates differ");
}

#[test]
fn the_parts_that_a_line_names_are_found() {
    assert_eq!(parts_named("use crate::hub::{Hub, execute};", 2), ["hub"]);
    assert_eq!(parts_named("use crate::{hub, wire::name};", 2), ["hub", "wire"]);
    assert_eq!(parts_named("use super::super::reactor::Core;", 2), ["reactor"]);
    assert!(parts_named("use super::head;", 2).is_empty());
}
