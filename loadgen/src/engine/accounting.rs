//! What is done with a message, to come or to go: stamps, counts, times. Everything of a thread but its sockets.

use super::client::{Answers, Client, Codec};
use super::frames::{self, Incoming};
use super::recorder::Recorder;
use super::spread::Spreads;
use super::tracker::{Arrival, Tracker};
use super::{Progress, Reports};
use crate::adapters::{Adapter, Event, Kind, Memory, Outlet, Payload, Peer};
use crate::clock::{self, Nanos};
use crate::message::{Ledger, Report, Series};
use crate::plan::{Flow, Group, Payloads, Plan, Share, Task};
use crate::random::{Random, mix};
use crate::stamp::{ECHO_BYTES, EchoStamp, PublicationStamp, Times};
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use tidings::wire::deflate::Codec as Deflate;
use tidings::wire::frame::{Opcode, write_masked};

/// Whether messages are sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Traffic {
    /// Not yet.
    Before,
    /// They are.
    On,
    /// No more.
    Over,
}

/// What one read showed about its connection.
#[derive(Debug, Default)]
pub(super) struct Notice {
    /// It is usable from now on.
    pub(super) ready: bool,
    /// The server said goodbye, with this code and reason.
    pub(super) closed: Option<Option<(u16, String)>>,
    /// What it says about its refusal has come.
    pub(super) refused: bool,
}

/// A thread's part of the run, without its sockets.
pub(super) struct Accounting {
    pub(super) plan: Rc<Plan>,
    pub(super) share: Share,
    pub(super) adapter: Rc<dyn Adapter>,
    pub(super) recorder: Recorder,
    pub(super) spreads: Spreads,
    pub(super) random: Random,
    pub(super) ledger: Ledger,
    /// How many publications were made in each sequence.
    pub(super) published: Vec<u64>,
    /// How many echoes of closed flows this thread may still send.
    pub(super) echoes_left: u64,
    pub(super) traffic: Traffic,
    pub(super) progress: Arc<Progress>,
    pub(super) reports: Reports,
    /// Compresses what is sent on connections that agreed to it.
    pub(super) deflate: Deflate,
    pub(super) filling: Vec<u8>,
    pub(super) scratch: Vec<u8>,
}

/// The parts of a connection that messages are about.
pub(super) struct Line<'a> {
    pub(super) group: &'a Group,
    /// Its number in its group over all threads.
    pub(super) number: u64,
    memory: &'a mut Memory,
    out: &'a mut Vec<u8>,
    trackers: &'a mut [Tracker],
    sent: &'a mut u64,
    deflates: bool,
}

/// Frames what an adapter sends.
struct Outgoing<'a> {
    out: &'a mut Vec<u8>,
    random: &'a mut Random,
    deflate: Option<&'a mut Deflate>,
}

impl Outlet for Outgoing<'_> {
    fn send(&mut self, kind: Kind, payload: &[u8]) {
        frames::write(self.out, kind, payload, self.random.mask(), self.deflate.as_deref_mut());
    }
}

/// The line of a connection, and what it is read with.
pub(super) fn split<'a>(client: &'a mut Client, plan: &'a Plan, share: Share) -> (Line<'a>, &'a mut Codec) {
    let Client { memory, out, trackers, sent, codec, group, local, .. } = client;
    let group = &plan.groups[usize::from(*group)];
    let is_ours = matches!(codec, Codec::Frames(frames) if !frames.is_checked());
    let deflates = is_ours && plan.deflate.is_for(&group.task);
    let number = share.global(u64::from(*local));
    (Line { group, number, memory, out, trackers, sent, deflates }, codec)
}

impl Accounting {
    /// Something has come on a WebSocket.
    pub(super) fn incoming(
        &mut self,
        line: &mut Line<'_>,
        incoming: &Incoming<'_>,
        now: Nanos,
        notice: &mut Notice,
    ) -> Result<(), String> {
        match incoming {
            Incoming::Message(message) => self.message(line, message, now, notice),
            Incoming::Ping(payload) => {
                write_masked(line.out, Opcode::Pong, true, payload, self.random.mask());
                Ok(())
            }
            Incoming::Close(code) => {
                notice.closed = Some(code.map(|(code, reason)| (code, reason.to_owned())));
                Ok(())
            }
        }
    }

