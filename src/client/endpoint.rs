//! Where a server is: what people type as its address, and the connection to it.

use super::error::ClientError;
use super::message::percent_encoded;
use super::token::{Token, Tokens};
use crate::tls::Trust;
use std::fmt;
use std::io;
use std::net::{IpAddr, TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;
use tungstenite::http::Uri;
use tungstenite::http::uri::Authority;

/// The address of a server: `ws://host:port/path`, `http://host:port`, or `host:port`; with `wss` or `https` over TLS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: Authority,
    path: String,
    /// Whose certificates are trusted; nothing without TLS.
    trust: Option<Trust>,
    tokens: Option<Tokens>,
}

impl Endpoint {
    /// The host and port to connect to.
    #[must_use]
    pub fn address(&self) -> String {
        let default = if self.is_encrypted() { 443 } else { 80 };
        // An IPv6 address keeps its brackets, which the system's resolution of `host:port` needs.
        format!("{}:{}", self.authority.host(), self.authority.port_u16().unwrap_or(default))
    }

    /// Whether the address asks for TLS.
    #[must_use]
    pub fn is_encrypted(&self) -> bool {
        self.trust.is_some()
    }

    /// The same address with other trusted certificates than the system's. Without TLS it changes nothing.
    #[must_use]
    pub fn trusting(mut self, trust: Trust) -> Endpoint {
        self.trust = self.trust.map(|_| trust);
        self
    }

    /// The same address, used with this token, such as the operators' key: it is sent in the handshake as
    /// `Authorization: Bearer`, to any server at the address.
    ///
    /// # Errors
    /// It is empty, or has characters that this field cannot have.
    pub fn with_token(mut self, token: &str) -> Result<Endpoint, ClientError> {
        self.tokens = Some(Tokens::One(Token::parse(token)?));
        Ok(self)
    }

    /// The same address, used with the tokens that `ask` gives: it is asked at each connection, and again when the server
    /// announces that the one in use expires. An error of it is a sentence for people.
    #[must_use]
    pub fn with_tokens(mut self, ask: impl Fn() -> Result<String, String> + Send + Sync + 'static) -> Endpoint {
        self.tokens = Some(Tokens::Asked(Arc::new(ask)));
        self
    }

    /// Whether a connection that ended since its token expired may be opened with another one.
    #[must_use]
    pub fn renews_tokens(&self) -> bool {
        matches!(self.tokens, Some(Tokens::Asked(_)))
    }

    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_here(&self) -> bool {
        // The brackets of an IPv6 address belong to the URL; without them it is an address to `parse`.
        let host = self.host().trim_matches(['[', ']']);
        host.eq_ignore_ascii_case("localhost") || host.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether others can read what is sent there: it goes to another machine without TLS.
    #[must_use]
    pub fn is_exposed(&self) -> bool {
        !self.is_here() && !self.is_encrypted()
    }

    /// Whether it is used with a token.
    #[must_use]
    pub fn has_token(&self) -> bool {
        self.tokens.is_some()
    }

    pub(super) fn tokens(&self) -> Option<&Tokens> {
        self.tokens.as_ref()
    }

    pub(super) fn trust(&self) -> Option<&Trust> {
        self.trust.as_ref()
    }

    pub(super) fn host(&self) -> &str {
        self.authority.host()
    }

    fn scheme(&self) -> &'static str {
        if self.is_encrypted() { "wss" } else { "ws" }
    }

    /// The address of a channel over HTTP.
    #[must_use]
    pub fn channel_address(&self, channel: &str) -> String {
        let scheme = if self.is_encrypted() { "https" } else { "http" };
        let place = self.place(&format!("/channels/{}", percent_encoded(channel)));
        format!("{scheme}://{}{place}", self.authority)
    }

    /// Where a path of the server is, over HTTP.
    pub(super) fn place(&self, path: &str) -> String {
        let own = self.path.split('?').next().unwrap_or_default();
        // Before `/ws` is where a proxy has the server; any other path is the proxy's own name for the socket.
        format!("{}{path}", own.strip_suffix("/ws").unwrap_or_default())
    }

    /// What a Host field says.
    pub(super) fn authority(&self) -> &str {
        self.authority.as_str()
    }

