//! Listening sockets: one per reactor and address, sharing the port, or one unix socket that all reactors accept from; with
//! everything that accepted sockets inherit.

use super::reserve::Reserve;
use crate::access::AccessPolicy;
use crate::model::peer_address::PeerAddress;
use crate::protocol::routes::Routes;
use crate::tls::session::Acceptor;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use nix::libc;
use nix::sys::socket::setsockopt;
use nix::sys::socket::sockopt::SetUsize;
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, TcpKeepalive, Type};
use std::fs::Permissions;
use std::io::{Error, ErrorKind, Result};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::time::Duration;

/// Connections that may wait to be accepted; the kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// Silence after which the kernel probes a peer.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(60);
/// How long sent bytes may stay unacknowledged before the kernel gives the peer up.
const USER_TIMEOUT: Duration = Duration::from_secs(30);
/// How long to wait before accepting again when no descriptor was free.
pub(super) const EXHAUSTED_RETRY: Duration = Duration::from_millis(100);

/// How long a new connection that sends nothing stays with the kernel, in seconds.
const DEFERRED_S: usize = 1;

/// `TCP_DEFER_ACCEPT`: a listening socket reports a connection when its first bytes have come, or after this many seconds.
#[derive(Clone, Copy)]
struct DeferAccept;

nix::setsockopt_impl!(DeferAccept, libc::IPPROTO_TCP, libc::TCP_DEFER_ACCEPT, usize, SetUsize);

/// Opens a listening socket that shares its port with the other reactors'. Accepted sockets inherit its options. With
/// `deferring`, connections are accepted with their first bytes: one event instead of two, and CPU per handshake 0.75 of what
/// it is without. With `only_v6`, an IPv6 socket takes no IPv4 connections.
///
/// # Errors
/// The address is in use by another process, is not one of this machine's, or needs rights.
pub fn listen(address: SocketAddr, deferring: bool, only_v6: bool) -> Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.nonblocking().cloexec(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    inherited(&SockRef::from(&socket))?;
    if deferring && let Err(error) = setsockopt(&socket, DeferAccept, &DEFERRED_S) {
        // Without it a handshake costs more CPU, and everything else is the same.
        log::info!(event = "no_deferring"; "this kernel does not defer connections: {error}");
    }
    socket.bind(&SockAddr::from(address))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Sets what sockets that are accepted inherit.
fn inherited(socket: &SockRef<'_>) -> Result<()> {
    socket.set_tcp_nodelay(true)?;
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(Duration::from_secs(10)).with_retries(3);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(USER_TIMEOUT))
}

/// Finds out whether another process listens on an address: our own sockets share their port, and would share it with that
/// process's too.
///
/// # Errors
/// The address is in use, is not one of this machine's, or needs rights.
pub fn probe(address: SocketAddr, only_v6: bool) -> Result<()> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM.cloexec(), Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(only_v6)?;
    }
    // Without SO_REUSEPORT, so that a socket that listens here makes the bind fail; with SO_REUSEADDR, so that
    // connections which linger in TIME_WAIT do not.
    socket.set_reuse_address(true)?;
    socket.bind(&SockAddr::from(address))
}

/// Opens a unix socket whose file has these permissions: no client can connect before it has them.
///
/// # Errors
/// The path is taken, its folder is not there, or needs rights.
pub fn listen_unix(path: &Path, mode: u32) -> Result<UnixListener> {
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    socket.bind(&SockAddr::unix(path)?)?;
    std::fs::set_permissions(path, Permissions::from_mode(mode))?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Whether a process listens at a unix socket's path; false when its file is left of one that is gone.
///
/// # Errors
/// It cannot be known, for example because the mode keeps us out.
pub fn is_listened_to(path: &Path) -> Result<bool> {
    // Not blocking: at a process that is stopped, or that is busy, the queue may be full, and connecting would wait.
    let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking().cloexec(), None)?;
    match socket.connect(&SockAddr::unix(path)?) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(true),
        Err(error) if error.kind() == ErrorKind::ConnectionRefused => Ok(false),
        Err(error) => Err(error),
    }
}

/// A socket that listens.
pub enum Listening {
    /// At an address.
    Tcp(std::net::TcpListener),
    /// At a path.
    Unix(UnixListener),
}

