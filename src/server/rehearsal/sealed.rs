//! Clients over TLS: what they ask and receive, sockets that take nothing for a while, and clients that speak no TLS.

use super::{Client, Rehearsal, UPGRADE, masked};
use crate::config::Config;
use crate::tls::both_ends::localhost;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection};
use std::io::{Cursor, Read as _, Write as _};
use std::sync::Arc;
use std::time::Duration;

#[path = "sealed_ends.rs"]
mod ends;
#[path = "sealed_floods.rs"]
mod floods;

/// A server that speaks TLS, and what its clients need.
fn server(text: &str) -> (Rehearsal, Arc<ClientConfig>) {
    let (acceptor, client) = localhost(rustls::DEFAULT_VERSIONS);
    let mut server = Rehearsal::new(&Config::from_toml("tls.toml", text).expect("settings"));
    server.engine.speak_tls(acceptor);
    (server, client)
}

/// A client over TLS.
struct Secure {
    client: Client,
    tls: ClientConnection,
    heard: Vec<u8>,
    ended: bool,
}

impl Secure {
    fn connect(server: &mut Rehearsal, config: &Arc<ClientConfig>) -> Secure {
        let name = ServerName::try_from("localhost").expect("a name");
        let tls = ClientConnection::new(Arc::clone(config), name).expect("a client");
        let client = server.connect();
        let mut secure = Secure { client, tls, heard: Vec::new(), ended: false };
        while secure.tls.is_handshaking() || secure.tls.wants_write() {
            secure.turn(server);
        }
        secure
    }

    /// Opens a socket.
    fn open(server: &mut Rehearsal, config: &Arc<ClientConfig>, path: &str) -> Secure {
        let mut secure = Secure::connect(server, config);
        secure.send(server, format!("GET {path} {UPGRADE}").as_bytes());
        let head = secure.take();
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        secure
    }

    /// What it has to send goes to the server, which has a turn, and what that wrote comes back.
    fn turn(&mut self, server: &mut Rehearsal) {
        let mut sealed = Vec::new();
        while self.tls.wants_write() {
            self.tls.write_tls(&mut sealed).expect("memory");
        }
        if !sealed.is_empty() {
            server.send(self.client, &sealed);
        }
        server.turn();
        self.receive(server);
    }

    fn receive(&mut self, server: &mut Rehearsal) {
        if server.written(self.client).is_none() {
            return;
        }
        let written = server.take_writes(self.client).concat();
        let mut sealed = Cursor::new(&written[..]);
        while (sealed.position() as usize) < written.len() {
            self.tls.read_tls(&mut sealed).expect("memory");
            self.ended |= self.tls.process_new_packets().expect("a session").peer_has_closed();
            let mut part = [0; 16 * 1024];
            while let Ok(read @ 1..) = self.tls.reader().read(&mut part) {
                self.heard.extend_from_slice(&part[..read]);
            }
        }
    }

    fn send(&mut self, server: &mut Rehearsal, bytes: &[u8]) {
        for part in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(part).expect("room");
            self.turn(server);
        }
    }

    /// The same bytes as they travel, all at once.
    fn seal(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut sealed = Vec::new();
        for part in bytes.chunks(16 * 1024) {
            self.tls.writer().write_all(part).expect("room");
            self.gather(&mut sealed);
        }
        sealed
    }

    /// Its last word, as it travels.
    fn last_word(&mut self) -> Vec<u8> {
        self.tls.send_close_notify();
        let mut sealed = Vec::new();
        self.gather(&mut sealed);
        sealed
    }

    fn gather(&mut self, sealed: &mut Vec<u8>) {
        while self.tls.wants_write() {
            self.tls.write_tls(sealed).expect("memory");
        }
    }

    /// Whether its socket takes anything. When it does again, what waits is written.
    fn set_full(&self, server: &mut Rehearsal, is_full: bool) {
        let Client { slot, generation } = self.client;
        server.engine.entries.get_exact(slot, generation).expect("it is there").stream.is_full = is_full;
        if !is_full {
            let room = crate::reactor::engine::Readiness { writable: true, ..Default::default() };
            server.engine.take_event(slot, generation, room);
        }
    }

    /// What it has heard since the last time.
    fn take(&mut self) -> String {
        String::from_utf8_lossy(&std::mem::take(&mut self.heard)).into_owned()
    }
}

