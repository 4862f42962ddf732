//! `[[listener]]`: where a server listens, by an address or by the path of a unix socket, and what it serves there.

use super::networks::written;
use super::text::quoted;
use crate::model::network::Network;
use crate::model::redirect::Redirect;
use crate::model::serves::Serves;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Bytes of a unix socket's path, as the kernel has them, less the zero at its end.
const PATH_BYTES_MAX: usize = 107;
/// The default mode of a unix socket: for its owner alone.
pub(super) const MODE: u32 = 0o600;

/// Where to listen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListenAt {
    /// An address with its port; port 0 takes a free one.
    Address(SocketAddr),
    /// A unix socket.
    Path {
        /// The path of its file.
        path: PathBuf,
        /// The permissions of its file: users that may write to it may connect.
        mode: u32,
    },
}

impl ListenAt {
    /// The address, if it is one.
    #[must_use]
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            ListenAt::Address(address) => Some(*address),
            ListenAt::Path { .. } => None,
        }
    }

    /// Whether both are the same address or path, whatever the mode of its file.
    #[must_use]
    pub fn is_same_place(&self, other: &ListenAt) -> bool {
        match (self, other) {
            (ListenAt::Address(own), ListenAt::Address(other)) => own == other,
            (ListenAt::Path { path: own, .. }, ListenAt::Path { path: other, .. }) => own == other,
            _ => false,
        }
    }
}

impl fmt::Display for ListenAt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ListenAt::Address(address) => write!(f, "{address}"),
            ListenAt::Path { path, .. } => write!(f, "unix:{}", path.display()),
        }
    }
}

/// One `[[listener]]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenerConfig {
    /// Where.
    pub at: ListenAt,
    /// What.
    pub serves: Serves,
    /// The proxies that may say where their clients are, in X-Forwarded-For and Forwarded or in a PROXY header; none by default.
    pub trusted_proxies: Vec<Network>,
    /// Whether each connection begins with a PROXY header, version 1 or 2, of one of those proxies.
    pub proxy_protocol: bool,
    /// Whether TLS is spoken there.
    pub tls: bool,
    /// Where every request but those of health checks is sent instead: `https` for the host that it asked for, or an origin such
    /// as `https://push.example.com`. Such a listener serves health checks alone.
    pub redirect: Option<String>,
    /// What a service manager calls the socket that it passes for this listener; empty for one that is bound here.
    pub name: String,
}

impl ListenerConfig {
    /// A listener before which no proxy is trusted.
    #[must_use]
    pub fn new(at: ListenAt, serves: Serves) -> ListenerConfig {
        ListenerConfig {
            at,
            serves,
            trusted_proxies: Vec::new(),
            proxy_protocol: false,
            tls: false,
            redirect: None,
            name: String::new(),
        }
    }

    /// Whether it is bound to an address that other machines can reach.
    pub(super) fn is_open_to_networks(&self) -> Option<SocketAddr> {
        // Canonical, since `::ffff:127.0.0.1` is loopback too.
        self.at.address().filter(|address| !address.ip().to_canonical().is_loopback())
    }

    /// What is wrong with it by itself.
    pub(super) fn problem(&self) -> Option<String> {
        self.place_problem().or_else(|| self.proxy_problem()).or_else(|| self.redirect_problem())
    }

    fn redirect_problem(&self) -> Option<String> {
        let to = self.redirect.as_ref()?;
        if self.tls {
            return Some(
                "a listener that redirects to https:// speaks no TLS itself: leave \"tls\" out of it".to_owned(),
            );
        }
        Redirect::parse(to).is_none().then(|| {
            format!(
                "redirect = {} is neither \"https\" nor an origin such as \"https://push.example.com:8443\"",
                quoted(to)
            )
        })
    }

    /// A PROXY header says who its client is, so it is believed of no one, or of no one that can come.
    fn proxy_problem(&self) -> Option<String> {
        let is_unix = self.at.address().is_none();
        let can_come = |network: &Network| matches!(network, Network::Unix) == is_unix;
        if !self.proxy_protocol || self.trusted_proxies.iter().any(can_come) {
            return None;
        }
        let example = if is_unix { "\"unix\"" } else { "\"10.0.0.2\"" };
        Some(format!(
            "with proxy_protocol the trusted_proxies must name the proxies whose PROXY headers are taken, such as \
             trusted_proxies = [{example}]; of other peers every connection would be refused"
        ))
    }

    fn place_problem(&self) -> Option<String> {
        let both = self.serves.clients() && self.serves.operators();
        match &self.at {
            // A unix socket may serve both: the mode of its file says who reaches it.
            ListenAt::Address(address) if both => Some(format!(
                "{address} serves clients and operators, which would make every client an operator; give operators a \
                 listener of their own, or a unix socket"
            )),
            ListenAt::Path { path, .. } => {
                let bytes = path.as_os_str().as_encoded_bytes();
                let fits = (1..=PATH_BYTES_MAX).contains(&bytes.len()) && !bytes.contains(&0);
                (!fits).then(|| format!("the path of a unix socket has 1 to {PATH_BYTES_MAX} bytes, none of them zero"))
            }
            ListenAt::Address(_) => None,
        }
    }

    /// As it stands in a file.
    pub(super) fn write(&self) -> String {
        let words: Vec<String> = self.serves.as_words().map(quoted).collect();
        let at = match &self.at {
            ListenAt::Address(address) => format!("address = \"{address}\""),
            ListenAt::Path { path, mode } => {
                format!("path = {}\nmode = \"{mode:04o}\"", quoted(&path.to_string_lossy()))
            }
        };
        let trusted = match &self.trusted_proxies[..] {
            [] => String::new(),
            trusted => format!("trusted_proxies = {}\n", written(trusted)),
        };
        let announced = if self.proxy_protocol { "proxy_protocol = true\n" } else { "" };
        let tls = if self.tls { "tls = true\n" } else { "" };
        let name = if self.name.is_empty() { String::new() } else { format!("name = {}\n", quoted(&self.name)) };
        let what = match &self.redirect {
            Some(to) => format!("redirect = {}\n", quoted(to)),
            None => format!("serves = [{}]\n", words.join(", ")),
        };
        format!("[[listener]]\n{at}\n{what}{trusted}{announced}{tls}{name}")
    }
}

impl ListenerConfig {
    /// Whether they exclude each other.
    pub(super) fn takes_the_place_of(&self, other: &ListenerConfig) -> bool {
        // Port 0 is another port each time.
        self.at.is_same_place(&other.at) && self.at.address().is_none_or(|address| address.port() != 0)
    }
}
