//! Which part of the load generator may use what: other parts, third-party crates, the world outside.

use super::circles::circles;
use super::rules::House;
use super::sources::{Source, none, production_of};

/// The load generator.
const HOUSE: House =
    House { name: "tidings_loadgen", folder: "loadgen", directions: DIRECTIONS, world: WORLD, crates: CRATES };

/// See [`House::directions`].
const DIRECTIONS: &[(&str, &str)] = &[
    ("main", "verbs fleet cli"),
    ("verbs", "session stats report prepare scenario verdict numbers grammar measure outcome cli"),
    ("session", "stats prepare scenario verdict numbers grammar fleet measure outcome engine plan message clock cli"),
    ("stats", "random"),
    // Random numbers and distributions are those of the example that its tests show.
    ("report", "numbers grammar outcome random message"),
    ("prepare", "scenario grammar fleet measure random plan stamp clock adapters percent cli"),
    ("scenario", "verdict plan message"),
    ("verdict", "numbers outcome"),
    ("numbers", ""),
    ("grammar", "plan"),
    ("fleet", "measure engine plan message clock adapters"),
    ("measure", "outcome plan clock reason"),
    ("outcome", ""),
    ("engine", "random plan stamp message clock adapters reason"),
    ("random", ""),
    ("plan", "stamp clock adapters percent"),
    ("stamp", "clock"),
    ("message", "clock"),
    ("clock", ""),
    ("adapters", "reason percent"),
    ("reason", ""),
    ("percent", ""),
    ("cli", ""),
];

/// See [`House::world`]. What a run means, is worth and looks like is values in and values out.
const WORLD: &[(&str, &[&str], &str)] = &[
    ("a socket", &["mio::", "socket2::", "TcpStream", "TcpListener"], "engine session measure"),
    ("the resolver of names", &["ToSocketAddrs"], "plan"),
    ("a thread", &["std::thread"], "fleet measure"),
    // Of an adapter: when a signature was made.
    ("a clock", &["Instant::now", "SystemTime::now", "clock::now"], "engine session prepare fleet adapters"),
    ("a file", &["std::fs", "File::"], "verbs prepare measure"),
    ("a process", &["Command::new"], "fleet"),
    ("a terminal or a pipe", &["stderr()", "stdout()", "stdin()"], "main verbs session fleet"),
];

/// See [`House::crates`].
const CRATES: &[(&str, &str)] = &[
    ("clap", "cli main"),
    ("crossbeam_channel", "engine fleet"),
    ("data_encoding", "adapters engine message outcome plan"),
    ("hdrhistogram", "message outcome"),
    ("hmac", "adapters"),
    ("httparse", "engine"),
    ("indicatif", "session"),
    ("md5", "adapters"),
    ("mio", "engine"),
    ("percent_encoding", "percent"),
    ("rustix", "clock engine measure"),
    ("rustls", "engine"),
    ("serde", "adapters fleet grammar message outcome plan"),
    ("serde_json", "adapters fleet reason report verbs"),
    ("sha2", "adapters"),
    ("signal_hook", "verbs"),
    ("slab", "engine"),
    ("socket2", "engine"),
    ("strsim", "adapters grammar prepare"),
    ("thiserror", "adapters engine fleet measure plan stats"),
    // Frames and compression are the server's own, so that a test of the one is a test of the other.
    ("tidings", "engine"),
    ("toml", "grammar prepare"),
    ("tungstenite", "engine"),
];

fn production() -> Vec<Source> {
    production_of("loadgen/src")
}

#[test]
fn imports_of_the_load_generator_point_down_only() {
    HOUSE.check_directions(&production());
}

#[test]
fn only_some_parts_of_the_load_generator_know_the_world() {
    HOUSE.check_world(&production());
}

#[test]
fn each_third_party_crate_of_the_load_generator_stays_where_it_belongs() {
    HOUSE.check_crates(&production());
}

#[test]
fn every_dependency_of_the_load_generator_has_its_place() {
    HOUSE.check_dependencies();
}

#[test]
fn no_files_of_a_room_of_the_load_generator_need_each_other() {
    none(&circles(&production()));
}
