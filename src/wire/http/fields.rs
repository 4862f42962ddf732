//! Header fields: reads those that the server knows, each once or as a list according to its definition, and skips the rest.

use super::caching::CacheFields;
use super::scan::FieldSection;
use super::sender::{SenderFields, UNREADABLE_SITE};
use super::terms::{BodyLength, UNREADABLE_ID, UpgradeFields, Version, bad, split_unquoted};
use crate::model::authority::Authority;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use smallvec::{SmallVec, smallvec};

/// The known fields of one head.
#[derive(Debug, Default)]
pub(super) struct Fields<'b> {
    host: Option<&'b str>,
    content_length: Option<&'b str>,
    transfer_encoding: Option<&'b str>,
    close: bool,
    keep_alive: bool,
    pub(super) origin: Option<&'b str>,
    pub(super) expect_continue: bool,
    pub(super) content_type: Option<&'b str>,
    pub(super) encoded: bool,
    pub(super) accept: Option<&'b str>,
    pub(super) cached: CacheFields<'b>,
    pub(super) event_stream: bool,
    pub(super) last_event_id: Option<&'b str>,
    pub(super) idempotency_key: Option<&'b str>,
    pub(super) authorization: Option<&'b str>,
    pub(super) forwarded: bool,
    pub(super) preflight_method: Option<&'b str>,
    pub(super) preflight_headers: Option<&'b str>,
    pub(super) upgrade: UpgradeFields<'b>,
    pub(super) sender: SenderFields<'b>,
}

/// The fields that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Known {
    Accept,
    AcceptEncoding,
    ApiKey,
    Authorization,
    Connection,
    ContentEncoding,
    ContentLength,
    ContentType,
    Cookie,
    Expect,
    FetchSite,
    Forwarded,
    ForwardedFor,
    Host,
    IdempotencyKey,
    IfMatch,
    IfNoneMatch,
    LastEventId,
    Origin,
    PreflightHeaders,
    PreflightMethod,
    /// Only that it is there matters.
    ProxyTrace,
    TransferEncoding,
    Upgrade,
    WebSocketExtensions,
    WebSocketKey,
    WebSocketProtocol,
    WebSocketVersion,
}

/// The fields that are read and whose names have `bytes` bytes: so a name is compared with few others.
const fn of_length(bytes: usize) -> &'static [(&'static str, Known)] {
    match bytes {
        3 => &[("Via", Known::ProxyTrace)],
        4 => &[("Host", Known::Host)],
        6 => &[
            ("Accept", Known::Accept),
            ("Origin", Known::Origin),
            ("Cookie", Known::Cookie),
            ("Expect", Known::Expect),
        ],
        7 => &[("Upgrade", Known::Upgrade)],
        8 => &[("If-Match", Known::IfMatch)],
        9 => &[("X-API-Key", Known::ApiKey), ("Forwarded", Known::Forwarded), ("X-Real-IP", Known::ProxyTrace)],
        10 => &[("Connection", Known::Connection)],
        11 => &[("X-Client-IP", Known::ProxyTrace)],
        12 => &[("Content-Type", Known::ContentType)],
        13 => &[
            ("If-None-Match", Known::IfNoneMatch),
            ("Last-Event-ID", Known::LastEventId),
            ("Authorization", Known::Authorization),
        ],
        14 => &[
            ("Content-Length", Known::ContentLength),
            ("Sec-Fetch-Site", Known::FetchSite),
            ("True-Client-IP", Known::ProxyTrace),
        ],
        15 => &[("Accept-Encoding", Known::AcceptEncoding), ("Idempotency-Key", Known::IdempotencyKey)],
        16 => &[
            ("Content-Encoding", Known::ContentEncoding),
            ("CF-Connecting-IP", Known::ProxyTrace),
            ("Fastly-Client-IP", Known::ProxyTrace),
        ],
        17 => &[("Transfer-Encoding", Known::TransferEncoding), ("Sec-WebSocket-Key", Known::WebSocketKey)],
        21 => &[("Sec-WebSocket-Version", Known::WebSocketVersion)],
        22 => &[("Sec-WebSocket-Protocol", Known::WebSocketProtocol)],
        24 => &[("Sec-WebSocket-Extensions", Known::WebSocketExtensions)],
        29 => &[("Access-Control-Request-Method", Known::PreflightMethod)],
        30 => &[("Access-Control-Request-Headers", Known::PreflightHeaders)],
        _ => &[],
    }
}

