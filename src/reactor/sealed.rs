//! Reading and writing of connections over TLS: what `read` and `flush` do for the others.

use super::core::Core;
use super::entry::{Entry, PLAIN_BYTES_PER_WRITE, SealedRead, Socket};
use super::flush::BYTES_PER_TURN_MAX;
use crate::model::code::Code;
use crate::tls::failure::Failure;
use std::io::ErrorKind;

/// A step of a handshake takes about as long as the codec takes for this many bytes, measured: 40 to 70 µs.
const HANDSHAKE_CODEC_BYTES: u64 = 64 * 1024;
/// The same for a record that brings nothing: most of those that a peer may send at will change its keys.
const SILENT_CODEC_BYTES: u64 = 8 * 1024;

impl Core {
    /// Reads what has come sealed: how many plain bytes came of it.
    #[cold]
    #[inline(never)]
    pub(super) fn read_sealed<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, plain: &mut [u8]) -> usize {
        let Some(sealing) = entry.rest.sealing_mut() else { return 0 };
        let was_handshaking = sealing.is_handshaking();
        let read = sealing.read(&mut entry.stream, plain, &mut self.sealed);
        if was_handshaking {
            self.codec.note_work(HANDSHAKE_CODEC_BYTES);
            self.judge_handshake(sealing);
        }
        // Counted, so that a peer that sends little else has its turns after all others.
        self.codec.note_work(self.sealed.take_silent() as u64 * SILENT_CODEC_BYTES);
        match read {
            SealedRead::Plain { bytes, short } => {
                if short {
                    entry.reading.note_short_read();
                }
                self.note_plain(slot, entry, bytes);
                bytes
            }
            SealedRead::Clear { bytes, is_http } => {
                self.fail_handshake(sealing, if is_http { Failure::PlainHttp } else { Failure::Invalid });
                entry.rest.end_sealing();
                // Of a header that is wrong the connection itself says so.
                if is_http {
                    entry.connection.turn_away(Code::TlsNeeded);
                }
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
                drop(sealing.flush(&mut entry.stream));
                self.fail_handshake(sealing, fault.failure());
                self.note_fault(&fault);
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
        while budget > 0 && !entry.writing.is_blocked() && entry.closed.is_none() {
            let is_last = entry.connection.outbox.is_empty();
            let Some(sealing) = entry.rest.sealing_mut() else { break };
            if is_last && entry.connection.ending().is_some() {
                sealing.close();
            }
            let written = if is_last {
                // Most have nothing left: what was sealed has been written.
                if sealing.unsent() == 0 {
                    break;
                }
                sealing.flush(&mut entry.stream).map(|()| 0)
            } else if let Some(one) = entry.connection.outbox.single() {
                sealing.write(&mut entry.stream, one, &mut self.sealed)
            } else {
                gather(entry.connection.outbox.parts(), &mut self.gathered);
                sealing.write(&mut entry.stream, &self.gathered, &mut self.sealed)
            };
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
            if is_last {
                break;
            }
        }
        // The counts of all threads are touched only when something changed.
        if entry.connection.outbox.len() + entry.rest.unsent() != entry.charged as usize {
            self.charge_anew(entry);
        }
    }
}

/// As many bytes as one write takes, of several parts.
fn gather<'a>(parts: impl Iterator<Item = &'a [u8]>, gathered: &mut Vec<u8>) {
    gathered.clear();
    for part in parts {
        let room = PLAIN_BYTES_PER_WRITE - gathered.len();
        gathered.extend_from_slice(&part[..part.len().min(room)]);
        if part.len() >= room {
            return;
        }
    }
}
