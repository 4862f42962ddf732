//! Signed addresses on running servers: what they open over every transport, when they end, and the examples of how to make one.

use crate::support::http::{Answer, HttpClient};
use crate::support::raw::RawClient;
use crate::support::ws::WsClient;
use crate::support::{OPERATOR, TestServer, with_one_and_two_reactors};
use serde_json::json;
use std::path::Path;
use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};
use tidings::Config;
use tidings::model::sign_secrets::SignSecrets;

const SECRET: &str = "0123456789abcdef0123456789abcdef";
const OTHER: &str = "tidings-example-secret-of-32-bytes-or-more";
/// A moment that is far away.
const LATER: u64 = 4_000_000_000;
const PROTOCOL: &str = include_str!("../src/protocol/tidings/PROTOCOL.md");
const DOCS: &str = include_str!("../docs/keys.md");

fn sig(secret: &str, name: &str, exp: impl std::fmt::Display) -> String {
    let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, secret.as_bytes());
    let tag = aws_lc_rs::hmac::sign(&key, format!("tidings-read-v1\n{name}\n{exp}").as_bytes());
    tag.as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The address of a channel whose name needs no encoding.
fn signed(name: &str, exp: u64) -> String {
    format!("/channels/{name}?sig={}&exp={exp}", sig(SECRET, name, exp))
}

fn start(reactors: usize, rules: &str) -> TestServer {
    let given = Config::from_toml("t", rules).expect("a configuration");
    TestServer::start(|config| {
        config.server.reactors = reactors;
        config.channel_rules = given.channel_rules;
        config.channels.sign_secret = SignSecrets::parse(&format!("{SECRET}\n{OTHER}")).ok();
    })
}

const RULES: &str = "[[channel]]\nmatch = \"public\"\nread = [\"anyone\"]\n[[channel]]\nmatch = \"keys\"\nread = [\"key\"]\n\
    [[channel]]\nmatch = \"nobody\"\nread = [\"nobody\"]\n[[channel]]\nmatch = \"**\"\nread = [\"token\"]\nwrite = [\"token\"]\n";

fn get(server: &TestServer, method: &str, target: &str, fields: &[(&str, &str)]) -> Answer {
    HttpClient::connect(server.address()).request(method, target, fields, b"")
}

#[test]
fn a_signed_address_opens_its_channel_over_every_transport() {
    with_one_and_two_reactors(|reactors| {
        let server = start(reactors, RULES);
        let address = signed("orders:42", LATER);
        for method in ["GET", "HEAD"] {
            assert_eq!(get(&server, method, &address, &[]).status, 200, "{method}");
            let stream = [("Accept", "text/event-stream")];
            if method == "HEAD" {
                assert_eq!(get(&server, method, &address, &stream).status, 200, "{method}");
            }
        }
        let of_other = format!("/channels/orders:42?exp={LATER}&sig={}", sig(OTHER, "orders:42", LATER));
        assert_eq!(get(&server, "GET", &of_other, &[]).status, 200, "both secrets count, in any order of the options");
        let mut stream = RawClient::connect(server.address());
        stream.send(format!("GET {address}&last=1 HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"));
        stream.read_until(b"event: position");
        assert!(!String::from_utf8_lossy(&stream.received).contains("options ignored"));
        let mut socket = WsClient::connect_to(server.address(), &address, &[]);
        assert_eq!(socket.next_json()["status"], 200);
        server.publish("orders:42", "7").expect("published");
        assert_eq!(socket.next_push()["data"], 7);
        stream.read_until(b"data: 7");
        // It reads its channel, and does nothing else.
        assert_eq!(socket.request(json!({"method": "GET", "path": "/channels/orders:43"}))["status"], 403);
        assert_eq!(socket.post("orders:42", &json!(1))["status"], 403);
        assert_eq!(socket.request(json!({"method": "DELETE", "path": "/channels/orders:42"}))["status"], 403);
    });
}