    /// The address as the handshake needs it.
    pub(super) fn uri(&self) -> Uri {
        let parts =
            Uri::builder().scheme(self.scheme()).authority(self.authority.clone()).path_and_query(self.path.as_str());
        parts.build().expect("each part was checked when the endpoint was read")
    }

    /// Connects to the first of the host's addresses that answers.
    pub(super) fn connect(&self, wait: Duration) -> Result<TcpStream, ClientError> {
        let unreachable = |source| ClientError::Unreachable { address: self.address(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
        // All of them: `localhost` may be `::1` first, and the server listen on 127.0.0.1 alone.
        for address in self.address().to_socket_addrs().map_err(unreachable)? {
            match TcpStream::connect_timeout(&address, wait) {
                Ok(stream) => return Ok(stream),
                Err(error) => last = error,
            }
        }
        Err(unreachable(last))
    }
}

impl FromStr for Endpoint {
    type Err = ClientError;

    fn from_str(text: &str) -> Result<Endpoint, ClientError> {
        let (scheme, rest) = text.split_once("://").unwrap_or(("ws", text));
        let trust = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => None,
            "wss" | "https" => Some(Trust::System),
            _ => return Err(bad(text)),
        };
        // A fragment is for a browser's page, such as the operator key in the address that the server prints.
        let rest = rest.split('#').next().unwrap_or_default();
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority: Authority = rest[..split].parse().map_err(|_| bad(text))?;
        // A port that is none (`a:99999999`) is not seen by `port_u16`, and shows only in what is left beside the host.
        let whole = authority.port_u16().is_some() || authority.as_str() == authority.host();
        // A name and a password would not be sent, and be shown with the address.
        if authority.host().is_empty() || !whole || authority.as_str().contains('@') {
            return Err(bad(text));
        }
        let path = if rest[split..].is_empty() || &rest[split..] == "/" { "/ws" } else { &rest[split..] };
        if let Some(other) = another_resource(path) {
            // The part before it is the path under which a proxy serves the server.
            let prefix = path.find("/channels").map_or("", |at| &path[..at]);
            let apart = if other == A_CHANNEL { "; the channel's name is an argument of its own" } else { "" };
            let scheme = if trust.is_some() { "wss" } else { "ws" };
            return Err(ClientError::BadUrl(format!(
                "{text:?} is {other}; give the address of the server itself: {scheme}://{authority}{prefix}/ws{apart}"
            )));
        }
        let endpoint = Endpoint { authority, path: path.to_owned(), trust, tokens: None };
        let parts = Uri::builder().scheme("ws").authority(endpoint.authority.clone()).path_and_query(path);
        // Built here for its errors alone, so that `uri` has none later.
        parts.build().map_err(|_| bad(text))?;
        Ok(endpoint)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}://{}{}", self.scheme(), self.authority, self.path)
    }
}

const A_CHANNEL: &str = "the address of a channel";

/// What a path of the server names, if it is not its socket. A socket at a channel's own path is subscribed already, so that
/// its pushes and answers would mix with those of the requests. Other paths may be a proxy's names for the socket.
fn another_resource(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap_or_default().trim_end_matches('/');
    if path.contains("/channels/") || path.ends_with("/channels") {
        return Some(A_CHANNEL);
    }
    match path {
        "/echo" => Some("a socket that only sends every message back"),
        "/livez" | "/readyz" | "/metrics" | "/limits" => Some("a page about the server"),
        _ => None,
    }
}

fn bad(text: &str) -> ClientError {
    ClientError::BadUrl(format!("{text:?} is not the address of a server; one looks like ws://127.0.0.1:8080/ws"))
}

#[cfg(test)]
mod tests {
    use super::Endpoint;

