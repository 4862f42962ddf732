//! What is small on the wire and large inflated: it keeps nobody waiting but its like.

use super::{Client, Rehearsal, masked};
use crate::config::Config;
use crate::wire::deflate::{Codec, Tuning};
use crate::wire::frame::{Opcode, write_masked};
use std::time::Duration;

const BOMB_BYTES: usize = 1 << 20;
const PEERS: usize = 20;

/// A socket that agreed to compression.
fn open(server: &mut Rehearsal) -> Client {
    let client = server.connect();
    let upgrade = super::UPGRADE
        .replace("\r\n\r\n", "\r\nSec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover\r\n\r\n");
    server.send(client, format!("GET /echo {upgrade}").as_bytes());
    server.turn();
    client
}

/// A frame of about a kilobyte that is a mebibyte of zeros.
fn bomb() -> Vec<u8> {
    let mut codec = Codec::new(Tuning { level: 9, least_bytes: 1, most_bytes: usize::MAX });
    let packed = codec.deflate(15, &[0; BOMB_BYTES]).expect("zeros become smaller").to_vec();
    let mut frame = Vec::new();
    write_masked(&mut frame, Opcode::Binary, true, &packed, [1, 2, 3, 4]);
    frame[0] |= 0x40;
    assert!(frame.len() < BOMB_BYTES / 500);
    frame
}

/// All of them had a turn in each tick, with a mebibyte to inflate and to compress in each: others waited for that.
#[test]
fn who_sends_bombs_waits_for_its_like_and_nobody_else_does() {
    let mut server = Rehearsal::new(&Config::default());
    let (peers, healthy): (Vec<_>, Client) =
        ((0..PEERS).map(|_| open(&mut server)).collect(), server.open("/channels/x"));
    let publisher = server.open("/ws");
    let bombs = bomb().repeat(3);
    peers.iter().for_each(|peer| server.send(*peer, &bombs));
    let mut ticks = 0;
    while server.engine.is_busy() || ticks == 0 {
        // A push is there in the tick in which it was asked for.
        let before = server.written(healthy);
        server.send(publisher, &masked(b"POST /channels/x 1"));
        let (worked, _) = server.engine.codec_work();
        server.engine.turn();
        let worked = server.engine.codec_work().0 - worked;
        assert!(server.written(healthy) > before, "tick {ticks} let a push wait");
        // One message, inflated and compressed.
        assert!(worked <= 2 * BOMB_BYTES as u64, "tick {ticks} inflated and compressed {worked} bytes");
        ticks += 1;
    }
    assert!(ticks >= 3 * PEERS, "{} MiB in {ticks} ticks", 3 * PEERS);
    assert_eq!(server.engine.codec_work().1, 3 * PEERS as u64, "and all of them are answered");
}

/// A reactor that did nothing else kept a core for itself, and whoever shared that core waited for it.
#[test]
fn who_sends_bombs_has_a_quarter_of_the_time_and_nobody_else_rests() {
    let mut server = Rehearsal::new(&Config::default());
    let (peer, healthy) = (open(&mut server), server.open("/channels/x"));
    let publisher = server.open("/ws");
    server.send(peer, &bomb().repeat(2));
    server.engine.turn();
    assert_eq!(server.engine.codec_work().1, 1);
    let took = Duration::from_millis(3);
    server.engine.end_tick(server.now, server.now + took, false);
    server.pass(2 * took);
    server.turn();
    assert_eq!(server.engine.codec_work().1, 1, "it rests");
    assert_eq!(server.engine.rest(server.now), Some(2 * took), "and the reactor sleeps meanwhile");
    let before = server.written(healthy);
    server.send(publisher, &masked(b"POST /channels/x 1"));
    server.turn();
    assert!(server.written(healthy) > before, "a push does not wait");
    server.pass(2 * took);
    server.turn();
    assert_eq!(server.engine.codec_work().1, 2, "its time has come");
}

/// Each 64 KiB gave a message 30 s more: one of 16 MiB held its memory for two hours.
#[test]
fn a_message_that_drips_steadily_has_an_absolute_end() {
    let mut server = Rehearsal::new(&Config::default());
    let client = server.open("/echo");
    let before = server.written(client);
    let whole = masked(&[b'x'; BOMB_BYTES]);
    let mut pieces = whole.chunks(40 * 1024);
    let mut seconds = 0;
    while server.written(client) == before {
        server.send(client, pieces.next().expect("it ends before it is whole"));
        server.pass(Duration::from_secs(15));
        seconds += 15;
        server.turn();
    }
    assert!((300..=330).contains(&seconds), "five minutes, whatever comes: {seconds} s");
}
