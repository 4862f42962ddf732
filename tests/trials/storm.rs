//! A storm of connects over TLS, by the load generator: what a handshake costs, whether anybody is refused, how those fare that
//! are connected, and that no more handshakes are in progress than may be.

use crate::hostile::witness::Witness;
use crate::support::process::{Process, descriptors_allowed, load_generator};
use crate::support::tls::pair;
use crate::support::{metric, wait_until};
use serde_json::Value;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Connections that are opened and ended one after the other, so many at the same time.
const AT_ONCE: &str = "200";
/// For how long.
const SPAN: &str = "8s";
/// Handshakes that may be in progress on each of two reactors, where that is to be met, and connections that come at once.
const BOUND: usize = 20;
const CROWD: &str = "500";
const REACTORS: usize = 2;

/// A server with a second address that speaks TLS.
fn server(name: &str, toml: &str) -> (Process, SocketAddr) {
    let own = pair(name, &["localhost"]);
    let listener = "[[listener]]\naddress = \"127.0.0.1:0\"\ntls = true\n[[certificate]]\n";
    let toml = format!("{toml}{listener}chain = {:?}\nkey = {:?}\n", own.chain, own.key);
    Process::start_sealed(descriptors_allowed(), &toml, &["--reactors", "2", "--workers", "1"])
}

/// A storm by the load generator; what it found.
fn storm(server: &Process, sealed: SocketAddr, at_once: &str, more: &[&str]) -> Value {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("storm-{}.json", std::process::id()));
    let mut command = Command::new(load_generator());
    command.args(["storm", &format!("wss://{sealed}"), "--insecure", "--close", "rst", "--quiet", "--force"]);
    command.args(["-c", at_once, "--most-pending", at_once, "-d", SPAN, "--pid", &server.id().to_string(), "--json"]);
    let output = command.arg(&path).args(more).output().expect("cargo build --workspace makes it");
    let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let found = std::fs::read(&path).expect("its findings");
    std::fs::remove_file(&path).expect("it was read");
    serde_json::from_slice(&found).expect("JSON")
}

/// Runs `act` and looks meanwhile at how many handshakes are in progress; the most of them.
fn most_in_progress<T>(server: &Process, act: impl FnOnce() -> T) -> (T, f64) {
    let (over, address) = (AtomicBool::new(false), server.address);
    std::thread::scope(|scope| {
        let looking = scope.spawn(|| {
            let mut most = 0_f64;
            while !over.load(Ordering::Relaxed) {
                most = most.max(metric(address, "tidings_tls_handshakes_in_progress"));
                std::thread::sleep(Duration::from_millis(20));
            }
            most
        });
        let done = act();
        over.store(true, Ordering::Relaxed);
        (done, looking.join().expect("it answers"))
    })
}

fn figure(found: &Value, of: &str, name: &str) -> f64 {
    found[of][name].as_f64().unwrap_or_else(|| panic!("{of}.{name} in {}", found[of]))
}

#[test]
#[ignore = "run by tests/faults storm"]
fn a_storm_of_handshakes_refuses_nobody_and_delays_nobody() {
    for (what, kind, options) in
        [("full handshakes", "full", &["--full-handshakes"][..]), ("resumed handshakes", "resumed", &[])]
    {
        let (server, sealed) = server(&format!("storm-{kind}"), "");
        let witness = Witness::that_stays_on(&server);
        let (found, most) = most_in_progress(&server, || storm(&server, sealed, AT_ONCE, options));
        let opened = figure(&found, "totals", "opened");
        let cpu_us = figure(&found, "scalars", "cpu_us_per_msg");
        let (refused, errors) = (figure(&found, "totals", "refused"), figure(&found, "totals", "errors"));
        println!(
            "storm: {opened} {what} in {:.1} s; {cpu_us:.0} µs of the server's CPU each, {:.0} for each second of CPU; {refused} \
             refused, {errors} errors; {most} in progress at most; the load generator was {:.0} % busy",
            found["measured_seconds"].as_f64().expect("a time"),
            1e6 / cpu_us,
            100.0 * figure(&found, "generator", "busiest"),
        );
        let counted = server.metric(&format!("tidings_tls_handshakes_total{{kind=\"{kind}\"}}"));
        println!("storm: the server counts {counted} of them as {kind}");
        witness.finish(&format!("storm, {what}"));
        assert_eq!((refused, errors), (0.0, 0.0), "{}", found["errors"]);
        assert!(opened > 0.0 && counted > 0.9 * opened, "{counted} of {opened}");
        assert!(most <= (REACTORS * 10_000) as f64, "{most}");
        assert_eq!(server.metric("tidings_panics_total"), 0.0);
    }
}

#[test]
#[ignore = "run by tests/faults storm"]
fn no_more_handshakes_are_in_progress_than_may_be() {
    let (server, sealed) = server("storm-bounded", &format!("tls.handshakes = {BOUND}\n"));
    let witness = Witness::that_stays_on(&server);
    let (found, most) =
        most_in_progress(&server, || storm(&server, sealed, CROWD, &["--full-handshakes", "--connect-timeout", "2s"]));
    let too_many = server.metric("tidings_tls_handshake_failures_total{reason=\"too_many\"}");
    println!(
        "storm: with room for {BOUND} handshakes on each of {REACTORS} reactors, {most} were in progress at most; {} were opened, {} \
         connections beyond them closed at once",
        figure(&found, "totals", "opened"),
        too_many
    );
    wait_until("none is in progress", || server.metric("tidings_tls_handshakes_in_progress") == 0.0);
    witness.finish("storm, bounded");
    assert!(most <= (REACTORS * BOUND) as f64, "{most}");
    assert!(too_many > 0.0, "the bound was not met");
    assert!(figure(&found, "totals", "opened") > 0.0, "{found}");
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
}
