//! A connection's two byte streams in memory, with everything that a kernel may do to them.

use crate::reactor::entry::Socket;
use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::{Error, ErrorKind, Read, Result, Write};
use std::rc::Rc;

/// Both ends' view of one connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    /// What the client sent and the server has not read.
    pub(super) to_server: VecDeque<u8>,
    /// The client sends no more.
    pub(super) client_ended: bool,
    /// The connection was reset by the client.
    pub(super) reset: bool,
    /// What the server wrote and the client has not read.
    pub(super) to_client: VecDeque<u8>,
    /// The server sends no more.
    pub(super) server_ended: bool,
    /// The server closed its socket.
    pub(super) dropped: bool,
    /// Bytes that the kernel holds for a client that does not read.
    pub(super) window: usize,
    /// The server asked to be told of room.
    pub(super) reports_room: bool,
    /// A write found no room, so room is news.
    pub(super) is_blocked: bool,
    /// Bytes that one write takes at most, however much room there is.
    pub(super) most_per_write: usize,
    /// Calls after which one is interrupted.
    pub(super) interrupt_in: u32,
}

impl Pipe {
    fn interrupted(&mut self) -> Result<()> {
        self.interrupt_in = self.interrupt_in.saturating_sub(1);
        if self.interrupt_in == 0 {
            self.interrupt_in = 7;
            return Err(ErrorKind::Interrupted.into());
        }
        Ok(())
    }

    /// Takes up to `most` bytes for the client. True when that made room that a writer waits for.
    pub(super) fn read(&mut self, most: usize, into: &mut Vec<u8>) -> bool {
        let count = most.min(self.to_client.len());
        into.extend(self.to_client.drain(..count));
        let is_news = self.reports_room && self.is_blocked && self.to_client.len() < self.window;
        is_news && std::mem::take(&mut self.is_blocked)
    }
}

/// The server's end.
#[derive(Debug)]
pub(super) struct SimulatedSocket(pub(super) Rc<RefCell<Pipe>>);

impl Read for SimulatedSocket {
    /// As a kernel does: what is there, up to the buffer's size.
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut pipe = self.0.borrow_mut();
        pipe.interrupted()?;
        if pipe.reset {
            return Err(ErrorKind::ConnectionReset.into());
        }
        if pipe.to_server.is_empty() {
            return if pipe.client_ended { Ok(0) } else { Err(ErrorKind::WouldBlock.into()) };
        }
        pipe.to_server.read(buffer)
    }
}

impl Write for SimulatedSocket {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let mut pipe = self.0.borrow_mut();
        pipe.interrupted()?;
        if pipe.reset {
            return Err(ErrorKind::BrokenPipe.into());
        }
        assert!(!pipe.server_ended, "a write behind the end of the stream");
        let room = pipe.window.saturating_sub(pipe.to_client.len());
        let count = bytes.len().min(room).min(pipe.most_per_write);
        if count == 0 && !bytes.is_empty() {
            pipe.is_blocked = true;
            return Err(ErrorKind::WouldBlock.into());
        }
        pipe.to_client.extend(&bytes[..count]);
        Ok(count)
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}

impl Socket for SimulatedSocket {
    fn end_output(&mut self) -> Result<()> {
        let mut pipe = self.0.borrow_mut();
        if pipe.reset {
            return Err(Error::from(ErrorKind::NotConnected));
        }
        pipe.server_ended = true;
        Ok(())
    }
}

impl Drop for SimulatedSocket {
    fn drop(&mut self) {
        let mut pipe = self.0.borrow_mut();
        pipe.dropped = true;
        pipe.server_ended = true;
    }
}
