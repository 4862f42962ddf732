//! The phase `read_ready`: bytes from sockets into connections, within budgets.

use super::core::Core;
use super::entry::{Entries, Entry, Left, Socket};
use super::heavy::HEAVY_CODEC_BYTES;
use super::noted::write_notes;
use super::submit::Gathered;
use crate::connection::{Hold, Step};
use crate::model::code::Code;
use crate::model::ids::ConnId;
use std::io::{ErrorKind, IoSliceMut};

/// Reads from one connection in one turn: a fast sender must not keep the others waiting.
const READS_PER_TURN: usize = 4;
/// Requests of one connection in one turn.
const REQUESTS_PER_TURN: usize = 256;

/// Bytes read in one tick before the tick goes on to the flush: clients that were answered go on while others are read, and
/// what was read is answered while it is in the cache.
pub(super) const READ_BYTES_PER_TICK: u64 = 64 * 1024;
/// Connections read in one tick before those bytes count: large messages share a tick too.
const TURNS_PER_TICK_MIN: usize = 4;
/// Bytes read in one tick after which they count in any case, so that large messages are answered while they are in the cache.
const READ_BYTES_PER_TICK_MAX: u64 = 1024 * 1024;

/// Bytes inflated and compressed for one connection in one turn, and for all in one tick: a thousandth of them may have been
/// sent. One message more may come on top, whatever its size.
const CODEC_BYTES_PER_TURN_MAX: u64 = 256 * 1024;

impl Core {
    /// Gives the connections on the list one turn each, until `bytes_max` were read. The others, and after them those with more
    /// to do, stay on the list for the next tick. Those that were much work for the codec are on a list of their own, of which
    /// each tick takes a little: a peer whose kilobytes are megabytes when inflated delays only others that do the same.
    pub(super) fn read_ready<S: Socket>(&mut self, entries: &mut Entries<S>, scratch: &mut [u8], bytes_max: u64) {
        let mut ready = std::mem::take(&mut self.ready);
        let before = self.bytes_read();
        let mut worked = 0;
        let is_last = bytes_max == u64::MAX;
        let codec_max = if is_last { u64::MAX } else { CODEC_BYTES_PER_TURN_MAX };
        let (mut place, mut heavy_left) = (0, None);
        loop {
            let read = self.bytes_read() - before;
            let is_early = place < TURNS_PER_TICK_MIN && read < READ_BYTES_PER_TICK_MAX;
            let has_budget = worked < codec_max && (is_early || read < bytes_max);
            let slot = if has_budget && let Some(&slot) = ready.get(place) {
                place += 1;
                slot
            } else if let Some(slot) = self.next_heavy(&mut heavy_left, worked < codec_max, is_last) {
                slot
            } else {
                break;
            };
            // The only call of it, so that all of a turn is inlined here.
            worked += self.read_one(slot, entries, scratch);
        }
        if place < ready.len() {
            // Those that got no turn come before those that have had one and have more.
            ready.drain(..place);
            ready.append(&mut self.ready);
            self.ready = ready;
        } else if self.ready.is_empty() {
            // Keep the list's memory.
            ready.clear();
            self.ready = ready;
        }
        self.heavy.note(worked);
    }

    /// What was read so far, for the budget of a tick: of TLS what was opened, since a record of one byte costs what many cost.
    #[inline]
    fn bytes_read(&self) -> u64 {
        self.setup.counters.bytes_in.get() + self.sealed.overhead()
    }

    /// The next of those that were heavy and due when this was first asked. A tick takes at least one of them, or connections
    /// that are less work could keep them waiting for ever.
    #[inline]
    fn next_heavy(&mut self, left: &mut Option<usize>, has_budget: bool, is_last: bool) -> Option<u32> {
        let is_first = left.is_none();
        let (heavy, now) = (&self.heavy, self.now);
        let left = left.get_or_insert_with(|| if is_last { heavy.len() } else { heavy.due(now) });
        if *left == 0 || !(is_first || has_budget) {
            return None;
        }
        *left -= 1;
        self.heavy.pop()
    }

