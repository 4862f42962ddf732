//! Requests of the admin API out of queries and bodies: strict, since what is left out of whom means more clients.

use crate::model::code::Code;
use crate::model::glob::Glob;
use crate::model::name::ChannelName;
use crate::model::operation::{Credential, Listing, Operation, Revocable, Whom};
use crate::model::peer_address::PeerAddress;
use crate::model::publication::Data;
use crate::model::refusal::Refusal;
use crate::model::request::{Item, RefusedItem, Request, Verb};
use crate::model::transport::Transport;
use crate::protocol::task::{Body, Reading, Requests};
use crate::protocol::tidings::media::body_to_data;
use crate::protocol::tidings::parse::{hint, shown};
use crate::protocol::tidings::ticket::Form;
use crate::wire::http::target::query_pairs;
use crate::wire::json::scanner::{Member, members, trim};
use crate::wire::json::text::unquote;
use std::collections::BTreeMap;

/// Rows of a page where no number is given, and the largest number.
const PAGE_ROWS: usize = 100;
const PAGE_ROWS_MAX: usize = 1000;
/// Bytes of a user's name, a key's or a token's id.
const NAME_BYTES_MAX: usize = 255;
/// Bytes of what the clients that are ended are told: with its label it fits into a Close.
const REASON_BYTES_MAX: usize = 100;

/// What the members of a request may be called that say whose connections are meant.
const WHOM: [&str; 5] = ["user", "key", "token", "connection", "address"];

/// What a request for a list of connections may say.
pub(super) const LISTING: [&str; 9] =
    ["user", "key", "token", "connection", "address", "channel", "transport", "limit", "after"];

/// What is done by POST.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ActKind {
    Disconnect,
    Unsubscribe,
    Revoke,
}

/// A POST whose body is still to come.
#[derive(Debug)]
pub(super) struct Acting {
    pub(super) kind: ActKind,
    /// The media type of the body.
    pub(super) content_type: Option<Box<str>>,
}

impl Body for Acting {
    fn read(self: Box<Self>, payload: &[u8], reading: &mut Reading<'_>) -> Requests {
        let members = members_of(self.content_type.as_deref(), payload, reading);
        Requests::One(Form::Http.ticket(), item(members.and_then(|members| self.kind.operation(&members))))
    }
}

/// GET `/admin/connections`.
pub(super) fn listing_item(query: Option<&str>) -> Item {
    item(pairs(query, &LISTING).and_then(|pairs| listing(&pairs).map(Operation::List)))
}

/// GET `/admin/subscribers`.
pub(super) fn subscribers_item(query: Option<&str>) -> Item {
    let listing = pairs(query, &["channel", "limit", "after"]).and_then(|pairs| match pairs.get("channel") {
        Some(_) => listing(&pairs).map(Operation::List),
        None => Err(bad("name the channel whose subscribers are asked for: ?channel=NAME")),
    });
    item(listing)
}

/// GET `/admin/revocations`.
pub(super) fn revocations_item(query: Option<&str>) -> Item {
    item(pairs(query, &["limit", "after"]).and_then(|pairs| {
        let after = pairs.get("after").map(|text| {
            let credential = text.split_once(':').and_then(|(kind, name)| Credential::of(kind, name));
            credential.ok_or_else(|| bad("after is none of the places that the page before gave as next"))
        });
        Ok(Operation::Revocations { after: after.transpose()?, max: limit(&pairs)? })
    }))
}

/// POST `/admin/reload`.
pub(super) fn reload_item(query: Option<&str>) -> Item {
    item(pairs(query, &[]).map(|_| Operation::Reload))
}

/// DELETE `/admin/revoke`.
pub(super) fn credential_item(query: Option<&str>) -> Item {
    item(pairs(query, &["user", "key", "token"]).and_then(|pairs| {
        let credential = only_one(&pairs)?;
        credential.map(Operation::Restore).ok_or_else(|| bad("say what is to be taken back: ?user=, ?key= or ?token="))
    }))
}

fn item(operation: Result<Operation, Refusal>) -> Item {
    match operation {
        Ok(operation) => Ok(Request { id: None, verb: Verb::Operate(Box::new(operation)) }),
        Err(refusal) => Err(RefusedItem { id: None, refusal }),
    }
}

/// What was said, by its name.
pub(super) type Members = BTreeMap<String, String>;

