//! The asynchronous front, on tokio: streams, waiting without a thread, and what is left when they go.

use crate::support::{PATIENCE, TestServer, http, wait_until};
use std::future::Future;
use std::time::Duration;
use tidings::{Message, Replay};
use tokio::runtime::{Builder, Runtime};
use tokio::time::timeout;

fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(2).enable_time().build().expect("a runtime")
}

async fn in_time<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it takes long")
}

#[test]
fn a_stream_has_every_publication_in_order_whoever_publishes() {
    let server = TestServer::start(|config| config.server.reactors = 2);
    server.publish("news", "0").expect("published");
    let front = server.asynchronous();
    runtime().block_on(async {
        let mut news = front.subscribe_after("news", Replay::last(1)).expect("subscribed");
        assert_eq!((news.position.offset, front.subscribers("news")), (1, 1));
        let publishers: Vec<_> = (0..3)
            .map(|who| {
                let front = front.clone();
                tokio::spawn(async move {
                    for n in 0..100 {
                        let message = Message::json(&n.to_string()).event(&who.to_string());
                        front.publish("news", message).await.expect("published");
                    }
                })
            })
            .collect();
        let address = server.address();
        let by_http = tokio::task::spawn_blocking(move || {
            (0..100).for_each(|_| assert_eq!(http::post(address, "/channels/news", "1").status, 200));
        });
        for offset in 1..=401 {
            assert_eq!(in_time(news.next()).await.expect("it goes on").offset(), offset);
        }
        for publisher in publishers {
            in_time(publisher).await.expect("no panic");
        }
        in_time(by_http).await.expect("no panic");
        assert_eq!(front.history("news", Replay::last(3)).expect("history").publications.len(), 3);
    });
}

#[test]
fn a_stream_that_is_not_read_makes_publishers_wait_without_holding_a_thread() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = PATIENCE;
    });
    let front = server.asynchronous();
    // One thread for everything: a publisher that held it would wait for ever.
    Builder::new_current_thread().enable_time().build().expect("a runtime").block_on(async {
        let mut slow = front.subscribe("slow").expect("subscribed");
        for n in 1..=2 {
            assert_eq!(in_time(front.publish("slow", "1")).await.expect("there is room").offset, n);
        }
        let waits = tokio::spawn({
            let front = front.clone();
            async move { front.publish("slow", "1").await }
        });
        tokio::time::sleep(Duration::from_millis(100)).await;
        assert!(!waits.is_finished());
        for offset in 1..=3 {
            assert_eq!(in_time(slow.next()).await.expect("it goes on").offset(), offset);
        }
        assert_eq!(in_time(waits).await.expect("no panic").expect("room came free").offset, 3);
    });
}

#[test]
fn a_publisher_that_waited_long_enough_is_refused() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = Duration::from_millis(50);
    });
    let front = server.asynchronous();
    runtime().block_on(async {
        let _slow = front.subscribe("slow").expect("subscribed");
        for _ in 0..2 {
            in_time(front.publish("slow", "1")).await.expect("there is room");
        }
        let refusal = in_time(front.publish("slow", "2")).await.expect_err("no room");
        assert_eq!((refusal.status(), refusal.code()), (503, "busy"));
    });
}

#[test]
fn a_stream_that_is_dropped_leaves_nothing_behind() {
    let server = TestServer::start(|_| {});
    let front = server.asynchronous();
    runtime().block_on(async {
        let mut news = front.subscribe("news").expect("subscribed");
        // A future that is dropped while it waits has taken nothing.
        assert!(timeout(Duration::from_millis(20), news.next()).await.is_err());
        front.publish("news", "1").await.expect("published");
        front.publish("news", "2").await.expect("published");
        assert_eq!(in_time(news.next()).await.expect("it goes on").offset(), 1);
    });
    assert_eq!((server.hub().stats().interest, server.metric("tidings_outbound_bytes")), (0, 0.0));
    assert!(front.subscribe("a*b").is_err());
    wait_until("publishing goes on", || server.publish("news", "3").is_ok());
}
