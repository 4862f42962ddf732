//! Answers as bytes: status line, fields, body; the head of an event stream; the date.

use super::head::Version;
use std::time::{Duration, SystemTime};

/// The interim answer to `Expect: 100-continue`.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// The last second that an HTTP date can name: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// The head of an answer.
#[derive(Debug, Clone, Copy)]
pub struct AnswerHead<'a> {
    /// The status.
    pub status: u16,
    /// The media type of the body, if there is one.
    pub content_type: Option<&'a str>,
    /// Whether the connection stays open afterwards.
    pub keep_alive: bool,
    /// The version of the request.
    pub version: Version,
    /// Further fields.
    pub extra: &'a [(&'a str, &'a str)],
}

/// Writes a whole answer. With `send_body` false (an answer to HEAD) the length is announced and the body left out;
/// 1xx, 204 and 304 have neither.
pub fn write_answer(out: &mut Vec<u8>, head: &AnswerHead<'_>, body: &[u8], send_body: bool, date: &str) {
    start(out, head, date);
    // RFC 9110 section 8.6 forbids Content-Length in 1xx and 204. In a 304 it would be the length of a body that is not
    // at hand.
    let bodiless = matches!(head.status, 100..=199 | 204 | 304);
    if !bodiless {
        push_field(out, "Content-Length", &body.len().to_string());
    }
    match (head.keep_alive, head.version) {
        (false, _) => push_field(out, "Connection", "close"),
        // Without it HTTP/1.0 closes after each answer (RFC 9112 section 9.3).
        (true, Version::Http10) => push_field(out, "Connection", "keep-alive"),
        (true, Version::Http11) => {}
    }
    finish(out, head);
    if send_body && !bodiless {
        out.extend_from_slice(body);
    }
}

/// Writes the head of an answer that goes on until the connection or its last chunk ends it: chunked in HTTP/1.1, up to
/// the end of the connection in HTTP/1.0. With `send_body` false (an answer to HEAD) no body follows.
pub fn write_stream_head(out: &mut Vec<u8>, head: &AnswerHead<'_>, send_body: bool, date: &str) {
    start(out, head, date);
    if head.version == Version::Http11 && send_body {
        push_field(out, "Transfer-Encoding", "chunked");
    }
    // HTTP/1.0 knows no chunks: nothing but the connection's end could end the stream.
    if !head.keep_alive || head.version == Version::Http10 {
        push_field(out, "Connection", "close");
    }
    finish(out, head);
}

fn start(out: &mut Vec<u8>, head: &AnswerHead<'_>, date: &str) {
    // To HTTP/1.0 too: the version is the highest that the server speaks, not the request's (RFC 9110 section 6.2).
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(head.status.to_string().as_bytes());
    // Belongs there even if no phrase follows (RFC 9112 section 4).
    out.push(b' ');
    out.extend_from_slice(reason_phrase(head.status).as_bytes());
    out.extend_from_slice(b"\r\n");
    push_field(out, "Date", date);
    if let Some(content_type) = head.content_type {
        push_field(out, "Content-Type", content_type);
    }
}

fn finish(out: &mut Vec<u8>, head: &AnswerHead<'_>) {
    for (name, value) in head.extra {
        push_field(out, name, value);
    }
    push_field(out, "X-Content-Type-Options", "nosniff");
    out.extend_from_slice(b"\r\n");
}

/// Appends one field line. A control character in `value`, which could end the line, becomes a space.
pub(super) fn push_field(out: &mut Vec<u8>, name: &str, value: &str) {
    out.extend_from_slice(name.as_bytes());
    out.extend_from_slice(b": ");
    out.extend(value.bytes().map(|byte| if byte.is_ascii_control() { b' ' } else { byte }));
    out.extend_from_slice(b"\r\n");
}

/// The phrase of a status (RFC 9110 section 15; 429 and 431: RFC 6585); empty for one this server never sends.
const fn reason_phrase(status: u16) -> &'static str {
    match status {
        100 => "Continue",
        101 => "Switching Protocols",
        200 => "OK",
        201 => "Created",
        202 => "Accepted",
        204 => "No Content",
        304 => "Not Modified",
        400 => "Bad Request",
        401 => "Unauthorized",
        403 => "Forbidden",
        404 => "Not Found",
        405 => "Method Not Allowed",
        406 => "Not Acceptable",
        408 => "Request Timeout",
        409 => "Conflict",
        410 => "Gone",
        411 => "Length Required",
        412 => "Precondition Failed",
        413 => "Content Too Large",
        414 => "URI Too Long",
        415 => "Unsupported Media Type",
        417 => "Expectation Failed",
        421 => "Misdirected Request",
        422 => "Unprocessable Content",
        426 => "Upgrade Required",
        429 => "Too Many Requests",
        431 => "Request Header Fields Too Large",
        500 => "Internal Server Error",
        501 => "Not Implemented",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        505 => "HTTP Version Not Supported",
        507 => "Insufficient Storage",
        _ => "",
    }
}

/// The text of the Date field, made once per second.
#[derive(Debug, Default)]
pub struct DateCache {
    second: u64,
    text: String,
}

