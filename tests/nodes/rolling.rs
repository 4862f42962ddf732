//! Nodes that are replaced one after the other under load, as an update does it: readers of every kind resume at another node and
//! miss nothing.

use super::account::Account;
use super::member::{Role, Traffic};
use super::{Cluster, node};
use crate::support::wait_until;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Over how long an ending node sends its clients away.
const SPREAD: [&str; 2] = ["--server.drain_spread", "300ms"];

/// Replaces each of three nodes so many times while clients go on, with this done to a node that ends.
fn roll(rounds: usize, pace: Duration, is_killed: bool) -> Option<Account> {
    let mut cluster = Cluster::start("a rolling restart", 3, &[], &SPREAD)?;
    let traffic = Traffic::new(&cluster.addresses(), 5);
    let reader = |node| Role { node, reads: true, ..Role::default() };
    let stream = |node| Role { node, is_stream: true, ..Role::default() };
    let publisher = |node| Role { node, window: 4, pace, is_keyed: true, ..Role::default() };
    let roles: Vec<Role> = (0..6).map(reader).chain((0..6).map(stream)).chain((0..3).map(publisher)).collect();
    let began = Instant::now();
    let seen = traffic.run(&roles, || {
        for number in (0..rounds).flat_map(|_| 0..3) {
            let before = traffic.answered.load(Ordering::Relaxed);
            wait_until("publishing goes on", || traffic.answered.load(Ordering::Relaxed) > before + 50);
            // As a load balancer: the new one is there before the old one goes, and no client comes to that one any more.
            let next = node(&cluster.redis.url(), &SPREAD);
            traffic.nodes.lock().expect("no panic")[number] = next.address;
            let old = std::mem::replace(&mut cluster.nodes[number], next);
            if is_killed { super::kill(old) } else { super::stop(old) }
        }
    });
    let account = Account::of(&seen);
    println!(
        "rolling: {} nodes {} in {:.0} s with 6 readers on sockets and 6 on event streams: {} publications answered, {} received; \
         connections ended {} times, channels resumed {} times with everything, {} times not; {} missing",
        rounds * 3,
        if is_killed { "killed and replaced" } else { "drained and replaced" },
        began.elapsed().as_secs_f64(),
        account.answered,
        account.received,
        seen.iter().map(|seen| seen.ends).sum::<usize>(),
        account.resumed,
        account.told,
        account.lost
    );
    assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
    assert!(account.resumed >= 3 && account.refused.is_empty() && account.unknown.is_empty(), "{account:?}");
    cluster.stop();
    Some(account)
}

#[test]
fn three_nodes_are_replaced_one_after_the_other_and_nobody_misses_anything() {
    roll(1, Duration::from_millis(2), false);
}

#[test]
#[ignore = "run by tests/cluster rolling"]
fn ten_rounds_of_replaced_and_of_killed_nodes_lose_nothing() {
    roll(10, Duration::ZERO, false);
    roll(10, Duration::ZERO, true);
}
