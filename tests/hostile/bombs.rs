//! Messages of a kilobyte that are a mebibyte inflated, as fast as they are taken.

use super::witness::Witness;
use crate::support::frames::{BINARY, RawSocket, frame};
use flate2::{Compress, Compression, FlushCompress};
use std::io::{ErrorKind, Read, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
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

/// Half of the peers read what comes back, half never do.
#[test]
#[ignore = "run by tests/run hostile"]
fn twenty_who_send_bombs_to_the_echo_cost_others_a_message_at_a_time() {
    let server = super::server("");
    let witness = Witness::before_attack_on(&server);
    let (memory, inflated) = (server.pss(), server.metric("tidings_deflated_frames_total{direction=\"in\"}"));
    let over = Arc::new(AtomicBool::new(false));
    let peers: Vec<_> = (0..PEERS)
        .map(|index| {
            let (socket, answer) = RawSocket::open_with(server.address, "/echo", &[OFFER]);
            assert!(answer.field("sec-websocket-extensions").is_some());
            let mut stream = socket.raw.stream;
            stream.set_nonblocking(true).expect("a live socket");
            let over = Arc::clone(&over);
            std::thread::spawn(move || {
                let (bombs, mut at, mut buffer) = (bomb().repeat(50), 0, vec![0; 64 * 1024]);
                while !over.load(Ordering::Relaxed) {
                    match stream.write(&bombs[at..]) {
                        Ok(written) => at = (at + written) % bombs.len(),
                        Err(error) if error.kind() == ErrorKind::WouldBlock => {
                            std::thread::sleep(Duration::from_millis(1));
                        }
                        Err(_) => return,
                    }
                    if index % 2 == 0 && matches!(stream.read(&mut buffer), Ok(0)) {
                        return;
                    }
                }
            })
        })
        .collect();
    let began = Instant::now();
    let (mut waiting, mut most) = (0, 0);
    while began.elapsed() < super::scale(Duration::from_secs(5), Duration::from_secs(60)) {
        waiting = waiting.max(server.metric("tidings_outbox_bytes") as usize);
        most = most.max(server.pss().saturating_sub(memory));
        std::thread::sleep(Duration::from_millis(20));
    }
    let count = server.metric("tidings_deflated_frames_total{direction=\"in\"}") - inflated;
    over.store(true, Ordering::Relaxed);
    peers.into_iter().for_each(|peer| peer.join().expect("a peer ends"));
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
}
