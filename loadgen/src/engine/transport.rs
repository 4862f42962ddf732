//! The bytes of one connection: a socket, with TLS in between where the target wants it.

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, Stream};
use socket2::{Domain, Protocol, SockAddr, SockRef, Socket, Type};
use std::io::{self, Read, Write};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

/// One connection's way to the server.
#[derive(Debug)]
pub(super) enum Transport {
    /// As it is.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<Tls>),
}

/// A socket and the session on it.
#[derive(Debug)]
pub(super) struct Tls {
    socket: TcpStream,
    session: ClientConnection,
}

/// What TLS connections are made with.
pub(super) type TlsConfig = Option<(Arc<ClientConfig>, ServerName<'static>)>;

impl Transport {
    /// Begins to connect. `receive_buffer` makes a reader's slowness felt at once.
    pub(super) fn connect(
        to: SocketAddr,
        from: Option<IpAddr>,
        receive_buffer: Option<usize>,
        tls: &TlsConfig,
    ) -> io::Result<Transport> {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        // An address of the other family cannot be bound to this socket.
        if let Some(address) = from.filter(|address| address.is_ipv4() == to.is_ipv4()) {
            socket.bind(&SockAddr::from(SocketAddr::new(address, 0)))?;
        }
        match socket.connect(&SockAddr::from(to)) {
            Ok(()) => {}
            // EINPROGRESS has no name in the standard library.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock || error.raw_os_error() == Some(115) => {}
            Err(error) => return Err(error),
        }
        let stream = TcpStream::from_std(socket.into());
        Ok(match tls {
            None => Transport::Plain(stream),
            Some((config, name)) => {
                let session = ClientConnection::new(Arc::clone(config), name.clone()).map_err(io::Error::other)?;
                Transport::Tls(Box::new(Tls { socket: stream, session }))
            }
        })
    }

    /// The error with which connecting failed, if it did.
    pub(super) fn connected(&self) -> io::Result<()> {
        self.socket().take_error()?.map_or(Ok(()), Err)
    }

    /// Whether there is encrypted data that the socket has not taken.
    pub(super) fn owes(&self) -> bool {
        matches!(self, Transport::Tls(tls) if tls.session.wants_write())
    }

    /// From now on nothing is sent but a reset when this is dropped.
    pub(super) fn reset_on_drop(&self) {
        // On a socket that is gone already there is nothing to reset.
        let _ = SockRef::from(self.socket()).set_linger(Some(Duration::ZERO));
    }

    /// The kernel's part of it.
    pub(super) fn socket(&self) -> &TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => &tls.socket,
        }
    }

    fn socket_mut(&mut self) -> &mut TcpStream {
        match self {
            Transport::Plain(socket) => socket,
            Transport::Tls(tls) => &mut tls.socket,
        }
    }
}

impl Read for Transport {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.read(buffer),
            Transport::Tls(tls) => Stream::new(&mut tls.session, &mut tls.socket).read(buffer),
        }
    }
}

impl Write for Transport {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Transport::Plain(socket) => socket.write(bytes),
            Transport::Tls(tls) => Stream::new(&mut tls.session, &mut tls.socket).write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Transport::Plain(_) => Ok(()),
            Transport::Tls(tls) => Stream::new(&mut tls.session, &mut tls.socket).flush(),
        }
    }
}

impl Source for Transport {
    fn register(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket_mut().register(registry, token, interests)
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interests: Interest) -> io::Result<()> {
        self.socket_mut().reregister(registry, token, interests)
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.socket_mut().deregister(registry)
    }
}
