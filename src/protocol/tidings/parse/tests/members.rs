//! Each member of a request from both sides.

use super::{data, get, post, posted, refusal, refuses, request, text, verb};
use crate::model::publication::{Data, Position};
use crate::model::request::{GetOptions, PostOptions, RareOptions, Request, RequestId, Since, Verb};

#[test]
fn every_verb_has_its_request() {
    assert_eq!(verb(r#"{"method":"GET","path":"/channels/x"}"#), get("x", GetOptions::default()));
    let since = Position::parse("abcdefgh:41").map(Since::Position);
    let options = GetOptions { since, last: Some(1), once: true, limit: Some(300) };
    let all =
        r#" {"limit":300,"id":1,"method":"GET","path":"/channels/x","since":"abcdefgh:41","last":1,"once":true} "#;
    assert_eq!(request(text(all)), Request { id: Some(RequestId::Number(1)), verb: get("x", options) });
    assert_eq!(verb(r#"{"method":"POST","path":"/channels/x","data":null}"#), post("x", data("null")));
    let all = r#"{"id":"a","method":"POST","path":"/channels/x","event":"e","key":"k","exclude_self":true,"if_match":"abcdefgh:4","data":1}"#;
    let expected = PostOptions {
        event: Some("e".into()),
        key: Some("k".into()),
        exclude_self: true,
        rare: RareOptions { if_match: Position::parse("abcdefgh:4"), ..RareOptions::default() }.boxed(),
        ..PostOptions::of(data("1"))
    };
    assert_eq!(posted(verb(all)), expected);
    assert_eq!(
        verb(r#"{"method":"DELETE","path":"/channels/x"}"#),
        Verb::DeleteHistory { channel: "x".try_into().expect("a name") }
    );
    assert_eq!(
        verb(r#"{"method":"DELETE","path":"/subscriptions/x"}"#),
        Verb::Unsubscribe { channel: "x".try_into().expect("a name") }
    );
    assert_eq!(verb(r#"{"method":"GET","path":"/livez"}"#), Verb::Livez);
    assert_eq!(verb(r#"{"method":"GET","path":"/limits"}"#), Verb::Limits);
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
    for kept in ["error", "open", "position", "reset", "closed", "join", "leave", "refused", "r\\u0065set"] {
        let (_, status, code, message) = refusal(with("event", &format!("\"{kept}\"")));
        assert_eq!((status, code), (400, "bad_event"), "{kept}");
        assert!(message.contains("position, reset"), "{message}");
    }
    for free in ["Reset", "reset ", "resets", "message", "excluded"] {
        request(with("event", &format!("\"{free}\"")));
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
        (r#"{"id":7,"method":"GET","path":"/channels/a%2F%2Fb"}"#, "bad_channel", "/"),
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
