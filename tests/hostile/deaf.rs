//! Hundreds that never read under thousands of publications: memory stays within its budget and the others get everything.

use super::witness::Witness;
use crate::support::frames::RawSocket;
use crate::support::http::HttpClient;
use crate::support::process::Process;
use crate::support::wait_until;
use std::net::SocketAddr;
use std::thread::JoinHandle;
use std::time::Instant;

const DEAF: usize = 300;
const READERS: usize = 5;
/// Bytes of one publication.
const BYTES: usize = 16 << 10;
const MIB: usize = 1 << 20;

/// A reader that must see every publication, in order and whole.
fn reader(address: SocketAddr, count: usize) -> JoinHandle<()> {
    let mut socket = RawSocket::open(address, "/channels/loud");
    assert_eq!(socket.next_json()["status"], 200);
    std::thread::spawn(move || {
        for offset in 1..=count {
            let text = socket.next_text();
            assert!(text.starts_with(&format!("{{\"channel\":\"loud\",\"offset\":{offset},")), "{}", &text[..60]);
            assert!(text.len() > BYTES, "{offset} is whole");
        }
    })
}

/// Publishes under the eyes of readers and of many that never read; the most memory that the server ever had above what
/// it began with.
fn shout(server: &Process, count: usize) -> usize {
    let deaf: Vec<RawSocket> = (0..DEAF).map(|_| RawSocket::open(server.address, "/channels/loud")).collect();
    let readers: Vec<JoinHandle<()>> = (0..READERS).map(|_| reader(server.address, count)).collect();
    let before = server.status_bytes("VmRSS");
    let mut publisher = HttpClient::connect(server.address);
    let data = format!("\"{}\"", "x".repeat(BYTES));
    let began = Instant::now();
    let mut most = 0;
    for offset in 1..=count {
        let answer = publisher.request("POST", "/channels/loud", &[], data.as_bytes());
        assert_eq!(
            (answer.status, &answer.json()["offset"]),
            (200, &offset.into()),
            "nobody deaf holds a publisher up"
        );
        if offset % 100 == 0 {
            most = most.max(server.metric("tidings_outbound_bytes") as usize);
        }
    }
    readers.into_iter().for_each(|reader| reader.join().expect("a reader sees everything"));
    println!(
        "deaf: {count} publications of {} in {:?}; at most {} counted as outbound",
        super::kib(BYTES),
        began.elapsed(),
        super::kib(most)
    );
    drop(deaf);
    wait_until("nothing waits for anybody", || server.metric("tidings_outbound_bytes") == 0.0);
    server.status_bytes("VmHWM").saturating_sub(before)
}

#[test]
#[ignore = "run by tests/run hostile"]
fn memory_stays_within_connections_times_limit_and_readers_get_everything() {
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let grown = shout(&server, super::scale(5_000, 100_000));
    println!("deaf: {} of RSS more at most for {DEAF} that never read", super::kib(grown));
    // What they hold is shared, so all of them together hold about what the slowest one may.
    assert!(grown <= 64 * MIB, "{}", super::kib(grown));
    assert!(grown <= DEAF * (MIB + 2 * BYTES));
    let slow = server.metric("tidings_connections_closed_total{reason=\"slow_consumer\"}");
    assert_eq!(slow, DEAF as f64, "each is cut off by name");
    super::tell_lag("deaf", &server);
    witness.finish("deaf");
}

#[test]
#[ignore = "run by tests/run hostile"]
fn the_budget_of_all_is_kept_when_each_may_hold_much() {
    let toml = "delivery.outbox_bytes = \"64 MiB\"\ndelivery.outbound_total_bytes = \"64 MiB\"\n";
    let server = super::server(toml);
    let witness = Witness::before_attack_on(&server);
    let grown = shout(&server, super::scale(5_000, 50_000));
    println!("deaf: {} of RSS more at most with a budget of 64 MiB for all", super::kib(grown));
    assert!(grown <= 2 * 64 * MIB, "{}", super::kib(grown));
    let cut = server.metric("tidings_connections_closed_total{reason=\"outbound_budget\"}");
    println!("deaf: {cut} of {DEAF} cut off for the budget");
    assert!(cut > 0.0);
    witness.finish("deaf");
}
