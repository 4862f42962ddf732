//! Hostile JSON on every entry: each answer is exact, whoever is not closed goes on, and nobody else notices.

use crate::support::TestServer;
use crate::support::frames::{BINARY, CLOSE, RawSocket, TEXT, frame};
use crate::support::http::{HttpClient, request_bytes};
use serde_json::Value;
use std::io::Write;
use std::time::Instant;

const ALIVE: &[u8] = br#"{"id":"alive","method":"GET","path":"/livez"}"#;
const MIB: usize = 1 << 20;

/// Where JSON comes in. `Raw` is the body of a binary frame, which is nobody's JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Entry {
    Text,
    Data,
    Short,
    Batch,
    Raw,
    Post,
    Form,
    PlainPost,
}

const ENTRIES: [Entry; 8] =
    [Entry::Text, Entry::Data, Entry::Short, Entry::Batch, Entry::Raw, Entry::Post, Entry::Form, Entry::PlainPost];

fn server() -> TestServer {
    TestServer::start(|config| {
        config.websocket.message_bytes = 16 * MIB;
        config.http.body_bytes = 16 * MIB;
        config.delivery.outbox_bytes = 32 * MIB;
        config.delivery.mailbox_bytes = 64 * MIB;
        config.delivery.worker_queue_bytes = 64 * MIB;
    })
}

fn between(before: &str, document: &[u8], behind: &str) -> Vec<u8> {
    [before.as_bytes(), document, behind.as_bytes()].concat()
}

