//! One server's side of a TLS connection, purely: sealed bytes in, plain bytes out, and the other way.
//!
//! Shaped like what rustls will have next (every connection unbuffered, no memory of its own while nothing is in progress), so
//! that its next version changes this file alone.

use super::failure::Failure;
use rustls::HandshakeKind;
use rustls::server::{ServerConfig, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, EncodeError, EncryptError, InsufficientSizeError, UnbufferedStatus};
use std::fmt;
use std::sync::Arc;

/// Plain bytes of one record at most (RFC 8446 section 5.1).
pub const PLAIN_BYTES_MAX: usize = 16 * 1024;
/// Bytes of a record's header: what it holds, a version, and how many bytes follow (RFC 8446 section 5.1).
const RECORD_HEADER_BYTES: usize = 5;
/// Bytes of a record beside its plain ones at most: its header, and what encryption adds (RFC 8446 section 5.2, and RFC 5246
/// section 6.2.3 for TLS 1.2).
const OVERHEAD_MAX: usize = RECORD_HEADER_BYTES + 2048;
/// Bytes of a sealed record at most.
pub const SEALED_BYTES_MAX: usize = PLAIN_BYTES_MAX + OVERHEAD_MAX;

/// Records that are opened at once, once the handshake is over. Opening one costs about as much as reading a kilobyte, however few
/// bytes it brings, a change of keys ten times that, and what is read at once may be thousands of them.
pub const RECORDS_PER_OPEN_MAX: usize = 256;

/// What is spoken with certificate authorities that ask whether a name leads here (RFC 8737): a handshake, and nothing after it.
pub const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// Why a session cannot go on.
#[derive(Debug)]
pub enum Fault {
    /// What came is not TLS as it should be, or no version, cipher or certificate suits both sides. An alert that says which is
    /// left to be sent.
    Broken(rustls::Error),
    /// A message of its handshake is longer than what is kept of one.
    TooLong,
    /// Nothing may be sent: the handshake is not over, or our side was closed.
    Closed,
}

impl Fault {
    /// What it is called.
    #[must_use]
    pub fn failure(&self) -> Failure {
        use rustls::Error;
        match self {
            Fault::TooLong | Fault::Broken(Error::InvalidMessage(_) | Error::DecryptError) => Failure::Invalid,
            Fault::Broken(Error::PeerIncompatible(_) | Error::NoApplicationProtocol) => Failure::Incompatible,
            Fault::Broken(Error::AlertReceived(_)) => Failure::Alert,
            Fault::Broken(
                Error::PeerMisbehaved(_)
                | Error::InappropriateMessage { .. }
                | Error::InappropriateHandshakeMessage { .. }
                | Error::PeerSentOversizedRecord,
            ) => Failure::Misbehaved,
            Fault::Broken(_) | Fault::Closed => Failure::Internal,
        }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Broken(error) => error.fmt(f),
            Fault::TooLong => f.write_str("a message of the handshake is too long, or in too many pieces"),
            Fault::Closed => f.write_str("nothing may be sent"),
        }
    }
}

/// What new sessions of a listener begin with.
#[derive(Debug, Clone)]
pub struct Acceptor(Arc<ServerConfig>);

impl From<ServerConfig> for Acceptor {
    fn from(config: ServerConfig) -> Acceptor {
        Acceptor(Arc::new(config))
    }
}

/// What opening came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Opened {
    /// Sealed bytes that were taken: the others come again, before those that follow them.
    pub used: usize,
    /// Plain bytes that were written.
    pub plain: usize,
    /// It stopped for want of room or after many records, and may have more to open.
    pub is_full: bool,
    /// Records that brought nothing: changes of keys, alerts, and those without a byte.
    pub silent: usize,
}

/// See the module.
pub struct Session {
    connection: UnbufferedServerConnection,
    unsent: Vec<u8>,
    peer_closed: bool,
    closed: bool,
    /// What came broke it: nothing more is opened or sealed.
    broken: bool,
}

