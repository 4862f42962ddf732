//! What is asked of a server, as it reads it, and what is shown of its refusals.

use crate::support::{Run, load};
use std::io::{Read, Write};
use std::net::{Ipv6Addr, TcpListener};
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;
use tungstenite::handshake::derive_accept_key;

/// A server that keeps the heads it reads and gives each the same answer; `{accept}` in it is the key's.
struct Scripted {
    url: String,
    heads: Receiver<String>,
}

impl Scripted {
    fn start(answer: &'static str) -> Scripted {
        Scripted::at("127.0.0.1:0", answer).expect("a free port")
    }

    fn at(address: &str, answer: &'static str) -> std::io::Result<Scripted> {
        let listener = TcpListener::bind(address)?;
        let url = format!("ws://{}", listener.local_addr()?);
        let (sender, heads) = channel();
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let sender = sender.clone();
                std::thread::spawn(move || {
                    while let Some(head) = read_head(&mut stream) {
                        let key = field(&head, "sec-websocket-key").unwrap_or_default();
                        // The test may be over.
                        let _ = sender.send(head);
                        let answer = answer.replace("{accept}", &derive_accept_key(key.as_bytes()));
                        if stream.write_all(&latin1(&answer)).is_err() {
                            return;
                        }
                    }
                });
            }
        });
        Ok(Scripted { url, heads })
    }

    fn head(&self) -> String {
        self.heads.recv_timeout(Duration::from_secs(60)).expect("somebody asked")
    }
}

/// A head, without a body behind it; nothing when there is none.
fn read_head(stream: &mut std::net::TcpStream) -> Option<String> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        stream.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).expect("UTF-8");
    let length = field(&head, "content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    stream.read_exact(&mut vec![0; length]).ok()?;
    Some(head)
}

/// One byte for each character, so that a script may hold frames.
fn latin1(text: &str) -> Vec<u8> {
    text.chars().map(|c| u8::try_from(u32::from(c)).expect("a byte")).collect()
}

fn field(head: &str, name: &str) -> Option<String> {
    let fields = head.lines().filter_map(|line| line.split_once(": "));
    let mut values = fields.filter(|(known, _)| known.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned());
    let first = values.next();
    assert_eq!(values.next(), None, "{name} stands there once: {head}");
    first
}

const REFUSES: &str = "HTTP/1.1 403 Forbidden\r\nTransfer-Encoding: chunked\r\n\r\n4b\r\n{\"error\":{\"code\":\"forbidden_origin\",\"message\":\"start with --allow-origin\"}}\r\n0\r\n\r\n";

fn ask(verb: &str, url: &str, options: &[&str]) -> Run {
    let base = [verb, url, "-c", "1", "-R", "20", "-d", "200ms", "--warmup", "0s", "--drain", "0s"];
    load(&[&base[..], options].concat())
}

fn errors(run: &Run) -> String {
    run.outcome().errors.keys().cloned().collect::<Vec<_>>().join("\n")
}

#[test]
fn a_header_replaces_the_field_of_that_name_and_an_empty_one_takes_it_away() {
    let server = Scripted::start(REFUSES);
    let options = [
        "-H",
        "host: example.com",
        "-H",
        "Sec-WebSocket-Protocol: mine",
        "-H",
        "SEC-WEBSOCKET-KEY: dGhlIHNhbXBsZSBub25jZQ==",
        "-H",
        "Sec-WebSocket-Version:",
        "-H",
        "X-Own: 1",
    ];
    ask("idle", &server.url, &options);
    let head = server.head();
    assert_eq!(field(&head, "host").as_deref(), Some("example.com"), "{head}");
    assert_eq!(field(&head, "sec-websocket-protocol").as_deref(), Some("mine"), "{head}");
    assert_eq!(field(&head, "sec-websocket-key").as_deref(), Some("dGhlIHNhbXBsZSBub25jZQ=="), "{head}");
    assert_eq!((field(&head, "sec-websocket-version"), field(&head, "x-own")), (None, Some("1".to_owned())), "{head}");
    let run = ask("idle", &server.url, &["-H", "My Name: x"]);
    assert!(run.code == 2 && run.error.contains("`My Name` is no name of a field"), "{}", run.error);
}

