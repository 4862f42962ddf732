//! Reading and writing of connections over TLS: what `read` and `flush` do for the others.

use super::core::Core;
use super::entry::{Entry, SealedRead, Sealing, Socket, Turn};
use super::flush::BYTES_PER_TURN_MAX;
use crate::journal::{Kind, Words};
use crate::model::code::Code;
use crate::tls::session::{PLAIN_BYTES_MAX, Session};
use std::io::ErrorKind;

/// A step of a handshake takes about as long as the codec takes for this many bytes, measured: 40 to 70 µs.
const HANDSHAKE_CODEC_BYTES: u64 = 64 * 1024;

impl Core {
    /// A connection came in: from here on what it reads and writes is sealed, where its listener speaks TLS.
    pub(super) fn begin_tls<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let Some(acceptor) = &self.setup.listeners[usize::from(entry.listener)].tls else { return };
        match Session::new(acceptor) {
            Ok(session) => {
                entry.rest.begin_sealing(Sealing::new(session));
                // A handshake is much work: it waits for those that have had theirs.
                entry.turn = Turn::Heavy;
            }
            Err(error) => {
                log::error!(event = "tls"; "a connection is ended since TLS cannot begin: {error}");
                self.close_now(slot, entry, Code::InternalError);
            }
        }
    }

    /// Reads what has come sealed: how many plain bytes came of it.
    #[cold]
    #[inline(never)]
    pub(super) fn read_sealed<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, plain: &mut [u8]) -> usize {
        let Some(sealing) = entry.rest.sealing_mut() else { return 0 };
        let was_handshaking = sealing.is_handshaking();
        let read = sealing.read(&mut entry.stream, plain, &mut self.sealed);
        if was_handshaking {
            self.codec.note_work(HANDSHAKE_CODEC_BYTES);
        }
        match read {
            SealedRead::Plain { bytes, short } => {
                if short {
                    entry.reading.note_short_read();
                }
                self.note_plain(slot, entry, bytes);
                bytes
            }
            SealedRead::Clear { bytes } => {
                entry.rest.end_sealing();
                entry.connection.turn_away(Code::TlsNeeded);
                self.note_plain(slot, entry, bytes);
                bytes
            }
            SealedRead::Empty => {
                entry.reading.note_empty();
                0
            }
            SealedRead::Ended => {
                entry.reading.note_end();
                0
            }
            SealedRead::Broken(fault) => {
                // It learns why, if its socket takes that at once.
                let _ = entry.rest.sealing_mut().map(|sealing| sealing.flush(&mut entry.stream));
                self.notes
                    .note(Kind::Refused, self.now_ms(), || Words::new(Code::TlsFailed.label(), fault.to_string()));
                entry.reading.note_empty();
                self.close_now(slot, entry, Code::TlsFailed);
                0
            }
            SealedRead::Failed => {
                entry.reading.note_empty();
                self.close_now(slot, entry, Code::PeerVanished);
                0
            }
        }
    }

    fn note_plain<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, bytes: usize) {
        self.setup.counters.bytes_in.add(bytes as u64);
        if self.meter.in_force().bytes() && bytes > 0 {
            self.charge_read(slot, entry, bytes);
        }
    }

    /// Seals and writes what waits.
    #[cold]
    #[inline(never)]
    pub(super) fn flush_sealed<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let waited = entry.charged > 0;
        let mut budget = BYTES_PER_TURN_MAX;
        while !entry.writing.is_blocked() && entry.closed.is_none() {
            let Some(sealing) = entry.rest.sealing_mut() else { break };
            let written = if entry.connection.outbox.is_empty() {
                if entry.connection.ending().is_some() {
                    sealing.close();
                }
                sealing.flush(&mut entry.stream).map(|()| 0)
            } else if let Some(one) = entry.connection.outbox.single() {
                sealing.write(&mut entry.stream, one, &mut self.sealed)
            } else {
                gather(entry.connection.outbox.parts(), &mut self.gathered);
                sealing.write(&mut entry.stream, &self.gathered, &mut self.sealed)
            };
            let is_done = entry.connection.outbox.is_empty() || budget == 0;
            match written {
                Ok(written) => budget = budget.saturating_sub(written),
                Err(ref error) if error.kind() == ErrorKind::NotConnected => {
                    // Its handshake is not over, and what it would be sent is its end: a silence that lasted too long.
                    self.close_now(slot, entry, Code::PeerVanished);
                    break;
                }
                Err(_) => {}
            }
            self.note_written(slot, entry, waited, written);
            if is_done {
                break;
            }
        }
        self.charge_anew(entry);
    }
}

/// As many bytes as a record has, of several parts.
fn gather<'a>(parts: impl Iterator<Item = &'a [u8]>, gathered: &mut Vec<u8>) {
    gathered.clear();
    for part in parts {
        let room = PLAIN_BYTES_MAX - gathered.len();
        gathered.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() >= room {
            return;
        }
    }
}
