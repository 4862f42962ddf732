//! What a thread does when it is time.

use super::Worker;
use super::alarm::{Timer, What};
use crate::clock::Nanos;

impl Worker {
    pub(super) fn set_timer(&mut self, at: Nanos, what: What) {
        self.timers.push(Timer { at, what });
    }

    /// Does what is due by timers and deadlines.
    pub(super) fn fire(&mut self, now: Nanos) {
        while self.timers.peek().is_some_and(|timer| timer.at <= now) {
            let Some(Timer { what, .. }) = self.timers.pop() else { break };
            match what {
                What::End(token) => self.end_life(token),
                What::Sip(token) => self.sip(token, now),
                What::Return { part, local, cut } => self.come_back(part, local, cut, now),
                What::Outage { part } => self.cut_all(part, now),
            }
        }
        while self.deadlines.front().is_some_and(|(deadline, _)| *deadline <= now) {
            let Some((_, token)) = self.deadlines.pop_front() else { break };
            self.too_late(token, now);
        }
    }
}
