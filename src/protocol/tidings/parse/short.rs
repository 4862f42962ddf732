//! The short form, for people typing: `GET /channels/x {"last":5}`, `POST /channels/x JSON`, `DELETE /channels/x`.

use super::envelope::{Method, bodiless, get_options};
use super::fields::{Fields, Name};
use super::{anonymous, bad_request};
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, PostOptions, Request, Verb};
use crate::protocol::tidings::path::{Route, parse_path};
use crate::wire::json::scanner::{is_space, trim};
use crate::wire::json::{JsonScratch, validate, without_mark};
use bytes::Bytes;

/// Reads a short form; `None` when the frame does not begin as one.
pub(super) fn parse(payload: &[u8], scratch: &mut JsonScratch) -> Option<Item> {
    let (method, rest) = split_method(payload)?;
    let end = rest.iter().position(|byte| is_space(*byte)).unwrap_or(rest.len());
    let (path, argument) = rest.split_at(end);
    let verb = read(method, path, trim(without_mark(trim(argument))), scratch);
    Some(verb.map_or_else(anonymous, |verb| Ok(Request { id: None, verb })))
}

/// The method before ` /`, and the rest from the slash on.
fn split_method(payload: &[u8]) -> Option<(Method, &[u8])> {
    let words: [(&[u8], Method); 3] = [(b"GET ", Method::Get), (b"POST ", Method::Post), (b"DELETE ", Method::Delete)];
    words.into_iter().find_map(|(word, method)| {
        // Without the slash it is text like any other: not JSON, and refused with a list of what a frame may be.
        payload.strip_prefix(word).filter(|rest| rest.first() == Some(&b'/')).map(|rest| (method, rest))
    })
}

fn read(method: Method, path: &[u8], argument: &[u8], scratch: &mut JsonScratch) -> Result<Verb, Refusal> {
    let path = std::str::from_utf8(path).map_err(|_| bad_request("a path is UTF-8"))?;
    match (method, parse_path(path)?) {
        (Method::Get, Route::Channel(channel)) => {
            if argument.is_empty() {
                return Ok(Verb::Get { channel, options: Default::default() });
            }
            validate(argument, scratch)?;
            let fields = options(argument)?;
            Ok(Verb::Get { channel, options: get_options(&fields)? })
        }
        (Method::Post, Route::Channel(channel)) => {
            if argument.is_empty() {
                return Err(bad_request("POST needs JSON after the path, as in POST /channels/x {\"hello\":1}"));
            }
            validate(argument, scratch)?;
            let data = Data::Json(Bytes::copy_from_slice(argument));
            let post = PostOptions::of(data);
            Ok(Verb::Post { channel, post })
        }
        (method, route) => {
            let verb = bodiless(method, route)?;
            if argument.is_empty() { Ok(verb) } else { Err(bad_request("nothing may follow this path")) }
        }
    }
}

fn options(argument: &[u8]) -> Result<Fields<'_>, Refusal> {
    if argument.first() != Some(&b'{') {
        return Err(bad_request(
            "after the path of a GET comes an object of options, as in GET /channels/x {\"last\":5}",
        ));
    }
    let fields = Fields::read(argument);
    fields.check_duplicates()?;
    fields.check_names(&[Name::GET], "the short form of GET")?;
    Ok(fields)
}
