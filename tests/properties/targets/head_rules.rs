//! What httparse finds in a head, and the table of reasons for which we refuse a head that it takes.

use super::head::LIMITS;
use std::net::{Ipv4Addr, Ipv6Addr};
use tidings::model::refusal::Refusal;

/// A head as httparse reads it.
#[derive(Debug)]
pub(crate) struct Theirs<'a> {
    pub(crate) method: &'a str,
    pub(crate) target: &'a str,
    pub(crate) minor: u8,
    /// Names in lower case, values without the white space around them.
    pub(crate) fields: Vec<(String, &'a [u8])>,
    pub(crate) used: usize,
}

/// What httparse says of some bytes.
#[derive(Debug)]
pub(crate) enum Outcome<'a> {
    Complete(Theirs<'a>),
    Partial,
    Refused,
}

impl<'a> Theirs<'a> {
    /// Reads `data`, and whether its version is above 1.1: httparse knows no such, so it is shown a 1.
    pub(crate) fn read(data: &'a [u8]) -> (Outcome<'a>, bool) {
        let outcome = Theirs::parse(data);
        let line = data.iter().skip(2).position(|byte| *byte == b'\n').map_or(data.len(), |at| at + 2);
        let version =
            data[..line].windows(8).rposition(|word| word.starts_with(b"HTTP/1.") && word[7].is_ascii_digit());
        let Some(digit) = version.map(|at| at + 7).filter(|at| data[*at] > b'1') else { return (outcome, false) };
        if !matches!(outcome, Outcome::Refused) {
            return (outcome, false);
        }
        // What is found borrows from a copy that differs in this one digit, which nothing found contains.
        let mut shown = data.to_vec();
        shown[digit] = b'1';
        let found = match Theirs::parse(&shown) {
            Outcome::Complete(theirs) => Outcome::Complete(theirs.moved(&shown, data)),
            Outcome::Partial => Outcome::Partial,
            Outcome::Refused => Outcome::Refused,
        };
        (found, true)
    }

    fn parse(data: &[u8]) -> Outcome<'_> {
        let mut lines = [httparse::EMPTY_HEADER; 200];
        let mut request = httparse::Request::new(&mut lines);
        match request.parse(data) {
            Ok(httparse::Status::Complete(used)) => Outcome::Complete(Theirs {
                method: request.method.expect("complete"),
                target: request.path.expect("complete"),
                minor: request.version.expect("complete"),
                fields: request.headers.iter().map(|line| (line.name.to_lowercase(), trim(line.value))).collect(),
                used,
            }),
            Ok(httparse::Status::Partial) => Outcome::Partial,
            Err(_) => Outcome::Refused,
        }
    }

    /// The same places in another copy of the bytes.
    fn moved<'b>(&self, from: &[u8], to: &'b [u8]) -> Theirs<'b> {
        let place = |part: &[u8]| {
            let start = part.as_ptr() as usize - from.as_ptr() as usize;
            &to[start..start + part.len()]
        };
        let text = |part: &str| std::str::from_utf8(place(part.as_bytes())).expect("text as before");
        Theirs {
            method: text(self.method),
            target: text(self.target),
            minor: self.minor,
            fields: self.fields.iter().map(|(name, value)| (name.clone(), place(value))).collect(),
            used: self.used,
        }
    }

    pub(crate) fn values(&self, name: &str) -> impl Iterator<Item = &'a [u8]> {
        self.fields.iter().filter(move |(own, _)| own == name).map(|(_, value)| *value)
    }

    /// The first value of a field, as text.
    pub(crate) fn text(&self, name: &str) -> Option<&'a str> {
        self.values(name).next().map(|value| std::str::from_utf8(value).expect("UTF-8"))
    }

    /// Whether one of a field's values, read as lists, has the token.
    pub(crate) fn has(&self, name: &str, token: &str) -> bool {
        self.values(name)
            .flat_map(|value| value.split(|byte| *byte == b','))
            .any(|member| trim(member).eq_ignore_ascii_case(token.as_bytes()))
    }

    /// Path, query, and the authority of an absolute target.
    pub(crate) fn parts_of_target(&self) -> (&'a str, Option<&'a str>, Option<&'a str>) {
        let (rest, authority) = match self.target.get(..7) {
            Some(scheme) if scheme.eq_ignore_ascii_case("http://") => {
                let rest = &self.target[7..];
                let end = rest.bytes().position(|byte| byte == b'/' || byte == b'?').unwrap_or(rest.len());
                (&rest[end..], Some(&rest[..end]))
            }
            _ => (self.target, None),
        };
        let (path, query) = rest.split_once('?').map_or((rest, None), |(path, query)| (path, Some(query)));
        (if path.is_empty() { "/" } else { path }, query, authority)
    }
}

pub(crate) fn trim(value: &[u8]) -> &[u8] {
    let blank = |byte: &u8| matches!(byte, b' ' | b'\t');
    let start = value.iter().position(|byte| !blank(byte)).unwrap_or(value.len());
    let end = value.iter().rposition(|byte| !blank(byte)).map_or(start, |last| last + 1);
    &value[start..end]
}

