//! Many channels without a kernel: `cargo bench --bench channels [-- COUNT ...]`, by default 1 to 1,000,000, tenfold each.
//!
//! One connection subscribes to them by the hundred; another publishes 128 B of JSON to them in turn, in an order that is no order
//! to a cache. Printed per count: bytes of a channel with nothing in it and nobody there (the process's PSS), those with one
//! subscription, bytes that its first publication adds, the time of a publication that goes to nobody and of one that goes to
//! one subscriber, and the mean and the longest call of the hub's sweep. Each count has a process of its own.

mod memory;

use memory::pss;
use std::process::Command;
use std::time::{Duration, Instant};
use tidings::Config;
use tidings::server::rehearsal::{Client, Rehearsal, masked};

/// Channels of one subscriber.
const EACH: usize = 100;
/// Publications timed at least.
const TIMED: usize = 200_000;
/// A number that shares no factor with the counts: it visits everything, in leaps.
const LEAP: usize = 7_919;

fn main() {
    let given: Vec<usize> = std::env::args().skip(1).filter_map(|argument| argument.parse().ok()).collect();
    if let Some(count) = std::env::var("TIDINGS_CHANNELS").ok().and_then(|count| count.parse().ok()) {
        channels(count);
        return;
    }
    let is_a_try = std::env::args().any(|argument| argument == "--test");
    let all = if is_a_try { vec![1_000] } else { (0..7).map(|zeros| 10_usize.pow(zeros)).collect() };
    println!("channels  empty B  subscribed B  first B  to nobody ns  to one ns  sweep us  longest us");
    for count in if given.is_empty() { all } else { given } {
        let own = std::env::current_exe().expect("it runs");
        let ended = Command::new(own).env("TIDINGS_CHANNELS", count.to_string()).status().expect("it starts again");
        assert!(ended.success(), "{count} channels: {ended}");
    }
}

fn channels(count: usize) {
    let mut forgetful = Config::default();
    forgetful.history.count = 0;
    let mut server = Rehearsal::new(&forgetful);
    let publisher = server.open("/ws");
    let before = pss();
    let alone = publish(&mut server, publisher, count);
    let empty = pss().saturating_sub(before) / count;
    assert_eq!(server.hub().stats().channels, count, "every publication found its channel");
    // Its memory is not given back, so that the next server's is new.
    std::mem::forget(server);

    let mut server = Rehearsal::new(&Config::default());
    let publisher = server.open("/ws");
    let readers: Vec<Client> = (0..count.div_ceil(EACH)).map(|_| server.open("/ws")).collect();
    let before = pss();
    for (index, reader) in readers.iter().enumerate() {
        for channel in index * EACH..((index + 1) * EACH).min(count) {
            server.send(*reader, &masked(format!("GET /channels/price-{channel}").as_bytes()));
        }
        server.turn();
    }
    assert_eq!(server.hub().stats().channels, count, "every subscription made its channel");
    let subscribed = pss().saturating_sub(before) / count;
    let before = pss();
    let once = publish(&mut server, publisher, count);
    let first = pss().saturating_sub(before) / once.1;
    let again = publish(&mut server, publisher, count);
    let (mean, longest) = sweep(&server, count);
    println!(
        "{count:8}  {empty:7}  {subscribed:12}  {first:7}  {:12.0}  {:9.0}  {mean:8.1}  {longest:10.1}",
        each(alone),
        each(again)
    );
}

/// Publishes to each channel at least once; the time and how many were published.
fn publish(server: &mut Rehearsal, publisher: Client, count: usize) -> (Duration, usize) {
    let times = count.max(TIMED);
    let filling = "7".repeat(128 - 12);
    let began = Instant::now();
    for number in 0..times {
        let channel = number * LEAP % count;
        server.send(publisher, &masked(format!("POST /channels/price-{channel} {{\"price\":{filling}}}").as_bytes()));
        // Sixteen in one read, as from a publisher who does not wait for answers.
        if number % 16 == 15 {
            server.turn();
        }
    }
    server.turn();
    (began.elapsed(), times)
}

/// Once over all shards; microseconds a call, and those of the longest.
fn sweep(server: &Rehearsal, count: usize) -> (f64, f64) {
    let (mut sum, mut longest, mut calls, mut visited) = (Duration::ZERO, Duration::ZERO, 0, 0);
    while visited < count {
        let began = Instant::now();
        visited += server.hub().sweep(Instant::now()).visited;
        let took = began.elapsed();
        (sum, longest, calls) = (sum + took, longest.max(took), calls + 1);
    }
    (sum.as_secs_f64() * 1e6 / f64::from(calls), longest.as_secs_f64() * 1e6)
}

fn each((time, times): (Duration, usize)) -> f64 {
    time.as_nanos() as f64 / times as f64
}