fn known(name: &str) -> Option<(&'static str, Known)> {
    const PREFIXES: [(&[u8], &str); 2] = [(b"x-forwarded-", "X-Forwarded-*"), (b"x-envoy-", "X-Envoy-*")];
    if let [b'x' | b'X', b'-', ..] = name.as_bytes() {
        let begins =
            |prefix: &[u8]| name.as_bytes().get(..prefix.len()).is_some_and(|own| own.eq_ignore_ascii_case(prefix));
        if let Some((_, spelling)) = PREFIXES.into_iter().find(|(prefix, _)| begins(prefix)) {
            let is_for = name.eq_ignore_ascii_case("X-Forwarded-For");
            return Some((spelling, if is_for { Known::ForwardedFor } else { Known::ProxyTrace }));
        }
    }
    of_length(name.len()).iter().find(|(spelling, _)| spelling.eq_ignore_ascii_case(name)).copied()
}

/// Reads all field lines of a section that has been walked already.
pub(super) fn read_fields<'b>(section: &FieldSection<'b>) -> Result<Fields<'b>, Refusal> {
    let mut lines: SmallVec<[httparse::Header<'b>; 32]> = smallvec![httparse::EMPTY_HEADER; section.count];
    let status = httparse::parse_headers(section.bytes, &mut lines);
    // The walk took these bytes: where another parser does not, or ends elsewhere, the head has two readings.
    if !matches!(status, Ok(httparse::Status::Complete((length, _))) if length == section.bytes.len()) {
        return Err(bad("the header fields cannot be read"));
    }
    let mut fields = Fields::default();
    for line in lines {
        if let Some((name, known)) = known(line.name) {
            fields.take(name, known, line.value)?;
        }
    }
    Ok(fields)
}

impl<'b> Fields<'b> {
    fn take(&mut self, name: &'static str, known: Known, value: &'b [u8]) -> Result<(), Refusal> {
        // Before the value is read as text.
        if self.take_tolerated(known, value) {
            return Ok(());
        }
        let value = text(name, value)?;
        match known {
            Known::Host => once(&mut self.host, name, value),
            Known::Origin => once(&mut self.origin, name, value),
            Known::ApiKey => once(&mut self.sender.api_key, name, value),
            Known::Authorization => once(&mut self.authorization, name, value),
            Known::ContentLength => once(&mut self.content_length, name, value),
            Known::ContentType => once(&mut self.content_type, name, value),
            Known::TransferEncoding => once(&mut self.transfer_encoding, name, value),
            Known::IdempotencyKey => once(&mut self.idempotency_key, name, value),
            Known::PreflightMethod => once(&mut self.preflight_method, name, value),
            Known::PreflightHeaders => once(&mut self.preflight_headers, name, value),
            Known::WebSocketKey => once(&mut self.upgrade.key, name, value),
            Known::WebSocketVersion => once(&mut self.upgrade.version, name, value),
            _ => {
                self.take_list(known, value);
                Ok(())
            }
        }
    }

    /// Fields of which nothing that is wrong refuses a request; false when it is another one.
    fn take_tolerated(&mut self, known: Known, value: &'b [u8]) -> bool {
        match known {
            Known::ProxyTrace => {}
            Known::Forwarded => self.sender.forwarded.push(value),
            Known::ForwardedFor => self.sender.forwarded_for.push(value),
            Known::Cookie => self.sender.cookies.push(value),
            Known::FetchSite => {
                let site = std::str::from_utf8(trim(value)).ok().filter(|_| self.sender.fetch_site.is_none());
                self.sender.fetch_site = Some(site.unwrap_or(UNREADABLE_SITE));
            }
            Known::LastEventId => self.take_last_event_id(value),
            // Parsed only where a file is served, which is rare; what cannot be read there is ignored.
            Known::AcceptEncoding => self.cached.accept_encoding.push(value),
            Known::IfMatch => self.cached.if_match.push(value),
            Known::IfNoneMatch => self.cached.if_none_match.push(value),
            _ => return false,
        }
        self.forwarded |= matches!(known, Known::ProxyTrace | Known::Forwarded | Known::ForwardedFor);
        true
    }

