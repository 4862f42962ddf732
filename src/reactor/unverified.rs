//! Connections whose tokens no worker has had room for, in the order in which they came.

use crate::access::AccessRules;
use crate::model::ids::ConnId;
use crate::node::answer::Reply;
use std::collections::VecDeque;

/// See the module.
#[derive(Default)]
pub(super) struct Unverified {
    /// The first first. No more than there are connections, since each waits for one thing.
    waiting: VecDeque<Waiting>,
    /// The queues of the workers were found full in this tick.
    pub(super) is_full: bool,
    /// Those that try again in this tick. Where that fails, they keep their places.
    trying: Vec<ConnId>,
    /// How many of them have tried in vain.
    in_vain: usize,
    /// There is, or was, somebody whose tokens count: a server without issuers spends nothing on them in its ticks.
    may_come: bool,
}

/// A connection that waits, with its answer if that does.
pub(super) struct Waiting {
    pub(super) to: ConnId,
    pub(super) then: Option<Box<Reply>>,
}

impl Unverified {
    /// Rules are in force from now on. Tokens that wait are judged by them also where they accept none.
    pub(super) fn note_rules(&mut self, rules: &AccessRules) {
        self.may_come |= !rules.issuers.is_empty();
    }

    /// Whether a token can have come.
    #[inline]
    pub(super) fn may_come(&self) -> bool {
        self.may_come
    }

    pub(super) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    /// Whether the next tick has to begin anew.
    #[inline]
    pub(super) fn have_to_try(&self) -> bool {
        !(self.waiting.is_empty() && self.trying.is_empty())
    }

    /// A tick begins.
    pub(super) fn begin(&mut self) {
        self.is_full = false;
        self.in_vain = 0;
        self.trying.clear();
    }

    /// The next that tries again in this tick.
    pub(super) fn next(&mut self) -> Option<Waiting> {
        let waiting = self.waiting.pop_front()?;
        self.trying.push(waiting.to);
        Some(waiting)
    }

    /// There was no room for one.
    pub(super) fn wait(&mut self, waiting: Waiting) {
        self.is_full = true;
        let is_again = self.trying.contains(&waiting.to);
        let place = if is_again { self.in_vain } else { self.waiting.len() };
        self.in_vain += usize::from(is_again);
        self.waiting.insert(place, waiting);
    }
}

#[cfg(test)]
mod tests {
    use super::{Unverified, Waiting};
    use crate::model::ids::{ConnId, MailboxId};

    fn wait(unverified: &mut Unverified, slot: u32) {
        unverified.wait(Waiting { to: ConnId::here(MailboxId(0), slot, 0), then: None });
    }

    /// All that wait, by their slots.
    fn all(mut unverified: Unverified) -> Vec<u32> {
        std::iter::from_fn(|| unverified.next()).map(|waiting| waiting.to.slot).collect()
    }

    #[test]
    fn who_tries_in_vain_keeps_its_place_before_those_that_came_later() {
        let mut unverified = Unverified::default();
        assert!(unverified.is_empty() && !unverified.have_to_try());
        (1..=5).for_each(|slot| wait(&mut unverified, slot));
        assert!(unverified.is_full && unverified.have_to_try());
        unverified.begin();
        assert!(!unverified.is_full);
        let tried: Vec<_> = (0..4).filter_map(|_| unverified.next()).map(|waiting| waiting.to.slot).collect();
        assert_eq!(tried, [1, 2, 3, 4]);
        // The first found room.
        for slot in [2, 3, 6, 4, 7] {
            wait(&mut unverified, slot);
        }
        assert_eq!(all(unverified), [2, 3, 4, 5, 6, 7]);
    }

    #[test]
    fn a_tick_after_the_last_one_begins_anew() {
        let mut unverified = Unverified::default();
        wait(&mut unverified, 1);
        unverified.begin();
        assert!(unverified.next().is_some() && unverified.is_empty());
        assert!(unverified.have_to_try(), "what tried in this tick is forgotten in the next");
        unverified.begin();
        assert!(!unverified.have_to_try());
    }
}
