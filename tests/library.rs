//! The server as a library: start, publish, subscribe with a callback, stop.

use crate::support::http;
use crate::support::{PATIENCE, TestServer, wait_until};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tidings::{Config, Server, Subscription};

#[test]
fn a_server_on_port_0_tells_where_it_listens() {
    let server = TestServer::start(|config| {
        let any = "127.0.0.1:0".parse().expect("an address");
        config.server.listen = vec![any, any];
        config.server.reactors = 2;
    });
    let addresses = server.addresses().to_vec();
    assert_eq!(addresses.len(), 2);
    assert_ne!(addresses[0].port(), addresses[1].port());
    for address in addresses {
        assert_ne!(address.port(), 0);
        assert_eq!(http::get(address, "/livez").status, 200);
    }
}

/// A port that was free a moment ago, for both families.
fn free_port() -> u16 {
    let both = TcpListener::bind("[::]:0").expect("this machine has IPv6");
    both.local_addr().expect("an address").port()
}

/// Starts a server on addresses with `PORT` in them, on another port when somebody else took it in between.
fn start_on(addresses: &[&str]) -> (TestServer, u16) {
    for _ in 0..20 {
        let port = free_port();
        let mut config = Config::default();
        let resolve = |address: &&str| address.replace("PORT", &port.to_string()).parse().expect("an address");
        config.server.listen = addresses.iter().map(resolve).collect();
        config.server.allow_anonymous_publish = true;
        config.server.reactors = 2;
        match Server::start(config) {
            Ok(server) => return (TestServer::of(server), port),
            Err(error) => println!("tried again: {error}"),
        }
    }
    panic!("{addresses:?} cannot be listened on together");
}

#[test]
fn all_addresses_of_both_families_are_listened_on_with_one_port() {
    if TcpListener::bind("[::1]:0").is_err() {
        println!("skipped: this machine has no IPv6");
        return;
    }
    let lists: [&[&str]; 4] = [
        &["0.0.0.0:PORT", "[::]:PORT"],
        &["[::]:PORT", "0.0.0.0:PORT"],
        &["127.0.0.1:PORT", "[::]:PORT"],
        // Alone it goes on taking IPv4 too.
        &["[::]:PORT"],
    ];
    for list in lists {
        let (server, port) = start_on(list);
        assert_eq!(server.addresses().len(), list.len());
        for host in ["127.0.0.1", "[::1]"] {
            let address = format!("{host}:{port}").parse().expect("an address");
            assert_eq!(http::get(address, "/livez").status, 200, "{host} of {list:?}");
        }
    }
}

/// How often this thread has given up its processor to wait.
fn waits() -> u64 {
    let status = std::fs::read_to_string("/proc/thread-self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:")).expect("the kernel tells");
    line.trim().parse().expect("a number")
}

#[test]
fn a_publisher_that_waits_for_room_is_woken_and_does_not_ask_again_and_again() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = PATIENCE;
    });
    let (go_on, wait) = channel::<()>();
    let subscription = server.subscribe("slow", move |_| assert!(wait.recv().is_err())).expect("a subscription");
    for _ in 0..2 {
        server.publish("slow", "1").expect("there is room");
    }
    let pause = Duration::from_millis(400);
    std::thread::scope(|scope| {
        let publisher = scope.spawn(|| {
            let (began, before) = (Instant::now(), waits());
            let position = server.publish("slow", "1").expect("room comes free");
            (position.offset, began.elapsed(), waits() - before)
        });
        std::thread::sleep(pause);
        drop(go_on);
        let (offset, took, waits) = publisher.join().expect("no panic");
        assert_eq!(offset, 3);
        assert!(took < PATIENCE / 2, "{took:?}");
        assert!(waits < 50, "{waits} waits in {took:?}");
    });
    drop(subscription);
}

#[test]
fn a_callback_sees_every_publication_in_order_whoever_publishes() {
    let server = TestServer::start(|config| config.server.reactors = 2);
    server.publish("news", "0").expect("nobody is in the way");
    let (sender, seen) = channel();
    let subscription = server
        .subscribe("news", move |publication| sender.send(publication.offset()).expect("the test listens"))
        .expect("a subscription");
    assert_eq!(subscription.position.offset, 1);
    std::thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                for n in 0..100 {
                    server.publish("news", n.to_string()).expect("there is room");
                }
            });
        }
        scope.spawn(|| {
            (0..100).for_each(|_| assert_eq!(http::post(server.address(), "/channels/news", "1").status, 200))
        });
    });
    for offset in 2..=401 {
        assert_eq!(seen.recv_timeout(PATIENCE), Ok(offset));
    }
}

#[test]
fn what_cannot_be_published_is_refused_with_the_protocols_own_codes() {
    let server = TestServer::start(|_| {});
    for (channel, json, code) in [("a//b", "1", "bad_channel"), ("a", "{", "bad_json"), ("", "1", "bad_channel")] {
        let refusal = server.publish(channel, json).expect_err("it is refused");
        assert_eq!((refusal.status(), refusal.code()), (400, code));
    }
    assert!(server.subscribe("a*b", |_| {}).is_err());
    assert_eq!(server.hub().stats().published, 0);
}

#[test]
fn a_subscription_that_is_dropped_hears_no_more_and_leaves_nothing_behind() {
    let server = TestServer::start(|_| {});
    let (sender, seen) = channel();
    let subscription = server
        .subscribe("news", move |publication| {
            let _ = sender.send(publication.offset());
        })
        .expect("a subscription");
    server.publish("news", "1").expect("there is room");
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(1));
    drop(subscription);
    server.publish("news", "2").expect("there is room");
    assert!(seen.recv().is_err(), "the callback is gone, and with it the sender");
    assert_eq!(server.hub().stats().interest, 0);
    assert_eq!(server.metric("tidings_outbound_bytes"), 0.0);
}

