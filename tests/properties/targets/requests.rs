//! Frames and bodies with requests against a reader made of serde_json and the tables of the protocol.
//!
//! Input: a letter (`t` text frame, `s` text frame with the strict subprotocol, `b` binary frame, `w` body of
//! `POST /ws`), then the payload.

use super::Target;
use super::grammar::{self, Place};
use super::input::Input;
use super::json;
use bytes::Bytes;
use tidings::model::name::ChannelName;
use tidings::model::publication::{Data, Epoch, Position};
use tidings::model::refusal::Refusal;
use tidings::model::request::{GetOptions, Item, PostOptions, RareOptions, RequestId, Since, Verb};
use tidings::protocol::tidings::parse::{Dialect, Parsed, parse_binary, parse_json_body, parse_text};
use tidings::wire::json::JsonScratch;

const PLAIN_GET: &str = "the plain GET";
const PLAIN_POST: &str = "plain JSON";
const REQUEST: &str = "a request";
const REFUSED_REQUEST: &str = "a request that is refused";
const BATCH: &str = "a batch";
const REFUSED: &str = "refused";
const NO_TEXT: &str = "not UTF-8, so no text frame";

pub(crate) const TARGET: Target = Target {
    name: "requests",
    check,
    outcomes: &[PLAIN_GET, PLAIN_POST, REQUEST, REFUSED_REQUEST, BATCH, REFUSED, NO_TEXT],
    words: &[
        "\"method\":\"GET\",",
        "\"method\":\"POST\",",
        "\"path\":\"/channels/a\",",
        "\"path\":\"/livez\",",
        "\"path\":\"/limits\",",
        "\"id\":1,",
        "\"id\":\"x\",",
        "\"data\":null,",
        "\"since\":\"abcdefgh:1\",",
        "\"last\":5,",
        "\"once\":true,",
        "\"limit\":99999999999,",
        "\"event\":\"e\",",
        "\"event\":\"reset\",",
        "\"key\":\"k\",",
        "\"exclude_self\":true,",
        "\"if_match\":\"abcdefgh:4\",",
        "\"if_match\":\"abcdefgh\",",
        "\"content_type\":\"a/b\",",
        "\"\\u006dethod\":\"GET\",",
        "\\ud800",
        "1e999",
        "9007199254740992",
        "-0",
        "[[[[[[[[",
        "{\"a\":",
        "GET /channels/a ",
        "\"method\":\"AUTH\",",
        "\"token\":\"t\",",
        "DELETE /subscriptions/a",
        "\n",
        "é",
        "\u{feff}",
    ],
};

/// How a payload came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Text(Dialect),
    Binary,
    Body,
}

/// What a payload must come to. Of several faults any may be named.
#[derive(Debug)]
enum Expected {
    PlainGet,
    PlainPost(Vec<u8>),
    One(Wanted),
    Batch(Vec<Wanted>),
    Refused(Vec<&'static str>),
}

/// What one request must come to: its verb, unless it has faults.
#[derive(Debug, Default)]
struct Wanted {
    id: Option<RequestId>,
    faults: Vec<&'static str>,
    verb: Option<Verb>,
}

fn check(data: &[u8]) -> &'static str {
    let mut input = Input::new(data);
    let way = match input.byte() {
        b's' => Way::Text(Dialect::Strict),
        b'b' => Way::Binary,
        b'w' => Way::Body,
        _ => Way::Text(Dialect::Open),
    };
    let payload = input.rest();
    if matches!(way, Way::Text(_)) && std::str::from_utf8(payload).is_err() {
        return NO_TEXT;
    }
    let scratch = &mut JsonScratch::new();
    let mut parse = || match way {
        Way::Text(dialect) => parse_text(payload, scratch, dialect),
        Way::Binary => parse_binary(payload, scratch),
        Way::Body => parse_json_body(payload, scratch, Dialect::Open),
    };
    let found = parse();
    assert_eq!(found, parse(), "the memory of the last parse shows");
    compare(&found, &expect(way, payload))
}

fn compare(found: &Parsed, expected: &Expected) -> &'static str {
    match (found, expected) {
        (Parsed::PlainGet, Expected::PlainGet) => PLAIN_GET,
        (Parsed::PlainPost(Data::Json(json)), Expected::PlainPost(text)) if json == text => PLAIN_POST,
        (Parsed::One(item), Expected::One(wanted)) => compare_item(item, wanted),
        (Parsed::Batch(items), Expected::Batch(wanted)) if items.len() == wanted.len() => {
            for (item, wanted) in items.iter().zip(wanted) {
                compare_item(item, wanted);
            }
            BATCH
        }
        (Parsed::Refused(refusal), Expected::Refused(faults)) => {
            check_refusal(refusal, faults);
            REFUSED
        }
        _ => panic!("found {found:?}\nexpected {expected:?}"),
    }
}

