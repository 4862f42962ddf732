//! The words that all readers of a head share: methods, versions, limits, and why one is refused.

use crate::model::code::Code;
use crate::model::refusal::Refusal;
use smallvec::SmallVec;
use std::borrow::Cow;

/// How large a head may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadLimits {
    /// Bytes of the whole head with its last CR LF CR LF.
    pub head_bytes: usize,
    /// Field lines.
    pub headers: usize,
    /// Bytes of the request target.
    pub target_bytes: usize,
}

impl Default for HeadLimits {
    fn default() -> Self {
        HeadLimits { head_bytes: 16 * 1024, headers: 100, target_bytes: 8 * 1024 }
    }
}

/// The method of a request; method names are case-sensitive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `HEAD`
    Head,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `DELETE`
    Delete,
    /// `OPTIONS`
    Options,
    /// `PATCH`
    Patch,
    /// Any other token.
    Other,
}

impl Method {
    pub(super) fn of(token: &str) -> Method {
        match token {
            "GET" => Method::Get,
            "HEAD" => Method::Head,
            "POST" => Method::Post,
            "PUT" => Method::Put,
            "DELETE" => Method::Delete,
            "OPTIONS" => Method::Options,
            "PATCH" => Method::Patch,
            _ => Method::Other,
        }
    }

    /// Its name; [`Method::Other`] has many, and none of them here.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Method::Get => "GET",
            Method::Head => "HEAD",
            Method::Post => "POST",
            Method::Put => "PUT",
            Method::Delete => "DELETE",
            Method::Options => "OPTIONS",
            Method::Patch => "PATCH",
            Method::Other => "another method",
        }
    }
}

/// The version a client speaks. HTTP/1.2 to 1.9 count as 1.1 (RFC 9110 section 2.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
}

/// How the end of the body is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyLength {
    /// There is no body.
    None,
    /// This many bytes.
    Length(u64),
    /// In chunks.
    Chunked,
}

impl BodyLength {
    /// Whether a body follows the head; one in chunks may turn out to be empty.
    #[must_use]
    pub const fn has_body(self) -> bool {
        !matches!(self, BodyLength::None | BodyLength::Length(0))
    }

    /// The bytes that are announced, at most what memory can address; 0 when the body comes in chunks.
    #[must_use]
    pub fn announced(self) -> usize {
        match self {
            BodyLength::None | BodyLength::Chunked => 0,
            BodyLength::Length(length) => usize::try_from(length).unwrap_or(usize::MAX),
        }
    }
}

/// What a head says about a WebSocket handshake.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UpgradeFields<'b> {
    /// Connection has the token `upgrade`.
    pub connection_upgrade: bool,
    /// Upgrade has the token `websocket`.
    pub websocket: bool,
    /// Sec-WebSocket-Version.
    pub version: Option<&'b str>,
    /// Sec-WebSocket-Key.
    pub key: Option<&'b str>,
    /// Each Sec-WebSocket-Protocol value, in order, unparsed.
    pub protocols: SmallVec<[&'b str; 1]>,
    /// Each Sec-WebSocket-Extensions value, in order, unparsed.
    pub extensions: SmallVec<[&'b str; 1]>,
}

/// Replaces a Last-Event-ID that cannot be read: it must be answered with `recovered: false`, never with 400.
pub const UNREADABLE_ID: &str = "?";

/// Splits at `separator` outside quoted strings.
pub(super) fn split_unquoted(text: &str, separator: u8) -> impl Iterator<Item = &str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(move |c: char| {
        // A backslash escapes inside quotes only (RFC 9110 section 5.6.4), and not after another one.
        let backslash = quoted && c == '\\' && !escaped;
        if c == '"' && !escaped {
            quoted = !quoted;
        }
        escaped = backslash;
        !quoted && c == char::from(separator)
    })
}

/// A 400 that says what was wrong and what was expected.
pub(super) fn bad(message: impl Into<Cow<'static, str>>) -> Refusal {
    Refusal::new(Code::BadRequest, message)
}
