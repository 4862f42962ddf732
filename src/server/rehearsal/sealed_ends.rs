//! How TLS ends: by a last word after everything or in the middle of something, by none, with answers owed, and in its handshake.

use super::{Client, Secure, localhost, masked, server};
use crate::config::Config;
use crate::model::code::Code;
use crate::server::rehearsal::Rehearsal;
use rustls::pki_types::ServerName;
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, SupportedProtocolVersion};
use std::sync::Arc;
use std::time::Duration;

const POST: &[u8] = br#"{"id":1,"method":"POST","path":"/channels/a","data":1}"#;

/// One tick in which connections that end are not freed, so that what they were sent can be looked at; then their end.
fn last_turn(server: &mut Rehearsal, socket: &mut Secure) {
    loop {
        server.engine.turn();
        socket.receive(server);
        if !server.engine.is_busy() {
            break;
        }
    }
    // As when it is freed.
    let entry = server.engine.entries.get(socket.client.slot).expect("it is there");
    entry.rest.say_end(&mut entry.stream);
    socket.receive(server);
    server.turn();
}

#[test]
fn what_was_whole_before_an_end_is_executed_and_answered_and_nothing_else() {
    let (mut server, config) = server("");
    let whole = masked(POST);
    let half = &whole[..whole.len() - 1];
    for end in ["a last word", "a last word, and then more", "none", "none, within a record"] {
        let mut socket = Secure::open(&mut server, &config, "/ws");
        let published = server.hub().stats().published;
        let mut sealed = socket.seal(&[&whole[..], half].concat());
        if end.starts_with("a last word") {
            sealed.extend(socket.last_word());
        }
        match end {
            // The last byte of the second request, as somebody on the way would add it.
            "a last word, and then more" => sealed.extend([23, 3, 3, 0, 1, whole[whole.len() - 1]]),
            "none, within a record" => {
                let rest = socket.seal(&[&whole[whole.len() - 1..], &whole[..]].concat());
                sealed.extend_from_slice(&rest[..rest.len() - 1]);
            }
            _ => {}
        }
        server.send(socket.client, &sealed);
        if end.starts_with("none") {
            server.end(socket.client);
        }
        last_turn(&mut server, &mut socket);
        assert_eq!(server.hub().stats().published, published + 1, "after {end}");
        let heard = socket.take();
        assert_eq!(heard.matches("\"status\":200").count(), 1, "after {end}: {heard}");
        assert!(socket.ended, "the server's last word, after {end}");
        assert_eq!(server.written(socket.client), None, "it is gone, after {end}");
    }
}

