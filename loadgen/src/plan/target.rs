//! The address that is measured.

use serde::{Deserialize, Serialize};
use std::net::{SocketAddr, ToSocketAddrs};

/// Where connections go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Target {
    /// As the user wrote it.
    pub url: String,
    /// Whether TLS is spoken.
    pub tls: bool,
    /// The name or address, without brackets.
    pub host: String,
    /// The value of the field Host.
    pub authority: String,
    /// The path and query, when the user gave one.
    pub path: Option<String>,
    /// Where it is: connections take these in turn.
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
        let path = path.split('#').next().unwrap_or_default();
        let (host, port) = host_and_port(authority, tls).ok_or_else(|| BadTarget::Authority(url.to_owned()))?;
        let found = (host.as_str(), port).to_socket_addrs();
        let addresses: Vec<SocketAddr> =
            found.map_err(|error| BadTarget::Unknown(host.clone(), error.to_string()))?.collect();
        // A name that has both kinds of address is reached over the first kind: two would be two servers.
        let first = *addresses.first().ok_or_else(|| BadTarget::Unknown(host.clone(), "no address".to_owned()))?;
        let path = match path {
            "" | "/" => None,
            path if path.starts_with('/') => Some(path.to_owned()),
            query => Some(format!("/{query}")),
        };
        Ok(Target { url: url.to_owned(), tls, host, authority: authority.to_owned(), path, addresses: vec![first] })
    }

    /// Whether the server is on this machine.
    #[must_use]
    pub fn is_loopback(&self) -> bool {
        self.addresses.iter().all(|address| address.ip().is_loopback())
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
    (!host.is_empty() && !host.contains('@')).then(|| (host.to_owned(), port))
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
        assert_eq!(Target::parse("WS://127.0.0.1/").expect("a target").addresses[0].port(), 80);
        assert!(Target::parse("ws://127.8.7.6:1?q").expect("a target").is_loopback());
    }

    #[test]
    fn what_is_no_target_is_told_why() {
        for url in ["127.0.0.1:80", "ftp://127.0.0.1", ""] {
            assert!(matches!(Target::parse(url), Err(BadTarget::Scheme(_))), "{url}");
        }
        for url in
            ["ws://", "ws://:80", "ws://127.0.0.1:x", "ws://127.0.0.1:0", "ws://127.0.0.1:70000", "ws://me@127.0.0.1"]
        {
            assert!(matches!(Target::parse(url), Err(BadTarget::Authority(_))), "{url}");
        }
    }
}
