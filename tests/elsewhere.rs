//! What plain `cargo test` leaves to `tests/run`, since it needs more than the Rust toolchain. Each can be run from here, too:
//! `cargo test --test all elsewhere:: -- --ignored`.

use std::process::Command;

#[test]
#[ignore = "left to tests/run: needs Node.js, Python, Chromium and curl"]
fn a_browser_and_foreign_clients_agree_with_the_server() {
    run("e2e");
}

#[test]
#[ignore = "left to tests/run: needs nginx with nchan, nats-server, HAProxy, wrk and Node.js"]
fn the_load_generator_speaks_to_real_servers_of_other_kinds() {
    run("loadgen");
}

#[test]
#[ignore = "left to tests/run: needs cargo-deny"]
fn licences_sources_and_duplicates_are_in_order() {
    run("deny");
}

fn run(step: &str) {
    let status = Command::new("tests/run").arg(step).status().expect("tests/run starts");
    assert!(status.success(), "tests/run {step}: {status}");
}
