//! A request head as borrowed values: the request line and the fields that the server reads, all checked.

use super::caching::CacheFields;
use super::fields::{Fields, read_fields};
use super::scan::{Stop, Walk};
pub use super::sender::{CookieFault, SenderFields, UNREADABLE_SITE, cookie_value};
use super::target::{Target, read_target};
pub use super::terms::{BodyLength, HeadLimits, Method, UNREADABLE_ID, UpgradeFields, Version};
use crate::model::code::Code;
use crate::model::refusal::Refusal;

/// A request head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head<'b> {
    /// The method.
    pub method: Method,
    /// The method as it was sent.
    pub method_name: &'b str,
    /// The version.
    pub version: Version,
    /// Still percent-encoded; begins with `/`, or is `*` for `OPTIONS *`.
    pub path: &'b str,
    /// What follows the first `?`.
    pub query: Option<&'b str>,
    /// A valid `host[:port]`: Host, or the authority of an absolute target. HTTP/1.0 may have none.
    pub host: Option<&'b str>,
    /// Origin, as it was sent.
    pub origin: Option<&'b str>,
    /// How the end of the body is known.
    pub body: BodyLength,
    /// Whether the client wants to send another request on this connection.
    pub keep_alive: bool,
    /// Whether the client waits for `100 Continue` before it sends the body.
    pub expect_continue: bool,
    /// Content-Type.
    pub content_type: Option<&'b str>,
    /// Whether Content-Encoding names a coding other than `identity`.
    pub encoded: bool,
    /// The first Accept line; [`Head::accepts_event_stream`] knows them all.
    pub accept: Option<&'b str>,
    /// What it says of its cache and of the codings it reads.
    pub cached: CacheFields<'b>,
    /// Last-Event-ID. Repeated or not UTF-8 it is [`UNREADABLE_ID`], which is no position.
    pub last_event_id: Option<&'b str>,
    /// Idempotency-Key.
    pub idempotency_key: Option<&'b str>,
    /// Authorization. It is judged with the head and not kept.
    pub authorization: Option<&'b str>,
    /// Whether a field is present that proxies add, such as Forwarded, X-Forwarded-*, X-Real-IP or Via.
    pub forwarded: bool,
    /// Access-Control-Request-Method: with Origin and `OPTIONS` it makes a CORS preflight.
    pub preflight_method: Option<&'b str>,
    /// Access-Control-Request-Headers: the fields that a preflight asks for.
    pub preflight_headers: Option<&'b str>,
    /// What belongs to a WebSocket handshake.
    pub upgrade: UpgradeFields<'b>,
    /// What it says of its sender, and of the proxies on the way.
    pub sender: SenderFields<'b>,
    event_stream: bool,
}

impl Head<'_> {
    /// Whether Accept names `text/event-stream` itself (not by `*/*`) with a weight above 0.
    #[must_use]
    pub fn accepts_event_stream(&self) -> bool {
        self.event_stream
    }

    /// Whether this is a CORS preflight: `OPTIONS` with Origin and Access-Control-Request-Method.
    #[must_use]
    pub fn is_preflight(&self) -> bool {
        self.method == Method::Options && self.origin.is_some() && self.preflight_method.is_some()
    }
}

/// Reads the head at the beginning of `bytes`, and how many bytes it has with its final CR LF CR LF.
///
/// `Ok(None)`: the bytes so far are the beginning of a head. One empty line before the request line is skipped and
/// counted.
///
/// # Errors
/// As soon as no further byte can make this an acceptable head, whether it is complete or not: 400 for what RFC 9112
/// forbids or two parsers could read differently, 413 for a Content-Length beyond 64 bits, 414 and 431 for the limits,
/// 505 for another major version.
pub fn parse_head<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Result<Option<(Head<'b>, usize)>, Refusal> {
    match walk_head(bytes, limits) {
        Ok(found) => Ok(Some(found)),
        Err(Stop::More) => Ok(None),
        Err(Stop::Fail(error)) => Err(error),
    }
}

fn walk_head<'b>(bytes: &'b [u8], limits: &HeadLimits) -> Result<(Head<'b>, usize), Stop> {
    let mut walk = Walk::new(bytes, limits);
    let line = walk.request_line()?;
    let method = Method::of(line.method);
    // Before the target, which is an authority here (RFC 9112 section 3.2.3) and would be refused as malformed.
    if line.method == "CONNECT" {
        let message = "this server is no proxy, so it takes no CONNECT; a WebSocket is opened by a GET with Upgrade";
        return Err(Stop::Fail(Refusal::new(Code::MethodNotAllowed, message)));
    }
    // Before the fields: `HeadGathering` asks for this verdict when no more than the request line has come.
    let target = read_target(method, line.target)?;
    let section = walk.field_section()?;
    let fields = read_fields(&section)?;
    let body = fields.body_length(line.version)?;
    let host = fields.host(line.version, target.authority)?;
    Ok((assemble(line.method, line.version, &target, fields, body, host), walk.walked()))
}

fn assemble<'b>(
    method_name: &'b str,
    version: Version,
    target: &Target<'b>,
    fields: Fields<'b>,
    body: BodyLength,
    host: Option<&'b str>,
) -> Head<'b> {
    Head {
        method: Method::of(method_name),
        method_name,
        version,
        path: target.path,
        query: target.query,
        host,
        origin: fields.origin,
        body,
        keep_alive: fields.keeps_alive(version),
        // A server must ignore the expectation of an HTTP/1.0 client (RFC 9110 section 10.1.1).
        expect_continue: fields.expect_continue && version == Version::Http11,
        content_type: fields.content_type,
        encoded: fields.encoded,
        accept: fields.accept,
        cached: fields.cached,
        last_event_id: fields.last_event_id,
        idempotency_key: fields.idempotency_key,
        authorization: fields.authorization,
        forwarded: fields.forwarded,
        preflight_method: fields.preflight_method,
        preflight_headers: fields.preflight_headers,
        upgrade: fields.upgrade,
        sender: fields.sender,
        event_stream: fields.event_stream,
    }
}
