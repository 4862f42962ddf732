//! Where a server is: what people type as its address, and the connection to it.

use super::error::ClientError;
use std::fmt;
use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::str::FromStr;
use std::time::Duration;
use tungstenite::http::Uri;
use tungstenite::http::uri::Authority;

/// The address of a server: `ws://host:port/path`, `http://host:port`, or `host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoint {
    authority: Authority,
    path: String,
}

impl Endpoint {
    /// The host and port to connect to.
    #[must_use]
    pub fn address(&self) -> String {
        format!("{}:{}", self.authority.host(), self.authority.port_u16().unwrap_or(80))
    }

    /// The address as the handshake needs it.
    pub(super) fn uri(&self) -> Uri {
        let parts = Uri::builder().scheme("ws").authority(self.authority.clone()).path_and_query(self.path.as_str());
        parts.build().expect("each part was checked when the endpoint was read")
    }

    /// Connects to the first of the host's addresses that answers.
    pub(super) fn connect(&self, wait: Duration) -> Result<TcpStream, ClientError> {
        let unreachable = |source| ClientError::Unreachable { address: self.address(), source };
        let mut last = io::Error::new(io::ErrorKind::NotFound, "the name has no address");
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
        match scheme {
            "ws" | "http" => {}
            "wss" | "https" => {
                return Err(ClientError::BadUrl(format!(
                    "{text}: this client speaks no TLS; give the address behind the TLS proxy, as ws:// or http://"
                )));
            }
            _ => return Err(bad(text)),
        }
        let split = rest.find(['/', '?']).unwrap_or(rest.len());
        let authority: Authority = rest[..split].parse().map_err(|_| bad(text))?;
        let whole = authority.port_u16().is_some() || authority.as_str() == authority.host();
        if authority.host().is_empty() || !whole {
            return Err(bad(text));
        }
        let path = if rest[split..].is_empty() || &rest[split..] == "/" { "/ws" } else { &rest[split..] };
        let endpoint = Endpoint { authority, path: path.to_owned() };
        let parts = Uri::builder().scheme("ws").authority(endpoint.authority.clone()).path_and_query(path);
        parts.build().map_err(|_| bad(text))?;
        Ok(endpoint)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ws://{}{}", self.authority, self.path)
    }
}

fn bad(text: &str) -> ClientError {
    ClientError::BadUrl(format!("{text:?} is no address of a server; it looks like ws://127.0.0.1:8080/ws"))
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
        ] {
            let endpoint: Endpoint = text.parse().expect(text);
            assert_eq!(endpoint.to_string(), expected);
            assert_eq!(endpoint.uri().to_string(), expected);
        }
        assert_eq!("a".parse::<Endpoint>().expect("a host").address(), "a:80");
    }

    #[test]
    fn what_cannot_work_is_refused_with_an_example() {
        for text in ["", "ftp://a", "http://", "a b", "a:99999999", "ws://me@host", "ws://a/\u{1}"] {
            let error = text.parse::<Endpoint>().expect_err(text);
            assert!(error.to_string().contains("ws://127.0.0.1:8080/ws"), "{error}");
        }
        let error = "https://a".parse::<Endpoint>().expect_err("TLS");
        assert!(error.to_string().contains("no TLS"), "{error}");
    }
}
