//! What a program that embeds the server does with it: publish with events and keys, read history, count readers.

use crate::support::{PATIENCE, TestServer, http};
use serde::Deserialize;
use std::sync::mpsc::channel;
use tidings::{Message, Replay};

#[derive(Debug, PartialEq, Deserialize)]
struct Price<'a> {
    symbol: &'a str,
    cents: u64,
}

#[test]
fn a_publication_is_read_as_a_value_and_says_its_event() {
    let server = TestServer::start(|config| config.history.stamp_time = true);
    let (sender, seen) = channel();
    let _subscription = server.subscribe("stocks", move |publication| {
        drop(sender.send(publication.clone()));
    });
    let price = std::collections::BTreeMap::from([("cents", 10_125)]);
    server.publish("stocks", r#" {"symbol":"TIDE","cents":10125} "#).expect("published");
    server.publish("stocks", Message::of(&price).expect("JSON").event("half")).expect("published");
    server.publish("stocks", Message::binary(&b"\xff\0"[..], "image/png")).expect("published");
    let next = || seen.recv_timeout(PATIENCE).expect("a publication");
    let (whole, half, image) = (next(), next(), next());
    assert_eq!(whole.json::<Price<'_>>(), Ok(Price { symbol: "TIDE", cents: 10_125 }));
    assert_eq!((whole.channel(), whole.offset(), whole.event()), ("stocks", 1, None));
    assert_eq!(whole.data(), br#"{"symbol":"TIDE","cents":10125}"#, "byte for byte, without the space around it");
    assert!(whole.time().is_some());
    assert_eq!(half.event(), Some("half"));
    assert_eq!(half.json::<Price<'_>>().expect_err("a member is missing").code(), "bad_json");
    assert_eq!((image.data(), image.content_type()), (&b"\xff\0"[..], Some("image/png")));
    assert_eq!(image.json::<u32>().expect_err("no JSON").code(), "not_json");
    assert_eq!((image.epoch(), image.position().offset), (whole.epoch(), 3));
}

#[test]
fn a_message_under_a_key_is_published_once() {
    let server = TestServer::start(|_| {});
    let message = Message::json("1").key("order-17");
    let first = server.publish("orders", message.clone()).expect("published");
    assert_eq!(server.publish("orders", message), Ok(first));
    let other = server.publish("orders", Message::json("2").key("order-17")).expect_err("the key is used");
    assert_eq!(other.code(), "key_reused");
    assert_eq!(server.hub().stats().published, 1);
    for bad in [Message::json("1").key(""), Message::json("1").event(&"x".repeat(201)), Message::json("{")] {
        assert_eq!(server.publish("orders", bad.clone()).expect_err("refused").status(), 400, "{bad:?}");
    }
}

#[test]
fn history_is_read_from_either_end_and_in_pages() {
    let server = TestServer::start(|_| {});
    for n in 1..=5 {
        server.publish("news", n.to_string()).expect("published");
    }
    let numbers = |replay| {
        let history = server.history("news", replay).expect("history");
        let read = history.publications.iter().map(|publication| publication.json::<u64>().expect("a number"));
        (read.collect::<Vec<_>>(), history.position.offset, history.recovered)
    };
    assert_eq!(numbers(Replay::last(2)), (vec![4, 5], 5, None));
    let start = server.history("news", Replay::last(1)).expect("history").position;
    let after = |offset| Replay::since(tidings::Position { offset, ..start });
    assert_eq!(numbers(after(3)), (vec![4, 5], 5, Some(true)));
    assert_eq!(numbers(after(1).at_most(2)), (vec![2, 3], 3, Some(true)));
    assert_eq!(server.history("a*b", Replay::standard()).expect_err("a bad name").code(), "bad_channel");
    assert_eq!(server.subscribers("news"), 0, "reading is no subscription");
}

#[test]
fn a_replay_and_what_follows_join_without_a_hole() {
    let server = TestServer::start(|_| {});
    for n in 1..=3 {
        server.publish("news", n.to_string()).expect("published");
    }
    let (sender, seen) = channel();
    let send = move |publication: &tidings::Publication| {
        let _ = sender.send(publication.offset());
    };
    let subscription = server.subscribe_after("news", Replay::last(2), send).expect("subscribed");
    assert_eq!(subscription.position.offset, 3);
    http::post(server.address(), "/channels/news", "4");
    let offsets: Vec<u64> = (0..3).map(|_| seen.recv_timeout(PATIENCE).expect("a publication")).collect();
    assert_eq!(offsets, [2, 3, 4]);
    assert_eq!(server.subscribers("news"), 1);
    drop(subscription);
    assert_eq!((server.subscribers("news"), server.subscribers("never seen")), (0, 0));
}
