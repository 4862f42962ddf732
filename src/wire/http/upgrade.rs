//! The WebSocket handshake (RFC 6455 section 4.2): checks what the client sent and writes the 101.

use super::answer::push_field;
use super::fields::list;
use super::head::{Head, Method, Version};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::token::is_token;
use crate::wire::deflate::{Agreement, BadExtensions, Extension, parse_extensions};
use smallvec::SmallVec;
use tungstenite::handshake::derive_accept_key;

/// The fields that every 426 carries (RFC 9110 section 15.5.22 and RFC 6455 section 4.4).
pub const UPGRADE_REQUIRED_FIELDS: [(&str, &str); 3] =
    [("Upgrade", "websocket"), ("Connection", "Upgrade"), ("Sec-WebSocket-Version", "13")];

/// Why a WebSocket handshake is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError {
    /// Another method than GET.
    #[error("a WebSocket handshake is a GET request")]
    NotGet,
    /// No Upgrade to websocket.
    #[error("this path is a WebSocket; connect with \"Upgrade: websocket\"")]
    NotWebSocket,
    /// HTTP/1.0 has no upgrade.
    #[error("a WebSocket handshake needs HTTP/1.1")]
    OldVersion,
    /// Connection does not name Upgrade.
    #[error("a WebSocket handshake has \"Connection: Upgrade\"; a proxy may have removed it")]
    NoConnectionUpgrade,
    /// A body.
    #[error("a WebSocket handshake has no body")]
    Body,
    /// Sec-WebSocket-Version is not 13.
    #[error("this server speaks WebSocket version 13; send \"Sec-WebSocket-Version: 13\"")]
    WebSocketVersion,
    /// Sec-WebSocket-Key is missing.
    #[error("a WebSocket handshake has a Sec-WebSocket-Key; a proxy may have removed it")]
    NoKey,
    /// Sec-WebSocket-Key is not base64.
    #[error("Sec-WebSocket-Key is 16 random bytes in base64")]
    BadKey,
    /// Sec-WebSocket-Protocol is not a list of tokens.
    #[error("Sec-WebSocket-Protocol is a comma-separated list of names")]
    BadProtocol,
    /// Sec-WebSocket-Protocol names something twice.
    #[error("Sec-WebSocket-Protocol names the same protocol twice")]
    RepeatedProtocol,
    /// Sec-WebSocket-Extensions breaks its grammar.
    #[error("{0}")]
    BadExtensions(#[from] BadExtensions),
}

impl UpgradeError {
    /// Names status, close code and metric label.
    #[must_use]
    pub const fn code(self) -> Code {
        match self {
            UpgradeError::NotWebSocket | UpgradeError::OldVersion | UpgradeError::WebSocketVersion => {
                Code::UpgradeRequired
            }
            _ => Code::BadRequest,
        }
    }
}

impl From<UpgradeError> for Refusal {
    fn from(error: UpgradeError) -> Self {
        Refusal::new(error.code(), error.to_string())
    }
}

/// A handshake that may be answered with 101.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of Sec-WebSocket-Accept.
    pub accept: String,
    /// The subprotocol both sides speak.
    pub protocol: Option<String>,
    /// How messages may be compressed.
    pub deflate: Option<Agreement>,
}

/// Whether a request asks for a WebSocket: a GET whose Upgrade names it. Anything else about it may still be wrong.
#[must_use]
pub fn wants_upgrade(head: &Head<'_>) -> bool {
    head.method == Method::Get && head.upgrade.websocket
}

