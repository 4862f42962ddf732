//! Two nodes are one server: what is done at one is seen at the other.

use super::{Cluster, kill, next_of, node, position, published, stop};
use crate::support::OPERATOR;
use crate::support::http::{HttpClient, get, post};
use crate::support::redis::{Kind, Redis};
use crate::support::sse::SseClient;
use crate::support::ws::WsClient;
use serde_json::{Value, json};
use std::net::SocketAddr;

#[test]
fn what_is_published_at_one_node_is_read_at_all() {
    let Some(cluster) = Cluster::start("two nodes", 2, &[], &[]) else { return };
    let mut readers: Vec<WsClient> = cluster.addresses().into_iter().map(WsClient::connect).collect();
    let begun: Vec<String> = readers.iter_mut().map(|reader| position(&reader.subscribe("a"))).collect();
    assert_eq!(begun[0], begun[1], "a channel without publications has one epoch");
    let mut stream = SseClient::open(cluster.address(1), "a", None);
    assert_eq!(stream.next_block().expect("it is open").event.as_deref(), Some("position"));
    for (number, at) in (1..=6_u64).zip([0, 1].into_iter().cycle()) {
        let place = published(&post(cluster.address(at), "/channels/a?event=tick", &format!("{{\"n\": {number}.10}}")));
        assert_eq!(place, begun[0].replace(":0", &format!(":{number}")));
        for reader in &mut readers {
            let text = reader.next_text();
            let expected =
                format!("{{\"channel\":\"a\",\"offset\":{number},\"event\":\"tick\",\"data\":{{\"n\": {number}.10}}}}");
            assert_eq!(text, expected, "byte for byte");
        }
        let block = stream.next_block().expect("a publication");
        assert_eq!((block.id, block.event.as_deref()), (Some(place), Some("tick")));
        assert_eq!(block.data, format!("{{\"n\": {number}.10}}"));
    }
    let pages: Vec<String> = cluster.addresses().into_iter().map(|node| get(node, "/channels/a").text()).collect();
    assert_eq!(pages[0], pages[1]);
    // Whether or not somebody reads it there.
    (0..4).for_each(|_| drop(published(&post(cluster.address(1), "/channels/unread", "1"))));
    let counted = cluster.nodes.iter().map(|node| node.metric("tidings_publications_total"));
    assert_eq!(counted.collect::<Vec<_>>(), [3.0, 7.0], "each by the node that took it");
    cluster.stop();
}

#[test]
fn a_publisher_that_subscribes_has_its_own_push_before_its_answer_at_each_node() {
    let Some(cluster) = Cluster::start("own pushes", 2, &[], &[]) else { return };
    let mut clients: Vec<WsClient> = cluster.addresses().into_iter().map(WsClient::connect).collect();
    clients.iter_mut().for_each(|client| drop(client.subscribe("a")));
    for round in 0..50 {
        let client = &mut clients[round % 2];
        let answer = client.post("a", &json!(round));
        assert_eq!(answer["status"], 200, "{answer}");
        let own = client.pushed.iter().find(|push| push["data"] == round).expect("the own push came first");
        assert_eq!(own["offset"], answer["offset"]);
        client.pushed.clear();
    }
    cluster.stop();
}

#[test]
fn requests_of_one_connection_are_answered_in_the_order_sent() {
    let Some(cluster) = Cluster::start("the order of answers", 1, &[], &[]) else { return };
    let mut client = WsClient::connect(cluster.address(0));
    for round in 0..20 {
        for ask in [
            json!({"id": 1, "method": "POST", "path": format!("/channels/a{round}"), "data": 1}),
            json!({"id": 2, "method": "GET", "path": format!("/channels/b{round}")}),
            json!({"id": 3, "method": "GET", "path": "/limits"}),
            json!({"id": 4, "method": "GET", "path": format!("/channels/a{round}"), "once": true}),
            json!({"id": 5, "method": "POST", "path": format!("/channels/b{round}"), "data": 2}),
            json!({"id": 6, "method": "DELETE", "path": format!("/subscriptions/b{round}")}),
            json!({"id": 7, "method": "POST", "path": format!("/channels/b{round}"), "data": 3}),
        ] {
            client.send_text(&ask.to_string());
        }
        let came: Vec<Value> = (0..8).map(|_| client.next_json()).collect();
        let ids: Vec<Option<u64>> = came.iter().map(|message| message["id"].as_u64()).collect();
        assert_eq!(ids, [Some(1), Some(2), Some(3), Some(4), None, Some(5), Some(6), Some(7)], "{came:?}");
        assert!(came.iter().all(|message| message["id"].is_null() || message["status"] == 200), "{came:?}");
        assert_eq!(came[3]["publications"][0]["data"], 1, "it was answered before");
    }
    cluster.stop();
}

