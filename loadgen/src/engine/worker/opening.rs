//! Connections on their way: when each is begun, and what becomes of it.

use super::super::accounting::{self, Traffic};
use super::super::client::{Client, Codec, Reading, Stage};
use super::super::events::EventStream;
use super::super::frames::Frames;
use super::super::http::{self, Answer};
use super::super::refusal::Refusal;
use super::super::request;
use super::super::tracker::Tracker;
use super::super::transport::Transport;
use super::alarm::What;
use super::part::NOBODY;
use super::{OPENS_PER_TURN, Worker};
use crate::adapters::{Memory, Transport as Runs};
use crate::clock::{self, Nanos, SECOND};
use crate::message::Series;
use crate::plan::{Route, Task};
use mio::{Interest, Token};
use std::io;
use tidings::wire::deflate::parse_extensions;

/// The maximum size of a slow reader's receive buffer, in bytes: a small one makes the server notice soon.
const SLOW_RECEIVE_BYTES: usize = 16 * 1024;
/// How long a place stays empty after its connection failed, where it is taken again.
const RETRY: Nanos = SECOND / 10;

impl Worker {
    /// Whether everything that traffic waits for is decided.
    pub(super) fn all_opened(&self) -> bool {
        let groups = self.accounting.plan.groups.iter().zip(&self.parts);
        groups.filter(|(group, _)| group.is_early()).all(|(_, part)| part.decided >= part.places.len() as u64)
    }

    /// When the next connection is to be begun; `None` when none is, or too many are on their way.
    pub(super) fn next_opening(&self) -> Option<Nanos> {
        if self.is_crowded() {
            return None;
        }
        (0..self.parts.len()).filter_map(|index| self.opening_due(index)).min()
    }

    fn is_crowded(&self) -> bool {
        let most = self.accounting.share.count(self.accounting.plan.opening.most_pending).max(1);
        self.pending >= most || matches!(self.accounting.traffic, Traffic::Over)
    }

    /// When the next first connection of a part is due.
    fn opening_due(&self, index: usize) -> Option<Nanos> {
        let (group, part) = (&self.accounting.plan.groups[index], &self.parts[index]);
        let begins = part.begins?;
        if part.begun >= part.places.len() as u64 || matches!(group.task, Task::Attack { .. }) {
            return None;
        }
        let number = self.accounting.share.global(part.begun);
        match &group.opening {
            Some(ramp) => ramp.time_of(number as f64).map(|time| begins.saturating_add(clock::of(time))),
            None => Some(begins),
        }
    }

    /// Begins the connections that are due.
    pub(super) fn open_due(&mut self, now: Nanos) {
        for index in 0..self.parts.len() {
            if self.parts[index].begins.is_none() && self.accounting.plan.groups[index].is_early() {
                self.parts[index].begins = Some(now);
            }
            for _ in 0..OPENS_PER_TURN {
                let due = self.opening_due(index).filter(|due| *due <= now && !self.is_crowded());
                let Some(due) = due else { break };
                let local = u32::try_from(self.parts[index].begun).unwrap_or(NOBODY);
                self.parts[index].begun += 1;
                // Without a rate it is meant to be opened when it is its turn.
                let intended = if self.accounting.plan.groups[index].opening.is_some() { due } else { clock::now() };
                self.begin(index, local, intended, 0, Memory::default());
            }
        }
    }

    /// Takes a place again after its connection was lost.
    pub(super) fn come_back(&mut self, part: usize, local: u32, cut: Nanos, now: Nanos) {
        if self.accounting.traffic == Traffic::Over {
            return;
        }
        let memory = self.parts[part].places.get(local as usize).map(|_| self.memories.remove(&(part, local)));
        self.begin(part, local, if cut > 0 { now } else { clock::now() }, cut, memory.flatten().unwrap_or_default());
    }

