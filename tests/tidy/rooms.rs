//! Which part of the crate may use what: other parts, third-party crates, sockets, clocks and locks.

use super::sources::{names, none, production, root, word};
use std::collections::BTreeSet;
use std::fs;

/// Which parts of the crate a part names, from the top of the river to its bottom. A part is a folder or a file directly
/// under `src/`; it may always name itself. What is not listed here may not exist, and what is listed must.
const DIRECTIONS: &[(&str, &str)] = &[
    ("main", "cli"),
    ("cli", "server client journal config model"),
    // Models of the threads, built with --cfg shuttle alone.
    ("models", "handoff hub model"),
    // Test code only: it stands where the server does, around everything.
    ("simulation", "server reactor workers handoff connection hub wire model metrics config close"),
    ("server", "reactor workers handoff connection hub access wire model metrics journal config"),
    ("reactor", "handoff connection hub access wire model metrics journal config close"),
    ("workers", "handoff connection hub wire metrics"),
    ("handoff", "connection hub model sync"),
    ("connection", "hub access wire model web metrics journal config close"),
    ("hub", "wire model sync"),
    ("access", "wire model close"),
    ("wire", "model close"),
    ("model", ""),
    ("web", ""),
    ("metrics", "close"),
    ("journal", ""),
    ("client", ""),
    ("config", "model"),
    ("close", ""),
    ("sync", ""),
];

/// What is of the world outside, the words by which code reaches it, and the only parts that do: all others are values in
/// and values out. Addresses are only values.
const WORLD: &[(&str, &[&str], &str)] = &[
    (
        "a socket",
        &["mio::", "socket2::", "TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs", "UnixStream"],
        "client reactor server",
    ),
    // How many there may be is a matter of the configuration, and log lines say which one wrote them.
    ("a thread", &["std::thread"], "cli server simulation config journal"),
    (
        "a clock",
        &["Instant::now", "SystemTime::now", ".elapsed()"],
        "cli client reactor server workers handoff journal models simulation",
    ),
];

/// The only places of locks: the hub, and where threads meet.
const LOCKS: &[&str] = &["hub/", "handoff/mailbox.rs", "handoff/callers.rs", "sync.rs", "models.rs"];

/// Which parts use which third-party crate: as few as possible, and no part that does not.
const CRATES: &[(&str, &str)] = &[
    ("bytes", "wire model server models"),
    ("clap", "cli"),
    ("crossbeam_channel", "workers handoff server journal sync"),
    ("data_encoding", "wire hub server"),
    ("httparse", "wire"),
    ("httpdate", "wire"),
    ("io_uring", "reactor"),
    ("log", "server reactor journal cli"),
    ("mio", "reactor"),
    ("nix", "reactor metrics server journal"),
    ("rand", "hub server client cli simulation"),
    // The client's TLS; the server has none.
    ("rustls", "client"),
    ("rustls_native_certs", "client"),
    ("serde", "wire cli"),
    ("serde_json", "wire client cli simulation"),
    ("signal_hook", "server"),
    ("simd_json", "wire"),
    ("simdutf8", "wire"),
    ("siphasher", "hub"),
    ("slab", "hub reactor"),
    ("smallvec", "wire access hub connection reactor handoff"),
    ("socket2", "reactor"),
    ("strsim", "wire config"),
    ("subtle", "model"),
    ("thiserror", "wire client server"),
    ("toml", "config"),
    ("tungstenite", "wire client"),
    ("zlib_rs", "wire"),
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

/// Whether a list of words has this one.
fn lists(words: &str, what: &str) -> bool {
    words.split(' ').any(|word| word == what)
}

/// What was done and is not allowed, and what is allowed and was not done: a rule that is wider than the code does not
/// hold the code.
#[derive(Default)]
struct Findings {
    violations: Vec<String>,
    used: BTreeSet<(String, String)>,
}

impl Findings {
    /// Notes that `who` does `what` in this line, and whether it may.
    fn met(&mut self, who: &str, what: &str, allowed: bool, place: &str) {
        if allowed {
            self.used.insert((who.to_owned(), what.to_owned()));
        } else {
            self.violations.push(format!("{place}: {who} must not use {what}"));
        }
    }

    /// Fails with all of it, given what is allowed.
    fn judge<'a>(mut self, table: &str, allowed: impl Iterator<Item = (&'a str, &'a str)>) {
        for (who, what) in allowed.filter(|(who, what)| !what.is_empty() && !who.is_empty()) {
            if !self.used.contains(&(who.to_owned(), what.to_owned())) {
                self.violations.push(format!("{table} allows {who} to use {what}, which it does not"));
            }
        }
        none(&self.violations);
    }
}

#[test]
fn imports_point_down_only() {
    let mut findings = Findings::default();
    for source in production().iter().filter(|source| source.part() != "lib") {
        let Some((part, allowed)) = DIRECTIONS.iter().find(|(part, _)| *part == source.part()) else {
            findings.violations.push(format!("{}: this part has no place in DIRECTIONS", source.path));
            continue;
        };
        for (number, line) in source.code() {
            // What the root hands on to users is at home in some part.
            if line.split("crate::").skip(1).any(|rest| rest.trim_start_matches('{').starts_with(char::is_uppercase)) {
                findings.violations.push(format!("{}:{number}: {part} must not import from the root", source.path));
            }
            // The command declares its own part.
            let declared = line.strip_prefix("mod ").filter(|_| *part == "main").map(|rest| word(rest).to_owned());
            for name in parts_named(&line, source.depth()).into_iter().chain(declared) {
                if name != *part && DIRECTIONS.iter().any(|(part, _)| *part == name) {
                    findings.met(part, &name, lists(allowed, &name), &format!("{}:{number}", source.path));
                }
            }
        }
    }
    findings
        .judge("DIRECTIONS", DIRECTIONS.iter().flat_map(|(part, allowed)| allowed.split(' ').map(|to| (*part, to))));
}

#[test]
fn only_some_parts_know_sockets_threads_and_clocks() {
    let mut findings = Findings::default();
    for source in production() {
        for (number, line) in source.code() {
            for (what, words, allowed) in WORLD {
                if words.iter().any(|word| line.contains(word)) {
                    let place = format!("{}:{number}", source.path);
                    findings.met(source.part(), what, lists(allowed, source.part()), &place);
                }
            }
        }
    }
    findings.judge("WORLD", WORLD.iter().flat_map(|(what, _, parts)| parts.split(' ').map(|part| (part, *what))));
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
    let mut findings = Findings::default();
    for source in production() {
        for (number, line) in source.code() {
            for (name, parts) in CRATES {
                if names(&line, &format!("{name}::")) {
                    let place = format!("{}:{number}", source.path);
                    findings.met(source.part(), name, lists(parts, source.part()), &place);
                }
            }
        }
    }
    findings.judge("CRATES", CRATES.iter().flat_map(|(name, parts)| parts.split(' ').map(|part| (part, *name))));
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