    /// The connection is open: what the dialect says first.
    pub(super) fn greeted(&mut self, line: &mut Line<'_>, notice: &mut Notice) {
        let (plan, adapter) = (Rc::clone(&self.plan), Rc::clone(&self.adapter));
        let mut heard = Vec::new();
        let mut outgoing = Outgoing { out: line.out, random: &mut self.random, deflate: None };
        adapter.opened(&peer(&plan, line.group, line.number), line.memory, &mut outgoing, &mut |event| {
            heard.push(matches!(event, Event::Ready));
        });
        notice.ready = heard.contains(&true);
    }

    /// A message of the dialect, or a block of an event stream, has come.
    pub(super) fn message(
        &mut self,
        line: &mut Line<'_>,
        message: &[u8],
        now: Nanos,
        notice: &mut Notice,
    ) -> Result<(), String> {
        let (plan, adapter) = (Rc::clone(&self.plan), Rc::clone(&self.adapter));
        let peer = peer(&plan, line.group, line.number);
        let Accounting { recorder, spreads, random, ledger, deflate, progress, reports, filling, .. } = self;
        let mut inbox = Inbox {
            plan: &plan,
            group: line.group,
            number: line.number,
            trackers: line.trackers,
            recorder,
            spreads,
            ledger,
            progress,
            reports,
            filling,
            now,
            echoes: 0,
        };
        let mut outgoing = Outgoing { out: line.out, random, deflate: line.deflates.then_some(deflate) };
        let read = adapter.read(&peer, line.memory, message, &mut outgoing, &mut |event| inbox.take(event, notice));
        let echoes = inbox.echoes;
        read.map_err(|error| error.to_string())?;
        if let (Task::Echo { flow: Flow::Closed { .. }, .. }, Traffic::On) = (&line.group.task, self.traffic) {
            (0..echoes).for_each(|_| self.send_echo(line, clock::now()));
        }
        Ok(())
    }

    /// Sends one message that should come back.
    pub(super) fn send_echo(&mut self, line: &mut Line<'_>, intended: Nanos) {
        let Task::Echo { payloads, flow } = &line.group.task else { return };
        if let Flow::Closed { .. } = flow {
            let Some(left) = self.echoes_left.checked_sub(1) else { return };
            self.echoes_left = left;
        }
        *line.sent += 1;
        let (seq, sent) = (*line.sent, clock::now());
        let times = Times { intended, sent };
        let choice = choice(self.plan.seed, line.number, seq);
        let mut message = std::mem::take(&mut self.scratch);
        if let Some(size) = payloads.size(choice) {
            message.clear();
            message.extend_from_slice(&self.filling[..size]);
            EchoStamp { times, seq: (seq & 0x3FFF_FFFF) as u32 }.write(&mut message[..ECHO_BYTES]);
        } else {
            let stream = (line.number & 0xFF_FFFF) as u32;
            let stamp = PublicationStamp { run: self.plan.run, stream, times, seq }.text();
            payloads.write(choice, &stamp, &self.filling, &mut message);
        }
        let deflate = line.deflates.then_some(&mut self.deflate);
        let mut outgoing = Outgoing { out: line.out, random: &mut self.random, deflate };
        let peer = peer(&self.plan, line.group, line.number);
        Rc::clone(&self.adapter).echo(&peer, line.memory, &message, &mut outgoing);
        self.scratch = message;
        self.recorder.counts.sent += 1;
        self.time_lag(flow, intended, sent);
    }

