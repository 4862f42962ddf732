//! A client that sends exactly the bytes it is told, in exactly the pieces it is told.

use super::PATIENCE;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::time::Duration;

/// A bare connection with a buffer of what came.
pub(crate) struct RawClient {
    pub(crate) stream: TcpStream,
    pub(crate) received: Vec<u8>,
}

impl RawClient {
    pub(crate) fn connect(address: SocketAddr) -> RawClient {
        RawClient::on(TcpStream::connect(address).expect("the server accepts"))
    }

    /// The same on a socket that is connected already.
    pub(crate) fn on(stream: TcpStream) -> RawClient {
        stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_write_timeout(Some(PATIENCE)).expect("a time limit");
        stream.set_nodelay(true).expect("no delay");
        RawClient { stream, received: Vec::new() }
    }

    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.stream.write_all(bytes.as_ref()).expect("the server reads");
    }

    /// Sends `bytes` in pieces of at most `size`.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], size: usize) {
        for piece in bytes.chunks(size) {
            self.send(piece);
        }
    }

    pub(crate) fn end_output(&self) {
        self.stream.shutdown(Shutdown::Write).expect("a live socket");
    }

    /// Reads once; how many bytes came. 0 at the end of the stream or after a reset.
    pub(crate) fn read_more(&mut self) -> usize {
        let mut buffer = [0; 64 * 1024];
        let read = loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                outcome => break outcome,
            }
        };
        match read {
            Ok(read) => {
                self.received.extend_from_slice(&buffer[..read]);
                read
            }
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => panic!(
                "nothing came: {error} ({:?}); so far {:?}",
                error.kind(),
                String::from_utf8_lossy(&self.received)
            ),
        }
    }

    /// Reads until `needle` has come.
    pub(crate) fn read_until(&mut self, needle: &[u8]) {
        while !self.received.windows(needle.len()).any(|window| window == needle) {
            assert_ne!(
                self.read_more(),
                0,
                "the stream ended before {:?}; so far {:?}",
                String::from_utf8_lossy(needle),
                String::from_utf8_lossy(&self.received)
            );
        }
    }

    /// Reads to the end of the stream; everything that came.
    pub(crate) fn read_to_end(&mut self) -> &[u8] {
        while self.read_more() > 0 {}
        &self.received
    }

    /// Whether nothing comes for a while: for silence there is no signal to wait for.
    pub(crate) fn is_silent_for(&mut self, span: Duration) -> bool {
        self.stream.set_read_timeout(Some(span)).expect("a time limit");
        let mut buffer = [0; 1024];
        let silent = matches!(self.stream.read(&mut buffer), Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut));
        self.stream.set_read_timeout(Some(PATIENCE)).expect("a time limit");
        silent
    }
}
