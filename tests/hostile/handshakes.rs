//! Malformed handshakes as fast as they come: each is told its status and let go, and nothing of it is left behind.

use super::witness::Witness;
use crate::support::frames::handshake;
use crate::support::process::Process;
use crate::support::wait_until;
use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// A second, as far as this machine can.
const RATE: usize = 10_000;
/// Connections that are open at once.
const AT_ONCE: usize = 50;
/// Who sends them for minutes: while one waits for answers the other sends.
const ATTACKERS: usize = 2;
/// What a server may keep of thousands of refusals: its own buffers and what the allocator holds.
const KEPT_BYTES: usize = 4 * 1024 * 1024;

/// Handshakes that are wrong in one thing, with the status that says so.
fn malformed() -> Vec<(Vec<u8>, u16)> {
    let text = |text: &str| text.as_bytes().to_vec();
    let whole = String::from_utf8(handshake("/ws", &[("Connection", "close")])).expect("text");
    let with = |old: &str, new: &str| text(&whole.replace(old, new));
    let and = |field: &str| with("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"));
    vec![
        (with("Sec-WebSocket-Key: ", "Sec-WebSocket-Key: ?"), 400),
        (with("Sec-WebSocket-Key: ", "X-Key: "), 400),
        (and("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="), 400),
        (and("Sec-WebSocket-Protocol: a b"), 400),
        (with("Connection: Upgrade", "Connection: keep-alive"), 400),
        (with("Version: 13", "Version: 8"), 426),
        (with("Upgrade: websocket", "Upgrade: h2c"), 426),
        (with("Host: localhost\r\n", ""), 400),
        (and("Host: localhost"), 400),
        (with("Host: localhost", "Host: local host"), 400),
        (with("Upgrade: websocket", "Upgrade : websocket"), 400),
        (and("X: a\0b"), 400),
        (and("X: a\r\n b"), 400),
        (and("Content-Length: 5\r\nTransfer-Encoding: chunked"), 400),
        (and("Content-Length: 1x"), 400),
        (with("GET /ws", "GET  /ws"), 400),
        (with("GET /ws", "G\u{e9}T /ws"), 400),
        (with("GET /ws", "GET ws"), 400),
        (with("HTTP/1.1", "HTTP/1.1x"), 400),
        (with("HTTP/1.1", "HTTP/2.0"), 505),
        (with("GET /ws", &format!("GET /{}", "w".repeat(9_000))), 414),
        (and(&"X: y\r\n".repeat(100)[..598]), 431),
        (and(&format!("X: {}", "y".repeat(17_000))), 431),
        (with("/ws", "/nowhere"), 404),
        // Somebody who wants TLS.
        ([&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xFC, 3, 3][..], &[0x5A; 500]].concat(), 400),
        (vec![0; 300], 400),
        (vec![0xFF; 300], 400),
    ]
}

/// Reads to the end; the status. A reset behind the answer is an end, too: not all that was sent had to be read.
fn told(stream: &mut TcpStream) -> Option<u16> {
    let mut answer = Vec::new();
    match stream.read_to_end(&mut answer) {
        Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end after {answer:?}: {error}"),
        _ => {}
    }
    let line = answer.strip_prefix(b"HTTP/1.1 ")?;
    std::str::from_utf8(line.get(..3)?).ok()?.parse().ok()
}

/// Sends malformed handshakes for a while, at most so many a second; how many of each status came.
fn attack(address: SocketAddr, span: Duration, rate: usize, kinds: &[(Vec<u8>, u16)]) -> BTreeMap<u16, usize> {
    let began = Instant::now();
    let (mut sent, mut counts) = (0, BTreeMap::new());
    while began.elapsed() < span {
        let mut batch: Vec<(TcpStream, usize)> = Vec::with_capacity(AT_ONCE);
        for _ in 0..AT_ONCE {
            let mut stream = super::connect(address, sent);
            stream.set_read_timeout(Some(crate::support::PATIENCE)).expect("a time limit");
            stream.write_all(&kinds[sent % kinds.len()].0).expect("it fits the kernel's buffer");
            batch.push((stream, sent % kinds.len()));
            sent += 1;
        }
        for (mut stream, kind) in batch {
            let (bytes, expected) = &kinds[kind];
            assert_eq!(told(&mut stream), Some(*expected), "{}", String::from_utf8_lossy(bytes));
            *counts.entry(*expected).or_default() += 1;
        }
        // No faster than the rate.
        let ahead = Duration::from_secs_f64(sent as f64 / rate as f64).saturating_sub(began.elapsed());
        std::thread::sleep(ahead);
    }
    println!(
        "handshakes: {sent} in {:?}: {:.0} a second",
        began.elapsed(),
        sent as f64 / began.elapsed().as_secs_f64()
    );
    counts
}

