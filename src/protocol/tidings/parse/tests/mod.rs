//! What the tests of frames and of members share: reading a frame, and taking its result apart.

mod frames;
mod members;

use super::{Dialect, parse_binary, parse_text};
use crate::model::publication::Data;
use crate::model::request::{GetOptions, PostOptions, Request, RequestId, Verb};
use crate::protocol::tidings::parse::Parsed;
use crate::wire::json::JsonScratch;

fn text(frame: &str) -> Parsed {
    parse_text(frame.as_bytes(), &mut JsonScratch::new(), Dialect::Open)
}

fn strict(frame: &str) -> Parsed {
    parse_text(frame.as_bytes(), &mut JsonScratch::new(), Dialect::Strict)
}

fn binary(frame: &[u8]) -> Parsed {
    parse_binary(frame, &mut JsonScratch::new())
}

fn request(parsed: Parsed) -> Request {
    match parsed {
        Parsed::One(Ok(request)) => request,
        other => panic!("no request: {other:?}"),
    }
}

fn verb(frame: &str) -> Verb {
    request(text(frame)).verb
}

/// Id, status, code and message of a refusal of one request or of the frame.
fn refusal(parsed: Parsed) -> (Option<RequestId>, u16, &'static str, String) {
    let (id, refusal) = match parsed {
        Parsed::One(Err(item)) => (item.id, item.refusal),
        Parsed::Refused(refusal) => (None, refusal),
        other => panic!("not refused: {other:?}"),
    };
    (id, refusal.status(), refusal.label(), refusal.message.into_owned())
}

#[track_caller]
fn refuses(frame: &str, status: u16, code: &str) -> String {
    let (_, actual_status, actual_code, message) = refusal(text(frame));
    assert_eq!((actual_status, actual_code), (status, code), "{frame}: {message}");
    message
}

fn data(json: &'static str) -> Data {
    Data::Json(json.into())
}

fn get(channel: &str, options: GetOptions) -> Verb {
    Verb::Get { channel: channel.try_into().expect("a name"), options }
}

fn post(channel: &str, data: Data) -> Verb {
    let post = PostOptions::of(data);
    Verb::Post { channel: channel.try_into().expect("a name"), post }
}

fn posted(verb: Verb) -> PostOptions {
    match verb {
        Verb::Post { post, .. } => post,
        other => panic!("no POST: {other:?}"),
    }
}
