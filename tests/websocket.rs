//! What a frame is and what comes back: the six kinds of text frame, requests, batches, binary frames, pushes.

use crate::support::frames::{BINARY, RawSocket, TEXT};
use crate::support::http::{self, HttpClient};
use crate::support::ws::WsClient;
use crate::support::{OPERATOR_KEY, TestServer, wait_until, with_one_and_two_reactors};
use serde_json::{Value, json};

const PLAIN_GET: &str = "服务器收到GET请求";
const PLAIN_POST: &str = "服务器收到POST请求,并返回数据";

fn start(reactors: usize) -> TestServer {
    TestServer::start(|config| config.server.reactors = reactors)
}

/// The code of an error that has no other member than it should.
fn code_of(answer: &Value) -> &str {
    assert_eq!(answer["status"], 400, "{answer}");
    assert!(answer["error"]["message"].as_str().is_some_and(|message| message.len() > 10), "{answer}");
    answer["error"]["code"].as_str().expect("a code")
}

#[test]
fn a_text_frame_is_the_first_of_its_six_kinds_that_matches() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut socket = RawSocket::open(server.address(), "/ws");
        for (frame, expected) in [
            ("GET", PLAIN_GET),
            ("GET /livez", r#"{"status":200}"#),
            (r#"{"method":"GET","path":"/livez"}"#, r#"{"status":200}"#),
            (r#" {"method" : "GET" , "path":"/livez"} "#, r#"{"status":200}"#),
            (r#"{"\u006dethod":"GET","path":"/livez"}"#, r#"{"status":200}"#),
            (r#"[{"method":"GET","path":"/livez"}]"#, r#"[{"status":200}]"#),
            (r#"{"name":"张三","age":25}"#, PLAIN_POST),
            ("[]", PLAIN_POST),
            ("[1,{}]", PLAIN_POST),
            ("\"GET\"", PLAIN_POST),
            ("null", PLAIN_POST),
            ("-0", PLAIN_POST),
        ] {
            socket.send(TEXT, frame.as_bytes());
            assert_eq!(socket.next_text(), expected, "{frame}");
        }
        let inbox = http::get(server.address(), "/channels/inbox").text();
        for data in [r#"{"name":"张三","age":25}"#, "[]", "[1,{}]", "\"GET\"", "null", "-0"] {
            assert!(inbox.contains(&format!("\"data\":{data}}}")), "{data} in {inbox}");
        }
        for (frame, code) in [
            ("get", "bad_json"),
            ("GET ", "bad_json"),
            (" GET", "bad_json"),
            ("", "bad_json"),
            ("{\"a\":}", "bad_json"),
            ("PUT /channels/x 1", "bad_json"),
            ("POST /channels/x {", "bad_json"),
            ("POST /channels/x", "bad_request"),
            ("GET /channels/x?last=1", "bad_request"),
            ("GET /channels/a*b", "bad_channel"),
            (r#"{"method":7,"path":"/livez"}"#, "bad_request"),
            (r#"{"method":"GET"}"#, "bad_request"),
            (r#"{"method":"GET","path":"/livez","colour":1}"#, "unknown_member"),
            (r#"{"method":"GET","path":"/livez","path":"/livez"}"#, "duplicate_member"),
            (r#"[{"method":"GET","path":"/livez"},1]"#, "mixed_batch"),
        ] {
            socket.send(TEXT, frame.as_bytes());
            assert_eq!(code_of(&socket.next_json()), code, "{frame}");
        }
    });
}

#[test]
fn the_texts_and_the_channel_of_the_plain_forms_are_settings() {
    let server = TestServer::start(|config| {
        config.websocket.plain_get_text = "got".to_owned();
        config.websocket.plain_post_text = "posted".to_owned();
        config.websocket.plain_channel = "letters".to_owned();
    });
    let mut socket = WsClient::connect(server.address());
    socket.subscribe("letters");
    socket.send_text("GET");
    assert_eq!(socket.next_text(), "got");
    socket.send_text("7");
    assert_eq!(socket.next_text(), r#"{"channel":"letters","offset":1,"data":7}"#, "the push comes first");
    assert_eq!(socket.next_text(), "posted");
    assert_eq!(http::post(server.address(), "/ws", "8").text().trim_end(), "posted");
    assert_eq!(socket.next_push()["data"], 8);
}

#[test]
fn in_the_strict_dialect_the_plain_forms_are_no_requests_and_all_others_are() {
    let server = start(1);
    let (mut socket, _) = RawSocket::open_with(server.address(), "/ws", &[("Sec-WebSocket-Protocol", "tidings.v1")]);
    for frame in ["GET", "{}", "[]", "7", "null", "{\"name\":\"method\"}"] {
        socket.send(TEXT, frame.as_bytes());
        assert_eq!(code_of(&socket.next_json()), "not_a_request", "{frame}");
    }
    socket.send(TEXT, b"GET /livez");
    assert_eq!(socket.next_text(), r#"{"status":200}"#);
    assert_eq!(http::get(server.address(), "/channels/inbox").json()["offset"], 0, "nothing was published");
}

#[test]
fn an_id_is_echoed_as_it_is_and_without_one_what_succeeds_is_silent() {
    let server = start(1);
    let mut socket = RawSocket::open(server.address(), "/ws");
    let longest = format!("\"{}\"", "x".repeat(64));
    for id in ["0", "9007199254740991", "\"\"", "\"a\\\"b\\u0041\"", &longest] {
        socket.send(TEXT, format!(r#"{{"id":{id},"method":"GET","path":"/livez"}}"#).as_bytes());
        let answer = socket.next_json();
        assert_eq!(answer["id"], serde_json::from_str::<Value>(id).expect("JSON"), "{id}");
    }
    let longer = format!("\"{}\"", "x".repeat(65));
    for id in ["9007199254740992", "-1", "1.0", "1e1", "null", "true", "[]", &longer] {
        socket.send(TEXT, format!(r#"{{"id":{id},"method":"GET","path":"/livez"}}"#).as_bytes());
        let answer = socket.next_json();
        assert_eq!((code_of(&answer), answer.get("id")), ("bad_request", None), "{id}");
    }
    socket.send(TEXT, format!(r#"{{"id":0,"method":"AUTH","token":"{OPERATOR_KEY}"}}"#).as_bytes());
    assert_eq!(socket.next_json(), json!({"id": 0, "status": 200}));
    for silent in [
        r#"{"method":"POST","path":"/channels/quiet","data":1}"#,
        "POST /channels/quiet 2",
        r#"{"method":"DELETE","path":"/channels/quiet"}"#,
    ] {
        socket.send(TEXT, silent.as_bytes());
    }
    socket.send(TEXT, br#"{"method":"POST","path":"/channels/quiet"}"#);
    assert_eq!(code_of(&socket.next_json()), "bad_request", "only what fails is answered");
    socket.send(TEXT, br#"{"id":1,"method":"GET","path":"/channels/quiet","once":true}"#);
    let answer = socket.next_json();
    assert_eq!((&answer["offset"], &answer["publications"]), (&json!(2), &json!([])), "it was emptied");
}

#[test]
fn a_batch_holds_a_hundred_requests_and_not_one_more() {
    let server = start(1);
    let mut socket = WsClient::connect(server.address());
    let batch = |count: usize| {
        let item = |id| json!({"id": id, "method": "POST", "path": "/channels/many", "data": id});
        Value::from((0..count).map(item).collect::<Vec<_>>()).to_string()
    };
    socket.send_text(&batch(100));
    let answers = socket.next_json();
    let answers = answers.as_array().expect("an array");
    assert_eq!(answers.len(), 100);
    for (index, answer) in answers.iter().enumerate() {
        assert_eq!((&answer["id"], &answer["offset"]), (&json!(index), &json!(index + 1)));
    }
    socket.send_text(&batch(101));
    assert_eq!(code_of(&socket.next_json()), "batch_too_large");
    assert_eq!(http::get(server.address(), "/channels/many?last=1").json()["offset"], 100, "nothing of it happened");
}

#[test]
fn the_requests_of_a_batch_are_executed_in_order_and_fail_alone() {
    let server = start(1);
    let mut socket = WsClient::connect(server.address());
    socket.send_text(
        r#"[{"method":"POST","path":"/channels/mix","data":1},
            {"id":"b","method":"POST","path":"/channels/mix"},
            {"id":"c","method":"GET","path":"/channels/mix","last":9,"once":true},
            {"id":"d","method":"POST","path":"/channels/*","data":1},
            {"id":"e","method":"DELETE","path":"/subscriptions/mix"},
            {"id":"f","method":"GET","path":"/nowhere"},
            {"id":"g","method":"POST","path":"/channels/mix","data":2},
            {"method":"GET","path":"/livez"}]"#,
    );
    let answers = socket.next_json();
    let brief: Vec<_> =
        answers.as_array().expect("an array").iter().map(|a| (a["id"].as_str(), &a["status"])).collect();
    let expected = [200, 400, 200, 400, 404, 404, 200, 200].map(Value::from);
    let ids = [None, Some("b"), Some("c"), Some("d"), Some("e"), Some("f"), Some("g"), None];
    assert_eq!(brief, ids.into_iter().zip(&expected).collect::<Vec<_>>());
    assert_eq!(answers[2]["publications"], json!([{"offset": 1, "data": 1}]));
    assert_eq!((&answers[0]["offset"], &answers[6]["offset"]), (&json!(1), &json!(2)));
    socket.send_text(r#"[{"id":1,"method":"POST","path":"/channels/mix","data":3},null]"#);
    assert_eq!(code_of(&socket.next_json()), "mixed_batch");
    socket.send_text(r#"{"id":2,"method":"GET","path":"/channels/mix","once":true,"last":1}"#);
    assert_eq!(socket.next_json()["offset"], 2, "nothing of a mixed batch happens");
}

#[test]
fn pushes_on_a_channel_that_a_batch_subscribes_follow_its_answer() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut socket = WsClient::connect(server.address());
        socket.subscribe("before");
        let mut items = vec![json!({"method": "GET", "path": "/channels/within"})];
        for data in 1..=40 {
            items.push(json!({"method": "POST", "path": "/channels/within", "data": data}));
            items.push(json!({"method": "POST", "path": "/channels/before", "data": data}));
        }
        socket.send_text(&Value::from(items).to_string());
        for offset in 1..=40 {
            assert_eq!(socket.next_text(), format!(r#"{{"channel":"before","offset":{offset},"data":{offset}}}"#));
        }
        assert_eq!(socket.next_json().as_array().map(Vec::len), Some(81));
        for offset in 1..=40 {
            assert_eq!(socket.next_text(), format!(r#"{{"channel":"within","offset":{offset},"data":{offset}}}"#));
        }
    });
}

#[test]
fn binary_publications_reach_binary_subscribers_as_bytes_and_all_others_as_base64() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut text = RawSocket::open(server.address(), "/channels/camera");
        assert_eq!(text.next_json()["offset"], 0);
        let mut binary = RawSocket::open(server.address(), "/ws");
        binary.send(BINARY, b"{\"id\":1,\"method\":\"GET\",\"path\":\"/channels/camera\"}\n");
        assert_eq!(binary.next_json()["id"], 1, "answers are text, also those to binary frames");
        let mut publisher = RawSocket::open(server.address(), "/ws");
        let body = b"\x00\xff\n\n\xd8\x00{";
        let line = b"{\"id\":2,\"method\":\"POST\",\"path\":\"/channels/camera\",\"content_type\":\"image/jpeg\"}\n";
        publisher.send(BINARY, &[&line[..], body].concat());
        assert_eq!(publisher.next_json()["offset"], 1);
        let shape = b"{\"channel\":\"camera\",\"offset\":1,\"content_type\":\"image/jpeg\"}\n";
        assert_eq!(binary.next(), Some((BINARY, [&shape[..], body].concat())));
        let base64 = r#""content_type":"image/jpeg","data_base64":"AP8KCtgAew=="}"#;
        assert_eq!(text.next_text(), format!(r#"{{"channel":"camera","offset":1,{base64}"#));
        publisher.send(TEXT, b"POST /channels/camera {\"json\": 1.10}");
        for socket in [&mut text, &mut binary] {
            assert_eq!(socket.next_text(), r#"{"channel":"camera","offset":2,"data":{"json": 1.10}}"#);
        }
        let snapshot = http::get(server.address(), "/channels/camera").text();
        assert!(snapshot.contains(&format!(r#"{{"offset":1,{base64}"#)), "{snapshot}");
        let mut client = HttpClient::connect(server.address());
        client.request("POST", "/channels/camera", &[("Content-Type", "application/pdf")], b"%PDF\xff");
        let shape = b"{\"channel\":\"camera\",\"offset\":3,\"content_type\":\"application/pdf\"}\n";
        assert_eq!(binary.next(), Some((BINARY, [&shape[..], b"%PDF\xff"].concat())));
        publisher.send(BINARY, b"{\"method\":\"POST\",\"path\":\"/channels/camera\"}\n");
        let shape = b"{\"channel\":\"camera\",\"offset\":4,\"content_type\":\"application/octet-stream\"}\n";
        assert_eq!(binary.next(), Some((BINARY, shape.to_vec())), "an empty body is a publication too");
    });
}

#[test]
fn a_binary_frame_of_the_wrong_shape_is_refused_and_the_socket_goes_on() {
    let server = start(1);
    let mut socket = RawSocket::open(server.address(), "/ws");
    for (frame, code) in [
        (&b""[..], "bad_request"),
        (b"GET", "bad_request"),
        (b"{\"method\":\"GET\",\"path\":\"/livez\"}", "bad_request"),
        (b"\n", "bad_json"),
        (b"\xff\xfe\n", "bad_json"),
        (b"{}\nbody", "bad_request"),
        (b"{\"method\":\"GET\",\"path\":\"/livez\"}\nbody", "bad_request"),
        (b"{\"method\":\"POST\",\"path\":\"/channels/x\",\"data\":1}\n", "unknown_member"),
        (b"[{\"method\":\"GET\",\"path\":\"/livez\"}]\n", "bad_request"),
    ] {
        socket.send(BINARY, frame);
        assert_eq!(code_of(&socket.next_json()), code, "{}", String::from_utf8_lossy(frame));
    }
    socket.send(BINARY, b"{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}\n");
    assert_eq!(socket.next_text(), r#"{"id":1,"status":200}"#);
}

#[test]
fn a_publisher_may_exclude_itself_or_another_connection_by_name() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let (mut one, mut other) = (WsClient::connect(server.address()), WsClient::connect(server.address()));
        let name = one.subscribe("room")["connection"].as_str().expect("a name").to_owned();
        other.subscribe("room");
        one.request(json!({"method": "POST", "path": "/channels/room", "data": 1, "exclude_self": true}));
        let told = |offset: u64| json!({"channel": "room", "offset": offset, "excluded": true});
        assert_eq!(std::mem::take(&mut one.pushed), [told(1)], "before the answer, as its own push would come");
        assert_eq!(http::post(server.address(), &format!("/channels/room?exclude={name}"), "2").status, 200);
        assert_eq!(http::post(server.address(), "/channels/room", "3").status, 200);
        assert_eq!(one.next_json(), told(2));
        assert_eq!(one.next_text(), r#"{"channel":"room","offset":3,"data":3}"#);
        for offset in 1..=3 {
            assert_eq!(other.next_json(), json!({"channel": "room", "offset": offset, "data": offset}));
        }
        for exclude in ["nobody", ""] {
            let answer = http::post(server.address(), &format!("/channels/room?exclude={exclude}"), "4");
            assert_eq!((answer.status, answer.code()), (400, "bad_exclude".to_owned()), "{exclude:?}");
        }
    });
}

/// B7: names were `0-1-0`, so anybody that may publish could hide a publication from anybody, without a word.
#[test]
fn a_name_is_not_guessed_a_stale_one_excludes_nobody_and_who_is_excluded_is_told() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let post = |exclude: &str, data: &str| {
            let answer = http::post(server.address(), &format!("/channels/room?exclude={exclude}"), data);
            assert_eq!(answer.status, 200, "{exclude}: {answer:?}");
        };
        let mut victim = WsClient::connect(server.address());
        let name = victim.subscribe("room")["connection"].as_str().expect("a name").to_owned();
        assert!(
            name.len() == 27 && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'),
            "{name}"
        );
        let mut gone = WsClient::connect(server.address());
        let stale = gone.subscribe("room")["connection"].as_str().expect("a name").to_owned();
        drop(gone);
        wait_until("its subscription ends", || server.hub().stats().interest == 1);
        // Its place is taken by another connection, which the name does not mean.
        let mut heir = WsClient::connect(server.address());
        let own = heir.subscribe("room")["connection"].as_str().expect("a name").to_owned();
        assert!(own != stale && name != stale);
        let of_another_run = TestServer::start(|_| {});
        let foreign = WsClient::connect(of_another_run.address()).subscribe("room")["connection"].clone();
        for (offset, exclude) in [&stale, foreign.as_str().expect("a name"), &"A".repeat(27)].into_iter().enumerate() {
            post(exclude, "1");
            for reader in [&mut victim, &mut heir] {
                assert_eq!(
                    reader.next_json(),
                    json!({"channel": "room", "offset": offset + 1, "data": 1}),
                    "{exclude}"
                );
            }
        }
        let guesses = ["0-0-0", "0-1-0", "1-3-0"].map(|guess| format!("/channels/room?exclude={guess}"));
        for guess in guesses {
            assert_eq!(http::post(server.address(), &guess, "2").code(), "bad_exclude");
        }
        post(&name, "3");
        assert_eq!(victim.next_json(), json!({"channel": "room", "offset": 4, "excluded": true}));
        assert_eq!(heir.next_json(), json!({"channel": "room", "offset": 4, "data": 3}));
        // It is told in text where it reads binary frames, too, and only on channels that it reads.
        victim.send_binary(b"{\"id\":7,\"method\":\"GET\",\"path\":\"/channels/other\"}\n".to_vec());
        assert_eq!(victim.next_json()["id"], 7);
        assert_eq!(http::post(server.address(), &format!("/channels/other?exclude={name}"), "1").status, 200);
        assert_eq!(victim.next_json(), json!({"channel": "other", "offset": 1, "excluded": true}));
        assert_eq!(http::post(server.address(), &format!("/channels/third?exclude={name}"), "1").status, 200);
        assert_eq!(victim.request(json!({"method": "GET", "path": "/livez"}))["status"], 200);
        assert!(victim.pushed.is_empty(), "{:?}", victim.pushed);
    });
}

#[test]
fn in_a_batch_that_subscribes_it_an_exclusion_follows_the_answer() {
    let server = start(1);
    let mut socket = WsClient::connect(server.address());
    socket.send_text(
        r#"[{"method":"GET","path":"/channels/b"},{"method":"POST","path":"/channels/b","data":1,"exclude_self":true}]"#,
    );
    assert_eq!(socket.next_json()[1]["offset"], 1);
    assert_eq!(socket.next_json(), json!({"channel": "b", "offset": 1, "excluded": true}));
}

#[test]
fn after_the_answer_to_an_unsubscribe_no_push_follows() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors);
        let mut socket = WsClient::connect(server.address());
        for round in 0..50 {
            socket.subscribe("left");
            assert_eq!(socket.subscribe("left")["status"], 200, "twice is once");
            socket.post("left", &json!(round));
            assert_eq!(std::mem::take(&mut socket.pushed).len(), 1, "a publisher sees its own push, once");
            let answer = socket.request(json!({"method": "DELETE", "path": "/subscriptions/left"}));
            assert_eq!((&answer["status"], &answer["channel"]), (&json!(200), &json!("left")));
            http::post(server.address(), "/channels/left", "\"after\"");
            assert_eq!(socket.request(json!({"method": "GET", "path": "/livez"}))["status"], 200);
            assert!(socket.pushed.is_empty(), "{:?}", socket.pushed);
        }
        let answer = socket.request(json!({"method": "DELETE", "path": "/subscriptions/left"}));
        assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(404), &json!("not_subscribed")));
        assert_eq!(server.hub().stats().interest, 0);
    });
}

#[test]
fn a_channel_is_one_channel_however_its_name_is_written() {
    let server = start(1);
    let mut socket = WsClient::connect(server.address());
    assert_eq!(socket.subscribe("价格 %25")["channel"], "价格 %");
    http::post(server.address(), "/channels/%E4%BB%B7%E6%A0%BC%20%25", "1");
    assert_eq!(socket.next_text(), r#"{"channel":"价格 %","offset":1,"data":1}"#);
}

#[test]
fn a_connection_subscribes_to_as_many_channels_as_the_limit_and_not_one_more() {
    with_one_and_two_reactors(|reactors| {
        let server = TestServer::start(|config| {
            config.server.reactors = reactors;
            config.channels.per_connection = 3;
        });
        let mut socket = WsClient::connect(server.address());
        for channel in ["a", "b", "c", "a"] {
            socket.subscribe(channel);
        }
        let get = |channel: &str| json!({"method": "GET", "path": format!("/channels/{channel}")});
        let answer = socket.request(get("d"));
        assert_eq!((&answer["status"], &answer["error"]["code"]), (&json!(429), &json!("too_many_subscriptions")));
        assert_eq!(server.hub().stats().interest, 3, "what was refused is not counted");
        http::post(server.address(), "/channels/d", "1");
        socket.request(json!({"method": "DELETE", "path": "/subscriptions/b"}));
        assert!(socket.pushed.is_empty(), "{:?}", socket.pushed);
        assert_eq!(socket.request(get("d"))["status"], 200, "there is room again");
    });
}
