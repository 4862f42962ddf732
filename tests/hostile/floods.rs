//! Floods on open sockets: pings by the million, messages that never end, lengths without bytes.

use super::witness::Witness;
use crate::support::frames::{BINARY, PING, PONG, RawSocket, TEXT, frame, handshake};
use crate::support::process::Process;
use crate::support::raw::RawClient;
use crate::support::wait_until;
use std::io::{ErrorKind, Read, Write};
use std::time::{Duration, Instant};

const ALIVE: &[u8] = br#"{"id":1,"method":"GET","path":"/livez"}"#;
/// A header of continuation frames that end nothing.
const MORE: u8 = 0x00;
/// The last one of a message.
const LAST: u8 = 0x80;

/// What is written in one go.
const PIECES: usize = 1_000;

fn frames_in(server: &Process) -> f64 {
    server.metric("tidings_frames_total{direction=\"in\"}")
}

#[test]
#[ignore = "run by tests/run hostile"]
fn a_million_pings_are_answered_by_a_million_pongs() {
    let count = super::scale(1_000_000, 20_000_000);
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let memory = server.pss();
    let mut socket = RawSocket::open(server.address, "/ws");
    let mut writer = socket.raw.stream.try_clone().expect("a descriptor");
    let (began, cpu) = (Instant::now(), server.cpu_ticks());
    let flood = std::thread::spawn(move || {
        let pings = frame(PING, b"").repeat(PIECES);
        (0..count / PIECES).for_each(|_| writer.write_all(&pings).expect("the server reads"));
        writer.write_all(&frame(TEXT, ALIVE)).expect("the server reads");
    });
    // An empty pong is two bytes; the answer behind them is longer than what they end in.
    let (mut pongs, mut buffer, mut came) = (0, vec![0; 1 << 20], Vec::new());
    while pongs < count {
        let read = socket.raw.stream.read(&mut buffer).expect("pongs come");
        assert_ne!(read, 0, "the server left after {pongs} pongs");
        came.extend_from_slice(&buffer[..read]);
        let whole = (came.len() / 2).min(count - pongs);
        assert!(came[..2 * whole].chunks(2).all(|pong| pong == [PONG, 0]), "something else than pongs");
        came.drain(..2 * whole);
        pongs += whole;
    }
    let took = began.elapsed();
    socket.raw.received = came;
    assert_eq!(socket.next_json()["status"], 200, "the request behind them is answered");
    flood.join().expect("all were sent");
    let grown = server.pss().saturating_sub(memory);
    println!(
        "pings: {count} answered in {took:?}, {:.2} µs of server CPU each, {} of PSS more",
        (server.cpu_ticks() - cpu) as f64 * 1e4 / count as f64,
        super::kib(grown)
    );
    assert!(grown < 4 << 20, "{}", super::kib(grown));
    super::tell_lag("pings", &server);
    witness.finish("pings");
}

