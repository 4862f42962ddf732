//! Connections that are much work for the codec: they wait for all others, and take at most a quarter of a reactor's time.
//!
//! A kilobyte on the wire may be a megabyte to inflate and to compress again. Where all cores are busy, every thread that
//! wakes up waits for the scheduler, so a tick with such work is followed by three times as long without it. Measured on two
//! cores with 20 attackers, p99 of a push against that of a server which is not attacked on the same machine: 2.4 with a rest
//! as long as the work, 1.5 with three times that.
//!
//! No rest follows TLS handshakes, which wait for all others too: each costs a client a connection and as much work, and after a
//! restart everybody comes with one.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// A turn or a tick in which the codec worked on at least this many bytes was heavy.
pub(super) const HEAVY_CODEC_BYTES: u64 = 64 * 1024;
/// A rest is this many times as long as the work.
const RESTS: u32 = 3;
/// The longest rest, whatever the tick took: a machine may have been stopped meanwhile.
const REST_MAX: Duration = Duration::from_millis(100);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Heavy {
    waiting: VecDeque<u32>,
    /// Bytes that the codec worked on in this tick.
    worked: u64,
    /// Those of them that bring no rest.
    restless: u64,
    /// None of them gets a turn before this.
    rests_until: Option<Instant>,
}

impl Heavy {
    /// Adds a connection that has something to read and whose last turn was heavy.
    pub(super) fn push(&mut self, slot: u32) {
        self.waiting.push_back(slot);
    }

    /// How many may get a turn at `now`.
    #[inline]
    pub(super) fn due(&self, now: Instant) -> usize {
        if self.waiting.is_empty() || self.rests_until.is_some_and(|until| now < until) {
            return 0;
        }
        self.waiting.len()
    }

    /// How many there are, for a last look at everything.
    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The one that has waited longest.
    pub(super) fn pop(&mut self) -> Option<u32> {
        self.waiting.pop_front()
    }

    /// Notes that the codec worked on so many bytes in this tick.
    #[inline]
    pub(super) fn note(&mut self, worked: u64) {
        self.worked += worked;
    }

    /// Notes that so many of the bytes of this tick are those of a handshake.
    #[inline]
    pub(super) fn note_handshake(&mut self, worked: u64) {
        self.restless += worked;
    }

    /// A tick is over. A connection that is `alone` in the server delays no other, so no rest follows its work.
    #[inline]
    pub(super) fn end_tick(&mut self, began: Instant, ended: Instant, alone: bool) {
        // Taken in any case, so that work done alone brings no rest to a later tick.
        let worked = std::mem::take(&mut self.worked).saturating_sub(std::mem::take(&mut self.restless));
        if worked >= HEAVY_CODEC_BYTES && !alone {
            self.rests_until = Some(ended + (ended.saturating_duration_since(began) * RESTS).min(REST_MAX));
        }
    }

    /// How long the next of them has to wait.
    pub(super) fn wait(&self, now: Instant) -> Option<Duration> {
        let until = self.rests_until.filter(|_| !self.waiting.is_empty())?;
        Some(until.saturating_duration_since(now))
    }
}

#[cfg(test)]
mod tests {
    use super::{HEAVY_CODEC_BYTES, Heavy, REST_MAX};
    use std::time::{Duration, Instant};

    #[test]
    fn a_heavy_tick_is_followed_by_a_rest_and_a_light_one_by_none() {
        let start = Instant::now();
        let at = |micros| start + Duration::from_micros(micros);
        let mut heavy = Heavy::default();
        heavy.push(7);
        assert_eq!((heavy.due(at(0)), heavy.wait(at(0))), (1, None));
        heavy.note(HEAVY_CODEC_BYTES - 1);
        heavy.end_tick(at(0), at(500), false);
        assert_eq!((heavy.due(at(500)), heavy.wait(at(500))), (1, None), "light");
        heavy.note(HEAVY_CODEC_BYTES);
        heavy.end_tick(at(500), at(1_200), false);
        assert_eq!(heavy.due(at(3_299)), 0);
        assert_eq!(heavy.wait(at(3_200)), Some(Duration::from_micros(100)));
        assert_eq!(heavy.due(at(3_300)), 1);
        assert_eq!(heavy.wait(at(3_400)), Some(Duration::ZERO), "due at once");
        assert_eq!(heavy.pop(), Some(7));
        assert_eq!(heavy.wait(at(1_200)), None, "none waits");
    }

    #[test]
    fn no_rest_follows_handshakes_and_one_follows_other_work_beside_them() {
        let (mut heavy, start) = (Heavy::default(), Instant::now());
        heavy.push(7);
        let ended = start + Duration::from_millis(1);
        for (worked, of_handshakes, rests) in [(4, 4, false), (1, 0, true), (5, 4, true), (0, 0, false)] {
            heavy.rests_until = None;
            heavy.note(worked * HEAVY_CODEC_BYTES);
            heavy.note_handshake(of_handshakes * HEAVY_CODEC_BYTES);
            heavy.end_tick(start, ended, false);
            assert_eq!(heavy.due(ended) == 0, rests, "{worked}, {of_handshakes} of handshakes");
        }
    }

    /// One that waits, after a heavy tick that took `tick`; and its end.
    fn after(tick: Duration, alone: bool) -> (Heavy, Instant) {
        let (mut heavy, began) = (Heavy::default(), Instant::now());
        heavy.push(7);
        heavy.note(HEAVY_CODEC_BYTES);
        heavy.end_tick(began, began + tick, alone);
        (heavy, began + tick)
    }

    #[test]
    fn a_connection_that_is_alone_does_not_rest() {
        let (heavy, ended) = after(Duration::from_millis(1), true);
        assert_eq!((heavy.due(ended), heavy.wait(ended)), (1, None));
    }

    #[test]
    fn a_stopped_machine_is_not_rested_for() {
        let (heavy, ended) = after(Duration::from_secs(15), false);
        assert_eq!(heavy.wait(ended), Some(REST_MAX));
    }
}
