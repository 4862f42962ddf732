//! Logs that are larger than memory would be: how long the next start reads them, and whom a reader delays that pages through all of
//! it. What is counted must be there; the times are printed.

use super::{NO_LIMITS, Store, kill, position, published, size, stop};
use crate::support::http::{HttpClient, get, post};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a client beside it is looked at.
const LOOK: Duration = Duration::from_secs(10);
const GIB: u64 = 1 << 30;

/// Publishes so many by one connection, in messages of so many; `one` makes each, by its number.
fn fill(address: SocketAddr, (count, batch): (u64, u64), one: impl Fn(u64) -> Value) {
    let mut client = WsClient::connect(address);
    let all = |client: &mut WsClient| {
        let answers = client.next_json();
        assert!(answers.as_array().expect("a list").iter().all(|answer| answer["status"] == 200), "{answers}");
    };
    // Two messages are on their way, so that the server has the next when it has answered one.
    for first in (0..count).step_by(batch as usize) {
        client.send_text(&Value::from((first..count.min(first + batch)).map(&one).collect::<Vec<_>>()).to_string());
        if first > 0 {
            all(&mut client);
        }
    }
    all(&mut client);
}

/// What the log says of the store that was opened, and ends the server at once.
fn opened(server: Process) -> String {
    kill(server).lines().find(|line| line.contains("store_opened")).expect("it says so").to_owned()
}

fn figure(line: &str, name: &str) -> u64 {
    let value = line.split_whitespace().find_map(|word| word.strip_prefix(name)?.strip_prefix('='));
    value.and_then(|text| text.parse().ok()).unwrap_or_else(|| panic!("no {name} in {line}"))
}

#[test]
#[ignore = "run by tests/faults recovery"]
fn a_million_publications_and_a_million_channels_are_there_after_a_kill() {
    let count = size("TIDINGS_PUBLICATIONS", 1_000_000);
    let body = "x".repeat(100);
    for channels in [1_000, count] {
        let store = Store::new();
        let many = (count + 10).to_string();
        let more = ["--channels.total", &many, "--history.positions", &many];
        let more = [&NO_LIMITS[..], &more].concat();
        let server = store.start(&more);
        let name = |number: u64| format!("/channels/c{}", number % channels);
        let began = Instant::now();
        std::thread::scope(|scope| {
            let each = count / 4;
            for part in 0..4 {
                let (body, name) = (&body, &name);
                let one = move |number: u64| json!({"method": "POST", "path": name(part * each + number), "data": body, "id": number});
                let address = server.address;
                scope.spawn(move || fill(address, (each, 32), one));
            }
        });
        let (took, memory) = (began.elapsed(), server.status_bytes("VmRSS") >> 20);
        kill(server);
        let server = store.start(&more);
        for number in (0..count).step_by(count as usize / 100) {
            let answer = get(server.address, &name(number)).json();
            assert_eq!(answer["offset"], count / channels, "{answer}");
        }
        let memory_after = server.status_bytes("VmRSS") >> 20;
        let line = opened(server);
        assert_eq!((figure(&line, "publications"), figure(&line, "channels")), (count, channels), "{line}");
        println!(
            "recovery: {count} publications of 100 B to {channels} channels, {:.0} a second, killed; the next start read {} MiB in {} ms; \
             {memory} MiB of memory before, {memory_after} after",
            count as f64 / took.as_secs_f64(),
            figure(&line, "bytes") >> 20,
            figure(&line, "took_ms"),
        );
    }
}

/// How long it takes from a publication to its reader, 500 times a second while `goes_on`: the median, the 99th of 100, the longest.
fn latency(address: SocketAddr, goes_on: impl Fn() -> bool) -> [Duration; 3] {
    let (mut publisher, mut reader) = (WsClient::connect(address), WsClient::connect(address));
    reader.subscribe("beside");
    let mut took = Vec::new();
    while goes_on() {
        let sent = Instant::now();
        publisher.send_text(&json!({"method": "POST", "path": "/channels/beside", "data": took.len()}).to_string());
        assert_eq!(reader.next_push()["data"], took.len());
        took.push(sent.elapsed());
        std::thread::sleep(Duration::from_millis(2).saturating_sub(sent.elapsed()));
    }
    took.sort_unstable();
    [took[took.len() / 2], took[(took.len() - 1) * 99 / 100], took[took.len() - 1]]
}

/// Reads all of a channel, a page at a time; how many there were, each the next.
fn page_through(address: SocketAddr, epoch: &str) -> u64 {
    let (mut client, mut since, mut last) = (HttpClient::connect(address), format!("{epoch}:0"), 0);
    loop {
        let page = client.request("GET", &format!("/channels/large?since={since}&limit=100"), &[], b"").json();
        assert_eq!(page["recovered"], true, "after {last}");
        let publications = page["publications"].as_array().expect("a list");
        if publications.is_empty() {
            return last;
        }
        for one in publications {
            last += 1;
            assert_eq!(one["offset"], last);
        }
        since = position(&page);
    }
}

#[test]
#[ignore = "run by tests/faults paging"]
fn a_reader_that_pages_through_gigabytes_delays_nobody() {
    let (gigabytes, bytes) = (size("TIDINGS_GIGABYTES", 10), 50_000);
    let store = Store::new();
    let total = format!("{} GiB", gigabytes + 2);
    let more = ["--store.total_bytes", &total, "--history.bytes", &total, "--history.count", "10000000"];
    let more = [&NO_LIMITS[..], &more, &["--history.total_bytes", "64MiB", "--history.age", "1h"]].concat();
    let server = store.start(&more);
    let body = "x".repeat(bytes);
    let count = gigabytes * GIB / bytes as u64;
    let began = Instant::now();
    fill(
        server.address,
        (count, 1),
        |number| json!({"method": "POST", "path": "/channels/large", "data": body, "id": number}),
    );
    let filled = began.elapsed();
    let place = published(&post(server.address, "/channels/large", "\"the last\""));
    let epoch = place.split(':').next().expect("an epoch");
    let began = Instant::now();
    let before = latency(server.address, || began.elapsed() < LOOK);
    let (over, began) = (AtomicBool::new(false), Instant::now());
    let (read, during) = std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let read = page_through(server.address, epoch);
            over.store(true, Ordering::Relaxed);
            read
        });
        let during = latency(server.address, || !over.load(Ordering::Relaxed) && !reader.is_finished());
        (reader.join().expect("no panic"), during)
    });
    assert_eq!(read, count + 1, "all of it was read");
    println!(
        "paging: {gigabytes} GiB in {count} publications, written in {:.0} s and read page by page in {:.0} s; a publication to a reader \
         beside it took {before:.0?} before and {during:.0?} meanwhile (median, 99th of 100, longest); {} MiB of memory",
        filled.as_secs_f64(),
        began.elapsed().as_secs_f64(),
        server.status_bytes("VmRSS") >> 20,
    );
    stop(server);
}
