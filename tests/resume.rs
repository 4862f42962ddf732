//! Coming back: since, last, once and limit; honest gaps; replay that meets live; epochs, resets, forgotten channels.

use crate::support::http::{self, HttpClient};
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, PATIENCE, TestServer, wait_until, with_one_and_two_reactors};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// Publishes 1, 2, … `count` to `channel`; its epoch.
fn fill(server: &TestServer, channel: &str, count: u64) -> String {
    let mut epoch = String::new();
    for data in 1..=count {
        let position = server.publish(channel, data.to_string()).expect("it is published");
        assert_eq!(position.offset, data);
        epoch = position.epoch.as_str().to_owned();
    }
    epoch
}

fn offsets(answer: &Value) -> Vec<u64> {
    let publications = answer["publications"].as_array().unwrap_or_else(|| panic!("{answer}"));
    publications.iter().map(|publication| publication["offset"].as_u64().expect("an offset")).collect()
}

/// A GET with these options besides method and path; the subscription, if any, is ended again.
fn get(socket: &mut WsClient, channel: &str, options: &Value) -> Value {
    let mut request = json!({"method": "GET", "path": format!("/channels/{channel}")});
    for (name, value) in options.as_object().expect("options") {
        request[name] = value.clone();
    }
    let answer = socket.request(request);
    assert_eq!(answer["status"], 200, "{answer}");
    if options.get("once").is_none() {
        socket.request(json!({"method": "DELETE", "path": format!("/subscriptions/{channel}")}));
    }
    answer
}

#[test]
fn a_resume_is_told_whether_it_got_everything() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.history.count = 20;
            config.history.replay_count = 10;
        });
        let epoch = fill(&server, "x", 30);
        let mut socket = WsClient::connect(server.address());
        let at = |offset: u64| format!("{epoch}:{offset}");
        // What is asked, whether it is recovered, the offset, and the offsets of the replay.
        for (options, recovered, offset, replay) in [
            (json!({}), Value::Null, 30, vec![]),
            (json!({"last": 3}), Value::Null, 30, vec![28, 29, 30]),
            (json!({"last": 1_000_000}), Value::Null, 30, (21..=30).collect()),
            (json!({"since": at(30)}), json!(true), 30, vec![]),
            (json!({"since": at(28)}), json!(true), 30, vec![29, 30]),
            (json!({"since": at(28), "last": 1}), json!(true), 30, vec![29, 30]),
            (json!({"since": at(20)}), json!(true), 30, (21..=30).collect()),
            // A gap beyond the replay limit, history that is gone, the future, another epoch, nonsense.
            (json!({"since": at(19)}), json!(false), 30, vec![]),
            (json!({"since": at(9)}), json!(false), 30, vec![]),
            (json!({"since": at(0), "last": 2}), json!(false), 30, vec![29, 30]),
            (json!({"since": at(31)}), json!(false), 30, vec![]),
            (json!({"since": "AAAAAAAA:30"}), json!(false), 30, vec![]),
            (json!({"since": "nonsense"}), json!(false), 30, vec![]),
            (json!({"since": "", "last": 1}), json!(false), 30, vec![30]),
            (json!({"since": at(28), "limit": 1}), json!(false), 30, vec![]),
            (json!({"since": at(28), "limit": 2}), json!(true), 30, vec![29, 30]),
            // Pages.
            (json!({"once": true}), Value::Null, 30, (21..=30).collect()),
            (json!({"once": true, "last": 2}), Value::Null, 30, vec![29, 30]),
            (json!({"once": true, "since": at(10)}), json!(true), 20, (11..=20).collect()),
            (json!({"once": true, "since": at(10), "limit": 4}), json!(true), 14, vec![11, 12, 13, 14]),
            (json!({"once": true, "since": at(28), "limit": 4}), json!(true), 30, vec![29, 30]),
            (json!({"once": true, "since": at(9)}), json!(false), 30, vec![]),
        ] {
            let answer = get(&mut socket, "x", &options);
            assert_eq!((&answer["recovered"], &answer["offset"]), (&recovered, &json!(offset)), "{options}");
            assert_eq!((offsets(&answer), &answer["epoch"]), (replay, &json!(epoch)), "{options}");
        }
        for (query, recovered, replay) in [
            (String::new(), Value::Null, (21..=30).collect()),
            (format!("?since={epoch}:28"), json!(true), vec![29, 30]),
            (format!("?since={epoch}:15&limit=2"), json!(true), vec![16, 17]),
            (format!("?since={epoch}:1&last=1"), json!(false), vec![30]),
            ("?since=nonsense".to_owned(), json!(false), vec![]),
        ] {
            let answer = http::get(server.address(), &format!("/channels/x{query}")).json();
            assert_eq!((&answer["recovered"], offsets(&answer)), (&recovered, replay), "{query}");
        }
    });
}

