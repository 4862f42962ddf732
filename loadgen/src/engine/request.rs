//! Requests as text: the one that opens a connection, and those of a publisher over HTTP.

use crate::adapters::{HttpRequest, Opening, Transport};
use crate::plan::Plan;
use crate::random::mix;
use data_encoding::BASE64;
use std::io::Write;

/// What permessage-deflate is offered with: a server that keeps no window can share what it compresses, and a client that
/// keeps none is light.
const OFFER: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

/// The key of a connection's handshake (RFC 6455 section 4.1): 16 bytes in base64, the same for the same connection.
pub(super) fn key(seed: u64, connection: u64) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(seed ^ connection).to_ne_bytes());
    bytes[8..].copy_from_slice(&mix(connection).to_ne_bytes());
    BASE64.encode(&bytes)
}

/// Appends the request that opens a WebSocket or an event stream.
pub(super) fn write_opening(out: &mut Vec<u8>, plan: &Plan, opening: &Opening, key: &str) {
    put(out, format_args!("GET {} HTTP/1.1\r\nHost: {}\r\n", opening.path, plan.target.authority));
    if opening.transport == Transport::WebSocket {
        let fields = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";
        put(out, format_args!("{fields}Sec-WebSocket-Key: {key}\r\n"));
        if let Some(subprotocol) = opening.subprotocol {
            put(out, format_args!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
        }
        if plan.deflate {
            put(out, format_args!("Sec-WebSocket-Extensions: {OFFER}\r\n"));
        }
    }
    for (name, value) in opening.headers.iter().chain(&plan.headers) {
        put(out, format_args!("{name}: {value}\r\n"));
    }
    out.extend_from_slice(b"\r\n");
}

/// Appends one request of a publisher.
pub(super) fn write_http(out: &mut Vec<u8>, plan: &Plan, token: Option<&str>, request: &HttpRequest) {
    let HttpRequest { method, path, headers, body } = request;
    put(out, format_args!("{method} {path} HTTP/1.1\r\nHost: {}\r\n", plan.target.authority));
    put(out, format_args!("Content-Length: {}\r\n", body.len()));
    if let Some(token) = token {
        put(out, format_args!("Authorization: Bearer {token}\r\n"));
    }
    for (name, value) in headers.iter().chain(&plan.headers) {
        put(out, format_args!("{name}: {value}\r\n"));
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use super::key;

    #[test]
    fn keys_are_of_the_right_length_and_differ() {
        let keys: std::collections::BTreeSet<String> = (0..1000).map(|connection| key(7, connection)).collect();
        assert!(keys.len() == 1000 && keys.iter().all(|key| key.len() == 24 && key.ends_with("==")));
        assert_eq!(key(7, 3), key(7, 3));
    }
}
