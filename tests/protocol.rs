//! The protocol's text is what the server does: every example of it is executed, each block against a fresh server.

use crate::durable::Store;
use crate::support::http::{Answer, HttpClient};
use crate::support::ws::WsClient;
use crate::support::{TestServer, with_one_and_two_reactors};

const PROTOCOL: &str = include_str!("../src/protocol/tidings/PROTOCOL.md");
/// Ends each block, so that a frame too many is noticed.
const LAST_REQUEST: &str = r#"{"id":"the end","method":"GET","path":"/livez"}"#;
const LAST_ANSWER: &str = r#"{"id":"the end","status":200}"#;

/// The lines of all blocks with this info string.
fn blocks(info: &str) -> Vec<Vec<&'static str>> {
    let mut found = Vec::new();
    let mut lines = PROTOCOL.lines();
    while let Some(line) = lines.next() {
        if line.strip_prefix("```") == Some(info) {
            found.push(lines.by_ref().take_while(|line| *line != "```").collect());
        }
    }
    assert_eq!(found.len(), PROTOCOL.matches(&format!("```{info}\n")).count(), "a block was skipped");
    found
}

/// Whether `text` is what `pattern` describes; the epoch that was matched last goes to `epoch`.
fn matches(pattern: &str, text: &str, epoch: &mut String) -> bool {
    if let Some(rest) = pattern.strip_prefix('…') {
        return (0..=text.len()).filter(|at| text.is_char_boundary(*at)).any(|at| matches(rest, &text[at..], epoch));
    }
    if let Some(rest) = pattern.strip_prefix("EPOCH") {
        let is_epoch = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
        let end = text.find(|c| !is_epoch(c)).unwrap_or(text.len());
        let matched = (8..=16).contains(&end) && matches(rest, &text[end..], epoch);
        if matched && !rest.contains("EPOCH") {
            text[..end].clone_into(epoch);
        }
        return matched;
    }
    if let Some(rest) = pattern.strip_prefix("CONNECTION") {
        let end = text.find('"').unwrap_or(text.len());
        return end > 0 && matches(rest, &text[end..], epoch);
    }
    match (pattern.chars().next(), text.chars().next()) {
        (None, None) => true,
        (Some(a), Some(b)) if a == b => matches(&pattern[a.len_utf8()..], &text[b.len_utf8()..], epoch),
        _ => false,
    }
}

/// Sends and expects line by line; how many lines that were.
fn run_socket_block(server: &TestServer, lines: &[&str]) -> usize {
    let mut socket = WsClient::connect(server.address());
    let mut epoch = String::new();
    for line in lines {
        if let Some(frame) = line.strip_prefix("> ") {
            socket.send_text(&frame.replace("EPOCH", &epoch));
        } else {
            let expected = line.strip_prefix("< ").unwrap_or_else(|| panic!("{line:?} is no line of a block"));
            let came = socket.next_text();
            assert!(matches(expected, &came, &mut epoch), "\nexpected {expected}\n    came {came}");
        }
    }
    socket.send_text(LAST_REQUEST);
    assert_eq!(socket.next_text(), LAST_ANSWER, "a frame too many");
    lines.len()
}

/// Fields up to an empty line, and the body behind it, if there are any.
fn split_message<'a>(lines: &[&'a str]) -> (Vec<(&'a str, &'a str)>, Option<String>) {
    let end = lines.iter().position(|line| line.is_empty());
    let fields = lines[..end.unwrap_or(lines.len())].iter();
    let fields = fields.map(|line| line.split_once(": ").unwrap_or_else(|| panic!("{line:?} is no field"))).collect();
    (fields, end.map(|end| lines[end + 1..].join("\n")))
}

