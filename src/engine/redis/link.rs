//! One connection to Redis: commands that wait to be sent, and replies that are read as they come.

use super::stream::Stream;
use crate::wire::resp::{self, Read as Parsed, Reply, RespFault, RespLimits};
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, RawFd};

/// Bytes that one read takes at most, and what is read in one turn: then others have theirs.
const READ_BYTES: usize = 64 * 1024;
const READS_PER_TURN: usize = 16;
/// Room that is given back after a large reply.
const ROOM_KEPT: usize = 4 * READ_BYTES;

/// See the module.
pub(super) struct Link {
    stream: Stream,
    limits: RespLimits,
    /// What is read into, with what was there before: only as much of it counts as was filled.
    input: Vec<u8>,
    filled: usize,
    /// Bytes of it that were read as replies.
    start: usize,
    /// Bytes that have to be there before it is worth looking again.
    needed: usize,
    output: Vec<u8>,
    sent: usize,
    /// Whether the socket may have more.
    pub(super) may_read: bool,
}

/// Why a link is of no use any more.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkFault {
    #[error("the connection failed: {0}")]
    Io(#[from] io::Error),
    #[error("the server closed the connection")]
    Closed,
    #[error("what came is not the protocol of Redis ({0:?})")]
    Protocol(RespFault),
    /// What a script or a command was answered.
    #[error("the server says: {0}")]
    Refused(String),
    #[error("the server answered nothing for {0} s")]
    Silent(u64),
}

impl Link {
    pub(super) fn new(stream: Stream, limits: RespLimits) -> Link {
        let (input, output) = (Vec::new(), Vec::new());
        Link { stream, limits, input, filled: 0, start: 0, needed: 1, output, sent: 0, may_read: true }
    }

    /// Sends a command and waits for its reply. Only while the stream blocks.
    ///
    /// # Errors
    /// There was no reply, or it was an error.
    pub(super) fn ask<T>(&mut self, parts: &[&[u8]], take: impl FnOnce(Reply<'_>) -> T) -> Result<T, LinkFault> {
        let mut command = Vec::new();
        resp::write_command(&mut command, parts);
        self.stream.write_all(&command)?;
        self.stream.flush()?;
        loop {
            match resp::read(&self.input[self.start..self.filled], self.limits).map_err(LinkFault::Protocol)? {
                Parsed::Whole(Reply::Error(text), taken) => {
                    let text = String::from_utf8_lossy(text).into_owned();
                    // Taken out like every other: what is asked next has an answer of its own.
                    self.start += taken;
                    return Err(LinkFault::Refused(text));
                }
                Parsed::Whole(reply, taken) => {
                    let taken_out = take(reply);
                    self.start += taken;
                    return Ok(taken_out);
                }
                Parsed::Short(_) => {
                    if self.read()? == 0 {
                        return Err(LinkFault::Closed);
                    }
                }
            }
        }
    }

    /// From now on it is polled.
    pub(super) fn begin_polling(&self) -> io::Result<RawFd> {
        self.stream.begin_polling()?;
        Ok(self.stream.as_raw_fd())
    }

    /// Where commands are written; they go out with the next flush.
    pub(super) fn output(&mut self) -> &mut Vec<u8> {
        &mut self.output
    }

    /// Bytes that are not sent.
    pub(super) fn unsent(&self) -> usize {
        self.output.len() - self.sent
    }

    /// Sends what the socket takes.
    ///
    /// # Errors
    /// The connection is broken.
    pub(super) fn flush(&mut self) -> Result<(), LinkFault> {
        while self.sent < self.output.len() {
            match self.stream.write(&self.output[self.sent..]) {
                Ok(0) => return Err(LinkFault::Closed),
                Ok(sent) => self.sent += sent,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.output.clear();
        self.output.shrink_to(ROOM_KEPT);
        self.sent = 0;
        match self.stream.flush() {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error.into()),
            _ => Ok(()),
        }
    }

    /// Reads what is there, within one turn's bounds, and gives each reply to `take`, which may end it. Whether anything came.
    ///
    /// # Errors
    /// The connection is broken, or its peer speaks something else.
    pub(super) fn receive(
        &mut self,
        mut take: impl FnMut(Reply<'_>) -> Result<(), LinkFault>,
    ) -> Result<bool, LinkFault> {
        let mut came = false;
        // What a blocking exchange left over.
        self.parse(&mut take)?;
        for _ in 0..READS_PER_TURN {
            if !self.may_read {
                break;
            }
            match self.read() {
                Ok(0) => return Err(LinkFault::Closed),
                Ok(_) => {
                    came = true;
                    self.parse(&mut take)?;
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.may_read = false,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error.into()),
            }
        }
        Ok(came)
    }

    /// Reads once, after what is there.
    fn read(&mut self) -> io::Result<usize> {
        // Once for many reads: to fill the room of each with zeros would cost more than what comes into it.
        if self.input.len() < self.filled + READ_BYTES {
            self.input.resize(self.filled + READ_BYTES, 0);
        }
        let read = self.stream.read(&mut self.input[self.filled..][..READ_BYTES])?;
        self.filled += read;
        Ok(read)
    }

    fn parse(&mut self, take: &mut impl FnMut(Reply<'_>) -> Result<(), LinkFault>) -> Result<(), LinkFault> {
        while self.filled - self.start >= self.needed {
            match resp::read(&self.input[self.start..self.filled], self.limits).map_err(LinkFault::Protocol)? {
                Parsed::Whole(reply, taken) => {
                    take(reply)?;
                    self.start += taken;
                    self.needed = 1;
                }
                Parsed::Short(needed) => self.needed = needed,
            }
        }
        self.input.copy_within(self.start..self.filled, 0);
        (self.filled, self.start) = (self.filled - self.start, 0);
        if self.filled == 0 && self.input.len() > ROOM_KEPT {
            self.input = Vec::new();
        }
        Ok(())
    }
}
