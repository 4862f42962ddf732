//! What the report says is what the server did: loss, repetition, order, bytes, delay, and how many.

use crate::crooked::{Crooked, Habits};
use crate::support::load_raw;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

fn get(counter: &AtomicU64) -> u64 {
    counter.load(Ordering::Relaxed)
}

const FAULTS: Habits =
    Habits { loses: 10, repeats: 7, swaps: 11, spoils: 0, delay: Duration::ZERO, pace: Duration::ZERO, refuses: "" };

#[test]
fn an_echo_that_is_lost_repeated_or_swapped_is_counted_as_just_that() {
    let server = Crooked::start(FAULTS);
    let url = server.url();
    let run = load_raw("echo", &url, "-c 5 -R 2k -n 1500 -d 20s --warmup 0s --drain 1s -s 40");
    let (totals, deeds) = (&run.outcome().totals, &server.deeds);
    assert_eq!((totals.sent, totals.expected), (1500, get(&deeds.received)), "{}", run.out);
    assert_eq!((totals.lost, totals.duplicated), (get(&deeds.lost), get(&deeds.repeated)), "{}", run.out);
    assert_eq!((totals.reordered, totals.corrupted), (get(&deeds.swapped), 0), "{}", run.out);
    assert_eq!(totals.received, totals.expected - totals.lost);
    assert!(totals.lost == 150 && totals.duplicated > 100 && totals.reordered > 100, "{totals:?}");
}

#[test]
fn a_publication_that_is_lost_repeated_or_swapped_is_counted_at_each_receiver() {
    let server = Crooked::start(FAULTS);
    let url = server.url();
    let run = load_raw("fanout", &url, "-c 8 -R 200 -n 110 -d 20s --warmup 0s --drain 1s");
    let (totals, deeds) = (&run.outcome().totals, &server.deeds);
    assert_eq!((totals.sent, totals.expected), (110, 880), "{}", run.out);
    assert_eq!((totals.lost, totals.duplicated), (get(&deeds.lost), get(&deeds.repeated)), "{}", run.out);
    assert_eq!((totals.lost, totals.reordered), (88, get(&deeds.swapped)), "{}", run.out);
    assert!((run.scalar("reach") - 0.9).abs() < 1e-9);
}

#[test]
fn spoiled_bytes_are_seen() {
    let server = Crooked::start(Habits { spoils: 20, ..Habits::default() });
    let url = server.url();
    let run = load_raw("echo", &url, "-c 2 -R 1k -n 400 -d 20s --warmup 0s -s 64");
    assert_eq!((run.outcome().totals.corrupted, get(&server.deeds.spoiled)), (20, 20), "{}", run.out);
    assert_eq!(run.outcome().totals.lost, 0);
}

/// A delay is a lower bound that the machine cannot undercut, and most messages are not much later than that.
#[test]
fn a_known_delay_is_what_is_measured() {
    let server = Crooked::start(Habits { delay: Duration::from_millis(40), ..Habits::default() });
    let url = server.url();
    let run = load_raw("echo", &url, "-c 4 -R 200 -d 2s --warmup 200ms");
    let latency = &run.outcome().latencies["response"];
    assert!(latency.min >= 0.040 && latency.count >= 390, "{latency:?}");
    let run = load_raw("fanout", &url, "-c 4 -R 50 -d 2s --warmup 200ms");
    for name in ["delivery", "first", "median", "last", "service"] {
        let latency = &run.outcome().latencies[name];
        assert!(latency.min >= 0.040, "{name}: {latency:?}");
    }
    let (first, last) = (&run.outcome().latencies["first"], &run.outcome().latencies["last"]);
    assert!(first.count == last.count && first.mean <= last.mean);
}

#[test]
fn several_threads_and_processes_count_as_one() {
    for (threads, processes) in [("2", "1"), ("1", "2"), ("2", "2")] {
        let server = Crooked::start(FAULTS);
        let url = server.url();
        let run = load_raw(
            "fanout",
            &url,
            &format!("-c 9 -R 200 -n 110 -d 20s --warmup 0s --drain 1s -t {threads} --processes {processes}"),
        );
        let (totals, deeds) = (&run.outcome().totals, &server.deeds);
        assert_eq!((totals.sent, totals.expected), (110, 990), "{}\n{}", run.out, run.error);
        assert_eq!(
            (totals.lost, totals.duplicated, totals.reordered),
            (99, get(&deeds.repeated), get(&deeds.swapped)),
            "{}",
            run.out
        );
        let spread = &run.outcome().latencies["last"];
        // What nobody got has no last receiver.
        assert_eq!(spread.count, 99, "{}", run.out);
    }
}