/// The beginning of what we say, and when we may say it of a head (its bytes are the third argument's).
type Rule = (&'static str, fn(&Refusal, &Theirs<'_>, &[u8]) -> bool);

const RULES: &[Rule] = &[
    ("this is not HTTP", |_, theirs, bytes| {
        bytes.starts_with(b"\n") || second_empty_line(bytes) || theirs.method.len() > 32
    }),
    ("a CR has no LF after it", |_, _, bytes| bytes.starts_with(b"\r") && !bytes.starts_with(b"\r\n")),
    ("a request target has no fragment", |_, theirs, _| theirs.target.contains('#')),
    ("the request target is not ASCII", |_, theirs, _| !theirs.target.is_ascii()),
    ("the request target is visible ASCII", |_, theirs, _| theirs.target.bytes().any(|byte| !byte.is_ascii_graphic())),
    ("the request target is longer", |_, theirs, _| theirs.target.len() > LIMITS.target_bytes),
    ("the request target begins with / or http://", |_, theirs, _| {
        let absolute = theirs.target.get(..7).is_some_and(|scheme| scheme.eq_ignore_ascii_case("http://"));
        let asterisk = theirs.target == "*" && theirs.method == "OPTIONS";
        !theirs.target.starts_with('/') && !absolute && !asterisk
    }),
    ("the request target names no valid host", |_, theirs, _| {
        theirs.parts_of_target().2.is_some_and(|authority| !is_host(authority.as_bytes()))
    }),
    ("the request line ends with", |_, _, bytes| bare_line_feed(bytes)),
    ("a field value has no control character", |_, _, bytes| bare_line_feed(bytes)),
    ("a header line begins with a field name", |_, _, bytes| bare_line_feed(bytes)),
    ("a head ends with an empty line", |_, _, bytes| bare_line_feed(bytes)),
    // A bare LF behind the last field that is allowed ends their head; for us another line begins there.
    ("the request has too many header fields", |_, theirs, bytes| {
        let most = LIMITS.headers;
        theirs.fields.len() > most || (theirs.fields.len() == most && bare_line_feed(bytes))
    }),
    ("the request's head is larger", |_, theirs, _| theirs.used > LIMITS.head_bytes),
    ("this server is no proxy", |_, theirs, _| theirs.method == "CONNECT"),
    ("an HTTP/1.1 request has a Host field", |_, theirs, _| theirs.minor > 0 && theirs.values("host").next().is_none()),
    ("Host is one name or address", |_, theirs, _| theirs.values("host").any(|host| !is_host(host))),
    ("Content-Length and Transfer-Encoding", |_, theirs, _| {
        theirs.values("content-length").count() > 0 && theirs.values("transfer-encoding").count() > 0
    }),
    ("HTTP/1.0 has no Transfer-Encoding", |_, theirs, _| {
        theirs.minor == 0 && theirs.values("transfer-encoding").count() > 0
    }),
    ("the only Transfer-Encoding", |_, theirs, _| {
        theirs.values("transfer-encoding").any(|coding| !coding.eq_ignore_ascii_case(b"chunked"))
    }),
    ("Content-Length is one number", |_, theirs, _| {
        theirs.values("content-length").any(|length| length.is_empty() || !length.iter().all(u8::is_ascii_digit))
    }),
    ("Content-Length is larger", |_, theirs, _| {
        theirs.text("content-length").is_some_and(|length| length.trim_start_matches('0').len() > 19)
    }),
];

/// Whether the table has a reason to refuse what httparse takes.
pub(crate) fn justified(error: &Refusal, theirs: &Theirs<'_>, bytes: &[u8]) -> bool {
    let named = |end: &str| error.message.strip_suffix(end).map(str::to_lowercase);
    if let Some(name) = named(" is sent more than once") {
        return theirs.values(&name).count() > 1;
    }
    if let Some(name) = named(" is not UTF-8") {
        return theirs.values(&name).any(|value| std::str::from_utf8(value).is_err());
    }
    RULES.iter().any(|(begins, holds)| error.message.starts_with(begins) && holds(error, theirs, bytes))
}

/// One empty line may stand before a request; httparse takes any number of them.
fn second_empty_line(bytes: &[u8]) -> bool {
    bytes.strip_prefix(b"\r\n").is_some_and(|rest| matches!(rest.first(), Some(b'\r' | b'\n')))
}

/// A line that ends with LF alone, which httparse takes.
fn bare_line_feed(bytes: &[u8]) -> bool {
    bytes.iter().enumerate().any(|(at, byte)| *byte == b'\n' && (at == 0 || bytes[at - 1] != b'\r'))
}

/// `host[:port]`, read backwards from the last colon.
fn is_host(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return false };
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, port),
        _ => (text, ""),
    };
    let port_fits = port.is_empty() || (port.bytes().all(|byte| byte.is_ascii_digit()) && port.parse::<u16>().is_ok());
    let literal = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let named =
        host.chars().all(|c| c.is_ascii_alphanumeric() || "-._~".contains(c)) && (1..=255).contains(&host.len());
    let addressed = literal.is_some_and(|inner| inner.parse::<Ipv6Addr>().is_ok()) || host.parse::<Ipv4Addr>().is_ok();
    port_fits && (named || addressed)
}
