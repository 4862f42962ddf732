//! The pump: the one thread that owns the engine, and that advances channels.
//!
//! A turn takes what waits in the queue, has the engine go on, makes what has happened known to the hub, and answers. It holds
//! no lock while it waits, waits for no mailbox, and wakes each mailbox once.

use super::bell::{Bell, Heard};
use super::ledger::{Answers, For, Ledger};
use super::lines::{Item, Lines, Out, Outcome as Known};
use super::{Engine, Event, Health, Now, Order, OrderId, Publish, What};
use crate::handoff::errand::{Errand, ErrandQueue};
use crate::handoff::mailbox::{Outcome, Returned};
use crate::handoff::order::Order as ReactorOrder;
use crate::handoff::postman::Postman;
use crate::hub::{AttachRefused, Hub, OlderWanted};
use crate::metrics::engine::EngineFigures;
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::node::answer::{Answer, Respond as _};
use crate::node::errand::{Needs, Submission};
use crate::node::execute::wall_ms;
use crate::node::work::Work;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// Errands that are taken in one turn: what comes meanwhile is the next one's.
const ERRANDS_PER_TURN: usize = 4096;
/// Events, answers and submissions of a turn, of each as many, whose memory is kept for the next.
const KEPT: usize = 8192;
/// How long what is in progress may take when the server ends.
const END_WAIT: Duration = Duration::from_secs(10);
/// What a gap is filled with at once, in publications and bytes; a longer one in several steps.
const FILL_COUNT: usize = 1024;
const FILL_BYTES: usize = 1024 * 1024;

/// See the module.
pub struct Pump {
    hub: Arc<Hub>,
    postman: Postman,
    queue: ErrandQueue,
    heard: Heard,
    engine: Box<dyn Engine>,
    ledger: Ledger,
    lines: Lines,
    figures: Arc<EngineFigures>,
    /// What one turn has to do, and what came of it: kept for their memory.
    submissions: Vec<Submission>,
    events: Vec<Event>,
    known: Known,
    health: Health,
    is_ready: bool,
    /// Whether it is known to wait for room in a mailbox.
    waits_for_room: bool,
    /// It was not, a moment ago: room may have come free since.
    is_fresh: bool,
}

impl Pump {
    /// The pump of an engine. Its mailboxes ring the bell when room comes free that it waits for.
    #[must_use]
    pub fn new(
        hub: Arc<Hub>,
        postman: Postman,
        queue: ErrandQueue,
        (bell, heard): (Bell, Heard),
        engine: Box<dyn Engine>,
        figures: Arc<EngineFigures>,
    ) -> Pump {
        postman.mailboxes.set_pump(Box::new(bell));
        let health = engine.health();
        figures.up.set(u64::from(health == Health::Up));
        figures.ready.set(1);
        let (ledger, lines) = (Ledger::default(), Lines::default());
        let (is_ready, waits_for_room, is_fresh) = (true, false, false);
        let mut pump = Pump {
            hub,
            postman,
            queue,
            heard,
            engine,
            ledger,
            lines,
            figures,
            submissions: Vec::new(),
            events: Vec::new(),
            known: Known::default(),
            health,
            is_ready,
            waits_for_room,
            is_fresh,
        };
        pump.look(Instant::now());
        pump
    }

    /// Works until the bell says that it is over, and has the engine end.
    pub fn run(mut self) {
        while !self.heard.is_over() {
            let first = self.wait();
            self.turn(first, read_clocks());
        }
        let until = Instant::now() + END_WAIT;
        let mut next = None;
        while self.turn(next.take(), read_clocks()) || (self.engine.is_busy() && Instant::now() < until) {
            let due = self.engine.due(Instant::now());
            next = self.engine.wait(&Inbox { queue: &self.queue, heard: &self.heard }, due);
        }
        self.engine.close(read_clocks());
    }

    /// Waits until there is something to do; the first errand, if it is that.
    fn wait(&mut self) -> Option<Errand> {
        let due = if self.is_fresh { Duration::ZERO } else { self.engine.due(Instant::now()) };
        self.engine.wait(&Inbox { queue: &self.queue, heard: &self.heard }, due)
    }

