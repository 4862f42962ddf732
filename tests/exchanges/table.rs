//! The form of a row of the table, and how its text becomes bytes.

use std::ops::Range;

/// What becomes of the connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It serves the next request.
    Kept,
    /// The last answer says `Connection: close` and the stream ends, without a reset.
    Closed,
    /// It is a WebSocket that answers.
    Switched,
    /// It became a WebSocket, and is closed for what came behind the handshake.
    Failed,
    /// The server waits for the rest of the request.
    Waiting,
}

/// One exchange: why it is here (the section of an RFC, or what a trick is called), what is sent, the statuses of the
/// answers, the fate of the connection, and which of the publications a to d were made, in this order.
///
/// What is sent is text with these marks: `{a}` to `{d}` are the targets of four channels that belong to this run alone,
/// `{A}` to `{D}` whole requests that publish to them; `{H}` a Host line, `{W}` the fields of a handshake, `{G}` a whole
/// GET; `{x*N}` is so many x, `{f*N}` so many field lines, `{pad*N}` as many x as make the first head N bytes long, `{%ff}`
/// the byte with this value.
pub(crate) struct Case(
    pub(crate) &'static str,
    pub(crate) &'static str,
    pub(crate) &'static [u16],
    pub(crate) Fate,
    pub(crate) &'static str,
);

/// The channels of a run, in the order of their marks.
pub(crate) const LETTERS: Range<u8> = b'a'..b'e';

/// The name of a channel of a run.
pub(crate) fn channel(run: &str, letter: char) -> String {
    format!("{run}-{letter}")
}

impl Case {
    /// What is sent in the run of this name.
    pub(crate) fn bytes(&self, run: &str) -> Vec<u8> {
        expand(self.1, run)
    }
}

/// The bytes that a text with marks stands for.
pub(crate) fn expand(text: &str, run: &str) -> Vec<u8> {
    let mut text = text.to_owned();
    for letter in LETTERS.map(char::from) {
        let target = format!("/channels/{}", channel(run, letter));
        let upper = letter.to_ascii_uppercase();
        let post = format!("POST {target} HTTP/1.1\r\n{{H}}Content-Length: 1\r\n\r\n1");
        text = text.replace(&format!("{{{upper}}}"), &post).replace(&format!("{{{letter}}}"), &target);
    }
    let text = text.replace("{G}", "GET /livez HTTP/1.1\r\n{H}\r\n").replace("{H}", "Host: localhost\r\n").replace(
        "{W}",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    );
    repeat(&text)
}

/// The marks that stand for many bytes, or for one that is no text.
fn repeat(text: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut rest = text;
    let mut pad = None;
    while let Some((before, mark, after)) = next_mark(rest) {
        bytes.extend_from_slice(before.as_bytes());
        match mark {
            Mark::Many(what, count) => bytes.extend_from_slice(what.repeat(count).as_bytes()),
            Mark::Pad(length) => pad = Some((bytes.len(), length)),
            Mark::Byte(byte) => bytes.push(byte),
        }
        rest = after;
    }
    bytes.extend_from_slice(rest.as_bytes());
    if let Some((at, length)) = pad {
        let head = bytes.windows(4).position(|four| four == b"\r\n\r\n").expect("a padded head is complete") + 4;
        bytes.splice(at..at, std::iter::repeat_n(b'x', length - head));
    }
    bytes
}

enum Mark {
    Many(&'static str, usize),
    Pad(usize),
    Byte(u8),
}

fn next_mark(text: &str) -> Option<(&str, Mark, &str)> {
    text.match_indices('{').find_map(|(start, _)| {
        let (inside, after) = text[start + 1..].split_once('}')?;
        let count = |name: &str| inside.strip_prefix(name)?.parse::<usize>().ok();
        let mark = if let Some(count) = count("x*") {
            Mark::Many("x", count)
        } else if let Some(count) = count("f*") {
            Mark::Many("F: v\r\n", count)
        } else if let Some(length) = count("pad*") {
            Mark::Pad(length)
        } else {
            Mark::Byte(u8::from_str_radix(inside.strip_prefix('%')?, 16).ok()?)
        };
        Some((&text[..start], mark, after))
    })
}