#[test]
fn a_client_over_tls_is_served_as_others_are() {
    let (mut server, config) = server("[websocket]\necho = \"on\"");
    let mut http = Secure::connect(&mut server, &config);
    http.send(&mut server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(http.take().starts_with("HTTP/1.1 200 OK"), "it is answered");
    let mut reader = Secure::open(&mut server, &config, "/channels/a");
    let mut writer = Secure::open(&mut server, &config, "/ws");
    writer.send(&mut server, &masked(br#"{"id":1,"method":"POST","path":"/channels/a","data":"hello"}"#));
    assert!(writer.take().contains("\"status\":200"));
    reader.receive(&mut server);
    assert!(reader.take().contains("\"hello\""));
    // More than a record has, in both directions, and more at once than is read at once.
    let mut echo = Secure::open(&mut server, &config, "/echo");
    let long = vec![b'x'; 300_000];
    echo.send(&mut server, &masked(&long));
    assert!(echo.take().ends_with(&"x".repeat(300_000)));
    assert!(!http.ended && !echo.ended);
}

#[test]
fn many_messages_that_come_at_once_are_all_answered() {
    let (mut server, config) = server("[websocket]\necho = \"on\"");
    let mut echo = Secure::open(&mut server, &config, "/echo");
    // Small records, of which many wait sealed when the turn is over.
    let mut sealed = Vec::new();
    for number in 0..2000 {
        echo.tls.writer().write_all(&masked(format!("<{number}>").as_bytes())).expect("room");
        while echo.tls.wants_write() {
            echo.tls.write_tls(&mut sealed).expect("memory");
        }
    }
    server.send(echo.client, &sealed);
    server.turn();
    echo.receive(&mut server);
    let heard = echo.take();
    let mut rest = heard.as_str();
    for number in 0..2000 {
        let (_, after) = rest.split_once(&format!("<{number}>")).unwrap_or_else(|| panic!("{number} is missing"));
        rest = after;
    }
}

#[test]
fn a_socket_that_takes_nothing_keeps_the_order_and_loses_nothing() {
    let (mut server, config) = server("");
    let mut reader = Secure::open(&mut server, &config, "/channels/a");
    let mut writer = Secure::open(&mut server, &config, "/ws");
    reader.set_full(&mut server, true);
    for number in 0..50 {
        let post = format!(r#"{{"method":"POST","path":"/channels/a","data":"<{number}>{}"}}"#, "y".repeat(1000));
        writer.send(&mut server, &masked(post.as_bytes()));
    }
    reader.set_full(&mut server, false);
    server.turn();
    reader.receive(&mut server);
    let heard = reader.take();
    let places: Vec<usize> = (0..50).map(|number| heard.find(&format!("<{number}>")).expect("it came")).collect();
    assert!(places.is_sorted(), "{places:?}");
}

#[test]
fn what_is_large_leaves_in_writes_of_several_records() {
    let (mut server, config) = server("[websocket]\necho = \"on\"");
    let mut echo = Secure::open(&mut server, &config, "/echo");
    let long = masked(&vec![b'x'; 200_000]);
    let mut sealed = Vec::new();
    for part in long.chunks(16 * 1024) {
        echo.tls.writer().write_all(part).expect("room");
        while echo.tls.wants_write() {
            echo.tls.write_tls(&mut sealed).expect("memory");
        }
    }
    server.send(echo.client, &sealed);
    server.turn();
    let writes = server.take_writes(echo.client);
    // 200,000 bytes are 13 records, of which four leave at once.
    assert_eq!(writes.len(), 4, "{:?}", writes.iter().map(Vec::len).collect::<Vec<_>>());
    let written = writes.concat();
    let mut rest = &written[..];
    while !rest.is_empty() {
        echo.tls.read_tls(&mut rest).expect("memory");
        echo.tls.process_new_packets().expect("whole records");
        let mut part = [0; 32 * 1024];
        while let Ok(read @ 1..) = echo.tls.reader().read(&mut part) {
            echo.heard.extend_from_slice(&part[..read]);
        }
    }
    assert!(echo.take().ends_with(&"x".repeat(200_000)));
}

/// More readers than are sealed in a row, of which some are not over TLS's handshake, plain, or full.
#[test]
fn what_waits_for_a_reader_leaves_as_one_record_in_one_write() {
    let (mut server, config) = server("");
    let mut readers: Vec<Secure> = (0..100).map(|_| Secure::open(&mut server, &config, "/channels/a")).collect();
    let silent = server.connect();
    let mut writer = Secure::open(&mut server, &config, "/ws");
    let full = |server: &mut Rehearsal, reader: &Secure, is_full: bool| {
        let (slot, generation) = (reader.client.slot, reader.client.generation);
        server.engine.entries.get_exact(slot, generation).expect("it is there").stream.is_full = is_full;
        if !is_full {
            let room = crate::reactor::engine::Readiness { writable: true, ..Default::default() };
            server.engine.take_event(slot, generation, room);
        }
    };
    readers.iter_mut().for_each(|reader| reader.receive(&mut server));
    readers.iter().step_by(7).for_each(|reader| full(&mut server, reader, true));
    for round in 0..3 {
        let posts = (0..8).map(|number| {
            masked(format!(r#"{{"method":"POST","path":"/channels/a","data":"<{round}.{number}>"}}"#).as_bytes())
        });
        writer.send(&mut server, &posts.collect::<Vec<_>>().concat());
        for (_, reader) in readers.iter_mut().enumerate().filter(|(place, _)| place % 7 != 0) {
            let entry = server.engine.entries.get(reader.client.slot).expect("it is there");
            let [record] = &entry.stream.writes[..] else { panic!("{} writes", entry.stream.writes.len()) };
            assert_eq!(record.len(), 5 + usize::from(u16::from_be_bytes([record[3], record[4]])), "one record");
            reader.receive(&mut server);
        }
    }
    readers.iter().step_by(7).for_each(|reader| full(&mut server, reader, false));
    server.turn();
    for reader in &mut readers {
        reader.receive(&mut server);
        let heard = reader.take();
        let all = (0..3).flat_map(|round| (0..8).map(move |number| format!("<{round}.{number}>")));
        let places: Vec<usize> = all.map(|what| heard.find(&what).expect("it came")).collect();
        assert!(places.is_sorted(), "{places:?}");
    }
    assert_eq!(server.written(silent), Some(0));
}

#[test]
fn what_a_full_socket_left_is_counted_and_given_back_when_its_connection_ends() {
    let (mut server, config) = server("");
    let mut reader = Secure::open(&mut server, &config, "/channels/a");
    let mut writer = Secure::open(&mut server, &config, "/ws");
    let slot = reader.client.slot;
    server.engine.entries.get(slot).expect("it is there").stream.is_full = true;
    reader.heard.clear();
    for _ in 0..50 {
        let post = format!(r#"{{"method":"POST","path":"/channels/a","data":"{}"}}"#, "y".repeat(1000));
        writer.send(&mut server, &masked(post.as_bytes()));
    }
    let entry = server.engine.entries.get(slot).expect("it is there");
    let (plain, sealed) = (entry.connection.outbox.len(), entry.rest.unsent());
    assert!(plain > 0 && sealed > 1000, "{plain} wait, and {sealed} are sealed");
    assert_eq!(server.engine.counters().outbox_bytes.get(), (plain + sealed) as u64);
    server.engine.lose(slot);
    server.turn();
    assert_eq!((server.written(reader.client), server.engine.counters().outbox_bytes.get()), (None, 0));
}

#[test]
fn the_last_word_is_said_sealed_and_ends_with_a_close_notify() {
    let (mut server, config) = server("");
    let mut socket = Secure::open(&mut server, &config, "/channels/a");
    socket.take();
    // A frame that RFC 6455 forbids: not masked.
    socket.send(&mut server, &[0x81, 1, b'x']);
    assert!(socket.take().contains("protocol_error"), "a Close says why");
    assert!(socket.ended, "and nothing follows");
    let mut http = Secure::connect(&mut server, &config);
    http.send(&mut server, b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    assert!(http.take().starts_with("HTTP/1.1 200 OK") && http.ended);
    // A peer that says that nothing follows is answered, and gone then, though its socket has not ended.
    let mut last = Secure::connect(&mut server, &config);
    last.tls.writer().write_all(b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("room");
    last.tls.send_close_notify();
    last.turn(&mut server);
    assert_eq!(server.written(last.client), None);
}

#[test]
fn plain_http_on_a_tls_port_is_told_what_is_spoken_there() {
    let (mut server, _) = server("");
    let client = server.connect();
    server.send(client, b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    server.turn();
    let said = String::from_utf8(server.take_writes(client).concat()).expect("text");
    assert!(said.starts_with("HTTP/1.1 400 ") && said.contains("tls_needed") && said.contains("https://"), "{said}");
}

#[test]
fn a_handshake_that_does_not_go_on_in_time_is_ended_and_counted() {
    let (mut server, config) = server("[http]\nhead_timeout = \"2 s\"");
    let silent = server.connect();
    Secure::connect(&mut server, &config);
    let counted = |server: &Rehearsal| {
        let counters = server.engine.counters();
        [&counters.tls_handshaking, &counters.tls_full, &counters.tls_timeout].map(|counter| counter.get())
    };
    assert_eq!(counted(&server), [1, 1, 0]);
    server.pass(Duration::from_secs(3));
    server.turn();
    assert_eq!((server.written(silent), counted(&server)), (None, [0, 1, 1]));
}

#[test]
fn what_is_neither_tls_nor_http_is_ended_with_an_alert() {
    let (mut server, _) = server("");
    let client = server.connect();
    server.send(client, &[0, 1, 2, 3, 4, 5, 6, 7, 8]);
    server.turn();
    assert_eq!(server.written(client), None, "it is gone");
    assert_eq!(server.connections(), 0);
}