impl DateCache {
    /// Takes a time, in seconds since 1970, as an IMF-fixdate (RFC 9110 section 5.6.7). A time after the year 9999 becomes
    /// the last one that the format has.
    #[inline]
    pub fn at_second(&mut self, second: u64) {
        // A new cache stands at second 0 without having its text.
        if second != self.second || self.text.is_empty() {
            self.make(second);
        }
    }

    #[cold]
    fn make(&mut self, second: u64) {
        self.second = second;
        // `httpdate` panics beyond it, and a machine's clock may say anything.
        let named = Duration::from_secs(second.min(LAST_SECOND));
        self.text = httpdate::fmt_http_date(SystemTime::UNIX_EPOCH + named);
    }

    /// The second that was taken last, counted since 1970.
    #[must_use]
    #[inline]
    pub fn second(&self) -> u64 {
        self.second
    }

    /// The date of the second that was taken last.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.text
    }
}

#[cfg(test)]
mod tests {
    use super::{AnswerHead, CONTINUE, DateCache, reason_phrase, write_answer, write_stream_head};
    use crate::model::code::Code;
    use crate::wire::http::head::Version;

    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";

    fn head(status: u16, version: Version, keep_alive: bool) -> AnswerHead<'static> {
        AnswerHead { status, content_type: Some("text/plain"), keep_alive, version, extra: &[("Vary", "Accept")] }
    }

    fn answer(head: &AnswerHead<'_>, send_body: bool) -> String {
        let mut out = Vec::new();
        write_answer(&mut out, head, b"hello", send_body, DATE);
        String::from_utf8(out).expect("ASCII")
    }

    #[test]
    fn an_answer_has_its_fields_in_order() {
        assert_eq!(
            answer(&head(200, Version::Http11, true), true),
            "HTTP/1.1 200 OK\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: text/plain\r\nContent-Length: 5\r\n\
             Vary: Accept\r\nX-Content-Type-Options: nosniff\r\n\r\nhello"
        );
    }

    #[test]
    fn the_connection_is_declared_as_its_version_needs() {
        for (version, keep_alive, line) in [
            (Version::Http11, true, None),
            (Version::Http11, false, Some("\r\nConnection: close\r\n")),
            (Version::Http10, true, Some("\r\nConnection: keep-alive\r\n")),
            (Version::Http10, false, Some("\r\nConnection: close\r\n")),
        ] {
            let text = answer(&head(404, version, keep_alive), true);
            assert_eq!(text.contains("Connection"), line.is_some(), "{text}");
            assert!(text.contains(line.unwrap_or("")), "{text}");
        }
    }

    #[test]
    fn some_answers_have_no_body() {
        let text = answer(&head(200, Version::Http11, true), false);
        assert!(text.contains("Content-Length: 5\r\n") && text.ends_with("\r\n\r\n"), "{text}");
        for status in [101, 204, 304] {
            let text = answer(&head(status, Version::Http11, true), true);
            assert!(!text.contains("Content-Length") && text.ends_with("\r\n\r\n"), "{text}");
        }
        assert_eq!(CONTINUE, b"HTTP/1.1 100 Continue\r\n\r\n");
    }

    #[test]
    fn a_stream_is_chunked_or_ends_with_its_connection() {
        for (version, keep_alive, chunked, close) in [
            (Version::Http11, true, true, false),
            (Version::Http11, false, true, true),
            (Version::Http10, true, false, true),
            (Version::Http10, false, false, true),
        ] {
            let mut out = Vec::new();
            write_stream_head(&mut out, &head(200, version, keep_alive), true, DATE);
            let text = String::from_utf8(out).expect("ASCII");
            assert_eq!(text.contains("Transfer-Encoding: chunked\r\n"), chunked, "{text}");
            assert_eq!(text.contains("Connection: close\r\n"), close, "{text}");
            assert!(
                !text.contains("Content-Length") && !text.contains("keep-alive") && text.ends_with("\r\n\r\n"),
                "{text}"
            );
            let mut out = Vec::new();
            write_stream_head(&mut out, &head(200, version, keep_alive), false, DATE);
            let to_head = String::from_utf8(out).expect("ASCII");
            assert_eq!(to_head, text.replace("Transfer-Encoding: chunked\r\n", ""));
        }
    }

    #[test]
    fn no_value_can_begin_a_line_of_its_own() {
        let extra = [("X", "a\r\nSet-Cookie: b\0")];
        let text = answer(&AnswerHead { extra: &extra, ..head(200, Version::Http11, true) }, true);
        assert!(text.contains("X: a  Set-Cookie: b \r\n"), "{text}");
    }

    #[test]
    fn every_reason_has_a_phrase() {
        for reason in Code::ALL {
            assert!(!reason_phrase(reason.http_status()).is_empty(), "{reason:?}");
        }
    }

    #[test]
    fn the_date_follows_the_second() {
        let mut cache = DateCache::default();
        let mut at = |second| {
            cache.at_second(second);
            cache.as_str().to_owned()
        };
        assert_eq!(at(0), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(784_111_777), DATE);
        assert_eq!(at(784_111_777), DATE);
        assert_eq!(at(784_111_776), "Sun, 06 Nov 1994 08:49:36 GMT");
        assert_eq!(at(300_000_000_000), "Fri, 31 Dec 9999 23:59:59 GMT");
    }
}