/// Checks a handshake. `spoken` are the subprotocols of this server; the first one offered that is among them is agreed.
/// `agree` chooses among the offered extensions, and is called only when everything else is right.
///
/// # Errors
/// 426 without Upgrade, from HTTP/1.0, or for another version (the caller adds [`UPGRADE_REQUIRED_FIELDS`]); 400 for
/// everything else.
pub fn check_upgrade(
    head: &Head<'_>,
    spoken: &[String],
    agree: impl FnOnce(&[Extension<'_>]) -> Option<Agreement>,
) -> Result<Upgrade, Refusal> {
    check_request(head)?;
    let key = head.upgrade.key.ok_or(UpgradeError::NoKey)?;
    if !is_key(key) {
        return Err(UpgradeError::BadKey.into());
    }
    let offered = offered_protocols(&head.upgrade.protocols)?;
    let protocol = offered.into_iter().find(|name| spoken.iter().any(|known| known == name));
    let extensions = parse_extensions(&head.upgrade.extensions).map_err(UpgradeError::from)?;
    // Last: agreeing may reserve memory of a budget that all connections share; what is refused needs none.
    let deflate = agree(&extensions);
    Ok(Upgrade { accept: derive_accept_key(key.as_bytes()), protocol: protocol.map(str::to_owned), deflate })
}

fn check_request(head: &Head<'_>) -> Result<(), UpgradeError> {
    // "Content-Length: 0" announces no body, so it does not refuse a handshake.
    // The first broken rule is named: whoever opens the path without Upgrade learns that it is a WebSocket (426).
    let rules = [
        (head.method == Method::Get, UpgradeError::NotGet),
        (head.upgrade.websocket, UpgradeError::NotWebSocket),
        (head.version == Version::Http11, UpgradeError::OldVersion),
        (head.upgrade.connection_upgrade, UpgradeError::NoConnectionUpgrade),
        (!head.body.has_body(), UpgradeError::Body),
        (head.upgrade.version == Some("13"), UpgradeError::WebSocketVersion),
    ];
    rules.into_iter().find(|(kept, _)| !kept).map_or(Ok(()), |(_, error)| Err(error))
}

/// Whether it looks like base64. It is not decoded: some clients send a key of another length than 16 bytes, and nothing depends on it.
fn is_key(key: &str) -> bool {
    let padding = key.len() - key.trim_end_matches('=').len();
    let digits = &key[..key.len() - padding];
    padding <= 2
        && (16..=64).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
}

fn offered_protocols<'b>(values: &[&'b str]) -> Result<SmallVec<[&'b str; 4]>, UpgradeError> {
    let mut offered = SmallVec::new();
    for name in values.iter().flat_map(|value| list(value)) {
        if !is_token(name) {
            return Err(UpgradeError::BadProtocol);
        }
        if offered.contains(&name) {
            // RFC 6455 section 4.1, item 10: the names are unique.
            return Err(UpgradeError::RepeatedProtocol);
        }
        offered.push(name);
    }
    // An empty field offers nothing and is not an error: some proxies and clients send it when they have no protocol.
    Ok(offered)
}

/// Writes the 101 that ends the handshake.
pub fn write_switching(out: &mut Vec<u8>, upgrade: &Upgrade, date: &str) {
    out.extend_from_slice(b"HTTP/1.1 101 Switching Protocols\r\n");
    push_field(out, "Date", date);
    push_field(out, "Upgrade", "websocket");
    push_field(out, "Connection", "Upgrade");
    push_field(out, "Sec-WebSocket-Accept", &upgrade.accept);
    if let Some(protocol) = &upgrade.protocol {
        push_field(out, "Sec-WebSocket-Protocol", protocol);
    }
    if let Some(agreement) = &upgrade.deflate {
        push_field(out, "Sec-WebSocket-Extensions", &agreement.field());
    }
    out.extend_from_slice(b"\r\n");
}

#[cfg(test)]
mod tests {
    use super::{Upgrade, check_upgrade, wants_upgrade, write_switching};
    use crate::model::code::Code;
    use crate::model::refusal::Refusal;
    use crate::wire::deflate::{Agreement, Policy, negotiate};
    use crate::wire::http::head::{HeadLimits, parse_head};

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const REST: &str = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n";

    /// Line and fields, each with CR LF, without Host and the empty line.
    fn check(line: &str, fields: &str) -> Result<Upgrade, Refusal> {
        let text = format!("{line}\r\nHost: a\r\n{fields}\r\n");
        let (head, _) = parse_head(text.as_bytes(), &HeadLimits::default()).expect("valid").expect("complete");
        let policy = Policy { takeover: false, least_window_bits: 15 };
        check_upgrade(&head, &["tidings.v1".to_owned(), "other".to_owned()], |offers| negotiate(offers, &policy))
    }

