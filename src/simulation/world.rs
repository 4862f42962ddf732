//! A server in one thread: reactors, workers and clients that take steps in an order drawn from a seed, on a clock that
//! moves when it is told to.

use super::client::{Client, Role};
use super::home::{Home, wakers};
use super::ledger::Ledger;
use super::pipe::SimulatedSocket;
use super::settings::{Plan, settings};
use crate::config::Config;
use crate::connection::env::{Draw, Limits, TICK_MS};
use crate::handoff::errand::{ErrandQueue, Errands};
use crate::handoff::job::{JobQueues, JobRoom};
use crate::handoff::mailbox::{MailboxLimits, Mailboxes};
use crate::handoff::postman::Postman;
use crate::hub::{Hub, HubLimits, RandomSource};
use crate::metrics::Counters;
use crate::model::code::Code;
use crate::model::ids::MailboxId;
use crate::model::peer_address::PeerAddress;
use crate::node::execute::wall_ms;
use crate::reactor::engine::{Engine, Readiness};
use crate::reactor::entry::{Interest, parts};
use crate::reactor::{Listener, Setup};
use crate::server::policy;
use crate::services::insight::Insight;
use crate::services::{Operations, Pages};
use crate::wire::json::JsonScratch;
use crate::workers::Worker;
use arc_swap::ArcSwap;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

/// See the module.
pub(super) struct World {
    pub(super) random: StdRng,
    pub(super) plan: Plan,
    pub(super) hub: Arc<Hub>,
    pub(super) mailboxes: Arc<Mailboxes>,
    pub(super) homes: Vec<Home>,
    pub(super) limits: Arc<Limits>,
    workers: Vec<(Worker, JsonScratch)>,
    insight: Insight,
    pub(super) room: Arc<JobRoom>,
    pub(super) threads: Arc<Vec<Arc<Counters>>>,
    pub(super) connections: AtomicUsize,
    pub(super) clients: Vec<Client>,
    pub(super) ledger: Ledger,
    now: Instant,
    began: Instant,
}

/// Numbers that come again with their seed.
fn draws(seed: u64) -> Draw {
    let mut random = StdRng::seed_from_u64(seed);
    Box::new(move || random.random())
}

fn pages(
    hub: &Arc<Hub>,
    mailboxes: &Arc<Mailboxes>,
    threads: &Arc<Vec<Arc<Counters>>>,
    limits: &Arc<Limits>,
    started: Instant,
) -> Pages {
    Pages {
        hub: Arc::clone(hub),
        mailboxes: Arc::clone(mailboxes),
        threads: Arc::clone(threads),
        limits: Arc::new(ArcSwap::new(Arc::clone(limits))),
        phase: Arc::default(),
        key_sets: Arc::default(),
        reloads: Arc::default(),
        expiries: Arc::default(),
        orders: Arc::default(),
        engine: None,
        cluster: None,
        started,
    }
}

fn boxes(config: &Config) -> MailboxLimits {
    MailboxLimits { entries: config.delivery.mailbox_entries, bytes: config.delivery.mailbox_bytes }
}

fn insight(errands: ErrandQueue, pages: Pages) -> Insight {
    let operations = Operations {
        hub: Arc::clone(&pages.hub),
        mailboxes: Arc::clone(&pages.mailboxes),
        revocations: Arc::default(),
        listeners: Arc::default(),
        reload: Arc::new(|| Err(Code::ConfigRefused.into())),
        others: None,
    };
    Insight::new(errands, pages, operations, None, Arc::default())
}

fn counters(threads: usize) -> Arc<Vec<Arc<Counters>>> {
    Arc::new((0..threads).map(|_| Arc::default()).collect())
}

