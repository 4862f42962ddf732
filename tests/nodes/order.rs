//! The order across nodes: every reader has all publications of a channel once, in the order of their offsets, and with equal data.

use super::Cluster;
use super::account::Account;
use super::member::{Role, Traffic};
use std::time::Duration;

/// Has three nodes published to and read at for this long; what became of it.
fn traffic(cluster: &Cluster, readers: usize, channels: usize, time: Duration, pace: Duration) -> Account {
    let traffic = Traffic::new(&cluster.addresses(), channels);
    // Half of the readers publish on the same socket, so that they see whether the own push comes first.
    let reader = |node| Role { node, reads: true, window: if node % 2 == 0 { 4 } else { 0 }, pace, ..Role::default() };
    let publisher = |node| Role { node, window: 16, pace, ..Role::default() };
    let stream = |node| Role { node, is_stream: true, ..Role::default() };
    let roles: Vec<Role> = (0..readers).map(reader).chain((0..3).map(publisher)).chain((0..3).map(stream)).collect();
    let seen = traffic.run(&roles, || std::thread::sleep(time));
    Account::of(&seen)
}

#[test]
fn three_nodes_keep_one_order() {
    let Some(cluster) = Cluster::start("the order across nodes", 3, &[], &[]) else { return };
    let account = traffic(&cluster, 6, 5, Duration::from_secs(2), Duration::from_millis(2));
    assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
    assert!(account.refused.is_empty() && account.unknown.is_empty() && account.answered > 100, "{account:?}");
    cluster.stop();
}

#[test]
#[ignore = "run by tests/cluster order"]
fn three_nodes_keep_one_order_for_a_minute() {
    let Some(cluster) = Cluster::start("the order across nodes", 3, &[], &[]) else { return };
    let account = traffic(&cluster, 12, 20, Duration::from_secs(60), Duration::ZERO);
    println!(
        "order: 3 nodes, 20 channels, 12 readers on sockets and 3 on event streams, 60 s: {} publications answered, {} received; no \
         gap, no double, no other body, each own push before its answer; {} refused, {} unknown",
        account.answered,
        account.received,
        account.refused.values().sum::<usize>(),
        account.unknown.values().sum::<usize>(),
    );
    assert_eq!((account.told, account.lost), (0, 0), "{account:?}");
    assert!(account.unknown.is_empty(), "{account:?}");
    cluster.stop();
}