    /// Publishes the next message of a sequence.
    pub(super) fn publish(&mut self, line: &mut Line<'_>, stream: u32, intended: Nanos, answers: Option<&mut Answers>) {
        let Task::Publish { payloads, flow, .. } = &line.group.task else { return };
        let payload = self.compose(payloads, flow, stream, intended);
        let (text, json) = &payload;
        let payload = Payload { text, json: *json };
        let channel = self.plan.naming.name(self.plan.channel_of(stream));
        match answers {
            Some(answers) => {
                let Some(request) = self.adapter.http_publish(&channel, payload) else { return };
                let token = peer(&self.plan, line.group, line.number).token(0);
                super::request::write_http(line.out, &self.plan, token, &request);
                answers.waiting += 1;
            }
            None => {
                let deflate = line.deflates.then_some(&mut self.deflate);
                let mut outgoing = Outgoing { out: line.out, random: &mut self.random, deflate };
                Rc::clone(&self.adapter).publish(line.memory, &channel, payload, &mut outgoing);
            }
        }
        self.recorder.counts.sent += 1;
    }

    /// A publication of a sequence, or an echo without one, was due and was not sent: it is lost to those it was for.
    pub(super) fn not_sent(&mut self, stream: Option<u32>) {
        let plan = &self.plan;
        self.ledger.unsent += 1;
        self.ledger.unsent_due += stream.map_or(1, |stream| plan.naming.receivers_of(stream, plan.receivers_in_all()));
    }

    /// The text of the next publication of a sequence, and whether it is JSON.
    fn compose(&mut self, payloads: &Payloads, flow: &Flow, stream: u32, intended: Nanos) -> (String, bool) {
        let seq = self.published[stream as usize] + 1;
        self.published[stream as usize] = seq;
        let sent = clock::now();
        self.time_lag(flow, intended, sent);
        let stamp = PublicationStamp { run: self.plan.run, stream, times: Times { intended, sent }, seq }.text();
        let choice = choice(self.plan.seed, u64::from(stream), seq);
        let mut text = Vec::new();
        let json = payloads.write(choice, &stamp, &self.filling, &mut text);
        (String::from_utf8_lossy(&text).into_owned(), json)
    }

    /// Without a schedule there is no lag: a message is meant to leave when it does.
    fn time_lag(&mut self, flow: &Flow, intended: Nanos, sent: Nanos) {
        if let Flow::Open(_) = flow {
            self.recorder.time(Series::Lag, intended, sent.saturating_sub(intended));
        }
    }
}

/// A connection as adapters see it.
pub(super) fn peer<'a>(plan: &'a Plan, group: &Group, number: u64) -> Peer<'a> {
    let count = plan.tokens.len() as u64;
    let tokens = (count > 0).then(|| plan.tokens[(number % count) as usize].as_str());
    Peer { number, job: group.job(), naming: &plan.naming, tokens }
}

/// The random number that chooses the size of a message: the same when it comes back.
fn choice(seed: u64, number: u64, seq: u64) -> u64 {
    mix(seed ^ mix(number) ^ seq)
}

/// Where the events of one message go.
struct Inbox<'a> {
    plan: &'a Plan,
    group: &'a Group,
    number: u64,
    trackers: &'a mut [Tracker],
    recorder: &'a mut Recorder,
    spreads: &'a mut Spreads,
    ledger: &'a mut Ledger,
    progress: &'a Progress,
    reports: &'a Reports,
    filling: &'a [u8],
    now: Nanos,
    /// How many echoes came.
    echoes: u32,
}