#[test]
fn the_users_own_key_and_subprotocol_are_what_the_answer_is_checked_with() {
    let server = Scripted::start(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: mine\r\n\r\n",
    );
    let own =
        ["--adapter", "raw", "-H", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==", "-H", "Sec-WebSocket-Protocol: mine"];
    let run = ask("idle", &server.url, &own);
    assert_eq!((run.outcome().totals.opened, errors(&run)), (1, String::new()), "{}", run.out);
}

#[test]
fn the_root_is_a_path_and_what_may_not_stand_in_one_is_encoded() {
    let server = Scripted::start(REFUSES);
    for (path, asked) in [("/", "/"), ("/чат 1?x=ä", "/%D1%87%D0%B0%D1%82%201?x=%C3%A4"), ("", "/echo"), ("?q", "/?q")]
    {
        ask("echo", &format!("{}{path}", server.url), &["--adapter", "raw"]);
        assert_eq!(server.head().split(' ').nth(1), Some(asked), "{path}");
    }
    // A server with paths of its own is at its root.
    ask("idle", &format!("{}/", server.url), &[]);
    assert_eq!(server.head().split(' ').nth(1), Some("/ws"));
    let stream = ["--adapter", "sse", "--publish", "http", "--channel-prefix", "a/ä"];
    ask("fanout", &server.url, &stream);
    assert_eq!(server.head().split(' ').nth(1), Some("/channels/a%2F%C3%A40"));
}

#[test]
fn a_name_and_password_are_sent_and_not_shown() {
    let server = Scripted::start(REFUSES);
    let url = server.url.replace("ws://", "ws://me:p%40ss@");
    let run = ask("echo", &url, &["--adapter", "raw"]);
    assert_eq!(field(&server.head(), "authorization").as_deref(), Some("Basic bWU6cEBzcw=="), "me:p@ss");
    let text = serde_json::to_string(run.outcome()).expect("JSON");
    assert!(!text.contains("p%40ss") && !run.out.contains("p%40ss"), "{}", run.out);
    ask("echo", &url, &["--adapter", "raw", "-H", "Authorization: Bearer x"]);
    assert_eq!(field(&server.head(), "authorization").as_deref(), Some("Bearer x"));
}

#[test]
fn all_addresses_of_a_name_are_tried() {
    // This machine's name may have one address or two, the first of which may be either.
    let servers = [Some(Scripted::start(REFUSES)), Scripted::at(&format!("[{}]:0", Ipv6Addr::LOCALHOST), REFUSES).ok()];
    for server in servers.into_iter().flatten() {
        let port = server.url.rsplit(':').next().expect("a port").to_owned();
        let url = format!("ws://localhost:{port}");
        let has = |address: &str| server.url.contains(address);
        let known = std::net::ToSocketAddrs::to_socket_addrs(&format!("localhost:{port}")).expect("a name");
        if !known.into_iter().any(|address| has(&address.ip().to_string())) {
            continue;
        }
        let run = ask("echo", &url, &["--adapter", "raw"]);
        assert!(errors(&run).contains("403"), "{}: {}", server.url, run.out);
    }
}

#[test]
fn what_a_server_says_about_its_refusal_is_shown() {
    let reason = "forbidden_origin: start with --allow-origin";
    let server = Scripted::start(REFUSES);
    let run = ask("idle", &server.url, &[]);
    assert_eq!(errors(&run), format!("the server answered 403 and not 101: {reason}"), "{}", run.out);
    assert_eq!(run.code, 3, "{}", run.out);
    assert!(run.out.contains("forbidden_origin:"), "{}", run.out);
    let run = ask("fanout", &server.url, &["--adapter", "sse", "--publish", "http"]);
    assert!(
        errors(&run).contains(&format!("the server answered 403 and not with an event stream: {reason}")),
        "{}",
        run.out
    );
    // A body that ends with the connection, and one that does not come.
    let server = Scripted::start("HTTP/1.1 503 Busy\r\nContent-Length: 100\r\n\r\ncome back");
    let run = ask("idle", &server.url, &["--connect-timeout", "300ms"]);
    assert_eq!(errors(&run), "the server answered 503 and not 101: come back", "{}", run.out);
}

/// A browser cannot read the answer to an upgrade, so servers accept it and close it with a reason.
#[test]
fn a_connection_that_is_accepted_only_to_be_told_why_not_is_refused() {
    let server = Scripted::start(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: {accept}\r\n\r\n\u{88}\u{13}\u{11}\u{33}forbidden: use it",
    );
    let run = ask("echo", &server.url, &["--adapter", "raw"]);
    assert_eq!(errors(&run), "the server has closed a connection with 4403: forbidden: use it", "{}", run.out);
    assert_eq!((run.outcome().totals.opened, run.outcome().totals.refused, run.code), (0, 1, 3), "{}", run.out);
}

#[test]
fn a_stream_that_is_refused_by_an_event_says_why() {
    let server = Scripted::start(
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\nretry: 2000\n: busy\n\nevent: refused\ndata: {\"code\":\"too_many\",\"message\":\"raise server.max_connections\",\"status\":503}\n\n",
    );
    let run = ask("fanout", &server.url, &["--adapter", "sse", "--publish", "http"]);
    assert!(
        errors(&run).contains("the server refused a stream: too_many: raise server.max_connections"),
        "{}",
        run.out
    );
    assert_eq!(run.code, 3, "{}", run.out);
}

#[test]
fn a_publication_that_is_refused_says_why() {
    let server = Scripted::start(
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 54\r\n\r\n{\"error\":{\"code\":\"forbidden\",\"message\":\"use a token\"}}",
    );
    let path = crate::support::file("publishers.toml");
    std::fs::write(&path, "[[group]]\nname = \"p\"\nverb = \"publish\"\nconnections = 1\nrate = 20\nhttp = true\n")
        .expect("a file");
    let name = path.to_string_lossy().into_owned();
    let run = load(&["mixed", &server.url, "--scenario", &name, "-d", "300ms", "--warmup", "0s", "--drain", "0s"]);
    std::fs::remove_file(&path).expect("it was there");
    assert_eq!(errors(&run), "a publication was answered with 403: forbidden: use a token", "{}", run.out);
    assert_eq!(run.code, 3, "{}", run.out);
}

/// The echo of Tidings is not for everybody, nor for messages of every size.
#[test]
fn an_echo_that_tidings_refuses_says_why() {
    let mut config = tidings::Config::default();
    config.server.listen = vec!["127.0.0.1:0".parse().expect("an address")];
    config.websocket.echo = tidings::config::EchoFor::Off;
    let server = tidings::Server::start(config).expect("the server starts");
    let run = ask("echo", &format!("ws://{}", server.addresses()[0]), &[]);
    assert!(errors(&run).contains("the server answered 403") && errors(&run).contains("websocket.echo"), "{}", run.out);
    assert_eq!(run.code, 3, "{}", run.out);
    drop(server);
    let (_server, url) = crate::support::tidings();
    let run = ask("echo", &url, &["-s", "2MiB", "--check-every", "0"]);
    assert!(errors(&run).contains("the server has closed a connection with 1009: message_too_big"), "{}", errors(&run));
}
