//! Tests of the head parser: a table of heads, each read whole and on every prefix, and the limits at their edges.

use super::head::{
    BodyLength, Head, HeadLimits, Method, SenderFields, UNREADABLE_ID, UNREADABLE_SITE, Version, parse_head,
};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use proptest::prelude::*;

const OK: u16 = 200;
/// The head is not finished.
const MORE: u16 = 0;
const LIMITS: HeadLimits = HeadLimits { head_bytes: 400, headers: 6, target_bytes: 40 };

/// Head and status. `{H}` stands for a Host line.
const CASES: &[(&str, u16)] = &[
    // The request line.
    ("GET / HTTP/1.1\r\n{H}\r\n", OK),
    ("GET / HTTP/1.0\r\n\r\n", OK),
    ("GET / HTTP/1.0\r\n{H}\r\n", OK),
    ("\r\nGET / HTTP/1.1\r\n{H}\r\n", OK),
    ("\r\n\r\nGET / HTTP/1.1\r\n{H}\r\n", 400),
    ("\nGET / HTTP/1.1\r\n{H}\r\n", 400),
    ("\rGET / HTTP/1.1\r\n{H}\r\n", 400),
    (" GET / HTTP/1.1\r\n{H}\r\n", 400),
    ("GET  / HTTP/1.1\r\n{H}\r\n", 400),
    ("GET /  HTTP/1.1\r\n{H}\r\n", 400),
    ("GET\t/ HTTP/1.1\r\n{H}\r\n", 400),
    ("GET / HTTP/1.1 \r\n{H}\r\n", 400),
    ("GET /a b HTTP/1.1\r\n{H}\r\n", 400),
    ("GET / HTTP/1.1\n{H}\r\n", 400),
    ("GET / HTTP/1.1\r{H}\r\n", 400),
    ("get / HTTP/1.1\r\n{H}\r\n", OK),
    ("BREW / HTTP/1.1\r\n{H}\r\n", OK),
    ("G@T / HTTP/1.1\r\n{H}\r\n", 400),
    ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n{H}\r\n", OK),
    ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA / HTTP/1.1\r\n{H}\r\n", 400),
    ("\x16\x03\x01\x02\0\x01\0\x01", 400),
    ("\0", 400),
    ("{\"id\":1}", 400),
    // The version.
    ("GET /\r\n", 400),
    ("GET\r\n", 400),
    ("GET / \r\n", 400),
    ("GET / HTTP/0.9\r\n{H}\r\n", 505),
    ("GET / HTTP/1.2\r\n{H}\r\n", OK),
    ("GET / HTTP/1.10\r\n{H}\r\n", 400),
    ("GET / HTTP/11.1\r\n{H}\r\n", 400),
    ("GET / HTTP/1\r\n{H}\r\n", 400),
    ("GET / HTTP/2.0\r\n{H}\r\n", 505),
    ("GET / HTTP/2\r\n{H}\r\n", 505),
    ("GET / HTTP/3\r\n{H}\r\n", 505),
    ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    ("GET / http/1.1\r\n{H}\r\n", 400),
    ("GET / HTTPS/1.1\r\n{H}\r\n", 400),
    ("GET / RTSP/1.0\r\n{H}\r\n", 400),
    // The target.
    ("GET /a/b?c=d&e HTTP/1.1\r\n{H}\r\n", OK),
    ("GET /%E4%BD%A0 HTTP/1.1\r\n{H}\r\n", OK),
    ("GET /你 HTTP/1.1\r\n{H}\r\n", 400),
    ("GET /a#b HTTP/1.1\r\n{H}\r\n", 400),
    ("GET /a\x7f HTTP/1.1\r\n{H}\r\n", 400),
    ("GET a HTTP/1.1\r\n{H}\r\n", 400),
    ("GET * HTTP/1.1\r\n{H}\r\n", 400),
    ("OPTIONS * HTTP/1.1\r\n{H}\r\n", OK),
    ("OPTIONS / HTTP/1.1\r\n{H}\r\n", OK),
    ("CONNECT a:443 HTTP/1.1\r\n{H}\r\n", 405),
    ("GET a:443 HTTP/1.1\r\n{H}\r\n", 400),
    ("GET http://b:1/x?y HTTP/1.1\r\n{H}\r\n", OK),
    ("GET HTTP://b HTTP/1.1\r\n{H}\r\n", OK),
    ("GET http://b/ HTTP/1.1\r\n\r\n", 400),
    ("GET http://b/ HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET http:///x HTTP/1.1\r\n{H}\r\n", 400),
    ("GET http://u@b/ HTTP/1.1\r\n{H}\r\n", 400),
    ("GET https://b/ HTTP/1.1\r\n{H}\r\n", 400),
    ("GET /2345678901234567890123456789012345678901 HTTP/1.1\r\n{H}\r\n", 414),
    ("GET /234567890123456789012345678901234567890 HTTP/1.1\r\n{H}\r\n", OK),
    // Host.
    ("GET / HTTP/1.1\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost:\r\n\r\n", 400),
    ("GET / HTTP/1.0\r\nHost:\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}{H}\r\n", 400),
    ("GET / HTTP/1.0\r\n{H}{H}\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a:80\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\nHost:a\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\nhOST: \t a \t \r\n\r\n", OK),
    ("GET / HTTP/1.1\r\nHost: [::1]:80\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a, b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a,a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: a:99999\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: http://a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\nHost: ä\r\n\r\n", 400),
    // Field lines.
    ("GET / HTTP/1.1\r\n{H}X:\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}X: a\tb\u{e9}\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}X : a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X\t: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X(: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}é: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\r\n b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\r\n\tb\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n \r\n{H}\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\nY: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\rY: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\r\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: a\0\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: \x1b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X: \x7f\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}\n", 400),
    ("GET / HTTP/1.1\r\n{H}\rX", 400),
    // The body's length.
    ("POST / HTTP/1.1\r\n{H}Content-Length: 0\r\n\r\n", OK),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 007\r\n\r\n", OK),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551615\r\n\r\n", OK),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 18446744073709551616\r\n\r\n", 413),
    ("POST / HTTP/1.1\r\n{H}Content-Length:\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: +1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: -1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1, 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1,2\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 0x1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: ١\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nContent-Length: 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n", OK),
    ("POST / HTTP/1.1\r\n{H}transfer-encoding: CHUNKED\r\n\r\n", OK),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nContent-Length: 1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip\r\nContent-Length: 1\r\n\r\n", 400),
    ("POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: gzip, chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked, chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: identity\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: xchunked\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked;q=1\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding: \"chunked\"\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Transfer-Encoding:\r\n\r\n", 400),
    // Fields that come once.
    ("GET / HTTP/1.1\r\n{H}Origin: http://a\r\nOrigin: http://a\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Content-Type: a/b\r\ncontent-type: a/b\r\n\r\n", 400),
    ("POST / HTTP/1.1\r\n{H}Idempotency-Key: a\r\nIdempotency-Key: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}Sec-WebSocket-Key: a\r\nSec-WebSocket-Key: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Version: 8\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}Authorization: a\r\nAuthorization: b\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X-API-Key: a\r\nx-api-key: a\r\n\r\n", 400),
    ("GET / HTTP/1.1\r\n{H}X-API-Key: a\r\nAuthorization: a\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}Last-Event-ID: a\r\nLast-Event-ID: b\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}Sec-Fetch-Site: a\r\nSec-Fetch-Site: a\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}Cookie: a=1\r\nCookie: a=2\r\nForwarded: ;\r\nForwarded:\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}Upgrade: a\r\nUpgrade: b\r\nConnection: a\r\nConnection: b\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}Accept: a/b\r\nAccept: c/d\r\nX: 1\r\nX: 2\r\n\r\n", OK),
    // Limits: six fields.
    ("GET / HTTP/1.1\r\n{H}A:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", OK),
    ("GET / HTTP/1.1\r\n{H}A:\r\nA:\r\nA:\r\nA:\r\nA:\r\nA:\r\n\r\n", 431),
    // Not finished.
    ("", MORE),
    ("\r", MORE),
    ("GET / HTTP/1.1\r\n{H}", MORE),
    ("GET / HTTP/1.1\r\n{H}\r", MORE),
];

