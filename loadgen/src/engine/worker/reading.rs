//! What comes: events of the kernel, bytes, heads, messages, answers.

use super::super::accounting;
use super::super::client::{Answers, Codec, Reading, Stage};
use super::super::http;
use super::super::refusal;
use super::alarm::What;
use super::{READ_BYTES, Worker};
use crate::clock::{self, Nanos, SECOND};
use crate::reason::worded;
use mio::Token;
use mio::event::Event;
use std::io::{ErrorKind, Read};
use std::rc::Rc;

/// How often a slow reader reads.
const SIP_EVERY: Nanos = SECOND / 10;
/// What is left over between two reads: parts of heads, frame headers and control frames.
const REST_BYTES: usize = 128 * 1024;

/// What a read came to.
enum Step {
    /// The socket has no more for now.
    Drained,
    /// The server has ended its side.
    End,
}

impl Worker {
    /// The slot of a token whose connection still is the one that it was made for.
    pub(super) fn slot_of(&self, token: Token) -> Option<usize> {
        let slot = token.0 & 0xFFFF_FFFF;
        self.clients.get(slot).filter(|client| client.generation as usize == token.0 >> 32).map(|_| slot)
    }

    /// The kernel says that something can be done on a connection.
    pub(super) fn event(&mut self, token: Token, event: &Event) {
        let Some(slot) = self.slot_of(token) else { return };
        if self.clients[slot].stage == Stage::Connecting {
            if let Err(error) = self.clients[slot].transport.connected() {
                return self.lost(slot, &format!("a connection cannot be opened: {error}"));
            }
            if !event.is_writable() {
                return;
            }
            self.connected(slot);
        }
        if event.is_writable() && (self.clients[slot].awaits_room || self.clients[slot].transport.owes()) {
            self.clients[slot].awaits_room = false;
            self.mark(slot);
        }
        let (stage, reading) = (self.clients[slot].stage, self.clients[slot].reading);
        match reading {
            // A slow reader reads by its timer alone. That its server gave it up is seen only here.
            Reading::Paced(_) if stage == Stage::Open => {
                let is_over = event.is_read_closed() || event.is_error();
                is_over.then(|| self.lost(slot, "the server has cut off a slow reader"));
            }
            _ if event.is_readable() || event.is_read_closed() || event.is_error() => self.read(slot, usize::MAX),
            _ => {}
        }
    }

    /// A slow reader reads a little, and again later.
    pub(super) fn sip(&mut self, token: Token, now: Nanos) {
        let Some(slot) = self.slot_of(token) else { return };
        if let Reading::Paced(bytes) = self.clients[slot].reading
            && bytes > 0
        {
            self.read(slot, bytes as usize);
            self.set_timer(now + SIP_EVERY, What::Sip(token));
        }
    }

    /// Whether a publisher over HTTP has learned that this connection serves no further request.
    fn is_last_answer(&self, slot: usize) -> bool {
        matches!(&self.clients[slot].codec, Codec::Answers(answers) if answers.ended)
    }

    /// Whether a bad client was refused by a status: the server may keep such a connection, and nothing is left to see.
    fn is_refused_attack(&self, slot: usize) -> bool {
        self.clients.get(slot).is_some_and(|client| matches!(client.codec, Codec::Attack { status: 200.., .. }))
    }

    /// Reads what there is, at most about `most` bytes, and goes through it.
    fn read(&mut self, slot: usize, most: usize) {
        match self.read_all(slot, most) {
            Ok(Step::Drained) if self.is_refused_attack(slot) => drop(self.judge_attack(slot, false)),
            Ok(Step::Drained) => {}
            Ok(Step::End) | Err(_) if self.judge_attack(slot, true) => {}
            Ok(Step::End) if self.renew(slot, clock::now()) => {}
            Ok(Step::End) if self.clients[slot].stage == Stage::Leaving => self.remove(slot),
            Ok(Step::End) => self.lost(slot, "the server has ended a connection"),
            Err(text) => self.lost(slot, &text),
        }
    }

    fn read_all(&mut self, slot: usize, most: usize) -> Result<Step, String> {
        let mut left = most;
        while left > 0 {
            let client = &mut self.clients[slot];
            let have = client.rest.len();
            self.scratch[..have].copy_from_slice(&client.rest);
            let room = (READ_BYTES - have).min(left);
            let count = match client.transport.read(&mut self.scratch[have..have + room]) {
                Ok(0) => return Ok(Step::End),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(Step::Drained),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => return Err(format!("a connection broke: {error}")),
            };
            let now = clock::now();
            client.rest = Vec::new();
            left -= count;
            self.accounting.recorder.counts.bytes_in += count as u64;
            let mut scratch = std::mem::take(&mut self.scratch);
            // An echo sends the next message when one has come.
            self.pool.lend(&mut self.clients[slot].out);
            let fed = self.feed(slot, &mut scratch[..have + count], now);
            self.clients.get_mut(slot).into_iter().for_each(|client| self.pool.take_back(&mut client.out));
            let kept = fed.map(|used| scratch[used..have + count].to_vec());
            self.scratch = scratch;
            let kept = kept?;
            // Also what keeps room in the buffer: a read into none would look like the server's end.
            if kept.len() > REST_BYTES {
                return Err("the server sends something that does not end".to_owned());
            }
            self.clients[slot].rest = kept;
            self.heed(slot, now)?;
            if !self.clients.contains(slot) || self.is_last_answer(slot) {
                return Ok(if self.clients.contains(slot) { Step::End } else { Step::Drained });
            }
            if self.clients[slot].stage == Stage::Leaving && matches!(self.clients[slot].codec, Codec::Head) {
                return Ok(Step::End);
            }
            // With TLS a short read says nothing: the session may hold more, of which no event would tell.
            if count < room && matches!(self.clients[slot].transport, super::super::transport::Transport::Plain(_)) {
                return Ok(Step::Drained);
            }
        }
        Ok(Step::Drained)
    }

