//! Each rule of frames, members and batches from both sides.

use super::{Dialect, MAX_BATCH, parse_binary, parse_json_body, parse_text};
use crate::wire::json::JsonScratch;
use crate::wire::publication::{Data, Position};
use crate::wire::request::{GetOptions, Item, Parsed, PostOptions, Request, RequestId, Since, Verb};

fn text(frame: &str) -> Parsed {
    parse_text(frame.as_bytes(), &mut JsonScratch::new(), Dialect::Open)
}

fn strict(frame: &str) -> Parsed {
    parse_text(frame.as_bytes(), &mut JsonScratch::new(), Dialect::Strict)
}

fn binary(frame: &[u8]) -> Parsed {
    parse_binary(frame, &mut JsonScratch::new())
}

fn request(parsed: Parsed) -> Request {
    match parsed {
        Parsed::One(Ok(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn verb(frame: &str) -> Verb {
    request(text(frame)).verb
}

/// Id, status, code and message of a refusal of one request or of the frame.
fn refusal(parsed: Parsed) -> (Option<RequestId>, u16, &'static str, String) {
    let (id, refusal) = match parsed {
        Parsed::One(Err(item)) => (item.id, item.refusal),
        Parsed::Refused(refusal) => (None, refusal),
        other => panic!("not refused: {other:?}"),
    };
    (id, refusal.status, refusal.code, refusal.message.into_owned())
}

#[track_caller]
fn refuses(frame: &str, status: u16, code: &str) -> String {
    let (_, actual_status, actual_code, message) = refusal(text(frame));
    assert_eq!((actual_status, actual_code), (status, code), "{frame}: {message}");
    message
}

fn data(json: &'static str) -> Data {
    Data::Json(json.into())
}

fn get(channel: &str, options: GetOptions) -> Verb {
    Verb::Get { channel: channel.into(), options }
}

fn post(channel: &str, data: Data) -> Verb {
    let post = PostOptions { data, event: None, key: None, exclude_self: false, exclude: None };
    Verb::Post { channel: channel.into(), post: Box::new(post) }
}

fn posted(verb: Verb) -> PostOptions {
    match verb {
        Verb::Post { post, .. } => *post,
        other => panic!("no POST: {other:?}"),
    }
}

#[test]
fn exactly_get_is_the_plain_get() {
    assert_eq!(text("GET"), Parsed::PlainGet);
    for other in ["get", "GET ", " GET", "GET\n", "POST", "DELETE", "GET channels/x", "GET  /channels/x"] {
        refuses(other, 400, "bad_json");
    }
    assert_eq!(text("\"GET\""), Parsed::PlainPost(data("\"GET\"")));
}

#[test]
fn the_short_form_is_a_request_without_an_id() {
    assert_eq!(request(text("GET /channels/x")), Request { id: None, verb: get("x", GetOptions::default()) });
    assert_eq!(verb("GET /channels/a%20b "), get("a b", GetOptions::default()));
    let options = GetOptions { last: Some(5), once: true, ..GetOptions::default() };
    assert_eq!(verb("GET /channels/x {\"last\":5, \"once\":true}\n"), get("x", options));
    assert_eq!(verb("GET /livez"), Verb::Livez);
    assert_eq!(verb("POST /channels/x  {\"a\": 1.10} "), post("x", data("{\"a\": 1.10}")));
    assert_eq!(verb("POST /channels/x\n[1]"), post("x", data("[1]")));
    assert_eq!(verb("POST /channels/x {\"method\":\"GET\"}"), post("x", data("{\"method\":\"GET\"}")));
    assert_eq!(verb("DELETE /channels/x"), Verb::DeleteHistory { channel: "x".into() });
    assert_eq!(verb("DELETE /subscriptions/x"), Verb::Unsubscribe { channel: "x".into() });
}

#[test]
fn a_wrong_short_form_says_what_is_wrong() {
    refuses("GET /channels/x HTTP/1.1", 400, "bad_json");
    refuses("GET /channels/x [5]", 400, "bad_request");
    refuses("GET /channels/x {\"last\":0}", 400, "bad_request");
    refuses("GET /channels/x {\"last\":1,\"l\\u0061st\":2}", 400, "duplicate_member");
    assert!(refuses("GET /channels/x {\"lst\":5}", 400, "unknown_member").contains("did you mean \"last\"?"));
    refuses("GET /channels/x {\"id\":5}", 400, "unknown_member");
    refuses("GET /channels/x {\"data\":5}", 400, "unknown_member");
    refuses("GET /channels/x?last=5", 400, "bad_request");
    refuses("GET /", 404, "not_found");
    refuses("GET /subscriptions/x", 405, "method_not_allowed");
    refuses("GET /livez {}", 400, "bad_request");
    refuses("POST /channels/x", 400, "bad_request");
    refuses("POST /channels/x {", 400, "bad_json");
    refuses("POST /livez 1", 405, "method_not_allowed");
    refuses("POST /channels/%2F 1", 400, "bad_channel");
    refuses("DELETE /channels/x 1", 400, "bad_request");
    refuses("DELETE /livez", 405, "method_not_allowed");
    refuses(&format!("POST /channels/x {}{}", "[".repeat(65), "]".repeat(65)), 400, "too_deep");
}

#[test]
fn what_is_no_json_is_refused_with_the_place() {
    for frame in ["", " ", "hello", "{", "{\"method\":\"GET\"", "PUT /channels/x", "{'method':'GET'}", "[1,]", "1 2"] {
        assert!(refuses(frame, 400, "bad_json").contains("line 1 column"), "{frame}");
    }
}

#[test]
fn any_other_json_is_published_as_it_is() {
    for json in [
        "1",
        "null",
        "\"x\"",
        "{}",
        "[]",
        "[[]]",
        "[1,{\"a\":2}]",
        "{\"a\": 1.10}",
        "-0",
        "1e400",
        "123456789012345678901234567890",
        "{\"Method\":\"GET\"}",
        "{\"a\":{\"method\":\"GET\"}}",
        "[[{\"method\":\"GET\"}]]",
        "\"\\ud800\"",
    ] {
        assert_eq!(text(json), Parsed::PlainPost(data(json)), "{json}");
        assert_eq!(text(&format!("\n {json}\t\r\n")), Parsed::PlainPost(data(json)), "{json}");
    }
}

#[test]
fn the_strict_dialect_takes_requests_only() {
    for frame in ["GET", "1", "{}", "[]", "[1]", "{\"a\":1}"] {
        let (_, status, code, _) = refusal(strict(frame));
        assert_eq!((status, code), (400, "not_a_request"), "{frame}");
    }
    assert_eq!(refusal(strict("hello")).2, "bad_json");
    assert_eq!(request(strict("GET /livez")).verb, Verb::Livez);
    assert_eq!(request(strict("{\"method\":\"GET\",\"path\":\"/livez\"}")).verb, Verb::Livez);
    assert!(matches!(strict("[{\"method\":\"GET\"}]"), Parsed::Batch(items) if items.len() == 1));
}

#[test]
fn every_verb_has_its_request() {
    assert_eq!(verb(r#"{"method":"GET","path":"/channels/x"}"#), get("x", GetOptions::default()));
    let since = Position::parse("abcdefgh:41").map(Since::Position);
    let options = GetOptions { since, last: Some(1), once: true, limit: Some(300) };
    let all =
        r#" {"limit":300,"id":1,"method":"GET","path":"/channels/x","since":"abcdefgh:41","last":1,"once":true} "#;
    assert_eq!(request(text(all)), Request { id: Some(RequestId::Number(1)), verb: get("x", options) });
    assert_eq!(verb(r#"{"method":"POST","path":"/channels/x","data":null}"#), post("x", data("null")));
    let all = r#"{"id":"a","method":"POST","path":"/channels/x","event":"e","key":"k","exclude_self":true,"data":1}"#;
    let expected = PostOptions {
        data: data("1"),
        event: Some("e".into()),
        key: Some("k".into()),
        exclude_self: true,
        exclude: None,
    };
    assert_eq!(posted(verb(all)), expected);
    assert_eq!(verb(r#"{"method":"DELETE","path":"/channels/x"}"#), Verb::DeleteHistory { channel: "x".into() });
    assert_eq!(verb(r#"{"method":"DELETE","path":"/subscriptions/x"}"#), Verb::Unsubscribe { channel: "x".into() });
    assert_eq!(verb(r#"{"method":"GET","path":"/livez"}"#), Verb::Livez);
}

#[test]
fn data_travels_byte_for_byte() {
    for json in [
        "1.10",
        "-0",
        "1e400",
        "123456789012345678901234567890",
        "\"\\u0061\\/\\ud83d\\ude00\\ud800\"",
        "{\"b\" : [ 1 ,2 ],\n\t\"a\":{ } , \"a\":1}",
        "\"消息\"",
        "[\"}\",\"\\\"]\"]",
    ] {
        let frame = format!("{{\"method\":\"POST\",\"data\" : {json} ,\"path\":\"/channels/x\"}}");
        match posted(verb(&frame)).data {
            Data::Json(bytes) => assert_eq!(bytes, json.as_bytes()),
            Data::Binary { .. } => panic!("{json} is JSON"),
        }
    }
}

#[test]
fn ids_are_integers_below_two_to_the_53_or_64_bytes() {
    let with_id = |id: &str| text(&format!("{{\"id\":{id},\"method\":\"GET\",\"path\":\"/livez\"}}"));
    let long = "x".repeat(64);
    for (raw, id) in [
        ("0", RequestId::Number(0)),
        ("9007199254740991", RequestId::Number(9_007_199_254_740_991)),
        ("\"\"", RequestId::Text("".into())),
        ("\"\\u0061\"", RequestId::Text("a".into())),
        (&format!("\"{long}\""), RequestId::Text(long.as_str().into())),
    ] {
        assert_eq!(request(with_id(raw)).id, Some(id), "{raw}");
    }
    let too_long = format!("\"{long}x\"");
    for raw in ["9007199254740992", "-1", "-0", "1.0", "1e2", "null", "true", "[]", "{}", "\"\\ud800\"", &too_long] {
        let (id, status, code, _) = refusal(with_id(raw));
        assert_eq!((id, status, code), (None, 400, "bad_request"), "{raw}");
    }
}

#[test]
fn last_and_limit_are_positive_integers_of_any_size() {
    for name in ["last", "limit"] {
        let with =
            |value: &str| text(&format!("{{\"id\":7,\"method\":\"GET\",\"path\":\"/channels/x\",\"{name}\":{value}}}"));
        for (raw, expected) in [("1", 1), ("300", 300), ("4294967296", u32::MAX), ("99999999999999999999999", u32::MAX)]
        {
            let Verb::Get { options, .. } = request(with(raw)).verb else { panic!("a GET") };
            assert_eq!(options.last.or(options.limit), Some(expected));
        }
        for raw in ["0", "-1", "1.0", "1e2", "\"1\"", "null", "true", "[1]"] {
            let (id, status, code, message) = refusal(with(raw));
            assert_eq!((id, status, code), (Some(RequestId::Number(7)), 400, "bad_request"), "{raw}");
            assert!(message.contains(name), "{message}");
        }
    }
}

#[test]
fn since_is_any_string() {
    let with = |value: &str| text(&format!("{{\"method\":\"GET\",\"path\":\"/channels/x\",\"since\":{value}}}"));
    for raw in ["\"\"", "\"abcdefgh\"", "\"abcdefgh:x\"", "\"41\""] {
        let Verb::Get { options, .. } = request(with(raw)).verb else { panic!("a GET") };
        assert_eq!(options.since, Some(Since::Unreadable), "{raw}");
    }
    for raw in ["41", "null", "{\"epoch\":1}"] {
        assert_eq!(refusal(with(raw)).2, "bad_request", "{raw}");
    }
}

#[test]
fn events_and_keys_have_their_limits() {
    let with = |name: &str, value: &str| {
        text(&format!("{{\"method\":\"POST\",\"path\":\"/channels/x\",\"data\":1,\"{name}\":{value}}}"))
    };
    let (longest, longer) = (format!("\"{}\"", "x".repeat(200)), format!("\"{}\"", "é".repeat(101)));
    for good in ["\"e\"", "\"\\u0065 消\"", &longest] {
        request(with("event", good));
        request(with("key", good));
    }
    request(with("event", "\"\""));
    for bad in ["1", "null", "\"a\\nb\"", "\"\\u0000\"", "\"\\u0085\"", &longer, "\"\\udc00\""] {
        assert_eq!(refusal(with("event", bad)).2, "bad_request", "{bad}");
    }
    for bad in ["1", "null", "\"\"", &longer] {
        assert_eq!(refusal(with("key", bad)).2, "bad_request", "{bad}");
    }
    for bad in ["1", "null", "\"true\""] {
        assert_eq!(refusal(with("exclude_self", bad)).2, "bad_request", "{bad}");
    }
}

#[test]
fn a_wrong_member_is_answered_with_the_right_one_and_the_id() {
    for (frame, code, hint) in [
        (
            r#"{"id":7,"method":"POST","path":"/channels/x","dat":1}"#,
            "unknown_member",
            r#"unknown member "dat": did you mean "data"?"#,
        ),
        (r#"{"id":7,"method":"GET","path":"/channels/x","sinc":1}"#, "unknown_member", r#"did you mean "since"?"#),
        (r#"{"id":7,"method":"GET","pth":"/channels/x"}"#, "unknown_member", r#"did you mean "path"?"#),
        (r#"{"id":7,"method":"GET","path":"/channels/x","zzz":1}"#, "unknown_member", "since, last, once, limit"),
        (r#"{"id":7,"method":"GET","path":"/channels/x","data":1}"#, "unknown_member", "POST"),
        (r#"{"id":7,"method":"POST","path":"/channels/x","data":1,"last":1}"#, "unknown_member", "GET"),
        (r#"{"id":7,"method":"POST","path":"/channels/x","data":1,"content_type":"a/b"}"#, "unknown_member", "binary"),
        (r#"{"id":7,"method":"DELETE","path":"/channels/x","data":1}"#, "unknown_member", "POST"),
        (r#"{"id":7,"method":"GET","path":"/livez","once":true}"#, "unknown_member", "/channels/{name}"),
        (r#"{"id":7,"method":"GET","path":"/livez","\ud800":true}"#, "unknown_member", "ud800"),
        (r#"{"id":7,"method":"PUT","path":"/channels/x"}"#, "bad_request", r#"did you mean "POST"?"#),
        (r#"{"id":7,"method":"get","path":"/channels/x"}"#, "bad_request", r#"did you mean "GET"?"#),
        (r#"{"id":7,"method":"HEAD","path":"/channels/x"}"#, "bad_request", "GET, POST, DELETE"),
        (r#"{"id":7,"method":5,"path":"/channels/x"}"#, "bad_request", "method"),
        (r#"{"id":7,"method":"GET"}"#, "bad_request", "path"),
        (r#"{"id":7,"method":"GET","path":5}"#, "bad_request", "path"),
        (r#"{"id":7,"method":"POST","path":"/channels/x"}"#, "bad_request", "data"),
        (r#"{"id":7,"method":"GET","path":"/channels/x","once":1}"#, "bad_request", "true or false"),
        (r#"{"id":7,"method":"GET","path":"/channels/a%2Fb"}"#, "bad_channel", "/"),
        (r#"{"id":7,"method":"GET","path":"/channels/x?last=1"}"#, "bad_request", "query"),
        (r#"{"id":7,"method":"GET","path":"/chanels/x"}"#, "not_found", "/channels/{name}"),
        (r#"{"id":7,"method":"POST","path":"/subscriptions/x","data":1}"#, "method_not_allowed", "DELETE"),
        (r#"{"method":"GET","path":"/channels/x","last":0,"id":7}"#, "bad_request", "last"),
    ] {
        let (id, _, actual, message) = refusal(text(frame));
        assert_eq!((id, actual), (Some(RequestId::Number(7)), code), "{frame}: {message}");
        assert!(message.contains(hint), "{frame}: {message}");
    }
}

#[test]
fn no_two_readers_can_see_two_requests_in_one_text() {
    for frame in [
        r#"{"method":"GET","method":"DELETE","path":"/channels/x"}"#,
        r#"{"method":"GET","m\u0065thod":"GET","path":"/channels/x"}"#,
        r#"{"path":"/channels/x","method":"POST","data":1,"path":"/channels/y"}"#,
        r#"{"method":"POST","path":"/channels/x","data":1,"d\u0061ta":2}"#,
        r#"{"id":1,"id":1,"method":"GET","path":"/livez"}"#,
    ] {
        refuses(frame, 400, "duplicate_member");
    }
    assert_eq!(
        refusal(text(r#"{"id":1,"method":"GET","path":"/livez","i\u0064":2}"#)).0,
        None,
        "which one would it be"
    );
    assert_eq!(refusal(text(r#"{"id":1,"method":"GET","method":"GET"}"#)).0, Some(RequestId::Number(1)));
    assert_eq!(verb(r#"{"m\u0065thod":"G\u0045T","p\u0061th":"\/livez"}"#), Verb::Livez);
    assert_eq!(
        verb(r#"{"method":"POST","path":"/channels/x","data":{"a":1,"a":2}}"#),
        post("x", data(r#"{"a":1,"a":2}"#))
    );
    refuses(r#"{"Method":"GET","method":"GET","path":"/livez"}"#, 400, "unknown_member");
}

#[test]
fn the_depth_counts_the_frame_and_gives_the_id_back() {
    let nested = |levels: usize| {
        let inner = format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        text(&format!("{{\"id\":7,\"method\":\"POST\",\"path\":\"/channels/x\",\"data\":{inner}}}"))
    };
    request(nested(63));
    let (id, status, code, _) = refusal(nested(64));
    assert_eq!((id, status, code), (Some(RequestId::Number(7)), 400, "too_deep"));
    refuses(&format!("{}{}", "[".repeat(65), "]".repeat(65)), 400, "too_deep");
}

fn batch(count: usize) -> String {
    format!("[{}]", vec![r#"{"id":3,"method":"GET","path":"/livez"}"#; count].join(" , "))
}

#[test]
fn a_batch_holds_one_to_a_hundred_requests() {
    for count in [1, MAX_BATCH] {
        match text(&batch(count)) {
            Parsed::Batch(items) => assert!(items.len() == count && items.iter().all(Result::is_ok)),
            other => panic!("no batch: {other:?}"),
        }
    }
    refuses(&batch(MAX_BATCH + 1), 400, "batch_too_large");
    assert_eq!(text("[]"), Parsed::PlainPost(data("[]")));
}

#[test]
fn each_item_of_a_batch_fails_alone() {
    let frame = r#"[{"id":1,"method":"GET","path":"/livez"},{"id":2,"method":"PUT"},{"id":[],"method":1},{"m\u0065thod":"GET","path":"/livez"}]"#;
    let Parsed::Batch(items) = text(frame) else { panic!("a batch") };
    let ids: Vec<_> = items
        .iter()
        .map(|item: &Item| match item {
            Ok(request) => (true, request.id.clone()),
            Err(refused) => (false, refused.id.clone()),
        })
        .collect();
    let number = |n| Some(RequestId::Number(n));
    assert_eq!(ids, [(true, number(1)), (false, number(2)), (false, None), (true, None)]);
}

#[test]
fn a_mixed_batch_is_refused_whole() {
    for frame in [
        r#"[{"method":"GET","path":"/livez"},1]"#,
        r#"[{"a":1},{"method":"GET","path":"/livez"}]"#,
        r#"[[],{"method":1}]"#,
        r#"[{"method":"GET"},[{"method":"GET"}]]"#,
    ] {
        refuses(frame, 400, "mixed_batch");
    }
    let large = format!("[{},1]", vec![r#"{"method":"GET"}"#; 200].join(","));
    refuses(&large, 400, "mixed_batch");
}

#[test]
fn a_binary_frame_is_a_line_and_a_body() {
    let frame = b"{\"id\":1,\"method\":\"POST\",\"path\":\"/channels/x\",\"content_type\":\"image/png\",\"event\":\"e\"}\r\n\x00\xff\n{";
    let posted_frame = posted(request(binary(frame)).verb);
    let expected = Data::Binary { bytes: bytes::Bytes::from_static(b"\x00\xff\n{"), content_type: "image/png".into() };
    assert_eq!((posted_frame.data, posted_frame.event.as_deref()), (expected, Some("e")));
    let bare = posted(request(binary(b"{\"method\":\"POST\",\"path\":\"/channels/x\"}\n")).verb);
    let expected = Data::Binary { bytes: bytes::Bytes::new(), content_type: "application/octet-stream".into() };
    assert_eq!(bare.data, expected);
    let read = request(binary(b"{\"method\":\"GET\",\"path\":\"/channels/x\",\"last\":2}\n")).verb;
    assert_eq!(read, get("x", GetOptions { last: Some(2), ..GetOptions::default() }));
}

#[test]
fn a_wrong_binary_frame_says_what_is_wrong() {
    for (frame, code) in [
        (&b""[..], "bad_request"),
        (b"{\"method\":\"GET\",\"path\":\"/livez\"}", "bad_request"),
        (b"\n{\"method\":\"GET\"}", "bad_json"),
        (b"\xff\n", "bad_json"),
        (b"GET /livez\n", "bad_json"),
        (b"{}\n", "bad_request"),
        (b"[{\"method\":\"GET\",\"path\":\"/livez\"}]\n", "bad_request"),
        (b"{\"method\":\"GET\",\"path\":\"/channels/x\"}\nbody", "bad_request"),
        (b"{\"method\":\"DELETE\",\"path\":\"/channels/x\"}\nbody", "bad_request"),
        (b"{\"method\":\"POST\",\"path\":\"/channels/x\",\"data\":1}\n", "unknown_member"),
        (b"{\"method\":\"POST\",\"path\":\"/channels/x\",\"content_type\":\"\"}\n", "bad_request"),
        (b"{\"method\":\"POST\",\"path\":\"/channels/x\",\"content_type\":\"a\\nb\"}\n", "bad_request"),
        (b"{\"method\":\"GET\",\"path\":\"/channels/x\",\"content_type\":\"a/b\"}\n", "unknown_member"),
    ] {
        let (_, status, actual, message) = refusal(binary(frame));
        assert_eq!((status, actual), (400, code), "{}: {message}", String::from_utf8_lossy(frame));
    }
    let long = format!("{{\"method\":\"POST\",\"path\":\"/channels/x\",\"content_type\":\"{}\"}}\n", "x".repeat(201));
    assert_eq!(refusal(binary(long.as_bytes())).2, "bad_request");
    assert_eq!(refusal(binary(b"{\"id\":1,\"method\":\"POST\",\"path\":\"/livez\"}\n")).0, Some(RequestId::Number(1)));
}

#[test]
fn a_body_has_no_short_forms_and_need_not_be_utf8() {
    let body = |bytes: &[u8], dialect| parse_json_body(bytes, &mut JsonScratch::new(), dialect);
    for bad in [&b"GET"[..], b"GET /livez", b"POST /channels/x 1", b"\"\xff\"", b""] {
        assert_eq!(refusal(body(bad, Dialect::Open)).2, "bad_json");
    }
    assert_eq!(body(b" {\"a\":1} ", Dialect::Open), Parsed::PlainPost(data("{\"a\":1}")));
    assert_eq!(refusal(body(b"{\"a\":1}", Dialect::Strict)).2, "not_a_request");
    assert_eq!(request(body(b"{\"method\":\"GET\",\"path\":\"/livez\"}", Dialect::Open)).verb, Verb::Livez);
    assert!(matches!(body(batch(2).as_bytes(), Dialect::Open), Parsed::Batch(items) if items.len() == 2));
}

#[test]
fn no_frame_makes_it_panic() {
    let seeds: [&[u8]; 4] = [
        br#"{"id":1,"method":"POST","path":"/channels/a%20b","data":{"a":[1.10,"\u0061"]},"key":"k","event":"e"}"#,
        br#"[{"id":"x","method":"GET","path":"/channels/x","since":"abcdefgh:1"},{"method":"DELETE","path":"/channels/y"}]"#,
        b"GET /channels/x {\"last\":5}",
        b"{\"method\":\"POST\",\"path\":\"/channels/x\"}\n\x00\x01",
    ];
    let mut scratch = JsonScratch::new();
    for seed in seeds {
        for at in 0..seed.len() {
            for byte in [b'"', b'\\', b'{', b'}', b'[', b']', b',', b'%', b'\n', 0, 0xff] {
                let mut bytes = seed.to_vec();
                bytes[at] = byte;
                let _ = parse_binary(&bytes, &mut scratch);
                let _ = parse_json_body(&bytes, &mut scratch, Dialect::Open);
                let _ = parse_text(&bytes, &mut scratch, Dialect::Open);
                let _ = parse_text(&bytes[..at], &mut scratch, Dialect::Strict);
            }
        }
    }
}
