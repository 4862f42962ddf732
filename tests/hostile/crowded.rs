//! A server without descriptors: 5,000 at the door of one that may have 1,000, and it neither spins nor shouts nor sulks.

use super::witness::Witness;
use crate::support::http::get;
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::{OPERATOR, wait_until};
use std::net::TcpStream;
use std::time::{Duration, Instant};

const DESCRIPTORS: usize = 1_000;
const OFFERED: usize = 5_000;
/// Descriptors that are free all the same: a sixteenth is kept for health checks, and a few come and go.
const KEPT_FREE: usize = DESCRIPTORS / 16 + 8;
/// How long it is looked at while it can take nobody.
const SPAN: Duration = Duration::from_secs(5);

/// Whether a new connection gets more than a health check's answer. One without room reads 503, or is reset.
fn is_served(server: &Process) -> bool {
    let mut client = RawClient::connect(server.address);
    client.send("GET /limits HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    client.read_to_end().starts_with(b"HTTP/1.1 200")
}

#[test]
#[ignore = "run by tests/run hostile"]
fn without_descriptors_it_rests_says_so_once_a_second_and_accepts_again_at_once() {
    let server = Process::start_by(&[], DESCRIPTORS, "", &["--reactors", "2", "--workers", "1"]);
    let mut operator = crate::support::http::HttpClient::connect(server.address);
    assert!(operator.is_kept());
    let witness = Witness::that_stays_on(&server);
    let began = Instant::now();
    let mut crowd: Vec<TcpStream> = (0..OFFERED).map(|index| super::connect(server.address, index)).collect();
    wait_until("all descriptors are in use", || server.descriptors() + KEPT_FREE >= DESCRIPTORS);
    assert_eq!(get(server.address, "/readyz").status, 200, "an orchestrator does not restart it");

    let (cpu, looked) = (server.cpu_ticks(), Instant::now());
    std::thread::sleep(SPAN);
    let share = (server.cpu_ticks() - cpu) as f64 / looked.elapsed().as_secs_f64();
    assert!(operator.is_kept(), "who is there is served");
    let metrics = operator.request("GET", "/metrics", &[OPERATOR], b"").text();
    println!("crowded: {share:.1} % of one core after {OFFERED} came to {DESCRIPTORS} descriptors");
    assert_eq!(get(server.address, "/livez").status, 200);
    // It serves the healthy client 200 times a second meanwhile.
    assert!(share < 30.0, "{share} %");
    assert!(metrics.contains("\ntidings_panics_total 0\n"), "{metrics}");

    // Those that come are let in as soon as others leave.
    let left = Instant::now();
    crowd.drain(..DESCRIPTORS / 2);
    wait_until("somebody new is let in", || is_served(&server));
    println!("crowded: after {} left, others are served after {:?}", DESCRIPTORS / 2, left.elapsed());
    drop(crowd);
    let left = Instant::now();
    wait_until("a new connection is served", || is_served(&server));
    println!("crowded: served {:?} after all had left", left.elapsed());
    witness.finish("crowded");
    drop(operator);
    let took = began.elapsed();
    server.signal("TERM");
    let (status, errors) = server.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    let complaints = errors.matches("cannot accept connections").count();
    println!("crowded: {complaints} lines of log in {took:?}");
    assert!((1..=took.as_secs() as usize + 1).contains(&complaints), "{complaints} lines in {took:?}: {errors}");
}
