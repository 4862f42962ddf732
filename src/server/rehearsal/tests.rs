//! What the rehearsal shows that a kernel would hide: bytes and turns, exactly.

use super::{Client, Rehearsal, masked};
use crate::access::Identities;
use crate::config::Config;
use crate::hub::post::{Delivery, Post};
use crate::hub::publication::Publication;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::request::{GetOptions, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::{Answer, Reply, Respond};
use crate::node::execute::{Node, execute};
use crate::node::work::Work;
use crate::protocol::encoders::{BINARY, EVENT_STREAM, TEXT};
use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

#[test]
fn echoes_publications_and_pings_are_written_as_by_a_server() {
    let mut server = Rehearsal::new(&Config::default());
    let (echo, reader) = (server.open("/echo"), server.open("/channels/x"));
    let before = server.written(echo).expect("it is there");
    server.send(echo, &masked(b"hello").repeat(3));
    server.turn();
    assert_eq!(server.written(echo), Some(before + 3 * 7));
    let publisher = server.open("/ws");
    let before = server.written(reader).expect("it is there");
    server.send(publisher, &masked(b"POST /channels/x 1"));
    server.turn();
    assert!(server.written(reader) > Some(before));
    assert_eq!((server.connections(), server.hub().stats().published), (3, 1));
    server.pass(Duration::from_secs(3600));
    server.turn();
    assert_eq!(server.connections(), 3, "everybody was asked first");
    server.pass(Duration::from_secs(3600));
    server.turn();
    server.pass(Duration::from_secs(3600));
    server.turn();
    assert_eq!((server.connections(), server.written(echo)), (0, None));
}
/// When many have sent much, those who were read are answered before the others are read.
#[test]
fn a_tick_reads_so_much_and_goes_on_to_the_flush() {
    let mut server = Rehearsal::new(&Config::default());
    let clients: Vec<_> = (0..20).map(|_| server.open("/echo")).collect();
    let before: Vec<_> = clients.iter().map(|client| server.written(*client)).collect();
    let frame = masked("x".repeat(60_000).as_bytes());
    clients.iter().for_each(|client| server.send(*client, &frame));
    let mut answered = Vec::new();
    loop {
        server.engine.turn();
        let written = clients.iter().zip(&before).filter(|(client, before)| server.written(**client) > **before);
        answered.push(written.count());
        if !server.engine.is_busy() {
            break;
        }
    }
    assert_eq!(
        answered,
        [4, 8, 12, 16, 20],
        "64 KiB are reached with the second of 60,000 bytes, but four have their turn; in the order they came"
    );
}

/// A message in a text frame; one with a line feed, in a binary frame.
fn framed(message: &str) -> Vec<u8> {
    let mut frame = masked(message.as_bytes());
    frame[0] = if message.contains('\n') { 0x82 } else { 0x81 };
    frame
}

/// Bytes written to each reader of `x` and to one who sends these messages: at once, or with a turn after each.
fn written_to_all(messages: &[&str], at_once: bool) -> Vec<u64> {
    let mut server = Rehearsal::new(&Config::default());
    let clients = ["/ws", "/ws", "/channels/x", "/channels/x"].map(|path| server.open(path));
    for (client, end) in [(0, ""), (1, "\n")] {
        server.send(clients[client], &framed(&format!(r#"{{"method":"GET","path":"/channels/x"}}{end}"#)));
        server.turn();
    }
    let sender = clients[0];
    for message in messages {
        server.send(sender, &framed(message));
        if !at_once {
            server.turn();
        }
    }
    server.turn();
    clients.iter().map(|client| server.written(*client).expect("it is there")).collect()
}

/// Publications in a row leave in one piece, whose bytes are those of the single pieces.
#[test]
fn a_run_of_publications_is_what_they_are_one_by_one() {
    const ONE: &str = r#"{"method":"POST","path":"/channels/x","data":1}"#;
    const NOT_TO_ME: &str = r#"{"method":"POST","path":"/channels/x","data":22,"exclude_self":true}"#;
    const ELSEWHERE: &str = r#"{"method":"POST","path":"/channels/y","data":333}"#;
    const BINARY: &str = "{\"method\":\"POST\",\"path\":\"/channels/x\"}\n\u{1}\u{2}";
    const LEAVE: &str = r#"{"method":"DELETE","path":"/subscriptions/x"}"#;
    const COME: &str = r#"{"method":"GET","path":"/channels/x"}"#;
    let long = format!(r#"{{"method":"POST","path":"/channels/x","data":"{}"}}"#, "x".repeat(9_000));
    for messages in [
        &[ONE; 8][..],
        &[ONE; 200],
        &[ONE, NOT_TO_ME, ONE, NOT_TO_ME, NOT_TO_ME],
        &[ONE, ELSEWHERE, ONE, ELSEWHERE],
        &[ONE, BINARY, BINARY, ONE],
        &[ONE, LEAVE, ONE, ONE, COME, ONE, ONE],
        &[ONE, LEAVE, NOT_TO_ME, ONE, ONE, ONE],
        &[&long, &long, &long, ONE],
    ] {
        assert_eq!(written_to_all(messages, true), written_to_all(messages, false), "{messages:?}");
    }
}

/// Five publications of one tick, of which three exclude a reader who did not send them.
#[test]
fn a_run_ends_where_somebody_else_is_excluded() {
    let written = |at_once: bool| {
        let mut server = Rehearsal::new(&Config::default());
        let readers = ["/channels/x"; 3].map(|path| server.open(path));
        let names = readers.map(|Client { slot, generation }| {
            let id = ConnId::here(MailboxId(0), slot, generation);
            format!("?exclude={}", server.hub().names().name(id))
        });
        for query in ["", &names[0], &names[0], &names[1], ""] {
            let publisher = server.connect();
            let head = format!("POST /channels/x{query} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n1");
            server.send(publisher, head.as_bytes());
            if !at_once {
                server.turn();
            }
        }
        server.turn();
        assert_eq!(server.hub().stats().published, 5);
        readers.map(|reader| server.written(reader).expect("it is there"))
    };
    let [first, second, third] = written(false);
    // Where a publication is takes more words than this one.
    assert!(first > second && second > third);
    assert_eq!(written(true), [first, second, third]);
}

/// A library subscriber that keeps the history that it receives.
#[derive(Default)]
struct Catcher(RefCell<Vec<Arc<Publication>>>);

impl Post for Catcher {
    fn reserve(&self, _: MailboxId, _: usize) -> bool {
        true
    }

    fn release(&self, _: MailboxId, _: usize) {}

    fn post(&self, _: MailboxId, _: Delivery) {}

    fn wake(&self, _: MailboxId) {}
}

impl Respond for Catcher {
    fn respond(&self, reply: Reply) {
        let Answer::Channel { publications, .. } = reply.answer else { return };
        self.0.borrow_mut().extend(publications);
    }
}

/// An encoding costs memory for as long as the publication is kept.
#[test]
fn only_the_encodings_that_somebody_reads_are_made() {
    const STREAM: &str = "GET /channels/x HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    for (has_socket, has_stream) in [(false, false), (true, false), (false, true), (true, true)] {
        let mut server = Rehearsal::new(&Config::default());
        if has_socket {
            server.open("/channels/x");
        }
        if has_stream {
            let reader = server.connect();
            server.send(reader, STREAM.as_bytes());
            server.turn();
        }
        let publisher = server.open("/ws");
        // One by itself, and a run.
        for times in [1, 3] {
            server.send(publisher, &framed(r#"{"method":"POST","path":"/channels/x","data":1}"#).repeat(times));
            server.turn();
        }
        let catcher = Catcher::default();
        let options = GetOptions { once: true, last: Some(10), ..GetOptions::default() };
        let verb = Verb::Get { channel: "x".try_into().expect("a name"), options };
        let to = ConnId::here(MailboxId(9), 0, 0);
        let mut work = Work::one(to, Identities::default().operator, Ticket::default(), Ok(Request { id: None, verb }));
        execute(&mut work, Node::open(server.hub()), &catcher, server.now, 0);
        let kept = catcher.0.into_inner();
        let made: Vec<_> =
            kept.iter().map(|publication| [TEXT, BINARY, EVENT_STREAM].map(|one| publication.is_made(one))).collect();
        assert_eq!(made, [[has_socket, false, has_stream]; 4]);
    }
}

/// Each byte of a dripping frame had started its time anew.
#[test]
fn a_dripping_echo_has_its_time_once() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.open("/echo");
    let before = server.written(client);
    for byte in &masked(b"dripping")[..7] {
        server.send(client, &[*byte]);
        server.turn();
        assert_eq!(server.written(client), before, "nothing is said before 30 s");
        server.pass(Duration::from_millis(4_500));
    }
    server.turn();
    assert!(server.written(client) > before, "it was told that its time is over");
}
