//! Requests that one read brought over HTTP: executed in one tick where they may be, answered in their order always.

use super::{Client, Rehearsal};
use crate::config::Config;

const BATCH: &str = r#"[{"method":"GET","path":"/livez"},{"method":"GET","path":"/channels/x"}]"#;

fn post(channel: &str, body: &str) -> String {
    format!("POST /channels/{channel} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// The statuses of the answers, each with the first line of its body.
fn answers(bytes: &[u8]) -> Vec<String> {
    let text = String::from_utf8(bytes.to_vec()).expect("text");
    let answers = text.split("HTTP/1.1 ").skip(1);
    let said = |answer: &str| {
        let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body.trim_end());
        // The channel's epoch is drawn at random.
        let body = body.split(',').filter(|part| !part.contains("epoch")).collect::<Vec<_>>().join(",");
        format!("{} {body}", &answer[..3])
    };
    answers.map(said).collect()
}

fn said(server: &mut Rehearsal, client: Client) -> Vec<String> {
    answers(&server.take_writes(client).concat())
}

/// Each had cost a tick, a flush and a write to every reader.
#[test]
fn eight_pipelined_posts_are_delivered_and_answered_in_one_write_each() {
    let mut server = Rehearsal::new(&Config::default());
    let readers = ["/channels/x"; 3].map(|path| server.open(path));
    let publisher = server.connect();
    readers.iter().for_each(|reader| drop(server.take_writes(*reader)));
    let requests: String = (1..=8).map(|number| post("x", &number.to_string())).collect();
    server.send(publisher, requests.as_bytes());
    server.engine.turn();
    assert_eq!(server.hub().stats().published, 8);
    let writes = server.take_writes(publisher);
    assert_eq!(writes.len(), 1, "all answers leave together");
    let expected: Vec<_> = (1..=8).map(|offset| format!("200 {{\"channel\":\"x\",\"offset\":{offset}}}")).collect();
    assert_eq!(answers(&writes[0]), expected);
    for reader in readers {
        let writes = server.take_writes(reader);
        assert_eq!(writes.len(), 1, "one write for all publications");
        let text = String::from_utf8_lossy(&writes[0]).into_owned();
        let places: Vec<_> = (1..=8).map(|offset| text.find(&format!("\"offset\":{offset},"))).collect();
        assert!(places.iter().all(Option::is_some) && places.is_sorted(), "{text}");
    }
    assert!(!server.engine.is_busy(), "nothing is left for another tick");
}

#[test]
fn a_turn_executes_so_many_pipelined_posts_and_leaves_the_rest() {
    let mut server = Rehearsal::new(&Config::default());
    let publisher = server.connect();
    server.send(publisher, post("x", "1").repeat(600).as_bytes());
    let mut published = Vec::new();
    while server.hub().stats().published < 600 {
        assert!(published.len() < 10, "it goes on");
        server.engine.turn();
        published.push(server.hub().stats().published);
    }
    assert_eq!(published, [256, 512, 600]);
    assert_eq!(said(&mut server, publisher).len(), 600);
}

/// Answers that wait for a peer that does not read hold back the requests after them.
#[test]
fn a_full_outbox_holds_pipelined_posts_back() {
    let mut config = Config::default();
    config.delivery.outbox_bytes = 4096;
    let mut server = Rehearsal::new(&config);
    let publisher = server.connect();
    server.engine.entries.get_exact(publisher.slot, publisher.generation).expect("it is there").writing.block();
    server.send(publisher, post("x", "1").repeat(600).as_bytes());
    for _ in 0..10 {
        server.engine.turn();
    }
    assert_eq!(server.hub().stats().published, 256, "those of one turn, whose answers fill the outbox");
    server.engine.take_event(
        publisher.slot,
        publisher.generation,
        super::Readiness { writable: true, ..super::Readiness::default() },
    );
    server.turn();
    assert_eq!(said(&mut server, publisher).len(), 600);
}

/// Whatever cannot be executed before the answers to what came before it waits for them, and what comes after it for its own.
#[test]
fn answers_come_in_the_order_of_requests_whatever_is_between_two_posts() {
    let host = "Host: localhost\r\n";
    let between = [
        ("a page", format!("GET /livez HTTP/1.1\r\n{host}\r\n")),
        ("a snapshot", format!("GET /channels/x HTTP/1.1\r\n{host}\r\n")),
        ("a HEAD", format!("HEAD /channels/x HTTP/1.1\r\n{host}\r\n")),
        ("a HEAD of a stream", format!("HEAD /channels/x HTTP/1.1\r\n{host}Accept: text/event-stream\r\n\r\n")),
        ("options", format!("OPTIONS /channels/x HTTP/1.1\r\n{host}\r\n")),
        ("a refused history", format!("DELETE /channels/x HTTP/1.1\r\n{host}\r\n")),
        ("a missing page", format!("GET /nothing HTTP/1.1\r\n{host}\r\n")),
        ("a method", format!("POST /livez HTTP/1.1\r\n{host}\r\n")),
        ("a bad body", post("x", "{\"a\":")),
        ("a bad name", post("a*b", "1")),
        ("an option", post("x?evnt=a", "1")),
        ("an empty line", format!("\r\n{}", post("x", "2"))),
        ("a plain body", post("x", "7").replace("/channels/x", "/ws")),
        ("a batch", post("x", BATCH).replacen("/channels/x", "/ws", 1)),
        ("chunks", format!("POST /channels/x HTTP/1.1\r\n{host}Transfer-Encoding: chunked\r\n\r\n1\r\n4\r\n0\r\n\r\n")),
        (
            "a body that is announced and there",
            format!("POST /channels/x HTTP/1.1\r\n{host}Expect: 100-continue\r\nContent-Length: 1\r\n\r\n8"),
        ),
        (
            "HTTP/1.0, kept",
            post("x", "3").replace("HTTP/1.1", "HTTP/1.0").replace("Host", "Connection: keep-alive\r\nHost"),
        ),
    ];
    for (what, request) in between {
        let sequence = [post("x", "1"), post("x", "2"), request, post("x", "3"), post("x", "4")];
        let heard = |at_once: bool| {
            let mut server = Rehearsal::new(&Config::default());
            let client = server.connect();
            let mut heard = Vec::new();
            if at_once {
                server.send(client, sequence.concat().as_bytes());
                server.turn();
                heard.extend(said(&mut server, client));
            } else {
                for request in &sequence {
                    server.send(client, request.as_bytes());
                    server.turn();
                    heard.extend(said(&mut server, client));
                }
            }
            (heard, server.hub().stats().published)
        };
        let (one_by_one, together) = (heard(false), heard(true));
        assert_eq!(one_by_one.0.len(), 5, "{what}: {one_by_one:?}");
        assert_eq!(together, one_by_one, "{what}");
    }
}

/// What ends a connection, or makes something else of it, ends what is read from it.
#[test]
fn nothing_is_executed_after_the_last_request() {
    let stream = "GET /channels/x HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    let close = post("x", "9").replace("Host", "Connection: close\r\nHost");
    let old = post("x", "9").replace("HTTP/1.1", "HTTP/1.0");
    let foreign = post("x", "9").replace("localhost", "evil.example");
    let malformed = "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n1";
    let huge = "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999\r\n\r\n";
    for (last, statuses, published) in [
        (stream, &["200", "200", "200"][..], 2),
        (&close, &["200", "200", "200"], 3),
        (&old, &["200", "200", "403"], 2),
        (&foreign, &["200", "200", "421"], 2),
        (malformed, &["200", "200", "400"], 2),
        (huge, &["200", "200", "413"], 2),
    ] {
        let mut server = Rehearsal::new(&Config::default());
        let client = server.connect();
        let requests = [&*post("x", "1"), &post("x", "2"), last, &post("x", "3"), &post("x", "4")];
        server.send(client, requests.concat().as_bytes());
        server.turn();
        let said = said(&mut server, client);
        assert_eq!(said.iter().map(|answer| &answer[..3]).collect::<Vec<_>>(), statuses, "{last}");
        assert_eq!(server.hub().stats().published, published, "{last}");
    }
}

/// A client that waits for a word before it sends its body gets it after the answers that come before.
#[test]
fn continue_is_said_after_the_answers_before_it() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    let waits = "POST /channels/x HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n";
    server.send(client, format!("{}{}{waits}", post("x", "1"), post("x", "2")).as_bytes());
    server.turn();
    let told = said(&mut server, client);
    assert_eq!(told.iter().map(|answer| &answer[..3]).collect::<Vec<_>>(), ["200", "200", "100"]);
    server.send(client, format!("5{}", post("x", "6")).as_bytes());
    server.turn();
    let told = said(&mut server, client);
    assert!(told.len() == 2 && told[0].contains("\"offset\":3") && told[1].contains("\"offset\":4"), "{told:?}");
}

/// A part of a request that follows others has the time of a head, as if it had come by itself.
#[test]
fn a_head_that_was_begun_after_posts_has_its_time() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.connect();
    server.send(client, format!("{}POST /chan", post("x", "1")).as_bytes());
    server.turn();
    assert_eq!(said(&mut server, client).len(), 1);
    server.pass(Config::default().http.head_timeout + std::time::Duration::from_secs(1));
    server.turn();
    let told = said(&mut server, client);
    assert!(told.len() == 1 && told[0].starts_with("408"), "{told:?}");
}
