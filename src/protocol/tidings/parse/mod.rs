//! One frame or body becomes requests: the six kinds of text frame, the binary frame, and the body of `POST /ws`.

mod envelope;
mod fields;
mod nearest;
mod one_pass;
mod short;
mod values;

use crate::model::code::Code;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RefusedItem};
use crate::wire::json::scanner::{items, members, trim};
use crate::wire::json::text::unquote;
use crate::wire::json::{JsonScratch, validate, without_mark};
use bytes::Bytes;
use envelope::Payload;
use fields::{Fields, Name};
pub use nearest::{hint, shown};
pub(super) use values::followed;

/// How many requests one batch may hold at most.
pub const BATCH_REQUESTS_MAX: usize = 100;

/// Whether plain frames are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// No subprotocol: `GET` alone and JSON that is not a request have their plain meaning.
    Open,
    /// Subprotocol `tidings.v1`: both are refused with 400 `not_a_request`.
    Strict,
}

/// What one frame or body says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// The text `GET` alone.
    PlainGet,
    /// A JSON value that is not a request: published to the plain channel.
    PlainPost(Data),
    /// One request.
    One(Item),
    /// A batch: one answer with as many items, in the same order.
    Batch(Vec<Item>),
    /// Not readable as any of these.
    Refused(Refusal),
}

/// Reads a text frame (already known to be UTF-8). The first that matches: exactly `GET`, a short form, not JSON,
/// one request, a batch, any other JSON. A leading byte order mark is skipped.
#[must_use]
pub fn parse_text(payload: &[u8], scratch: &mut JsonScratch, dialect: Dialect) -> Parsed {
    let payload = without_mark(payload);
    if payload == b"GET" {
        return match dialect {
            Dialect::Open => Parsed::PlainGet,
            Dialect::Strict => Parsed::Refused(not_a_request()),
        };
    }
    if let Some(item) = short::parse(payload, scratch) {
        return Parsed::One(item);
    }
    match parse_json_body(payload, scratch, dialect) {
        Parsed::Refused(refusal) if refusal.code == Code::BadJson => Parsed::Refused(explain(&refusal)),
        parsed => parsed,
    }
}

/// Reads the body of `POST /ws`: as [`parse_text`], without `GET` and the short forms. It need not be UTF-8.
#[must_use]
pub fn parse_json_body(payload: &[u8], scratch: &mut JsonScratch, dialect: Dialect) -> Parsed {
    let text = trim(payload);
    // Nearly every request is small and valid. What this does not take is read again below, which can say what is wrong.
    if let Some(fields) = one_pass::fields(text) {
        return match fields.get(Name::Method) {
            Some(_) => Parsed::One(envelope::parse_fields(&fields, Payload::InText)),
            None => plain(text, dialect),
        };
    }
    // Not `text`: line and column in the message count from where the client's own text begins.
    if let Err(refusal) = validate(payload, scratch) {
        return refused(text, refusal);
    }
    match text.first() {
        Some(b'{') if has_method(text) => Parsed::One(envelope::parse(text, Payload::InText)),
        Some(b'[') => parse_array(text, dialect),
        _ => plain(text, dialect),
    }
}

/// Reads a binary frame: one line with one request, a line feed, the raw body.
#[must_use]
pub fn parse_binary(payload: &[u8], scratch: &mut JsonScratch) -> Parsed {
    let Some(end) = payload.iter().position(|byte| *byte == b'\n') else {
        return Parsed::Refused(bad_request(
            "a binary frame is one line with a request in JSON, a line feed, and the raw body: the line feed is missing",
        ));
    };
    // The line's mark alone: the body is bytes, which are published unchanged.
    let (line, body) = (without_mark(&payload[..end]), &payload[end + 1..]);
    let text = trim(line);
    if let Err(refusal) = validate(line, scratch) {
        return refused(text, refusal);
    }
    if !has_method(text) {
        return Parsed::Refused(bad_request(
            "the first line of a binary frame is one request, as in {\"method\":\"POST\",\"path\":\"/channels/x\"}",
        ));
    }
    Parsed::One(envelope::parse(text, Payload::Raw(body)))
}

/// An array: a batch when all its items are requests, an error when some are, plain data when none is.
fn parse_array(text: &[u8], dialect: Dialect) -> Parsed {
    // All items are looked at before one is read: an array is executed as a whole or refused as a whole.
    let (mut count, mut requests) = (0, 0);
    for item in items(text) {
        count += 1;
        requests += usize::from(has_method(item));
    }
    if requests == 0 {
        return plain(text, dialect);
    }
    if requests < count {
        let others = count - requests;
        return Parsed::Refused(Refusal::new(
            Code::MixedBatch,
            format!(
                "{requests} items of this array are requests and {others} are not: a batch holds only objects with a member \"method\""
            ),
        ));
    }
    if count > BATCH_REQUESTS_MAX {
        return Parsed::Refused(Refusal::new(
            Code::BatchTooLarge,
            format!("this batch holds {count} requests; the limit is {BATCH_REQUESTS_MAX}: send several batches"),
        ));
    }
    Parsed::Batch(items(text).map(|item| envelope::parse(item, Payload::InText)).collect())
}

fn plain(text: &[u8], dialect: Dialect) -> Parsed {
    match dialect {
        Dialect::Open => Parsed::PlainPost(Data::Json(Bytes::copy_from_slice(text))),
        Dialect::Strict => Parsed::Refused(not_a_request()),
    }
}

/// Whether `value` is an object with a member `method`, however its key is escaped.
fn has_method(value: &[u8]) -> bool {
    members(value).any(|member| {
        member.key == b"\"method\""
            || (member.key.contains(&b'\\') && unquote(member.key).is_some_and(|key| key == "method"))
    })
}

/// Refuses the whole text.
fn refused(text: &[u8], refusal: Refusal) -> Parsed {
    // Too deep is still JSON, so its id can be read: the client learns which of its requests this was.
    if refusal.code == Code::TooDeep && has_method(text) {
        return Parsed::One(Err(RefusedItem { id: Fields::read(text).id().ok().flatten(), refusal }));
    }
    Parsed::Refused(refusal)
}

fn not_a_request() -> Refusal {
    Refusal::new(
        Code::NotARequest,
        "with the subprotocol tidings.v1 every frame is a request, as in {\"id\":1,\"method\":\"GET\",\"path\":\"/channels/x\"}",
    )
}

/// Adds which other forms a text frame may have.
fn explain(refusal: &Refusal) -> Refusal {
    let message = format!("{} (a frame is JSON, or one of GET /…, POST /… JSON and DELETE /…)", refusal.message);
    Refusal::new(refusal.code, message)
}

fn bad_request(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}

/// An item without an id that was refused.
fn anonymous(refusal: Refusal) -> Item {
    Err(RefusedItem { id: None, refusal })
}

#[cfg(test)]
mod tests;
