//! Very many channels: what it costs to attach all of them, and to attach them again when Redis is back.

use super::{Cluster, is_ready};
use crate::support::http::{HttpClient, post};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// Channels that one socket subscribes to, and requests in one message.
const PER_SOCKET: usize = 1000;
const BATCH: usize = 100;

/// Sockets that are subscribed to so many channels in all.
fn subscribe(cluster: &Cluster, channels: usize) -> Vec<WsClient> {
    let mut sockets = Vec::new();
    for first in (0..channels).step_by(PER_SOCKET) {
        let mut socket = WsClient::connect(cluster.address(0));
        for first in (first..(first + PER_SOCKET).min(channels)).step_by(BATCH) {
            let get = |number| json!({"id": number, "method": "GET", "path": format!("/channels/many:{number}")});
            let batch: Vec<Value> = (first..(first + BATCH).min(channels)).map(get).collect();
            socket.send_text(&Value::from(batch).to_string());
            let answers = socket.next_json();
            assert!(answers.as_array().expect("a list").iter().all(|answer| answer["status"] == 200), "{answers}");
        }
        sockets.push(socket);
    }
    sockets
}

/// Attaches so many channels, restarts Redis, and waits until all are attached again; prints what it cost.
fn attach(channels: usize, within: Duration) {
    let lines = ["appendonly yes", "maxclients 1000"];
    // The sockets are not read meanwhile, so nobody answers pings.
    let more = ["--redis.keeps_data", "true", "--websocket.ping_idle", "1h"];
    let Some(mut cluster) = Cluster::start("many channels", 2, &lines, &more) else { return };
    let began = Instant::now();
    let mut sockets = subscribe(&cluster, channels);
    let took = began.elapsed();
    let subscribed = |cluster: &Cluster| cluster.redis.figure("stats", "pubsub_channels") >= channels as f64;
    assert!(subscribed(&cluster), "each has a feed");
    println!("many: {channels} channels attached in {took:.2?}, {:.2} s of CPU in Redis", cluster.redis.cpu());
    cluster.redis.kill();
    cluster.redis.restart();
    let (began, loaded) = (Instant::now(), cluster.redis.cpu());
    // The other node has no channel, so that its publications show what others wait for.
    wait_until("the other node is ready", || is_ready(cluster.address(1)));
    let (mut client, mut waits) = (HttpClient::connect(cluster.address(1)), Vec::new());
    while !subscribed(&cluster) {
        let sent = Instant::now();
        let status = client.request("POST", "/channels/other", &[], b"1").status;
        waits.push(sent.elapsed());
        assert_eq!(status, 200);
        assert!(began.elapsed() < Duration::from_secs(120), "not all are attached");
    }
    let (took, used) = (began.elapsed(), cluster.redis.cpu() - loaded);
    waits.sort_unstable();
    let p99 = waits.get(waits.len().saturating_sub(1) * 99 / 100).copied().unwrap_or_default();
    println!(
        "many: all {channels} attached again {took:.2?} after Redis was back, {used:.2} s of CPU in Redis; {} publications at another \
         node meanwhile, the 99th of 100 took {p99:.2?}",
        waits.len()
    );
    assert!(took < within, "it took {took:?}");
    // Each of a few channels goes on where it was.
    for number in (0..channels).step_by(channels / 10) {
        assert_eq!(post(cluster.address(1), &format!("/channels/many:{number}"), "1").status, 200);
        let socket = &mut sockets[number / PER_SOCKET];
        let push = socket.next_push();
        assert_eq!((&push["channel"], &push["offset"]), (&json!(format!("many:{number}")), &json!(1)), "{push}");
    }
    cluster.stop();
}

#[test]
fn two_thousand_channels_are_attached_again() {
    attach(2000, Duration::from_secs(60));
}

#[test]
#[ignore = "run by tests/cluster many"]
fn a_hundred_thousand_channels_are_attached_again_in_seconds() {
    attach(100_000, Duration::from_secs(10));
}
