//! Walks the bytes of a head in order and refuses the first one that RFC 9112 does not allow.
//!
//! Because every error belongs to one byte, a prefix of a head gives "more" or the same error as the whole head.

use super::terms::{HeadLimits, Version};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::token::is_token_byte;

/// No registered method is nearly as long, in bytes; what is longer is not HTTP.
const METHOD_BYTES: usize = 32;

/// Why a walk ended before the head did.
#[derive(Debug)]
pub(super) enum Stop {
    /// The bytes so far are a head's beginning.
    More,
    /// No further byte can make this a head.
    Fail(Refusal),
}

impl From<Refusal> for Stop {
    fn from(error: Refusal) -> Self {
        Stop::Fail(error)
    }
}

fn bad<T>(message: &'static str) -> Result<T, Stop> {
    Err(Stop::Fail(super::terms::bad(message)))
}

/// The parts of a request line.
#[derive(Debug)]
pub(super) struct RequestLine<'b> {
    pub(super) method: &'b str,
    pub(super) target: &'b str,
    pub(super) version: Version,
}

/// The field lines, still as bytes.
#[derive(Debug)]
pub(super) struct FieldSection<'b> {
    /// All field lines and the empty line.
    pub(super) bytes: &'b [u8],
    /// How many field lines there are.
    pub(super) count: usize,
}

/// Whether `byte` may stand in a field value: visible ASCII, space, tab, obs-text (RFC 9110 section 5.5).
pub(super) const fn is_value_byte(byte: u8) -> bool {
    matches!(byte, b'\t' | b' '..=b'~' | 0x80..)
}

/// A place in the bytes of a head.
#[derive(Debug)]
pub(super) struct Walk<'b> {
    bytes: &'b [u8],
    at: usize,
    limits: HeadLimits,
}

impl<'b> Walk<'b> {
    pub(super) fn new(bytes: &'b [u8], limits: &HeadLimits) -> Self {
        Walk::from(bytes, 0, limits)
    }

    /// Continues at a place that was reached before.
    pub(super) fn from(bytes: &'b [u8], at: usize, limits: &HeadLimits) -> Self {
        Walk { bytes, at, limits: *limits }
    }

    /// How many bytes have been walked.
    pub(super) fn walked(&self) -> usize {
        self.at
    }