    fn get(fields: &str) -> Result<Upgrade, Refusal> {
        check("GET /ws HTTP/1.1", fields)
    }

    #[test]
    fn keys_are_answered_as_the_standard_says() {
        for (key, accept) in [
            ("dGhlIHNhbXBsZSBub25jZQ==", "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="),
            ("dGhlIHNhbHQgYSBub3Q=", "3ZClkQAfukXyB7loppiOrRWEHe8="),
        ] {
            let upgrade = get(&format!("{REST}Sec-WebSocket-Key: {key}\r\n")).expect(key);
            assert_eq!(upgrade, Upgrade { accept: accept.to_owned(), protocol: None, deflate: None });
        }
        let longest = "a".repeat(64);
        for good in ["aaaaaaaaaaaaaaaa", "+/+/+/+/+/+/+/+/", "aaaaaaaaaaaaaaaa==", &longest] {
            assert!(get(&format!("{REST}Sec-WebSocket-Key: {good}\r\n")).is_ok(), "{good}");
        }
        let longer = "a".repeat(65);
        for bad in [
            "",
            "==",
            "aaaaaaaaaaaaaaa=",
            "aaaaaaaaaaaaaaaa===",
            "aaaaaaaa=aaaaaaaa",
            "aaaaaaaaaaaaaaa-",
            "aaaaaaaa aaaaaaaa",
            &longer,
        ] {
            let error = get(&format!("{REST}Sec-WebSocket-Key: {bad}\r\n")).expect_err(bad);
            assert_eq!(error.code, Code::BadRequest, "{bad}");
        }
    }

    #[test]
    fn a_handshake_that_misses_something_is_told_what() {
        let all = format!("{REST}{KEY}");
        for (line, fields, reason, word) in [
            ("POST /ws HTTP/1.1", all.clone(), Code::BadRequest, "GET"),
            ("HEAD /ws HTTP/1.1", all.clone(), Code::BadRequest, "GET"),
            ("GET /ws HTTP/1.0", all.clone(), Code::UpgradeRequired, "HTTP/1.1"),
            ("GET /ws HTTP/1.1", String::new(), Code::UpgradeRequired, "Upgrade: websocket"),
            ("GET /ws HTTP/1.1", all.replace("websocket\r", "h2c\r"), Code::UpgradeRequired, "Upgrade: websocket"),
            ("GET /ws HTTP/1.1", all.replace("Connection: Upgrade\r\n", ""), Code::BadRequest, "Connection"),
            ("GET /ws HTTP/1.1", all.replace("n: Upgrade", "n: keep-alive"), Code::BadRequest, "Connection"),
            ("GET /ws HTTP/1.1", all.replace("13", "8"), Code::UpgradeRequired, "13"),
            ("GET /ws HTTP/1.1", all.replace("13", "13, 8"), Code::UpgradeRequired, "13"),
            ("GET /ws HTTP/1.1", all.replace("Sec-WebSocket-Version: 13\r\n", ""), Code::UpgradeRequired, "13"),
            ("GET /ws HTTP/1.1", REST.to_owned(), Code::BadRequest, "Sec-WebSocket-Key"),
            ("GET /ws HTTP/1.1", format!("{all}Content-Length: 1\r\n"), Code::BadRequest, "body"),
            ("GET /ws HTTP/1.1", format!("{all}Transfer-Encoding: chunked\r\n"), Code::BadRequest, "body"),
        ] {
            let error = check(line, &fields).expect_err(&fields);
            assert_eq!(error.code, reason, "{line} {fields}");
            assert!(error.message.contains(word), "{}", error.message);
        }
        assert!(get(&format!("{all}Content-Length: 0\r\n")).is_ok());
        let browser = all.replace("n: Upgrade", "n: keep-alive, upgrade").replace("websocket\r", "h2c, WebSocket\r");
        assert!(get(&browser).is_ok());
    }

