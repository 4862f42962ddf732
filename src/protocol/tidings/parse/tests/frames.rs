//! Each kind of frame and body from both sides.

use super::super::{BATCH_REQUESTS_MAX, Dialect, parse_binary, parse_json_body, parse_text};
use super::{binary, data, get, post, posted, refusal, refuses, request, strict, text, verb};
use crate::model::publication::Data;
use crate::model::request::{GetOptions, Item, Request, RequestId, Verb};
use crate::protocol::tidings::parse::Parsed;
use crate::wire::json::JsonScratch;

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
    assert_eq!(verb("GET /limits"), Verb::Limits);
    assert_eq!(verb("POST /channels/x  {\"a\": 1.10} "), post("x", data("{\"a\": 1.10}")));
    assert_eq!(verb("POST /channels/x\n[1]"), post("x", data("[1]")));
    assert_eq!(verb("POST /channels/x {\"method\":\"GET\"}"), post("x", data("{\"method\":\"GET\"}")));
    assert_eq!(verb("DELETE /channels/x"), Verb::DeleteHistory { channel: "x".try_into().expect("a name") });
    assert_eq!(verb("DELETE /subscriptions/x"), Verb::Unsubscribe { channel: "x".try_into().expect("a name") });
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
    refuses("GET /limits {}", 400, "bad_request");
    refuses("POST /limits 1", 405, "method_not_allowed");
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

fn batch(count: usize) -> String {
    format!("[{}]", vec![r#"{"id":3,"method":"GET","path":"/livez"}"#; count].join(" , "))
}

#[test]
fn a_batch_holds_one_to_a_hundred_requests() {
    for count in [1, BATCH_REQUESTS_MAX] {
        match text(&batch(count)) {
            Parsed::Batch(items) => assert!(items.len() == count && items.iter().all(Result::is_ok)),
            other => panic!("no batch: {other:?}"),
        }
    }
    refuses(&batch(BATCH_REQUESTS_MAX + 1), 400, "batch_too_large");
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