fn check_answer(expected: &[&str], came: &Answer, epoch: &mut String) {
    let (status, rest) = expected.split_first().expect("a status");
    assert_eq!(*status, came.status.to_string(), "{}", came.text());
    let (fields, body) = split_message(rest);
    for (name, value) in fields {
        assert!(came.field(name).is_some_and(|came| matches(value, came, epoch)), "{name}: {value} of {came:?}");
    }
    if let Some(body) = body {
        let text = came.text();
        let text = text.strip_suffix('\n').unwrap_or(&text);
        assert!(matches(&body, text, epoch), "\nexpected {body}\n    came {text}");
    }
}

/// Sends each request on one connection and checks its answer; how many requests that were.
fn run_http_block(server: &TestServer, lines: &[&str]) -> usize {
    let mut client = HttpClient::connect(server.address());
    let (mut epoch, mut executed, mut at) = (String::new(), 0, 0);
    let mut take = |mark: char| {
        let start = at;
        while lines.get(at).is_some_and(|line| line.starts_with(mark)) {
            at += 1;
        }
        lines[start..at].iter().map(|line| line[1..].strip_prefix(' ').unwrap_or("")).collect::<Vec<_>>()
    };
    loop {
        let (request, answer) = (take('>'), take('<'));
        let Some((first, rest)) = request.split_first() else {
            assert!(answer.is_empty(), "an answer without a request: {answer:?}");
            break;
        };
        let (method, target) = first.split_once(' ').expect("a request line");
        let (fields, body) = split_message(rest);
        let body = body.unwrap_or_default().replace("EPOCH", &epoch);
        let fields: Vec<_> = fields.into_iter().map(|(name, value)| (name, value.replace("EPOCH", &epoch))).collect();
        let fields: Vec<_> = fields.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let came = client.request(method, &target.replace("EPOCH", &epoch), &fields, body.as_bytes());
        check_answer(&answer, &came, &mut epoch);
        executed += 1;
    }
    assert_eq!(at, lines.len(), "{:?} belongs to no request and no answer", lines.get(at));
    executed
}

#[test]
fn every_example_on_a_socket_is_what_the_server_does() {
    let blocks = blocks("text,socket");
    assert!(blocks.len() >= 6, "only {} blocks", blocks.len());
    with_one_and_two_reactors(|reactors| {
        for lines in &blocks {
            let server = TestServer::start(|config| config.server.reactors = reactors);
            assert_eq!(run_socket_block(&server, lines), lines.len());
        }
    });
}

#[test]
fn every_example_over_http_is_what_the_server_does() {
    let blocks = blocks("text,http");
    assert!(blocks.len() >= 2, "only {} blocks", blocks.len());
    with_one_and_two_reactors(|reactors| {
        for lines in &blocks {
            let server = TestServer::start(|config| config.server.reactors = reactors);
            let is_request = |line: &&&str| ["> GET /", "> POST /", "> DELETE /"].iter().any(|m| line.starts_with(m));
            assert_eq!(run_http_block(&server, lines), lines.iter().filter(is_request).count(), "one was skipped");
        }
    });
}

#[test]
fn every_example_holds_with_histories_on_disk() {
    for (info, run) in
        [("text,socket", run_socket_block as fn(&TestServer, &[&str]) -> usize), ("text,http", run_http_block)]
    {
        for lines in &blocks(info) {
            let store = Store::new();
            assert!(run(&TestServer::start(|config| store.keep(config)), lines) > 0);
        }
    }
}

#[test]
fn what_the_text_leaves_open_matches_and_nothing_else_does() {
    let mut epoch = String::new();
    for (pattern, text, holds) in [
        ("a…", "abc", true),
        ("…}", "{}}", true),
        ("a…c", "abd", false),
        ("\"EPOCH\"", "\"abcdefgh\"", true),
        ("\"EPOCH\"", "\"short\"", false),
        ("\"CONNECTION\"", "\"\"", false),
        ("[\"CONNECTION\"]", "[\"0-1-2\"]", true),
        ("abc", "ab", false),
    ] {
        assert_eq!(matches(pattern, text, &mut epoch), holds, "{pattern} {text}");
    }
    assert_eq!(epoch, "abcdefgh");
}
