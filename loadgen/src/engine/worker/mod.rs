//! The loop of one thread: wait, read, open, send, and be done.

mod accounts;
mod alarm;
mod attack;
mod ending;
mod estate;
mod opening;
mod part;
mod pool;
mod reading;
mod sending;
mod timers;

use self::alarm::{Alarm, Timer};
use self::estate::Estate;
use self::part::GroupPart;
use self::pool::Pool;
use super::accounting::{Accounting, Notice, Traffic};
use super::attack::Attack;
use super::client::Client;
use super::error::BeginError;
use super::recorder::Recorder;
use super::spread::Spreads;
use super::transport::TlsConfig;
use super::{Progress, Reports, Wake, tls};
use crate::adapters::{Adapter, Memory};
use crate::clock::{self, Nanos};
use crate::message::{Ledger, Order, Report};
use crate::plan::{Payloads, Plan, Share, Task};
use crate::random::{Random, filling};
use crossbeam_channel::Receiver;
use mio::{Events, Poll, Token, Waker};
use slab::Slab;
use std::collections::{BinaryHeap, HashMap, VecDeque};
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use tidings::wire::deflate::{Codec, Tuning};

/// The token of the waker and of the alarm; connections have the generation above the slot.
const WAKE: Token = Token(usize::MAX);
const ALARM: Token = Token(usize::MAX - 1);
/// The maximum of one read, in bytes.
const READ_BYTES: usize = 256 * 1024;
/// Events taken from the kernel at once.
const EVENTS: usize = 1024;
/// Messages sent before the loop looks at the network again.
const SENDS_PER_TURN: usize = 256;
/// Connections opened before it does.
const OPENS_PER_TURN: usize = 64;
/// Compression of what is sent: level 1, messages of 64 bytes to 16 MiB.
const TUNING: Tuning = Tuning { level: 1, least_bytes: 64, most_bytes: 16 << 20 };

/// Where a thread is in its run.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Course {
    /// Connections open; nothing is sent yet.
    Opening { told: bool },
    /// Messages are sent.
    Running,
    /// None is sent any more; the totals are awaited.
    Stopped,
    /// What is missing is awaited until the deadline.
    Settling { deadline: Nanos, totals: Vec<u64> },
    /// Everything is reported.
    Over,
}

/// One thread of a run.
pub struct Worker {
    poll: Poll,
    alarm: Alarm,
    orders: Receiver<Order>,
    accounting: Accounting,
    clients: Slab<Client>,
    parts: Vec<GroupPart>,
    dirty: Vec<usize>,
    timers: BinaryHeap<Timer>,
    /// When each connection that is being opened has to be usable, in order.
    deadlines: VecDeque<(Nanos, Token)>,
    tls: TlsConfig,
    course: Course,
    pending: u64,
    open: u64,
    generation: u32,
    /// How many connections were begun: the next one's source address.
    begun: u64,
    scratch: Vec<u8>,
    pool: Pool,
    notice: Notice,
    /// Inflates what comes; apart from the accounting, which is busy while this is read from.
    inflate: Codec,
    /// What was remembered of connections that may come back, by part and place.
    memories: HashMap<(usize, u32), Memory>,
    /// What connections that are gone had received.
    estates: HashMap<(usize, u32), Estate>,
    /// What waits for a publisher over HTTP whose server ends each connection, until the next one is there.
    backlogs: HashMap<(usize, u32), VecDeque<(u32, Nanos)>>,
    /// By part and place: whether the first connection there is on its way.
    undecided: Vec<Vec<bool>>,
    /// How many receivers a publication has, over all threads, where all channels have as many.
    receivers_per_publication: u64,
    /// When messages stop to be sent.
    end: Nanos,
    /// What bad clients send, once the first of them is connected, and how many have.
    corpus: Vec<Attack>,
    attempts: usize,
}