    /// One turn. Whether there was an errand.
    pub(super) fn turn(&mut self, first: Option<Errand>, now: Now) -> bool {
        let mut has_room = false;
        let (mut count, mut first) = (0, first);
        while let Some(errand) = first.take().or_else(|| self.next_errand(count)) {
            count += 1;
            has_room |= self.queue.took(&errand);
            self.take(errand, now);
        }
        if has_room {
            self.postman.mailboxes.wake_waiting_reactors();
        }
        self.go_on(now);
        let (mut events, mut known) = (std::mem::take(&mut self.events), std::mem::take(&mut self.known));
        self.engine.turn(now, &mut events);
        for event in events.drain(..) {
            self.apply(event, now, &mut known);
        }
        self.settle(&mut known, now);
        // Most turns need little of it, and a large one does not come often.
        events.shrink_to(KEPT);
        known.answers.shrink_to(KEPT);
        self.submissions.shrink_to(KEPT);
        (self.events, self.known) = (events, known);
        self.wait_for_room();
        self.postman.pay_wakes();
        self.look(now.instant);
        count > 0
    }

    /// The next errand of a turn that has taken so many, if there is one and the engine has room for it.
    fn next_errand(&self, count: usize) -> Option<Errand> {
        let takes = count < ERRANDS_PER_TURN && self.engine.has_room();
        if takes { self.queue.receiver().try_recv().ok() } else { None }
    }

    /// Gives the engine the orders that a work needs.
    fn take(&mut self, mut errand: Errand, now: Now) {
        let (channel, what) = match errand.work.needs() {
            Some(Needs::Place) => return self.publish(errand, now),
            Some(Needs::Whereabouts(channel)) => (ChannelName::clone(channel), What::Attach),
            Some(Needs::Older(channel, wanted)) => (ChannelName::clone(channel), What::Read(*wanted)),
            Some(Needs::Clear(channel)) => (ChannelName::clone(channel), What::Clear),
            // It is executed again, and goes where it belongs.
            None => return self.give_back(errand, Outcome::Fetched),
        };
        errand.work.blocked_since = None;
        let id = OrderId { serial: self.ledger.begin(errand, 1), place: 0 };
        self.order(id, channel, what, now);
    }

    fn publish(&mut self, mut errand: Errand, now: Now) {
        let mut submissions = std::mem::take(&mut self.submissions);
        errand.work.submit(&self.hub, now.wall_ms, &mut submissions);
        if submissions.is_empty() {
            self.submissions = submissions;
            return self.give_back(errand, Outcome::Fetched);
        }
        let serial = self.ledger.begin(errand, submissions.len());
        for (place, submission) in submissions.drain(..).enumerate() {
            let id = OrderId { serial, place: place as u32 };
            let Submission { channel, draft, key, exclude, exclude_elsewhere, if_match } = submission;
            let publish = Publish { draft, key, exclude, exclude_elsewhere, if_match };
            self.order(id, channel, What::Publish(Box::new(publish)), now);
        }
        self.submissions = submissions;
    }

    fn order(&mut self, id: OrderId, channel: ChannelName, what: What, now: Now) {
        self.engine.submit(Order { id, channel, is_patient: false, what }, now);
    }

    fn apply(&mut self, event: Event, now: Now, known: &mut Known) {
        let (channel, item) = match event {
            Event::Entry(entry) => (ChannelName::clone(&entry.channel), Item::Entry(entry)),
            Event::Placed(id, channel, place) => (channel, Item::Placed { id, place, is_certain: false }),
            Event::Cleared(id, channel, at) => (channel, Item::Cleared(id, at)),
            Event::Moved(channel, at) => (channel, Item::Moved(at)),
            Event::Has(channel, after) => (channel, Item::Has(after)),
            Event::At(channel, place) => (channel, Item::At { place, is_certain: false, id: None }),
            Event::Answered(id, channel, position) => {
                return known.answers.push((id, Answer::Published { channel, position, kept: true }));
            }
            Event::Refused(id, refusal) => return known.answers.push((id, Answer::Refused(refusal))),
            Event::Attached(id, channel, attach) => {
                let at = attach.at;
                match self.hub.attach(&channel, attach, now.instant, now.wall_ms) {
                    Ok(_) => return self.end(id),
                    Err(AttachRefused::Full) => {
                        return known.answers.push((id, Answer::Refused(Code::ChannelsFull.into())));
                    }
                    // What is missing here is read before the item is executed again; in another epoch it is lost to those who
                    // read on.
                    Err(AttachRefused::Differs(_)) => {
                        (channel, Item::At { place: at, is_certain: false, id: Some(id) })
                    }
                }
            }
            Event::Read(id, fetched) => {
                if let Some(errand) = self.ledger.errand(id) {
                    errand.work.give(fetched);
                    return self.end(id);
                }
                if let For::Fill(channel) = self.ledger.end(id) {
                    let out = Out { hub: &self.hub, post: &self.postman, now: now.instant };
                    self.lines.fill(&channel, Some(fetched), &out, known);
                }
                return;
            }
        };
        let out = Out { hub: &self.hub, post: &self.postman, now: now.instant };
        self.lines.add(channel, item, &out, known);
    }