/// Sends a document by an entry: its status and code, or the code of the Close. Whoever is not closed is served further.
fn outcome(server: &TestServer, entry: Entry, document: &[u8]) -> String {
    let request = r#"{"method":"POST","path":"/channels/e","id":7,"data":"#;
    let (first, payload) = match entry {
        Entry::Text => (TEXT, document.to_vec()),
        Entry::Data => (TEXT, between(request, document, "}")),
        Entry::Short => (TEXT, between("POST /channels/e ", document, "")),
        Entry::Batch => (TEXT, between(&format!("[{request}"), document, r#"},{"method":"GET","path":"/livez"}]"#)),
        Entry::Raw => (BINARY, between("{\"method\":\"POST\",\"path\":\"/channels/e\",\"id\":7}\n", document, "")),
        Entry::Post => return posted(server, "/channels/e", "application/json", document),
        Entry::Form => return posted(server, "/channels/e", "application/x-www-form-urlencoded", document),
        Entry::PlainPost => return posted(server, "/ws", "application/json", document),
    };
    sent(server, first, &payload)
}

/// Sends one frame. A silent success shows itself by the answer to what is asked next.
fn sent(server: &TestServer, first: u8, payload: &[u8]) -> String {
    let mut socket = RawSocket::open(server.address(), "/ws");
    socket.raw.send(frame(first, payload));
    socket.send(TEXT, ALIVE);
    let mut said = String::from("silent");
    loop {
        let (kind, bytes) = socket.next().expect("an answer or a Close");
        if kind == CLOSE {
            return format!("closed {}", u16::from_be_bytes([bytes[0], bytes[1]]));
        }
        let Ok(answer) = serde_json::from_slice::<Value>(&bytes) else {
            said = "plain".to_owned();
            continue;
        };
        if answer["id"] == "alive" {
            return said;
        }
        let answers = answer.as_array().cloned().unwrap_or_else(|| vec![answer]);
        said = answers.iter().map(status_and_code).collect::<Vec<_>>().join(", ");
    }
}

fn posted(server: &TestServer, target: &str, content_type: &str, document: &[u8]) -> String {
    let mut client = HttpClient::connect(server.address());
    let answer = client.exchange(request_bytes("POST", target, &[("Content-Type", content_type)], document));
    assert!(client.is_kept(), "{target} {answer:?}");
    if answer.field("Content-Type").is_some_and(|kind| kind.starts_with("text/plain")) {
        return "plain".to_owned();
    }
    format!("{} {}", answer.status, answer.code()).trim_end().to_owned()
}

fn status_and_code(answer: &Value) -> String {
    format!("{} {}", answer["status"], answer["error"]["code"].as_str().unwrap_or_default()).trim_end().to_owned()
}

/// Sends every document by every entry, and compares what is said with a row of the table.
fn check(table: &[(&str, Vec<u8>, [&str; 8])]) {
    let server = server();
    let mut wrong = Vec::new();
    for (what, document, expected) in table {
        for (entry, expected) in ENTRIES.into_iter().zip(expected) {
            let began = Instant::now();
            let said = outcome(&server, entry, document);
            let took = began.elapsed();
            println!("entries: {what} ({} KiB) by {entry:?}: {said} after {took:?}", document.len() / 1024);
            if said != *expected {
                wrong.push(format!("{what} by {entry:?}: {said}, not {expected}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
}

/// A frame or body in which nothing is wrong but its data.
fn object_of(members: usize) -> Vec<u8> {
    let mut text = String::from("{");
    (0..members).for_each(|index| text.push_str(&format!("\"k{index}\":0,")));
    text.pop();
    text.push('}');
    text.into_bytes()
}

#[test]
fn deep_and_huge_json_has_its_answer_on_every_entry() {
    const FINE: [&str; 8] = ["plain", "200", "silent", "200, 200", "200", "200", "200", "plain"];
    let deep = |inside: &str| {
        let (open, close) = ("[".repeat(1_000_000), "]".repeat(1_000_000));
        format!("{open}{inside}{close}").into_bytes()
    };
    let mixed = format!("{}1{}", "{\"a\":[".repeat(500_000), "]}".repeat(500_000)).into_bytes();
    // The body of a binary frame is nobody's JSON. A form that begins as JSON is JSON, or refused.
    let refused = |code| [code, code, code, code, "200", code, code, code];
    let not_json = refused("400 bad_json");
    let [closed, bad] = ["closed 1007", "400 bad_json"];
    let not_utf8 = [closed, closed, closed, closed, "200", bad, bad, bad];
    // A short form with nothing behind its path lacks its data.
    let nothing = [bad, bad, "400 bad_request", bad, "200", bad, "200", bad];
    check(&[
        ("a million levels of arrays", deep("1"), refused("400 too_deep")),
        ("a million levels of both", mixed, refused("400 too_deep")),
        ("a million levels without an end", b"[".repeat(1_000_000), not_json),
        ("a number of 1 MB", b"1".repeat(1_000_000), FINE),
        ("an exponent of 1 MB", between("1e", &b"9".repeat(1_000_000), ""), FINE),
        ("a million keys", object_of(1_000_000), FINE),
        ("a million times one key", between("{", &b"\"k\":0,".repeat(1_000_000), "\"k\":1}"), FINE),
        ("a text of 1 MB of escapes", between("\"", &b"\\u0000".repeat(170_000), "\""), FINE),
        ("a text of 1 MB without an end", between("\"", &b"x".repeat(1_000_000), ""), not_json),
        ("half a pair of surrogates", b"\"\\ud800\"".to_vec(), FINE),
        ("bytes that are no UTF-8", b"{\"a\":\"\xff\xfe\"}".to_vec(), not_utf8),
        ("nothing but white space", b" ".repeat(1_000_000), nothing),
    ]);
}

/// A request as a text frame, in a batch, in front of a binary body, and as a body: what is wrong in it is told in each.
#[test]
fn hostile_envelopes_are_refused_on_every_entry() {
    let server = server();
    let post = r#"{"method":"POST","path":"/channels/e""#;
    let many = String::from_utf8(object_of(1_000_000)).expect("text");
    let cases = [
        ("a member twice", format!("{post},\"event\":\"a\",\"event\":\"a\"}}"), "400 duplicate_member"),
        ("a method twice", format!("{post},\"method\":\"GET\"}}"), "400 duplicate_member"),
        ("a member twice, once escaped", format!("{post},\"p\\u0061th\":\"/livez\"}}"), "400 duplicate_member"),
        ("an id twice", format!("{post},\"id\":1,\"id\":2}}"), "400 duplicate_member"),
        ("a million members", format!("{post},{}", &many[1..]), "400 unknown_member"),
        ("a key of 1 MB", format!("{post},\"{}\":1}}", "k".repeat(1_000_000)), "400 unknown_member"),
        ("an id of 1 MB", format!("{post},\"id\":{}}}", "1".repeat(1_000_000)), "400 bad_request"),
        (
            "a path of 1 MB",
            format!("{{\"method\":\"GET\",\"path\":\"/channels/{}\"}}", "p".repeat(1_000_000)),
            "400 bad_channel",
        ),
        ("an event of 1 MB", format!("{post},\"event\":\"{}\"}}", "e".repeat(1_000_000)), "400 bad_request"),
        (
            "a method of 1 MB",
            format!("{{\"method\":\"{}\",\"path\":\"/livez\"}}", "M".repeat(1_000_000)),
            "400 bad_request",
        ),
        (
            "a million levels in a member",
            format!("{post},\"key\":{}{}}}", "[".repeat(1_000_000), "]".repeat(1_000_000)),
            "400 too_deep",
        ),
    ];
    for (what, request, expected) in cases {
        let began = Instant::now();
        assert_eq!(sent(&server, TEXT, request.as_bytes()), expected, "{what} as text");
        assert_eq!(sent(&server, BINARY, &between("", request.as_bytes(), "\nbody")), expected, "{what} before a body");
        assert_eq!(posted(&server, "/ws", "application/json", request.as_bytes()), expected, "{what} as a body");
        let batch = between("[", request.as_bytes(), r#",{"method":"GET","path":"/livez"}]"#);
        // Depth is counted over the whole text, so that nothing of it is executed.
        let alone = if expected.ends_with("too_deep") { expected.to_owned() } else { format!("{expected}, 200") };
        assert_eq!(sent(&server, TEXT, &batch), alone, "{what} in a batch");
        println!("entries: {what} ({} KiB): {expected} four times in {:?}", request.len() / 1024, began.elapsed());
    }
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
}

#[test]
fn ten_thousand_header_fields_are_431_however_they_come() {
    let server = server();
    for (what, field, count) in [
        ("short fields", "X: y\r\n", 10_000),
        ("empty fields", ":\r\n", 10_000),
        ("large fields", "X: yyyyyyyyyyyyyyyy\r\n", 10_000),
    ] {
        let mut client = HttpClient::connect(server.address());
        let mut stream = client.raw.stream.try_clone().expect("a descriptor");
        let bytes = format!("GET /ws HTTP/1.1\r\nHost: localhost\r\n{}\r\n", field.repeat(count));
        let writer = std::thread::spawn(move || {
            // It may be told before it has sent all.
            let _ = stream.write_all(bytes.as_bytes());
        });
        let answer = client.read_answer(false);
        let expected = if field.starts_with(':') { (400, "bad_request") } else { (431, "head_too_large") };
        assert_eq!((answer.status, &*answer.code()), expected, "{what}");
        writer.join().expect("no panic");
    }
    assert!(HttpClient::connect(server.address()).is_kept());
}