#[test]
fn counts_of_zero_and_of_other_types_are_refused() {
    let server = TestServer::start(|_| {});
    let mut socket = WsClient::connect(server.address());
    for (name, value) in [("last", json!(0)), ("limit", json!(-1)), ("last", json!("5")), ("once", json!(1))] {
        let mut request = json!({"method": "GET", "path": "/channels/x"});
        request[name] = value.clone();
        let answer = socket.request(request);
        assert_eq!(answer["error"]["code"], "bad_request", "{name} {value}: {answer}");
    }
    for query in ["last=0", "limit=-1", "last=x", "last="] {
        assert_eq!(http::get(server.address(), &format!("/channels/x?{query}")).status, 400, "{query}");
    }
}

#[test]
fn the_whole_history_can_be_paged_through_without_a_hole() {
    let server = TestServer::start(|_| {});
    let epoch = fill(&server, "long", 1000);
    let mut client = HttpClient::connect(server.address());
    let (mut seen, mut position) = (Vec::new(), format!("{epoch}:0"));
    while seen.len() < 1000 {
        let page = client.request("GET", &format!("/channels/long?since={position}&limit=170"), &[], b"").json();
        assert_eq!(page["recovered"], true);
        seen.extend(offsets(&page));
        position = format!("{epoch}:{}", page["offset"]);
    }
    assert_eq!(seen, (1..=1000).collect::<Vec<_>>());
}

#[test]
fn a_replay_meets_the_live_pushes_without_gap_or_double() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.history.count = 100_000;
            config.history.bytes = 64 << 20;
            config.history.replay_count = 100_000;
            config.history.replay_bytes = 16 << 20;
            config.delivery.outbox_bytes = 64 << 20;
        });
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let publisher = scope.spawn(|| {
                let until = Instant::now() + PATIENCE;
                for data in 1..=90_000 {
                    if stop.load(Ordering::Acquire) || Instant::now() > until {
                        break;
                    }
                    server.publish("busy", data.to_string()).expect("it is published");
                    if data % 8 == 0 {
                        // A pace, so that the readers' history is not outrun.
                        std::thread::sleep(Duration::from_micros(200));
                    }
                }
            });
            let (mut position, mut last) = (None::<String>, 0);
            for round in 0..40 {
                let mut socket = WsClient::connect(server.address());
                let mut request = json!({"method": "GET", "path": "/channels/busy"});
                if let Some(position) = &position {
                    request["since"] = json!(position);
                }
                let answer = socket.request(request);
                assert!(socket.pushed.is_empty(), "no push before the answer: {:?}", socket.pushed);
                match position {
                    None => last = answer["offset"].as_u64().expect("an offset"),
                    Some(_) => assert_eq!(answer["recovered"], true, "{answer}"),
                }
                for offset in offsets(&answer) {
                    assert_eq!(offset, last + 1, "in the replay of round {round}");
                    last = offset;
                }
                assert_eq!(answer["offset"], last);
                for _ in 0..round % 7 * 10 {
                    let push = socket.next_json();
                    assert_eq!((&push["offset"], &push["data"]), (&json!(last + 1), &json!(last + 1)));
                    last += 1;
                }
                position = Some(format!("{}:{last}", answer["epoch"].as_str().expect("an epoch")));
            }
            stop.store(true, Ordering::Release);
            publisher.join().expect("the publisher");
        });
    });
}