fn status(outcome: &Result<Option<(Head<'_>, usize)>, Refusal>) -> u16 {
    match outcome {
        Ok(Some(_)) => OK,
        Ok(None) => MORE,
        Err(error) => error.code.http_status(),
    }
}

/// Reads `bytes` whole; every prefix must say "more" or what the whole says.
fn on_every_prefix<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Result<Option<(Head<'b>, usize)>, Refusal> {
    let whole = parse_head(bytes, limits);
    for cut in 0..bytes.len() {
        match (parse_head(&bytes[..cut], limits), &whole) {
            (Ok(None), _) => {}
            (Ok(Some(early)), Ok(Some(late))) => assert_eq!(early, *late, "{} cut at {cut}", bytes.escape_ascii()),
            (Err(early), Err(late)) => assert_eq!(early, *late, "{} cut at {cut}", bytes.escape_ascii()),
            (early, late) => panic!("{} cut at {cut}: {early:?}, then {late:?}", bytes.escape_ascii()),
        }
    }
    whole
}

#[test]
fn every_case_has_its_status_on_every_prefix() {
    for (text, expected) in CASES {
        let text = text.replace("{H}", "Host: a\r\n");
        let followed = format!("{text}\0GET");
        let outcome = on_every_prefix(text.as_bytes(), &LIMITS);
        assert_eq!(status(&outcome), *expected, "{text:?}: {outcome:?}");
        if *expected == OK {
            let (head, length) = parse_head(followed.as_bytes(), &LIMITS).expect("valid").expect("complete");
            assert_eq!(length, text.len(), "{text:?}");
            assert_eq!(Some((head, length)), outcome.expect("valid"), "what follows is not looked at: {text:?}");
        }
    }
}

#[test]
fn a_head_may_be_as_large_as_its_limit_and_no_larger() {
    let of_length = |length: usize| {
        let bare = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
        bare.replace("X: ", &format!("X: {}", "x".repeat(length - bare.len())))
    };
    let most = of_length(LIMITS.head_bytes);
    assert_eq!(status(&on_every_prefix(most.as_bytes(), &LIMITS)), OK);
    let over = of_length(LIMITS.head_bytes + 1);
    assert_eq!(status(&on_every_prefix(over.as_bytes(), &LIMITS)), 431);
    assert_eq!(status(&parse_head(&over.as_bytes()[..LIMITS.head_bytes - 1], &LIMITS)), MORE);
    assert_eq!(status(&parse_head(&over.as_bytes()[..LIMITS.head_bytes], &LIMITS)), 431);
    let defaults = HeadLimits::default();
    assert_eq!((defaults.head_bytes, defaults.headers, defaults.target_bytes), (16_384, 100, 8_192));
}

#[test]
fn a_long_target_is_refused_before_the_head_is_complete() {
    let target = format!("GET /{}", "x".repeat(LIMITS.target_bytes - 1));
    assert_eq!(status(&parse_head(target.as_bytes(), &LIMITS)), MORE);
    let error = parse_head(format!("{target}x").as_bytes(), &LIMITS).expect_err("too long");
    assert_eq!(error.code, Code::UriTooLong);
}

fn parse(text: &str) -> Head<'_> {
    parse_head(text.as_bytes(), &HeadLimits::default()).expect("valid").expect("complete").0
}

