//! The follower and the whole command against a scripted server.

use super::{Ended, Follower, follow};
use crate::cli::args::{Arguments, Command, SubscribeArgs};
use clap::Parser as _;
use std::net::TcpListener;
use tidings::client::Backoff;
use tungstenite::Message;

fn args(more: &[&str]) -> SubscribeArgs {
    let all = ["tidings", "subscribe", "news"].iter().chain(more);
    match Arguments::try_parse_from(all).expect("arguments").command {
        Some(Command::Subscribe(args)) => args,
        other => panic!("{other:?}"),
    }
}

/// Runs one connection in which the server reads a request, checks it, and says `frames`.
fn one_connection(follower: &mut Follower, more: &[&str], asked: &'static str, frames: Vec<String>) -> Ended {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        let (stream, _) = listener.accept().expect("a connection");
        let mut socket = tungstenite::accept_hdr(stream, ProtocolOffer).expect("a handshake");
        let request = socket.read().expect("a request").into_text().expect("text");
        assert!(request.contains(asked), "{request} does not contain {asked}");
        for frame in frames {
            socket.send(Message::text(frame)).expect("sent");
        }
        socket.close(None).expect("closed");
        while socket.read().is_ok() {}
    });
    let mut with_url = vec!["--url", &url];
    with_url.extend(more);
    let args = args(&with_url);
    let ended = follow(&args, &args.server.url, follower, &mut Backoff::default());
    server.join().expect("the server");
    ended
}

/// Answers the offer of `tidings.v1`.
struct ProtocolOffer;

impl tungstenite::handshake::server::Callback for ProtocolOffer {
    #[allow(clippy::result_large_err, reason = "the signature is tungstenite's")]
    fn on_request(
        self,
        _: &tungstenite::handshake::server::Request,
        mut response: tungstenite::handshake::server::Response,
    ) -> Result<tungstenite::handshake::server::Response, tungstenite::handshake::server::ErrorResponse> {
        response.headers_mut().insert("Sec-WebSocket-Protocol", "tidings.v1".parse().expect("a value"));
        Ok(response)
    }
}

fn members(json: &str) -> tidings::client::Members {
    json.parse().expect("an object")
}

#[test]
fn it_asks_as_told_first_and_resumes_behind_what_it_saw() {
    let mut follower = Follower::new(&args(&[]));
    let answer =
        "{\"id\":1,\"status\":200,\"channel\":\"news\",\"epoch\":\"abcdefgh\",\"offset\":3,\"publications\":[]}";
    let push = "{\"channel\":\"news\",\"offset\":4,\"data\":{\"a\":1.10}}";
    let frames = vec![answer.to_owned(), push.to_owned()];
    let ended = one_connection(&mut follower, &["--last", "2"], "\"last\":2", frames);
    assert!(matches!(ended, Ended::Connection(error) if error.is_temporary()));
    assert_eq!((follower.epoch.as_str(), follower.offset), ("abcdefgh", 4));
    let asked = "\"since\":\"abcdefgh:4\"";
    one_connection(&mut follower, &["--last", "2"], asked, vec![answer.replace('3', "9")]);
    assert_eq!(follower.offset, 9);
}

#[test]
fn a_reset_moves_the_position_to_the_new_epoch() {
    let mut follower = Follower::new(&args(&[]));
    let mut out = Vec::new();
    let answer = members("{\"epoch\":\"abcdefgh\",\"offset\":3,\"publications\":[{\"offset\":3,\"data\":1}]}");
    assert!(follower.answer(&answer, &mut out).is_ok());
    assert!(follower.push(&members("{\"epoch\":\"ijklmnop\",\"offset\":0,\"reset\":true}"), &mut out).is_ok());
    assert!(follower.push(&members("{\"offset\":1,\"event\":\"e\",\"data\":[ 1,\n2 ]}"), &mut out).is_ok());
    assert_eq!((follower.epoch.as_str(), follower.offset), ("ijklmnop", 1));
    assert!(follower.push(&members("{\"epoch\":\"qrstuvwx\",\"offset\":41,\"reset\":true}"), &mut out).is_ok());
    assert_eq!((follower.epoch.as_str(), follower.offset), ("qrstuvwx", 41), "it may go on anywhere");
    assert_eq!(String::from_utf8(out).expect("text"), "3 1\n1 [e] [ 1, 2 ]\n");
}

