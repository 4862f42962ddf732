//! Who has received what: the accounts of connections that are gone, and those of the end.

use super::super::accounting;
use super::super::client::Codec;
use super::super::tracker::Tracker;
use super::Worker;
use super::estate::{Estate, Gone};
use crate::plan::Task;

/// Turns of sending in which what is overdue at the end may still leave.
const LAST_TURNS: usize = 16;

/// A place: a part of a group, and a number in it.
type Place = (usize, u32);

impl Worker {
    /// What became of the messages of a connection that is gone. What the server dropped stays due to it.
    pub(super) fn account_for(&mut self, place: Place, client: super::Client, gone: Gone, was_open: bool) {
        let plan = std::rc::Rc::clone(&self.accounting.plan);
        let group = &plan.groups[place.0];
        if let Codec::Answers(answers) = &client.codec {
            answers.backlog.iter().for_each(|(stream, _)| self.accounting.not_sent(Some(*stream)));
        }
        let resumes = self.accounting.adapter.resumes() && client.memory.positions.is_some();
        if resumes {
            self.memories.insert(place, client.memory);
        }
        match group.task {
            Task::Echo { .. } => return self.settle_echo(&client.trackers, client.sent),
            Task::Subscribe => {}
            _ => return,
        }
        let number = self.accounting.share.global(u64::from(place.1));
        let is_slow = group.slow.is_some_and(|slow| slow.has(number));
        let keeps = match gone {
            Gone::Left => resumes,
            Gone::Cut => true,
            // One that reads badly may be cut off.
            Gone::Dropped => resumes || client.heir || was_open && !is_slow,
        };
        if keeps {
            let forgiven = gone == Gone::Cut && !resumes;
            self.estates.insert(place, Estate { trackers: client.trackers, forgiven });
        } else {
            self.count_received(&client.trackers);
        }
    }

    /// What a connection in a place goes on with.
    pub(super) fn inherit(&mut self, place: Place) -> Option<Box<[Tracker]>> {
        let estate = self.estates.remove(&place)?;
        if !estate.forgiven {
            return Some(estate.trackers);
        }
        self.estates.insert(place, estate);
        None
    }

    /// A connection is usable again in a slot where one was cut off: what was published meanwhile had no receiver there.
    pub(super) fn forgive(&mut self, place: Place) {
        if let Some(estate) = self.estates.remove(&place) {
            self.count_received(&estate.trackers);
        }
    }

    /// What became of the echoes of one connection.
    fn settle_echo(&mut self, trackers: &[Tracker], sent: u64) {
        let ledger = &mut self.accounting.ledger;
        let missing: u64 = trackers.iter().map(|tracker| tracker.missing(sent)).sum();
        ledger.expected += sent;
        ledger.lost += missing;
        ledger.came += sent - missing;
    }

    /// What a receiver that is gone for good has received was expected, and the rest was not.
    fn count_received(&mut self, trackers: &[Tracker]) {
        let came: u64 = trackers.iter().map(Tracker::came).sum();
        self.accounting.ledger.expected += came;
        self.accounting.ledger.came += came;
    }

    /// What was due before the end leaves, unless there is so much of it that it could not have left in time: then it is
    /// not sent.
    pub(super) fn send_last(&mut self, now: crate::clock::Nanos) {
        (0..LAST_TURNS).for_each(|_| self.send_due());
        let streams = u64::from(self.accounting.plan.streams.max(1));
        for index in 0..self.parts.len() {
            let stream_of = |event: u64| match self.accounting.plan.groups[index].task {
                Task::Publish { .. } => Some(Some(u32::try_from(event % streams).unwrap_or(0))),
                Task::Echo { .. } => Some(None),
                _ => None,
            };
            let schedule = self.parts[index].schedule.as_mut();
            let overdue = schedule.map_or_else(Vec::new, |schedule| {
                std::iter::from_fn(|| schedule.take(now)).filter_map(|(event, _)| stream_of(event)).collect()
            });
            overdue.into_iter().for_each(|stream| self.accounting.not_sent(stream));
        }
    }

    /// The accounts of the end, given how many publications each sequence has.
    pub(super) fn settle_all(&mut self, totals: &[u64]) {
        let plan = std::rc::Rc::clone(&self.accounting.plan);
        let clients = std::mem::take(&mut self.clients);
        for (_, client) in clients {
            let number = self.accounting.share.global(u64::from(client.local));
            match plan.groups[usize::from(client.group)].task {
                Task::Echo { .. } => self.settle_echo(&client.trackers, client.sent),
                Task::Subscribe => self.settle_subscriber(number, &client.trackers, totals),
                _ => {}
            }
            if let Codec::Answers(answers) = &client.codec {
                answers.backlog.iter().for_each(|(stream, _)| self.accounting.not_sent(Some(*stream)));
            }
            if plan.ending == crate::plan::Ending::Rst {
                client.transport.reset_on_drop();
            }
        }
        for backlog in std::mem::take(&mut self.backlogs).into_values() {
            backlog.iter().for_each(|(stream, _)| self.accounting.not_sent(Some(*stream)));
        }
        // Those that were dropped or cut and never came back miss the rest.
        for ((_, local), estate) in std::mem::take(&mut self.estates) {
            self.settle_subscriber(self.accounting.share.global(u64::from(local)), &estate.trackers, totals);
        }
    }

    fn settle_subscriber(&mut self, number: u64, trackers: &[Tracker], totals: &[u64]) {
        for (place, tracker) in trackers.iter().enumerate() {
            let Some(stream) = accounting::stream_of(&self.accounting.plan, number, place) else { continue };
            let missing = tracker.missing(totals.get(stream as usize).copied().unwrap_or(0));
            self.accounting.ledger.lost += missing;
            self.accounting.ledger.came += tracker.came();
            self.accounting.ledger.expected += tracker.came() + missing;
        }
    }
}