    /// Gives one connection its turn. Returns how many bytes the codec worked on.
    #[inline(always)]
    fn read_one<S: Socket>(&mut self, slot: u32, entries: &mut Entries<S>, scratch: &mut [u8]) -> u64 {
        let Some(entry) = entries.get(slot) else { return 0 };
        if !entry.turn.take() || entry.closed.is_some() {
            return 0;
        }
        let before = self.codec.worked_bytes();
        let to = super::entry::name_of(self.setup.postman.own, slot, entry.generation);
        if self.meter.in_force().any() {
            self.begin_turn(to, entry);
        }
        self.catch_panic(slot, entry, |core, entry| core.turn(to, entry, scratch));
        self.setup.postman.pay_wakes();
        if self.meter.has_places() {
            self.keep_places(slot);
        }
        // After a panic the codec is a new one.
        let worked = self.codec.worked_bytes().saturating_sub(before);
        entry.turn.end(worked >= HEAVY_CODEC_BYTES || entry.connection.is_packed_echo());
        self.update(slot, entry);
        worked
    }

    fn turn<S: Socket>(&mut self, to: ConnId, entry: &mut Entry<S>, scratch: &mut [u8]) {
        let mut requests = REQUESTS_PER_TURN;
        for _ in 0..READS_PER_TURN {
            if !entry.connection.wants_input(&self.env(entry.listener)) {
                return;
            }
            let (kept, is_pending) = entry.rest.take(scratch);
            // What is pending needs no more bytes: reading on would let the rest grow with each turn.
            let must_read = entry.reading.is_readable() && !is_pending;
            let read = if entry.rest.is_sealed() {
                if must_read || !is_pending && entry.rest.is_pending() {
                    self.read_sealed(to.slot, entry, &mut scratch[kept..])
                } else {
                    0
                }
            } else if !must_read {
                0
            } else if kept == 0 && entry.connection.is_mid_message() {
                self.read_on(to, entry, scratch)
            } else {
                // There is room: an incomplete rest is part of a frame's header or of a control frame, at most 130 bytes, or
                // of a PROXY header, at most 536. A read into no room would look like the peer's end.
                let read = entry.stream.read(&mut scratch[kept..]);
                self.note_read(to.slot, entry, read, scratch.len() - kept)
            };
            // The read failed: what came before is of no use, since no answer can be sent.
            if entry.closed.is_some() {
                return;
            }
            let filled = kept + read;
            let (consumed, left) = self.feed(to, entry, &mut scratch[..filled], &mut requests);
            entry.rest.keep(&scratch[consumed..filled], left);
            let wants_input = entry.connection.wants_input(&self.env(entry.listener));
            if !wants_input || requests == 0 || !entry.reading.is_readable() || entry.turn.is_paused() {
                break;
            }
        }
        if entry.reading.has_ended() && !entry.rest.is_pending() {
            self.end_of_input(to.slot, entry);
        }
    }

    /// Lets the connection consume `input`: how many bytes it did, and why it left the others.
    fn feed<S: Socket>(
        &mut self,
        to: ConnId,
        entry: &mut Entry<S>,
        input: &mut [u8],
        requests: &mut usize,
    ) -> (usize, Left) {
        let mut gathered = None;
        let fed = self.feed_on(to, entry, input, requests, &mut gathered);
        if let Some(gathered) = gathered {
            self.depart(gathered);
            entry.connection.submitted(0, Hold::Elsewhere);
        }
        fed
    }