    /// Fields that may come in several lines.
    fn take_list(&mut self, known: Known, value: &'b str) {
        match known {
            Known::Accept => {
                self.accept.get_or_insert(value);
                self.event_stream |= names_event_stream(value);
            }
            Known::Connection => {
                self.close |= has_token(value, "close");
                self.keep_alive |= has_token(value, "keep-alive");
                self.upgrade.connection_upgrade |= has_token(value, "upgrade");
            }
            // RFC 9110 section 8.4.1: "identity" says that nothing was done.
            Known::ContentEncoding => {
                self.encoded |= list(value).any(|coding| !coding.eq_ignore_ascii_case("identity"))
            }
            Known::Expect => self.expect_continue |= has_token(value, "100-continue"),
            Known::Upgrade => self.upgrade.websocket |= has_token(value, "websocket"),
            Known::WebSocketProtocol => self.upgrade.protocols.push(value),
            Known::WebSocketExtensions => self.upgrade.extensions.push(value),
            _ => {}
        }
    }

    fn take_last_event_id(&mut self, value: &'b [u8]) {
        // Never an error: a browser gives up a stream for good on 400. What is repeated or unreadable is no position.
        let readable = std::str::from_utf8(trim(value)).ok().filter(|_| self.last_event_id.is_none());
        self.last_event_id = Some(readable.unwrap_or(UNREADABLE_ID));
    }

    /// Where the body ends (RFC 9112 section 6). What is ambiguous is refused: another parser on the way could see another end.
    pub(super) fn body_length(&self, version: Version) -> Result<BodyLength, Refusal> {
        match (self.transfer_encoding, self.content_length) {
            (Some(_), Some(_)) => Err(bad("Content-Length and Transfer-Encoding exclude each other; send one of them")),
            (Some(_), None) if version == Version::Http10 => {
                Err(bad("HTTP/1.0 has no Transfer-Encoding; send Content-Length"))
            }
            // Alone: the data of "gzip, chunked" is compressed, and chunked twice is forbidden (RFC 9112 section 6.1).
            (Some(coding), None) if coding.eq_ignore_ascii_case("chunked") => Ok(BodyLength::Chunked),
            (Some(_), None) => Err(bad("the only Transfer-Encoding this server reads is one \"chunked\"")),
            (None, Some(length)) => read_length(length).map(BodyLength::Length),
            (None, None) => Ok(BodyLength::None),
        }
    }

    /// The host that the request is for: the authority of an absolute target wins (RFC 9112 section 3.2.2), but Host is checked first.
    pub(super) fn host(&self, version: Version, authority: Option<&'b str>) -> Result<Option<&'b str>, Refusal> {
        match self.host {
            None if version == Version::Http11 => Err(bad("an HTTP/1.1 request has a Host field")),
            Some(host) if Authority::parse(host).is_none() => {
                Err(bad("Host is one name or address with at most a port, like example.com:8080"))
            }
            host => Ok(authority.or(host)),
        }
    }

    /// Whether the connection stays open (RFC 9112 section 9.3).
    pub(super) fn keeps_alive(&self, version: Version) -> bool {
        // `close` wins over `keep-alive` (RFC 9112 section 9.3).
        !self.close && (version == Version::Http11 || self.keep_alive)
    }
}

fn once<'b>(slot: &mut Option<&'b str>, name: &'static str, value: &'b str) -> Result<(), Refusal> {
    // Also where both say the same, which RFC 9110 section 8.6 lets a server refuse for Content-Length.
    if slot.replace(value).is_some() {
        return Err(bad(format!("{name} is sent more than once")));
    }
    Ok(())
}

