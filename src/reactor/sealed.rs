//! Reading and writing of connections over TLS: what `read` and `flush` do for the others.

use super::core::Core;
use super::entry::{Entries, Entry, PLAIN_BYTES_PER_WRITE, SealedRead, Socket, Writing, sealed_ahead_max};
use super::flush::BYTES_PER_TURN_MAX;
use super::together::CONNECTIONS_MIN;
use crate::model::code::Code;
use crate::tls::failure::Failure;
use crate::tls::session::PLAIN_BYTES_MAX;
use std::io::ErrorKind;

/// A step of a handshake takes about as long as the codec takes for this many bytes, measured: 40 to 70 µs.
const HANDSHAKE_CODEC_BYTES: u64 = 64 * 1024;
/// The same for a record that brings nothing: most of those that a peer may send at will change its keys.
const SILENT_CODEC_BYTES: u64 = 8 * 1024;

/// Sessions that are looked at in a row.
const GLANCES_MAX: usize = 32;

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
            self.heavy.note_handshake(HANDSHAKE_CODEC_BYTES);
            self.judge_handshake(sealing);
            // A certificate authority has seen what it wanted to see, and nothing may follow (RFC 8737 section 3).
            if sealing.is_challenge() {
                drop(sealing.flush(&mut entry.stream));
                entry.reading.note_empty();
                self.close_now(slot, entry, Code::PeerClosed);
                return 0;
            }
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

    /// Seals what waits for those of `next` that have TLS, one record each: they are flushed next, in this order. Most have no
    /// more, and are only written then.
    #[cold]
    #[inline(never)]
    pub(super) fn seal_ahead<S: Socket>(&mut self, next: &[u32], entries: &mut Entries<S>) {
        self.sealed.ahead.clear();
        for some in next.chunks(GLANCES_MAX) {
            // The processor waits for all of them at once here, and in the loop below for one after the other.
            let glances = some.iter().filter(|slot| entries.peek(**slot).is_some_and(|entry| entry.rest.glance()));
            std::hint::black_box(glances.count());
            some.iter().for_each(|&slot| self.seal_one_ahead(slot, entries));
        }
        if self.together.ring.is_some() && self.sealed.ahead.len() >= CONNECTIONS_MIN {
            self.send_ahead(entries);
        }
    }

    #[inline]
    fn seal_one_ahead<S: Socket>(&mut self, slot: u32, entries: &mut Entries<S>) {
        let Some(entry) = entries.get(slot) else { return };
        let waiting = entry.connection.outbox.len();
        if entry.writing != Writing::Dirty || entry.closed.is_some() || waiting == 0 || waiting > PLAIN_BYTES_MAX {
            return;
        }
        let (_, bytes_max) = sealed_ahead_max(self.together.ring.is_some());
        let Some(sealing) = entry.rest.sealing_mut() else { return };
        let Some(room) = self.sealed.ahead.room(bytes_max) else { return };
        let plain = match entry.connection.outbox.single() {
            Some(one) => one,
            None => {
                gather(entry.connection.outbox.parts(), &mut self.gathered);
                &self.gathered
            }
        };
        // Where that is not possible, what follows finds out why.
        if let Some(bytes) = sealing.seal_ahead(plain, room) {
            self.sealed.ahead.push(slot, bytes);
            let waited = entry.charged > 0;
            self.note_written(slot, entry, waited, Ok(waiting));
        }
    }

    /// Writes what was sealed ahead with one system call.
    fn send_ahead<S: Socket>(&mut self, entries: &mut Entries<S>) {
        let mut together = std::mem::take(&mut self.together);
        if let Err(error) = together.send_sealed(&self.sealed.ahead, entries) {
            together.give_up(&error);
        }
        self.setup.counters.sent_together.add(together.results.len() as u64);
        // Also after a failure: what had been sent by then must not be sent again.
        for (place, taken) in together.results.drain(..) {
            let (slot, record) = self.sealed.ahead.sent(together.slots[place] as usize);
            let Some(entry) = entries.get(slot) else { continue };
            let Some(sealing) = entry.rest.sealing_mut() else { continue };
            if let Err(error) = sealing.sent(record, taken) {
                self.note_written(slot, entry, false, Err(error));
            }
        }
        together.slots.clear();
        self.together = together;
    }

    /// Seals and writes what waits.
    #[cold]
    #[inline(never)]
    pub(super) fn flush_sealed<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let waited = entry.charged > 0;
        let mut budget = BYTES_PER_TURN_MAX;
        if let (Some(record), Some(sealing)) = (self.sealed.ahead.take(slot), entry.rest.sealing_mut())
            && let Err(error) = sealing.send(&mut entry.stream, record)
        {
            self.note_written(slot, entry, waited, Err(error));
        }
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