impl Worker {
    /// A thread that will do its share of a plan when [`Worker::run`] is called, and what wakes it for an order.
    ///
    /// # Errors
    /// The kernel gives no epoll or timer, or the certificates cannot be read.
    pub fn new(
        plan: Plan,
        share: Share,
        adapter: Box<dyn Adapter>,
        orders: Receiver<Order>,
        reports: Reports,
        progress: Arc<Progress>,
    ) -> Result<(Worker, Wake), BeginError> {
        let poll = Poll::new().map_err(BeginError::Kernel)?;
        let waker = Arc::new(Waker::new(poll.registry(), WAKE).map_err(BeginError::Kernel)?);
        let alarm = Alarm::new(poll.registry(), ALARM).map_err(BeginError::Kernel)?;
        let tls = tls::config(&plan)?;
        let largest = plan.groups.iter().filter_map(|group| payloads(&group.task)).map(Payloads::largest).max();
        let receivers_per_publication = plan.receivers_per_publication();
        let parts: Vec<GroupPart> = (0..plan.groups.len()).map(|index| GroupPart::new(&plan, index, share)).collect();
        let undecided = parts.iter().map(|part| vec![true; part.places.len()]).collect();
        let accounting = Accounting {
            share,
            adapter: Rc::from(adapter),
            recorder: Recorder::new(clock::now()),
            spreads: Spreads::default(),
            random: Random::new(plan.seed ^ (share.index << 32)),
            ledger: Ledger::default(),
            published: vec![0; plan.streams as usize],
            echoes_left: plan.count.map_or(u64::MAX, |count| share.count(count)),
            traffic: Traffic::Before,
            progress,
            reports,
            deflate: Codec::new(TUNING),
            filling: filling(plan.seed, largest.unwrap_or(0)),
            scratch: Vec::new(),
            plan: Rc::new(plan),
        };
        let worker = Worker {
            poll,
            alarm,
            orders,
            accounting,
            clients: Slab::new(),
            parts,
            dirty: Vec::new(),
            timers: BinaryHeap::new(),
            deadlines: VecDeque::new(),
            tls,
            course: Course::Opening { told: false },
            pending: 0,
            open: 0,
            generation: 0,
            begun: 0,
            scratch: vec![0; READ_BYTES],
            pool: Pool::default(),
            notice: Notice::default(),
            inflate: Codec::new(TUNING),
            memories: HashMap::new(),
            estates: HashMap::new(),
            backlogs: HashMap::new(),
            undecided,
            receivers_per_publication,
            end: Nanos::MAX,
            corpus: Vec::new(),
            attempts: 0,
        };
        Ok((worker, waker))
    }

    /// Runs until everything is reported.
    pub fn run(mut self) {
        if let Err(error) = self.turn_until_over() {
            self.accounting.reports.send(Report::Failed(format!("epoll: {error}")));
        }
    }

    fn turn_until_over(&mut self) -> io::Result<()> {
        let mut events = Events::with_capacity(EVENTS);
        while self.course != Course::Over {
            let now = clock::now();
            let wait = self.next_deadline().is_none_or(|deadline| deadline > now);
            let sleep = wait && !self.accounting.plan.busy_poll;
            if sleep {
                self.alarm.set(self.next_deadline())?;
            }
            // In CPU time: another process may have had the CPU for a while.
            let asking = (wait && !sleep).then(clock::thread_cpu);
            match self.poll.poll(&mut events, (!sleep).then_some(std::time::Duration::ZERO)) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            if wait && events.is_empty() {
                let asked = asking.map_or(0, |began| clock::thread_cpu() - began);
                self.accounting.recorder.idle(asked);
                continue;
            }
            for event in &events {
                match event.token() {
                    WAKE | ALARM => {}
                    token => self.event(token, event),
                }
            }
            self.obey();
            // Read again: the events took their time, and what has become due in it should not wait for another turn.
            let now = clock::now();
            self.fire(now);
            self.open_due(now);
            self.send_due();
            self.flush_dirty();
            self.progress(clock::now());
        }
        Ok(())
    }

    /// The earliest time at which something has to be done.
    fn next_deadline(&self) -> Option<Nanos> {
        let settle = match &self.course {
            Course::Settling { deadline, .. } => Some(*deadline),
            _ => None,
        };
        let times = [
            Some(self.accounting.recorder.window_end()),
            settle,
            self.timers.peek().map(|timer| timer.at),
            self.deadlines.front().map(|(deadline, _)| *deadline),
            self.parts.iter().filter_map(GroupPart::next_send).min(),
            self.next_opening(),
        ];
        times.into_iter().flatten().min()
    }

    fn obey(&mut self) {
        while let Ok(order) = self.orders.try_recv() {
            match order {
                Order::Go(at) => self.go(at),
                Order::Stop => self.stop(clock::now()),
                Order::Settle(totals) => {
                    let deadline = clock::now().saturating_add(clock::of(self.accounting.plan.drain));
                    self.course = Course::Settling { deadline, totals };
                }
            }
        }
    }

    /// Ends windows, and the parts of the run.
    fn progress(&mut self, now: Nanos) {
        if now >= self.accounting.recorder.window_end() {
            self.tell_window(now);
            for spread in self.accounting.spreads.give_up(now, false) {
                self.accounting.reports.send(Report::Spread(spread));
            }
        }
        match &self.course {
            Course::Opening { told: false } if self.all_opened() => {
                self.course = Course::Opening { told: true };
                self.expect_deliveries();
                self.tell_window(now);
                let open = self.parts.iter().map(|part| part.open).collect();
                self.accounting.reports.send(Report::Opened(open));
            }
            Course::Running if self.parts.iter().all(GroupPart::has_sent_all) && self.is_counted_out(now) => {
                self.stop(now)
            }
            Course::Settling { deadline, totals } if now >= *deadline || self.missing(totals) == 0 => self.finish(now),
            _ => {}
        }
    }

    fn tell_window(&mut self, now: Nanos) {
        let traffic = self.accounting.traffic != Traffic::Before;
        let report = self.accounting.recorder.turn(now, self.open, traffic);
        self.accounting.reports.send(Report::Window(report));
    }
}

fn payloads(task: &Task) -> Option<&Payloads> {
    match task {
        Task::Echo { payloads, .. } | Task::Publish { payloads, .. } => Some(payloads),
        _ => None,
    }
}