    /// Goes on where a mailbox had no room.
    fn go_on(&mut self, now: Now) {
        if self.lines.is_empty() {
            return;
        }
        let mut known = Known::default();
        let out = Out { hub: &self.hub, post: &self.postman, now: now.instant };
        self.lines.go_on(&out, &mut known);
        self.settle(&mut known, now);
    }

    /// Answers, and orders what is missing.
    fn settle(&mut self, known: &mut Known, now: Now) {
        self.figures.repeated.add(std::mem::take(&mut known.repeated));
        for id in known.reached.drain(..) {
            self.end(id);
        }
        for (id, answer) in known.answers.drain(..) {
            match self.ledger.answer(id, answer) {
                For::Work(errand, answers) => self.answer(errand, answers),
                // The engine does not read what is missing.
                For::Fill(channel) => self.fill_without(&channel, now),
                For::Nobody => {}
            }
        }
        for (channel, from, to) in known.gaps.drain(..) {
            self.fill(channel, from, to, now);
        }
    }

    /// Has whoever frees room in a mailbox ring the bell, as long as something waits for it.
    fn wait_for_room(&mut self) {
        let waits = self.lines.wait_for_room();
        self.is_fresh = waits && !self.waits_for_room;
        if waits != self.waits_for_room {
            self.waits_for_room = waits;
            self.postman.mailboxes.set_pump_waiting(waits);
        }
    }

    fn fill(&mut self, channel: ChannelName, from: Position, to: u64, now: Now) {
        let id = self.ledger.begin_fill(ChannelName::clone(&channel));
        let wanted = OlderWanted { after: from, up_to: to, count: FILL_COUNT, bytes: FILL_BYTES, newest: false };
        self.engine.submit(Order { id, channel, is_patient: true, what: What::Read(wanted) }, now);
    }

    fn fill_without(&mut self, channel: &ChannelName, now: Now) {
        let mut known = Known::default();
        let out = Out { hub: &self.hub, post: &self.postman, now: now.instant };
        self.lines.fill(channel, None, &out, &mut known);
        self.settle(&mut known, now);
    }

    fn answer(&self, mut errand: Errand, answers: Answers) {
        for answer in answers.into_iter().flatten() {
            if let Some(reply) = errand.work.answer(answer) {
                self.postman.respond(reply);
            }
        }
        self.give_back(errand, Outcome::Answered);
    }

    /// What its next item needs is there.
    fn end(&mut self, id: OrderId) {
        if let For::Work(errand, _) = self.ledger.end(id) {
            self.give_back(errand, Outcome::Fetched);
        }
    }

    /// The reactor goes on with what is left of a work.
    fn give_back(&self, errand: Errand, outcome: fn(Box<Work>) -> Outcome) {
        let Errand { work, buffer } = errand;
        self.postman.give_back(Returned { to: work.to, buffer, outcome: outcome(work) });
    }

    /// Looks at the engine, and has the server say that it is not ready when the engine has failed.
    fn look(&mut self, now: Instant) {
        self.figures.in_progress.set(self.ledger.len() as u64);
        self.figures.queue.set(self.queue.receiver().len() as u64);
        let health = self.engine.health();
        if health != self.health {
            self.health = health;
            self.figures.up.set(u64::from(health == Health::Up));
            // What is away may come back.
            if health == Health::Broken {
                self.postman.mailboxes.order_all(&ReactorOrder::Leave);
            }
        }
        let is_ready = self.engine.is_ready(now);
        if is_ready != self.is_ready {
            self.is_ready = is_ready;
            self.figures.ready.set(u64::from(is_ready));
            self.postman.mailboxes.order_all(&ReactorOrder::Ready(is_ready));
        }
    }
}

/// Where a pump hears of something to do.
pub struct Inbox<'p> {
    /// What reactors and workers sent away.
    pub(super) queue: &'p ErrandQueue,
    /// Its bell.
    pub(super) heard: &'p Heard,
}

impl Inbox<'_> {
    /// Waits for something to do, at most for as long as this; the first errand, if it is that.
    pub(super) fn wait(&self, due: Duration) -> Option<Errand> {
        // Whoever sends one rings after it.
        if self.queue.receiver().is_empty() {
            let _ = self.heard.rings.recv_timeout(due);
        } else {
            // Or it would have a turn for nothing when all is taken.
            self.heard.hear();
        }
        self.queue.receiver().try_recv().ok()
    }
}

fn read_clocks() -> Now {
    Now { instant: Instant::now(), wall_ms: wall_ms(SystemTime::now()) }
}
