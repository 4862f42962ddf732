//! Restarts under load, one server in the place of another: by a manager that holds the sockets, and by handing them over.
//! Publishers, readers of each kind and newcomers go on all the time.

use super::resuming::{Doors, Seen, missed, over_sockets, over_streams, publish, publish_last};
use crate::activation::{Held, Kept};
use crate::support::process::Process;
use crate::support::wait_until;
use crate::takeover::{Place, Storm};
use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Restarts of each kind.
const TIMES: usize = 20;
const PUBLISHERS: usize = 2;
/// Of each kind.
const READERS: usize = 4;
/// Newcomers, who connect all the time, and clients that keep their connections.
const CLIENTS: usize = 4;
/// How long a server lives after it serves.
const LIFE: Duration = Duration::from_millis(300);
/// Over how long clients are sent away.
const SPREAD: &str = "200ms";

/// All clients go on while `restart` is done again and again; their account.
fn restarts(what: &str, address: SocketAddr, mut restart: impl FnMut()) {
    let (doors, over) = (Doors::default(), AtomicBool::new(false));
    let (storm, kept) = (Storm::begin(address, CLIENTS), Kept::begin(address, CLIENTS));
    let began = Instant::now();
    let (accepted, seen) = std::thread::scope(|scope| {
        let (doors, over) = (&doors, &over);
        let readers: Vec<_> = (0..2 * READERS)
            .map(|index| {
                scope.spawn(
                    move || if index < READERS { over_sockets(address, doors) } else { over_streams(address, doors) },
                )
            })
            .collect();
        let publishers: Vec<_> = (0..PUBLISHERS)
            .map(|number| scope.spawn(move || publish(address, number, doors, || over.load(Ordering::Relaxed))))
            .collect();
        for _ in 0..TIMES {
            let before = storm.answered();
            wait_until("the storm goes on", || storm.answered() > before + 50);
            // Time to publish and to read at this one.
            std::thread::sleep(LIFE);
            restart();
        }
        // All readers have come back to the last server before the end.
        std::thread::sleep(Duration::from_millis(500));
        over.store(true, Ordering::Relaxed);
        let accepted: BTreeMap<_, _> =
            publishers.into_iter().flat_map(|publisher| publisher.join().expect("each is answered")).collect();
        publish_last(address, doors);
        (accepted, readers.into_iter().map(|reader| reader.join().expect("no gap")).collect::<Vec<Seen>>())
    });
    let took = began.elapsed();
    let (counts, (answered, on_kept)) = (storm.end(), kept.end());
    let [of_storm, cut] = [&counts.refused, &counts.reset].map(|count| count.load(Ordering::Relaxed));
    let (refused, unanswered) = doors.counts();
    let sum = |of: fn(&Seen) -> usize| seen.iter().map(of).sum::<usize>();
    let missing: usize = seen.iter().map(|seen| missed(seen, &accepted)).sum();
    println!(
        "rolling: {TIMES} restarts {what} in {took:.1?}: {} publications accepted; {} readers received {}, were told {} times \
         that the epoch is another and resumed {} times; all of the {missing} publications that one of them has not were in gaps that it \
         was told of, 0 missing otherwise, 0 twice, 0 out of order",
        accepted.len(),
        seen.len(),
        sum(|seen| seen.received.len()),
        sum(|seen| seen.told),
        sum(|seen| seen.resumed),
    );
    println!(
        "rolling: {} newcomers and {answered} requests on kept connections answered; {} connects refused or reset, {} requests \
         without an answer",
        counts.answered.load(Ordering::Relaxed),
        of_storm + refused,
        cut + on_kept + unanswered,
    );
    assert_eq!((of_storm + refused, cut, on_kept, unanswered), (0, 0, 0, 0));
    assert!(seen.iter().all(|seen| seen.told >= 1), "each met at least one restart");
}

#[test]
#[ignore = "run by tests/faults rolling"]
fn restarts_of_a_server_whose_sockets_are_held_lose_nothing_silently() {
    let held = Held::new();
    let start = || held.start(&["--server.drain_spread", SPREAD]);
    let mut server = start();
    restarts("by a manager that holds the sockets", held.address, || {
        server.drain();
        server = start();
    });
}

#[test]
#[ignore = "run by tests/faults rolling"]
fn servers_that_take_each_others_place_lose_nothing_silently() {
    let place = Place::new();
    let arguments = ["--reactors", "2", "--server.drain_spread", SPREAD];
    let mut server: Option<Process> = Some(place.start(&arguments));
    let address = server.as_ref().expect("it was started").address;
    restarts("by handing the sockets over", address, || {
        let before = server.take().expect("one runs");
        server = Some(place.next(before, &arguments).0);
    });
}
