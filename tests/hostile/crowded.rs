//! A server without descriptors: 5,000 at the door of one that may have 1,000, and it neither spins nor shouts nor sulks.

use super::witness::Witness;
use crate::support::http::get;
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::{OPERATOR, wait_until};
use std::io::{ErrorKind, Write};
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

/// How often one leaves and another comes.
const CHANGES: usize = 20;
/// How long a newcomer may wait for a place that came free, on a machine that does much else; it is told in print how long it did.
const PLACE_WAIT: Duration = Duration::from_secs(3);
/// The share of a core that a full server may use while all that come find no place.
const FULL_SHARE: f64 = 10.0;

/// A full server uses hardly any CPU, and gives away a place that came free at once.
pub(crate) fn full_for_a_while() {
    // They say nothing, and stay.
    let toml = "http.head_timeout = \"10m\"\n";
    let server = Process::start_by(&[], DESCRIPTORS, toml, &["--reactors", "2", "--workers", "1"]);
    let began = Instant::now();
    let mut crowd: Vec<TcpStream> = (0..OFFERED).map(|index| super::connect(server.address, index)).collect();
    wait_until("all descriptors are in use", || server.descriptors() + KEPT_FREE >= DESCRIPTORS);
    wait_until("nobody else is served", || !is_served(&server));
    // Another comes ten times a second meanwhile, and a health check every second.
    let (cpu, looked, mut alive, mut turned_away) = (server.cpu_ticks(), Instant::now(), 0, 0);
    for tenth in 0..100 {
        turned_away += usize::from(!is_served(&server));
        if tenth % 10 == 0 {
            assert_eq!(get(server.address, "/livez").status, 200, "an orchestrator does not restart it");
            alive += 1;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let share = (server.cpu_ticks() - cpu) as f64 / looked.elapsed().as_secs_f64();
    println!(
        "crowded: {share:.1} % of one core while {OFFERED} are at {DESCRIPTORS} descriptors; {turned_away} of 100 others were \
         turned away, {alive} of 10 health checks answered with 200"
    );
    // Those that were turned away already leave no place.
    crowd.retain(|stream| !has_ended(stream));
    let held = crowd.len();
    let mut waits: Vec<Duration> = (0..CHANGES).map(|_| wait_for_place(&server, &mut crowd)).collect();
    waits.sort_unstable();
    let (median, longest) = (waits[CHANGES / 2], waits[CHANGES - 1]);
    println!(
        "crowded: of {held} that held a place one left {CHANGES} times; another was served {median:.1?} after that (median), at most \
         {longest:.1?}"
    );
    drop(crowd);
    wait_until("a new connection is served", || is_served(&server));
    let took = began.elapsed();
    server.signal("TERM");
    let (status, errors) = server.wait();
    assert_eq!(status.code(), Some(0), "{errors}");
    let lines = errors.lines().filter(|line| line.contains("cannot accept connections")).count();
    println!("crowded: {lines} lines of log about it in {took:.1?}");
    assert!(turned_away >= 95, "it was not full");
    assert!(share < FULL_SHARE, "{share} %");
    assert!((1..=took.as_secs() as usize + 1).contains(&lines), "{lines} lines in {took:?}: {errors}");
    assert!(longest < PLACE_WAIT, "{longest:?}");
}

/// Whether the server has ended it.
fn has_ended(stream: &TcpStream) -> bool {
    stream.set_nonblocking(true).expect("a live socket");
    !matches!(stream.peek(&mut [0; 1]), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

/// One leaves; how long it takes until somebody new is served.
fn wait_for_place(server: &Process, crowd: &mut Vec<TcpStream>) -> Duration {
    wait_until("it is full", || !is_served(server));
    drop(crowd.pop().expect("one that holds a place"));
    let left = Instant::now();
    wait_until("somebody new is served", || is_served(server));
    let waited = left.elapsed();
    // That one has gone: another takes the place, at once with its first byte.
    let mut next = super::connect(server.address, CHANGES);
    next.write_all(b"G").expect("it fits the kernel's buffer");
    crowd.insert(0, next);
    waited
}
