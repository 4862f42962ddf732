//! Readers that are slow, and a node whose mailboxes are full: others go on, and what waits is read from Redis later.

use super::{Cluster, next_of, published};
use crate::support::http::{HttpClient, get};
use crate::support::ws::WsClient;
use serde_json::json;

#[test]
fn a_reader_that_does_not_read_delays_nobody_and_resumes() {
    let Some(cluster) = Cluster::start("a slow reader", 2, &[], &["--history.bytes", "100MiB"]) else { return };
    let mut slow = WsClient::connect(cluster.address(1));
    let begun = super::position(&slow.subscribe("big"));
    let mut fast = WsClient::connect(cluster.address(1));
    fast.subscribe("small");
    let before = cluster.nodes[1].pss();
    let (body, mut client) = (format!("\"{}\"", "x".repeat(60_000)), HttpClient::connect(cluster.address(0)));
    for number in 1..=200_u64 {
        published(&client.request("POST", "/channels/big", &[], body.as_bytes()));
        published(&client.request("POST", "/channels/small", &[], number.to_string().as_bytes()));
        assert_eq!(next_of(&mut fast), (number, json!(number), None));
    }
    let grown = cluster.nodes[1].pss().saturating_sub(before);
    assert!(grown < 100 << 20, "12 MB for one slow reader took {grown} bytes");
    let close = slow.read_close().expect("a Close says why");
    assert_eq!(close.reason.split(':').next(), Some("slow_consumer"), "{close:?}");
    // It comes back, page by page.
    let (mut since, mut offset) = (begun, 0);
    while offset < 200 {
        let page = get(cluster.address(1), &format!("/channels/big?since={since}")).json();
        assert_eq!(page["recovered"], true, "{page}");
        for one in page["publications"].as_array().expect("a list") {
            offset += 1;
            assert_eq!(one["offset"], offset);
        }
        since = super::position(&page);
    }
    cluster.stop();
}

#[test]
fn a_node_with_full_mailboxes_catches_up_and_misses_nothing() {
    let more = ["--delivery.mailbox_entries", "2", "--history.count", "10000", "--reactors", "2"];
    let kept = ["--history.count", "10000"];
    let Some(mut cluster) = Cluster::start("full mailboxes", 1, &[], &kept) else { return };
    cluster.nodes.push({
        let node = crate::support::process::Process::start(
            &[&["--engine", &cluster.redis.url(), "--workers", "1"][..], &more].concat(),
        );
        crate::support::wait_until("the node is ready", || super::is_ready(node.address));
        node
    });
    let mut readers: Vec<WsClient> = (0..4).map(|_| WsClient::connect(cluster.address(1))).collect();
    readers.iter_mut().for_each(|reader| drop(reader.subscribe("a")));
    let mut publisher = WsClient::connect(cluster.address(0));
    for batch in 0..20 {
        let one = |n: i32| json!({"method": "POST", "path": "/channels/a", "data": batch * 100 + n});
        publisher.send_text(&serde_json::Value::from((1..=100).map(one).collect::<Vec<_>>()).to_string());
        assert!(publisher.next_json().as_array().expect("a list").iter().all(|answer| answer["status"] == 200));
    }
    for reader in &mut readers {
        for number in 1..=2000_u64 {
            assert_eq!(next_of(reader), (number, json!(number), None));
        }
    }
    cluster.stop();
}