    /// Begins one connection.
    pub(super) fn begin(&mut self, index: usize, local: u32, intended: Nanos, cut: Nanos, memory: Memory) {
        let plan = std::rc::Rc::clone(&self.accounting.plan);
        let group = &plan.groups[index];
        let number = self.accounting.share.global(u64::from(local));
        let slow = group.slow.filter(|slow| slow.has(number));
        let addresses = &plan.target.addresses;
        let to = addresses[usize::try_from(self.begun).unwrap_or(0) % addresses.len()];
        let from = (!plan.sources.is_empty())
            .then(|| plan.sources[self.accounting.share.global(self.begun) as usize % plan.sources.len()]);
        self.begun += 1;
        let opened = Transport::connect(to, from, slow.map(|_| SLOW_RECEIVE_BYTES), &self.tls);
        let mut transport = match opened {
            Ok(transport) => transport,
            Err(error) => return self.not_opened(index, local, cut, &error),
        };
        let reading = slow.map_or(Reading::Freely, |slow| {
            Reading::Paced(u32::try_from(slow.bytes_per_second.div_ceil(10)).unwrap_or(u32::MAX))
        });
        // 31 bits, so that no token is that of the waker or of the alarm.
        self.generation = self.generation.wrapping_add(1) & 0x7FFF_FFFF;
        let key = self.clients.vacant_key();
        let token = Token((self.generation as usize) << 32 | key);
        let interest = Interest::READABLE | Interest::WRITABLE;
        if let Err(error) = self.poll.registry().register(&mut transport, token, interest) {
            return self.not_opened(index, local, cut, &error);
        }
        // One that joins while messages are sent cannot know where they began.
        let tracker = if cut > 0 || self.accounting.traffic != Traffic::Before {
            Tracker::from_anywhere()
        } else {
            Tracker::from(1)
        };
        let inherited = self.inherit((index, local));
        let heir = inherited.is_some();
        let trackers = inherited.unwrap_or_else(|| accounting::trackers_of(&plan, &group.task, tracker));
        self.parts[index].places[local as usize] = u32::try_from(key).unwrap_or(NOBODY);
        self.clients.insert(Client {
            transport,
            codec: Codec::Head,
            memory,
            rest: Vec::new(),
            out: Vec::new(),
            out_at: 0,
            generation: self.generation,
            group: u16::try_from(index).unwrap_or(0),
            stage: Stage::Connecting,
            reading,
            awaits_room: true,
            dirty: false,
            heir,
            local,
            trackers,
            intended,
            cut,
            sent: 0,
        });
        self.pending += 1;
        // At the back: all have the same timeout, so the list stays in order.
        self.deadlines.push_back((clock::now().saturating_add(clock::of(plan.opening.timeout)), token));
    }

    fn not_opened(&mut self, index: usize, local: u32, cut: Nanos, error: &io::Error) {
        let limit = match error.raw_os_error() {
            // EMFILE, ENFILE, and EADDRINUSE or EADDRNOTAVAIL.
            Some(24) => Some("this process may have no more descriptors: raise `ulimit -n`, or use --processes"),
            Some(23) => Some("this machine may have no more descriptors: raise fs.file-max"),
            Some(98 | 99) => Some("no free port is left: use more addresses with --source-ip, or --close rst"),
            _ => None,
        };
        if let Some(limit) = limit
            && !self.accounting.ledger.limits.iter().any(|known| known == limit)
        {
            self.accounting.ledger.limits.push(limit.to_owned());
        }
        self.refused(index, local, cut, &format!("a connection cannot be begun: {error}"));
    }

    /// A connection did not become usable.
    pub(super) fn refused(&mut self, index: usize, local: u32, cut: Nanos, text: &str) {
        self.accounting.recorder.counts.refused += 1;
        self.accounting.recorder.error(text);
        self.decide(index, local);
        self.vacate(index, local, cut, true);
    }

    /// The first connection in a place is decided: it is usable, or it failed.
    fn decide(&mut self, index: usize, local: u32) {
        if let Some(first) = self.undecided.get_mut(index).and_then(|places| places.get_mut(local as usize))
            && *first
        {
            *first = false;
            self.parts[index].decided += 1;
        }
    }

    /// A place is empty; it is taken again where the group's connections come back.
    pub(super) fn vacate(&mut self, index: usize, local: u32, cut: Nanos, failed: bool) {
        self.parts[index].places[local as usize] = NOBODY;
        let group = &self.accounting.plan.groups[index];
        let returns = matches!(group.task, Task::Handshake) || group.lifetime.is_some() || cut > 0;
        if returns && self.accounting.traffic == Traffic::On {
            let wait = if failed { RETRY } else { 0 };
            self.set_timer(clock::now() + wait, What::Return { part: index, local, cut });
        }
    }

    /// The socket is connected: the request leaves.
    pub(super) fn connected(&mut self, slot: usize) {
        let plan = std::rc::Rc::clone(&self.accounting.plan);
        let client = &mut self.clients[slot];
        client.stage = Stage::Greeting;
        let group = &plan.groups[usize::from(client.group)];
        if let Task::Attack { .. } = group.task {
            return self.commit(slot);
        }
        if let Task::Publish { route: Route::Http { .. }, .. } = group.task {
            client.codec = Codec::Answers(Box::default());
            client.awaits_room = false;
            return self.ready(slot, clock::now());
        }
        let number = self.accounting.share.global(u64::from(client.local));
        let peer = accounting::peer(&plan, group, number);
        let opening = self.accounting.adapter.opening(&peer, &client.memory);
        let key = request::key(&plan, number ^ u64::from(client.group) << 40);
        request::write_opening(&mut client.out, &plan, &group.task, &opening, &key);
        self.mark(slot);
    }