#[test]
fn everything_a_head_says_is_found() {
    let head = parse(concat!(
        "POST http://b.example:1/a%20b?since=x&y HTTP/1.1\r\nHost: a\r\nOrigin: http://c\r\nContent-Length: 12\r\n",
        "Expect: 100-Continue\r\nContent-Type: application/json\r\nAccept: a/b\r\nAccept: text/event-stream\r\n",
        "Last-Event-ID: abcdefgh:1\r\nIdempotency-Key: k\r\nVia: 1.1 p\r\nConnection: keep-alive\r\n",
        "connection: x ,Upgrade\r\nUpgrade: h2c\r\nUpgrade: WebSocket/13, WEBSOCKET\r\nSec-WebSocket-Version: 13\r\n",
        "Sec-WebSocket-Key: key\r\nSec-WebSocket-Protocol: p, q\r\nSec-WebSocket-Protocol: r\r\n",
        "Sec-WebSocket-Extensions: permessage-deflate; a\r\n\r\n",
    ));
    assert_eq!((head.method, head.method_name, head.version), (Method::Post, "POST", Version::Http11));
    assert_eq!((head.path, head.query, head.host), ("/a%20b", Some("since=x&y"), Some("b.example:1")));
    assert_eq!((head.origin, head.body), (Some("http://c"), BodyLength::Length(12)));
    assert!(head.keep_alive && head.expect_continue && head.forwarded && head.accepts_event_stream());
    assert_eq!((head.content_type, head.accept), (Some("application/json"), Some("a/b")));
    assert_eq!((head.last_event_id, head.idempotency_key), (Some("abcdefgh:1"), Some("k")));
    assert!(head.upgrade.connection_upgrade && head.upgrade.websocket);
    assert_eq!((head.upgrade.version, head.upgrade.key), (Some("13"), Some("key")));
    assert_eq!(head.upgrade.protocols.as_slice(), ["p, q", "r"]);
    assert_eq!(head.upgrade.extensions.as_slice(), ["permessage-deflate; a"]);
}

