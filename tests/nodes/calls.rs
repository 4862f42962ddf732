//! Requests over HTTP whose connection may end at any moment.

use super::account::Place;
use crate::support::PATIENCE;
use crate::support::http::request_bytes;
use serde_json::Value;
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};

/// What became of a publication.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It is here.
    At(Place),
    /// It was answered with this status and code.
    Refused(u16, String),
}

/// Publishes once, on a connection of its own.
pub(super) fn post(node: SocketAddr, channel: &str, json: &str, key: Option<&str>) -> Result<Outcome> {
    let mut stream = TcpStream::connect_timeout(&node, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut fields = vec![("Connection", "close")];
    fields.extend(key.map(|key| ("Idempotency-Key", key)));
    stream.write_all(&request_bytes("POST", &format!("/channels/{channel}"), &fields, json.as_bytes()))?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").ok_or(ErrorKind::UnexpectedEof)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse::<u16>().ok()).expect("a status");
    let body: Value = serde_json::from_str(body)?;
    if status == 200 {
        let place = (body["epoch"].as_str().expect("an epoch").to_owned(), body["offset"].as_u64().expect("an offset"));
        return Ok(Outcome::At(place));
    }
    Ok(Outcome::Refused(status, body["error"]["code"].as_str().unwrap_or_default().to_owned()))
}
