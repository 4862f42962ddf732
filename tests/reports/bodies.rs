//! What people send with curl, fetch and forms, through every front: what is published, and what is refused.

use super::{Case, EVERY_WAY, Subject, Way, run};
use crate::support::http::{HttpClient, request_bytes};
use std::io::Write as _;
use std::process::{Command, Stdio};
use std::time::Duration;

/// Publishes with curl and these options to the case's channel: the status and the body of the answer.
fn curl(subject: &Subject, options: &[&str], input: &[u8]) -> (u16, String) {
    let url = format!("http://{}{}", subject.address(), subject.path());
    let mut command = Command::new("curl");
    command
        .args(["--silent", "--show-error", "--max-time", "30", "--write-out", "\n%{http_code}"])
        .args(options)
        .arg(url);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("curl runs");
    let mut stdin = child.stdin.take().expect("standard input");
    let input = input.to_vec();
    let writer = std::thread::spawn(move || {
        // Curl reads no further when it was refused.
        let _ = stdin.write_all(&input);
    });
    let output = child.wait_with_output().expect("curl ends");
    writer.join().expect("no panic");
    assert!(output.status.success(), "curl says {}", String::from_utf8_lossy(&output.stderr));
    let text = String::from_utf8(output.stdout).expect("text");
    let (body, status) = text.rsplit_once('\n').expect("the status stands last");
    (status.parse().expect("a status"), body.to_owned())
}

fn publishes(subject: &Subject, options: &[&str], data: &str) {
    let (status, body) = curl(subject, options, b"");
    assert_eq!(status, 200, "{body}");
    assert_eq!(subject.data(), data);
}

fn refuses(subject: &Subject, options: &[&str], input: &[u8], status: u16, says: &[&str]) {
    let (got, body) = curl(subject, options, input);
    assert_eq!(got, status, "{body}");
    says.iter().for_each(|word| assert!(body.contains(word), "{word} is not in {body}"));
    assert_eq!(subject.data(), "", "what was refused was published");
}

const GZIP: &[u8] = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03\x33\x04\x00\xb7\xef\xdc\x83\x01\x00\x00\x00";

const CASES: &[Case] = &[
    ("curl -d sends a form, and JSON in it arrives as the name of a field", |subject| {
        publishes(subject, &["-d", r#"{"a": 1.10}"#], r#"{"a": 1.10}"#);
    }),
    ("curl -d with single quotes as keys is published as a form", |subject| {
        refuses(subject, &["-d", "{'a':1}"], b"", 400, &["bad_json", "line 1 column 2"]);
    }),
    ("curl -d with a comma too many is published as a form", |subject| {
        refuses(subject, &["-d", r#"{"a":1,}"#], b"", 400, &["bad_json", "line 1 column 8"]);
    }),
    ("curl -d with an unfinished list is published as a form", |subject| {
        refuses(subject, &["-d", "[1,2"], b"", 400, &["bad_json", "line 1 column"]);
    }),
    ("a real form arrives as an object", |subject| {
        publishes(subject, &["-d", "name=Ada&tag=a", "-d", "tag=b"], r#"{"name":"Ada","tag":["a","b"]}"#);
    }),
    ("fetch with a string body sends text/plain, and readers get a string that they must parse again", |subject| {
        publishes(subject, &["-H", "Content-Type: text/plain;charset=UTF-8", "-d", r#"{"a":[1]}"#], r#"{"a":[1]}"#);
    }),
    ("plain text stays a text", |subject| {
        publishes(subject, &["-H", "Content-Type: text/plain", "-d", "{ not json }"], r#""{ not json }""#);
    }),
    ("a file that Windows Notepad saved begins with a mark, and is not JSON", |subject| {
        publishes(subject, &["-H", "Content-Type: application/json", "-d", "\u{feff}{\"a\":1}"], r#"{"a":1}"#);
    }),
    ("a compressed body is published as it is, under the plain type", |subject| {
        let options = ["-H", "Content-Type: application/json", "-H", "Content-Encoding: gzip", "--data-binary", "@-"];
        refuses(subject, &options, GZIP, 415, &["unsupported_encoding"]);
    }),
    ("an upload with multipart/form-data is stored with its boundaries", |subject| {
        refuses(subject, &["-F", "a=1"], b"", 415, &["unsupported_media_type"]);
    }),
    ("an empty body is published as null", |subject| {
        refuses(subject, &["-X", "POST"], b"", 400, &["bad_json"]);
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs curl, nginx and HAProxy"]
fn what_curl_sends() {
    run(EVERY_WAY, "", &["--allow-anonymous-publish"], CASES);
}

/// The client is still sending when it is refused: a server that closes at once resets the connection, and the client sees
/// an error of the network. A proxy's own pipes hide it, so this is direct.
const UPLOADS: &[Case] = &[
    ("a body that is too large ends in a reset instead of 413", |subject| {
        let body = vec![b'1'; 3 << 20];
        refuses(subject, &["-H", "Expect:", "--data-binary", "@-"], &body, 413, &["too_large"]);
    }),
    ("a chunked upload that is too large ends in a reset instead of 413", |subject| {
        let body = vec![b'1'; 3 << 20];
        let options = ["-H", "Expect:", "-H", "Transfer-Encoding: chunked", "--data-binary", "@-"];
        refuses(subject, &options, &body, 413, &["too_large"]);
    }),
    ("curl waits a second for leave to send a large body that is refused anyway", |subject| {
        let body = vec![b'1'; 3 << 20];
        refuses(subject, &["-H", "Expect: 100-continue", "--data-binary", "@-"], &body, 413, &["too_large"]);
    }),
];

#[test]
#[ignore = "run by tests/run reports: needs curl"]
fn uploads_that_are_refused() {
    run(&[Way::Direct], "", &[], UPLOADS);
}

/// A line end after a body is what old browsers sent and some libraries still do.
#[test]
#[ignore = "run by tests/run reports"]
fn an_empty_line_after_a_post_is_answered_with_408() {
    let subject = Subject::start(Way::Direct, "[http]\nhead_timeout = \"1s\"\n", &[]);
    let mut client = HttpClient::connect(subject.address());
    let post = request_bytes("POST", &subject.path(), &[], b"1");
    assert_eq!(client.exchange([&post[..], b"\r\n"].concat()).status, 200);
    assert!(client.raw.is_silent_for(Duration::from_secs(3)), "an answer that nobody asked for");
    assert!(client.is_kept());
}

/// Eight seconds for a body that has two, besides what it wins by coming: it makes progress all the time.
#[test]
#[ignore = "run by tests/run reports: needs curl"]
fn a_slow_upload_that_makes_progress_is_cut_off() {
    let subject = Subject::start(Way::Direct, "[http]\nbody_timeout = \"2s\"\n", &[]);
    let body = format!("\"{}\"", "x".repeat(160_000));
    let options = ["-H", "Content-Type: application/json", "--limit-rate", "20k", "--data-binary", "@-"];
    let (status, said) = curl(&subject, &options, body.as_bytes());
    assert_eq!(status, 200, "{said}");
    assert_eq!(subject.data().len(), body.len());
}