impl Session {
    /// One for a connection that was just accepted.
    ///
    /// # Errors
    /// What it was to begin with is of no use.
    pub fn new(acceptor: &Acceptor) -> Result<Session, Fault> {
        let connection = UnbufferedServerConnection::new(Arc::clone(&acceptor.0)).map_err(Fault::Broken)?;
        Ok(Session { connection, unsent: Vec::new(), peer_closed: false, closed: false, broken: false })
    }

    /// Sealed bytes that are to be sent before anything else is sealed.
    #[must_use]
    pub fn unsent(&self) -> &Vec<u8> {
        &self.unsent
    }

    /// The same, to be taken as they are sent.
    pub fn unsent_mut(&mut self) -> &mut Vec<u8> {
        &mut self.unsent
    }

    /// Whether the handshake is in progress.
    #[must_use]
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the handshake was shorter, by a ticket of one before.
    #[must_use]
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// Whether its handshake alone was wanted.
    #[must_use]
    pub fn is_challenge(&self) -> bool {
        self.connection.alpn_protocol() == Some(CHALLENGE_PROTOCOL)
    }

    /// Whether the peer has said that nothing follows.
    #[must_use]
    pub fn is_peer_closed(&self) -> bool {
        self.peer_closed
    }

    /// Looks at some of what [`Session::seal`] looks at first: the answer says nothing, but it is in the cache then.
    #[must_use]
    #[inline]
    pub fn glance(&self) -> bool {
        let connection = &self.connection;
        self.closed
            | connection.is_handshaking()
            | connection.handshake_kind().is_none()
            | connection.protocol_version().is_none()
            | connection.negotiated_cipher_suite().is_none()
    }

    /// Opens the records in `sealed`, whole ones and as many as `plain` has room for: [`PLAIN_BYTES_MAX`] bytes for each, and
    /// [`RECORDS_PER_OPEN_MAX`] at most. What this answers is left in [`Session::unsent`].
    ///
    /// # Errors
    /// [`Fault::Broken`].
    pub fn open(&mut self, sealed: &mut [u8], plain: &mut [u8]) -> Result<Opened, Fault> {
        let mut opened = Opened { used: 0, plain: 0, is_full: false, silent: 0 };
        let is_new = self.connection.is_handshaking();
        let (mut end, mut records) = (if is_new { sealed.len() } else { end_of_records(sealed, 0) }, 0);
        loop {
            // What follows the peer's last word is nothing that it said (RFC 8446 section 6.1).
            if self.peer_closed {
                return Ok(Opened { used: sealed.len(), ..opened });
            }
            if plain.len() - opened.plain < PLAIN_BYTES_MAX {
                opened.is_full = opened.used < sealed.len();
                break;
            }
            let UnbufferedStatus { discard, state, .. } =
                self.connection.process_tls_records(&mut sealed[opened.used..end]);
            opened.used += discard;
            let step = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    while let Some(record) = traffic.next_record() {
                        let record = record.map_err(Fault::Broken)?;
                        let end = opened.plain + record.payload.len();
                        plain[opened.plain..end].copy_from_slice(record.payload);
                        opened.plain = end;
                        opened.used += record.discard;
                        records += 1;
                    }
                    continue;
                }
                Ok(other) => next(other, &mut self.unsent),
                Err(error) => {
                    self.broken = true;
                    self.gather_alert();
                    return Err(Fault::Broken(error));
                }
            };
            match step {
                Next::Again => {}
                Next::PeerClosed => self.peer_closed = true,
                // A message in pieces: what is sealed meanwhile must not find it half seen.
                Next::Starved if opened.used < end && end < sealed.len() => end = end_of_records(sealed, end),
                Next::Starved => {
                    opened.is_full = end < sealed.len();
                    break;
                }
            }
        }
        if !is_new {
            opened.silent = whole_records(&sealed[..opened.used]).count().saturating_sub(records);
        }
        Ok(opened)
    }

    /// Seals `plain`, at most [`PLAIN_BYTES_MAX`] bytes, into `out`, which has [`SEALED_BYTES_MAX`]. Returns how many bytes were
    /// written: they follow those of [`Session::unsent`]. `rest` is what [`Session::open`] left for want of more, if that is why.
    ///
    /// # Errors
    /// [`Fault::Closed`], or [`Fault::Broken`] when its keys may not be used any longer.
    pub fn seal(&mut self, plain: &[u8], rest: &mut [u8], out: &mut [u8]) -> Result<usize, Fault> {
        debug_assert!(plain.len() <= PLAIN_BYTES_MAX && out.len() >= SEALED_BYTES_MAX);
        self.act(rest, |traffic| traffic.encrypt(plain, out))
    }

    /// Says that nothing follows, once: the bytes are left in [`Session::unsent`].
    pub fn close(&mut self, rest: &mut [u8]) {
        if std::mem::replace(&mut self.closed, true) {
            return;
        }
        let mut alert = [0; 64];
        // Before the handshake is over there is nobody to say it to.
        if let Ok(size) = self.act(rest, |traffic| traffic.queue_close_notify(&mut alert)) {
            self.unsent.extend_from_slice(&alert[..size]);
        }
    }

    /// Does something that only a session may that can send.
    fn act(
        &mut self,
        rest: &mut [u8],
        act: impl FnOnce(
            &mut rustls::unbuffered::WriteTraffic<'_, rustls::server::ServerConnectionData>,
        ) -> Result<usize, EncryptError>,
    ) -> Result<usize, Fault> {
        if self.broken {
            return Err(Fault::Closed);
        }
        loop {
            let UnbufferedStatus { state, .. } = self.connection.process_tls_records(rest);
            match state.map_err(Fault::Broken)? {
                ConnectionState::WriteTraffic(mut traffic) => return act(&mut traffic).map_err(|_| Fault::Closed),
                other => match next(other, &mut self.unsent) {
                    Next::Again => {}
                    Next::PeerClosed => self.peer_closed = true,
                    Next::Starved => return Err(Fault::Closed),
                },
            }
        }
    }

    /// After a fault: what the peer is told of it, and nothing else. rustls must not look at what broke it once more: it would panic, as
    /// it would without the pieces of a message that it has seen before.
    fn gather_alert(&mut self) {
        while self.connection.wants_write() {
            let Ok(state) = self.connection.process_tls_records(&mut []).state else { return };
            next(state, &mut self.unsent);
        }
    }
}