#[test]
fn json_lines_name_the_position_and_keep_the_bytes() {
    let mut follower = Follower::new(&args(&["--json"]));
    let mut out = Vec::new();
    let answer =
        "{\"epoch\":\"abcdefgh\",\"offset\":1,\"publications\":[{\"data\":{ \"z\":1.10,\n\"a\":-0 },\"offset\":1}]}";
    assert!(follower.answer(&members(answer), &mut out).is_ok());
    let expected = "{\"channel\":\"news\",\"epoch\":\"abcdefgh\",\"offset\":1,\"data\":{ \"z\":1.10, \"a\":-0 }}\n";
    assert_eq!(String::from_utf8(out).expect("text"), expected);
}

#[test]
fn a_terminal_is_not_commanded_by_what_is_published() {
    let line = super::terminal_line(&members("{\"offset\":1,\"event\":\"\\u001b[2J\",\"data\":\"\u{9b}31m服\"}"));
    assert_eq!(line, "1 [\\u{1b}[2J] \"\\u{9b}31m服\"");
}

#[test]
fn an_answer_without_a_position_is_no_answer() {
    let mut follower = Follower::new(&args(&[]));
    let ended = follower.answer(&members("{\"status\":200}"), &mut Vec::new());
    assert!(matches!(ended, Err(Ended::Connection(error)) if !error.is_temporary()));
}

#[test]
fn binary_data_is_marked() {
    let line = super::terminal_line(&members(
        "{\"offset\":7,\"event\":\"shot\",\"content_type\":\"image/jpeg\",\"data_base64\":\"/9j/4A==\"}",
    ));
    assert_eq!(line, "7 [shot] (image/jpeg, 4 bytes, here in base64) /9j/4A==");
    assert_eq!(["", "YQ==", "YWI=", "YWJj"].map(super::decoded_bytes), [0, 1, 2, 3]);
}

#[test]
fn frames_it_does_not_know_and_publications_that_exclude_it_print_nothing() {
    let mut follower = Follower::new(&args(&[]));
    let mut out = Vec::new();
    assert!(follower.answer(&members("{\"epoch\":\"abcdefgh\",\"offset\":6,\"publications\":[]}"), &mut out).is_ok());
    assert!(follower.push(&members("{\"channel\":\"news\",\"offset\":7,\"excluded\":true}"), &mut out).is_ok());
    assert!(follower.push(&members("{\"channel\":\"news\",\"news\":\"of a later version\"}"), &mut out).is_ok());
    assert_eq!((follower.offset, out.is_empty()), (7, true));
}

/// Serves connections one after the other: each must ask for what is written, gets the frames, and is closed.
fn scripted(
    connections: Vec<(&'static str, Vec<&'static str>, u16, &'static str)>,
) -> (String, std::thread::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = listener.local_addr().expect("an address").to_string();
    let server = std::thread::spawn(move || {
        for (asked, frames, code, reason) in connections {
            let (stream, _) = listener.accept().expect("a connection");
            let mut socket = tungstenite::accept_hdr(stream, ProtocolOffer).expect("a handshake");
            let request = socket.read().expect("a request").into_text().expect("text");
            assert!(request.contains(asked), "{request} does not contain {asked}");
            frames.into_iter().for_each(|frame| socket.send(Message::text(frame)).expect("sent"));
            let frame = tungstenite::protocol::CloseFrame { code: code.into(), reason: reason.into() };
            socket.close(Some(frame)).expect("closed");
            while socket.read().is_ok() {}
        }
    });
    (url, server)
}

#[test]
fn it_resumes_after_a_slow_consumer_and_a_restart_and_ends_with_the_sentence_of_a_refusal() {
    let answer =
        "{\"id\":1,\"status\":200,\"channel\":\"news\",\"epoch\":\"abcdefgh\",\"offset\":3,\"publications\":[]}";
    let push = "{\"channel\":\"news\",\"offset\":4,\"data\":1}";
    let again = "{\"id\":1,\"status\":200,\"channel\":\"news\",\"epoch\":\"abcdefgh\",\"offset\":4,\"recovered\":true,\"publications\":[]}";
    let (url, server) = scripted(vec![
        ("/channels/news", vec![answer, push], 1008, "slow_consumer"),
        ("\"since\":\"abcdefgh:4\"", vec![again], 1012, "server_shutdown"),
        ("\"since\":\"abcdefgh:4\"", vec![again], 4403, "origin_not_allowed: pages from there may not read"),
    ]);
    let error = super::run(&args(&["--url", &url])).expect_err("refused for good").to_string();
    assert_eq!(error, "closed by the server with 4403 origin_not_allowed: pages from there may not read");
    server.join().expect("the server");
}