#[test]
fn what_is_said_of_the_sender_is_found_line_by_line() {
    let head = parse(concat!(
        "GET / HTTP/1.1\r\nHost: a\r\nCookie: a=1; b=2\r\nX-Api-Key:  td_x \r\ncookie: c=3\r\nsec-fetch-site: same-origin\r\n",
        "X-Forwarded-For: 192.0.2.1, 10.0.0.1\r\nX-Forwarded-For: 10.0.0.2\r\nForwarded: for=_x\r\n",
        "x-forwarded-foo: 1\r\nAuthorization: Bearer x\r\n\r\n",
    ));
    let texts =
        |lines: &[&[u8]]| lines.iter().map(|line| line.trim_ascii().escape_ascii().to_string()).collect::<Vec<_>>();
    assert_eq!(texts(&head.sender.cookies), ["a=1; b=2", "c=3"]);
    assert_eq!((head.sender.api_key, head.authorization), (Some("td_x"), Some("Bearer x")));
    assert_eq!(head.sender.fetch_site, Some("same-origin"));
    assert_eq!(texts(&head.sender.forwarded_for), ["192.0.2.1, 10.0.0.1", "10.0.0.2"]);
    assert_eq!(texts(&head.sender.forwarded), ["for=_x"]);
    assert!(head.forwarded);
    let head = parse("GET / HTTP/1.1\r\nHost: a\r\nSec-Fetch-Site: same-origin\r\nSec-Fetch-Site: same-origin\r\n\r\n");
    assert_eq!(head.sender, SenderFields { fetch_site: Some(UNREADABLE_SITE), ..SenderFields::default() });
}

#[test]
fn a_head_that_says_little_has_little() {
    let head =
        parse("GET / HTTP/1.0\r\nX-Real: 1\r\nExpect: 100-continue\r\nX-Forward: 1\r\nUpgrade: websockets\r\n\r\n");
    assert_eq!((head.query, head.host, head.origin, head.body), (None, None, None, BodyLength::None));
    assert!(!head.keep_alive && !head.expect_continue && !head.forwarded && !head.accepts_event_stream());
    assert!(!head.upgrade.websocket && !head.upgrade.connection_upgrade && head.upgrade.protocols.is_empty());
    assert_eq!(head.sender, SenderFields::default());
}

