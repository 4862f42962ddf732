//! A WebSocket client that writes frames bit by bit, also those that no sane client would.

use super::http::{Answer, HttpClient};
use super::raw::RawClient;
use std::net::SocketAddr;

/// FIN and the opcodes, as first bytes of frames.
pub(crate) const TEXT: u8 = 0x81;
pub(crate) const BINARY: u8 = 0x82;
pub(crate) const CLOSE: u8 = 0x88;
pub(crate) const PING: u8 = 0x89;
pub(crate) const PONG: u8 = 0x8A;

/// The key of the example in RFC 6455 section 1.3.
pub(crate) const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";

/// A handshake with further fields, as bytes.
pub(crate) fn handshake(path: &str, fields: &[(&str, &str)]) -> Vec<u8> {
    let mut head = format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {KEY}\r\n"
    );
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str("\r\n");
    head.into_bytes()
}

/// The header of a masked frame that announces `length` bytes, however many follow.
pub(crate) fn header(first: u8, length: usize) -> Vec<u8> {
    let mut bytes = vec![first];
    match length {
        0..126 => bytes.push(0x80 | length as u8),
        126..0x1_0000 => {
            bytes.push(0x80 | 126);
            bytes.extend_from_slice(&(length as u16).to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    bytes
}

/// A masked frame.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
    let mut bytes = header(first, payload.len());
    bytes.extend_from_slice(&MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// One open WebSocket on a bare connection.
pub(crate) struct RawSocket {
    pub(crate) raw: RawClient,
}

impl RawSocket {
    /// Opens a path.
    pub(crate) fn open(address: SocketAddr, path: &str) -> RawSocket {
        RawSocket::open_with(address, path, &[]).0
    }

    /// Opens a path with further fields; the 101 too.
    pub(crate) fn open_with(address: SocketAddr, path: &str, fields: &[(&str, &str)]) -> (RawSocket, Answer) {
        let mut client = HttpClient::connect(address);
        client.raw.send(handshake(path, fields));
        let answer = client.read_answer(false);
        assert_eq!(answer.status, 101, "{answer:?}");
        (RawSocket { raw: client.raw }, answer)
    }

    /// The socket that begins after the head of a 101.
    pub(crate) fn after_head(mut client: HttpClient) -> RawSocket {
        assert_eq!(client.read_answer(false).status, 101);
        RawSocket { raw: client.raw }
    }

    pub(crate) fn send(&mut self, first: u8, payload: &[u8]) {
        self.raw.send(frame(first, payload));
    }

    /// The next frame: its first byte and its payload. `None` at the end of the stream.
    pub(crate) fn next(&mut self) -> Option<(u8, Vec<u8>)> {
        loop {
            if let Some((size, length)) = server_header(&self.raw.received)
                && self.raw.received.len() >= size + length
            {
                let first = self.raw.received[0];
                let whole: Vec<u8> = self.raw.received.drain(..size + length).collect();
                return Some((first, whole[size..].to_vec()));
            }
            if self.raw.read_more() == 0 {
                assert!(self.raw.received.is_empty(), "the stream ended inside a frame: {:?}", self.raw.received);
                return None;
            }
        }
    }

    pub(crate) fn next_text(&mut self) -> String {
        let (first, payload) = self.next().expect("a frame comes");
        assert_eq!(first, TEXT, "{:?}", String::from_utf8_lossy(&payload));
        String::from_utf8(payload).expect("UTF-8")
    }

    pub(crate) fn next_json(&mut self) -> serde_json::Value {
        let text = self.next_text();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    /// Reads up to the Close: its code (`None` without one) and its reason.
    pub(crate) fn read_close(&mut self) -> (Option<u16>, String) {
        loop {
            let (first, payload) = self.next().expect("a Close comes before the end");
            if first == CLOSE {
                let code = payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                return (code, String::from_utf8_lossy(payload.get(2..).unwrap_or_default()).into_owned());
            }
        }
    }
}

/// Size of the header of an unmasked frame and length of its payload, once the header is complete.
pub(crate) fn server_header(bytes: &[u8]) -> Option<(usize, usize)> {
    let second = *bytes.get(1)?;
    assert_eq!(second & 0x80, 0, "a server does not mask");
    match second {
        126 => Some((4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?)))),
        127 => Some((10, u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize)),
        length => Some((2, usize::from(length))),
    }
}