fn text<'b>(name: &'static str, value: &'b [u8]) -> Result<&'b str, Refusal> {
    std::str::from_utf8(trim(value)).map_err(|_| bad(format!("{name} is not UTF-8")))
}

fn trim(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] = value {
        value = rest;
    }
    while let [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}

fn read_length(value: &str) -> Result<u64, Refusal> {
    // `parse` alone would take "+5", which is no length to any other parser on the way.
    if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err(bad("Content-Length is one number of decimal digits"));
    }
    value
        .parse()
        // Nothing but digits came, so the only error is that they do not fit into 64 bits.
        .map_err(|_| Refusal::new(Code::BodyTooLarge, "Content-Length is larger than any body this server takes"))
}

/// The members of a comma-separated list, without empty ones (RFC 9110 section 5.6.1).
pub(super) fn list(value: &str) -> impl Iterator<Item = &str> {
    value.split(',').map(|member| member.trim_matches([' ', '\t'])).filter(|member| !member.is_empty())
}

fn has_token(value: &str, token: &str) -> bool {
    list(value).any(|member| member.eq_ignore_ascii_case(token))
}

/// Whether a media range of an Accept value is `text/event-stream` with a weight above 0 (RFC 9110 section 12.5.1).
fn names_event_stream(accept: &str) -> bool {
    split_unquoted(accept, b',').any(|range| {
        let mut parts = split_unquoted(range, b';').map(|part| part.trim_matches([' ', '\t']));
        parts.next().is_some_and(|name| name.eq_ignore_ascii_case("text/event-stream")) && !parts.any(is_zero_weight)
    })
}

fn is_zero_weight(parameter: &str) -> bool {
    let Some((name, weight)) = parameter.split_once('=') else { return false };
    // What cannot be read as zero takes nothing back: the type was named.
    name.eq_ignore_ascii_case("q") && weight.starts_with('0') && weight.bytes().all(|byte| matches!(byte, b'0' | b'.'))
}

#[cfg(test)]
mod tests {
    use super::{has_token, known, names_event_stream, of_length};

    #[test]
    fn an_event_stream_is_asked_for_by_its_name_alone() {
        for yes in [
            "text/event-stream",
            "TEXT/Event-Stream",
            "text/html, text/event-stream;q=0.1",
            "text/event-stream ; q=1.0",
            "text/event-stream;x=\"a,b;q=0\"",
            "text/event-stream;q=0.001",
            "*/*;q=0,text/event-stream",
        ] {
            assert!(names_event_stream(yes), "{yes}");
        }
        for no in [
            "",
            "*/*",
            "text/*",
            "application/json",
            "text/event-stream;q=0",
            "text/event-stream; Q=0.000",
            "text/event-stream;x=\"\\\",\";q=0",
            "text/event-streams",
            "x;y=\", text/event-stream\"",
        ] {
            assert!(!names_event_stream(no), "{no}");
        }
    }

    #[test]
    fn each_field_stands_with_those_of_its_length() {
        let rows: Vec<_> = (0..64).flat_map(|bytes| of_length(bytes).iter().map(move |row| (bytes, row))).collect();
        assert_eq!(rows.len(), 32);
        for (bytes, (name, kind)) in rows {
            assert_eq!(name.len(), bytes, "{name}");
            assert_eq!(known(&name.to_uppercase()), Some((*name, *kind)));
        }
        assert_eq!(known("Hosts"), None);
    }

    #[test]
    fn a_token_is_found_in_any_place_and_case() {
        for yes in ["upgrade", "Upgrade", "keep-alive, Upgrade", ",, \tUPGRADE\t ,x"] {
            assert!(has_token(yes, "upgrade"), "{yes}");
        }
        for no in ["", "upgrades", "up grade", "upgrade;x", "\"upgrade\""] {
            assert!(!has_token(no, "upgrade"), "{no}");
        }
    }
}
