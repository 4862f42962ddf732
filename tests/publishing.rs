//! What an HTTP body becomes at its subscribers, options of POST, idempotency, snapshots, and DELETE of a history.

use crate::support::http::{HttpClient, get, post};
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, PATIENCE, TestServer, with_one_and_two_reactors};
use serde_json::{Value, json};

fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| config.server.reactors = reactors)
}

/// Content-Type (empty for none), body, and the members behind the offset that a subscriber reads, byte for byte.
const BODIES: &[(&str, &[u8], &str)] = &[
    ("", b" {\"a\": 1.10}\n", "\"data\":{\"a\": 1.10}"),
    ("", b"-0", "\"data\":-0"),
    ("", b"123456789012345678901234567890.10E+400", "\"data\":123456789012345678901234567890.10E+400"),
    ("", b"null", "\"data\":null"),
    ("application/json", b"{\"a\":1,\"a\":2}", "\"data\":{\"a\":1,\"a\":2}"),
    ("application/json; charset=utf-8", "\"\\u6d88\u{606f}\\/\"".as_bytes(), "\"data\":\"\\u6d88\u{606f}\\/\""),
    ("application/vnd.api+json", b"[1, 2,\t3]", "\"data\":[1, 2,\t3]"),
    ("application/x-www-form-urlencoded", b"{\"curl\": \"-d\"}", "\"data\":{\"curl\": \"-d\"}"),
    (
        "application/x-www-form-urlencoded",
        b"name=Ada&tag=a&tag=b%20c+d",
        "\"data\":{\"name\":\"Ada\",\"tag\":[\"a\",\"b c d\"]}",
    ),
    ("application/x-www-form-urlencoded; charset=UTF-8", b"", "\"data\":{}"),
    ("text/plain", b"say \"hi\"\n", "\"data\":\"say \\\"hi\\\"\\n\""),
    ("text/html; charset=utf-8", b"<p>", "\"data\":\"<p>\""),
    ("application/xml", b"<a/>", "\"data\":\"<a/>\""),
    ("image/svg+xml", b"<svg/>", "\"data\":\"<svg/>\""),
    ("application/octet-stream", b"\x00\xff", "\"content_type\":\"application/octet-stream\",\"data_base64\":\"AP8=\""),
    ("image/png", b"", "\"content_type\":\"image/png\",\"data_base64\":\"\""),
];

#[test]
fn every_kind_of_body_is_what_its_type_says_for_sockets_snapshots_and_streams() {
    with_one_and_two_reactors(|reactors| {
        for inline in [usize::MAX, 0] {
            let server = TestServer::start(|config| {
                config.server.reactors = reactors;
                config.server.inline_parse_bytes = inline;
            });
            let mut socket = WsClient::connect_to(server.address(), "/channels/b", &[]);
            assert_eq!(socket.next_json()["offset"], 0);
            let mut stream = RawClient::connect(server.address());
            stream.send("GET /channels/b HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n");
            stream.read_until(b"event: position\n");
            let mut client = HttpClient::connect(server.address());
            for (index, (content_type, body, members)) in BODIES.iter().enumerate() {
                let fields = [("Content-Type", *content_type)];
                let fields = if content_type.is_empty() { &[][..] } else { &fields[..] };
                let answer = client.request("POST", "/channels/b", fields, body);
                let offset = index + 1;
                assert_eq!((answer.status, &answer.json()["offset"]), (200, &json!(offset)), "{content_type} {body:?}");
                assert_eq!(socket.next_text(), format!("{{\"channel\":\"b\",\"offset\":{offset},{members}}}"));
                let snapshot = client.request("GET", "/channels/b?last=1", &[], b"").text();
                assert!(
                    snapshot.contains(&format!("\"publications\":[{{\"offset\":{offset},{members}}}]")),
                    "{snapshot}"
                );
                let data = members.strip_prefix("\"data\":").map_or(format!("{{{members}}}"), str::to_owned);
                stream.read_until(format!(":{offset}\ndata: {data}\n\n").as_bytes());
            }
        }
    });
}

#[test]
fn a_binary_subscriber_gets_the_bytes_as_they_are() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut socket = WsClient::connect(server.address());
        socket.send_binary(b"{\"id\":1,\"method\":\"GET\",\"path\":\"/channels/b\"}\n".to_vec());
        assert_eq!(socket.next_json()["status"], 200);
        let mut client = HttpClient::connect(server.address());
        let image = [0, b'\n', 255, b'{'];
        client.request("POST", "/channels/b", &[("Content-Type", "image/png")], &image);
        let frame = socket.next().into_data();
        let expected = [b"{\"channel\":\"b\",\"offset\":1,\"content_type\":\"image/png\"}\n", &image[..]].concat();
        assert_eq!(frame.as_ref(), expected);
        client.request("POST", "/channels/b", &[], b"1");
        assert_eq!(socket.next_text(), "{\"channel\":\"b\",\"offset\":2,\"data\":1}");
    });
}