fn compare_item(item: &Item, wanted: &Wanted) -> &'static str {
    match item {
        Ok(request) => {
            assert!(wanted.faults.is_empty(), "{request:?} has the faults {:?}", wanted.faults);
            assert_eq!((&request.id, Some(&request.verb)), (&wanted.id, wanted.verb.as_ref()));
            REQUEST
        }
        Err(refused) => {
            check_refusal(&refused.refusal, &wanted.faults);
            assert_eq!(refused.id, wanted.id, "the id of {refused:?}");
            REFUSED_REQUEST
        }
    }
}

fn check_refusal(refusal: &Refusal, faults: &[&str]) {
    assert!(faults.contains(&refusal.label()), "{refusal:?} is none of {faults:?}");
    let status = match refusal.label() {
        "not_found" => 404,
        "method_not_allowed" => 405,
        _ => 400,
    };
    assert_eq!(refusal.status(), status, "{refusal:?}");
    assert!(!refusal.message.is_empty() && refusal.message.len() < 700, "{refusal:?}");
}

fn trim(text: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t' | b'\r' | b'\n');
    let start = text.iter().position(|byte| !blank(byte)).unwrap_or(text.len());
    let end = text.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &text[start..end]
}

/// Without one byte order mark in front.
fn unmarked(text: &[u8]) -> &[u8] {
    if text.starts_with("\u{feff}".as_bytes()) { &text[3..] } else { text }
}

fn expect(way: Way, payload: &[u8]) -> Expected {
    // Of a body it is taken off before, together with what its media type asks for.
    let payload = if way == Way::Body { payload } else { unmarked(payload) };
    if let Way::Text(dialect) = way {
        if payload == b"GET" {
            return if dialect == Dialect::Open {
                Expected::PlainGet
            } else {
                Expected::Refused(vec!["not_a_request"])
            };
        }
        if let Some(wanted) = short(payload) {
            return Expected::One(wanted);
        }
    }
    let (text, body) = match (way, payload.iter().position(|byte| *byte == b'\n')) {
        (Way::Binary, None) => return Expected::Refused(vec!["bad_request"]),
        (Way::Binary, Some(end)) => (&payload[..end], Some(&payload[end + 1..])),
        _ => (payload, None),
    };
    if !json::is_json(text) {
        return Expected::Refused(vec!["bad_json"]);
    }
    let json = std::str::from_utf8(trim(text)).expect("JSON is text");
    let members = json::members(json);
    let is_request = members.as_ref().is_some_and(|members| has_method(members));
    if json::depth(text) > 64 {
        if !is_request {
            return Expected::Refused(vec!["too_deep"]);
        }
        let id = read_id(&members.unwrap_or_default()).unwrap_or_default();
        return Expected::One(Wanted { id, faults: vec!["too_deep"], verb: None });
    }
    match (members, body, json::items(json)) {
        (Some(members), body, _) if is_request => Expected::One(envelope(&members, body)),
        (_, Some(_), _) => Expected::Refused(vec!["bad_request"]),
        (_, None, Some(items)) if items.iter().any(|item| is_item(item)) => batch(&items),
        _ if way == Way::Text(Dialect::Strict) => Expected::Refused(vec!["not_a_request"]),
        _ => Expected::PlainPost(json.as_bytes().to_vec()),
    }
}

fn batch(items: &[&str]) -> Expected {
    if !items.iter().all(|item| is_item(item)) {
        return Expected::Refused(vec!["mixed_batch"]);
    }
    if items.len() > 100 {
        return Expected::Refused(vec!["batch_too_large"]);
    }
    Expected::Batch(items.iter().map(|item| envelope(&json::members(item).unwrap_or_default(), None)).collect())
}

type Members<'a> = [(Option<String>, &'a str)];

fn has_method(members: &Members<'_>) -> bool {
    members.iter().any(|(key, _)| key.as_deref() == Some("method"))
}

fn is_item(json: &str) -> bool {
    json::members(json).is_some_and(|members| has_method(&members))
}

const COMMON: &[&str] = &["id", "method", "path"];
const GET: &[&str] = &["since", "last", "once", "limit"];
const POST: &[&str] = &["data", "event", "key", "exclude_self", "if_match"];
const AUTH: &[&str] = &["id", "method", "token"];
const BINARY_POST: &[&str] = &["event", "key", "exclude_self", "if_match", "content_type"];

