//! Binds every listener of a configuration, and removes the files of unix sockets in the end.

use super::StartError;
use super::given::{Given, GivenSocket};
use crate::config::{Config, ListenAt, ListenerConfig};
use crate::reactor::{Listening, is_listened_to, listen, listen_unix, probe};
use std::fs;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// A listener that is bound, with a socket for each reactor.
pub(super) struct Bound {
    /// As it was configured, with the port that was really taken.
    pub(super) listener: ListenerConfig,
    pub(super) sockets: Vec<Listening>,
    pub(super) file: Option<HeldSocket>,
}

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
        Some((at, sockets)) => share_out(ListenerConfig { at, ..listener.clone() }, &sockets, reactors),
        None => bind_listener(listener, &place),
    };
    listeners.iter().map(one).collect()
}

/// Gives each reactor one of the sockets of a listener, or a share in one.
fn share_out(
    listener: ListenerConfig,
    sockets: &[Listening],
    reactors: usize,
) -> std::result::Result<Bound, StartError> {
    if sockets.len() > reactors {
        let at = listener.at.to_string();
        return Err(StartError::TooManyGiven { at, count: sockets.len(), reactors });
    }
    let shares = (0..reactors).map(|reactor| sockets[reactor % sockets.len()].try_clone());
    Ok(Bound { listener, sockets: shares.collect::<Result<_>>()?, file: None })
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
            let clones = (1..place.reactors).map(|_| socket.try_clone()).collect::<Result<Vec<_>>>().map_err(failed)?;
            let sockets = std::iter::once(socket).chain(clones).collect();
            Ok(Bound { listener: listener.clone(), sockets, file: Some(file) })
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
    let file = fs::symlink_metadata(path)?;
    let held = HeldSocket { path: path.to_owned(), device: file.dev(), inode: file.ino() };
    Ok((Listening::Unix(socket), held))
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

/// The file of a unix socket, which is removed when this is dropped.
pub(super) struct HeldSocket {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl HeldSocket {
    /// Removes the file. If another server has put its own socket there since, that stays.
    pub(super) fn remove(&self) {
        let ours = |file: fs::Metadata| (file.dev(), file.ino()) == (self.device, self.inode);
        // By device and inode, since the path alone does not say whose socket it is.
        if fs::symlink_metadata(&self.path).is_ok_and(ours) {
            // A failure is ignored: the next server removes the file.
            let _ = fs::remove_file(&self.path);
        }
    }
}

impl Drop for HeldSocket {
    fn drop(&mut self) {
        self.remove();
    }
}
