//! What idle subscribed connections and empty channels cost: the real binary with many of them, measured by the kernel.

use crate::support::frames::{RawSocket, TEXT};
use crate::support::process::{Process, descriptors_allowed};
use crate::support::wait_until;
use std::net::{SocketAddr, TcpStream};
use std::ops::Range;

/// Connections, if this process may have as many descriptors.
const CONNECTIONS: usize = 10_000;
/// Connections that compress.
const COMPRESSING: usize = 3_000;
/// Descriptors that the test binary needs besides.
const OTHER_DESCRIPTORS: usize = 2_000;
/// No idle socket may cost more than this, in bytes of the server's own memory, however few there are and however it was built.
const BYTES_MAX: usize = 4 * 1024;
/// What an idle subscribed socket may cost in a release build, when [`CONNECTIONS`] share what is made once.
const SOCKET_BYTES_MAX: usize = 200;
/// How often that is measured before it is too much: the kernel counts what else the process did meanwhile as well.
const TRIES: usize = 3;

/// Channels, and how many are made by one request.
const CHANNELS: usize = 100_000;
const BATCH: usize = 50;
/// No empty channel may cost more than this.
const CHANNEL_BYTES_MAX: usize = 300;

#[test]
fn an_idle_subscribed_socket_costs_200_bytes_at_most() {
    let room = descriptors_allowed().saturating_sub(OTHER_DESCRIPTORS + COMPRESSING);
    let count = CONNECTIONS.min(room);
    assert!(count >= 500, "raise the limit of open files");
    let max = if count == CONNECTIONS && !cfg!(debug_assertions) { SOCKET_BYTES_MAX } else { BYTES_MAX };
    let mut each = usize::MAX;
    for _ in 0..TRIES {
        each = each.min(bytes_of_each(count, false));
        if each <= max {
            break;
        }
    }
    println!("{count} idle subscribed sockets: {each} bytes of PSS each");
    assert!(each <= max, "{each} bytes of at most {max} for each of {count} idle subscribed sockets");
}

/// An inflater alone takes 48 KiB: none of it stays with a connection.
#[test]
fn an_idle_socket_that_compressed_keeps_nothing_of_it() {
    let each = bytes_of_each(COMPRESSING, true);
    println!("{COMPRESSING} idle sockets that sent and received compressed messages: {each} bytes of PSS each");
    assert!(each < BYTES_MAX, "{each} bytes for each of {COMPRESSING} idle sockets that compressed");
}

/// Published to once each, with no history and nobody there.
#[test]
fn an_empty_channel_costs_300_bytes_at_most() {
    let process = Process::start_by(&[], 1_000, "[history]\ncount = 0\n", &["--reactors", "1", "--workers", "1"]);
    let mut socket = RawSocket::open(process.address, "/ws");
    let mut make = |channels: Range<usize>| {
        for first in channels.step_by(BATCH) {
            let posts =
                (first..first + BATCH).map(|at| format!(r#"{{"method":"POST","path":"/channels/c-{at}","data":1}}"#));
            socket.send(TEXT, format!("[{}]", posts.collect::<Vec<_>>().join(",")).as_bytes());
            assert!(!socket.next_text().contains("error"));
        }
    };
    make(0..BATCH);
    let before = process.pss();
    make(BATCH..BATCH + CHANNELS);
    let each = process.pss().saturating_sub(before) / CHANNELS;
    assert_eq!(process.metric("tidings_channels"), (BATCH + CHANNELS) as f64);
    println!("{CHANNELS} empty channels: {each} bytes of PSS each");
    assert!(each <= CHANNEL_BYTES_MAX, "{each} bytes for each of {CHANNELS} empty channels");
}

/// Opens sockets that are subscribed, and lets them send and receive a compressed message if they `compress`: what each
/// costs the server then.
fn bytes_of_each(count: usize, compress: bool) -> usize {
    let process = Process::start(&["--reactors", "1", "--workers", "1"]);
    let address = process.address;
    // What is made once, for whoever comes first, is not counted.
    let first = open(address, 0, compress);
    let before = process.pss();
    let mut clients = vec![first];
    clients.extend((1..=count).map(|index| open(address, index, compress)));
    let subscribed = || {
        let page = crate::support::http::get_as_operator(address, "/metrics").text();
        page.lines().any(|line| line == format!("tidings_subscriptions {}", count + 1))
    };
    wait_until("everybody is subscribed", subscribed);
    process.pss().saturating_sub(before) / count
}

fn open(address: SocketAddr, index: usize, compress: bool) -> TcpStream {
    let path = format!("/channels/crowd-{}", index % 100);
    let offer = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let (mut socket, answer) = RawSocket::open_with(address, &path, if compress { &offer } else { &[] });
    assert_eq!(answer.field("sec-websocket-extensions").is_some(), compress);
    assert!(socket.next_text().contains("\"connection\":\""));
    if compress {
        // A batch as a stored block; its answer is long enough to be compressed.
        let text = format!("[{}]", [r#"{"method":"GET","path":"/nowhere"}"#; 10].join(","));
        let length = text.len() as u16;
        let block = [&[0], &length.to_le_bytes()[..], &(!length).to_le_bytes(), text.as_bytes(), &[0]].concat();
        socket.send(TEXT | 0x40, &block);
        let (first, _) = socket.next().expect("an answer");
        assert_eq!(first, TEXT | 0x40, "it is compressed");
    }
    socket.raw.stream
}