    /// An optional empty line (RFC 9112 section 2.2), then method, target and version.
    pub(super) fn request_line(&mut self) -> Result<RequestLine<'b>, Stop> {
        // One, as some clients send after a body; a second one is refused.
        if self.peek()? == b'\r' {
            self.line_end("a request begins with its method")?;
        }
        let method = self.method()?;
        let target = self.target()?;
        let version = self.version()?;
        Ok(RequestLine { method, target, version })
    }

    /// Field lines up to and with the empty line.
    pub(super) fn field_section(&mut self) -> Result<FieldSection<'b>, Stop> {
        let start = self.at;
        let mut count = 0;
        while self.next_field(count)? {
            count += 1;
        }
        Ok(FieldSection { bytes: &self.bytes[start..self.at], count })
    }

    /// The next field line, after `count` others; false at the empty line that ends them.
    pub(super) fn next_field(&mut self, count: usize) -> Result<bool, Stop> {
        if self.peek()? == b'\r' {
            self.line_end("a head ends with an empty line, CR LF")?;
            return Ok(false);
        }
        // After the empty line was looked for: a head with exactly as many fields as allowed ends well.
        if count == self.limits.headers {
            return Err(
                Refusal::new(Code::HeadTooLarge, "the request has too many header fields (http.headers)").into()
            );
        }
        self.field_line()?;
        Ok(true)
    }

    fn peek(&self) -> Result<u8, Stop> {
        // Before the byte is there: no head that is still incomplete at the limit can become acceptable.
        if self.at >= self.limits.head_bytes {
            return Err(Refusal::new(
                Code::HeadTooLarge,
                "the request's head is larger than this server reads (http.head_bytes)",
            )
            .into());
        }
        self.bytes.get(self.at).copied().ok_or(Stop::More)
    }

    fn byte(&mut self, expected: u8, message: &'static str) -> Result<(), Stop> {
        if self.peek()? != expected {
            return bad(message);
        }
        self.at += 1;
        Ok(())
    }

    fn line_end(&mut self, message: &'static str) -> Result<(), Stop> {
        self.byte(b'\r', message)?;
        self.byte(b'\n', "a CR has no LF after it; lines end with CR LF")
    }

    fn text_since(&self, start: usize) -> &'b str {
        std::str::from_utf8(&self.bytes[start..self.at]).expect("only ASCII has been walked")
    }

    fn method(&mut self) -> Result<&'b str, Stop> {
        let start = self.at;
        loop {
            let byte = self.peek()?;
            if byte == b' ' && self.at > start {
                let method = self.text_since(start);
                self.at += 1;
                return Ok(method);
            }
            if !is_token_byte(byte) || self.at - start == METHOD_BYTES {
                return bad("this is not HTTP; a request begins like \"GET /path HTTP/1.1\"");
            }
            self.at += 1;
        }
    }

    fn target(&mut self) -> Result<&'b str, Stop> {
        let start = self.at;
        loop {
            match self.peek()? {
                b' ' if self.at > start => break,
                b'\r' | b'\n' => return bad("the request line has no version; it ends with HTTP/1.1"),
                // Before the range below, which contains it.
                b'#' => return bad("a request target has no fragment; write # as %23"),
                b'!'..=b'~' if self.at - start == self.limits.target_bytes => {
                    return Err(Refusal::new(
                        Code::UriTooLong,
                        "the request target is longer than this server reads (http.target_bytes)",
                    )
                    .into());
                }
                b'!'..=b'~' => self.at += 1,
                0x80.. => return bad("the request target is not ASCII; percent-encode it"),
                _ => return bad("the request target is visible ASCII between two single spaces"),
            }
        }
        let target = self.text_since(start);
        self.at += 1;
        Ok(target)
    }

    fn version(&mut self) -> Result<Version, Stop> {
        const EXPECTED: &str = "the request line ends with HTTP/1.1 or HTTP/1.0";
        for expected in *b"HTTP/" {
            self.byte(expected, EXPECTED)?;
        }
        let major = self.digit(EXPECTED)?;
        // Before the rest of the line, so that the preface of HTTP/2 receives 505 and not a complaint about its
        // grammar.
        if major != b'1' {
            return Err(Refusal::new(Code::VersionNotSupported, "this server speaks HTTP/1.1").into());
        }
        self.byte(b'.', EXPECTED)?;
        let minor = self.digit(EXPECTED)?;
        self.line_end(EXPECTED)?;
        // RFC 9110 section 2.5: a higher minor version is processed as the highest one known.
        Ok(if minor == b'0' { Version::Http10 } else { Version::Http11 })
    }

    fn digit(&mut self, message: &'static str) -> Result<u8, Stop> {
        let byte = self.peek()?;
        if !byte.is_ascii_digit() {
            return bad(message);
        }
        self.at += 1;
        Ok(byte)
    }

    fn field_line(&mut self) -> Result<(), Stop> {
        self.field_name()?;
        while is_value_byte(self.peek()?) {
            self.at += 1;
        }
        self.line_end("a field value has no control character, and its line ends with CR LF")
    }

    fn field_name(&mut self) -> Result<(), Stop> {
        let start = self.at;
        loop {
            match self.peek()? {
                b':' if self.at > start => break,
                // Neither is trimmed (RFC 9112 sections 5.1 and 5.2): a proxy that does may see another field than this
                // server.
                b' ' | b'\t' if self.at == start => {
                    return bad("a header line begins with white space; folded lines are no longer part of HTTP");
                }
                b' ' | b'\t' => return bad("there is white space before the colon of a header field"),
                byte if is_token_byte(byte) => self.at += 1,
                _ => return bad("a header line begins with a field name and a colon"),
            }
        }
        self.at += 1;
        Ok(())
    }
}