/// One object with a member `method`; `body` is what follows it in a binary frame.
fn envelope(members: &Members<'_>, body: Option<&[u8]>) -> Wanted {
    let mut wanted = Wanted::default();
    match read_id(members) {
        Ok(id) => wanted.id = id,
        Err(fault) => wanted.faults.push(fault),
    }
    let method = last(members, "method").and_then(json::string);
    let allowed = match (method.as_deref(), body) {
        (Some("GET"), _) => GET,
        (Some("POST"), None) => POST,
        (Some("POST"), Some(_)) => BINARY_POST,
        (Some("DELETE"), _) => &[],
        (Some("AUTH"), _) => {
            sign_in(members, body, &mut wanted);
            return wanted;
        }
        _ => {
            wanted.faults.push("bad_request");
            &[]
        }
    };
    check_names(members, &[COMMON, allowed], &mut wanted.faults);
    let path = last(members, "path").and_then(json::string);
    let Some(place) = path.map(|path| grammar::path(&path)) else {
        wanted.faults.push("bad_request");
        return wanted;
    };
    match place {
        Ok(place) => serve(method.as_deref().unwrap_or_default(), place, members, body, &mut wanted),
        Err(fault) => wanted.faults.push(fault),
    }
    if matches!(method.as_deref(), Some("GET" | "DELETE")) && body.is_some_and(|body| !body.is_empty()) {
        wanted.faults.push("bad_request");
    }
    wanted
}

fn sign_in(members: &Members<'_>, body: Option<&[u8]>, wanted: &mut Wanted) {
    check_names(members, &[AUTH], &mut wanted.faults);
    match last(members, "token").and_then(json::string) {
        Some(token) => wanted.verb = Some(Verb::Auth { token: token.into() }),
        None => wanted.faults.push("bad_request"),
    }
    if body.is_some_and(|body| !body.is_empty()) {
        wanted.faults.push("bad_request");
    }
}

fn check_names(members: &Members<'_>, allowed: &[&[&str]], faults: &mut Vec<&'static str>) {
    let mut seen: Vec<&str> = Vec::new();
    for (key, _) in members {
        let key = key.as_deref().unwrap_or_default();
        let known = [COMMON, GET, POST, AUTH, BINARY_POST].concat().contains(&key);
        if known && seen.contains(&key) {
            faults.push("duplicate_member");
        }
        if !allowed.concat().contains(&key) {
            faults.push("unknown_member");
        }
        seen.push(key);
    }
}

/// A name that the grammar found valid.
fn channel(name: &str) -> ChannelName {
    ChannelName::new(name).expect("a valid name")
}

fn serve(method: &str, place: Place, members: &Members<'_>, body: Option<&[u8]>, wanted: &mut Wanted) {
    let faults = &mut wanted.faults;
    wanted.verb = match (method, place) {
        ("GET", Place::Channel(name)) => Some(Verb::Get { channel: channel(&name), options: options(members, faults) }),
        ("POST", Place::Channel(name)) => {
            post(members, body, faults).map(|post| Verb::Post { channel: channel(&name), post })
        }
        ("DELETE", Place::Channel(name)) => Some(Verb::DeleteHistory { channel: channel(&name) }),
        ("DELETE", Place::Subscription(name)) => Some(Verb::Unsubscribe { channel: channel(&name) }),
        ("GET", Place::Livez) => {
            check_names(members, &[COMMON], faults);
            Some(Verb::Livez)
        }
        ("GET", Place::Limits) => {
            check_names(members, &[COMMON], faults);
            Some(Verb::Limits)
        }
        _ => {
            faults.push("method_not_allowed");
            None
        }
    };
}

/// The value of the last member of this name.
fn last<'a>(members: &Members<'a>, name: &str) -> Option<&'a str> {
    members.iter().rfind(|(key, _)| key.as_deref() == Some(name)).map(|(_, value)| *value)
}

