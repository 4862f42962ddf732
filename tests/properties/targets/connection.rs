//! Whole connections over a real hub: what peers are sent is well-formed, limits hold, and nothing is left over.
//!
//! Input: a line of settings (letters, see [`settings`]), then a command a line: the digit of a connection, a letter
//! (see [`obey`]), and what the letter wants. In bytes that are sent, `|` stands for CR LF and `~` for LF.

use super::Target;
use super::input::Input;
use super::world::{Happened, Settings, World};
use bytes::Bytes;
use flate2::{Compress, Compression, FlushCompress};
use std::sync::Arc;
use std::time::Duration;
use tidings::config::Config;
use tidings::connection::compression::Budget;
use tidings::connection::env::Limits;
use tidings::hub::HubLimits;
use tidings::model::code::Code;
use tidings::model::name::ChannelName;
use tidings::model::publication::Data;
use tidings::model::request::{PostOptions, Request, Verb};
use tidings::wire::frame::{FrameLimits, Opcode, write_masked};
use tidings::wire::http::head::HeadLimits;

const CUT_OFF: &str = "somebody was cut off";
const DROPPED: &str = "a deadline ended somebody";
const PARKED: &str = "a publication waited for room";
const INFLATED: &str = "something came compressed";
const POOLED: &str = "a worker was asked";
const STREAM: &str = "an event stream";
const SOCKET: &str = "a WebSocket";
const REQUESTS: &str = "HTTP";
const NOTHING: &str = "no request";

pub(crate) const TARGET: Target = Target {
    name: "connection",
    check,
    outcomes: &[CUT_OFF, DROPPED, PARKED, INFLATED, POOLED, STREAM, SOCKET, REQUESTS, NOTHING],
    words: &[
        "\n0u/ws\n",
        "\n1u/channels/a\n",
        "\n0u/echo\n",
        "\n1s/channels/a\n",
        "\n0t{\"method\":\"GET\",\"path\":\"/channels/a\"}\n",
        "\n0tPOST /channels/a 1\n",
        "\n1tGET /channels/a {\"last\":100}\n",
        "\n0t{\"id\":1,\"method\":\"GET\",\"path\":\"/livez\"}\n",
        "\n0t{\"id\":2,\"method\":\"POST\",\"path\":\"/channels/a\",\"data\":\"long enough\"}\n",
        "\n0pa\n",
        "\n1Pa\n",
        "\n0v9\n",
        "\n0d9\n",
        "\n1z\n",
        "\n1w9\n",
        "\n0.9\n",
        "\n0hGET / HTTP/1.1|Host: a||\n",
        "\n0j\n",
        "\n0k\n",
        "\n0K\n",
        "\n0D\n",
        "\n0E\n",
        "\n0o\n",
        "\n0n\n",
        "\n0c\n",
        "[{\"method\":\"GET\",\"path\":\"/channels/b\"}]",
    ],
};

/// Connections in a world.
const CLIENTS: usize = 3;
/// Commands that are obeyed.
const COMMANDS: usize = 200;
const MASK: [u8; 4] = [7, 0x5A, 0xF0, 1];

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let letters = input.line();
    let mut world = World::new(settings(letters), CLIENTS);
    for _ in 0..COMMANDS {
        if input.is_empty() {
            break;
        }
        let line = input.line();
        let (slot, letter) = (usize::from(line.first().map_or(0, |digit| digit % 16)) % CLIENTS, line.get(1).copied());
        obey(&mut world, slot, letter.unwrap_or(b' '), line.get(2..).unwrap_or_default(), letters.contains(&b'd'));
    }
    let Happened { requests, socket, stream, cut_off, dropped, parked, pooled, inflated } = world.finish();
    let all = [
        (cut_off, CUT_OFF),
        (dropped, DROPPED),
        (parked, PARKED),
        (inflated, INFLATED),
        (pooled, POOLED),
        (stream, STREAM),
        (socket, SOCKET),
        (requests, REQUESTS),
    ];
    all.into_iter().find(|(happened, _)| *happened).map_or(NOTHING, |(_, outcome)| outcome)
}

/// Small limits, so that their edges are met. `p` a pool, `m` a mailbox of two, `d` compression, `k` with kept windows,
/// `b` no binary messages, `r` peers from elsewhere, `1`, `3` and `9` reads of so many bytes.
fn settings(letters: &[u8]) -> Settings {
    let has = |letter: u8| letters.contains(&letter);
    let mut config = Config::default();
    config.websocket.deflate = has(b'd');
    config.websocket.deflate_takeover = has(b'k');
    config.websocket.deflate_min_bytes = 16;
    config.websocket.deflate_window_bits = 9;
    config.websocket.binary = !has(b'b');
    let mut limits = Limits::new(&config);
    limits.head = HeadLimits { head_bytes: 1024, headers: 20, target_bytes: 600 };
    limits.body_bytes = 2048;
    limits.frames = FrameLimits { message_bytes: 2048, fragments: 8 };
    limits.echo_frames = FrameLimits { message_bytes: 1024, fragments: 8 };
    limits.outbox_bytes = 8192;
    if let Some(deflate) = &mut limits.deflate {
        deflate.budget = Arc::new(Budget::new(1 << 20));
    }
    let hub = HubLimits {
        history_count: 20,
        history_bytes: 16 << 10,
        history_age: Duration::from_secs(60),
        channels_total: 12,
        history_total_bytes: 64 << 10,
        idempotency_keys: 4,
        replay_count: 10,
        replay_bytes: 2048,
        shards: 1,
        ..HubLimits::default()
    };
    let piece = [(b'1', 1), (b'3', 3), (b'9', 9)].into_iter().find(|(digit, _)| has(*digit)).map(|(_, bytes)| bytes);
    Settings {
        limits,
        hub,
        push_bytes: 6000,
        inline_bytes: if has(b'p') { 48 } else { usize::MAX },
        mailbox: if has(b'm') { 2 } else { 10_000 },
        piece: piece.unwrap_or(usize::MAX),
        peer_is_loopback: !has(b'r'),
    }
}

