//! The bytes of the client's connection: a socket, with TLS on it where the address says so.

use super::endpoint::Endpoint;
use super::error::ClientError;
use super::tls::{Session, shake};
use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// A connection that blocks, each time for at most its socket's timeout.
#[derive(Debug)]
pub(super) enum Stream {
    /// Not encrypted.
    Plain(TcpStream),
    /// Encrypted.
    Tls(Box<Session>),
}

impl Stream {
    /// Connects to the endpoint, and begins TLS if its address says so.
    pub(super) fn connect(endpoint: &Endpoint, wait: Duration) -> Result<Stream, ClientError> {
        let socket = endpoint.connect(wait)?;
        // Before TLS, whose handshake reads from and writes to this socket.
        prepare(&socket, wait).map_err(|error| ClientError::Lost(error.to_string()))?;
        Ok(match endpoint.trust() {
            None => Stream::Plain(socket),
            Some(trust) => Stream::Tls(Box::new(shake(endpoint.host(), &endpoint.address(), trust, socket)?)),
        })
    }

    /// How long a read waits.
    pub(super) fn set_read_timeout(&self, wait: Duration) -> io::Result<()> {
        let socket = match self {
            Stream::Plain(socket) => socket,
            Stream::Tls(session) => &session.sock,
        };
        socket.set_read_timeout(Some(wait))
    }

    /// Announces the end, so that the other side can tell it from a broken connection.
    pub(super) fn end(&mut self) -> io::Result<()> {
        if let Stream::Tls(session) = self {
            session.conn.send_close_notify();
        }
        self.flush()
    }
}

fn prepare(stream: &TcpStream, wait: Duration) -> io::Result<()> {
    // Requests are small, and one that follows another would wait for an acknowledgement (Nagle's algorithm).
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(wait))?;
    stream.set_write_timeout(Some(wait))
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(session) => session.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(session) => session.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(session) => session.flush(),
        }
    }
}
