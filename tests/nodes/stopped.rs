//! A Redis that is stopped for a while, as by a full disk or a machine that swaps: nobody else waits for it, and what was refused is
//! never delivered.

use super::account::{Account, Seen};
use super::calls::{Outcome, post};
use super::member::{Role, Traffic};
use super::{Cluster, next_of};
use crate::support::http::post as publish;
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// How long a node lets a publisher wait (`server.publish_wait`).
const PUBLISH_WAIT: Duration = Duration::from_secs(1);
/// What the answer may take besides, here: the machine has other work.
const SLACK: Duration = Duration::from_secs(2);

/// Echoes while `goes_on`; how long each took.
fn echo(node: SocketAddr, goes_on: impl Fn() -> bool) -> Vec<Duration> {
    let mut client = WsClient::connect_to(node, "/echo", &[]);
    let mut took = Vec::new();
    while goes_on() {
        let sent = Instant::now();
        client.send_text("echo");
        assert_eq!(client.next_text(), "echo");
        took.push(sent.elapsed());
        std::thread::sleep(Duration::from_millis(2));
    }
    took
}

/// Publishes one after the other until it is over: what became of each, and the longest wait for an answer.
fn publish_slowly(node: SocketAddr, numbers: std::ops::Range<u64>, over: &AtomicBool) -> (Seen, Duration) {
    let (mut seen, mut longest) = (Seen::default(), Duration::ZERO);
    for number in numbers {
        if over.load(Ordering::Relaxed) {
            break;
        }
        let sent = Instant::now();
        match post(node, "traffic:0", &number.to_string(), None).expect("an answer") {
            Outcome::At(place) => seen.answered.push(("traffic:0".to_owned(), place, number)),
            Outcome::Refused(_, code) if code == "outcome_unknown" => seen.unknown.push((number, code)),
            Outcome::Refused(status, code) => {
                assert_eq!(status, 503, "{code}");
                seen.refused.push((number, code));
            }
        }
        longest = longest.max(sent.elapsed());
    }
    (seen, longest)
}

fn p99(mut took: Vec<Duration>) -> Duration {
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100]
}

/// Stops Redis for this long while nodes are published to; the account, and what it cost.
fn stop_for(cluster: &Cluster, time: Duration) -> (Account, Duration, [Duration; 2]) {
    let traffic = Traffic::new(&cluster.addresses(), 1);
    let (over, node) = (AtomicBool::new(false), cluster.address(0));
    let began = Instant::now();
    let quiet = echo(node, || began.elapsed() < Duration::from_millis(500));
    let readers = [0, 1].map(|node| Role { node, reads: true, ..Role::default() });
    let (mut published, mut echoes) = (Vec::new(), Vec::new());
    let mut seen = traffic.run(&readers, || {
        std::thread::scope(|scope| {
            let over = &over;
            let publishers = [10_000_000, 20_000_000]
                .map(|first| scope.spawn(move || publish_slowly(node, first..first + 1_000_000, over)));
            std::thread::sleep(Duration::from_millis(100));
            cluster.redis.signal("STOP");
            let began = Instant::now();
            echoes = echo(node, || began.elapsed() < time);
            cluster.redis.signal("CONT");
            wait_until("it is published again", || publish(node, "/channels/other", "1").status == 200);
            // What was refused would be delivered now.
            std::thread::sleep(Duration::from_millis(200));
            over.store(true, Ordering::Relaxed);
            published = publishers.map(|publisher| publisher.join().expect("each is answered")).into();
        });
    });
    let longest = published.iter().map(|(_, longest)| *longest).max().expect("two of them");
    seen.extend(published.into_iter().map(|(seen, _)| seen));
    (Account::of(&seen), longest, [p99(quiet), p99(echoes)])
}

#[test]
fn a_redis_that_is_stopped_for_two_seconds_keeps_nobody_else_waiting() {
    let Some(cluster) = Cluster::start("a stopped Redis", 2, &[], &[]) else { return };
    let (account, longest, [_, echoes]) = stop_for(&cluster, Duration::from_secs(2));
    assert!(longest < PUBLISH_WAIT + SLACK, "an answer took {longest:?}");
    assert!(echoes < Duration::from_secs(1), "echoes took {echoes:?}");
    assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
    assert!(!account.refused.is_empty() || !account.unknown.is_empty(), "{account:?}");
    cluster.stop();
}

#[test]
#[ignore = "run by tests/cluster stopped"]
fn stops_of_half_a_second_to_half_a_minute_keep_nobody_else_waiting() {
    for seconds in [0.5, 2.0, 30.0] {
        let Some(cluster) = Cluster::start("a stopped Redis", 2, &[], &[]) else { return };
        let (account, longest, [quiet, during]) = stop_for(&cluster, Duration::from_secs_f64(seconds));
        println!(
            "stopped: Redis stopped for {seconds} s: {} publications answered, refused {:?}, unknown {:?} of which {} were published; none \
             that was refused was delivered, none missing; the longest answer took {longest:.2?}, the 99th of 100 echoes {during:.2?} \
             ({quiet:.2?} before)",
            account.answered, account.refused, account.unknown, account.unknown_published
        );
        assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
        assert!(longest < PUBLISH_WAIT + SLACK, "an answer took {longest:?}");
        cluster.stop();
    }
}

#[test]
fn what_was_refused_is_not_published_when_redis_goes_on() {
    let Some(cluster) = Cluster::start("late publications", 1, &[], &["--server.publish_wait", "300ms"]) else {
        return;
    };
    let mut reader = WsClient::connect(cluster.address(0));
    reader.subscribe("a");
    cluster.redis.signal("STOP");
    let refused = publish(cluster.address(0), "/channels/a", "\"refused\"");
    cluster.redis.signal("CONT");
    assert_eq!(refused.status, 503);
    wait_until("it is published again", || publish(cluster.address(0), "/channels/a", "\"taken\"").status == 200);
    if refused.code() != "outcome_unknown" {
        assert_eq!(next_of(&mut reader), (1, json!("taken"), None));
    }
    cluster.stop();
}
