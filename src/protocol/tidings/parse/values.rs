//! The value of each member of a request: its type, its limits, and the message when it breaks them.

use super::bad_request;
use super::nearest::shown;
use crate::model::labels::{check_content_type, check_event, check_key};
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::{RequestId, Since};
use crate::wire::json::text::unquote;
use std::borrow::Cow;

/// The first integer that JavaScript cannot tell from its neighbour.
const ID_END: u64 = 1 << 53;
/// The longest text id, in bytes.
const ID_BYTES_MAX: usize = 64;

/// An id: an integer from 0 to 2^53 - 1, or text.
pub(super) fn id(raw: &[u8]) -> Result<RequestId, Refusal> {
    if let Some(number) = digits(raw) {
        // Digits beyond 64 bits saturate, which is beyond this bound too.
        if number < ID_END {
            return Ok(RequestId::Number(number));
        }
        return Err(bad_request("an \"id\" that is an integer is below 2^53 (9007199254740992)"));
    }
    match unquote(raw) {
        Some(text) if text.len() <= ID_BYTES_MAX => Ok(RequestId::Text(text.into())),
        Some(text) => {
            Err(bad_request(format!("an \"id\" that is a string has at most {ID_BYTES_MAX} bytes, not {}", text.len())))
        }
        None => Err(wrong("id", "an integer from 0 to 2^53 - 1 or a string", raw)),
    }
}

/// Any string.
pub(super) fn string<'a>(name: &str, raw: &'a [u8]) -> Result<Cow<'a, str>, Refusal> {
    unquote(raw).ok_or_else(|| wrong(name, "a string", raw))
}

/// `true` or `false`.
pub(super) fn boolean(name: &str, raw: &[u8]) -> Result<bool, Refusal> {
    match raw {
        b"true" => Ok(true),
        b"false" => Ok(false),
        _ => Err(wrong(name, "true or false", raw)),
    }
}

/// A positive integer; what is larger than a `u32` counts as the largest one.
pub(super) fn count(name: &str, raw: &[u8]) -> Result<u32, Refusal> {
    match digits(raw) {
        Some(number) if number > 0 => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
        _ => Err(wrong(name, "a positive integer", raw)),
    }
}

/// A position. A string that is not one is accepted: it is answered with `recovered: false`, as a position that is gone.
pub(super) fn since(raw: &[u8]) -> Result<Since, Refusal> {
    let text = unquote(raw).ok_or_else(|| wrong("since", "a string with a position, as in \"EPOCH:41\"", raw))?;
    Ok(Position::parse(&text).map_or(Since::Unreadable, Since::Position))
}

/// The position that a publication is to follow: one that no channel can have is an error, since it would never be published.
pub(super) fn position(raw: &[u8]) -> Result<Position, Refusal> {
    let text = unquote(raw).and_then(|text| followed(&text));
    text.ok_or_else(|| wrong("if_match", "a string with a position, as in \"EPOCH:41\"", raw))
}

/// The position of a text that may also be the tag of a snapshot, which says besides what the oldest publication is.
pub(in crate::protocol::tidings) fn followed(text: &str) -> Option<Position> {
    let second = text.match_indices(':').nth(1).map_or(text.len(), |(at, _)| at);
    Position::parse(&text[..second])
}

/// The name of an event: at most 200 bytes, without control characters since it becomes a line of an event stream.
pub(super) fn event(raw: &[u8]) -> Result<Box<str>, Refusal> {
    let text = string("event", raw)?;
    check_event(&text)?;
    Ok(text.into())
}

/// An idempotency key: 1 to 200 bytes.
pub(super) fn key(raw: &[u8]) -> Result<Box<str>, Refusal> {
    let text = string("key", raw)?;
    check_key(&text)?;
    Ok(text.into())
}

/// A media type: 1 to 200 bytes without control characters.
pub(super) fn content_type(raw: &[u8]) -> Result<Box<str>, Refusal> {
    let text = string("content_type", raw)?;
    check_content_type(&text)?;
    Ok(text.into())
}

/// The integer that `raw` writes in plain digits; the largest one when it has too many.
fn digits(raw: &[u8]) -> Option<u64> {
    if raw.is_empty() || !raw.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let push = |number: u64, digit: &u8| number.saturating_mul(10).saturating_add(u64::from(digit - b'0'));
    Some(raw.iter().fold(0, push))
}

fn wrong(name: &str, expected: &str, raw: &[u8]) -> Refusal {
    let found = match raw.first() {
        Some(b'{') => "an object".into(),
        Some(b'[') => "an array".into(),
        // Cut before it is read as text: a value may be as long as its frame.
        _ => shown(&String::from_utf8_lossy(&raw[..raw.len().min(200)])),
    };
    let advice = if raw == b"null" { " (leave it out when there is none)" } else { "" };
    bad_request(format!("\"{name}\" is {expected}, not {found}{advice}"))
}
