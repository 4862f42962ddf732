//! Bytes on feeds and in keys that no node wrote: they end nothing, and what comes after them is as before.

use super::{Cluster, next_of, published};
use crate::support::http::{get, post};
use crate::support::wait_until;
use crate::support::ws::WsClient;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// What is published to a feed, or put into a history: nothing of it is what a node writes.
fn garbage(entry: &[u8], random: &mut StdRng) -> Vec<Vec<u8>> {
    let mut all = vec![
        Vec::new(),
        b" ".to_vec(),
        b"garbage".to_vec(),
        b"\r\n$-1\r\n".to_vec(),
        vec![0; 100],
        vec![0xff; 100],
        b"abcdefgh-1:1 ".to_vec(),
        b"abcdefgh-1:18446744073709551615 x".to_vec(),
        b"abcdefgh-1:-1 x".to_vec(),
        b"\xff\xfe:1 x".to_vec(),
        vec![b'a'; 3 << 20],
    ];
    // What a node wrote, with something of it changed or missing.
    for _ in 0..40 {
        let mut changed = entry.to_vec();
        let at = random.random_range(0..changed.len());
        match random.random_range(0..3) {
            0 => changed[at] ^= 1 << random.random_range(0..8),
            1 => changed.truncate(at),
            _ => changed.insert(at, random.random_range(0..=255)),
        }
        all.push(changed);
    }
    all
}

/// What it takes to be sure that a node works as before: publications at the other one arrive.
fn still_works(cluster: &Cluster, reader: &mut WsClient, channel: &str) {
    let place = published(&post(cluster.address(0), &format!("/channels/{channel}"), "\"after\""));
    let offset: u64 = place.split(':').nth(1).expect("a position").parse().expect("an offset");
    loop {
        let (own, data, _) = next_of(reader);
        if data == "after" && own == offset {
            return;
        }
    }
}

#[test]
fn garbage_on_feeds_and_in_keys_ends_nothing() {
    let Some(cluster) = Cluster::start("garbage from Redis", 2, &[], &[]) else { return };
    let mut random = StdRng::seed_from_u64(5);
    let mut reader = WsClient::connect(cluster.address(1));
    reader.subscribe("a");
    reader.subscribe("b");
    published(&post(cluster.address(0), "/channels/a", "{\"n\": 1}"));
    assert_eq!(next_of(&mut reader).0, 1);
    let mut redis = cluster.redis.client();
    let feeds = redis.ask(&["PUBSUB", "CHANNELS"]);
    let feeds: Vec<String> = feeds.list().iter().map(crate::support::resp::Reply::text).collect();
    let feed = feeds.iter().find(|name| name.contains("{a}")).expect("the feed of a channel that is read").clone();
    let list = redis.ask(&["KEYS", "*{a}h"]).list()[0].text();
    let entry = match &redis.ask(&["LRANGE", &list, "0", "-1"]).list()[0] {
        crate::support::resp::Reply::Bulk(bytes) => bytes.clone(),
        other => panic!("{other:?}"),
    };
    let all = garbage(&entry, &mut random);
    let before = cluster.nodes[1].pss();
    for bytes in &all {
        for name in &feeds {
            redis.ask(&[b"PUBLISH", name.as_bytes(), bytes]);
        }
    }
    still_works(&cluster, &mut reader, "b");
    still_works(&cluster, &mut reader, "a");
    // The same in the history, read by a node that has nothing of it yet.
    for bytes in &all {
        redis.ask(&[b"RPUSH", list.as_bytes(), bytes]);
    }
    let third = super::node(&cluster.redis.url(), &[]);
    let answer = get(third.address, "/channels/a?last=100");
    assert!([200, 500, 503].contains(&answer.status), "{}", answer.text());
    still_works(&cluster, &mut reader, "a");
    // Keys of another kind than they should be.
    redis.ask(&["DEL", &list]);
    redis.ask(&["SET", &list, "x"]);
    let refused = post(cluster.address(0), "/channels/a", "1");
    assert!([200, 500, 503].contains(&refused.status), "{}", refused.text());
    still_works(&cluster, &mut reader, "b");
    redis.ask(&["DEL", &list]);
    wait_until("the channel works again", || post(cluster.address(0), "/channels/a", "1").status == 200);
    still_works(&cluster, &mut reader, "a");
    redis.ask(&[b"PUBLISH", feed.as_bytes(), b"the end"]);
    let grown = cluster.nodes[1].pss().saturating_sub(before);
    assert!(grown < 64 << 20, "the node has {grown} bytes more");
    super::stop(third);
    cluster.stop();
}

#[test]
fn what_somebody_else_answers_at_the_port_of_redis_is_no_panic() {
    use std::io::Write as _;
    use std::net::{Ipv4Addr, TcpListener};
    let says: [&[u8]; 8] = [
        b"HTTP/1.1 400 Bad Request\r\n\r\n",
        b"+OK\r\n",
        b"$1000000000000\r\n",
        b"*1000000000\r\n",
        b"*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n*1\r\n",
        b":99999999999999999999999\r\n",
        b"-ERR \xff\xff\r\n",
        b"\0\0\0\0",
    ];
    for said in says {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a free port");
        let url = format!("redis://{}", listener.local_addr().expect("it is bound"));
        let node = super::begin_node(&url, &["--redis.ready_grace", "0s"]);
        // Whatever is asked is answered so, on a few connections.
        for _ in 0..3 {
            let (mut stream, _) = listener.accept().expect("it connects");
            // It may have hung up already.
            let _ = stream.write_all(&said.repeat(4));
            let _ = stream.shutdown(std::net::Shutdown::Write);
            let mut rest = [0; 1024];
            stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("an option");
            while std::io::Read::read(&mut stream, &mut rest).is_ok_and(|read| read > 0) {}
        }
        assert_eq!(get(node.address, "/livez").status, 200);
        assert_eq!(post(node.address, "/channels/a", "1").code(), "engine_unavailable");
        assert!(node.pss() < 200 << 20, "memory follows bytes received");
        super::stop(node);
    }
}