    #[test]
    fn what_people_type_becomes_one_address() {
        for (text, expected) in [
            ("ws://127.0.0.1:8080/ws", "ws://127.0.0.1:8080/ws"),
            ("http://127.0.0.1:8080", "ws://127.0.0.1:8080/ws"),
            ("http://localhost:1/", "ws://localhost:1/ws"),
            ("[::1]:8080", "ws://[::1]:8080/ws"),
            ("example.com", "ws://example.com/ws"),
            ("ws://a:1/proxy/ws?x=1", "ws://a:1/proxy/ws?x=1"),
            ("http://127.0.0.1:8080/#operator=abc", "ws://127.0.0.1:8080/ws"),
            ("a:1#x", "ws://a:1/ws"),
            ("https://a", "wss://a/ws"),
            ("WSS://a:1/x", "wss://a:1/x"),
            ("ws://a/stream/channels-of-ours", "ws://a/stream/channels-of-ours"),
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), expected);
            assert_eq!(endpoint.uri().to_string(), expected);
        }
        assert_eq!("a".parse::<Endpoint>().expect("a host").address(), "a:80");
        assert_eq!("https://[::1]".parse::<Endpoint>().expect("a host").address(), "[::1]:443");
        let endpoint: Endpoint = "ws://a:1/proxy/ws?x=1".parse().expect("an address");
        assert_eq!(endpoint.channel_address("a b"), "http://a:1/proxy/channels/a%20b");
    }

    #[test]
    fn a_token_is_not_shown_and_has_to_fit_into_a_field() {
        let endpoint: Endpoint = "https://a".parse().expect("an address");
        let with = endpoint.clone().with_token("s3cret").expect("a token");
        let asked = endpoint.clone().with_tokens(|| Ok(" s3cret\n".to_owned()));
        for (with, renews) in [(&with, false), (&asked, true)] {
            let token = with.tokens().expect("tokens").current().expect("a token");
            assert_eq!((token.reveal(), with.renews_tokens()), ("s3cret", renews));
            assert!(!format!("{with:?} {with} {token:?}").contains("s3cret"), "{with:?}");
        }
        let none = endpoint.clone().with_tokens(|| Err("the key server is away".to_owned()));
        let error = none.tokens().expect("tokens").current().expect_err("no token");
        assert_eq!(error.to_string(), "there is no token: the key server is away");
        for bad in ["", "two words", "a\r\nX: y", "schlüssel"] {
            let error = endpoint.clone().with_token(bad).expect_err("no token").to_string();
            assert!(bad.is_empty() || !error.contains(bad), "{error}");
        }
        for (url, exposed) in [
            ("ws://127.3.2.1:1", false),
            ("[::1]:1", false),
            ("localhost", false),
            ("https://push.example", false),
            ("http://push.example", true),
            ("192.0.2.1:80", true),
        ] {
            assert_eq!(url.parse::<Endpoint>().expect(url).is_exposed(), exposed, "{url}");
        }
    }

    #[test]
    fn a_user_and_a_password_are_refused_with_a_port_too() {
        // With a port they were accepted, not sent, and shown with the address.
        for text in ["ws://me:secret@host:8080", "ws://me@host:8080/ws", "https://me:@[::1]:1", "@host:1"] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert!(error.to_string().contains("ws://127.0.0.1:8080/ws"), "{error}");
        }
        // After the authority it is a character like any other.
        assert_eq!("a:1/x@y".parse::<Endpoint>().expect("an address").to_string(), "ws://a:1/x@y");
    }

    #[test]
    fn what_cannot_work_is_refused_with_an_example() {
        for text in ["", "ftp://a", "http://", "a b", "a:99999999", "ws://me@host", "ws://a/\u{1}"] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert!(error.to_string().contains("ws://127.0.0.1:8080/ws"), "{error}");
        }
        for text in ["http://h/channels/x", "h:1/channels/a%2Fb?last=1", "ws://h/push/channels/x", "http://h/channels"]
        {
            let error = text.parse::<Endpoint>().expect_err(text).to_string();
            assert!(error.contains("the address of a channel") && error.contains("ws://h"), "{error}");
            assert!(error.contains("/ws; the channel's name is an argument"), "{error}");
            assert_eq!(error.contains("ws://h/push/ws;"), text.contains("push"), "{error}");
        }
        let error = "http://h/echo".parse::<Endpoint>().expect_err("echo").to_string();
        assert!(error.contains("sends every message back") && error.ends_with("ws://h/ws"), "{error}");
        let error = "https://h/channels/x".parse::<Endpoint>().expect_err("a channel").to_string();
        assert!(error.contains("wss://h/ws;"), "{error}");
    }
}