impl fmt::Debug for Session {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("unsent", &self.unsent.len()).finish_non_exhaustive()
    }
}

/// Where the whole records in `sealed` end.
fn whole_records(sealed: &[u8]) -> impl Iterator<Item = usize> {
    let mut end = 0;
    std::iter::from_fn(move || {
        let header = sealed.get(end..end + RECORD_HEADER_BYTES)?;
        let next = end + RECORD_HEADER_BYTES + usize::from(u16::from_be_bytes([header[3], header[4]]));
        (next <= sealed.len()).then(|| {
            end = next;
            next
        })
    })
}

/// Where as many records from `start` end as are opened at once: all of it, if there are fewer.
fn end_of_records(sealed: &[u8], start: usize) -> usize {
    whole_records(&sealed[start..]).nth(RECORDS_PER_OPEN_MAX - 1).map_or(sealed.len(), |end| start + end)
}

/// What follows a state.
enum Next {
    /// The next one.
    Again,
    /// The peer said that nothing follows.
    PeerClosed,
    /// More bytes of the peer are needed, or none are left to open.
    Starved,
}

/// Takes in a state that brings no plain bytes.
fn next<Data>(state: ConnectionState<'_, '_, Data>, unsent: &mut Vec<u8>) -> Next {
    match state {
        ConnectionState::EncodeTlsData(mut record) => {
            let start = unsent.len();
            // It says how many bytes it needs when there are none.
            if let Err(EncodeError::InsufficientSize(InsufficientSizeError { required_size })) =
                record.encode(&mut unsent[start..])
            {
                unsent.resize(start + required_size, 0);
                let written = record.encode(&mut unsent[start..]).unwrap_or(0);
                unsent.truncate(start + written);
            }
            Next::Again
        }
        ConnectionState::TransmitTlsData(sent) => {
            sent.done();
            Next::Again
        }
        ConnectionState::PeerClosed => Next::PeerClosed,
        _ => Next::Starved,
    }
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;
