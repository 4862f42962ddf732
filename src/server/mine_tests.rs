//! Panics on purpose in every place where a connection's work is done: each is contained and counted, its connection is
//! closed with a reason, and no other is affected.

use super::Server;
use crate::config::Config;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

const KEY: &str = "the-key-of-the-tests-0123456789";

fn start(inline_parse_bytes: usize) -> Server {
    let mut config = Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.server.reactors = 1;
    config.server.workers = 1;
    config.server.operator_key = crate::model::operator_key::OperatorKey::parse(KEY).ok();
    config.server.inline_parse_bytes = inline_parse_bytes;
    Server::start(config).expect("the server starts")
}

/// Sends `bytes` on a connection of their own and reads until `end` has come, or the end of the stream.
fn exchange(stream: &mut TcpStream, bytes: &[u8], end: &[u8]) -> Vec<u8> {
    stream.set_read_timeout(Some(Duration::from_secs(20))).expect("a time limit");
    stream.write_all(bytes).expect("the server reads");
    let (mut all, mut buffer) = (Vec::new(), [0; 4096]);
    while end.is_empty() || !all.windows(end.len()).any(|window| window == end) {
        match stream.read(&mut buffer).expect("something comes") {
            0 => break,
            read => all.extend_from_slice(&buffer[..read]),
        }
    }
    all
}

fn connect(server: &Server) -> TcpStream {
    TcpStream::connect(server.addresses()[0]).expect("the server accepts")
}

fn post(target: &str, body: &str) -> Vec<u8> {
    format!("POST {target} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

fn socket(server: &Server, path: &str) -> TcpStream {
    let mut stream = connect(server);
    let request = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    let end: &[u8] = if path == "/ws" { b"\r\n\r\n" } else { b"connection" };
    exchange(&mut stream, request.as_bytes(), end);
    stream
}

fn frame(text: &str) -> Vec<u8> {
    super::rehearsal::masked(text.as_bytes())
}

fn panics(server: &Server) -> u64 {
    let request =
        format!("GET /metrics HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\nConnection: close\r\n\r\n");
    let page = String::from_utf8(exchange(&mut connect(server), request.as_bytes(), b"")).expect("text");
    let count = page.lines().find_map(|line| line.strip_prefix("tidings_panics_total "));
    count.and_then(|count| count.parse().ok()).expect("a count")
}

#[test]
fn a_panic_over_http_answers_500_and_touches_nobody_else() {
    for inline_parse_bytes in [0, usize::MAX] {
        let server = start(inline_parse_bytes);
        let mut healthy = connect(&server);
        let mines = [
            post("/channels/a", "\"mine:parse\""),
            post("/channels/mine%3Alock", "1"),
            b"GET /channels/mine:step HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec(),
        ];
        for (index, request) in mines.into_iter().enumerate() {
            let answer = String::from_utf8(exchange(&mut connect(&server), &request, b"")).expect("text");
            let context = format!("inline below {inline_parse_bytes}: {answer}");
            assert!(answer.starts_with("HTTP/1.1 500 "), "{context}");
            assert!(answer.contains("\"internal_error\"") && answer.contains("Connection: close"), "{context}");
            assert_eq!(panics(&server), index as u64 + 1, "{context}");
            // The same shard, worker and reactor go on.
            let published = exchange(&mut healthy, &post("/channels/a", "1"), b"\"offset\":");
            assert!(published.starts_with(b"HTTP/1.1 200 "), "{context}");
        }
    }
}

/// The thread that makes pages goes on too.
#[test]
fn a_panic_in_a_page_answers_500_and_the_next_page_is_made() {
    let server = start(usize::MAX);
    exchange(&mut connect(&server), &post("/channels/mine%3Apage", "1"), b"\"offset\":");
    let request = format!("GET /channels HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {KEY}\r\n\r\n");
    let answer = String::from_utf8(exchange(&mut connect(&server), request.as_bytes(), b"")).expect("text");
    assert!(answer.starts_with("HTTP/1.1 500 ") && answer.contains("\"internal_error\""), "{answer}");
    assert_eq!(panics(&server), 1);
}

#[test]
fn a_panic_of_a_socket_closes_it_with_1011_and_touches_nobody_else() {
    for inline_parse_bytes in [0, usize::MAX] {
        let server = start(inline_parse_bytes);
        let mut healthy = socket(&server, "/ws");
        for (index, text) in ["\"mine:parse\"", "POST /channels/mine:lock 1"].into_iter().enumerate() {
            let mut victim = socket(&server, "/ws");
            let said = exchange(&mut victim, &frame(text), b"internal_error");
            assert_eq!(said[..4], [0x88, said[1], 0x03, 0xF3], "{said:?}");
            assert_eq!(panics(&server), index as u64 + 1);
            exchange(
                &mut healthy,
                &frame("{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}"),
                b"{\"id\":1,\"status\":200}",
            );
        }
    }
}

/// Event streams are pushed to one by one: each panics for itself, and sockets get what was published.
#[test]
fn a_panic_in_a_push_ends_its_reader_and_the_others_get_it() {
    let server = start(usize::MAX);
    let mut readers = [socket(&server, "/channels/x"), socket(&server, "/channels/x")];
    let mut stream = connect(&server);
    let subscribe = b"GET /channels/x HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
    exchange(&mut stream, subscribe, b"retry:");
    let answer = exchange(&mut connect(&server), &post("/channels/x", "\"mine:push\""), b"\"offset\":1");
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
    for reader in &mut readers {
        exchange(reader, b"", b"mine:push");
    }
    exchange(&mut stream, b"", b"");
    assert_eq!(panics(&server), 1);
}
