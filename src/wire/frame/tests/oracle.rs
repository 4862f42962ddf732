//! What tungstenite's `WebSocketContext`, as a server, makes of a stream.

use super::super::FrameLimits;
use super::Seen;
use std::io::{Read, Result, Write};
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

/// How a stream stands when all of it was given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Verdict {
    Open,
    Closed,
    BadText,
    TooBig,
    BadProtocol,
}

/// A socket that gives the pieces one by one and swallows what is written.
struct Pieces<'a, I: Iterator<Item = &'a [u8]>> {
    pieces: I,
    current: &'a [u8],
}

impl<'a, I: Iterator<Item = &'a [u8]>> Read for Pieces<'a, I> {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        if self.current.is_empty() {
            self.current = self.pieces.next().ok_or(std::io::ErrorKind::WouldBlock)?;
        }
        self.current.read(buffer)
    }
}

impl<'a, I: Iterator<Item = &'a [u8]>> Write for Pieces<'a, I> {
    fn write(&mut self, buffer: &[u8]) -> Result<usize> {
        Ok(buffer.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

/// The messages it finds, and how it ends.
pub(super) fn ask<'a>(limits: &FrameLimits, pieces: impl Iterator<Item = &'a [u8]>) -> (Vec<Seen>, Verdict) {
    let config = WebSocketConfig::default()
        .read_buffer_size(0)
        .max_message_size(Some(limits.message_bytes))
        .max_frame_size(Some(limits.message_bytes));
    let mut context = WebSocketContext::new(Role::Server, Some(config));
    let mut socket = Pieces { pieces, current: &[] };
    let mut seen = Vec::new();
    loop {
        match context.read(&mut socket) {
            Ok(message) => seen.push(own(message)),
            Err(error) => return (seen, verdict(&error)),
        }
    }
}

fn own(message: Message) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.as_bytes().to_vec()),
        Message::Binary(bytes) => Seen::Binary(bytes.to_vec()),
        Message::Ping(bytes) => Seen::Ping(bytes.to_vec()),
        Message::Pong(bytes) => Seen::Pong(bytes.to_vec()),
        Message::Close(said) => Seen::Close(said.map(|frame| (frame.code.into(), frame.reason.to_string()))),
        Message::Frame(frame) => panic!("a raw frame was read: {frame}"),
    }
}

fn verdict(error: &Error) -> Verdict {
    match error {
        Error::Io(error) if error.kind() == std::io::ErrorKind::WouldBlock => Verdict::Open,
        Error::ConnectionClosed => Verdict::Closed,
        Error::Utf8(_) => Verdict::BadText,
        Error::Capacity(_) => Verdict::TooBig,
        Error::Protocol(_) => Verdict::BadProtocol,
        other => panic!("the oracle failed: {other}"),
    }
}