    /// Goes through what was read; how many bytes are done with.
    fn feed(&mut self, slot: usize, input: &mut [u8], now: Nanos) -> Result<usize, String> {
        let mut at = 0;
        if matches!(self.clients[slot].codec, Codec::Head) {
            loop {
                let Some((answer, length)) = http::read_head(&input[at..])? else { return Ok(at) };
                at += length;
                // An answer that only says that another one comes (RFC 9110 section 15.2).
                if answer.status == 101 || answer.status >= 200 {
                    self.answered(slot, &answer)?;
                    break;
                }
            }
        }
        let plan = Rc::clone(&self.accounting.plan);
        let (mut line, codec) = accounting::split(&mut self.clients[slot], &plan, self.accounting.share);
        let (accounting, notice) = (&mut self.accounting, &mut self.notice);
        let mut fault = Ok(());
        let used = match codec {
            Codec::Head => Ok(0),
            Codec::Refused(refusal) => {
                let used = refusal.read(&input[at..])?;
                notice.refused = refusal.is_over();
                Ok(used)
            }
            Codec::Attack { status, .. } => {
                *status = super::attack::status_of(*status, input);
                Ok(input.len())
            }
            Codec::Frames(frames) => frames.read(&mut input[at..], &mut self.inflate, &mut |incoming| {
                if fault.is_ok() {
                    fault = accounting.incoming(&mut line, &incoming, now, notice);
                }
            }),
            Codec::Events(events) => {
                let used = events.read(&input[at..], &mut |block| {
                    if fault.is_ok() {
                        fault = accounting.message(&mut line, block, now, notice);
                    }
                });
                if events.is_over() {
                    notice.closed = Some(None);
                }
                used
            }
            Codec::Answers(answers) => accounting.answers(answers, &input[at..]),
        };
        fault?;
        Ok(at + used?)
    }

    /// Does what a read has made necessary.
    fn heed(&mut self, slot: usize, now: Nanos) -> Result<(), String> {
        let notice = std::mem::take(&mut self.notice);
        if notice.refused {
            return Err("the server refused a connection".to_owned());
        }
        // One that is closed together with its greeting was refused, in a way that browsers can see.
        if notice.ready && notice.closed.is_none() {
            self.ready(slot, now);
        }
        if self.clients[slot].owed() > 0 {
            self.mark(slot);
        }
        if matches!(&self.clients[slot].codec, Codec::Answers(answers) if !answers.ended) {
            self.publish_backlog(slot);
        }
        match notice.closed {
            Some(_) if self.clients[slot].stage == Stage::Leaving => {
                self.remove(slot);
                Ok(())
            }
            Some(Some((code, reason))) if self.is_expiry(slot, code, &reason) => {
                self.come_back_after_expiry(slot, now);
                Ok(())
            }
            Some(Some((code, reason))) => {
                Err(worded(&format!("the server has closed a connection with {code}"), reason.as_bytes()))
            }
            Some(None) => Err("the server has closed a connection".to_owned()),
            None => Ok(()),
        }
    }
}

impl Worker {
    /// Whether the server ended a usable connection since its token expired.
    fn is_expiry(&mut self, slot: usize, code: u16, reason: &str) -> bool {
        let client = &mut self.clients[slot];
        client.stage == Stage::Open && self.accounting.adapter.expired(&mut client.memory, code, reason)
    }
}

impl accounting::Accounting {
    /// Goes through answers to publications.
    fn answers(&mut self, answers: &mut Answers, input: &[u8]) -> Result<usize, String> {
        let mut at = 0;
        loop {
            if answers.body.is_none() {
                let Some((answer, length)) = http::read_head(&input[at..])? else { return Ok(at) };
                at += length;
                answers.body = Some((answer.status, answer.body, answer.closes));
            }
            let Some((status, body, closes)) = &mut answers.body else { return Ok(at) };
            if !body.is_over() {
                let (status, reason) = (*status, &mut answers.reason);
                at += body.read(&input[at..], &mut |bytes| {
                    if status >= 300 {
                        refusal::keep(reason, bytes);
                    }
                })?;
            }
            if !body.is_over() {
                return Ok(at);
            }
            let (status, closes) = (*status, *closes);
            answers.body = None;
            if status < 200 {
                continue;
            }
            answers.waiting = answers.waiting.saturating_sub(1);
            answers.ended |= closes;
            let reason = std::mem::take(&mut answers.reason);
            match status {
                200..300 => self.recorder.counts.acknowledged += 1,
                _ => {
                    let title = format!("a publication was answered with {status}");
                    self.recorder.error(&worded(&title, &reason));
                }
            }
            if at == input.len() {
                return Ok(at);
            }
        }
    }
}