#[test]
fn a_connection_is_kept_as_its_version_says() {
    for (version, fields, kept) in [
        ("1.1", "", true),
        ("1.1", "Connection: close\r\n", false),
        ("1.1", "Connection: x, CLOSE ,y\r\n", false),
        ("1.1", "Connection: keep-alive\r\nConnection: close\r\n", false),
        ("1.1", "Connection: closed\r\n", true),
        ("1.0", "", false),
        ("1.0", "Connection: Keep-Alive\r\n", true),
        ("1.0", "Connection: keep-alive, close\r\n", false),
    ] {
        let text = format!("GET / HTTP/{version}\r\nHost: a\r\n{fields}\r\n");
        assert_eq!(parse(&text).keep_alive, kept, "{text:?}");
    }
}

#[test]
fn a_proxy_is_noticed() {
    for field in [
        "Forwarded: for=x",
        "via: 1.1 p",
        "X-Forwarded-For: x",
        "x-forwarded-proto: https",
        "X-FORWARDED-HOST:",
        "Via: \u{e9}",
    ] {
        assert!(parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).forwarded, "{field}");
    }
    for field in ["X-Forwarded: x", "Forward: x", "Viaa: x"] {
        assert!(!parse(&format!("GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n")).forwarded, "{field}");
    }
}

#[test]
fn a_preflight_is_an_options_with_both_fields() {
    let head = |method, fields| format!("{method} / HTTP/1.1\r\nHost: a\r\n{fields}\r\n");
    let both = "Origin: http://a\r\nAccess-Control-Request-Method: POST\r\n";
    assert!(parse(&head("OPTIONS", both)).is_preflight());
    assert!(!parse(&head("GET", both)).is_preflight());
    assert!(!parse(&head("OPTIONS", "Origin: http://a\r\n")).is_preflight());
    assert!(!parse(&head("OPTIONS", "")).is_preflight());
}

#[test]
fn only_fields_that_are_read_must_be_utf8() {
    let with = |name: &str| [b"GET / HTTP/1.1\r\nHost: a\r\n", name.as_bytes(), b": \xff\r\n\r\n"].concat();
    for (name, expected) in [
        ("X", OK),
        ("Cookie", OK),
        ("Via", OK),
        ("Last-Event-ID", OK),
        ("X-Forwarded-For", OK),
        ("Forwarded", OK),
        ("Sec-Fetch-Site", OK),
        ("X-API-Key", 400),
        ("Authorization", 400),
        ("Origin", 400),
        ("Accept", 400),
        ("Connection", 400),
    ] {
        let bytes = with(name);
        assert_eq!(status(&on_every_prefix(&bytes, &LIMITS)), expected, "{name}");
    }
    let bytes = with("Last-Event-ID");
    let (head, _) = parse_head(&bytes, &LIMITS).expect("valid").expect("complete");
    assert_eq!(head.last_event_id, Some(UNREADABLE_ID));
    assert_eq!(
        parse("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: a\r\nLast-Event-ID: a\r\n\r\n").last_event_id,
        Some(UNREADABLE_ID)
    );
    assert_eq!(parse("GET / HTTP/1.1\r\nHost: a\r\nLast-Event-ID: é\r\n\r\n").last_event_id, Some("é"));
}

proptest! {
    #[test]
    fn noise_never_panics_and_is_the_same_on_every_prefix(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
        let _ = on_every_prefix(&bytes, &LIMITS);
    }

    #[test]
    fn scrambled_heads_are_the_same_on_every_prefix(
        pieces in prop::collection::vec(prop::sample::select(vec![
            "GET", "POST", " ", "/", "/a?b", "http://h", "*", " HTTP/1.1\r\n", " HTTP/1.0\r\n", " HTTP/2.0\r\n", "\r\n", "\r", "\n",
            "Host: a\r\n", "Host", ":", "Content-Length: 1\r\n", "Transfer-Encoding: chunked\r\n", "\t", "x", "\0", "é",
            "Connection: close\r\n", "GET / HTTP/1.1\r\nHost: a\r\n",
        ]), 0..14),
    ) {
        let text = pieces.concat();
        if let Ok(Some((head, length))) = on_every_prefix(text.as_bytes(), &LIMITS) {
            prop_assert!(head.path.starts_with('/') || head.path == "*");
            prop_assert!(text[..length].ends_with("\r\n\r\n"));
        }
    }
}
