//! Bad clients: each connects, sends one piece of mischief, and notes what the server does about it.

use super::super::client::{Codec, Stage};
use super::super::desk;
use super::super::mischief::corpus;
use super::Worker;
use super::squad::NOBODY;
use crate::adapters::Memory;
use crate::clock::Nanos;
use std::rc::Rc;

impl Worker {
    /// Begins one attempt in a free place.
    pub(super) fn attempt(&mut self, index: usize, due: Nanos) {
        let free = self.squads[index].places.iter().position(|slot| *slot == NOBODY);
        match free {
            Some(local) => self.begin(index, u32::try_from(local).unwrap_or(0), due, 0, Memory::default()),
            None => self.note_mischief("not begun", "all bad clients were still waiting for an end"),
        }
    }

    /// A bad client is connected: its mischief leaves.
    pub(super) fn commit(&mut self, slot: usize) {
        let plan = Rc::clone(&self.desk.plan);
        if self.corpus.is_empty() {
            let group = &plan.groups[usize::from(self.clients[slot].group)];
            let opening = self.desk.adapter.opening(&desk::who(&plan, group, 0), &Memory::default());
            self.corpus = corpus(&plan, &opening);
        }
        let kind = self.attempts % self.corpus.len();
        self.attempts += 1;
        let client = &mut self.clients[slot];
        client.out.extend_from_slice(&self.corpus[kind].bytes);
        client.codec = Codec::Mischief { kind, status: 0 };
        client.stage = Stage::Joining;
        self.desk.recorder.counts.sent += 1;
        self.mark(slot);
    }

    /// What the server did about it, if this is a bad client's connection that is over.
    pub(super) fn judge_mischief(&mut self, slot: usize, is_closed: bool) -> bool {
        let Codec::Mischief { kind, status } = self.clients[slot].codec else { return false };
        let reaction = match (status, is_closed) {
            (0, true) => "closed without an answer".to_owned(),
            (0, false) => "no reaction in time".to_owned(),
            (101, true) => "closed after the handshake".to_owned(),
            (101, false) => "taken".to_owned(),
            (400.., true) => format!("refused with {status} and closed"),
            (400.., false) => format!("refused with {status}"),
            (_, _) => format!("answered with {status}"),
        };
        let name = self.corpus[kind].name;
        self.note_mischief(name, &reaction);
        self.clients[slot].transport.reset_on_drop();
        self.remove(slot);
        true
    }

    fn note_mischief(&mut self, name: &str, reaction: &str) {
        *self.desk.ledger.mischief.entry(format!("{name}: {reaction}")).or_default() += 1;
    }
}

/// The status in the first bytes of an answer.
pub(super) fn status_of(input: &[u8]) -> u16 {
    let digits = input.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(0)
}
