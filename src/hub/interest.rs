//! How many subscriptions to one channel each mailbox holds.

use crate::model::ids::MailboxId;
use smallvec::SmallVec;

/// The counts, in no order. A mailbox is named while its count is above zero.
#[derive(Debug, Default)]
pub(super) struct Interest {
    counts: SmallVec<[(MailboxId, u32); 2]>,
}

impl Interest {
    /// Counts one more subscription.
    pub(super) fn add(&mut self, mailbox: MailboxId) {
        match self.counts.iter_mut().find(|(owner, _)| *owner == mailbox) {
            Some((_, count)) => *count = count.saturating_add(1),
            None => self.counts.push((mailbox, 1)),
        }
    }

    /// Counts one subscription less; false when the mailbox holds none.
    pub(super) fn remove(&mut self, mailbox: MailboxId) -> bool {
        let Some(place) = self.counts.iter().position(|(owner, _)| *owner == mailbox) else {
            return false;
        };
        self.counts[place].1 -= 1;
        if self.counts[place].1 == 0 {
            // Not kept at zero: a publication reserves room in every mailbox that is named, and a channel with any is
            // never idle.
            self.counts.swap_remove(place);
        }
        true
    }

    /// The mailboxes that hold at least one.
    pub(super) fn mailboxes(&self) -> impl Iterator<Item = MailboxId> + '_ {
        self.counts.iter().map(|(mailbox, _)| *mailbox)
    }

    /// Subscriptions of all mailboxes together.
    #[must_use]
    pub(super) fn total(&self) -> u64 {
        self.counts.iter().map(|(_, count)| u64::from(*count)).sum()
    }

    /// Whether there is none.
    #[must_use]
    pub(super) fn is_empty(&self) -> bool {
        self.counts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::Interest;
    use crate::model::ids::MailboxId;

    #[test]
    fn counts_rise_and_fall_per_mailbox_and_never_below_zero() {
        let mut interest = Interest::default();
        for mailbox in [1, 2, 3, 2] {
            interest.add(MailboxId(mailbox));
        }
        assert_eq!((interest.total(), interest.mailboxes().count()), (4, 3));
        assert_eq!((interest.remove(MailboxId(2)), interest.remove(MailboxId(9))), (true, false));
        assert_eq!((interest.remove(MailboxId(2)), interest.remove(MailboxId(2))), (true, false));
        assert_eq!((interest.remove(MailboxId(1)), interest.remove(MailboxId(3))), (true, true));
        assert!(interest.is_empty() && interest.total() == 0);
    }
}
