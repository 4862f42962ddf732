//! The goodbyes of a drain: spread over a time, announced to clients that can leave before theirs, each after everything that was
//! posted before it, and an end for the connections that stay.

use super::core::Core;
use super::engine::Engine;
use super::entry::{Entry, Socket};
use super::goodbyes::{Goodbyes, Leaving, Place};
use crate::model::code::Code;
use std::time::{Duration, Instant};

/// Rounds of delivery before goodbyes: a full mailbox at the default size takes a few.
const LAST_ROUNDS: usize = 256;
/// How long a drain waits for connections that ignore their goodbye, after the last sign of life of any connection.
pub(super) const LINGER: Duration = Duration::from_secs(1);

impl<S: Socket> Engine<S> {
    /// Begins to say goodbye: from now on no connection is accepted, and every answer is the last of its connection.
    pub(crate) fn begin_goodbyes(&mut self, spread: Duration) {
        let now = self.core.now;
        self.core.draining = true;
        self.core.leaving = true;
        // With generations: by the time of a goodbye its slot may be another connection's.
        let slots = self.entries.slots();
        let (count, mut leaving) = (slots.len(), Vec::with_capacity(slots.len()));
        for (place, slot) in slots.into_iter().enumerate() {
            let Some(entry) = self.entries.get(slot) else { continue };
            let place = Place { place, count, spread };
            // Where all leave at once there is nothing to wait for.
            let advice = if spread.is_zero() { None } else { self.core.advise(slot, entry, place) };
            let after = advice.map_or(place.in_turn(), |advised| advised + place.patience());
            leaving.push(Leaving { slot, generation: entry.generation, after });
        }
        leaving.sort_by_key(|leaving| leaving.after);
        let left = leaving.len();
        self.goodbyes = Some(Goodbyes { leaving, told: 0, began: now, last_sign: now, bytes: 0, left });
    }

    /// Says the goodbyes that are due, after what was posted before.
    pub(crate) fn say_goodbyes(&mut self) {
        let Some(mut goodbyes) = self.goodbyes.take() else { return };
        let now = self.core.now;
        let due = goodbyes.due(now);
        // Also those whose goodbye is not due may read what is delivered: it is flushed as in any tick.
        if goodbyes.told < due {
            self.look_once_more(&goodbyes.leaving[goodbyes.told..due]);
            self.deliver_what_was_posted();
            for &Leaving { slot, generation, .. } in &goodbyes.leaving[goodbyes.told..due] {
                let Some(entry) = self.entries.get_exact(slot, generation) else { continue };
                entry.connection.close(Code::ServerShutdown, &mut self.core.env(entry.listener));
                self.core.update(slot, entry);
            }
            goodbyes.told = due;
            goodbyes.last_sign = now;
        }
        let (bytes, left) = (self.core.setup.counters.bytes_out.get(), self.entries.len());
        if (bytes, left) != (goodbyes.bytes, goodbyes.left) {
            (goodbyes.bytes, goodbyes.left) = (bytes, left);
            goodbyes.last_sign = now;
        }
        self.goodbyes = Some(goodbyes);
    }

    /// Has those read that leave now: what came since the kernel was asked is answered, too.
    fn look_once_more(&mut self, leaving: &[Leaving]) {
        for &Leaving { slot, generation, .. } in leaving {
            let Some(entry) = self.entries.get_exact(slot, generation) else { continue };
            entry.reading.note_event(true, false);
            self.core.update(slot, entry);
        }
    }

    fn deliver_what_was_posted(&mut self) {
        // What came before the goodbye is answered before it (law 2).
        self.read_ready(u64::MAX);
        for _ in 0..LAST_ROUNDS {
            self.drain_mailbox();
            // A round stops where an outbox is half full, so each is followed by a flush.
            self.core.flush_dirty(&mut self.entries);
            if !self.mailbox_has_more {
                break;
            }
        }
    }

    /// Whether all connections that are left had their goodbye and did nothing for [`LINGER`]: then the drain is over. One
    /// that waits for an answer is not of these.
    pub(crate) fn only_the_unresponsive_are_left(&mut self) -> bool {
        let now = self.core.now;
        let Some(goodbyes) = &mut self.goodbyes else { return false };
        if goodbyes.told < goodbyes.leaving.len() || now < goodbyes.last_sign + LINGER {
            return false;
        }
        // It walks over all connections, so it is done once in that time.
        goodbyes.last_sign = now;
        self.entries.slots().into_iter().all(|slot| {
            self.entries.peek(slot).is_none_or(|entry| entry.connection.ending().is_some() || entry.closed.is_some())
        })
    }

    /// How many connections are still owed bytes or an answer. A peer that was sent everything and does not end its side loses
    /// nothing: a phone that vanished, or a browser that keeps idle connections until it needs them.
    pub(crate) fn owed(&self) -> usize {
        let is_owed = |entry: &Entry<S>| {
            let has_all = entry.connection.outbox.is_empty() && !entry.rest.has_unsent();
            let is_answered = entry.connection.ending().is_some() || entry.connection.is_silent();
            entry.closed.is_none() && !(is_answered && has_all)
        };
        self.entries.slots().into_iter().filter(|slot| self.entries.peek(*slot).is_some_and(is_owed)).count()
    }

    /// When the drain has something to do again.
    pub(super) fn next_goodbye(&self, now: Instant) -> Option<Instant> {
        let goodbyes = self.goodbyes.as_ref()?;
        Some(goodbyes.next(now).unwrap_or(goodbyes.last_sign + LINGER))
    }
}

impl Core {
    /// Advises a connection's client when to leave, at random within its part of the spread; after how long, if it can hear that.
    fn advise<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>, place: Place) -> Option<Duration> {
        // In whole milliseconds, as the client hears it.
        let after_ms = place.drawn((self.setup.draw)()).as_millis() as u64;
        if !entry.connection.advise(after_ms, &mut self.env(entry.listener)) {
            return None;
        }
        self.update(slot, entry);
        Some(Duration::from_millis(after_ms))
    }
}
