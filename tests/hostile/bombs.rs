//! Messages of a kilobyte that are a mebibyte inflated, as fast as they are taken.

use super::witness::Witness;
use crate::support::frames::{BINARY, RawSocket, frame};
use flate2::{Compress, Compression, FlushCompress};
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

const PEERS: usize = 20;
const OFFER: (&str, &str) = ("Sec-WebSocket-Extensions", "permessage-deflate; client_no_context_takeover");
const MIB: usize = 1 << 20;

fn bomb() -> Vec<u8> {
    let mut packed = Vec::with_capacity(8192);
    let mut compress = Compress::new(Compression::best(), false);
    compress.compress_vec(&vec![0; MIB], &mut packed, FlushCompress::Sync).expect("a compressor takes everything");
    packed.truncate(packed.len() - 4);
    assert!(packed.len() < MIB / 500, "{}", packed.len());
    frame(BINARY | 0x40, &packed)
}

/// Sends bombs as fast as they are taken. Waits in the kernel and not in a loop, which would take the cores that are measured.
fn attack(server: SocketAddr, reads: bool) -> (TcpStream, Vec<JoinHandle<()>>) {
    let (socket, answer) = RawSocket::open_with(server, "/echo", &[OFFER]);
    assert!(answer.field("sec-websocket-extensions").is_some());
    let stream = socket.raw.stream;
    stream.set_read_timeout(None).and_then(|()| stream.set_write_timeout(None)).expect("a live socket");
    let clone = || stream.try_clone().expect("a descriptor");
    let mut writes = clone();
    let mut threads = vec![std::thread::spawn(move || {
        let bombs = bomb().repeat(50);
        while writes.write_all(&bombs).is_ok() {}
    })];
    if reads {
        let mut reads = clone();
        threads.push(std::thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            while reads.read(&mut buffer).is_ok_and(|count| count > 0) {}
        }));
    }
    (stream, threads)
}

/// Half of the peers read what comes back, half never do.
#[test]
#[ignore = "run by tests/run hostile"]
fn twenty_who_send_bombs_to_the_echo_cost_others_a_message_at_a_time() {
    let server = super::server("");
    // What the attack's own load does to everybody on this machine, attacked or not.
    let bystander = super::server("");
    let elsewhere = Witness::before_attack_on(&bystander);
    let witness = Witness::before_attack_on(&server);
    let (memory, inflated) = (server.pss(), server.metric("tidings_deflated_frames_total{direction=\"in\"}"));
    let attackers: Vec<_> = (0..PEERS).map(|index| attack(server.address, index % 2 == 0)).collect();
    let began = Instant::now();
    let (mut waiting, mut most) = (0, 0);
    while began.elapsed() < super::scale(Duration::from_secs(5), Duration::from_secs(60)) {
        waiting = waiting.max(server.metric("tidings_outbox_bytes") as usize);
        most = most.max(server.pss().saturating_sub(memory));
        std::thread::sleep(Duration::from_millis(20));
    }
    let count = server.metric("tidings_deflated_frames_total{direction=\"in\"}") - inflated;
    for (stream, threads) in attackers {
        // One that never reads has been cut off by now, and is not connected any more.
        let _ = stream.shutdown(Shutdown::Both);
        threads.into_iter().for_each(|thread| thread.join().expect("an attacker ends"));
    }
    println!(
        "bombs: {count} MiB inflated and sent back in {:?}; at most {} waited, {} of PSS more",
        began.elapsed(),
        super::kib(waiting),
        super::kib(most)
    );
    assert!(count >= PEERS as f64, "the attack reached the codec");
    // An echo is not read while a message waits, and holds one more.
    assert!(waiting <= PEERS * 4 * MIB, "{}", super::kib(waiting));
    assert!(most <= PEERS * 6 * MIB, "{}", super::kib(most));
    super::tell_lag("bombs", &server);
    witness.finish("bombs");
    elsewhere.finish("bombs elsewhere");
}
