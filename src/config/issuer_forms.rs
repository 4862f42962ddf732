//! The forms that the values of an `[[issuer]]` have, one by one.

use super::kind::{DAY, MINUTE, Time};
use super::text::Text;
use crate::model::authority::Authority;
use crate::model::token::is_token;
use std::time::Duration;

/// Bytes of an issuer or an audience, which may be a URL.
const IDENTIFIER_BYTES_MAX: usize = 512;
/// Bytes of an issuer's own name, of a cookie's, and of a claim's.
const NAME_BYTES_MAX: usize = 128;
/// Claims that tokens have anyway, so that no other may have their names.
const RESERVED: [&str; 6] = ["iss", "aud", "exp", "nbf", "iat", "jti"];
/// What a leeway is for is a difference between clocks.
pub(super) const LEEWAY: Time = Time { min: Duration::ZERO, max: Duration::from_secs(5 * MINUTE.as_secs()) };

/// Longer than the shortest time between two fetches, and as long as anybody lets a key live.
pub(super) const STALE: Time =
    Time { min: Duration::from_secs(10 * MINUTE.as_secs()), max: Duration::from_secs(30 * DAY.as_secs()) };

/// The name of a block.
pub(super) const NAME: Text =
    Text { of: "a name of letters, digits, - _ and .", example: "accounts", valid: |text| is_name(text) };
/// An issuer or an audience.
pub(super) const IDENTIFIER: Text = Text {
    of: "a text of 1 to 512 bytes without control characters",
    example: "https://accounts.example.com",
    valid: is_identifier,
};
/// What the address of a key set looks like. What was written is not repeated: it may hold a password.
pub(super) const KEY_SET_URL: &str = "an address such as \"https://accounts.example.com/.well-known/jwks.json\", without a user, \
    a password and a fragment";
/// The name of a cookie (RFC 6265 section 4.1.1).
pub(super) const COOKIE: Text = Text {
    of: "the name of a cookie",
    example: "tidings_token",
    valid: |text| is_token(text) && text.len() <= NAME_BYTES_MAX,
};
/// The name of a claim.
pub(super) const CLAIM: Text = Text {
    of: "the name of a claim, of 1 to 128 bytes and none of iss, aud, exp, nbf, iat, jti,",
    example: "https://example.com/grants",
    valid: |text| is_identifier(text) && text.len() <= NAME_BYTES_MAX && !RESERVED.contains(&text),
};
/// A path of a file.
pub(super) const PATH: Text =
    Text { of: "the path of a file", example: "/etc/tidings/issuer.pem", valid: |text| !text.is_empty() };

fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

fn is_identifier(text: &str) -> bool {
    (1..=IDENTIFIER_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control)
}

/// Where a key set is, read as far as rules ask.
pub(super) struct Address<'a> {
    /// Whether it is fetched over TLS.
    pub(super) is_secure: bool,
    /// The host, and the port if there is one.
    pub(super) authority: Authority<'a>,
}

impl<'a> Address<'a> {
    /// Reads an address; `None` where it has a user, a fragment, no host or another scheme.
    pub(super) fn parse(text: &'a str) -> Option<Address<'a>> {
        let (is_secure, rest) = match text.strip_prefix("https://") {
            Some(rest) => (true, rest),
            None => (false, text.strip_prefix("http://")?),
        };
        // A user would be sent along and written down; a fragment is never sent.
        let fits = rest.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        let end = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority = Authority::parse(&rest[..end])?;
        (fits && text.len() <= 2 * IDENTIFIER_BYTES_MAX).then_some(Address { is_secure, authority })
    }
}
