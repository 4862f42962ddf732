//! A server that has a tenth of a core: everything takes its time, and nobody is cut off for that.

use super::Publisher;
use super::readers::{Reader, Readers};
use crate::support::cgroup::Group;
use crate::support::process::{Process, descriptors_allowed};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

const SOCKETS: usize = 4_000;
/// For how long it is watched: several waves of pings.
const SPAN: Duration = Duration::from_secs(20);
/// The part of each period that it may run: short waits, and waits of nearly a second.
const PARTS: [(Duration, Duration); 2] =
    [(Duration::from_millis(10), Duration::from_millis(100)), (Duration::from_millis(100), Duration::from_secs(1))];

/// How long what was accepted may take to arrive after that.
const LATEST: Duration = Duration::from_secs(30);

#[test]
#[ignore = "run by tests/faults stall"]
fn a_server_with_a_tenth_of_a_core_loses_nobody_and_nothing() {
    for (quota, period) in PARTS {
        let Some(group) = Group::of_cpu(quota, period) else { return };
        with_a_part_of_a_core(&group, &format!("{quota:?} of each {period:?}"));
    }
}

fn with_a_part_of_a_core(group: &Group, part: &str) {
    let toml = "websocket.ping_idle = \"3s\"\nwebsocket.pong_wait = \"4s\"\n";
    let arguments = ["--reactors", "2", "--workers", "1"];
    let server = Process::start_by(&group.wrapper(), descriptors_allowed(), toml, &arguments);
    let readers = Readers::open(server.address, "slow", SOCKETS, |_| false);
    let goal = Arc::new(AtomicU64::new(0));
    let until = Arc::clone(&goal);
    let publisher = Publisher::begin(server.address, "slow", Duration::from_millis(500));
    let readers = std::thread::spawn(move || readers.run(all_have(&until)));
    let (waits, cpu) = (group.waits(), server.cpu_ticks());
    std::thread::sleep(SPAN);
    let share = (server.cpu_ticks() - cpu) as f64 / SPAN.as_secs_f64();
    let waits = group.waits() - waits;
    let published = publisher.end();
    goal.store(published, Ordering::Relaxed);
    let readers = readers.join().expect("no panic");
    let missing = readers.iter().filter(|reader| reader.last != published || reader.faults > 0).count();
    let ended = readers.iter().filter(|reader| reader.end.is_some()).count();
    let timeouts = server.metric("tidings_connections_closed_total{reason=\"ping_timeout\"}");
    let open = server.metric("tidings_connections{transport=\"websocket\"}");
    println!(
        "stall: {part}, {share:.1} % of a core: it had to wait {waits} times in {SPAN:?}; {published} publications to \
         {SOCKETS}, {missing} readers miss any; {timeouts} closed by ping_timeout, {ended} ended, {open} open"
    );
    assert_eq!((missing, ended, timeouts, open), (0, 0, 0.0, SOCKETS as f64));
    assert!(waits > 0, "it was never short of CPU, so that this shows nothing");
}

/// Whether all readers have what was published, once that is said by its offset.
fn all_have(goal: &AtomicU64) -> impl FnMut(&[Reader]) -> bool + use<'_> {
    let mut since = None;
    move |readers| {
        let goal = goal.load(Ordering::Relaxed);
        let waited = goal > 0 && since.get_or_insert_with(Instant::now).elapsed() > LATEST;
        waited || goal > 0 && readers.iter().all(|reader| reader.last >= goal)
    }
}