    /// The head of the answer has come.
    pub(super) fn answered(&mut self, slot: usize, answer: &Answer) -> Result<(), String> {
        let plan = std::rc::Rc::clone(&self.accounting.plan);
        let client = &mut self.clients[slot];
        let group = &plan.groups[usize::from(client.group)];
        let number = self.accounting.share.global(u64::from(client.local));
        let opening = self.accounting.adapter.opening(&accounting::peer(&plan, group, number), &client.memory);
        client.codec = match opening.transport {
            Runs::WebSocket => {
                if answer.status != 101 {
                    let title = format!("the server answered {} and not 101", answer.status);
                    client.codec = Codec::Refused(Box::new(Refusal::new(title, answer.body)));
                    return Ok(());
                }
                let key = request::key(&plan, number ^ u64::from(client.group) << 40);
                check_upgrade(answer, request::offered(&plan, &opening), &key)?;
                let checked = plan.check_every > 0 && number.is_multiple_of(plan.check_every);
                let (deflates, kept) = agreed(answer, request::offers_deflate(&plan, &group.task))?;
                Codec::Frames(match deflates {
                    true => Frames::with_deflate(kept, &self.accounting.deflate),
                    false => Frames::new(checked),
                })
            }
            Runs::EventStream if answer.status == 200 => Codec::Events(Box::new(EventStream::new(answer.body))),
            Runs::EventStream | Runs::Http => {
                let title = format!("the server answered {} and not with an event stream", answer.status);
                client.codec = Codec::Refused(Box::new(Refusal::new(title, answer.body)));
                return Ok(());
            }
        };
        client.stage = Stage::Joining;
        if matches!(&client.codec, Codec::Frames(frames) if frames.is_checked()) {
            self.accounting.ledger.checked += 1;
        }
        let (mut line, _) = accounting::split(client, &plan, self.accounting.share);
        self.accounting.greeted(&mut line, &mut self.notice);
        self.mark(slot);
        Ok(())
    }

    /// A connection is usable.
    pub(super) fn ready(&mut self, slot: usize, now: Nanos) {
        let client = &mut self.clients[slot];
        // A dialect may say it twice, or while the connection is ended from here.
        if client.stage == Stage::Open || client.stage == Stage::Leaving {
            return;
        }
        client.stage = Stage::Open;
        let (index, local, intended, cut) = (usize::from(client.group), client.local, client.intended, client.cut);
        let token = Token((client.generation as usize) << 32 | slot);
        let paced = client.reading != Reading::Freely;
        self.pending -= 1;
        self.open += 1;
        self.parts[index].open += 1;
        self.accounting.recorder.counts.opened += 1;
        self.accounting.recorder.time_anyway(Series::Open, now.saturating_sub(intended));
        if cut > 0 {
            self.accounting.recorder.time_anyway(Series::Recovery, now.saturating_sub(cut));
            self.clients[slot].cut = 0;
        }
        self.decide(index, local);
        self.forgive((index, local));
        if let Some(backlog) = self.backlogs.remove(&(index, local))
            && let Codec::Answers(answers) = &mut self.clients[slot].codec
        {
            answers.backlog = backlog;
            self.publish_backlog(slot);
        }
        if paced {
            self.set_timer(now, What::Sip(token));
        }
        self.begin_life(index, slot, token, now);
    }

    fn begin_life(&mut self, index: usize, slot: usize, token: Token, now: Nanos) {
        match (&self.accounting.plan.groups[index].task, self.accounting.plan.groups[index].lifetime) {
            (Task::Handshake, _) => self.set_timer(now, What::End(token)),
            (_, Some(lifetime)) => {
                // Lives of different lengths around the mean: exponential, as calls and visits are.
                let share = -self.accounting.random.share().max(1e-9).ln();
                let life = clock::of(lifetime.mul_f64(share));
                self.set_timer(now.saturating_add(life), What::End(token));
            }
            _ => {}
        }
        if self.accounting.traffic == Traffic::On {
            self.begin_flow(slot);
        }
    }
}

/// A WebSocket's handshake as RFC 6455 section 4.1 has clients check it.
fn check_upgrade(answer: &Answer, offered: Option<&str>, key: &str) -> Result<(), String> {
    if !http::accepts(answer, key) {
        return Err("the server's Sec-WebSocket-Accept is not that of the key".to_owned());
    }
    match (offered, answer.subprotocol.as_deref()) {
        (None, None) => Ok(()),
        (Some(offered), Some(chosen)) if offered.split(',').any(|name| name.trim() == chosen) => Ok(()),
        (Some(offered), None) => Err(format!("the server does not speak {offered}")),
        (_, Some(chosen)) => Err(format!("the server chose the subprotocol {chosen}, which was not offered")),
    }
}

/// Whether compression was agreed to, and whether the server keeps its window.
fn agreed(answer: &Answer, offered: bool) -> Result<(bool, bool), String> {
    let values: Vec<&str> = answer.extensions.iter().map(String::as_str).collect();
    let extensions = parse_extensions(&values).map_err(|_| "a Sec-WebSocket-Extensions that breaks its grammar")?;
    match extensions.as_slice() {
        [] => Ok((false, false)),
        [one] if offered && one.name.eq_ignore_ascii_case("permessage-deflate") => {
            Ok((true, !one.params.iter().any(|param| param.name.eq_ignore_ascii_case("server_no_context_takeover"))))
        }
        _ => Err("the server agreed to extensions that were not offered".to_owned()),
    }
}
