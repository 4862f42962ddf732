//! What a connection over TLS has besides: its session, and sealed bytes on their way in and out.

use super::ahead::Ahead;
use super::socket::Socket;
use crate::tls::session::{Fault, Opened, PLAIN_BYTES_MAX, SEALED_BYTES_MAX, Session};
use crate::wire::proxied::read_proxy_header;
use std::io::{ErrorKind, Result};

/// Records that one write takes. What a socket does not take of them waits beside the outbox, so they are few.
const RECORDS_PER_WRITE: usize = 4;
/// Plain bytes that one write takes.
pub(crate) const PLAIN_BYTES_PER_WRITE: usize = RECORDS_PER_WRITE * PLAIN_BYTES_MAX;
/// Sealed bytes that are read at once.
const READ_BYTES: usize = 64 * 1024;

/// Memory that all sessions of a reactor share: nothing is in it between two calls.
#[derive(Debug, Default)]
pub(crate) struct Sealed {
    input: Vec<u8>,
    output: Vec<u8>,
    /// Sealed bytes that were opened, beyond the plain ones that came of them.
    overhead: u64,
    /// Records of the last read that brought nothing.
    silent: usize,
    /// What was sealed for those that are written next.
    pub(crate) ahead: Ahead,
}

impl Sealed {
    /// Whether there was a session yet.
    #[inline]
    pub(crate) fn is_used(&self) -> bool {
        !self.input.is_empty()
    }

    /// Sealed bytes that were opened so far, beyond the plain ones that came of them: they were work as well.
    #[inline]
    pub(crate) fn overhead(&self) -> u64 {
        self.overhead
    }

    /// How many records the last read opened that brought nothing.
    pub(crate) fn take_silent(&mut self) -> usize {
        std::mem::take(&mut self.silent)
    }
}

/// What reading came to.
#[derive(Debug)]
pub(crate) enum Read {
    /// Plain bytes, of sealed ones that were `short` of the room for them: the socket has no more for now.
    Plain { bytes: usize, short: bool },
    /// The socket has nothing.
    Empty,
    /// The peer's stream ended.
    Ended,
    /// Its first bytes are no TLS, so they are plain, and all that follows: they may be HTTP, or stand where a PROXY header does.
    Clear { bytes: usize, is_http: bool },
    /// It broke what TLS asks of it.
    Broken(Fault),
    /// The socket failed.
    Failed,
}

/// See the module.
#[derive(Debug)]
pub(crate) struct Sealing {
    session: Session,
    /// Sealed bytes that were read and not opened.
    rest: Box<[u8]>,
    /// Whether they may be opened without more of them.
    is_pending: bool,
    /// Nothing has come yet.
    is_new: bool,
    /// A PROXY header comes before TLS, in clear.
    is_announced: bool,
    /// Its handshake is counted among those in progress.
    is_counted: bool,
}

impl Sealing {
    /// That of a connection that was just accepted, which begins with a PROXY header if `is_announced`.
    pub(crate) fn new(session: Session, is_announced: bool) -> Sealing {
        Sealing { session, rest: Box::default(), is_pending: false, is_new: true, is_announced, is_counted: true }
    }

    /// Whether its handshake was counted as in progress until now.
    pub(crate) fn take_counted(&mut self) -> bool {
        std::mem::take(&mut self.is_counted)
    }

    /// Whether its handshake was shorter, by a ticket.
    pub(crate) fn is_resumed(&self) -> bool {
        self.session.is_resumed()
    }

    /// Whether the handshake is in progress.
    pub(crate) fn is_handshaking(&self) -> bool {
        self.session.is_handshaking()
    }

    /// Whether its handshake is over, and was all that was wanted.
    pub(crate) fn is_challenge(&self) -> bool {
        !self.session.is_handshaking() && self.session.is_challenge()
    }

    /// Whether sealed bytes wait that need no more to be opened.
    pub(crate) fn is_pending(&self) -> bool {
        self.is_pending
    }

    /// Sealed bytes that wait for the socket.
    pub(crate) fn unsent(&self) -> usize {
        self.session.unsent().len()
    }

    /// Reads once, and opens what has come into `plain`, which has room for a record.
    pub(crate) fn read<S: Socket>(&mut self, stream: &mut S, plain: &mut [u8], lent: &mut Sealed) -> Read {
        lent.input.resize(READ_BYTES + SEALED_BYTES_MAX, 0);
        let kept = self.rest.len();
        lent.input[..kept].copy_from_slice(&self.rest);
        let room = lent.input.len() - kept;
        // A read into no room would look like the peer's end.
        if room == 0 && !self.is_pending {
            return Read::Broken(Fault::TooLong);
        }
        let read = if self.is_pending { Ok(0) } else { stream.read(&mut lent.input[kept..]) };
        let read = match read {
            Ok(0) if !self.is_pending => return Read::Ended,
            Ok(read) => read,
            Err(error) => {
                return match error.kind() {
                    ErrorKind::WouldBlock => Read::Empty,
                    ErrorKind::Interrupted => Read::Plain { bytes: 0, short: false },
                    _ => Read::Failed,
                };
            }
        };
        let input = &mut lent.input[..kept + read];
        if self.is_announced {
            return self.read_header(input, read < room, plain);
        }
        if std::mem::take(&mut self.is_new) && input.first().is_some_and(u8::is_ascii_alphabetic) {
            return Read::Clear { bytes: copy(input, plain), is_http: true };
        }
        match self.session.open(input, plain) {
            Ok(Opened { used, plain: bytes, is_full, silent }) => {
                lent.silent = silent;
                lent.overhead += used.saturating_sub(bytes) as u64;
                self.rest = input[used..].into();
                // Without a word of the socket's: what is left was reported already.
                let short = !self.is_pending && read < room;
                let is_over = self.session.is_peer_closed();
                // The next read finds its end, of which the socket may never say a word.
                self.is_pending = is_full || is_over && bytes > 0;
                if is_over && bytes == 0 { Read::Ended } else { Read::Plain { bytes, short } }
            }
            Err(fault) => {
                self.rest = Box::default();
                Read::Broken(fault)
            }
        }
    }