#[test]
fn an_event_travels_with_its_publication() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut socket = WsClient::connect(server.address());
        socket.subscribe("b");
        assert_eq!(post(server.address(), "/channels/b?event=price+up%21", "1").status, 200);
        assert_eq!(socket.next_json(), json!({"channel": "b", "offset": 1, "event": "price up!", "data": 1}));
        let longest = format!("/channels/b?event={}", "e".repeat(200));
        assert_eq!(post(server.address(), &longest, "1").status, 200);
        assert_eq!(post(server.address(), &format!("{longest}e"), "1").status, 400);
        assert_eq!(post(server.address(), "/channels/b?event=a%0Ab", "1").status, 400);
    });
}

#[test]
fn who_is_excluded_gets_no_push_and_everybody_else_does() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut sockets: Vec<WsClient> = (0..4).map(|_| WsClient::connect(server.address())).collect();
        let names: Vec<Value> = sockets.iter_mut().map(|socket| socket.subscribe("b")["connection"].clone()).collect();
        for name in &names {
            let target = format!("/channels/b?exclude={}", name.as_str().expect("a name"));
            assert_eq!(post(server.address(), &target, "1").status, 200);
        }
        for (index, socket) in sockets.iter_mut().enumerate() {
            for offset in 1..=4 {
                let push = socket.next_push();
                let excluded = (push.get("excluded"), push.get("data")) == (Some(&json!(true)), None);
                assert_eq!((&push["offset"], excluded), (&json!(offset), offset == index + 1), "{push}");
            }
        }
        let answer = post(server.address(), "/channels/b?exclude=nobody", "1");
        assert_eq!((answer.status, answer.code().as_str()), (400, "bad_exclude"));
    });
}

#[test]
fn a_key_publishes_once_and_is_not_lent_to_another_body() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let publish = |target: &str, key: &str, body: &str| {
            HttpClient::connect(server.address()).request("POST", target, &[("Idempotency-Key", key)], body.as_bytes())
        };
        let first = publish("/channels/k", "one", "{\"order\":7}");
        assert_eq!((first.status, &first.json()["offset"]), (200, &json!(1)));
        assert_eq!(post(server.address(), "/channels/k", "2").json()["offset"], 2);
        for _ in 0..3 {
            let again = publish("/channels/k", "one", "{\"order\":7}");
            assert_eq!((again.status, again.json()), (200, first.json()));
        }
        for (target, body) in [("/channels/k", "{\"order\":8}"), ("/channels/k?event=x", "{\"order\":7}")] {
            let reused = publish(target, "one", body);
            assert_eq!((reused.status, reused.code().as_str()), (409, "key_reused"));
        }
        assert_eq!(publish("/channels/other", "one", "8").json()["offset"], 1, "a key is its channel's");
        assert_eq!(publish("/channels/k", &"k".repeat(200), "3").json()["offset"], 3);
        assert_eq!(publish("/channels/k", &"k".repeat(201), "4").status, 400);
        assert_eq!(get(server.address(), "/channels/k").json()["offset"], 3);
    });
}

