//! One request that is a JSON object with a member `method`: its route, its members, its refusals.

use super::fields::{Fields, Name};
use super::nearest::{hint, shown};
use super::{bad_request, values};
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, Item, PostOptions, RareOptions, RefusedItem, Request, RequestId, Verb};
use crate::protocol::tidings::path::{Route, parse_path};
use bytes::Bytes;

/// Where the data of a POST is.
#[derive(Debug, Clone, Copy)]
pub(super) enum Payload<'a> {
    /// In the member `data`.
    InText,
    /// After the request's line, as bytes.
    Raw(&'a [u8]),
}

/// A method of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Method {
    Get,
    Post,
    Delete,
    Auth,
}

/// The media type of bytes that came without one.
const DEFAULT_CONTENT_TYPE: &str = "application/octet-stream";

/// Reads one object that has a member `method`.
pub(super) fn parse(object: &[u8], payload: Payload<'_>) -> Item {
    parse_fields(&Fields::read(object), payload)
}

/// The same for one whose members were read already.
pub(super) fn parse_fields(fields: &Fields<'_>, payload: Payload<'_>) -> Item {
    // Read first, so that every refusal of the rest still carries it.
    let id = fields.id();
    let known_id = id.as_ref().ok().cloned().flatten();
    read(fields, id, payload).map_err(|refusal| RefusedItem { id: known_id, refusal })
}

fn read(fields: &Fields<'_>, id: Result<Option<RequestId>, Refusal>, payload: Payload<'_>) -> Result<Request, Refusal> {
    // Before all values: of a member that came twice it is unknown which one was meant.
    fields.check_duplicates()?;
    let id = id?;
    let method = method(fields.get(Name::Method).unwrap_or_default())?;
    // Names first: `pth` is better called unknown than `path` missing. Whether they fit the route is checked once that is known.
    let (options, what) = options_of(method, payload);
    if method == Method::Auth {
        fields.check_names(&[options], what)?;
        return Ok(Request { id, verb: auth(fields, payload)? });
    }
    fields.check_names(&[Name::COMMON, options], what)?;
    let path =
        fields.get(Name::Path).ok_or_else(|| bad_request("a request needs a \"path\", as in \"/channels/x\""))?;
    let route = parse_path(&values::string("path", path)?)?;
    Ok(Request { id, verb: verb(method, route, fields, payload)? })
}

fn options_of(method: Method, payload: Payload<'_>) -> (&'static [Name], &'static str) {
    match (method, payload) {
        (Method::Get, _) => (Name::GET, "a GET"),
        (Method::Post, Payload::InText) => (Name::POST, "a POST in a text frame"),
        (Method::Post, Payload::Raw(_)) => (Name::BINARY_POST, "a POST in a binary frame"),
        (Method::Delete, _) => (&[], "a DELETE"),
        (Method::Auth, _) => (Name::AUTH, "AUTH"),
    }
}

fn method(raw: &[u8]) -> Result<Method, Refusal> {
    // As nearly everybody writes it: there is nothing to unescape, which takes a hundred instructions and more.
    let inner = raw.strip_prefix(b"\"").and_then(|raw| raw.strip_suffix(b"\""));
    if let Some(method) = inner.and_then(method_of) {
        return Ok(method);
    }
    let text = values::string("method", raw)?;
    method_of(text.as_bytes()).ok_or_else(|| {
        let hint = hint(&text, &["GET", "POST", "DELETE", "AUTH"]);
        bad_request(format!("unknown method {:?}: {hint} (methods: GET, POST, DELETE, AUTH)", shown(&text)))
    })
}

fn method_of(text: &[u8]) -> Option<Method> {
    match text {
        b"GET" => Some(Method::Get),
        b"POST" => Some(Method::Post),
        b"DELETE" => Some(Method::Delete),
        b"AUTH" => Some(Method::Auth),
        _ => None,
    }
}

fn auth(fields: &Fields<'_>, payload: Payload<'_>) -> Result<Verb, Refusal> {
    if matches!(payload, Payload::Raw([_, ..])) {
        return Err(bad_request("only a POST has a body: end the binary frame with the line feed"));
    }
    let token = fields.get(Name::Token).map(|raw| values::string("token", raw)).transpose()?;
    let token = token.ok_or_else(|| bad_request("AUTH needs a \"token\": a string with the operators' key"))?;
    Ok(Verb::Auth { token: Box::from(&*token) })
}

