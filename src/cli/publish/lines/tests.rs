//! Standard input against a real server.

use super::{Lines, goes_on, run};
use crate::cli::args::{Arguments, Command, PublishArgs};
use clap::Parser as _;
use std::process::ExitCode;
use tidings::{Config, Server};

fn server() -> Server {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.reactors = 1;
    config.server.workers = 1;
    Server::start(config).expect("the server starts")
}

fn args(url: &str, more: &[&str]) -> PublishArgs {
    let all = ["tidings", "publish", "news", "-", "--url", url];
    match Arguments::try_parse_from(all.iter().chain(more)).expect("arguments").command {
        Some(Command::Publish(args)) => args,
        other => panic!("{other:?}"),
    }
}

/// Publishes an input to a server of its own: the outcome (`None` for success), what was printed without the epoch, and
/// what the channel has.
fn published(input: &[u8], more: &[&str]) -> (Option<String>, String, Vec<String>) {
    let server = server();
    let mut out = Vec::new();
    let outcome = match run(&args(&server.addresses()[0].to_string(), more), input, &mut out) {
        Ok(code) if code == ExitCode::SUCCESS => None,
        Ok(_) => Some("left out".to_owned()),
        Err(error) => Some(error.to_string()),
    };
    let printed = String::from_utf8(out).expect("text");
    let printed = printed.lines().map(|line| line.rsplit(':').next().unwrap_or_default()).collect::<Vec<_>>().join(",");
    let mut client = tidings::client::Client::connect(
        &server.addresses()[0].to_string().parse().expect("an endpoint"),
        super::super::WAIT,
    )
    .expect("connected");
    let answer = client.ask(&tidings::client::Request::get("news").with_number("last", 100), super::super::WAIT);
    let has = answer.expect("an answer").publications().expect("publications");
    client.close();
    assert_eq!(server.stop(std::time::Duration::from_secs(5)), 0, "nothing was cut off");
    (outcome, printed, has.iter().map(|one| one.raw("data").unwrap_or_default().to_owned()).collect())
}

#[test]
fn each_line_is_a_publication_and_is_answered() {
    let (outcome, printed, has) = published(b"\xEF\xBB\xBF{\"a\": 1.10}\r\n\n  2 \n\"three\"", &["--event", "e"]);
    assert_eq!((outcome, printed.as_str()), (None, "1,2,3"));
    assert_eq!(has, ["{\"a\": 1.10}", "2", "\"three\""]);
}

#[test]
fn a_bad_line_is_left_out_and_those_after_it_are_published() {
    let large = format!("\"{}\"", "x".repeat(100_000));
    let (outcome, printed, has) = published(format!("1\nnot json\n2\n{large}\n3\n").as_bytes(), &[]);
    assert_eq!(outcome.as_deref(), Some("left out"));
    assert_eq!((printed.as_str(), has.as_slice()), ("1,2,3", &["1", "2", "3"].map(str::to_owned)[..]));
}

#[test]
fn a_document_over_several_lines_is_one_publication() {
    let (outcome, printed, has) = published(b"{\n  \"a\": [\n    1\n  ]\n}\n", &["--key", "k"]);
    assert_eq!((outcome, printed.as_str()), (None, "1"));
    assert_eq!(has, ["{\n  \"a\": [\n    1\n  ]\n}"]);
    let (outcome, _, has) = published(b"{\"a\":1\n{\"a\":2}\n", &[]);
    let said = outcome.expect("refused");
    assert!(said.starts_with("line 1 is not complete") && said.contains("at line 2"), "{said}");
    assert!(has.is_empty());
}

#[test]
fn lines_published_again_with_their_key_are_not_published_twice() {
    let server = server();
    let url = server.addresses()[0].to_string();
    for input in ["1\n2\n", "1\n2\n3\n"] {
        let mut out = Vec::new();
        run(&args(&url, &["--key", "import"]), input.as_bytes(), &mut out).expect("published");
        let printed = String::from_utf8(out).expect("text");
        assert!(printed.trim_end().ends_with(if input.len() == 4 { ":2" } else { ":3" }), "{printed}");
    }
    assert_eq!(server.stop(std::time::Duration::from_secs(5)), 0, "nothing was cut off");
}

#[test]
fn nothing_and_what_is_no_text_are_refused() {
    let (outcome, _, _) = published(b"\n \n", &[]);
    assert_eq!(outcome.as_deref(), Some("there is nothing on standard input"));
    let (outcome, printed, has) = published(b"1\n\xFF\n2\n", &[]);
    assert_eq!((outcome.as_deref(), printed.as_str()), (Some("line 2 is not UTF-8"), "1"));
    assert_eq!(has, ["1"]);
}

#[test]
fn a_line_has_a_limit() {
    let fits = vec![b' '; super::LINE_BYTES - 2];
    let input = |spaces: &[u8]| Lines { input: std::io::Cursor::new([spaces, b"1\n"].concat()), number: 0 }.next();
    assert!(input(&fits).expect("as long as it may be").is_some());
    assert!(input(&[&fits[..], b" "].concat()).expect_err("too long").to_string().starts_with("line 1 has more than"));
}

#[test]
fn only_a_beginning_goes_on() {
    assert!(goes_on("{") && goes_on("[1,\n") && goes_on("{\"a\":"));
    assert!(!goes_on("{}") && !goes_on("nonsense") && !goes_on("{]") && !goes_on("1\n"));
}