impl Listening {
    /// Gives a socket that another process has opened the options of our own.
    ///
    /// # Errors
    /// It does not listen, or is none that can.
    pub fn adopt(&self) -> Result<()> {
        let socket = match self {
            Listening::Tcp(socket) => SockRef::from(socket),
            Listening::Unix(socket) => SockRef::from(socket),
        };
        if !socket.is_listener()? {
            return Err(Error::other("it does not listen"));
        }
        socket.set_nonblocking(true)?;
        if let Listening::Tcp(_) = self {
            inherited(&socket)?;
        }
        Ok(())
    }

    /// The same socket once more: a connection goes to whichever accepts it first.
    ///
    /// # Errors
    /// No descriptor is free.
    pub fn try_clone(&self) -> Result<Listening> {
        match self {
            Listening::Tcp(socket) => socket.try_clone().map(Listening::Tcp),
            Listening::Unix(socket) => socket.try_clone().map(Listening::Unix),
        }
    }
}

impl AsFd for Listening {
    fn as_fd(&self) -> BorrowedFd<'_> {
        match self {
            Listening::Tcp(socket) => socket.as_fd(),
            Listening::Unix(socket) => socket.as_fd(),
        }
    }
}

/// One of the places where a server listens, as a reactor has it. Connections know theirs by its number in the server's list.
pub struct Listener {
    /// What it accepts from; none where connections come in another way.
    pub sockets: Vec<Listening>,
    /// Law 10 for connections that come in here, and what is served to them.
    pub policy: AccessPolicy,
    /// What is where for them.
    pub routes: Routes,
    /// What TLS needs, where it is spoken.
    pub tls: Option<Acceptor>,
}

impl Listener {
    /// One whose connections come in another way than by a socket.
    #[must_use]
    pub fn without_socket(policy: AccessPolicy) -> Listener {
        Listener { sockets: Vec::new(), routes: Routes::new(policy.serves), policy, tls: None }
    }
}

/// A socket that connections are accepted from.
pub(super) enum Accepting {
    Tcp(mio::net::TcpListener),
    Unix(mio::net::UnixListener),
}

impl Accepting {
    pub(super) fn register(&mut self, registry: &Registry, token: Token) -> Result<()> {
        match self {
            Accepting::Tcp(socket) => registry.register(socket, token, Interest::READABLE),
            Accepting::Unix(socket) => registry.register(socket, token, Interest::READABLE),
        }
    }

    pub(super) fn deregister(&mut self, registry: &Registry) -> Result<()> {
        match self {
            Accepting::Tcp(socket) => registry.deregister(socket),
            Accepting::Unix(socket) => registry.deregister(socket),
        }
    }

    /// The next connection, and where it comes from.
    pub(super) fn accept(&self) -> Result<(TcpStream, PeerAddress)> {
        match self {
            Accepting::Tcp(socket) => socket.accept().map(|(stream, peer)| (stream, peer.ip().into())),
            // A stream is read, written, ended and registered in the same way, whatever its family.
            Accepting::Unix(socket) => {
                socket.accept().map(|(stream, _)| (OwnedFd::from(stream).into(), PeerAddress::UNIX))
            }
        }
    }
}

impl From<Listening> for Accepting {
    fn from(socket: Listening) -> Accepting {
        match socket {
            Listening::Tcp(socket) => Accepting::Tcp(mio::net::TcpListener::from_std(socket)),
            Listening::Unix(socket) => Accepting::Unix(mio::net::UnixListener::from_std(socket)),
        }
    }
}

/// One listening socket of a reactor.
pub(super) struct Door {
    pub(super) socket: Accepting,
    /// By which the kernel names it.
    pub(super) token: Token,
    /// Which of the server's listeners it is.
    pub(super) listener: u8,
    /// Whether connections may be waiting.
    pub(super) ready: bool,
}

/// What one accept came to.
pub(super) enum Accepted {
    /// A connection, and where it comes from.
    Connection(TcpStream, PeerAddress),
    /// None is waiting.
    Empty,
    /// It went away while it waited; there may be more.
    Gone,
    /// No descriptor is free: try again after [`EXHAUSTED_RETRY`].
    Exhausted(Error),
}

impl Door {
    pub(super) fn accept(&mut self, reserve: &mut Reserve, leaving: bool) -> Accepted {
        match self.socket.accept() {
            Ok((stream, peer)) => Accepted::Connection(stream, peer),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Accepted::Empty,
            Err(error) if is_exhausted(&error) => {
                reserve.turn_some_away(|| self.socket.accept().map(|(stream, _)| stream), leaving);
                Accepted::Exhausted(error)
            }
            // accept(2) also passes on errors of the connection itself.
            Err(_) => Accepted::Gone,
        }
    }
}

