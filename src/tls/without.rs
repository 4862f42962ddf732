//! Sessions in a program that was built without TLS: there are none.

use super::failure::Failure;
use std::fmt;

/// Plain bytes of one record at most.
pub const PLAIN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a sealed record at most.
pub const SEALED_BYTES_MAX: usize = PLAIN_BYTES_MAX;

/// What new sessions of a listener begin with: no listener has it.
#[derive(Debug, Clone)]
pub enum Acceptor {}

/// Why a session cannot go on.
#[derive(Debug)]
pub enum Fault {
    /// A message of its handshake is longer than what is kept of one.
    TooLong,
}

impl Fault {
    /// What it is called.
    #[must_use]
    pub fn failure(&self) -> Failure {
        Failure::Internal
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("there is no TLS")
    }
}

/// What opening came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Sealed bytes that were taken.
    pub used: usize,
    /// Plain bytes that were written.
    pub plain: usize,
    /// It stopped for want of room.
    pub is_full: bool,
    /// Records that brought nothing.
    pub silent: usize,
}

/// See the module.
#[derive(Debug)]
pub enum Session {}

#[expect(missing_docs, reason = "nothing can call them: they are documented where there are sessions")]
impl Session {
    pub fn new(acceptor: &Acceptor) -> Result<Session, Fault> {
        match *acceptor {}
    }

    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        match *self {}
    }

    #[must_use]
    pub fn is_resumed(&self) -> bool {
        match *self {}
    }

    #[must_use]
    pub fn is_challenge(&self) -> bool {
        match *self {}
    }

    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        match *self {}
    }

    #[must_use]
    pub fn glance(&self) -> bool {
        match *self {}
    }

    #[must_use]
    pub fn unsent(&self) -> &Vec<u8> {
        match *self {}
    }

    pub fn unsent_mut(&mut self) -> &mut Vec<u8> {
        match *self {}
    }

    pub fn open(&mut self, _: &mut [u8], _: &mut [u8]) -> Result<Opened, Fault> {
        match *self {}
    }

    pub fn seal(&mut self, _: &[u8], _: &mut [u8], _: &mut [u8]) -> Result<usize, Fault> {
        match *self {}
    }

    pub fn close(&mut self, _: &mut [u8]) {
        match *self {}
    }
}