impl World {
    pub(super) fn new(seed: u64) -> World {
        let mut random = StdRng::seed_from_u64(seed);
        let (config, plan) = settings(&mut random);
        config.check().expect("the settings of a simulation are such as a server takes");
        let began = Instant::now();
        let (flags, wakers) = wakers(plan.reactors);
        let (mailboxes, inboxes) = Mailboxes::new(wakers, boxes(&config), config.delivery.outbound_total_bytes);
        let (jobs, room, queues) =
            JobQueues::new(plan.workers, config.delivery.worker_queue_jobs, config.delivery.worker_queue_bytes);
        let (errands, errand_queue) = Errands::new(config.delivery.service_queue);
        let hub = Arc::new(Hub::new(HubLimits::new(&config), RandomSource::seeded(seed)));
        let limits = Arc::new(Limits::new(&config));
        let threads = counters(plan.reactors + plan.workers);
        let policy = policy(&config, &config.all_listeners()[0], Arc::default());
        let mut homes = Vec::new();
        for (index, (inbox, woken)) in inboxes.into_iter().zip(flags).enumerate() {
            let setup = Setup {
                away: false,
                hub: Arc::clone(&hub),
                rules: Arc::clone(&policy.rules),
                postman: Postman::new(Arc::clone(&mailboxes), Some(MailboxId(index as u32))),
                jobs: Arc::clone(&jobs),
                errands: errands.clone(),
                inline_parse_bytes: config.server.inline_parse_bytes,
                publish_wait: config.server.publish_wait,
                subscriptions_max: config.channels.per_connection,
                flush: config.io.flush,
                connections_max: usize::MAX,
                limits: Arc::clone(&limits),
                listeners: vec![Listener::without_socket(policy.clone())],
                changes: channel().1,
                journal: Arc::default(),
                counters: Arc::clone(&threads[index]),
                phase: Arc::default(),
                started: began,
                draw: draws(seed ^ index as u64),
            };
            homes.push(Home::new(Engine::new(inbox, setup), woken));
        }
        let worker = |(index, jobs)| Worker {
            index,
            jobs,
            room: Arc::clone(&room),
            hub: Arc::clone(&hub),
            rules: Arc::default(),
            mailboxes: Arc::clone(&mailboxes),
            counters: Arc::clone(&threads[plan.reactors + index]),
            limits: Arc::new(ArcSwap::new(Arc::clone(&limits))),
            errands: errands.clone(),
        };
        let workers = queues.into_iter().enumerate().map(|queue| (worker(queue), JsonScratch::default())).collect();
        let insight = insight(errand_queue, pages(&hub, &mailboxes, &threads, &limits, began));
        World {
            random,
            plan,
            hub,
            mailboxes,
            homes,
            limits,
            workers,
            insight,
            room,
            threads,
            connections: AtomicUsize::new(0),
            clients: Vec::new(),
            ledger: Ledger::default(),
            now: began,
            began,
        }
    }

    /// One step, drawn by chance.
    pub(super) fn step(&mut self) {
        self.ledger.happened.steps += 1;
        match self.random.random_range(0..100) {
            0..3 if self.clients.len() < self.plan.clients => self.connect(),
            0..55 => self.client_step(),
            55..80 => self.some_reactor(),
            80..93 => self.some_job(),
            93..97 => {
                let span = Duration::from_millis(self.random.random_range(1..200));
                self.wait(span);
            }
            97 => {
                self.hub.sweep(self.now);
            }
            98 if self.plan.resets => self.reset(),
            _ => self.wait_for_the_next_deadline(),
        }
    }

    fn connect(&mut self) {
        let home = self.random.random_range(0..self.homes.len());
        let role = Role::draw(&mut self.random, self.plan.channels);
        self.open(home, role);
    }

    fn open(&mut self, home: usize, role: (Role, Vec<u8>)) {
        let wall = self.wall();
        let engine = &mut self.homes[home].engine;
        // A reactor knows the time of its tick when it accepts.
        engine.set_clock(self.now, wall);
        let (slot, generation) = parts(engine.entries.next_token());
        let client = Client::new(&mut self.random, &self.plan, (home, slot, generation), role);
        // It accepts in a tick of its own, which goes on with all phases.
        self.homes[home].stays_up = true;
        let engine = &mut self.homes[home].engine;
        engine.open(SimulatedSocket(std::rc::Rc::clone(&client.pipe)), PeerAddress::UNIX, 0, &self.connections, false);
        self.clients.push(client);
    }

    fn client_step(&mut self) {
        if self.clients.is_empty() {
            return self.connect();
        }
        let index = self.random.random_range(0..self.clients.len());
        let (random, ledger) = (&mut self.random, &mut self.ledger);
        let readiness = self.clients[index].step(random, &self.plan, ledger);
        self.tell(index, readiness);
        if let Some(role) = self.clients[index].comes_back() {
            let home = self.random.random_range(0..self.homes.len());
            self.open(home, role);
        }
        self.bury();
    }

    fn tell(&mut self, index: usize, readiness: Option<Readiness>) {
        if let Some(readiness) = readiness {
            let (home, slot, generation) = self.clients[index].name;
            self.homes[home].events.push((slot, generation, readiness));
        }
    }

    /// Forgets clients whose connection is over on both sides.
    fn bury(&mut self) {
        self.clients.retain(|client| !client.is_gone());
    }