    #[test]
    fn the_first_offered_protocol_that_is_spoken_is_agreed() {
        for (fields, expected) in [
            ("", Ok(None)),
            ("Sec-WebSocket-Protocol: unknown\r\n", Ok(None)),
            ("Sec-WebSocket-Protocol: tidings.v1\r\n", Ok(Some("tidings.v1"))),
            ("Sec-WebSocket-Protocol: x, other ,tidings.v1\r\n", Ok(Some("other"))),
            ("Sec-WebSocket-Protocol: x\r\nSec-WebSocket-Protocol: tidings.v1, other\r\n", Ok(Some("tidings.v1"))),
            ("Sec-WebSocket-Protocol: Tidings.V1\r\n", Ok(None)),
            ("Sec-WebSocket-Protocol: a b\r\n", Err(())),
            ("Sec-WebSocket-Protocol: a/b\r\n", Err(())),
            ("Sec-WebSocket-Protocol: \"a\"\r\n", Err(())),
            ("Sec-WebSocket-Protocol: a, a\r\n", Err(())),
            ("Sec-WebSocket-Protocol: other\r\nSec-WebSocket-Protocol: other\r\n", Err(())),
            ("Sec-WebSocket-Protocol:\r\n", Ok(None)),
            ("Sec-WebSocket-Protocol: , ,\r\n", Ok(None)),
            ("Sec-WebSocket-Protocol:\r\nSec-WebSocket-Protocol: other\r\n", Ok(Some("other"))),
        ] {
            let agreed = get(&format!("{REST}{KEY}{fields}")).map(|upgrade| upgrade.protocol);
            let agreed = agreed.map_err(|error| assert_eq!(error.code, Code::BadRequest));
            assert_eq!(agreed, expected.map(|name| name.map(str::to_owned)), "{fields}");
        }
    }

    #[test]
    fn extensions_are_offered_in_one_field_or_several_and_a_broken_list_is_refused() {
        const FIELD: &str = "Sec-WebSocket-Extensions: ";
        for (fields, agreed) in [
            (String::new(), Some(false)),
            (format!("{FIELD}other; a=1\r\n"), Some(false)),
            (format!("{FIELD}other\r\n{FIELD}permessage-deflate; client_max_window_bits\r\n"), Some(true)),
            (format!("{FIELD}permessage-deflate; x, permessage-deflate\r\n"), Some(true)),
            (format!("{FIELD}permessage-deflate;\r\n"), None),
            (format!("{FIELD}\r\n"), Some(false)),
            (format!("{FIELD},\r\n{FIELD}permessage-deflate\r\n"), Some(true)),
            (format!("{FIELD}a b\r\n"), None),
        ] {
            let answer = get(&format!("{REST}{KEY}{fields}")).map(|upgrade| upgrade.deflate.is_some());
            assert_eq!(answer.as_ref().ok().copied(), agreed, "{fields}");
            if let Err(error) = answer {
                assert_eq!(error.code, Code::BadRequest);
                assert!(error.message.contains("permessage-deflate; client_max_window_bits"), "{}", error.message);
            }
        }
    }

    #[test]
    fn an_upgrade_is_wanted_by_a_get_alone() {
        for (line, wanted) in [("GET / HTTP/1.1", true), ("POST / HTTP/1.1", false), ("HEAD / HTTP/1.1", false)] {
            let text = format!("{line}\r\nHost: a\r\n{REST}{KEY}\r\n");
            let (head, _) = parse_head(text.as_bytes(), &HeadLimits::default()).expect("valid").expect("complete");
            assert_eq!(wants_upgrade(&head), wanted, "{line}");
        }
    }

    #[test]
    fn the_switch_is_written_whole() {
        let mut out = Vec::new();
        let deflate = Agreement { server_takeover: true, client_takeover: false, server_window_bits: Some(10) };
        let upgrade =
            Upgrade { accept: "A=".to_owned(), protocol: Some("tidings.v1".to_owned()), deflate: Some(deflate) };
        write_switching(&mut out, &upgrade, "D");
        assert_eq!(
            String::from_utf8(out).expect("ASCII"),
            "HTTP/1.1 101 Switching Protocols\r\nDate: D\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Accept: A=\r\nSec-WebSocket-Protocol: tidings.v1\r\n\
             Sec-WebSocket-Extensions: permessage-deflate; client_no_context_takeover; server_max_window_bits=10\r\n\r\n"
        );
    }
}