impl ActKind {
    fn operation(self, members: &Members) -> Result<Operation, Refusal> {
        match self {
            ActKind::Disconnect => {
                expect(members, &[&WHOM[..], &["reason"]].concat())?;
                let reason =
                    members.get("reason").map(|reason| checked("reason", reason, REASON_BYTES_MAX)).transpose()?;
                Ok(Operation::Disconnect { whom: somebody(members)?, reason })
            }
            ActKind::Unsubscribe => {
                expect(members, &[&WHOM[..], &["channel"]].concat())?;
                let channel = members.get("channel").ok_or_else(|| {
                    bad("\"channel\" is missing: the channels whose subscriptions end, such as \"chat:lobby\" or \"chat:**\"")
                })?;
                let channels = Glob::parse(channel).map_err(|fault| bad(format!("\"channel\": {fault}")))?;
                Ok(Operation::Unsubscribe { whom: somebody(members)?, channels })
            }
            ActKind::Revoke => {
                expect(members, &["user", "key", "token", "connection", "until"])?;
                let until = members.get("until").map(|text| number("until", text)).transpose()?;
                let of =
                    members.get("connection").map(|name| checked("connection", name, NAME_BYTES_MAX)).transpose()?;
                let what = match (only_one(members)?, of) {
                    (Some(credential), None) => Revocable::Credential(credential),
                    (None, Some(connection)) => Revocable::Of(connection),
                    _ => {
                        return Err(bad(
                            "say what is revoked by one member: \"user\", \"key\", \"token\" (its id) or \"connection\"",
                        ));
                    }
                };
                Ok(Operation::Revoke { what, until })
            }
        }
    }
}

/// A page of a list of connections.
pub(super) fn listing(pairs: &Members) -> Result<Listing, Refusal> {
    let channel = pairs.get("channel").map(|name| ChannelName::new(name).map_err(Refusal::from)).transpose()?;
    let transport = pairs.get("transport").map(|word| {
        let words = Transport::LISTED.map(Transport::word).join(", ");
        Transport::parse(word).ok_or_else(|| bad(format!("transport is one of {words}, not {:?}", shown(word))))
    });
    let after = pairs.get("after").map(|name| checked("after", name, NAME_BYTES_MAX)).transpose()?;
    let (transport, max) = (transport.transpose()?, limit(pairs)?);
    Ok(Listing { whom: whom(pairs)?, channel, transport, after, max })
}

fn limit(pairs: &Members) -> Result<usize, Refusal> {
    let Some(text) = pairs.get("limit") else { return Ok(PAGE_ROWS) };
    // At most that many, whatever is asked for: as for other limits of requests.
    match number("limit", text)? {
        0 => Err(bad("limit is a number from 1, such as limit=100")),
        rows => Ok(usize::try_from(rows).unwrap_or(usize::MAX).min(PAGE_ROWS_MAX)),
    }
}

/// Whose connections are meant: whoever is not said to be somebody is everybody, which only a list may mean.
fn somebody(members: &Members) -> Result<Whom, Refusal> {
    let whom = whom(members)?;
    if whom.is_everybody() {
        return Err(bad(format!("say whose connections are meant, by one or several of {}", WHOM.join(", "))));
    }
    Ok(whom)
}

fn whom(members: &Members) -> Result<Whom, Refusal> {
    let name = |name: &str| members.get(name).map(|text| checked(name, text, NAME_BYTES_MAX)).transpose();
    let address = members.get("address").map(|text| {
        text.parse::<PeerAddress>().map_err(|_| {
            bad(format!("address is an IP address such as 192.0.2.7, or unix for a unix socket, not {:?}", shown(text)))
        })
    });
    Ok(Whom {
        user: name("user")?,
        key: name("key")?,
        token: name("token")?,
        connection: name("connection")?,
        address: address.transpose()?,
    })
}

/// The one credential that is named, if one is.
fn only_one(members: &Members) -> Result<Option<Credential>, Refusal> {
    let mut found = None;
    for kind in ["user", "key", "token"] {
        let Some(name) = members.get(kind) else { continue };
        let name = checked(kind, name, NAME_BYTES_MAX)?;
        if found.is_some() {
            return Err(bad("name one user, key or token at a time"));
        }
        found = Credential::of(kind, &name);
    }
    Ok(found)
}

fn checked(member: &str, text: &str, max: usize) -> Result<Box<str>, Refusal> {
    let fits = (1..=max).contains(&text.len()) && !text.chars().any(char::is_control);
    let wrong = || bad(format!("{member} has 1 to {max} bytes and no control character"));
    fits.then(|| text.into()).ok_or_else(wrong)
}