#[test]
fn a_reader_resumes_at_another_node_after_its_own_was_killed() {
    let Some(mut cluster) = Cluster::start("resuming elsewhere", 2, &[], &[]) else { return };
    let mut reader = WsClient::connect(cluster.address(0));
    let begun = position(&reader.subscribe("a"));
    published(&post(cluster.address(1), "/channels/a", "1"));
    assert_eq!(next_of(&mut reader).0, 1);
    kill(cluster.nodes.remove(0));
    for number in 2..=5 {
        published(&post(cluster.address(0), "/channels/a", &number.to_string()));
    }
    // The second was there all the time; the third has never heard of the channel.
    cluster.nodes.push(node(&cluster.redis.url(), &[]));
    for at in cluster.addresses() {
        let mut reader = WsClient::connect(at);
        let since = begun.replace(":0", ":1");
        let answer = reader.request(json!({"method": "GET", "path": "/channels/a", "since": since}));
        assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(5)), "{answer}");
        let data: Vec<&Value> =
            answer["publications"].as_array().expect("a list").iter().map(|one| &one["data"]).collect();
        assert_eq!(data, [2, 3, 4, 5]);
        let answer = get(at, &format!("/channels/a?since={begun}&limit=2")).json();
        assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(2)), "{answer}");
        let mut stream = SseClient::open(at, "a", Some(&since));
        assert!(stream.next_block().expect("it is open").data.contains("\"recovered\":true"));
        assert_eq!(stream.next_block().expect("a publication").data, "2");
    }
    cluster.stop();
}

#[test]
fn an_idempotency_key_counts_at_all_nodes() {
    let Some(cluster) = Cluster::start("keys across nodes", 2, &[], &[]) else { return };
    let publish = |at: SocketAddr, key: &str, body: &str| {
        HttpClient::connect(at).request("POST", "/channels/a", &[("Idempotency-Key", key)], body.as_bytes())
    };
    let first = published(&publish(cluster.address(0), "k", "{\"order\": 7}"));
    assert_eq!(published(&publish(cluster.address(1), "k", "{\"order\": 7}")), first);
    let other = publish(cluster.address(1), "k", "{\"order\": 8}");
    assert_eq!((other.status, other.code()), (409, "key_reused".to_owned()));
    assert_eq!(published(&publish(cluster.address(1), "l", "1")), first.replace(":1", ":2"));
    cluster.stop();
}

#[test]
fn of_publications_that_are_to_follow_one_position_one_is_published() {
    let Some(cluster) = Cluster::start("positions to follow", 2, &[], &[]) else { return };
    let after = |at: SocketAddr, position: &str, body: &str| {
        let tag = format!("\"{position}\"");
        HttpClient::connect(at).request("POST", "/channels/a", &[("If-Match", &tag)], body.as_bytes())
    };
    // One that nobody knows yet is somewhere from then on.
    let moved = after(cluster.address(0), "abcdefgh:1", "0");
    assert_eq!((moved.status, moved.code()), (412, "moved".to_owned()));
    let begun = position(&moved.json()["error"]);
    assert_eq!(position(&get(cluster.address(1), "/channels/a").json()), begun);
    let threads: Vec<_> = (0..8)
        .map(|number| {
            let (at, begun) = (cluster.address(number % 2), begun.clone());
            std::thread::spawn(move || {
                let fields = [("If-Match", format!("\"{begun}\""))];
                let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
                HttpClient::connect(at).request("POST", "/channels/a", &fields, number.to_string().as_bytes())
            })
        })
        .collect();
    let answers: Vec<_> = threads.into_iter().map(|thread| thread.join().expect("an answer")).collect();
    let first: Vec<String> = answers.iter().filter(|answer| answer.status == 200).map(published).collect();
    assert_eq!(first, [begun.replace(":0", ":1")]);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!((answer.status, position(&answer.json()["error"])), (412, first[0].clone()));
    }
    assert_eq!(published(&after(cluster.address(1), &first[0], "2")), begun.replace(":0", ":2"));
    cluster.stop();
}

