//! Who is let in, and how those who are not learn why: origins, hosts, paths, names.

use super::{Case, EVERY_WAY, Subject, Way, run};
use crate::support::PATIENCE;
use crate::support::frames::{CLOSE, RawSocket, TEXT, frame, handshake};
use crate::support::http::HttpClient;
use std::time::Instant;

/// How a socket that is opened like this is closed: code, label and sentence.
fn closed(subject: &Subject, path: &str, fields: &[(&str, &str)]) -> (u16, String, String) {
    let (code, reason) = subject.socket(path, fields).read_close();
    assert!(reason.len() <= 123, "{reason}");
    let (label, sentence) = reason.split_once(": ").unwrap_or_else(|| panic!("{reason:?} is not label: sentence"));
    (code.expect("a code"), label.to_owned(), sentence.to_owned())
}

fn is_refused(subject: &Subject, origin: &str) {
    let (code, label, sentence) = closed(subject, "/ws", &[("Origin", origin)]);
    assert_eq!((code, label.as_str()), (4403, "origin_not_allowed"));
    assert!(sentence.contains(origin) && sentence.contains("--allow-origin"), "{sentence}");
}

const CASES: &[Case] = &[
    ("a page opened as a file gets a bare 403, and its console says nothing", |subject| is_refused(subject, "null")),
    ("a page of another origin gets a bare 403", |subject| is_refused(subject, "https://elsewhere.example")),
    ("an upgrade at a channel is refused without a word too", |subject| {
        let (code, label, _) = closed(subject, &subject.path(), &[("Origin", "https://elsewhere.example")]);
        assert_eq!((code, label.as_str()), (4403, "origin_not_allowed"));
    }),
    ("what a refused page sends at once is executed", |subject| {
        let mut client = HttpClient::connect(subject.address());
        let post = format!("POST {} 1", subject.path());
        client.raw.send([handshake("/ws", &[("Origin", "null")]), frame(TEXT, post.as_bytes())].concat());
        assert_eq!(client.read_answer(false).status, 101);
        assert_eq!(RawSocket { raw: client.raw }.read_close().0, Some(4403));
        assert_eq!(subject.data(), "");
    }),
    ("a refused page holds its connection for as long as it likes", |subject| {
        let began = Instant::now();
        let mut socket = subject.socket("/ws", &[("Origin", "null")]);
        socket.read_close();
        // It answers nothing; somebody else has to end it, well before a reader loses patience.
        socket.raw.read_to_end();
        assert!(began.elapsed() < PATIENCE / 2);
    }),
    ("a handshake that is itself wrong is answered inside of a socket", |subject| {
        let wrong =
            String::from_utf8(handshake("/ws", &[("Origin", "null")])).expect("text").replace(": 13\r", ": 12\r");
        assert_eq!(HttpClient::connect(subject.address()).exchange(wrong).status, 426);
    }),
    ("an upgrade at the root gets a page", |subject| {
        let mut socket = subject.socket("/", &[]);
        socket.send(TEXT, b"GET");
        assert_eq!(socket.next_text(), "服务器收到GET请求");
    }),
    ("an upgrade at a path that is not there says 404, and not where", |subject| {
        let answer = HttpClient::connect(subject.address()).exchange(handshake("/socket", &[]));
        assert!(answer.status == 404 && answer.text().contains("/ws"), "{answer:?}");
        let (code, label, sentence) = closed(subject, "/socket", &[("Origin", "http://localhost")]);
        assert_eq!((code, label.as_str()), (4404, "not_found"));
        assert!(sentence.contains("/ws"), "{sentence}");
    }),
    ("an empty list of subprotocols is a bad handshake", |subject| {
        let fields = [("Sec-WebSocket-Protocol", ""), ("Sec-WebSocket-Extensions", "")];
        let mut socket = subject.socket("/ws", &fields);
        socket.send(TEXT, b"GET /livez");
        assert_eq!(socket.next_json()["status"], 200);
    }),
    ("what was sent before a Close is not answered", |subject| {
        let mut socket = subject.socket("/ws", &[]);
        let close = frame(CLOSE, &1000_u16.to_be_bytes());
        socket.raw.send([frame(TEXT, b"GET /livez"), frame(TEXT, b"GET"), close].concat());
        assert_eq!(socket.next_json()["status"], 200);
        assert_eq!(socket.next_text(), "服务器收到GET请求");
        assert_eq!(socket.read_close().0, Some(1000));
    }),
    ("a name of this machine is none of this server's", |subject| {
        for host in ["app.localhost", "localhost.", "[::ffff:127.0.0.1]", "127.0.0.1:9", "[::1]"] {
            let answer = subject.ask("GET", &subject.path(), &[("Host", host)], "");
            assert_eq!(answer.status, 200, "{host}: {}", answer.text());
        }
    }),
    ("a name that is refused is not told what would allow it", |subject| {
        let answer = subject.ask("GET", &subject.path(), &[("Host", "push.lan")], "");
        assert_eq!(answer.status, 421);
        assert!(answer.text().contains("--allow-host push.lan"), "{}", answer.text());
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn who_is_let_in() {
    run(EVERY_WAY, "", &[], CASES);
}

const OPEN_CASES: &[Case] = &[
    ("a preflight is refused for a field that a library adds", |subject| {
        let asked = "cache-control,content-type,traceparent,x-own";
        let fields = [
            ("Origin", "http://app.localhost:3000"),
            ("Access-Control-Request-Method", "POST"),
            ("Access-Control-Request-Headers", asked),
        ];
        let answer = subject.ask("OPTIONS", &subject.path(), &fields, "");
        assert!(answer.status == 204 || answer.status == 200, "{answer:?}");
        let allowed = answer.field("Access-Control-Allow-Headers").expect("allowed fields").to_ascii_lowercase();
        asked.split(',').for_each(|name| assert!(allowed.contains(name), "{name} is not in {allowed}"));
    }),
    ("a channel with a slash in its name cannot be published to", |subject| {
        let name = format!("{}%2Froom", subject.path());
        let answer = subject.ask("POST", &name, &[], "1");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut socket = subject.socket("/ws", &[]);
        socket.send(TEXT, format!("GET {}/room {{\"last\":1}}", subject.path()).as_bytes());
        assert_eq!(socket.next_json()["publications"][0]["data"], 1);
        for bad in ["%2F%2Fx", "%2F..%2Fx", "%2F.", "%2F"] {
            let answer = subject.ask("POST", &format!("{}{bad}", subject.path()), &[], "1");
            assert_eq!((answer.status, answer.code().as_str()), (400, "bad_channel"), "{bad}");
        }
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs nginx and HAProxy"]
fn what_those_inside_may_ask() {
    run(EVERY_WAY, "", &["--allow-anonymous-publish"], OPEN_CASES);
}

#[test]
#[ignore = "run by tests/run reports"]
fn connect_is_taken_for_a_get() {
    let subject = Subject::start(Way::Direct, "", &[]);
    let connect = "CONNECT localhost:443 HTTP/1.1\r\nHost: localhost:443\r\n\r\n";
    assert_eq!(HttpClient::connect(subject.address()).exchange(connect).status, 405);
}

/// Whatever a refusal says would allow it does: origins as browsers send them, and what people write for them.
#[test]
#[ignore = "run by tests/run reports"]
fn the_advice_of_a_refusal_does_not_work() {
    let refusing = Subject::start(Way::Direct, "", &[]);
    let post = |subject: &Subject, origin| subject.ask("POST", &subject.path(), &[("Origin", origin)], "1");
    for origin in [
        "null",
        "file://",
        "chrome-extension://abcdefghijklmnopabcdefghijklmnop",
        "moz-extension://0f5cd0b4-0000-4000-8000-000000000000",
        "capacitor://localhost",
        "ionic://localhost",
        "https://a.example",
        "https://a.example:8443",
        "http://192.0.2.7:3000",
        "http://[2001:db8::1]:3000",
    ] {
        let answer = post(&refusing, origin);
        let said = answer.text();
        assert_eq!(answer.status, 403, "{origin}: {said}");
        let advice = format!("--allow-origin {origin}");
        assert!(said.contains(&advice), "{origin}: {said}");
        let allowing = Subject::start(Way::Direct, "", &["--allow-origin", origin]);
        assert_eq!(post(&allowing, origin).status, 200, "{origin} although {advice}");
        let mut socket = allowing.socket("/ws", &[("Origin", origin)]);
        socket.send(TEXT, b"GET /livez");
        assert_eq!(socket.next_json()["status"], 200, "{origin}");
    }
    for (written, origin, status) in [
        ("https://a.example/", "https://a.example", 200),
        ("https://*.example.com", "https://deep.er.example.com", 200),
        ("https://*.example.com", "https://example.com.evil.example", 403),
        ("*", "https://anybody.example", 200),
    ] {
        let allowing = Subject::start(Way::Direct, "", &["--allow-origin", written]);
        assert_eq!(post(&allowing, origin).status, status, "{origin} with {written}");
    }
    let allowing = Subject::start(Way::Direct, "", &["--allow-host", "push.lan"]);
    assert_eq!(allowing.ask("GET", &allowing.path(), &[("Host", "push.lan")], "").status, 200);
}

/// `tidings --dev` is for pages that are opened as files, and for no others.
#[test]
#[ignore = "run by tests/run reports"]
fn a_page_that_is_a_file_cannot_be_tried_out() {
    let subject = Subject::start(Way::Direct, "", &["--dev"]);
    for origin in ["null", "file://"] {
        let mut socket = subject.socket("/ws", &[("Origin", origin)]);
        socket.send(TEXT, format!("POST {} \"{origin}\"", subject.path()).as_bytes());
        socket.send(TEXT, b"GET /livez");
        assert_eq!(socket.next_json()["status"], 200);
        assert_eq!(subject.data(), format!("\"{origin}\""));
    }
    is_refused(&subject, "https://elsewhere.example");
}

/// Who was refused is in the log, with what would allow it, and not once for each attempt.
#[test]
#[ignore = "run by tests/run reports"]
fn the_operator_sees_nothing_of_a_refused_page() {
    let subject = Subject::start(Way::Direct, "", &[]);
    for _ in 0..20 {
        is_refused(&subject, "https://shop.example");
    }
    is_refused(&subject, "https://other.example");
    let process = subject.process;
    process.signal("TERM");
    let (_, log) = process.wait();
    for origin in ["https://shop.example", "https://other.example"] {
        let lines: Vec<&str> = log.lines().filter(|line| line.contains(origin)).collect();
        assert_eq!(lines.len(), 1, "{log}");
        assert!(lines[0].contains(&format!("--allow-origin {origin}")), "{}", lines[0]);
    }
}
