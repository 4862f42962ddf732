//! Binds the listeners of a configuration, and shares their sockets out to the reactors.

use super::StartError;
use super::bound::{Bound, HeldSocket};
use super::given::{Given, GivenSocket};
use crate::config::{Config, ListenAt, ListenerConfig};
use crate::reactor::{Listening, is_listened_to, listen, listen_unix, probe};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::os::unix::fs::FileTypeExt as _;
use std::path::Path;

/// What is asked of a listener beside its own words.
pub(super) struct Place<'a> {
    /// The addresses of all listeners of the configuration.
    pub(super) all: &'a [SocketAddr],
    /// Those that this server listens on already.
    pub(super) own: &'a [SocketAddr],
    pub(super) reactors: usize,
    pub(super) deferring: bool,
}

/// Binds every listener once per reactor, or once for all of them where it is a unix socket.
///
/// Those that were given are taken as they are.
pub(super) fn bind_all(
    config: &Config,
    reactors: usize,
    given: Vec<GivenSocket>,
) -> std::result::Result<Vec<Bound>, StartError> {
    let mut given = Given::new(given, config)?;
    let listeners = config.all_listeners();
    let all: Vec<SocketAddr> = listeners.iter().filter_map(|listener| listener.at.address()).collect();
    let place = Place { all: &all, own: &[], reactors, deferring: config.server.defer_accept };
    // At the first failure the others are dropped, and with them the files of their sockets.
    let one = |listener: &ListenerConfig| match given.take(listener) {
        Some(bound) => Ok(bound),
        None => bind_listener(listener, &place),
    };
    listeners.iter().map(one).collect()
}

/// What each reactor accepts from: sockets of its own, or a share in one where there are fewer sockets than reactors.
pub(super) fn shares(sockets: &[Listening], reactors: usize) -> Result<Vec<Vec<Listening>>> {
    let own = |reactor: usize| {
        let is_own = |place: &usize| place % reactors == reactor || reactor % sockets.len() == *place;
        (0..sockets.len()).filter(is_own).map(|place| sockets[place].try_clone()).collect()
    };
    (0..reactors).map(own).collect()
}

/// Binds one of them.
///
/// # Errors
/// Its address or path cannot be listened on.
pub(super) fn bind_listener(listener: &ListenerConfig, place: &Place<'_>) -> std::result::Result<Bound, StartError> {
    match &listener.at {
        ListenAt::Address(address) => {
            let failed = |source| StartError::Listen { address: *address, source };
            let sockets = bind(*address, place).map_err(failed)?;
            let at = ListenAt::Address(sockets[0].local_addr().map_err(failed)?);
            let sockets = sockets.into_iter().map(Listening::Tcp).collect();
            Ok(Bound { listener: ListenerConfig { at, ..listener.clone() }, sockets, file: None })
        }
        ListenAt::Path { path, mode } => {
            let failed = |source| StartError::ListenAtPath { path: path.clone(), source };
            let (socket, file) = bind_path(path, *mode).map_err(failed)?;
            // A path cannot be bound twice, as a port can: all reactors accept from one socket.
            Ok(Bound { listener: listener.clone(), sockets: vec![socket], file: Some(file) })
        }
    }
}

/// Binds an address once per reactor. Port 0 is resolved by the first.
fn bind(address: SocketAddr, place: &Place<'_>) -> Result<Vec<std::net::TcpListener>> {
    // Linux lets an IPv6 wildcard take IPv4 too. Next to an IPv4 listener on the same port that would be a conflict.
    let beside = |other: &SocketAddr| other.is_ipv4() && other.port() == address.port() && address.port() != 0;
    let only_v6 = place.all.iter().any(beside);
    // One of our own on this port would be found, which shares it.
    let has_port = place.own.iter().any(|own| own.port() == address.port());
    if address.port() != 0 && !has_port {
        // With SO_REUSEPORT a second server would share the first one's connections: bind once without it to find out.
        probe(address, only_v6)?;
    }
    let first = listen(address, place.deferring, only_v6)?;
    let resolved = first.local_addr()?;
    let mut sockets = vec![first];
    for _ in 1..place.reactors {
        sockets.push(listen(resolved, place.deferring, only_v6)?);
    }
    Ok(sockets)
}

/// Binds a unix socket, in place of one that no process listens on any more.
fn bind_path(path: &Path, mode: u32) -> Result<(Listening, HeldSocket)> {
    make_room(path)?;
    let socket = listen_unix(path, mode)?;
    Ok((Listening::Unix(socket), HeldSocket::of(path)?))
}

/// Removes the socket that a killed server has left. A socket that a process listens on, and any other file, stays.
fn make_room(path: &Path) -> Result<()> {
    // Of a link itself: what it leads to may belong to another program.
    match fs::symlink_metadata(path) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(error),
        Ok(file) if !file.file_type().is_socket() => {
            return Err(Error::new(ErrorKind::AlreadyExists, "there is a file that is not a socket"));
        }
        Ok(_) => {}
    }
    // While it is not known whether a process listens, the socket stays.
    if is_listened_to(path)? {
        return Err(Error::new(ErrorKind::AddrInUse, "another process listens there"));
    }
    fs::remove_file(path)
}
