//! Event streams through whatever stands between, read by curl.

use super::{Case, EVERY_WAY, Subject, Way, run};
use crate::support::http::post;
use crate::support::wait_until;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

/// A stream as curl prints it, undoing what a proxy compressed.
struct Stream {
    child: Child,
    lines: std::io::Lines<BufReader<ChildStdout>>,
}

impl Stream {
    /// Opens the stream of the case's channel.
    fn open(subject: &Subject, query: &str, fields: &[&str]) -> Stream {
        let url = format!("http://{}{}{query}", subject.address(), subject.path());
        let mut command = Command::new("curl");
        // Its time limit ends a test in which nothing comes.
        command.args(["--silent", "--no-buffer", "--include", "--compressed", "--max-time", "20"]);
        command.args(["-H", "Accept: text/event-stream"]);
        for field in fields {
            command.args(["-H", field]);
        }
        let mut child = command.arg(url).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("curl runs");
        let lines = BufReader::new(child.stdout.take().expect("standard output")).lines();
        Stream { child, lines }
    }

    /// The lines up to the next empty one.
    fn block(&mut self) -> String {
        let mut block = String::new();
        loop {
            let line = self.lines.next().unwrap_or_else(|| panic!("the stream ended; so far {block:?}")).expect("text");
            match line.trim_end() {
                "" => return block,
                line => block += &format!("{line}\n"),
            }
        }
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What comes first of the events: the position.
fn position(stream: &mut Stream) -> String {
    let head = stream.block();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let block = stream.block();
    assert!(block.contains("event: position"), "{block}");
    block
}

fn publish(subject: &Subject, data: &str) -> String {
    let answer = post(subject.address(), &subject.path(), data);
    assert_eq!(answer.status, 200, "{}", answer.text());
    format!("{}:{}", answer.json()["epoch"].as_str().expect("an epoch"), answer.json()["offset"])
}

/// Goes on after the first of two publications, in this way.
fn resumes(subject: &Subject, query: impl Fn(&str) -> String, fields: impl Fn(&str) -> Vec<String>) {
    let first = publish(subject, "1");
    publish(subject, "2");
    let fields = fields(&first);
    let fields: Vec<&str> = fields.iter().map(String::as_str).collect();
    let mut stream = Stream::open(subject, &query(&first), &fields);
    let told = position(&mut stream);
    assert!(told.contains("\"recovered\":true"), "{told}");
    let block = stream.block();
    assert!(block.contains("data: 2"), "{block}");
}

const CASES: &[Case] = &[
    ("a compressing proxy swallows the stream, its head included", |subject| {
        let mut stream = Stream::open(subject, "", &[]);
        position(&mut stream);
        for data in ["{\"n\":1}", "{\"n\":2}"] {
            publish(subject, data);
            let block = stream.block();
            assert!(block.contains(&format!("data: {data}")), "{block}");
        }
    }),
    ("the position that polyfills put into the query is not read", |subject| {
        resumes(subject, |position| format!("?lastEventId={position}"), |_| Vec::new());
    }),
    ("a position in the query under the field's name is not read", |subject| {
        resumes(subject, |position| format!("?Last-Event-ID={position}"), |_| Vec::new());
    }),
    ("a proxy loses Last-Event-ID", |subject| {
        resumes(subject, |_| String::new(), |position| vec![format!("Last-Event-ID: {position}")]);
    }),
    ("an option that a client adds ends the stream for good", |subject| {
        let mut stream = Stream::open(subject, "?_=17&jwt.token=x&last=none", &[]);
        let head = stream.block();
        assert!(head.starts_with("HTTP/1.1 200"), "{head}");
        let block = stream.block();
        assert!(block.contains("event: position") && block.contains("jwt.token"), "{block}");
    }),
    ("an option's name ends the comment that names it, and forges an event", |subject| {
        let mut stream = Stream::open(subject, "?%0A%0Aevent:%20forged%0Adata:%201%0A%0A=1", &[]);
        let told = position(&mut stream);
        assert!(!told.contains("forged"), "{told}");
        publish(subject, "1");
        let block = stream.block();
        assert!(!block.contains("forged") && block.contains("data: 1"), "{block}");
    }),
    ("a stream that is new is told that it has recovered", |subject| {
        let told = position(&mut Stream::open(subject, "", &[]));
        assert!(!told.contains("recovered"), "{told}");
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs curl, nginx and HAProxy"]
fn event_streams() {
    run(EVERY_WAY, "", &["--allow-anonymous-publish"], CASES);
}

/// No room for another connection: the browser is told inside of a stream, and health checks are answered.
#[test]
#[ignore = "run by tests/run reports: needs curl"]
fn a_server_that_is_full_is_given_up_for_good_and_restarted() {
    let subject = Subject::start(Way::Direct, "[server]\nreactors = 1\nconnections = 2\n", &[]);
    let held: Vec<_> = (0..2).map(|_| subject.socket("/ws", &[])).collect();
    let mut stream = Stream::open(&subject, "", &[]);
    let head = stream.block();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let block = stream.block();
    assert!(block.starts_with("retry: ") && block.contains("event: refused"), "{block}");
    assert!(block.contains("\"status\":503"), "{block}");
    assert_eq!(subject.ask("GET", "/livez", &[("Host", "10.0.0.7")], "").status, 200);
    drop(held);
    wait_until("there is room again", || subject.ask("GET", "/readyz", &[], "").status == 200);
    position(&mut Stream::open(&subject, "", &[]));
}