/// A client that had ended its side lost what its full socket had left of its last answer: up to 64 KiB that were sealed.
#[test]
fn what_is_owed_after_the_peers_end_is_written_though_its_socket_was_full() {
    let (mut server, config) = server("");
    let mut writer = Secure::open(&mut server, &config, "/ws");
    let long = format!(r#"{{"method":"POST","path":"/channels/a","data":"<{}>"}}"#, "y".repeat(30_000));
    writer.send(&mut server, &masked(long.as_bytes()));
    let http = b"GET /channels/a?last=1 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_vec();
    let socket = masked(br#"{"id":1,"method":"GET","path":"/channels/a","last":1}"#);
    for (path, request) in [(None, http), (Some("/ws"), socket)] {
        for by_last_word in [true, false] {
            let mut reader = match path {
                None => Secure::connect(&mut server, &config),
                Some(path) => Secure::open(&mut server, &config, path),
            };
            reader.set_full(&mut server, true);
            let mut sealed = reader.seal(&request);
            if by_last_word {
                sealed.extend(reader.last_word());
            }
            server.send(reader.client, &sealed);
            if !by_last_word {
                server.end(reader.client);
            }
            server.turn();
            assert!(server.written(reader.client).is_some(), "it is owed {path:?} {by_last_word}");
            reader.set_full(&mut server, false);
            last_turn(&mut server, &mut reader);
            let heard = reader.take();
            assert!(heard.contains(&"y".repeat(30_000)) && reader.ended, "{path:?} {by_last_word}: {:.100}", heard);
            assert_eq!(server.written(reader.client), None);
        }
    }
}

#[test]
fn one_that_never_reads_is_a_slow_consumer_and_gone_after_its_wait() {
    let (mut server, config) = server("[delivery]\noutbox_bytes = \"256 KiB\"\n");
    let mut reader = Secure::open(&mut server, &config, "/channels/a");
    let mut writer = Secure::open(&mut server, &config, "/ws");
    reader.take();
    reader.set_full(&mut server, true);
    let post = masked(format!(r#"{{"method":"POST","path":"/channels/a","data":"{}"}}"#, "y".repeat(9_000)).as_bytes());
    let mut most = 0;
    for _ in 0..100 {
        writer.send(&mut server, &post);
        most = most.max(server.engine.counters().outbox_bytes.get());
    }
    // Its outbox with one publication, and what one write had sealed.
    assert!((256 << 10..(256 + 64 + 16) << 10).contains(&most), "{most} bytes waited at most");
    let held = server.engine.counters().outbox_bytes.get();
    assert!(held < 128 << 10, "{held} bytes wait when it is cut off: a frame that began, and a Close");
    for _ in 0..30 {
        server.pass(Duration::from_secs(1));
        server.turn();
    }
    let counters = server.engine.counters();
    assert_eq!((counters.closed.get(Code::SlowConsumer), counters.outbox_bytes.get()), (1, 0));
    assert_eq!(server.written(reader.client), None);
}

/// Where a client's part of a handshake may be cut off: in its first record, and at and before the end of each flight.
fn cuts(version: &'static SupportedProtocolVersion) -> Vec<usize> {
    let (acceptor, config) = localhost(&[version]);
    let mut server = Rehearsal::new(&Config::default());
    server.engine.speak_tls(acceptor);
    let mut secure = begin(&mut server, &config);
    let (mut sent, mut cuts) = (0, vec![0, 1, 5, 6]);
    loop {
        let mut flight = Vec::new();
        secure.gather(&mut flight);
        if flight.is_empty() {
            // With all of it the handshake is over.
            cuts.pop();
            return cuts;
        }
        sent += flight.len();
        cuts.extend([sent - 1, sent]);
        server.send(secure.client, &flight);
        server.turn();
        secure.receive(&mut server);
    }
}

fn begin(server: &mut Rehearsal, config: &Arc<ClientConfig>) -> Secure {
    let name = ServerName::try_from("localhost").expect("a name");
    let tls = ClientConnection::new(Arc::clone(config), name).expect("a client");
    Secure { client: server.connect(), tls, heard: Vec::new(), ended: false }
}

/// Sends as much of a handshake as this, whatever the server says to it.
fn stop_after(server: &mut Rehearsal, config: &Arc<ClientConfig>, bytes: usize) -> Client {
    let mut secure = begin(server, config);
    let mut left = bytes;
    while left > 0 {
        let mut sealed = Vec::new();
        secure.gather(&mut sealed);
        assert!(!sealed.is_empty(), "the handshake is over before {bytes}");
        sealed.truncate(left);
        left -= sealed.len();
        server.send(secure.client, &sealed);
        server.turn();
        secure.receive(server);
    }
    secure.client
}

#[test]
fn a_handshake_that_stops_anywhere_is_ended_in_time_and_counted() {
    for version in [&TLS12, &TLS13] {
        for bytes in cuts(version) {
            let (acceptor, config) = localhost(&[version]);
            let settings = Config::from_toml("tls.toml", "[http]\nhead_timeout = \"2 s\"").expect("settings");
            let mut server = Rehearsal::new(&settings);
            server.engine.speak_tls(acceptor);
            let client = stop_after(&mut server, &config, bytes);
            let counted = |server: &Rehearsal| {
                let counters = server.engine.counters();
                [&counters.tls_handshaking, &counters.tls_full, &counters.tls_timeout].map(|counter| counter.get())
            };
            assert_eq!(counted(&server), [1, 0, 0], "after {bytes} bytes of {:?}", version.version);
            server.pass(Duration::from_millis(1500));
            server.turn();
            assert!(server.written(client).is_some(), "it has time left");
            server.pass(Duration::from_secs(1));
            server.turn();
            let ended = (server.written(client), counted(&server));
            assert_eq!(ended, (None, [0, 0, 1]), "after {bytes} bytes of {:?}", version.version);
        }
    }
}

/// Bytes that come one by one win no time.
#[test]
fn a_handshake_that_drips_is_ended_in_the_same_time() {
    let (mut server, config) = server("[http]\nhead_timeout = \"10 s\"");
    let mut secure = begin(&mut server, &config);
    let mut sealed = Vec::new();
    secure.gather(&mut sealed);
    for byte in &sealed[..9] {
        server.send(secure.client, &[*byte]);
        server.turn();
        server.pass(Duration::from_secs(1));
    }
    server.turn();
    assert!(server.written(secure.client).is_some());
    for byte in &sealed[9..12] {
        server.send(secure.client, &[*byte]);
        server.pass(Duration::from_secs(1));
        server.turn();
    }
    assert_eq!((server.written(secure.client), server.engine.counters().tls_timeout.get()), (None, 1));
}

/// A server that waits for room in a socket turned round and round in an example of rustls (CVE-2019-15541).
#[test]
fn a_handshake_whose_client_takes_nothing_costs_no_turns_and_is_ended_in_time() {
    let (mut server, config) = server("[http]\nhead_timeout = \"2 s\"");
    let mut secure = begin(&mut server, &config);
    secure.set_full(&mut server, true);
    let mut sealed = Vec::new();
    secure.gather(&mut sealed);
    server.send(secure.client, &sealed);
    // This would not return.
    server.turn();
    let entry = server.engine.entries.get(secure.client.slot).expect("it is there");
    assert!(entry.rest.has_unsent(), "its flight waits");
    assert!(!server.engine.is_busy());
    server.pass(Duration::from_secs(3));
    server.turn();
    assert_eq!((server.written(secure.client), server.engine.counters().tls_timeout.get()), (None, 1));
    assert_eq!(server.engine.counters().outbox_bytes.get(), 0);
}

#[test]
fn one_that_is_silent_after_its_handshake_is_no_failure_of_tls() {
    let (mut server, config) = server("[http]\nhead_timeout = \"2 s\"");
    let secure = Secure::connect(&mut server, &config);
    server.pass(Duration::from_secs(3));
    server.turn();
    let counters = server.engine.counters();
    assert_eq!((counters.tls_full.get(), counters.tls_timeout.get()), (1, 0));
    server.pass(Duration::from_secs(90));
    server.turn();
    assert_eq!(server.written(secure.client), None);
}
