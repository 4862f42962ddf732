//! The phase `flush_dirty`: one write per connection that has something to send, and the judgement on slow readers.

use super::core::Core;
use super::entry::{Entries, Entry, Interest, Socket, Writing, sealed_ahead_max};
use super::run::GATHER_BYTES_MAX;
use super::together::CONNECTIONS_MIN;
use crate::connection::outbox::SLICES_MAX;
use crate::model::code::Code;
use crate::model::transport::Transport;
use std::io::{ErrorKind, IoSlice, Result};

/// Bytes written to one connection in one tick, after which the others get their turns; what is left waits for the next tick.
pub(super) const BYTES_PER_TURN_MAX: usize = 4 * 1024 * 1024;

/// Writes as many parts as one call takes.
fn write_several<S: Socket>(entry: &mut Entry<S>, gathered: &mut Vec<u8>) -> Result<usize> {
    // Copying this few bytes costs less than `writev(2)` does.
    if entry.connection.outbox.len() <= GATHER_BYTES_MAX {
        gathered.clear();
        entry.connection.outbox.parts().for_each(|part| gathered.extend_from_slice(part));
        return entry.stream.write(gathered);
    }
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let filled = entry.connection.outbox.slices(&mut slices);
    entry.stream.write_vectored(&slices[..filled])
}

/// Whether a connection that was flushed is a WebSocket with nothing left to write, to read or to end: then only its outbox
/// has changed, its deadline is filed already, and `update` would find nothing. Most deliveries end here.
fn is_at_rest<S>(entry: &Entry<S>) -> bool {
    let waits = entry.reading.is_readable()
        || entry.rest.is_pending()
        || entry.reading.has_ended()
        || entry.writing != Writing::Idle
        || entry.closed.is_some();
    !waits
        && entry.connection.outbox.is_empty()
        && entry.counted_as == Some(Transport::WebSocket)
        && entry.connection.transport() == entry.counted_as
}

impl Core {
    /// Flushes every dirty connection once.
    pub(super) fn flush_dirty<S: Socket>(&mut self, entries: &mut Entries<S>) {
        // Taken, since what has more to write than a turn allows is put on the list of the next tick meanwhile.
        let dirty = std::mem::take(&mut self.dirty);
        self.flush_together(&dirty, entries);
        if self.sealed.is_used() {
            self.flush_ahead(&dirty, entries);
        } else {
            self.flush_each(&dirty, entries);
        }
        // What is left of a large outbox is dirty again. Otherwise the list's memory is kept.
        if self.dirty.is_empty() {
            let mut dirty = dirty;
            dirty.clear();
            self.dirty = dirty;
        }
    }

    /// The same where some have TLS: so many at a time are sealed one after the other, and then written.
    #[cold]
    fn flush_ahead<S: Socket>(&mut self, dirty: &[u32], entries: &mut Entries<S>) {
        let (ahead_max, _) = sealed_ahead_max(self.together.ring.is_some());
        for some in dirty.chunks(ahead_max) {
            self.seal_ahead(some, entries);
            self.flush_each(some, entries);
        }
    }

    // Inlined into both, since one echo is one connection: as a call, or as chunks, it was a hundredth of that.
    #[inline(always)]
    fn flush_each<S: Socket>(&mut self, dirty: &[u32], entries: &mut Entries<S>) {
        for &slot in dirty {
            let Some(entry) = entries.get(slot) else { continue };
            if !entry.writing.take_dirty() || entry.closed.is_some() {
                continue;
            }
            self.flush(slot, entry);
            self.judge_by_budget(slot, entry);
            if !is_at_rest(entry) {
                self.finish(slot, entry);
                self.update(slot, entry);
            }
        }
    }

    /// Writes once to each of the dirty connections with one system call, if there are enough of them. What is left in an
    /// outbox, or cannot be written in this way, is for the ordinary flush that follows.
    pub(super) fn flush_together<S: Socket>(&mut self, dirty: &[u32], entries: &mut Entries<S>) {
        if self.together.ring.is_none() || dirty.len() < CONNECTIONS_MIN {
            return;
        }
        let mut together = std::mem::take(&mut self.together);
        if let Err(error) = together.send(dirty, entries) {
            together.give_up(&error);
        }
        self.setup.counters.sent_together.add(together.results.len() as u64);
        // Also after a failure: what had been sent by then must not be sent again.
        for (place, written) in together.results.drain(..) {
            let slot = together.slots[place];
            let Some(entry) = entries.get(slot) else { continue };
            let waited = entry.charged > 0;
            self.note_written(slot, entry, waited, written);
        }
        together.slots.clear();
        self.together = together;
    }