fn obey(world: &mut World, slot: usize, letter: u8, rest: &[u8], deflate: bool) {
    let digit = usize::from(rest.first().map_or(1, |byte| byte % 16));
    match letter {
        // Bytes as they stand; frames of text, of bytes, compressed, and with a first byte of any kind.
        b'h' => world.send(slot, &unescaped(rest)),
        b't' => world.send(slot, &frame(0x81, rest)),
        b'x' => world.send(slot, &frame(0x82, &unescaped(rest))),
        b'q' => world.send(slot, &frame(0xC1, &packed(rest))),
        b'f' => world.send(slot, &frame(rest.first().copied().unwrap_or(0x89), rest.get(1..).unwrap_or_default())),
        // A long text, to fill something.
        b'v' => world.send(slot, &frame(0x81, format!("POST /channels/a \"{}\"", "x".repeat(digit * 100)).as_bytes())),
        // A socket, and an event stream, at this path.
        b'u' => world.send(slot, &upgrade(rest, deflate)),
        b's' => {
            let path = String::from_utf8_lossy(rest).replace(char::is_control, "");
            world.send(
                slot,
                format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n").as_bytes(),
            );
        }
        // Somebody else publishes, empties a history.
        b'p' => {
            world.ask_elsewhere(publish(rest, Data::Json(Bytes::copy_from_slice(b"{\"price\": 1.10,\r\n\"n\":2}"))))
        }
        b'P' => {
            let bytes = Bytes::from(vec![b'x'; 40 * digit]);
            world.ask_elsewhere(publish(rest, Data::Binary { bytes, content_type: "a/b".into() }));
        }
        b'X' => {
            if let Ok(channel) = ChannelName::new(&String::from_utf8_lossy(rest)) {
                world.ask_elsewhere(Ok(Request { id: None, verb: Verb::DeleteHistory { channel } }));
            }
        }
        // The mailbox, the pool, what waits for room.
        b'd' => world.deliver(digit * digit),
        b'j' => world.work(),
        b'k' => world.retry(true),
        b'K' => world.retry(false),
        // The peer's socket: full, and taking bytes.
        b'z' => world.shut(slot),
        b'w' => world.open(slot, digit * digit * digit),
        b'W' => world.open(slot, usize::MAX),
        b'.' => world.wait(1 << digit.min(12)),
        b'E' => world.end(slot),
        b'o' => world.overdraw(slot),
        b'c' => world.close(slot, Code::ServerShutdown),
        b'D' => world.drain(),
        b'n' => world.replace(slot),
        b'a' => world.turn_away(slot),
        _ => {}
    }
}

fn unescaped(bytes: &[u8]) -> Vec<u8> {
    let each = |byte: &u8| match byte {
        b'|' => b"\r\n".to_vec(),
        b'~' => b"\n".to_vec(),
        byte => vec![*byte],
    };
    bytes.iter().flat_map(each).collect()
}

/// A masked frame with this first byte.
fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    write_masked(&mut bytes, Opcode::Binary, true, payload, MASK);
    bytes[0] = first;
    bytes
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 64);
    let mut compress = Compress::new(Compression::fast(), false);
    compress.compress_vec(text, &mut out, FlushCompress::Sync).expect("a compressor takes everything");
    assert!(out.ends_with(&[0, 0, 0xFF, 0xFF]));
    out.truncate(out.len() - 4);
    out
}

fn upgrade(path: &[u8], deflate: bool) -> Vec<u8> {
    let path = String::from_utf8_lossy(path).replace(char::is_control, "");
    let extensions = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n";
    let fields = "Host: localhost\r\nOrigin: http://localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let extensions = if deflate { extensions } else { "" };
    format!("GET {path} HTTP/1.1\r\n{fields}{key}{extensions}\r\n").into_bytes()
}

fn publish(channel: &[u8], data: Data) -> tidings::model::request::Item {
    let name: String = String::from_utf8_lossy(channel).chars().filter(|c| c.is_alphanumeric()).take(20).collect();
    let channel = ChannelName::new(&name).unwrap_or_else(|_| ChannelName::new("nameless").expect("a name"));
    let post = PostOptions { event: Some("tick".into()), ..PostOptions::of(data) };
    Ok(Request { id: None, verb: Verb::Post { channel, post } })
}
