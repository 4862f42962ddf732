//! What a GET of a channel asks for in its query and its fields, and which of it an event stream ignores.

use super::parse::{followed, hint, shown};
use super::signed;
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, Item, RefusedItem, Request, Since, Verb};
use crate::wire::http::head::Head;
use crate::wire::http::target::query_pairs;
use crate::wire::http::upgrade::wants_upgrade;

/// The most options that a comment names.
const NAMED_MAX: usize = 8;
/// The longest name that a comment repeats, in bytes.
const NAMED_BYTES_MAX: usize = 40;

/// The option with a token: where it is taken, it was looked at before.
pub(super) const TOKEN_OPTION: &str = "token";

/// GET of a channel, whatever its transport: `?since=`, `?last=`, `?limit=` and `Last-Event-ID`.
///
/// A browser gives up for good on a stream that is answered by 400, and what is wrong with a URL is often not the page's
/// doing (polyfills and proxies add to it): there a bad option is as good as none, and `ignored` names it.
///
/// `signs`: whether the server knows signed addresses. Their options were looked at before.
pub fn read_item(head: &Head<'_>, channel: ChannelName, once: bool, signs: bool) -> Item {
    let lenient = head.accepts_event_stream() && !once && !wants_upgrade(head);
    let mut options = GetOptions { once, ..GetOptions::default() };
    // Where a reader that comes back says that it is knows better than the URL it began with.
    let mut comes_back = None;
    for (name, value) in query_pairs(head.query.unwrap_or_default()) {
        match read(&name, &value, signs) {
            Ok(Given::Since(since)) => options.since = Some(since),
            // An empty one says nothing, so it does not undo one that said where the reader is.
            Ok(Given::ComesBack(since)) => comes_back = since.or(comes_back),
            Ok(Given::Last(count)) => options.last = Some(count),
            Ok(Given::Limit(count)) => options.limit = Some(count),
            Ok(Given::Elsewhere) => {}
            Err(_) if lenient => {}
            Err(refusal) => return refused(refusal),
        }
    }
    // Empty is what a stream's id is before its first event: no position.
    let field = head.last_event_id.filter(|id| !id.is_empty()).map(since);
    // The field is the browser's own, the pair a polyfill's, and `since` is as old as the URL.
    options.since = field.or(comes_back).or(options.since);
    Ok(Request { id: None, verb: Verb::Get { channel, options } })
}

/// The position that `If-Match` names (RFC 9110 section 13.1.1): the tag of a snapshot, or a position in quotes. `*` holds for every
/// channel.
///
/// # Errors
/// It names none, or several: a publication follows one.
pub(super) fn if_match(lines: &[&[u8]]) -> Result<Option<Position>, Refusal> {
    let tag = match lines {
        [] => return Ok(None),
        [line] => std::str::from_utf8(line).unwrap_or_default().trim_matches([' ', '\t']),
        _ => "",
    };
    let position = tag.strip_prefix('"').and_then(|tag| tag.strip_suffix('"')).and_then(followed);
    match position {
        None if tag == "*" => Ok(None),
        None => Err(Refusal::new(
            Code::BadRequest,
            "If-Match is one position in quotes, as in \"EPOCH:41\": that of the publication which the new one follows",
        )),
        found => Ok(found),
    }
}

/// Says which options of the query an event stream ignores; `None` when it understands all of them. Names that could be
/// anything but a name are counted and not repeated, since the text is sent to everyone who opens the URL.
pub(super) fn ignored(head: &Head<'_>, signs: bool) -> Option<Box<str>> {
    let (mut named, mut others): (Vec<Box<str>>, usize) = (Vec::new(), 0);
    for (name, value) in query_pairs(head.query?) {
        let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
        let is_name = (1..=NAMED_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_plain);
        match read(&name, &value, signs) {
            Ok(_) => {}
            // Named already: the same option twice is not one more of the others.
            Err(_) if is_name && named.iter().any(|known| **known == *name) => {}
            Err(_) if is_name && named.len() < NAMED_MAX => named.push(Box::from(&*name)),
            Err(_) => others += 1,
        }
    }
    let named = named.join(", ");
    match (named.is_empty(), others) {
        (true, 0) => None,
        (true, others) => Some(format!("options ignored: {others} without a plain name").into()),
        (false, 0) => Some(format!("options ignored: {named}").into()),
        (false, others) => Some(format!("options ignored: {named} and {others} more").into()),
    }
}

/// What one option says.
enum Given {
    Since(Since),
    /// The last event's id, by a polyfill that cannot send the field; nothing when it is empty, as the field may be.
    ComesBack(Option<Since>),
    Last(u32),
    Limit(u32),
    /// Accepted and ignored here: over HTTP the transport decides whether only an answer is wanted, and a signature has said
    /// who asks.
    Elsewhere,
}

fn read(name: &str, value: &str, signs: bool) -> Result<Given, Refusal> {
    match name {
        "since" => Ok(Given::Since(since(value))),
        "lastEventId" | "Last-Event-ID" => Ok(Given::ComesBack((!value.is_empty()).then(|| since(value)))),
        "last" => count(name, value).map(Given::Last),
        "limit" => count(name, value).map(Given::Limit),
        // Who asks was read before, or refused.
        "once" | TOKEN_OPTION => Ok(Given::Elsewhere),
        name if signed::OPTIONS.contains(&name) => {
            if signs {
                return Ok(Given::Elsewhere);
            }
            let message = format!(
                "{name}= is for signed addresses, and this server has no secret for them (channels.sign_secret)"
            );
            Err(Refusal::new(Code::UnknownOption, message))
        }
        _ => Err(unknown_option(name, &["since", "last", "limit"])),
    }
}

fn since(text: &str) -> Since {
    Position::parse(text).map_or(Since::Unreadable, Since::Position)
}

/// A number from 1; as on the socket, one that is too large to hold counts as the largest.
fn count(name: &str, value: &str) -> Result<u32, Refusal> {
    // `parse` alone would take "+5".
    let is_number = !value.is_empty() && value.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| value.parse().unwrap_or(u32::MAX)).filter(|count| *count > 0).ok_or_else(|| {
        Refusal::new(
            Code::BadRequest,
            format!("{name}={value} is not a count: write a number from 1, as in ?{name}=10"),
        )
    })
}

pub(super) fn unknown_option(name: &str, known: &[&str]) -> Refusal {
    let message = format!("unknown option {:?} in the query; {}", shown(name), hint(name, known));
    Refusal::new(Code::UnknownOption, message)
}

pub(super) fn refused(refusal: Refusal) -> Item {
    Err(RefusedItem { id: None, refusal })
}