    fn flush<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        if entry.rest.is_sealed() {
            return self.flush_sealed(slot, entry);
        }
        let mut budget = BYTES_PER_TURN_MAX;
        let waited = entry.charged > 0;
        while !entry.connection.outbox.is_empty() && !entry.writing.is_blocked() && budget > 0 {
            // One part goes by `send(2)`, which does not pass through the layers of files as `writev(2)` does.
            let written = match entry.connection.outbox.single() {
                Some(one) => entry.stream.write(one),
                None => write_several(entry, &mut self.gathered),
            };
            match written {
                Ok(written) => budget = budget.saturating_sub(written),
                Err(ref error) if error.kind() == ErrorKind::Interrupted => continue,
                // It is blocked or closed below.
                Err(_) => budget = 0,
            }
            self.note_written(slot, entry, waited, written);
        }
        self.charge(entry);
    }

    /// Takes in the outcome of a write. `waited` when earlier writes had left bytes.
    // Inlined into the ordinary flush, which most bytes take: as a call it was a tenth of a delivery.
    #[inline(always)]
    pub(super) fn note_written<S: Socket>(
        &mut self,
        slot: u32,
        entry: &mut Entry<S>,
        waited: bool,
        written: Result<usize>,
    ) {
        match written {
            Ok(written) => {
                self.setup.counters.bytes_out.add(written as u64);
                entry.connection.outbox.advance(written, &mut self.buffers);
                entry.connection.wrote(waited, self.ticks);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                entry.writing.block();
                // A new connection is on the list already.
                if entry.interest == Interest::Read {
                    self.interest_changed.push(slot);
                }
            }
            Err(_) => self.close_now(slot, entry, Code::PeerVanished),
        }
    }

    /// Brings the global budget up to date with what waits in an outbox.
    #[inline]
    pub(super) fn charge<S: Socket>(&mut self, entry: &mut Entry<S>) {
        // Most outboxes are empty after a flush, as before.
        if entry.connection.outbox.len() != entry.charged as usize {
            self.charge_anew(entry);
        }
    }

    /// The same, and of what waits sealed.
    pub(super) fn charge_anew<S: Socket>(&mut self, entry: &mut Entry<S>) {
        let waiting = entry.connection.outbox.len() + entry.rest.unsent();
        let left = u32::try_from(waiting).unwrap_or(u32::MAX);
        let boxes = &self.setup.postman.mailboxes;
        if left > entry.charged {
            let more = left - entry.charged;
            boxes.charge_outbox(more as usize);
            self.setup.counters.outbox_bytes.add(u64::from(more));
        } else {
            let fewer = entry.charged - left;
            boxes.credit_outbox(fewer as usize);
            self.setup.counters.outbox_bytes.sub(u64::from(fewer));
        }
        entry.charged = left;
    }

    /// Law 7: a reader is slow when a write has left more bytes than its limit and the next publication comes. Asked before
    /// the push, so that one publication always fits an outbox that is not over its limit, whatever its size: the bound is
    /// the limit and one publication. A reader whose socket takes everything holds more than its limit until the end of a
    /// tick at most: half the limit, a run, and the publication that ended the run. True when the reader was cut off.
    pub(super) fn judge_by_limit<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) -> bool {
        let slow = entry.writing.is_blocked()
            && entry.connection.outbox.len() > entry.connection.outbox_limit(&self.env(entry.listener));
        if slow {
            self.cut_off(slot, entry, Code::SlowConsumer);
        }
        slow
    }

    /// Law 7 for all readers together: when their bytes are more than the budget, readers whose sockets are full are cut off.
    pub(super) fn judge_by_budget<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let left = entry.writing.is_blocked() && !entry.connection.outbox.is_empty();
        if left && self.setup.postman.mailboxes.is_overdrawn() {
            self.cut_off(slot, entry, Code::OutboundBudget);
        }
    }

    fn cut_off<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, reason: Code) {
        if entry.closed.is_some() {
            return;
        }
        match entry.connection.ending() {
            None => {}
            // It was cut off before, so its outbox holds the rest of a frame and a goodbye; its deadline ends it.
            Some(Code::SlowConsumer | Code::OutboundBudget) => return,
            // It is ending for another reason, and does not read what it was owed before its end.
            Some(_) => {
                self.close_now(slot, entry, reason);
                return;
            }
        }
        self.note_slow(reason, entry);
        entry.connection.cut_off(reason, &mut self.env(entry.listener));
        self.charge_anew(entry);
    }

    /// Ends our stream after the last byte of a connection that is ending. The socket stays until the peer ends its side: one
    /// that is closed with bytes unread resets the connection, and the peer may lose what it was sent last.
    fn finish<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let Some(reason) = entry.connection.ending() else { return };
        if !entry.connection.outbox.is_empty() || entry.rest.has_unsent() || entry.closed.is_some() {
            return;
        }
        // `end` is true once, so our stream is ended once. If that fails, the peer is gone and its end never comes.
        let is_over = entry.reading.has_ended() || entry.writing.end() && entry.stream.end_output().is_err();
        if is_over {
            self.close_now(slot, entry, reason);
        }
    }
}
