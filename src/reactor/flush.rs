//! The phase `flush_dirty`: one write per connection that has something to say, and the judgement on slow readers.

use super::core::Core;
use super::entry::{Entries, Entry, Interest, Socket, Writing};
use super::run::GATHER_BYTES_MAX;
use super::together::CONNECTIONS_LEAST;
use crate::close::Reason;
use crate::connection::Transport;
use crate::connection::outbox::SLICES_MAX;
use std::io::{ErrorKind, IoSlice, Result};

/// Bytes written to one connection in one tick; what is left waits for the next.
const BYTES_PER_TURN: usize = 4 * 1024 * 1024;

/// Writes as many parts as fit in one call.
fn write_several<S: Socket>(entry: &mut Entry<S>, gathered: &mut Vec<u8>) -> Result<usize> {
    if entry.connection.outbox.len() <= GATHER_BYTES_MAX {
        gathered.clear();
        entry.connection.outbox.parts().for_each(|part| gathered.extend_from_slice(part));
        return entry.stream.write(gathered);
    }
    let mut slices = [IoSlice::new(&[]); SLICES_MAX];
    let filled = entry.connection.outbox.slices(&mut slices);
    entry.stream.write_vectored(&slices[..filled])
}

/// Whether a connection that was flushed is a socket with nothing left to write, to read or to end: then nothing but its
/// outbox has changed, and its deadline is filed already.
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
        let dirty = std::mem::take(&mut self.dirty);
        self.flush_together(&dirty, entries);
        for &slot in &dirty {
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
        if self.dirty.is_empty() {
            let mut dirty = dirty;
            dirty.clear();
            self.dirty = dirty;
        }
    }

    /// Writes once to each of the dirty connections, if they are many enough. What is left in an outbox, or could not be
    /// written in this way, is left to the ordinary flush behind it.
    pub(super) fn flush_together<S: Socket>(&mut self, dirty: &[u32], entries: &mut Entries<S>) {
        if self.together.ring.is_none() || dirty.len() < CONNECTIONS_LEAST {
            return;
        }
        let mut together = std::mem::take(&mut self.together);
        if let Err(error) = together.send(dirty, entries) {
            log::warn!(event = "io_uring"; "io_uring failed ({error}): from here on as with io.flush = \"writev\"");
            together.ring = None;
        }
        self.setup.counters.sent_together.add(together.results.len() as u64);
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
        let mut budget = BYTES_PER_TURN;
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
                Err(_) => budget = 0,
            }
            self.note_written(slot, entry, waited, written);
        }
        self.charge(entry);
    }

    /// What came of a write. `waited` when bytes of it had been left behind before.
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
                entry.connection.outbox.advance(written, &mut self.spares);
                entry.connection.wrote(waited, self.ticks);
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                entry.writing.block();
                if entry.interest == Interest::Read {
                    self.interest_changed.push(slot);
                }
            }
            Err(_) => self.close_now(slot, entry, Reason::PeerVanished),
        }
    }

    /// Counts what is left behind in the global budget, and what is no longer.
    pub(super) fn charge<S: Socket>(&mut self, entry: &mut Entry<S>) {
        let left = u32::try_from(entry.connection.outbox.len()).unwrap_or(u32::MAX);
        if left == entry.charged {
            return;
        }
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

    /// Law 7: slow is who has more bytes left after a write attempt than its limit when the next publication comes. Asked
    /// before the push, so that one publication always fits an outbox that is not over its limit, whatever its size: the
    /// bound is the limit and one publication. One whose socket takes what it is given has more for the rest of a tick at
    /// most: half its limit, a run, and the publication that ended the run. True when the reader was cut off.
    pub(super) fn judge_by_limit<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) -> bool {
        let slow = entry.writing.is_blocked()
            && entry.connection.outbox.len() > entry.connection.outbox_limit(&self.env(entry.address));
        if slow {
            self.cut_off(slot, entry, Reason::SlowConsumer);
        }
        slow
    }

    /// Law 7 for all readers together: when their bytes are more than the budget, those who have some left are cut off.
    pub(super) fn judge_by_budget<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let left = entry.writing.is_blocked() && !entry.connection.outbox.is_empty();
        if left && self.setup.postman.mailboxes.is_overdrawn() {
            self.cut_off(slot, entry, Reason::OutboundBudget);
        }
    }

    fn cut_off<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, reason: Reason) {
        if entry.closed.is_some() {
            return;
        }
        match entry.connection.ending() {
            None => {}
            // It was cut off before, so it holds the rest of a frame and a goodbye; its deadline ends it.
            Some(Reason::SlowConsumer | Reason::OutboundBudget) => return,
            Some(_) => {
                self.close_now(slot, entry, reason);
                return;
            }
        }
        self.note_slow(reason, entry);
        entry.connection.cut_off(reason, &mut self.env(entry.address));
        self.charge(entry);
    }

    /// Ends our stream behind the last byte of a connection that is ending, and waits for the peer's end.
    fn finish<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let Some(reason) = entry.connection.ending() else { return };
        if !entry.connection.outbox.is_empty() || entry.closed.is_some() {
            return;
        }
        if entry.reading.has_ended() {
            self.close_now(slot, entry, reason);
        } else if entry.writing.end() && entry.stream.end_output().is_err() {
            self.close_now(slot, entry, reason);
        }
    }
}
