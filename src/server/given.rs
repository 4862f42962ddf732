//! Sockets that listen already when the server starts: opened by a service manager and passed on.

use super::StartError;
use crate::config::{Config, ListenAt, ListenerConfig};
use crate::reactor::Listening;
use std::net::{SocketAddr, TcpListener};
use std::os::unix::net::UnixListener;

/// A socket that is passed to a server that starts. The listener that it is for is found by its name, or by where it listens.
pub struct GivenSocket {
    name: String,
    at: ListenAt,
    socket: Listening,
}

impl GivenSocket {
    /// One that listens at an address. A name says which `[[listener]]` it is for; it may be that of none.
    ///
    /// # Errors
    /// It does not listen.
    pub fn tcp(name: &str, socket: TcpListener) -> std::io::Result<GivenSocket> {
        let at = ListenAt::Address(socket.local_addr()?);
        let socket = Listening::Tcp(socket);
        socket.adopt()?;
        Ok(GivenSocket { name: name.to_owned(), at, socket })
    }

    /// One that listens at a path. Its file is left to whoever has opened it.
    ///
    /// # Errors
    /// It does not listen, or has no path.
    pub fn unix(name: &str, socket: UnixListener) -> std::io::Result<GivenSocket> {
        let address = socket.local_addr()?;
        let Some(path) = address.as_pathname().map(ToOwned::to_owned) else {
            return Err(std::io::Error::other("it is a unix socket without a path"));
        };
        let socket = Listening::Unix(socket);
        socket.adopt()?;
        Ok(GivenSocket { name: name.to_owned(), at: ListenAt::Path { path, mode: 0 }, socket })
    }

    fn is_for(&self, listener: &ListenerConfig) -> bool {
        let is_there = match (&self.at, &listener.at) {
            (ListenAt::Address(own), ListenAt::Address(wanted)) => is_same(*own, *wanted),
            (ListenAt::Path { path: own, .. }, ListenAt::Path { path: wanted, .. }) => own == wanted,
            _ => return false,
        };
        is_there || (!listener.name.is_empty() && listener.name == self.name)
    }
}

/// Whether a socket that listens at an address is that of a listener: all addresses of IPv6 are all of IPv4 too.
fn is_same(own: SocketAddr, wanted: SocketAddr) -> bool {
    own == wanted || (own.port() == wanted.port() && own.ip().is_unspecified() && wanted.ip().is_unspecified())
}

/// All that was given and that no listener has taken yet.
pub(super) struct Given(Vec<GivenSocket>);

impl Given {
    /// All of them.
    ///
    /// # Errors
    /// One is for no listener of the configuration.
    pub(super) fn new(sockets: Vec<GivenSocket>, config: &Config) -> Result<Given, StartError> {
        let listeners = config.all_listeners();
        match sockets.iter().find(|socket| !listeners.iter().any(|listener| socket.is_for(listener))) {
            Some(GivenSocket { name, at, .. }) => Err(StartError::Given { name: name.clone(), at: at.to_string() }),
            None => Ok(Given(sockets)),
        }
    }

    /// Those of a listener, and where they really listen; `None` when it has none and is to be bound.
    pub(super) fn take(&mut self, listener: &ListenerConfig) -> Option<(ListenAt, Vec<Listening>)> {
        let (own, others): (Vec<_>, Vec<_>) = self.0.drain(..).partition(|socket| socket.is_for(listener));
        self.0 = others;
        let at = match (own.first()?.at.clone(), &listener.at) {
            // The mode that was configured.
            (ListenAt::Path { .. }, configured) => configured.clone(),
            (at, _) => at,
        };
        Some((at, own.into_iter().map(|socket| socket.socket).collect()))
    }
}