#[test]
fn the_replays_of_a_batch_share_one_budget_and_what_does_not_fit_is_told() {
    let server = TestServer::start(|_| {});
    let filling = format!("\"{}\"", "x".repeat(20 * 1024));
    let mut epochs = Vec::new();
    for channel in ["a", "b", "c"] {
        for _ in 0..10 {
            let position = server.publish(channel, &filling).expect("it is published");
            epochs.push(position.epoch.as_str().to_owned());
        }
    }
    let mut socket = WsClient::connect(server.address());
    let get = |channel: &str, epoch: &str, offset: u64| json!({"method": "GET", "path": format!("/channels/{channel}"), "since": format!("{epoch}:{offset}")});
    // 256 KiB hold the ten of the first, not the ten of the second too, but again the two of the third.
    socket.send_text(&json!([get("a", &epochs[0], 0), get("b", &epochs[10], 0), get("c", &epochs[20], 8)]).to_string());
    let answers = socket.next_json();
    let told = [0, 1, 2].map(|at| (answers[at]["recovered"].clone(), offsets(&answers[at]).len()));
    assert_eq!(told, [(json!(true), 10), (json!(false), 0), (json!(true), 2)]);
}

#[test]
fn a_server_that_restarted_without_its_history_has_another_epoch_and_says_so() {
    let old = TestServer::start(|_| {});
    let epoch = fill(&old, "x", 3);
    assert_eq!(old.stop(Duration::from_secs(5)), 0);
    let new = TestServer::start(|_| {});
    let mut socket = WsClient::connect(new.address());
    let answer = get(&mut socket, "x", &json!({"since": format!("{epoch}:3")}));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(false), &json!(0)));
    assert_ne!(answer["epoch"], epoch);
    assert_ne!(fill(&new, "y", 1), answer["epoch"], "epochs are the channel's own");
}

#[test]
fn a_reset_reaches_every_subscriber_before_the_next_push() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let old = fill(&server, "x", 2);
        let mut sockets: Vec<_> = (0..3).map(|_| WsClient::connect(server.address())).collect();
        sockets.iter_mut().for_each(|socket| drop(socket.subscribe("x")));
        let mut stream = RawClient::connect(server.address());
        stream.send("GET /channels/x HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
        stream.read_until(b"event: position\n");
        let position = server.reset_channel("x").expect("there is room").expect("the channel exists");
        let epoch = position.epoch.as_str().to_owned();
        assert!(position.offset == 0 && epoch != old);
        server.publish("x", "\"new\"").expect("it is published");
        for socket in &mut sockets {
            let reset = format!(r#"{{"channel":"x","epoch":"{epoch}","offset":0,"reset":true}}"#);
            assert_eq!(socket.next_text(), reset);
            assert_eq!(socket.next_text(), r#"{"channel":"x","offset":1,"data":"new"}"#);
            let answer = get(socket, "x", &json!({"since": format!("{old}:1")}));
            assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(false), &json!(1)));
        }
        let data = format!(r#"data: {{"epoch":"{epoch}","offset":0,"reset":true}}"#);
        stream.read_until(format!("event: reset\nid: {epoch}:0\n{data}\n\n").as_bytes());
        stream.read_until(format!("id: {epoch}:1\ndata: \"new\"\n\n").as_bytes());
        assert_eq!(server.reset_channel("never seen").expect("there is room"), None);
    });
}

#[test]
fn a_forgotten_idle_channel_resumes_without_alarm_until_its_position_expires() {
    let server = TestServer::start(|config| {
        config.channels.idle_forget = Duration::from_millis(1);
        config.history.position_ttl = Duration::from_secs(2);
    });
    let epoch = fill(&server, "quiet", 5);
    let mut client = HttpClient::connect(server.address());
    let emptied = client.request("DELETE", "/channels/quiet", &[OPERATOR], b"");
    assert_eq!((emptied.status, &emptied.json()["offset"]), (200, &json!(5)));
    let forgotten = || server.hub().stats().channels == 0 && server.hub().stats().positions == 1;
    wait_until("the channel is forgotten and leaves its position", forgotten);
    let mut socket = WsClient::connect(server.address());
    let answer = get(&mut socket, "quiet", &json!({"since": format!("{epoch}:5")}));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(true), &json!(5)), "{answer}");
    let answer = get(&mut socket, "quiet", &json!({"since": format!("{epoch}:4")}));
    assert_eq!(answer["recovered"], false, "what is gone is not hidden");
    wait_until("the channel is forgotten again", forgotten);
    wait_until("the position expires", || server.hub().stats().positions == 0);
    let answer = get(&mut socket, "quiet", &json!({"since": format!("{epoch}:5")}));
    assert_eq!((&answer["recovered"], &answer["offset"]), (&json!(false), &json!(0)));
    assert_ne!(answer["epoch"], epoch);
}