    /// Looks for the end of a PROXY header: it alone is plain.
    fn read_header(&mut self, input: &[u8], short: bool, plain: &mut [u8]) -> Read {
        match read_proxy_header(input) {
            Ok(None) => {
                self.rest = input.into();
                Read::Plain { bytes: 0, short }
            }
            Ok(Some(header)) => {
                self.is_announced = false;
                self.rest = input[header.used..].into();
                self.is_pending = !self.rest.is_empty();
                Read::Plain { bytes: copy(&input[..header.used], plain), short }
            }
            Err(_) => Read::Clear { bytes: copy(input, plain), is_http: false },
        }
    }

    /// Writes what waits for the socket.
    pub(crate) fn flush<S: Socket>(&mut self, stream: &mut S) -> Result<()> {
        while !self.session.unsent().is_empty() {
            match stream.write(self.session.unsent()) {
                Ok(written) if written == self.session.unsent().len() => *self.session.unsent_mut() = Vec::new(),
                Ok(written) => drop(self.session.unsent_mut().drain(..written)),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Seals of `plain` what one write takes and writes it, after what waits: how many plain bytes were taken. They count as
    /// sent, even when the socket did not take all that came of them.
    pub(crate) fn write<S: Socket>(&mut self, stream: &mut S, plain: &[u8], lent: &mut Sealed) -> Result<usize> {
        self.flush(stream)?;
        lent.output.resize(RECORDS_PER_WRITE * SEALED_BYTES_MAX, 0);
        let plain = &plain[..plain.len().min(PLAIN_BYTES_PER_WRITE)];
        let mut sealed = 0;
        for record in plain.chunks(PLAIN_BYTES_MAX) {
            sealed += self.seal(record, &mut lent.output[sealed..])?;
        }
        self.send(stream, &lent.output[..sealed])?;
        Ok(plain.len())
    }

    /// Seals one record of `plain` into `out`, for [`Sealing::send`], unless something waits that comes first. How many bytes
    /// it has.
    #[inline]
    pub(crate) fn seal_ahead(&mut self, plain: &[u8], out: &mut [u8]) -> Option<usize> {
        if self.session.unsent().is_empty() { self.seal(plain, out).ok() } else { None }
    }

    /// Writes what was sealed last. What the socket does not take waits.
    pub(crate) fn send<S: Socket>(&mut self, stream: &mut S, sealed: &[u8]) -> Result<()> {
        // Sealing may leave bytes that come first.
        let taken = if self.session.unsent().is_empty() { stream.write(sealed) } else { Ok(0) };
        self.sent(sealed, taken)
    }

    /// What was sealed last was written, and this came of it.
    pub(crate) fn sent(&mut self, sealed: &[u8], taken: Result<usize>) -> Result<()> {
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::Interrupted) => 0,
            Err(error) => return Err(error),
        };
        self.session.unsent_mut().extend_from_slice(&sealed[taken..]);
        Ok(())
    }

    /// Looks at what sealing begins with, so that it is in the cache: the answer says nothing.
    #[inline]
    pub(crate) fn glance(&self) -> bool {
        self.is_pending | self.session.glance()
    }

    /// Says that nothing follows: the last bytes are flushed after this.
    pub(crate) fn close(&mut self) {
        let rest = if self.is_pending { &mut [][..] } else { &mut self.rest };
        self.session.close(rest);
    }

    /// The same where nothing is owed and the socket is closed next: it takes what says so, or does not.
    pub(crate) fn say_end<S: Socket>(&mut self, stream: &mut S) {
        if self.session.unsent().is_empty() {
            self.close();
            // A peer that is gone needs no word.
            drop(self.flush(stream));
        }
    }

    fn seal(&mut self, plain: &[u8], out: &mut [u8]) -> Result<usize> {
        // Whole records that wait are for later; only a part of one tells the session how far it is.
        let rest = if self.is_pending { &mut [][..] } else { &mut self.rest };
        self.session.seal(plain, rest, out).map_err(|_| ErrorKind::NotConnected.into())
    }
}

/// As much of it as there is room for.
fn copy(from: &[u8], to: &mut [u8]) -> usize {
    let bytes = from.len().min(to.len());
    to[..bytes].copy_from_slice(&from[..bytes]);
    bytes
}