    fn some_reactor(&mut self) {
        let index = self.random.random_range(0..self.homes.len());
        if self.is_runnable(index) {
            self.turn(index);
        }
    }

    /// Whether its wait would return now.
    fn is_runnable(&self, index: usize) -> bool {
        let home = &self.homes[index];
        home.woken.load(Ordering::SeqCst)
            || !home.events.is_empty()
            || home.stays_up
            || home.due.is_some_and(|due| due <= self.now)
    }

    fn turn(&mut self, index: usize) {
        let wall = self.wall();
        let home = &mut self.homes[index];
        home.woken.store(false, Ordering::SeqCst);
        home.engine.set_clock(self.now, wall);
        for (slot, generation, readiness) in home.events.drain(..) {
            home.engine.take_event(slot, generation, readiness);
        }
        home.engine.say_goodbyes();
        // Asked as a reactor asks; those that are left are cut when the time is over.
        home.engine.only_the_unresponsive_are_left();
        home.engine.turn();
        home.engine.apply_interest(|socket, _, change| {
            socket.0.borrow_mut().reports_room |= change.to == Interest::ReadWrite;
            Ok(())
        });
        home.engine.reap_closed(&self.connections, |_| ());
        home.stays_up = home.engine.is_busy();
        home.due = home.engine.rest(self.now).map(|rest| self.now + rest);
        self.audit();
    }

    /// A worker's job, or an errand.
    fn some_job(&mut self) {
        let index = self.random.random_range(0..=self.workers.len());
        if index == self.workers.len() {
            self.insight.step(self.now);
        } else {
            self.job(index);
        }
    }

    fn job(&mut self, index: usize) -> bool {
        let wall_ms = wall_ms(self.wall());
        let (worker, scratch) = &mut self.workers[index];
        let Ok(job) = worker.jobs.try_recv() else { return false };
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        worker.perform(job, &postman, scratch, self.now, wall_ms);
        true
    }

    fn reset(&mut self) {
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        let channel = super::socket_client::channel(&mut self.random, self.plan.channels);
        if self.hub.reset(&channel, &postman, self.now).is_ok_and(|position| position.is_some()) {
            self.ledger.happened.resets += 1;
        }
    }

    fn wait(&mut self, span: Duration) {
        self.now += span;
    }

    fn wait_for_the_next_deadline(&mut self) {
        let due = self.homes.iter().filter_map(|home| home.due).min();
        self.now = self.now.max(due.unwrap_or(self.now)) + Duration::from_millis(1);
    }

    fn wall(&self) -> SystemTime {
        UNIX_EPOCH + Duration::from_secs(1_700_000_000) + self.now.duration_since(self.began)
    }

    /// Lets everybody read and everything run until nothing happens by itself any more.
    pub(super) fn settle(&mut self) {
        loop {
            let mut moved = self.insight.step(self.now);
            for index in 0..self.workers.len() {
                moved |= self.job(index);
            }
            for index in 0..self.homes.len() {
                if self.is_runnable(index) {
                    self.turn(index);
                    moved = true;
                }
            }
            for index in 0..self.clients.len() {
                let readiness = self.clients[index].finish_step(&mut self.ledger);
                moved |= readiness.is_some();
                self.tell(index, readiness);
            }
            self.bury();
            if !moved {
                return;
            }
        }
    }

    /// Lets what waits for room wait as long as it may.
    pub(super) fn settle_for(&mut self, span: Duration) {
        let until = self.now + span;
        while self.now < until {
            self.settle();
            self.wait(Duration::from_millis(TICK_MS));
        }
        self.settle();
    }

    /// Tells everybody to go, and lets them.
    pub(super) fn end(&mut self, drain: bool) {
        if drain {
            self.ledger.happened.drains += 1;
            let wall = self.wall();
            let spread = Duration::from_secs(self.plan.steps as u64 % 2);
            for home in &mut self.homes {
                home.engine.set_clock(self.now, wall);
                home.engine.begin_goodbyes(spread);
                home.engine.say_goodbyes();
                home.stays_up = true;
            }
        } else {
            for index in 0..self.clients.len() {
                let readiness = self.clients[index].leave(&mut self.random);
                self.tell(index, Some(readiness));
            }
        }
        self.settle_for(Duration::from_secs(3));
        if drain {
            for home in &mut self.homes {
                home.engine.cut_off_all();
                home.engine.reap_closed(&self.connections, |_| ());
            }
        }
        self.settle();
    }
}