#[test]
#[ignore = "run by tests/run hostile"]
fn pongs_that_nobody_reads_wait_in_a_bounded_outbox_and_their_reader_is_cut_off() {
    const DEAF: usize = 20;
    let server =
        super::server("websocket.ping_idle = \"6s\"\nwebsocket.pong_wait = \"1s\"\nwebsocket.close_wait = \"1s\"");
    let witness = Witness::before_attack_on(&server);
    let memory = server.pss();
    let pings = frame(PING, &[b'p'; 125]).repeat(PIECES);
    let mut sent = 0;
    // Small windows, so that the kernel holds few pongs and all are stuck at about the same time.
    let mut sockets: Vec<RawClient> =
        (0..DEAF).map(|_| super::silent::small_window(server.address, &handshake("/ws", &[]))).collect();
    for socket in &mut sockets {
        socket.read_until(b"\r\n\r\n");
        socket.stream.set_nonblocking(true).expect("a live socket");
    }
    // As long as anybody's pings are still taken.
    let mut taken = Instant::now();
    while taken.elapsed() < Duration::from_millis(500) {
        for socket in &mut sockets {
            match socket.stream.write(&pings) {
                Ok(bytes) => (sent, taken) = (sent + bytes, Instant::now()),
                Err(error) => assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
    }
    let (waiting, grown) = (server.metric("tidings_outbox_bytes") as usize, server.pss().saturating_sub(memory));
    println!(
        "unread pongs: {} of pings taken from {DEAF} sockets, {} wait in outboxes, {} of PSS more",
        super::kib(sent),
        super::kib(waiting),
        super::kib(grown)
    );
    // A socket is not read while a quarter of its outbox limit waits, and one turn of reading may come on top.
    let each = (1 << 20) / 4 + 4 * (64 << 10);
    assert!(waiting > 0 && waiting <= DEAF * each, "{}", super::kib(waiting));
    assert!(grown <= 2 * DEAF * each, "{}", super::kib(grown));
    let closed = "tidings_connections_closed_total{reason=\"ping_timeout\"}";
    wait_until("they are cut off", || server.metric(closed) == DEAF as f64);
    assert_eq!(server.metric("tidings_outbox_bytes"), 0.0);
    witness.finish("unread pongs");
}

#[test]
#[ignore = "run by tests/run hostile"]
fn messages_of_endless_fragments_are_bounded_in_number_and_in_memory() {
    const SENDERS: usize = 100;
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let empty = frame(MORE, b"").repeat(PIECES);
    let began = Instant::now();
    let mut socket = RawSocket::open(server.address, "/ws");
    socket.send(0x01, b"");
    // One fewer than are allowed, and the server still listens.
    (1..131).for_each(|_| socket.raw.send(&empty));
    let before = frames_in(&server);
    socket.send(PING, b"there?");
    assert_eq!(socket.next(), Some((PONG, b"there?".to_vec())));
    assert!(frames_in(&server) > before);
    socket.raw.send(&empty);
    socket.raw.send(&empty);
    let (code, reason) = socket.read_close();
    assert_eq!((code, reason.contains("fragments")), (Some(1008), true), "{reason}");
    println!("fragments: 131,072 empty ones after {:?}", began.elapsed());

    let memory = server.pss();
    let bytes = frame(MORE, b"x").repeat(PIECES);
    let mut sockets: Vec<RawSocket> = (0..SENDERS).map(|_| RawSocket::open(server.address, "/ws")).collect();
    for socket in &mut sockets {
        socket.send(0x02, b"");
        (0..60).for_each(|_| socket.raw.send(&bytes));
        socket.send(PING, b"there?");
        assert_eq!(socket.next(), Some((PONG, b"there?".to_vec())));
    }
    let each = server.pss().saturating_sub(memory) / SENDERS;
    println!("fragments: 60,000 of one byte cost {} of PSS for each of {SENDERS} sockets", super::kib(each));
    assert!(each <= 192 << 10, "twice the limit of a message and some more: {}", super::kib(each));
    for socket in &mut sockets {
        (0..6).for_each(|_| socket.raw.send(&bytes));
        assert_eq!(socket.read_close().0, Some(1009));
    }
    super::tell_lag("fragments", &server);
    witness.finish("fragments");
}

#[test]
#[ignore = "run by tests/run hostile"]
fn announced_lengths_cost_no_memory() {
    const SOCKETS: usize = 1_000;
    let server = super::server("websocket.echo_message_bytes = \"16 MiB\"");
    let witness = Witness::before_attack_on(&server);
    let long = |length: u64| [&[BINARY, 0xFF][..], &length.to_be_bytes(), &[0; 4], b"and little more"].concat();
    // What fits the limit may come; what never can is refused at its header.
    let cases = [
        ("16 MiB on /echo", "/echo", 16 << 20, None),
        ("16 MiB on /ws", "/ws", 16 << 20, Some(1009)),
        ("2^63 - 1", "/echo", (1 << 63) - 1, Some(1009)),
        ("2^63", "/echo", 1 << 63, Some(1002)),
        ("2^64 - 1", "/ws", u64::MAX, Some(1002)),
    ];
    for (what, path, length, code) in cases {
        let mut sockets: Vec<RawSocket> = (0..SOCKETS).map(|_| RawSocket::open(server.address, path)).collect();
        let memory = server.pss();
        let before = server.metric("tidings_bytes_total{direction=\"in\"}");
        sockets.iter_mut().for_each(|socket| socket.raw.send(long(length)));
        let all = (SOCKETS * long(length).len()) as f64;
        wait_until("all is read", || server.metric("tidings_bytes_total{direction=\"in\"}") - before >= all);
        let grown = server.pss().saturating_sub(memory);
        println!("lengths: {what}: {} bytes of PSS for each of {SOCKETS} sockets", grown / SOCKETS);
        assert!(grown / SOCKETS < 4096, "{what}: {}", super::kib(grown));
        if code.is_some() {
            sockets.iter_mut().for_each(|socket| assert_eq!(socket.read_close().0, code, "{what}"));
        } else {
            // Inside the frame everything is payload: they are alive when their end is not announced.
            assert_eq!(server.metric("tidings_connections{transport=\"websocket\"}"), (SOCKETS + 1) as f64);
        }
    }
    witness.finish("lengths");
}

#[test]
#[ignore = "run by tests/run hostile"]
fn control_frames_between_all_fragments_change_nothing() {
    const FRAGMENTS: usize = 10_000;
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let mut socket = RawSocket::open(server.address, "/echo");
    let mut writer = socket.raw.stream.try_clone().expect("a descriptor");
    let flood = std::thread::spawn(move || {
        let mut bytes = frame(0x02, b"<");
        for index in 0..FRAGMENTS {
            bytes.extend([frame(PING, &index.to_be_bytes()), frame(MORE, b"x"), frame(PONG, b"unasked")].concat());
        }
        bytes.extend(frame(LAST, b">"));
        writer.write_all(&bytes).expect("the server reads");
    });
    for index in 0..FRAGMENTS {
        assert_eq!(socket.next(), Some((PONG, index.to_be_bytes().to_vec())));
    }
    let whole = [&b"<"[..], &[b'x'; FRAGMENTS], b">"].concat();
    assert!(socket.next() == Some((BINARY, whole)), "the message is whole");
    flood.join().expect("all was sent");
    println!("control frames: {FRAGMENTS} pings and pongs between the fragments of one message");
    witness.finish("control frames");
}