#[test]
fn binary_publications_cross_nodes_unchanged() {
    let Some(cluster) = Cluster::start("binary publications", 2, &[], &[]) else { return };
    let mut reader = WsClient::connect(cluster.address(1));
    reader.send_binary(b"{\"id\":1,\"method\":\"GET\",\"path\":\"/channels/a\"}\n".to_vec());
    assert_eq!(reader.next_json()["status"], 200);
    let bytes: Vec<u8> = (0..=255).cycle().take(5000).collect();
    let fields = [("Content-Type", "image/png")];
    let answer = HttpClient::connect(cluster.address(0)).request("POST", "/channels/a", &fields, &bytes);
    published(&answer);
    let expected = [&b"{\"channel\":\"a\",\"offset\":1,\"content_type\":\"image/png\"}\n"[..], &bytes].concat();
    assert_eq!(reader.next().into_data().as_ref(), expected);
    cluster.stop();
}

#[test]
fn an_emptied_history_is_empty_at_all_nodes() {
    let Some(cluster) = Cluster::start("emptied histories", 2, &[], &[]) else { return };
    let mut reader = WsClient::connect(cluster.address(1));
    let begun = position(&reader.subscribe("a"));
    let first = published(&post(cluster.address(0), "/channels/a", "1"));
    assert_eq!(next_of(&mut reader).0, 1);
    let emptied = HttpClient::connect(cluster.address(0)).request("DELETE", "/channels/a", &[OPERATOR], b"");
    assert_eq!(published(&emptied), first);
    let read = || get(cluster.address(1), "/channels/a").json();
    crate::support::wait_until("it is empty there too", || read()["publications"] == json!([]));
    assert_eq!(position(&read()), first);
    assert_eq!(get(cluster.address(1), &format!("/channels/a?since={begun}")).json()["recovered"], false);
    assert_eq!(published(&post(cluster.address(1), "/channels/a", "2")), first.replace(":1", ":2"));
    assert_eq!(next_of(&mut reader), (2, json!(2), None));
    cluster.stop();
}

#[test]
fn names_of_every_kind_are_the_same_channel_at_all_nodes() {
    let Some(cluster) = Cluster::start("names of channels", 2, &[], &[]) else { return };
    for name in ["a%20b", "%7Ba%7D", "%7D%7B", "%25", "a%3Ab.c", "%E4%B8%AD", "m", "h%7D", "a%2Fb", &"n".repeat(255)] {
        let target = format!("/channels/{name}");
        published(&post(cluster.address(0), &target, "1"));
        let read = get(cluster.address(1), &target).json();
        assert_eq!(read["publications"][0]["data"], 1, "{name}: {read}");
    }
    let names = cluster.redis.ask(&["KEYS", "*"]);
    assert!(names.list().iter().all(|name| name.text().starts_with("td:")), "{names:?}");
    cluster.stop();
}

#[test]
fn two_prefixes_are_two_clusters() {
    let Some(cluster) = Cluster::start("prefixes", 1, &[], &[]) else { return };
    let other = node(&cluster.redis.url(), &["--redis.prefix", "other"]);
    let mut reader = WsClient::connect(other.address);
    reader.subscribe("a");
    published(&post(cluster.address(0), "/channels/a", "1"));
    assert_eq!(get(other.address, "/channels/a").json()["offset"], 0);
    published(&post(other.address, "/channels/a", "2"));
    assert_eq!(next_of(&mut reader), (1, json!(2), None));
    stop(other);
    cluster.stop();
}

#[test]
fn all_nodes_may_end_and_what_is_kept_is_there_for_the_next() {
    let Some(mut cluster) = Cluster::start("all nodes end", 2, &[], &[]) else { return };
    let first = published(&post(cluster.address(0), "/channels/a", "1"));
    for node in cluster.nodes.drain(..) {
        stop(node);
    }
    let next = node(&cluster.redis.url(), &[]);
    let answer = get(next.address, &format!("/channels/a?since={}", first.replace(":1", ":0"))).json();
    assert_eq!((&answer["recovered"], &answer["publications"][0]["data"]), (&json!(true), &json!(1)), "{answer}");
    stop(next);
}

#[test]
fn valkey_does_as_well() {
    if Kind::Valkey.program().is_none() {
        println!("skipped: Valkey: no valkey-server here");
        return;
    }
    let cluster = Cluster::on(Redis::start_as(Kind::Valkey, &[]), 2, &[]);
    let mut clients: Vec<WsClient> = cluster.addresses().into_iter().map(WsClient::connect).collect();
    clients.iter_mut().for_each(|client| drop(client.subscribe("a")));
    for round in 1..=50 {
        let answer = clients[round % 2].post("a", &json!(round));
        // Valkey answers before it pushes, and the own push comes first all the same.
        assert_eq!(clients[round % 2].pushed.pop().expect("the own push")["offset"], answer["offset"]);
        assert_eq!(next_of(&mut clients[(round + 1) % 2]).1, round);
    }
    cluster.stop();
}