    #[inline(always)]
    fn feed_on<S: Socket>(
        &mut self,
        to: ConnId,
        entry: &mut Entry<S>,
        input: &mut [u8],
        requests: &mut usize,
        gathered: &mut Option<Gathered>,
    ) -> (usize, Left) {
        let mut consumed = 0;
        let before = self.codec.worked_bytes();
        loop {
            let mut env = self.env(entry.listener);
            let mut raw = loop {
                if env.codec.worked_bytes() - before >= CODEC_BYTES_PER_TURN_MAX {
                    *requests = 0;
                }
                if *requests == 0 || !entry.connection.wants_input(&env) {
                    return (consumed, Left::Pending);
                }
                if let Some(gathered) = &gathered
                    && !(gathered.takes_more && entry.connection.has_message(&input[consumed..], env.limits))
                {
                    return (consumed, Left::Pending);
                }
                let (used, step) = entry.connection.step(&mut input[consumed..], &mut env);
                consumed += used;
                match step {
                    Step::NeedMore => return (consumed, Left::Incomplete),
                    Step::Continue => {
                        *requests -= 1;
                        // Before the next request, which a proxy may send for another client.
                        if !env.notes.is_empty() {
                            write_notes(env.notes, &entry.stream, entry.connection.peer());
                        }
                    }
                    // Out of the loop whose `env` borrows what executing it needs.
                    Step::Work(raw) => break raw,
                    Step::Verify(verification) => {
                        entry.connection.submitted(0, Hold::Elsewhere);
                        self.verify_elsewhere(to, entry.listener, verification, None);
                        return (consumed, Left::Pending);
                    }
                }
            };
            *requests -= 1;
            if self.meter.in_force().bytes() && !entry.turn.is_paused() {
                self.charge_body(to, &mut entry.turn, &mut raw);
                if entry.turn.is_paused() {
                    // After a body that was too large all that follows waits, as if it had not come yet.
                    *requests = 0;
                }
            }
            let (answers, hold) = self.submit_next(to, raw, gathered);
            entry.connection.submitted(answers, hold);
        }
    }

    /// Reads the rest of a large message to where it is gathered, without a copy, and what follows it into `scratch`. Returns
    /// how many bytes followed it.
    #[inline(never)]
    fn read_on<S: Socket>(&mut self, to: ConnId, entry: &mut Entry<S>, scratch: &mut [u8]) -> usize {
        let after = scratch.len();
        let Some(room) = entry.connection.room() else {
            let read = entry.stream.read(scratch);
            return self.note_read(to.slot, entry, read, after);
        };
        let before = room.len();
        let read = entry.stream.read_vectored(&mut [IoSliceMut::new(room), IoSliceMut::new(scratch)]);
        let read = self.note_read(to.slot, entry, read, before + after);
        if read > 0 {
            let step = entry.connection.filled(read.min(before), &mut self.env(entry.listener));
            if let Step::Work(raw) = step {
                let (answers, hold) = self.submit(to, raw);
                entry.connection.submitted(answers, hold);
            }
        }
        read.saturating_sub(before)
    }

    /// Takes in the outcome of a read that had `room` bytes. Returns how many came.
    #[inline(always)]
    fn note_read<S: Socket>(
        &mut self,
        slot: u32,
        entry: &mut Entry<S>,
        read: std::io::Result<usize>,
        room: usize,
    ) -> usize {
        match read {
            Ok(0) => {
                entry.reading.note_end();
                0
            }
            Ok(read) => {
                self.setup.counters.bytes_in.add(read as u64);
                if self.meter.in_force().bytes() {
                    self.charge_read(slot, entry, read);
                }
                if read < room {
                    entry.reading.note_short_read();
                }
                read
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                entry.reading.note_empty();
                0
            }
            // It is still readable: the next round reads again.
            Err(error) if error.kind() == ErrorKind::Interrupted => 0,
            Err(_) => {
                entry.reading.note_empty();
                self.close_now(slot, entry, Code::PeerVanished);
                0
            }
        }
    }

    fn end_of_input<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        // What is sealed is no longer in its outbox, and is owed all the same; `update` sees to the end after it.
        if entry.rest.has_unsent() {
            return;
        }
        // A peer that only ended its side reads what it is owed first; `update` closes it after that.
        if let Some(reason) = entry.connection.end_of_input(entry.rest.is_empty())
            && (reason == Code::PeerVanished || entry.connection.outbox.is_empty())
        {
            self.close_now(slot, entry, reason);
        }
    }
}