fn verb(method: Method, route: Route, fields: &Fields<'_>, payload: Payload<'_>) -> Result<Verb, Refusal> {
    // A body of no bytes is none: the line feed before it ends every binary frame's line.
    if let (Method::Get | Method::Delete, Payload::Raw([_, ..])) = (method, payload) {
        return Err(bad_request("only a POST has a body: end the binary frame with the line feed"));
    }
    match (method, route) {
        (Method::Get, Route::Channel(channel)) => Ok(Verb::Get { channel, options: get_options(fields)? }),
        (Method::Post, Route::Channel(channel)) => post(channel, fields, payload),
        (Method::Get, Route::Livez) => {
            // The options of a GET were let through while the path was not known.
            fields.check_names(&[Name::COMMON], "GET /livez")?;
            Ok(Verb::Livez)
        }
        (Method::Get, Route::Limits) => {
            fields.check_names(&[Name::COMMON], "GET /limits")?;
            Ok(Verb::Limits)
        }
        (method, route) => bodiless(method, route),
    }
}

/// The routes that take nothing but their path, and those that do not exist.
pub(super) fn bodiless(method: Method, route: Route) -> Result<Verb, Refusal> {
    match (method, route) {
        (Method::Delete, Route::Channel(channel)) => Ok(Verb::DeleteHistory { channel }),
        (Method::Delete, Route::Subscription(channel)) => Ok(Verb::Unsubscribe { channel }),
        (Method::Get, Route::Livez) => Ok(Verb::Livez),
        (Method::Get, Route::Limits) => Ok(Verb::Limits),
        (_, Route::Subscription(_)) => {
            Err(not_allowed("/subscriptions/{name} takes DELETE only: GET /channels/{name} subscribes"))
        }
        (_, Route::Livez) => Err(not_allowed("/livez takes GET only")),
        (_, Route::Limits) => Err(not_allowed("/limits takes GET only")),
        (_, Route::Channel(_)) => Err(not_allowed("/channels/{name} takes GET, POST and DELETE")),
    }
}

fn not_allowed(message: &'static str) -> Refusal {
    Refusal::new(Code::MethodNotAllowed, message)
}

/// The options of a GET, from an envelope or a short form.
pub(super) fn get_options(fields: &Fields<'_>) -> Result<GetOptions, Refusal> {
    let count = |name: Name| fields.get(name).map(|raw| values::count(name.as_str(), raw)).transpose();
    Ok(GetOptions {
        since: fields.get(Name::Since).map(values::since).transpose()?,
        last: count(Name::Last)?,
        once: flag(fields, Name::Once)?,
        limit: count(Name::Limit)?,
    })
}

fn post(channel: ChannelName, fields: &Fields<'_>, payload: Payload<'_>) -> Result<Verb, Refusal> {
    let post = PostOptions {
        event: fields.get(Name::Event).map(values::event).transpose()?,
        key: fields.get(Name::Key).map(values::key).transpose()?,
        exclude_self: flag(fields, Name::ExcludeSelf)?,
        rare: fields.get(Name::IfMatch).map(follows).transpose()?,
        data: data(fields, payload)?,
    };
    Ok(Verb::Post { channel, post })
}

#[cold]
fn follows(raw: &[u8]) -> Result<Box<RareOptions>, Refusal> {
    Ok(Box::new(RareOptions { if_match: Some(values::position(raw)?), ..RareOptions::default() }))
}

fn data(fields: &Fields<'_>, payload: Payload<'_>) -> Result<Data, Refusal> {
    match payload {
        Payload::InText => match fields.get(Name::Data) {
            // Copied: the text lies in memory that is read into again, and the data may stay in a history.
            Some(value) => Ok(Data::Json(Bytes::copy_from_slice(value))),
            None => Err(bad_request("a POST needs \"data\": any JSON value, null too")),
        },
        Payload::Raw(body) => {
            let content_type = fields.get(Name::ContentType).map(values::content_type).transpose()?;
            let content_type = content_type.unwrap_or_else(|| DEFAULT_CONTENT_TYPE.into());
            Ok(Data::Binary { bytes: Bytes::copy_from_slice(body), content_type })
        }
    }
}

fn flag(fields: &Fields<'_>, name: Name) -> Result<bool, Refusal> {
    fields.get(name).map_or(Ok(false), |raw| values::boolean(name.as_str(), raw))
}
