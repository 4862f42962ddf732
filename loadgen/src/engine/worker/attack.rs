//! Bad clients: each connects, sends one malformed piece, and notes what the server does about it.

use super::super::accounting;
use super::super::attack::corpus;
use super::super::client::{Codec, Stage};
use super::Worker;
use super::part::NOBODY;
use crate::adapters::Memory;
use crate::clock::Nanos;
use crate::engine::NOT_BEGUN;
use std::rc::Rc;

/// Instead of a status: a Close frame came after the 101. No status is that large.
const CLOSE: u16 = 1101;

impl Worker {
    /// Begins one attempt in a free place.
    pub(super) fn attempt(&mut self, index: usize, due: Nanos) {
        let free = self.parts[index].places.iter().position(|slot| *slot == NOBODY);
        match free {
            Some(local) => self.begin(index, u32::try_from(local).unwrap_or(0), due, 0, Memory::default()),
            None => self.note_attack(NOT_BEGUN, "all bad clients were still waiting for an end"),
        }
    }

    /// A bad client is connected: it sends what is malformed.
    pub(super) fn commit(&mut self, slot: usize) {
        let plan = Rc::clone(&self.accounting.plan);
        if self.corpus.is_empty() {
            let group = &plan.groups[usize::from(self.clients[slot].group)];
            let opening = self.accounting.adapter.opening(&accounting::peer(&plan, group, 0), &Memory::default());
            self.corpus = corpus(&plan, &group.task, &opening);
        }
        let kind = self.attempts % self.corpus.len();
        self.attempts += 1;
        let client = &mut self.clients[slot];
        client.out.extend_from_slice(&self.corpus[kind].bytes);
        client.codec = Codec::Attack { kind, status: 0 };
        client.stage = Stage::Joining;
        self.accounting.recorder.counts.sent += 1;
        self.mark(slot);
    }

    /// What the server did about it, if this is a bad client's connection that is over.
    pub(super) fn judge_attack(&mut self, slot: usize, is_closed: bool) -> bool {
        let Codec::Attack { kind, status } = self.clients[slot].codec else { return false };
        let reaction = match (status, is_closed) {
            (0, true) => "closed without an answer".to_owned(),
            (0, false) => "no reaction in time".to_owned(),
            (CLOSE, _) => "closed with a Close frame".to_owned(),
            (101, true) => "closed after the handshake".to_owned(),
            (101, false) => "taken".to_owned(),
            (400.., true) => format!("refused with {status} and closed"),
            (400.., false) => format!("refused with {status}"),
            (_, _) => format!("answered with {status}"),
        };
        let name = self.corpus[kind].name;
        self.note_attack(name, &reaction);
        self.clients[slot].transport.reset_on_drop();
        self.remove(slot);
        true
    }

    fn note_attack(&mut self, name: &str, reaction: &str) {
        *self.accounting.ledger.attacks.entry(format!("{name}: {reaction}")).or_default() += 1;
    }
}

/// What is known of an answer when more of it has come: its status, or that a Close frame has come after a 101.
pub(super) fn status_of(known: u16, input: &[u8]) -> u16 {
    let frames = match known {
        101 => Some(input),
        0 => input.windows(4).position(|window| window == b"\r\n\r\n").map(|end| &input[end + 4..]),
        other => return other,
    };
    let digits = input.strip_prefix(b"HTTP/1.").and_then(|rest| rest.get(2..5));
    let status = digits.and_then(|digits| std::str::from_utf8(digits).ok()?.parse().ok()).unwrap_or(known);
    let is_closed = frames.and_then(|frames| frames.first()).is_some_and(|first| *first == 0x88);
    if status == 101 && is_closed { CLOSE } else { status }
}

#[cfg(test)]
mod tests {
    use super::{CLOSE, status_of};

    #[test]
    fn a_status_and_a_close_are_seen_in_one_read_or_in_two() {
        let head = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
        assert_eq!((status_of(0, head), status_of(101, &[0x88, 0]), status_of(101, &[0x81, 0])), (101, CLOSE, 101));
        assert_eq!(status_of(0, &[&head[..], &[0x88, 2]].concat()), CLOSE);
        assert_eq!((status_of(0, b"HTTP/1.1 400 Bad Request\r\n\r\n"), status_of(0, b"nonsense")), (400, 0));
    }
}
