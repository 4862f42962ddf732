//! The ledger: what is in progress, and for whom. What is not in it was answered already, or never asked.

use super::OrderId;
use crate::handoff::errand::Errand;
use crate::model::name::ChannelName;
use crate::node::answer::Answer;
use hashbrown::HashMap;
use smallvec::SmallVec;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// By a quick hash: no client chooses a number.
    entries: HashMap<u64, Entry>,
    serial: u64,
}

#[derive(Debug)]
enum Entry {
    Work(InProgress),
    Fill(ChannelName),
}

/// One for each item of a work that went away together: most have one.
pub(super) type Answers = SmallVec<[Option<Answer>; 1]>;

/// A work that waits for answers.
#[derive(Debug)]
struct InProgress {
    errand: Errand,
    answers: Answers,
    /// Those that are missing.
    missing: usize,
}

/// What an order was for.
#[derive(Debug)]
pub(super) enum For {
    /// A work, all answers of which are there now, in its order.
    Work(Errand, Answers),
    /// A channel whose gap is filled.
    Fill(ChannelName),
    /// A work that still waits, or nothing that is known: it was answered before.
    Nobody,
}

impl Ledger {
    /// A work of which `count` items are in progress.
    pub(super) fn begin(&mut self, errand: Errand, count: usize) -> u64 {
        let answers = std::iter::repeat_with(|| None).take(count).collect();
        self.insert(Entry::Work(InProgress { errand, answers, missing: count }))
    }

    /// A channel whose gap is to be filled.
    pub(super) fn begin_fill(&mut self, channel: ChannelName) -> OrderId {
        OrderId { serial: self.insert(Entry::Fill(channel)), place: 0 }
    }

    /// The work of an order, to be changed.
    pub(super) fn errand(&mut self, id: OrderId) -> Option<&mut Errand> {
        match self.entries.get_mut(&id.serial)? {
            Entry::Work(work) => Some(&mut work.errand),
            Entry::Fill(_) => None,
        }
    }

    /// Notes an answer, the first for its order: a second one changes nothing.
    pub(super) fn answer(&mut self, id: OrderId, answer: Answer) -> For {
        match self.entries.get_mut(&id.serial) {
            Some(Entry::Work(work)) => match work.answers.get_mut(id.place as usize) {
                Some(place @ None) => {
                    *place = Some(answer);
                    work.missing -= 1;
                    if work.missing > 0 { For::Nobody } else { self.end(id) }
                }
                _ => For::Nobody,
            },
            Some(Entry::Fill(_)) => self.end(id),
            None => For::Nobody,
        }
    }

    /// Ends what an order was for, with the answers that there are.
    pub(super) fn end(&mut self, id: OrderId) -> For {
        match self.entries.remove(&id.serial) {
            Some(Entry::Work(work)) => For::Work(work.errand, work.answers),
            Some(Entry::Fill(channel)) => For::Fill(channel),
            None => For::Nobody,
        }
    }

    /// How much is in progress.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    fn insert(&mut self, entry: Entry) -> u64 {
        self.serial += 1;
        self.entries.insert(self.serial, entry);
        self.serial
    }
}