#[test]
fn nothing_else_opens_it() {
    let server = start(1, RULES);
    let right = sig(SECRET, "orders:42", LATER);
    let of = |name: &str, sig: &str, exp: &str| format!("/channels/{name}?sig={sig}&exp={exp}");
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let exp = LATER.to_string();
    let rows: Vec<(String, u16, &str)> = vec![
        ("/channels/orders:42".to_owned(), 401, "token_needed"),
        (of("orders:43", &right, &exp), 403, "signature_invalid"),
        (of("Orders:42", &right, &exp), 403, "signature_invalid"),
        (of("orders:42", &right.to_uppercase(), &exp), 403, "signature_invalid"),
        (of("orders:42", &right[..63], &exp), 403, "signature_invalid"),
        (of("orders:42", &format!("{right}0"), &exp), 403, "signature_invalid"),
        (of("orders:42", "", &exp), 403, "signature_invalid"),
        (of("orders:42", &right, "4000000001"), 403, "signature_invalid"),
        (of("orders:42", &right, "04000000000"), 403, "signature_invalid"),
        (of("orders:42", &right, "+4000000000"), 403, "signature_invalid"),
        (of("orders:42", &right, "4e9"), 403, "signature_invalid"),
        (of("orders:42", &right, ""), 403, "signature_invalid"),
        (of("orders:42", &sig("x".repeat(32).as_str(), "orders:42", LATER), &exp), 403, "signature_invalid"),
        (format!("/channels/orders:42?sig={right}"), 403, "signature_invalid"),
        (format!("/channels/orders:42?exp={exp}"), 403, "signature_invalid"),
        (format!("/channels/orders:42?SIG={right}&exp={exp}"), 403, "signature_invalid"),
        (signed("orders:42", now - 1), 403, "signature_expired"),
        (signed("orders:42", 0), 403, "signature_expired"),
        // What a rule keeps for keys, or for operators, no signature opens.
        (signed("keys", LATER), 403, "forbidden"),
        (signed("nobody", LATER), 403, "forbidden"),
        // What anyone may read needs no signature, so a wrong one changes nothing.
        (of("public", "0", "0"), 200, ""),
        (format!("{}&colour=red", signed("orders:42", LATER)), 400, "unknown_option"),
    ];
    for (target, status, code) in &rows {
        let answer = get(&server, "GET", target, &[]);
        assert_eq!(answer.status, *status, "{target}: {}", answer.text());
        assert!(*status == 200 || answer.code() == *code, "{target}: {}", answer.text());
        assert!(!answer.text().contains(&right[..32]), "a signature is not repeated");
        if code.starts_with("signature_") {
            // A page's socket is told in its Close.
            let origin = [("Origin", "http://localhost")];
            let close = WsClient::connect_to(server.address(), target, &origin).read_close().expect("a Close");
            assert!(u16::from(close.code) == 4403 && close.reason.starts_with(code), "{target}: {close:?}");
            let stream = get(&server, "GET", target, &[("Accept", "text/event-stream")]);
            assert_eq!((stream.status, &*stream.code()), (403, *code), "{target}");
        }
    }
    // An operator needs none, and no request but a reading one has one.
    assert_eq!(get(&server, "GET", &of("orders:42", "0", "0"), &[OPERATOR]).status, 200);
    let post = HttpClient::connect(server.address()).request("POST", &signed("orders:42", LATER), &[], b"1");
    assert_eq!((post.status, &*post.code()), (400, "unknown_option"));
}

#[test]
fn without_a_secret_a_signature_is_an_unknown_option_that_says_what_is_missing() {
    let server = TestServer::start(|_| {});
    let answer = get(&server, "GET", &signed("orders:42", LATER), &[]);
    assert_eq!((answer.status, &*answer.code()), (400, "unknown_option"));
    assert!(answer.text().contains("channels.sign_secret"), "{}", answer.text());
    let mut stream = RawClient::connect(server.address());
    let address = signed("orders:42", LATER);
    stream.send(format!("GET {address} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"));
    stream.read_until(b": options ignored: sig, exp");
}

#[test]
fn what_a_signature_opened_ends_with_it() {
    let server = start(1, RULES);
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let address = signed("orders:42", now + 2);
    let mut stream = RawClient::connect(server.address());
    stream.send(format!("GET {address} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n"));
    let mut socket = WsClient::connect_to(server.address(), &address, &[]);
    let text = String::from_utf8_lossy(stream.read_to_end()).into_owned();
    assert!(text.contains("event: position") && text.contains("event: refused"), "{text}");
    assert!(text.contains("token_expired"), "{text}");
    let close = socket.read_close().expect("a Close");
    assert_eq!((u16::from(close.code), close.reason.split(':').next()), (4401, Some("token_expired")));
    assert_eq!(get(&server, "GET", &address, &[]).code(), "signature_expired");
}

/// The lines of all blocks of a text with this word after their fence.
fn blocks<'t>(text: &'t str, word: &str) -> Vec<Vec<&'t str>> {
    let mut found = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(word) {
            found.push(lines.by_ref().take_while(|line| *line != "```").collect());
        }
    }
    found
}

#[test]
fn the_addresses_of_the_protocol_open_their_channels() {
    let server = start(1, RULES);
    let vectors = blocks(PROTOCOL, "text,signed").concat();
    assert!(vectors.len() >= 5, "{vectors:?}");
    for line in vectors {
        let address = line.rsplit(' ').next().expect("an address");
        let answer = get(&server, "GET", address, &[]);
        let is_over = address.ends_with("&exp=1");
        assert_eq!(answer.status, if is_over { 403 } else { 200 }, "{address}: {}", answer.text());
    }
}

#[test]
fn the_examples_of_the_documentation_make_the_address_that_it_says() {
    let expected = DOCS.split("All three print `").nth(1).and_then(|rest| rest.split('`').next()).expect("an address");
    let mut ran = 0;
    for (word, program, file) in
        [("js", "node", "sign.mjs"), ("python", "python3", "sign.py"), ("bash", "bash", "sign.sh")]
    {
        let block = blocks(DOCS, word).into_iter().find(|lines| lines.join("\n").contains("tidings-read-v1"));
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{file}", std::process::id()));
        std::fs::write(&path, block.expect(word).join("\n")).expect("a writable folder");
        match Command::new(program).arg(&path).output() {
            Ok(output) => {
                let printed = String::from_utf8(output.stdout).expect("UTF-8");
                let missing = String::from_utf8_lossy(&output.stderr).contains("openssl: command not found");
                assert!(
                    missing || printed.trim() == expected,
                    "{program}: {printed}{:?}",
                    output.stderr.escape_ascii()
                );
                ran += usize::from(!missing);
            }
            Err(error) => println!("left out: {program}: {error}"),
        }
        std::fs::remove_file(&path).expect("it was written");
    }
    println!("{ran} of 3 examples ran");
}