fn number(member: &str, text: &str) -> Result<u64, Refusal> {
    // `parse` alone would take "+5".
    let is_number = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let wrong = || bad(format!("{member} is a whole number, not {:?}", shown(text)));
    is_number.then(|| text.parse().unwrap_or(u64::MAX)).ok_or_else(wrong)
}

fn expect(members: &Members, known: &[&str]) -> Result<(), Refusal> {
    match members.keys().find(|name| !known.contains(&name.as_str())) {
        Some(name) => {
            let message = format!("unknown member {:?}: {}", shown(name), hint(name, known));
            Err(Refusal::new(Code::UnknownMember, message))
        }
        None => Ok(()),
    }
}

/// The pairs of a query, each at most once.
fn pairs(query: Option<&str>, known: &[&str]) -> Result<Members, Refusal> {
    let mut pairs = Members::new();
    for (name, value) in query_pairs(query.unwrap_or_default()) {
        if !known.contains(&&*name) {
            let message = format!("unknown option {:?} in the query; {}", shown(&name), hint(&name, known));
            return Err(Refusal::new(Code::UnknownOption, message));
        }
        if pairs.insert(name.clone().into_owned(), value.into_owned()).is_some() {
            return Err(bad(format!("{name} is given more than once")));
        }
    }
    Ok(pairs)
}

/// The members of the object that a body is, whose values are texts and numbers.
fn members_of(content_type: Option<&str>, payload: &[u8], reading: &mut Reading<'_>) -> Result<Members, Refusal> {
    if payload.is_empty() {
        return Err(Refusal::new(Code::BadJson, "the body is empty; it is a JSON object such as {\"user\":\"ada\"}"));
    }
    match body_to_data(content_type, payload, reading.scratch)? {
        Data::Json(json) => strict(&json),
        Data::Binary { .. } => Err(Refusal::new(
            Code::UnsupportedMediaType,
            "the body is a JSON object: send Content-Type: application/json",
        )),
    }
}

/// Reads an object strictly, of which it is known that it is JSON: of two members with one name the second would count.
pub(super) fn strict(json: &[u8]) -> Result<Members, Refusal> {
    if trim(json).first() != Some(&b'{') {
        return Err(bad("the body is a JSON object such as {\"user\":\"ada\"}"));
    }
    let mut read = Members::new();
    for Member { key, value } in members(json) {
        let name = unquote(key).ok_or_else(|| bad("the name of a member is not Unicode"))?;
        let shown = shown(&name);
        let text = match value.first() {
            Some(b'"') => unquote(value).ok_or_else(|| bad(format!("the value of {shown:?} is not Unicode")))?,
            Some(b'-' | b'0'..=b'9') => String::from_utf8_lossy(value),
            _ => return Err(bad(format!("the value of {shown:?} is a text or a number"))),
        };
        if read.insert(name.clone().into_owned(), text.into_owned()).is_some() {
            return Err(bad(format!("{shown:?} stands there more than once")));
        }
    }
    Ok(read)
}

fn bad(message: impl Into<std::borrow::Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}

#[cfg(test)]
mod tests {
    use super::strict;

    #[test]
    fn a_body_is_an_object_of_texts_and_numbers_none_of_them_twice() {
        let read = |json: &str| strict(json.as_bytes()).map_err(|refusal| refusal.message.into_owned());
        let members = read(r#" {"user":"ad\u0061","until": 12,"reason":"" } "#).expect("an object");
        let found: Vec<(&str, &str)> = members.iter().map(|(name, text)| (&**name, &**text)).collect();
        assert_eq!(found, [("reason", ""), ("until", "12"), ("user", "ada")]);
        assert!(read("{}").expect("an object").is_empty());
        for (json, why) in [
            ("[]", "is a JSON object"),
            ("\"{}\"", "is a JSON object"),
            (r#"{"user":"a","us\u0065r":"b"}"#, "\"user\" stands there more than once"),
            (r#"{"user":true}"#, "the value of \"user\" is a text or a number"),
            (r#"{"user":null}"#, "the value of \"user\" is a text or a number"),
            (r#"{"user":["a"]}"#, "the value of \"user\" is a text or a number"),
            (r#"{"user":{}}"#, "the value of \"user\" is a text or a number"),
            (r#"{"user":"\ud800"}"#, "the value of \"user\" is not Unicode"),
            (r#"{"\ud800":"a"}"#, "the name of a member is not Unicode"),
        ] {
            let message = read(json).expect_err(json);
            assert!(message.contains(why), "{json}: {message}");
        }
    }
}