#[test]
#[ignore = "run by tests/run hostile"]
fn malformed_handshakes_are_told_so_and_leave_nothing_behind() {
    let server = super::server("");
    let kinds = malformed();
    // What the server needs for itself it takes now.
    attack(server.address, Duration::from_secs(1), RATE, &kinds);
    let witness = Witness::before_attack_on(&server);
    let (memory, descriptors, cpu) = (server.status_bytes("VmRSS"), server.descriptors(), server.cpu_ticks());
    let counts = attack(server.address, Duration::from_secs(super::scale(5, 60)), RATE, &kinds);
    let all: usize = counts.values().sum();
    println!(
        "handshakes: by status {counts:?}, {} µs of server CPU each",
        (server.cpu_ticks() - cpu) * 10_000 / all as u64
    );
    wait_until("all descriptors are given back", || server.descriptors() <= descriptors + 1);
    let kept = server.status_bytes("VmRSS").saturating_sub(memory);
    println!("handshakes: {} of RSS more", super::kib(kept));
    assert!(kept < KEPT_BYTES, "{} kept of {all} refusals", super::kib(kept));
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
    super::tell_lag("handshakes", &server);
    witness.finish("handshakes");
}

/// For how long the flood lasts, in seconds: five minutes, unless a variable says less.
fn seconds() -> u64 {
    let asked = std::env::var("TIDINGS_FAULT_SECONDS").ok().map(|text| text.parse().expect("seconds"));
    asked.unwrap_or(300_u64).clamp(6, 3600)
}

/// As many as this machine can, up to the rate, for minutes: all of them are answered, and memory is afterwards what it was.
pub(crate) fn flood_for_minutes() {
    let (server, kinds) = (super::server(""), malformed());
    let address = server.address;
    attack(address, Duration::from_secs(1), RATE, &kinds);
    let witness = Witness::before_attack_on(&server);
    let (cpu, began, over) = (server.cpu_ticks(), Instant::now(), AtomicBool::new(false));
    let span = Duration::from_secs(seconds());
    let (answered, memory) = std::thread::scope(|scope| {
        let memory = scope.spawn(|| memory_until(&server, &over));
        let attackers: Vec<_> =
            (0..ATTACKERS).map(|_| scope.spawn(|| attack(address, span, RATE / ATTACKERS, &kinds))).collect();
        // Each of them fails when one is not answered, or otherwise than it should be.
        let counts = attackers.into_iter().map(|attacker| attacker.join().expect("each is answered as it should be"));
        let answered: usize = counts.map(|counts| counts.values().sum::<usize>()).sum();
        over.store(true, Ordering::Relaxed);
        (answered, memory.join().expect("the server lives"))
    });
    let took = began.elapsed().as_secs_f64();
    println!(
        "handshakes: {answered} malformed ones in {took:.0} s, {:.0} a second, all of them answered with their status; {} µs of \
         the server's CPU each, with those of the healthy client",
        answered as f64 / took,
        (server.cpu_ticks() - cpu) * 10_000 / answered as u64
    );
    let third = memory.len() / 3;
    let most = |part: &[usize]| part.iter().copied().max().expect("it was looked at");
    let (first, last) = (most(&memory[..third]), most(&memory[memory.len() - third..]));
    println!(
        "handshakes: PSS was {} at most in the first third of that time and {} in the last, of {} looks",
        super::kib(first),
        super::kib(last),
        memory.len()
    );
    assert!(last < first + KEPT_BYTES, "it grew from {first} to {last} bytes");
    assert_eq!(server.metric("tidings_panics_total"), 0.0);
    super::tell_lag("handshakes", &server);
    witness.finish("handshakes");
}

/// What the server has allocated, looked at a few times a second until it is over.
fn memory_until(server: &Process, over: &AtomicBool) -> Vec<usize> {
    let mut seen = Vec::new();
    while !over.load(Ordering::Relaxed) {
        seen.push(server.pss());
        std::thread::sleep(Duration::from_millis(250));
    }
    seen
}