#[test]
fn what_is_to_follow_a_position_is_published_there_or_not_at_all() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let publish = |tag: &str, body: &str| {
            HttpClient::connect(address).request("POST", "/channels/m", &[("If-Match", tag)], body.as_bytes())
        };
        // The tag of a snapshot, as it came.
        let tag = get(address, "/channels/m").field("ETag").expect("a tag").to_owned();
        let first = publish(&tag, "1").json();
        let at = |answer: &Value| format!("{}:{}", answer["epoch"].as_str().expect("an epoch"), answer["offset"]);
        assert_eq!(first["offset"], 1);
        let stale = publish(&tag, "2");
        assert_eq!((stale.status, stale.code().as_str()), (412, "moved"));
        assert_eq!(at(&stale.json()["error"]), at(&first));
        assert_eq!(publish(&format!("\"{}\"", at(&first)), "2").json()["offset"], 2);
        assert_eq!(publish("*", "3").json()["offset"], 3);
        for bad in ["", "abcdefgh:1", "W/\"abcdefgh:1\"", "\"abcdefgh:1\", \"abcdefgh:2\"", "\"abcdefgh\""] {
            assert_eq!((publish(bad, "4").status, publish(bad, "4").code()), (400, "bad_request".to_owned()), "{bad}");
        }
        let mut client = WsClient::connect(address);
        let after = format!("{}:3", first["epoch"].as_str().expect("an epoch"));
        let mut ask = json!({"method": "POST", "path": "/channels/m", "data": 4, "if_match": after});
        assert_eq!(client.request(ask.clone())["offset"], 4);
        let refused = client.request(ask.clone());
        assert_eq!((&refused["status"], &refused["error"]["offset"]), (&json!(412), &json!(4)), "{refused}");
        ask["if_match"] = json!("nowhere");
        assert_eq!(client.request(ask)["status"], 400);
        // Of many that saw the same, one is published.
        let winners: Vec<_> = (0..8)
            .map(|number| {
                let tag = format!("\"{}:4\"", first["epoch"].as_str().expect("an epoch"));
                std::thread::spawn(move || {
                    let fields = [("If-Match", tag.as_str())];
                    HttpClient::connect(address)
                        .request("POST", "/channels/m", &fields, number.to_string().as_bytes())
                        .status
                })
            })
            .collect();
        let mut statuses: Vec<u16> = winners.into_iter().map(|thread| thread.join().expect("an answer")).collect();
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412]);
        assert_eq!(get(address, "/channels/m").json()["offset"], 5);
    });
}

#[test]
fn a_key_that_many_send_at_once_publishes_once() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let address = server.address();
        let publish = move || {
            let mut client = HttpClient::connect(address);
            client.request("POST", "/channels/k", &[("Idempotency-Key", "one")], b"1").json()
        };
        let threads: Vec<_> = (0..16).map(|_| std::thread::spawn(publish)).collect();
        for thread in threads {
            assert_eq!(thread.join().expect("no panic")["offset"], 1);
        }
        assert_eq!(get(address, "/channels/k").json()["offset"], 1);
    });
}

#[test]
fn a_snapshot_has_the_newest_or_the_page_behind_a_position() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.history.replay_count = 200;
        });
        let mut epoch = String::new();
        for n in 1..=150 {
            epoch = server.publish("s", n.to_string()).expect("published").epoch.as_str().to_owned();
        }
        let offsets = |query: &str| {
            let answer = get(server.address(), &format!("/channels/s{query}"));
            assert_eq!(answer.status, 200, "{query}");
            let body = answer.json();
            assert_eq!(body["epoch"], json!(epoch));
            let all: Vec<u64> = body["publications"]
                .as_array()
                .expect("an array")
                .iter()
                .filter_map(|one| one["offset"].as_u64())
                .collect();
            (body["offset"].as_u64(), body["recovered"].as_bool(), all)
        };
        let range = |from: u64, to: u64| (from..=to).collect::<Vec<u64>>();
        assert_eq!(offsets(""), (Some(150), None, range(51, 150)));
        assert_eq!(offsets("?last=1"), (Some(150), None, range(150, 150)));
        assert_eq!(offsets("?last=150"), (Some(150), None, range(1, 150)));
        assert_eq!(offsets(&format!("?since={epoch}:148")), (Some(150), Some(true), range(149, 150)));
        assert_eq!(offsets(&format!("?since={epoch}%3A150")), (Some(150), Some(true), vec![]));
        assert_eq!(offsets(&format!("?since={epoch}:0&limit=2")), (Some(2), Some(true), range(1, 2)));
        for lost in ["never", "aaaaaaaaaaaa:3", ""] {
            assert_eq!(offsets(&format!("?since={lost}")).1, Some(false), "{lost}");
        }
        assert_eq!(offsets(&format!("?since={epoch}:151")).1, Some(false), "from the future");
        // As on the socket, more than there can be is all there is.
        assert_eq!(offsets("?last=99999999999999999999").2, range(1, 150));
        let nobody = get(server.address(), "/channels/empty").json();
        assert_eq!((&nobody["offset"], &nobody["publications"]), (&json!(0), &json!([])));
    });
}

