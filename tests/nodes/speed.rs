//! How fast a node publishes with a Redis beside it, and how long a publication takes to the reader of another node, side by side
//! with a server that keeps its histories in memory.

use super::Cluster;
use super::member::{Role, Traffic};
use crate::support::process::Process;
use crate::support::ws::WsClient;
use serde_json::json;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

/// Publications a second of eight publishers with 64 on their way each, for this long.
fn rate(nodes: &[SocketAddr], time: Duration) -> f64 {
    let traffic = Traffic::new(nodes, 100);
    let roles: Vec<Role> = (0..8).map(|node| Role { node, window: 64, ..Role::default() }).collect();
    let (mut counted, mut took) = (0, Duration::ZERO);
    traffic.run(&roles, || {
        std::thread::sleep(time / 4);
        let (before, began) = (traffic.answered.load(Ordering::Relaxed), Instant::now());
        std::thread::sleep(time);
        (counted, took) = (traffic.answered.load(Ordering::Relaxed) - before, began.elapsed());
    });
    counted as f64 / took.as_secs_f64()
}

/// The median and the 99th of 100 times from a publication at one node to its reader at another.
fn latency(from: SocketAddr, to: SocketAddr, count: usize) -> [Duration; 2] {
    let (mut publisher, mut reader) = (WsClient::connect(from), WsClient::connect(to));
    reader.subscribe("latency");
    let mut took: Vec<Duration> = (0..count)
        .map(|number| {
            let sent = Instant::now();
            publisher.send_text(&json!({"method": "POST", "path": "/channels/latency", "data": number}).to_string());
            reader.next_text();
            let took = sent.elapsed();
            // 1,000 a second at most, as single users do it.
            std::thread::sleep(Duration::from_millis(1).saturating_sub(took));
            took
        })
        .collect();
    took.sort_unstable();
    [took[count / 2], took[count * 99 / 100]]
}

#[test]
#[ignore = "run by tests/cluster speed"]
fn publishing_by_redis_beside_publishing_in_memory() {
    let Some(cluster) = Cluster::start("speed", 2, &[], &[]) else { return };
    let alone = Process::start(&["--reactors", "1", "--workers", "1"]);
    for round in 1..=3 {
        let memory = rate(&[alone.address], Duration::from_secs(5));
        let cpu = cluster.redis.cpu();
        let one = rate(&cluster.addresses()[..1], Duration::from_secs(5));
        let both = rate(&cluster.addresses(), Duration::from_secs(5));
        let used = cluster.redis.cpu() - cpu;
        let [near, near_p99] = latency(alone.address, alone.address, 3000);
        let [far, far_p99] = latency(cluster.address(0), cluster.address(1), 3000);
        println!(
            "speed: round {round}: {memory:.0} publications a second in memory, {one:.0} by Redis at one node, {both:.0} at two \
             ({used:.1} s of CPU in Redis for both); from a publication to its reader {near:.0?} (99th of 100 {near_p99:.0?}) in \
             memory, {far:.0?} ({far_p99:.0?}) from node to node"
        );
    }
    cluster.stop();
}
