//! A connection's bytes: a TCP or unix socket, and TLS over it where that is asked for.

use crate::config::{RedisPlace, RedisTarget};
use crate::model::host_port::HostPort;
#[cfg(feature = "outbound")]
use crate::tls::Trust;
use std::io::{self, Read, Write};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::os::fd::{AsRawFd, RawFd};
use std::os::unix::net::UnixStream;
#[cfg(feature = "outbound")]
use std::sync::Arc;
use std::time::Duration;

/// See the module. It blocks until [`Stream::begin_polling`].
pub(super) struct Stream {
    socket: Socket,
    #[cfg(feature = "outbound")]
    tls: Option<Box<rustls::ClientConnection>>,
}

enum Socket {
    Tcp(TcpStream),
    Unix(UnixStream),
}

impl Stream {
    /// Connects; each step takes at most this time. Blocks.
    pub(super) fn connect(place: &RedisPlace, target: &RedisTarget, time: Duration) -> io::Result<Stream> {
        match place {
            RedisPlace::Unix(path) => Ok(Stream::plain(Socket::Unix(UnixStream::connect(path)?), time)?),
            RedisPlace::Tcp(HostPort { host, port }) => {
                let socket = connect_to(host, *port, time)?;
                let stream = Stream::plain(Socket::Tcp(socket), time)?;
                if target.tls { stream.secured(host, target) } else { Ok(stream) }
            }
        }
    }

    fn plain(socket: Socket, time: Duration) -> io::Result<Stream> {
        match &socket {
            Socket::Tcp(socket) => {
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(time))?;
                socket.set_write_timeout(Some(time))?;
            }
            Socket::Unix(socket) => {
                socket.set_read_timeout(Some(time))?;
                socket.set_write_timeout(Some(time))?;
            }
        }
        Ok(Stream {
            socket,
            #[cfg(feature = "outbound")]
            tls: None,
        })
    }

    #[cfg(feature = "outbound")]
    fn secured(mut self, host: &str, target: &RedisTarget) -> io::Result<Stream> {
        let name = rustls::pki_types::ServerName::try_from(host.to_owned())
            .map_err(|_| io::Error::new(io::ErrorKind::InvalidInput, format!("{host} is no name of a server")))?;
        let trust = target.ca_file.clone().map_or(Trust::System, Trust::File);
        let roots = crate::tls::roots(&trust).map_err(io::Error::other)?;
        let config = Arc::new(crate::tls::client_config(roots));
        let mut tls = rustls::ClientConnection::new(config, name).map_err(io::Error::other)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut self.socket)?;
        }
        self.tls = Some(Box::new(tls));
        Ok(self)
    }

    #[cfg(not(feature = "outbound"))]
    fn secured(self, _: &str, _: &RedisTarget) -> io::Result<Stream> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "this program was built without the feature \"outbound\""))
    }

    /// From now on it blocks no more.
    pub(super) fn begin_polling(&self) -> io::Result<()> {
        match &self.socket {
            Socket::Tcp(socket) => socket.set_nonblocking(true),
            Socket::Unix(socket) => socket.set_nonblocking(true),
        }
    }
}

/// Tries every address that a name has.
fn connect_to(host: &str, port: u16, time: Duration) -> io::Result<TcpStream> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
    for address in (host, port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, time) {
            Ok(socket) => return Ok(socket),
            Err(error) => last = error,
        }
    }
    Err(last)
}

impl AsRawFd for Stream {
    fn as_raw_fd(&self) -> RawFd {
        match &self.socket {
            Socket::Tcp(socket) => socket.as_raw_fd(),
            Socket::Unix(socket) => socket.as_raw_fd(),
        }
    }
}

impl Read for Socket {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.read(buffer),
            Socket::Unix(socket) => socket.read(buffer),
        }
    }
}

impl Write for Socket {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Socket::Tcp(socket) => socket.write(bytes),
            Socket::Unix(socket) => socket.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        #[cfg(feature = "outbound")]
        if let Some(tls) = &mut self.tls {
            loop {
                match tls.reader().read(buffer) {
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                    done => return done,
                }
                if tls.read_tls(&mut self.socket)? == 0 {
                    return Ok(0);
                }
                tls.process_new_packets().map_err(io::Error::other)?;
            }
        }
        self.socket.read(buffer)
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        #[cfg(feature = "outbound")]
        if self.tls.is_some() {
            // What it holds already goes first, so that it never holds more than one piece.
            self.flush()?;
            let taken = self.tls.as_mut().map_or(Ok(0), |tls| tls.writer().write(bytes))?;
            return match self.flush() {
                Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
                _ => Ok(taken),
            };
        }
        self.socket.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        #[cfg(feature = "outbound")]
        if let Some(tls) = &mut self.tls {
            while tls.wants_write() {
                tls.write_tls(&mut self.socket)?;
            }
        }
        Ok(())
    }
}