#[test]
fn deleting_a_history_keeps_epoch_and_offset() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        for n in 1..=3 {
            server.publish("d", n.to_string()).expect("published");
        }
        let mut client = HttpClient::connect(server.address());
        let before = client.request("GET", "/channels/d", &[], b"").json();
        let deleted = client.request("DELETE", "/channels/d", &[OPERATOR], b"");
        assert_eq!(deleted.status, 200);
        assert_eq!(deleted.json(), json!({"channel": "d", "epoch": before["epoch"], "offset": 3}));
        let after = client.request("GET", "/channels/d", &[], b"").json();
        assert_eq!(after, json!({"channel": "d", "epoch": before["epoch"], "offset": 3, "publications": []}));
        let since = format!("/channels/d?since={}:1", before["epoch"].as_str().expect("an epoch"));
        assert_eq!(client.request("GET", &since, &[], b"").json()["recovered"], false);
        assert_eq!(post(server.address(), "/channels/d", "4").json()["offset"], 4);
        let next = client.request("GET", "/channels/d", &[], b"").json();
        assert_eq!(next["publications"], json!([{"offset": 4, "data": 4}]));
    });
}

#[test]
fn a_post_to_ws_is_read_as_a_frame_is_and_never_upgraded() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut client = HttpClient::connect(server.address());
        let upgrade = [
            ("Connection", "Upgrade"),
            ("Upgrade", "websocket"),
            ("Sec-WebSocket-Version", "13"),
            ("Sec-WebSocket-Key", "dGhlIHNhbHQgYSBub3Q="),
            ("Host", "example.com"),
        ];
        let plain = client.request("POST", "/ws", &upgrade, "{\"name\":\"张三\",\"age\":25}".as_bytes());
        assert_eq!((plain.status, plain.text().as_str()), (200, "服务器收到POST请求,并返回数据"));
        assert_eq!(plain.field("Content-Type"), Some("text/plain; charset=utf-8"));
        let inbox = client.request("GET", "/channels/inbox", &[], b"").json();
        assert_eq!(inbox["publications"][0]["data"], json!({"name": "张三", "age": 25}));
        let batch = b"[{\"id\":1,\"method\":\"POST\",\"path\":\"/channels/w\",\"data\":1},{\"id\":2,\"method\":\"GET\",\"path\":\"/channels/w\",\"last\":1},{\"id\":3,\"method\":\"PUT\",\"path\":\"/livez\"}]";
        let answers = client.request("POST", "/ws", &[], batch);
        assert_eq!(answers.status, 200);
        let statuses: Vec<Value> =
            answers.json().as_array().expect("an array").iter().map(|one| one["status"].clone()).collect();
        assert_eq!(statuses, [200, 200, 400]);
        assert_eq!(answers.json()[1]["publications"], json!([{"offset": 1, "data": 1}]));
        assert_eq!(client.request("POST", "/ws", &[], b"hello").code(), "bad_json");
        assert!(client.is_kept());
    });
}

/// A slash in a name was refused everywhere: in a URL it is %2F, on a socket it may stand as it is.
#[test]
fn a_name_with_slashes_is_one_channel_on_every_transport() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| config.server.reactors = reactors);
        let (sender, receiver) = std::sync::mpsc::channel();
        let subscription = server.subscribe("team/a/news", move |publication| {
            sender.send(publication.offset()).expect("the test listens");
        });
        let mut socket = WsClient::connect(server.address());
        assert_eq!(socket.subscribe("team/a/news")["channel"], "team/a/news");
        let mut whole = WsClient::connect_to(server.address(), "/channels/team%2Fa%2Fnews", &[]);
        assert_eq!(whole.next_json()["channel"], "team/a/news");
        assert_eq!(post(server.address(), "/channels/team%2Fa%2fnews", "1").json()["channel"], "team/a/news");
        assert_eq!(socket.post("team%2Fa/news", &json!(2))["offset"], 2);
        assert_eq!(server.publish("team/a/news", "3").expect("published").offset, 3);
        for offset in 1..=3 {
            assert_eq!(whole.next_push(), json!({"channel": "team/a/news", "offset": offset, "data": offset}));
            assert_eq!(receiver.recv_timeout(PATIENCE).expect("delivered"), offset);
        }
        let answer = socket.request(json!({"method": "DELETE", "path": "/subscriptions/team/a/news"}));
        assert_eq!(answer["status"], 200, "{answer}");
        assert_eq!(get(server.address(), "/channels/team%2Fa%2Fnews").json()["offset"], 3);
        for (wrong, said) in [
            ("/channels/team/a", "%2F"),
            ("/channels/team%2F", "neither begins nor ends"),
            ("/channels/a%2F..%2Fb", ".."),
        ] {
            let refused = get(server.address(), wrong);
            assert_eq!((refused.status, refused.code().as_str()), (400, "bad_channel"), "{wrong}");
            assert!(refused.text().contains(said), "{}", refused.text());
        }
        drop(subscription);
    });
}