/// EMFILE, ENFILE, ENOBUFS, ENOMEM: the process or the machine has run out.
fn is_exhausted(error: &Error) -> bool {
    matches!(error.raw_os_error(), Some(24 | 23 | 105 | 12))
}

#[cfg(test)]
mod tests {
    use super::{USER_TIMEOUT, is_listened_to, listen};
    use socket2::{Domain, SockAddr, SockRef, Socket, Type};
    use std::io::{ErrorKind, Write};
    use std::net::TcpStream;
    use std::sync::mpsc::channel;
    use std::time::{Duration, Instant};

    /// The next server would have waited for the process that does not accept.
    #[test]
    fn a_unix_socket_whose_queue_is_full_is_listened_to() {
        let path = std::env::temp_dir().join(format!("tidings-{}-queue", std::process::id()));
        drop(std::fs::remove_file(&path));
        let (answers, answer) = channel();
        let listener = Socket::new(Domain::UNIX, Type::STREAM, None).expect("a socket");
        let address = SockAddr::unix(&path).expect("a path");
        listener.bind(&address).expect("bound");
        listener.listen(0).expect("it listens");
        let mut queue = Vec::new();
        loop {
            let socket = Socket::new(Domain::UNIX, Type::STREAM.nonblocking(), None).expect("a socket");
            match socket.connect(&address) {
                Ok(()) => queue.push(socket),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let asked = path.clone();
        std::thread::spawn(move || answers.send(is_listened_to(&asked).expect("it is known")));
        assert_eq!(answer.recv_timeout(Duration::from_secs(5)), Ok(true), "it does not wait");
        drop((listener, queue));
        assert!(!is_listened_to(&path).expect("it is known"), "its process is gone");
        std::fs::remove_file(&path).expect("it was left");
        assert_eq!(is_listened_to(&path).expect_err("there is none").kind(), ErrorKind::NotFound);
    }

    /// Accepts what comes to `listener` within five seconds: the peer's port, and after how long.
    fn next(listener: &std::net::TcpListener, began: Instant) -> (u16, Duration) {
        while began.elapsed() < Duration::from_secs(5) {
            match listener.accept() {
                Ok((_, peer)) => return (peer.port(), began.elapsed()),
                Err(error) if error.kind() == ErrorKind::WouldBlock => std::thread::sleep(Duration::from_millis(1)),
                Err(error) => panic!("it cannot accept: {error}"),
            }
        }
        panic!("no connection came");
    }

    #[test]
    fn clients_that_send_are_accepted_at_once_and_silent_ones_a_second_later_when_deferred() {
        for deferring in [true, false] {
            let listener = listen("127.0.0.1:0".parse().expect("an address"), deferring, false).expect("a free port");
            let address = listener.local_addr().expect("an address");
            let began = Instant::now();
            let [silent, mut speaking] = [(); 2].map(|()| TcpStream::connect(address).expect("it listens"));
            let [first, second] = [&silent, &speaking].map(|stream| stream.local_addr().expect("an address").port());
            speaking.write_all(b"GET").expect("it is open");
            if deferring {
                assert_eq!(next(&listener, began).0, second);
                let (port, waited) = next(&listener, began);
                assert_eq!(port, first);
                assert!(waited >= Duration::from_millis(900), "{waited:?}");
            } else {
                assert_eq!((next(&listener, began).0, next(&listener, began).0), (first, second));
            }
        }
    }

    #[test]
    fn accepted_sockets_inherit_the_options_of_their_listener() {
        let listener = listen("127.0.0.1:0".parse().expect("an address"), false, false).expect("a free port");
        let client = TcpStream::connect(listener.local_addr().expect("an address")).expect("it listens");
        listener.set_nonblocking(false).expect("a live socket");
        let (accepted, _) = listener.accept().expect("the client waits");
        let socket = SockRef::from(&accepted);
        assert!(socket.tcp_nodelay().expect("an option"));
        assert!(socket.keepalive().expect("an option"));
        assert_eq!(socket.tcp_user_timeout().expect("an option"), Some(USER_TIMEOUT));
        assert!(!SockRef::from(&client).tcp_nodelay().expect("an option"), "the default would not have it");
    }
}
