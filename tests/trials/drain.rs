//! A drain of as many sockets as one process may have, while somebody publishes: how evenly they are sent away, and that each has
//! everything.

use super::readers::{End, OTHER_DESCRIPTORS, Readers};
use super::{Publisher, most_within};
use crate::support::process::{Process, descriptors_allowed};
use std::time::{Duration, Instant};

/// Sockets, where a process may have 20,000 descriptors.
const SOCKETS: usize = 19_000;
const SPREAD: Duration = Duration::from_secs(10);
const TIMEOUT: Duration = Duration::from_secs(20);
/// By how much the fullest second may exceed the mean of the spread: a client is advised to leave up to a second before its end, so
/// that all of them come in nine of ten seconds, and this process is not always on time.
const TOLERANCE: f64 = 1.5;

#[test]
#[ignore = "run by tests/faults drain"]
fn nineteen_thousand_sockets_are_sent_away_evenly_and_lose_nothing() {
    let count = SOCKETS.min(descriptors_allowed() - OTHER_DESCRIPTORS);
    let toml = format!("[server]\ndrain_spread = \"{SPREAD:?}\"\ndrain_timeout = \"{TIMEOUT:?}\"\n");
    let server = Process::start_by(&[], descriptors_allowed(), &toml, &["--reactors", "2", "--workers", "1"]);
    let began = Instant::now();
    // Every other one does as it is advised, as the clients of Tidings do; the others wait for their Close.
    let readers = Readers::open(server.address, "drained", count, |index| index % 2 == 0);
    println!("drain: {count} sockets opened in {:.1?}", began.elapsed());
    let publisher = Publisher::begin(server.address, "drained", Duration::from_millis(400));
    let readers = std::thread::spawn(move || readers.run(|_| false));
    // Something is on its way when the signal comes.
    crate::support::wait_until("it is published", || publisher.accepted() >= 5);
    let mut burst = crate::support::http::HttpClient::connect(server.address);
    let mut accepted = 0;
    for _ in 0..10 {
        let answer = burst.request("POST", "/channels/drained", &[], b"\"one of the last\"");
        accepted = answer.json()["offset"].as_u64().expect("an offset");
    }
    let signalled = Instant::now();
    server.signal("TERM");
    let (status, log) = server.wait_for(TIMEOUT + Duration::from_secs(20));
    let took = signalled.elapsed();
    let later = publisher.end();
    let readers = readers.join().expect("no panic");

    let ends: Vec<(Instant, End)> = readers.iter().map(|reader| reader.end.expect("it ended")).collect();
    let of = |wanted: End| ends.iter().filter(|(_, end)| *end == wanted).count();
    let moments: Vec<Instant> = ends.iter().map(|(moment, _)| *moment).collect();
    let (first, last) = (moments.iter().min().expect("some"), moments.iter().max().expect("some"));
    let (fullest, mean) = (most_within(Duration::from_secs(1), &moments), count as f64 / SPREAD.as_secs_f64());
    println!(
        "drain: {} left as advised, {} were closed with 1012, {} were cut; the first {:.1?} after the signal, the last {:.1?}",
        of(End::Left),
        of(End::Closed(1012)),
        of(End::Cut),
        first.duration_since(signalled),
        last.duration_since(signalled)
    );
    println!(
        "drain: in the fullest second {fullest} went, {:.2} of the {mean:.0} of an even spread",
        fullest as f64 / mean
    );
    let missing = readers.iter().filter(|reader| reader.last < accepted).count();
    let faults: usize = readers.iter().map(|reader| reader.faults).sum();
    println!(
        "drain: {accepted} publications were accepted before the signal and {} after it; {missing} readers miss one, {faults} \
         came twice or out of turn",
        later.saturating_sub(accepted)
    );
    let line = log.lines().find(|line| line.contains("drained ")).unwrap_or_default();
    println!("drain: the process ended after {took:.1?} with {status}: {line}");

    assert_eq!((missing, faults), (0, 0), "lost");
    assert_eq!(of(End::Left) + of(End::Closed(1012)), count, "each is told");
    assert!(readers.iter().all(|reader| reader.advised.is_some()), "each is advised");
    assert!((fullest as f64) < TOLERANCE * mean, "{fullest} in a second");
    assert_eq!(status.code(), Some(0), "{log}");
    assert!(took < TIMEOUT, "{took:?}");
}