fn read_id(members: &Members<'_>) -> Result<Option<RequestId>, &'static str> {
    if members.iter().filter(|(key, _)| key.as_deref() == Some("id")).count() > 1 {
        return Err("duplicate_member");
    }
    let Some(raw) = last(members, "id") else { return Ok(None) };
    if raw.bytes().all(|byte| byte.is_ascii_digit()) {
        let number = raw.parse().ok().filter(|number| *number < 1_u64 << 53).ok_or("bad_request")?;
        return Ok(Some(RequestId::Number(number)));
    }
    let text = json::string(raw).filter(|text| text.len() <= 64).ok_or("bad_request")?;
    Ok(Some(RequestId::Text(text.into())))
}

fn options(members: &Members<'_>, faults: &mut Vec<&'static str>) -> GetOptions {
    let mut count = |name| {
        let raw = last(members, name)?;
        let plain = raw.bytes().all(|byte| byte.is_ascii_digit()) && raw.bytes().any(|byte| byte != b'0');
        if !plain {
            faults.push("bad_request");
        }
        Some(raw.parse().unwrap_or(u32::MAX))
    };
    let (last_count, limit) = (count("last"), count("limit"));
    let since = last(members, "since").map(|raw| match json::string(raw) {
        Some(text) => position(&text).map_or(Since::Unreadable, Since::Position),
        None => {
            faults.push("bad_request");
            Since::Unreadable
        }
    });
    GetOptions { since, last: last_count, once: flag(members, "once", faults), limit }
}

fn position(text: &str) -> Option<Position> {
    let (epoch, offset) = text.split_once(':')?;
    let plain = offset.bytes().all(|byte| byte.is_ascii_digit());
    let offset = offset.parse().ok().filter(|_| plain)?;
    Some(Position { epoch: Epoch::parse(epoch)?, offset })
}

/// A position, or the tag of a snapshot, of which the third part is not looked at.
fn followed(text: &str) -> Option<Position> {
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    position(&parts.get(..2)?.join(":"))
}

fn flag(members: &Members<'_>, name: &str, faults: &mut Vec<&'static str>) -> bool {
    match last(members, name) {
        None | Some("false") => false,
        Some("true") => true,
        Some(_) => {
            faults.push("bad_request");
            false
        }
    }
}

fn post(members: &Members<'_>, body: Option<&[u8]>, faults: &mut Vec<&'static str>) -> Option<PostOptions> {
    const RESERVED: [&str; 8] = ["error", "open", "position", "reset", "closed", "join", "leave", "refused"];
    if last(members, "event").and_then(json::string).is_some_and(|event| RESERVED.contains(&event.as_str())) {
        faults.push("bad_event");
    }
    let mut text = |name, fits: fn(&str) -> bool| {
        let raw = last(members, name)?;
        let text = json::string(raw).filter(|text| fits(text));
        if text.is_none() {
            faults.push("bad_request");
        }
        text.map(Box::<str>::from)
    };
    let event = text("event", |text| text.len() <= 200 && !text.chars().any(char::is_control));
    let key = text("key", |text| (1..=200).contains(&text.len()));
    let content_type =
        text("content_type", |text| (1..=200).contains(&text.len()) && !text.chars().any(char::is_control));
    let exclude_self = flag(members, "exclude_self", faults);
    let data = match (body, last(members, "data")) {
        (Some(body), _) => Data::Binary {
            bytes: Bytes::copy_from_slice(body),
            content_type: content_type.unwrap_or_else(|| "application/octet-stream".into()),
        },
        (None, Some(raw)) => Data::Json(Bytes::copy_from_slice(raw.as_bytes())),
        (None, None) => {
            faults.push("bad_request");
            return None;
        }
    };
    let if_match = last(members, "if_match").and_then(|raw| {
        let found = json::string(raw).and_then(|text| followed(&text));
        if found.is_none() {
            faults.push("bad_request");
        }
        found
    });
    Some(PostOptions {
        data,
        event,
        key,
        exclude_self,
        rare: RareOptions { if_match, ..RareOptions::default() }.boxed(),
    })
}

/// The short form; `None` when it does not begin like one.
fn short(payload: &[u8]) -> Option<Wanted> {
    let text = std::str::from_utf8(payload).expect("a text frame is text");
    let method = ["GET", "POST", "DELETE"].into_iter().find(|method| text.starts_with(&format!("{method} /")))?;
    let rest = &text[method.len() + 1..];
    let (path, argument) = rest.split_at(rest.find([' ', '\t', '\r', '\n']).unwrap_or(rest.len()));
    let argument = std::str::from_utf8(trim(unmarked(trim(argument.as_bytes())))).expect("text");
    let mut wanted = Wanted::default();
    let place = match grammar::path(path) {
        Ok(place) => place,
        Err(fault) => {
            wanted.faults.push(fault);
            return Some(wanted);
        }
    };
    match (method, &place) {
        ("GET" | "POST", Place::Channel(name)) if !argument.is_empty() => {
            check_argument(argument, &mut wanted.faults);
            let members = json::members(argument);
            wanted.verb = Some(if method == "GET" {
                if members.is_none() {
                    wanted.faults.push("bad_request");
                }
                let members = members.unwrap_or_default();
                check_names(&members, &[GET], &mut wanted.faults);
                Verb::Get { channel: channel(name), options: options(&members, &mut wanted.faults) }
            } else {
                let data = Data::Json(Bytes::copy_from_slice(argument.as_bytes()));
                let post = PostOptions::of(data);
                Verb::Post { channel: channel(name), post }
            });
        }
        ("POST", Place::Channel(_)) => wanted.faults.push("bad_request"),
        _ => {
            if !argument.is_empty() {
                wanted.faults.push("bad_request");
            }
            serve(method, place, &[], None, &mut wanted);
        }
    }
    Some(wanted)
}

fn check_argument(argument: &str, faults: &mut Vec<&'static str>) {
    if !json::is_json(argument.as_bytes()) {
        faults.push("bad_json");
    } else if json::depth(argument.as_bytes()) > 64 {
        faults.push("too_deep");
    }
}
