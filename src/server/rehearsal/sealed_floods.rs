//! Clients over TLS that send much that brings little: each tick takes its part, and what is kept of a handshake is bounded.

use super::{Secure, server};
use crate::server::rehearsal::Rehearsal;
use crate::tls::forged::Forger;
use crate::tls::session::RECORDS_PER_OPEN_MAX;
use rustls::ClientConnection;
use rustls::pki_types::ServerName;
use std::sync::Arc;
use std::time::Duration;

/// Ticks that read something, and how many plain bytes each brought.
fn ticks(server: &mut Rehearsal) -> Vec<u64> {
    let mut brought = Vec::new();
    loop {
        let before = server.engine.counters().bytes_in.get();
        server.engine.turn();
        brought.push(server.engine.counters().bytes_in.get() - before);
        if !server.engine.is_busy() {
            return brought;
        }
    }
}

/// The budget of a tick counted the bytes in them alone, so it took 65,000 records before it went on to the flush.
#[test]
fn a_tick_takes_a_part_of_what_came_in_records_of_a_byte() {
    const CLIENTS: usize = 20;
    const RECORDS: usize = 12_000;
    let (mut server, config) = server("[websocket]\necho = \"on\"\necho_message_bytes = \"1 MiB\"");
    let mut clients: Vec<_> = (0..CLIENTS)
        .map(|_| {
            let socket = Secure::connect(&mut server, &config);
            let (client, mut forger) = (socket.client, Forger::of(socket.tls));
            server.send(client, &forger.data(format!("GET /echo {}", super::UPGRADE).as_bytes()));
            // Those that had a handshake to do wait for the others.
            server.pass(Duration::from_secs(1));
            server.turn();
            (client, forger)
        })
        .collect();
    // One message of each, that ends after all of them.
    let head = [0x81, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for (client, forger) in &mut clients {
        server.send(*client, &forger.data(&head));
        let records: Vec<u8> = (0..RECORDS).flat_map(|_| forger.data(b"x")).collect();
        server.send(*client, &records);
    }
    let ticks = ticks(&mut server);
    assert_eq!(ticks.iter().sum::<u64>(), (CLIENTS * (RECORDS + head.len())) as u64, "all of it is read");
    // Four turns of four reads each, and what else fits into the budget of bytes.
    let most = ticks.iter().max().copied().expect("there were ticks");
    assert!(most <= 20 * RECORDS_PER_OPEN_MAX as u64, "{most} records in one tick");
}

#[test]
fn a_hello_that_never_ends_is_cut_off_after_what_is_kept_of_it() {
    let (mut server, config) = server("");
    let name = ServerName::try_from("localhost").expect("a name");
    let mut hello = Vec::new();
    ClientConnection::new(Arc::clone(&config), name).expect("a client").write_tls(&mut hello).expect("memory");
    for (length, piece) in [(0xFFFF_u32, 1), (0xFFFF, 1000), (0xFF_FFFF, 1000)] {
        let before = server.engine.counters().tls_invalid.get();
        let mut message = hello[5..].to_vec();
        message[1..4].copy_from_slice(&length.to_be_bytes()[1..]);
        message.resize(length as usize + 4, b'x');
        let mut records = message.chunks(piece).flat_map(|part| {
            let header = [22, 3, 1, (part.len() >> 8) as u8, part.len() as u8];
            [&header[..], part].concat()
        });
        let client = server.connect();
        let mut sent = 0;
        while server.written(client).is_some() {
            let part: Vec<u8> = records.by_ref().take(4096).collect();
            assert!(!part.is_empty(), "{length} bytes in pieces of {piece} were taken");
            sent += part.len();
            server.send(client, &part);
            server.turn();
        }
        assert!(sent < 128 * 1024, "{sent} bytes of {length} in pieces of {piece}");
        assert_eq!(server.engine.counters().tls_invalid.get(), before + 1, "{length} in pieces of {piece}");
    }
}
