//! Requests as text: the one that opens a connection, and those of a publisher over HTTP.

use crate::adapters::{HttpRequest, Opening, Transport};
use crate::plan::{Plan, Task};
use crate::random::mix;
use data_encoding::BASE64;
use std::io::Write;

/// What permessage-deflate is offered with: a server that keeps no window can share what it compresses, and a client that
/// keeps none is light.
const OFFER: &str = "permessage-deflate; client_no_context_takeover; server_no_context_takeover";

/// The key of a connection's handshake (RFC 6455 section 4.1): the user's, or 16 bytes in base64, the same for the same
/// connection.
pub(super) fn key(plan: &Plan, connection: u64) -> String {
    plan.header("Sec-WebSocket-Key").map_or_else(|| made_key(plan.seed, connection), str::to_owned)
}

fn made_key(seed: u64, connection: u64) -> String {
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&mix(seed ^ connection).to_ne_bytes());
    bytes[8..].copy_from_slice(&mix(connection).to_ne_bytes());
    BASE64.encode(&bytes)
}

/// The subprotocols that are offered: the user's, or those of the dialect.
pub(super) fn offered<'a>(plan: &'a Plan, opening: &Opening) -> Option<&'a str> {
    match plan.header("Sec-WebSocket-Protocol") {
        Some("") => None,
        Some(own) => Some(own),
        None => opening.subprotocol,
    }
}

/// Whether connections with this task offer permessage-deflate.
pub(super) fn offers_deflate(plan: &Plan, task: &Task) -> bool {
    let own = plan.header("Sec-WebSocket-Extensions");
    own.map_or_else(|| plan.deflate.is_for(task), |own| own.contains("permessage-deflate"))
}

/// Appends the request that opens a WebSocket or an event stream.
pub(super) fn write_opening(out: &mut Vec<u8>, plan: &Plan, task: &Task, opening: &Opening, key: &str) {
    put(out, format_args!("GET {} HTTP/1.1\r\n", opening.path));
    field(out, plan, "Host", &plan.target.authority);
    if opening.transport == Transport::WebSocket {
        field(out, plan, "Upgrade", "websocket");
        field(out, plan, "Connection", "Upgrade");
        field(out, plan, "Sec-WebSocket-Version", "13");
        field(out, plan, "Sec-WebSocket-Key", key);
        if let Some(subprotocol) = opening.subprotocol {
            field(out, plan, "Sec-WebSocket-Protocol", subprotocol);
        }
        if plan.deflate.is_for(task) {
            field(out, plan, "Sec-WebSocket-Extensions", OFFER);
        }
    }
    opening.headers.iter().for_each(|(name, value)| field(out, plan, name, value));
    let is_known = opening.headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
    of_user(out, plan, is_known);
    out.extend_from_slice(b"\r\n");
}

/// Appends one request of a publisher.
pub(super) fn write_http(out: &mut Vec<u8>, plan: &Plan, token: Option<&str>, request: &HttpRequest) {
    let HttpRequest { method, path, headers, body } = request;
    put(out, format_args!("{method} {path} HTTP/1.1\r\nContent-Length: {}\r\n", body.len()));
    field(out, plan, "Host", &plan.target.authority);
    if let Some(token) = token {
        field(out, plan, "Authorization", &format!("Bearer {token}"));
    }
    headers.iter().for_each(|(name, value)| field(out, plan, name, value));
    let is_known = token.is_some() || headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("Authorization"));
    of_user(out, plan, is_known);
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(body);
}

/// A field of this program's own, unless the user has one of that name.
fn field(out: &mut Vec<u8>, plan: &Plan, name: &str, value: &str) {
    if plan.header(name).is_none() {
        put(out, format_args!("{name}: {value}\r\n"));
    }
}

/// The user's fields, and the name and password of the URL where nothing else authorizes.
fn of_user(out: &mut Vec<u8>, plan: &Plan, is_authorized: bool) {
    if let Some(authorization) = plan.target.authorization.as_deref().filter(|_| !is_authorized) {
        field(out, plan, "Authorization", authorization);
    }
    // One without a value only takes this program's own away (`field`).
    for (name, value) in plan.headers.iter().filter(|(_, value)| !value.is_empty()) {
        put(out, format_args!("{name}: {value}\r\n"));
    }
}

fn put(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a vector takes every byte");
}

#[cfg(test)]
mod tests {
    use super::made_key;

    #[test]
    fn keys_are_of_the_right_length_and_differ() {
        let keys: std::collections::BTreeSet<String> = (0..1000).map(|connection| made_key(7, connection)).collect();
        assert!(keys.len() == 1000 && keys.iter().all(|key| key.len() == 24 && key.ends_with("==")));
        assert_eq!(made_key(7, 3), made_key(7, 3));
    }
}