impl Inbox<'_> {
    fn take(&mut self, event: Event<'_>, notice: &mut Notice) {
        match event {
            Event::Ready => notice.ready = true,
            Event::Ack => self.recorder.counts.acknowledged += 1,
            Event::Refused(text) => self.recorder.error(&format!("refused: {text}")),
            Event::Resumed { complete } => {
                self.ledger.resumed += 1;
                self.ledger.gaps += u64::from(!complete);
            }
            Event::Message(text) => match &self.group.task {
                Task::Echo { payloads, .. } => self.echo(text, payloads),
                Task::Subscribe => self.delivery(text),
                _ => {}
            },
        }
    }

    fn echo(&mut self, text: &[u8], payloads: &Payloads) {
        let stamp = match payloads {
            Payloads::Sizes(_) => EchoStamp::read(text).map(|stamp| (stamp.times, u64::from(stamp.seq))),
            Payloads::Templates(_) => PublicationStamp::find(text).map(|stamp| (stamp.times, stamp.seq)),
        };
        let Some((times, seq)) = stamp else {
            self.ledger.corrupted += 1;
            return self.recorder.error("an echo without the stamp of its message");
        };
        self.recorder.counts.received += 1;
        self.echoes += 1;
        let expected = payloads.size(choice(self.plan.seed, self.number, seq));
        if expected.is_some_and(|size| text.len() != size || text[ECHO_BYTES..] != self.filling[ECHO_BYTES..size]) {
            self.ledger.corrupted += 1;
            self.recorder.error("an echo with other bytes than its message");
        }
        let arrival = self.trackers.first_mut().map(|tracker| tracker.arrive(seq));
        self.note(arrival);
        if arrival != Some(Arrival::Again) {
            self.recorder.counts.answered += 1;
            self.recorder.time(Series::Response, times.intended, self.now.saturating_sub(times.intended));
            self.recorder.time(Series::Service, times.intended, self.now.saturating_sub(times.sent));
        }
    }

    fn delivery(&mut self, text: &[u8]) {
        // Others may publish to the same channels, and runs before this one may have.
        let Some(stamp) = PublicationStamp::find(text).filter(|stamp| stamp.run == self.plan.run) else { return };
        let Some(place) = place_of(self.plan, self.number, stamp.stream) else {
            return self.recorder.error("a publication of a channel that its receiver does not read");
        };
        self.recorder.counts.received += 1;
        let arrival = self.trackers.get_mut(place).map(|tracker| tracker.arrive(stamp.seq));
        self.note(arrival);
        if arrival == Some(Arrival::Again) {
            return;
        }
        self.recorder.counts.answered += 1;
        // Not for a duplicate, or a closed flow would go on before all receivers have its publication.
        self.progress.deliver();
        self.recorder.time(Series::Delivery, stamp.times.intended, self.now.saturating_sub(stamp.times.intended));
        self.recorder.time(Series::Service, stamp.times.intended, self.now.saturating_sub(stamp.times.sent));
        let channel = self.plan.channel_of(stamp.stream);
        if let Some(spread) = self.spreads.deliver(stamp.stream, channel, stamp.seq, stamp.times.intended, self.now) {
            self.reports.send(Report::Spread(spread));
        }
    }

    fn note(&mut self, arrival: Option<Arrival>) {
        match arrival {
            Some(Arrival::Again) => self.ledger.duplicated += 1,
            Some(Arrival::Late) => self.ledger.reordered += 1,
            _ => {}
        }
    }
}

/// Which of a subscriber's trackers counts a sequence; `None` when the channel is not one of its own.
fn place_of(plan: &Plan, number: u64, stream: u32) -> Option<usize> {
    let (channels, reads) = (u64::from(plan.naming.channels), u64::from(plan.naming.per_connection));
    if stream >= plan.streams {
        return None;
    }
    let first = number.wrapping_mul(reads) % channels;
    let nth = (u64::from(plan.channel_of(stream)) + channels - first) % channels;
    let round = u64::from(stream) / channels;
    (nth < reads).then(|| usize::try_from(round * reads + nth).unwrap_or(usize::MAX))
}

/// The sequences that a connection receives.
pub(super) fn trackers_of(plan: &Plan, task: &Task, tracker: Tracker) -> Box<[Tracker]> {
    let count = match task {
        Task::Echo { .. } => 1,
        Task::Subscribe => plan.naming.per_connection as usize * plan.streams_per_channel() as usize,
        _ => 0,
    };
    vec![tracker; count].into()
}

/// The sequence that a tracker counts, if there is one.
pub(super) fn stream_of(plan: &Plan, number: u64, place: usize) -> Option<u32> {
    let reads = plan.naming.per_connection as usize;
    let channel = plan.naming.of(number).nth(place % reads)?;
    let stream = channel + u32::try_from(place / reads).ok()? * plan.naming.channels;
    (stream < plan.streams).then_some(stream)
}

/// How many receivers each channel has among these subscribers.
pub(super) fn receivers(plan: &Plan, numbers: impl Iterator<Item = u64>) -> HashMap<u32, u32> {
    let mut receivers = HashMap::new();
    for number in numbers {
        plan.naming.of(number).for_each(|channel| *receivers.entry(channel).or_default() += 1);
    }
    receivers
}
