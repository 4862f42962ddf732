//! The address that is measured.

use crate::percent;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the user wrote it, but for a name and password.
    pub url: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or address, without brackets.
    pub host: String,
    /// The value of the field Host.
    pub authority: String,
    /// The path and query, when the user gave one.
    pub path: Option<String>,
    /// The value of the field Authorization, when the URL has a name and perhaps a password.
    pub authorization: Option<String>,
    /// Its addresses: the first at which a server listens is used.
    pub addresses: Vec<SocketAddr>,
}

/// Why a URL is no target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadTarget {
    /// Another scheme.
    #[error("`{0}` begins with none of ws://, wss://, http:// and https://")]
    Scheme(String),
    /// No host, or a port that is none.
    #[error("`{0}` has no host and port after its scheme: it should look like ws://127.0.0.1:8080/path")]
    Authority(String),
    /// Nobody knows the name.
    #[error("`{0}` cannot be resolved: {1}")]
    Unknown(String, String),
}

impl Target {
    /// Reads a URL and resolves its name.
    ///
    /// # Errors
    /// See [`BadTarget`].
    pub fn parse(url: &str) -> Result<Target, BadTarget> {
        let (scheme, rest) = url.split_once("://").ok_or_else(|| BadTarget::Scheme(url.to_owned()))?;
        let tls = match scheme.to_ascii_lowercase().as_str() {
            "ws" | "http" => false,
            "wss" | "https" => true,
            _ => return Err(BadTarget::Scheme(url.to_owned())),
        };
        let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
        let (authority, path) = rest.split_at(end);
        let (user, authority) = authority.rsplit_once('@').map_or((None, authority), |(user, rest)| (Some(user), rest));
        let path = path.split('#').next().unwrap_or_default();
        let (host, port) = host_and_port(authority, tls).ok_or_else(|| BadTarget::Authority(url.to_owned()))?;
        let found = (host.as_str(), port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| BadTarget::Unknown(host.clone(), error.to_string()))?.collect();
        if addresses.is_empty() {
            return Err(BadTarget::Unknown(host, "no address".to_owned()));
        }
        let path = match path {
            "" => None,
            path if path.starts_with('/') => Some(percent::path(path)),
            query => Some(percent::path(&format!("/{query}"))),
        };
        let authorization = user.map(basic);
        let authority = authority.to_owned();
        Ok(Target { url: without_secret(url), tls, host, authority, path, authorization, addresses })
    }

    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.addresses.iter().all(|address| address.ip().is_loopback())
    }
}

/// A name and password of a URL, as RFC 7617 has them.
fn basic(user: &str) -> String {
    let (name, password) = user.split_once(':').unwrap_or((user, ""));
    let both = [&percent::decoded(name)[..], b":", &percent::decoded(password)].concat();
    format!("Basic {}", BASE64.encode(&both))
}

/// A text without the name and password of the URL that it may be: results are shown to others.
#[must_use]
pub fn without_secret(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    match rest[..end].rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://***@{host}{}", &rest[end..]),
        None => text.to_owned(),
    }
}

fn host_and_port(authority: &str, tls: bool) -> Option<(String, u16)> {
    let default = if tls { 443 } else { 80 };
    let (host, port) = match authority.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (host, port.strip_prefix(':').or(port.is_empty().then_some("")))
        }
        None => match authority.rsplit_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (authority, Some("")),
        },
    };
    let port = match port? {
        "" => default,
        port => port.parse().ok().filter(|port| *port != 0)?,
    };
    (!host.is_empty()).then(|| (host.to_owned(), port))
}

#[cfg(test)]
mod tests {
    use super::{BadTarget, Target};

    #[test]
    fn urls_are_taken_apart() {
        let target = Target::parse("ws://127.0.0.1:8080/echo?x=1#y").expect("a target");
        assert_eq!(
            (target.path.as_deref(), target.tls, target.authority.as_str()),
            (Some("/echo?x=1"), false, "127.0.0.1:8080")
        );
        assert_eq!(target.addresses, ["127.0.0.1:8080".parse().expect("an address")]);
        let target = Target::parse("https://[::1]").expect("a target");
        assert_eq!((target.addresses[0].port(), target.tls, target.path), (443, true, None));
        let target = Target::parse("WS://127.0.0.1/").expect("a target");
        assert_eq!((target.addresses[0].port(), target.path.as_deref()), (80, Some("/")), "/ is a path");
        let target = Target::parse("ws://127.0.0.1/чат?a b").expect("a target");
        assert_eq!(target.path.as_deref(), Some("/%D1%87%D0%B0%D1%82?a%20b"));
        assert!(Target::parse("ws://127.8.7.6:1?q").expect("a target").is_loopback());
    }

    #[test]
    fn a_name_and_password_become_a_field_and_are_not_shown() {
        let target = Target::parse("http://me:p%40:ss@127.0.0.1:81/x@y").expect("a target");
        assert_eq!((target.authority.as_str(), target.path.as_deref()), ("127.0.0.1:81", Some("/x@y")));
        assert_eq!(target.authorization.as_deref(), Some("Basic bWU6cEA6c3M="), "me:p@:ss");
        assert_eq!(target.url, "http://***@127.0.0.1:81/x@y");
        assert_eq!(Target::parse("ws://me@127.0.0.1").expect("a target").authorization.as_deref(), Some("Basic bWU6"));
        assert_eq!(Target::parse("ws://127.0.0.1/a@b").expect("a target").authorization, None);
    }

    #[test]
    fn every_address_of_a_name_is_known() {
        let target = Target::parse("ws://localhost:81").expect("a target");
        assert!(target.is_loopback() && !target.addresses.is_empty());
    }

    #[test]
    fn what_is_no_target_is_told_why() {
        for url in ["127.0.0.1:80", "ftp://127.0.0.1", ""] {
            assert!(matches!(Target::parse(url), Err(BadTarget::Scheme(_))), "{url}");
        }
        for url in ["ws://", "ws://:80", "ws://127.0.0.1:x", "ws://127.0.0.1:0", "ws://127.0.0.1:70000", "ws://me@"] {
            assert!(matches!(Target::parse(url), Err(BadTarget::Authority(_))), "{url}");
        }
    }
}
