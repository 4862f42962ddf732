//! A server that is stopped for a while, as a paused machine is, in a wave of pings: all its clients are alive.

use crate::support::frames::{PONG, RawSocket, frame};
use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Answers every ping until it is `over`; how many sockets the server has ended.
fn answer(mut sockets: Vec<TcpStream>, over: &AtomicBool) -> usize {
    let (mut ended, pong, mut buffer) = (vec![false; sockets.len()], frame(PONG, b""), [0; 256]);
    while !over.load(Ordering::Relaxed) {
        for (socket, ended) in sockets.iter_mut().zip(&mut ended).filter(|(_, ended)| !**ended) {
            match socket.read(&mut buffer) {
                // A ping is two bytes; anything else is a Close.
                Ok(read) if read > 0 && buffer[..read].chunks(2).all(|ping| ping == [0x89, 0]) => {
                    *ended = socket.write_all(&pong).is_err();
                }
                Ok(_) => *ended = true,
                Err(error) => *ended = error.kind() != ErrorKind::WouldBlock,
            }
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    ended.iter().filter(|ended| **ended).count()
}

#[test]
#[ignore = "run by tests/run hostile"]
fn a_server_that_was_stopped_in_a_wave_of_pings_loses_nobody() {
    stopped_in_waves(super::scale(6, 15));
}

/// Stops a server three times for so many seconds.
pub(crate) fn stopped_in_waves(stopped: u64) {
    const SOCKETS: usize = 4_000;
    let (idle, pong) = (3, 4);
    let server = super::server(&format!("websocket.ping_idle = \"{idle}s\"\nwebsocket.pong_wait = \"{pong}s\""));
    let sockets: Vec<TcpStream> = (0..SOCKETS)
        .map(|_| {
            let stream = RawSocket::open(server.address, "/ws").raw.stream;
            stream.set_nonblocking(true).expect("a live socket");
            stream
        })
        .collect();
    let over = Arc::new(AtomicBool::new(false));
    let clients = {
        let over = Arc::clone(&over);
        std::thread::spawn(move || answer(sockets, &over))
    };
    let rounds = 3;
    for _ in 0..rounds {
        // In the midst of a wave, whenever that is: pings are on their way all the time.
        std::thread::sleep(Duration::from_secs(idle));
        server.signal("STOP");
        std::thread::sleep(Duration::from_secs(stopped));
        server.signal("CONT");
    }
    std::thread::sleep(Duration::from_secs(pong + 1));
    let timeouts = server.metric("tidings_connections_closed_total{reason=\"ping_timeout\"}");
    let open = server.metric("tidings_connections{transport=\"websocket\"}");
    over.store(true, Ordering::Relaxed);
    let ended = clients.join().expect("the clients answer");
    println!(
        "stopped: {rounds} times {stopped} s; {timeouts} of {SOCKETS} closed by ping_timeout, {ended} ended, {open} open"
    );
    assert_eq!((timeouts, ended, open), (0.0, 0, SOCKETS as f64));
}