#[test]
fn a_subscription_can_be_dropped_by_its_own_callback() {
    let server = TestServer::start(|_| {});
    let own: Arc<Mutex<Option<Subscription>>> = Arc::default();
    let (sender, seen) = channel();
    let inside = Arc::clone(&own);
    let subscription = server.subscribe("news", move |publication| {
        if publication.offset() == 2 {
            drop(inside.lock().expect("no panic").take());
        }
        let _ = sender.send(publication.offset());
    });
    // Held until three have been published, so that the callback finds the subscription and more would follow.
    let mut slot = own.lock().expect("no panic");
    for n in 0..3 {
        server.publish("news", n.to_string()).expect("there is room");
    }
    *slot = Some(subscription.expect("a subscription"));
    drop(slot);
    assert_eq!(seen.iter().collect::<Vec<_>>(), [1, 2], "nothing follows the drop");
    wait_until("its interest is gone", || server.hub().stats().interest == 0);
}

/// Dropping a subscription waits for the callback that is running, not for everything that was queued for it.
#[test]
fn dropping_a_slow_subscription_does_not_deliver_what_was_queued() {
    let server = TestServer::start(|_| {});
    let (sender, seen) = channel();
    let (go, gate) = channel::<()>();
    let subscription = server
        .subscribe("news", move |publication| {
            sender.send(publication.offset()).expect("the test listens");
            // Goes on when the test says so or has dropped its end.
            let _ = gate.recv();
        })
        .expect("a subscription");
    for n in 0..100 {
        server.publish("news", n.to_string()).expect("there is room");
    }
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(1));
    std::thread::scope(|scope| {
        scope.spawn(|| drop(subscription));
        wait_until("the drop has begun", || server.hub().stats().interest == 0);
        drop(go);
    });
    let rest: Vec<u64> = seen.iter().collect();
    assert!(rest.len() <= 1, "it went on with {rest:?}");
    wait_until("nothing is counted any more", || server.metric("tidings_outbound_bytes") == 0.0);
}

/// Law 1 with a mailbox of a library subscriber: publishers wait for it, and are told busy when they waited enough.
#[test]
fn a_slow_callback_makes_publishers_wait_and_then_refuses_them() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = Duration::from_millis(100);
    });
    let (sender, seen) = channel();
    let (go, gate) = channel::<()>();
    let _subscription = server
        .subscribe("news", move |publication| {
            let _ = sender.send(publication.offset());
            let _ = gate.recv();
        })
        .expect("a subscription");
    server.publish("news", "1").expect("there is room");
    server.publish("news", "2").expect("there is room");
    let began = Instant::now();
    let refusal = server.publish("news", "3").expect_err("no room");
    assert_eq!((refusal.status(), refusal.code()), (503, "busy"));
    assert!(began.elapsed() >= Duration::from_millis(100), "it waited");
    go.send(()).expect("the callback waits");
    assert_eq!((seen.recv_timeout(PATIENCE), seen.recv_timeout(PATIENCE)), (Ok(1), Ok(2)));
    let position = server.publish("news", "3").expect("room came free");
    assert_eq!(position.offset, 3, "what was refused took no offset");
    drop(go);
    assert_eq!(seen.recv_timeout(PATIENCE), Ok(3));
}

/// Nobody empties the mailbox of a callback that is gone: it must not make publishers wait.
#[test]
fn a_callback_that_panics_ends_its_subscription_and_blocks_no_publisher() {
    let server = TestServer::start(|config| {
        config.delivery.mailbox_entries = 2;
        config.server.publish_wait = Duration::from_secs(10);
    });
    let _subscription =
        server.subscribe("news", |_| panic!("a callback that fails, as this test wants")).expect("a subscription");
    let began = Instant::now();
    for n in 0..10 {
        server.publish("news", n.to_string()).expect("nobody is in the way");
    }
    assert!(began.elapsed() < Duration::from_secs(9), "a publisher waited for a callback that is gone");
    wait_until("its interest is gone", || server.hub().stats().interest == 0);
    assert_eq!(server.metric("tidings_outbound_bytes"), 0.0);
}

#[test]
fn a_stopped_server_refuses_connections_and_a_dropped_one_too() {
    for stop in [true, false] {
        let server = TestServer::start(|config| config.server.reactors = 2);
        let address = server.address();
        assert_eq!(http::get(address, "/livez").status, 200);
        if stop {
            assert_eq!(server.stop(Duration::from_secs(5)), 0);
        } else {
            drop(server);
        }
        assert!(std::net::TcpStream::connect(address).is_err());
    }
}

/// The order to drain may come at any point of a tick: it must never be overslept.
#[test]
fn a_busy_server_stops_at_once_however_often() {
    for _ in 0..30 {
        let server = TestServer::start(|config| config.server.reactors = 2);
        let _subscription = server.subscribe("news", |_| {}).expect("a subscription");
        let mut socket = crate::support::ws::WsClient::connect(server.address());
        socket.subscribe("news");
        for n in 0..20 {
            server.publish("news", n.to_string()).expect("there is room");
        }
        let reader = std::thread::spawn(move || while socket.socket.read().is_ok() {});
        let began = Instant::now();
        assert_eq!(server.stop(Duration::from_secs(15)), 0);
        assert!(began.elapsed() < Duration::from_secs(3), "the order, or the end of the drain, was overslept");
        reader.join().expect("the reader only reads");
    }
}
