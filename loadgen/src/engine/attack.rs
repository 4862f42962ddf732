//! What no client should send: handshakes and frames that break a rule, each in one piece. A server has to refuse or close
//! each of them, and to go on serving well-behaved clients.

use super::request;
use crate::adapters::Opening;
use crate::plan::{Plan, Task};
use std::fmt::Write;
use tidings::wire::frame::{Opcode, write_frame, write_masked};

/// One kind of attack: its name, and what is sent.
#[derive(Debug)]
pub(super) struct Attack {
    pub(super) name: &'static str,
    pub(super) bytes: Vec<u8>,
}

const MASK: [u8; 4] = [7, 7, 7, 7];

/// Every kind, for a target.
pub(super) fn corpus(plan: &Plan, task: &Task, opening: &Opening) -> Vec<Attack> {
    let mut all = heads(plan, opening);
    let mut greeting = Vec::new();
    let key = request::key(plan, u64::from(u32::MAX));
    request::write_opening(&mut greeting, plan, task, opening, &key);
    all.extend(frames().into_iter().map(|(name, frames)| Attack { name, bytes: [&greeting[..], &frames].concat() }));
    all
}

/// Handshakes and requests that are none (RFC 9112, RFC 6455 section 4.2.1).
fn heads(plan: &Plan, opening: &Opening) -> Vec<Attack> {
    let (path, host) = (&opening.path, &plan.target.authority);
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\n";
    let key = "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n";
    let good = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n{upgrade}");
    let long = "x".repeat(64 * 1024);
    let mut many = good.clone();
    (0..2000).for_each(|n| {
        // Writing to a string does not fail.
        let _ = write!(many, "X-{n}: 1\r\n");
    });
    let texts: Vec<(&'static str, String)> = vec![
        ("a handshake without a key", format!("{good}Sec-WebSocket-Version: 13\r\n\r\n")),
        ("a handshake of version 7", format!("{good}{key}Sec-WebSocket-Version: 7\r\n\r\n")),
        (
            "a handshake with a key of one byte",
            format!("{good}Sec-WebSocket-Key: A\r\nSec-WebSocket-Version: 13\r\n\r\n"),
        ),
        ("a request without a host", format!("GET {path} HTTP/1.1\r\n{upgrade}{key}Sec-WebSocket-Version: 13\r\n\r\n")),
        (
            "two lengths",
            format!("POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\nabcd"),
        ),
        (
            "a length and chunks",
            format!(
                "POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
            ),
        ),
        ("a space before a colon", format!("GET {path} HTTP/1.1\r\nHost : {host}\r\n\r\n")),
        ("a folded line", format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX: a\r\n b\r\n\r\n")),
        ("a NUL in a field", format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nX: a\0b\r\n\r\n")),
        ("a head of 64 KiB", format!("{good}X: {long}\r\n\r\n")),
        ("2,000 fields", format!("{many}\r\n")),
        ("another protocol", "SSH-2.0-OpenSSH_9.6\r\n\r\n".to_owned()),
    ];
    texts.into_iter().map(|(name, text)| Attack { name, bytes: text.into_bytes() }).collect()
}

/// Frames that break RFC 6455 section 5.
fn frames() -> Vec<(&'static str, Vec<u8>)> {
    let masked = |first: u8, length: u8| vec![first, 0x80 | length, 0, 0, 0, 0];
    let mut unmasked = Vec::new();
    write_frame(&mut unmasked, Opcode::Text, b"hello");
    let mut spoiled = Vec::new();
    write_masked(&mut spoiled, Opcode::Text, true, b"\xFF\xFE", MASK);
    let mut unfinished = Vec::new();
    write_masked(&mut unfinished, Opcode::Text, false, b"a", MASK);
    write_masked(&mut unfinished, Opcode::Text, true, b"b", MASK);
    let mut code = Vec::new();
    write_masked(&mut code, Opcode::Close, true, &1005_u16.to_be_bytes(), MASK);
    let endless = [&[0x82, 0xFF][..], &(u64::MAX >> 1).to_be_bytes(), &[0; 4]].concat();
    vec![
        ("a frame without a mask", unmasked),
        ("a reserved bit", masked(0xA1, 0)),
        ("a reserved opcode", masked(0x83, 0)),
        ("a ping in fragments", masked(0x09, 0)),
        ("a ping of 126 bytes", [vec![0x89, 0xFE, 0, 126, 0, 0, 0, 0], vec![0; 126]].concat()),
        ("text that is not UTF-8", spoiled),
        ("a message within a message", unfinished),
        ("a continuation of nothing", masked(0x80, 0)),
        ("a close with code 1005", code),
        ("a frame of 2^63 bytes", endless),
    ]
}
