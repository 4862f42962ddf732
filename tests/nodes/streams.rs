//! Readers over event streams: each reads one channel, and comes back at another node when its own is gone.

use super::account::Seen;
use super::member::Traffic;
use crate::support::PATIENCE;
use serde_json::Value;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Between two attempts to connect.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a test with such readers may take.
const LIMIT: Duration = Duration::from_secs(900);

/// Reads a channel, at first at the node with this number, until its last publication has come.
pub(super) fn read(traffic: &Traffic, number: usize) -> Seen {
    let channel = &traffic.channels[number % traffic.channels.len()];
    let (mut seen, until) = (Seen::default(), Instant::now() + LIMIT);
    for tries in 0.. {
        if seen.has_ended(std::slice::from_ref(channel)) || traffic.has_failed() {
            break;
        }
        let outcome = traffic.node(number + tries).map(|node| follow(node, channel, &mut seen));
        seen.ends += 1;
        assert!(Instant::now() < until, "{channel}: {outcome:?}");
        std::thread::sleep(PAUSE);
    }
    seen
}

/// Reads at one node until the stream ends.
fn follow(node: SocketAddr, channel: &str, seen: &mut Seen) -> Result<()> {
    let mut stream = TcpStream::connect_timeout(&node, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let since = seen.lines.get(channel).and_then(super::account::Line::position);
    let since = since.map(|position| format!("Last-Event-ID: {position}\r\n")).unwrap_or_default();
    let ask =
        format!("GET /channels/{channel} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n{since}\r\n");
    stream.write_all(ask.as_bytes())?;
    let mut text = Vec::new();
    while !seen.has_ended(&[channel.to_owned()]) {
        // A publication here has no blank line in it, so that blocks are found without undoing chunks.
        while let Some(end) = text.windows(2).position(|pair| pair == b"\n\n") {
            let block = String::from_utf8(text.drain(..end + 2).collect::<Vec<u8>>()).expect("UTF-8");
            take(channel, &block, seen);
        }
        let mut buffer = [0; 16 * 1024];
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        text.extend_from_slice(&buffer[..read]);
    }
    Ok(())
}

fn take(channel: &str, block: &str, seen: &mut Seen) {
    let line = |name: &str| block.lines().find_map(|line| line.strip_prefix(name));
    let Some(id) = line("id: ") else {
        // The end of a drain, or of a stream whose engine is away, says when to come back.
        assert!(line("event: ").is_none_or(|event| event == "refused"), "{block:?}");
        return;
    };
    let (epoch, offset) = id.split_once(':').expect("a position");
    let (offset, data) = (offset.parse().expect("an offset"), line("data: ").unwrap_or_default());
    match line("event: ") {
        Some("position") => {
            let said: Value = serde_json::from_str(data).expect("JSON");
            seen.begin(channel, epoch, offset, said["recovered"].as_bool());
        }
        Some("reset") => seen.reset(channel, epoch, offset),
        None => seen.take(channel, offset, data.parse().expect("a number")),
        Some(event) => panic!("{event}: {block:?}"),
    }
}
