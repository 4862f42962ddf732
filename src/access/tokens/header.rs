//! The header of a token (RFC 7515 section 4): what is read of it, and what is refused in it. It chooses among keys that are
//! configured, and nothing else: addresses and keys that it names are never looked at.

use super::members::{Members, ObjectFault, text};
use crate::model::algorithm::Algorithm;
use std::borrow::Cow;

/// Bytes of a key's id at most.
pub(super) const KEY_ID_BYTES_MAX: usize = 255;

/// What is wrong with a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HeaderFault {
    /// It is not a strict JSON object.
    Object(ObjectFault),
    /// There is no `alg`, or it is no text.
    Algorithm,
    /// It names an algorithm that is accepted from no issuer: `none` among them.
    UnknownAlgorithm,
    /// `kid` is no text of 1 to 255 bytes.
    KeyId,
    /// `typ` is there, and says that this is something else than an access token.
    Type,
    /// `cty` says that there is a token within it.
    Nested,
    /// `crit` names extensions, and there are none here.
    Critical,
}

/// What a header says.
#[derive(Debug)]
pub(super) struct Header<'a> {
    pub(super) algorithm: Algorithm,
    pub(super) key_id: Option<Cow<'a, str>>,
}

impl<'a> Header<'a> {
    pub(super) fn read(bytes: &'a [u8]) -> Result<Header<'a>, HeaderFault> {
        let members = Members::of(bytes).map_err(HeaderFault::Object)?;
        // First: whatever follows may mean something else under an extension.
        if members.get("crit").is_some() {
            return Err(HeaderFault::Critical);
        }
        let name = members.get("alg").and_then(text).ok_or(HeaderFault::Algorithm)?;
        let algorithm = Algorithm::parse(&name).ok_or(HeaderFault::UnknownAlgorithm)?;
        let key_id = match members.get("kid") {
            Some(value) => Some(text(value).filter(|id| is_key_id(id)).ok_or(HeaderFault::KeyId)?),
            None => None,
        };
        if members.get("typ").is_some_and(|value| !text(value).is_some_and(|typ| is_token_type(&typ))) {
            return Err(HeaderFault::Type);
        }
        let is_nested = |value: &str| text(value).is_none_or(|cty| subtype(&cty).eq_ignore_ascii_case("jwt"));
        if members.get("cty").is_some_and(is_nested) {
            return Err(HeaderFault::Nested);
        }
        Ok(Header { algorithm, key_id })
    }
}

/// Whether a text can be the id of a key.
pub(super) fn is_key_id(text: &str) -> bool {
    (1..=KEY_ID_BYTES_MAX).contains(&text.len())
}

/// Tokens of other kinds that the same issuer signs, such as those of a logout, must not open anything (RFC 8725 section
/// 3.11).
fn is_token_type(typ: &str) -> bool {
    let typ = subtype(typ);
    typ.eq_ignore_ascii_case("jwt") || typ.eq_ignore_ascii_case("at+jwt")
}

/// `application/` may be left out (RFC 7515 section 4.1.9).
fn subtype(media_type: &str) -> &str {
    const PREFIX: &str = "application/";
    match media_type.get(..PREFIX.len()) {
        Some(start) if start.eq_ignore_ascii_case(PREFIX) => &media_type[PREFIX.len()..],
        _ => media_type,
    }
}

#[cfg(test)]
mod tests {
    use super::{Header, HeaderFault, KEY_ID_BYTES_MAX};
    use crate::access::tokens::members::ObjectFault;
    use crate::model::algorithm::Algorithm;

    #[test]
    fn an_algorithm_is_needed_and_a_key_may_be_named() {
        let header = Header::read(br#"{"alg":"ES256"}"#).expect("a header");
        assert_eq!((header.algorithm, header.key_id), (Algorithm::Es256, None));
        let longest = "k".repeat(KEY_ID_BYTES_MAX);
        for (kid, read) in [("a", "a"), ("\\u0061\\\"", "a\""), (&longest, &longest)] {
            for typ in ["JWT", "jwt", "at+jwt", "AT+JWT", "application/jwt", "Application/at+JWT"] {
                let json = format!(r#"{{"typ":"{typ}","kid":"{kid}","alg":"HS256","jku":"http://x","b64":true}}"#);
                let header = Header::read(json.as_bytes()).expect("a header");
                assert_eq!((header.algorithm, header.key_id.as_deref()), (Algorithm::Hs256, Some(read)));
            }
        }
    }

    #[test]
    fn what_a_header_may_not_say_is_refused() {
        let long = format!(r#"{{"alg":"HS256","kid":"{}"}}"#, "k".repeat(KEY_ID_BYTES_MAX + 1));
        for (json, fault) in [
            ("{}", HeaderFault::Algorithm),
            (r#"{"alg":null}"#, HeaderFault::Algorithm),
            (r#"{"alg":1}"#, HeaderFault::Algorithm),
            (r#"{"alg":["HS256"]}"#, HeaderFault::Algorithm),
            (r#"{"alg":{"HS256":1}}"#, HeaderFault::Algorithm),
            (r#"{"ALG":"HS256"}"#, HeaderFault::Algorithm),
            (r#"{"alg":"none"}"#, HeaderFault::UnknownAlgorithm),
            (r#"{"alg":"HS256 "}"#, HeaderFault::UnknownAlgorithm),
            (r#"{"alg":""}"#, HeaderFault::UnknownAlgorithm),
            (r#"{"alg":"HS256","kid":1}"#, HeaderFault::KeyId),
            (r#"{"alg":"HS256","kid":null}"#, HeaderFault::KeyId),
            (r#"{"alg":"HS256","kid":""}"#, HeaderFault::KeyId),
            (r#"{"alg":"HS256","kid":["a"]}"#, HeaderFault::KeyId),
            (&long, HeaderFault::KeyId),
            (r#"{"alg":"HS256","typ":1}"#, HeaderFault::Type),
            (r#"{"alg":"HS256","typ":"logout+jwt"}"#, HeaderFault::Type),
            (r#"{"alg":"HS256","typ":"dpop+jwt"}"#, HeaderFault::Type),
            (r#"{"alg":"HS256","typ":"JWS"}"#, HeaderFault::Type),
            (r#"{"alg":"HS256","cty":"JWT"}"#, HeaderFault::Nested),
            (r#"{"alg":"HS256","cty":"application/jwt"}"#, HeaderFault::Nested),
            (r#"{"alg":"HS256","cty":1}"#, HeaderFault::Nested),
            (r#"{"alg":"HS256","crit":["exp"]}"#, HeaderFault::Critical),
            (r#"{"alg":"HS256","crit":[]}"#, HeaderFault::Critical),
            (r#"{"alg":"HS256","crit":null}"#, HeaderFault::Critical),
            (r#"{"alg":"HS256","alg":"HS256"}"#, HeaderFault::Object(ObjectFault::Duplicate)),
            (r#"["HS256"]"#, HeaderFault::Object(ObjectFault::NotAnObject)),
        ] {
            assert_eq!(Header::read(json.as_bytes()).err(), Some(fault), "{json}");
        }
        assert!(Header::read(br#"{"alg":"HS256","cty":"json"}"#).is_ok());
    }
}
