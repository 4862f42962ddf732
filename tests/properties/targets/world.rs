//! A reactor's part, played by hand: connections over a real hub, with mailboxes, a pool, a clock and sockets of memory.

use super::heard::Heard;
use super::peer::{Expected, Peer};
use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::io::IoSlice;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tidings::access::limits::InForce;
use tidings::access::{AccessPolicy, Identities};
use tidings::connection::buffer_pool::BufferPool;
use tidings::connection::env::{Draw, Env, Limits, TICK_MS, Ticks};
use tidings::connection::meter::Meter;
use tidings::connection::outbox::SLICES_MAX;
use tidings::connection::{Connection, Expired, Hold, Payload, Step};
use tidings::hub::post::{Delivery, Post};
use tidings::hub::{Hub, HubLimits, RandomSource};
use tidings::journal::Notes;
use tidings::metrics::Counters;
use tidings::model::code::Code;
use tidings::model::encoding::Encoding;
use tidings::model::ids::{ChannelId, ConnId, MailboxId};
use tidings::model::refusal::Refusal;
use tidings::model::request::{Item, Request, RequestId, Verb};
use tidings::model::ticket::Ticket;
use tidings::model::transport::Transport;
use tidings::node::answer::{Answer, Reply, Respond};
use tidings::node::execute::{Node, Progress, execute, give_up};
use tidings::node::work::Work;
use tidings::protocol::Session;
use tidings::protocol::encoders::encoded;
use tidings::protocol::routes::Routes;
use tidings::protocol::task::{RawWork, Reading, Task};
use tidings::protocol::tidings::parse::{Dialect, Parsed, parse_binary, parse_text};
use tidings::wire::deflate::Codec;
use tidings::wire::frame::Kind;
use tidings::wire::http::answer::DateCache;
use tidings::wire::json::JsonScratch;

/// The mailbox of the connections, and one that nobody reads.
const OWN: MailboxId = MailboxId(0);
const ELSEWHERE: MailboxId = MailboxId(1);
/// Channels that one connection may be subscribed to.
const SUBSCRIPTIONS: usize = 8;
/// What one answer may add to its outbox besides its replay: ids, names and messages, all of them escaped.
const ANSWER_BYTES: usize = 3000;

/// How a world is set up.
pub(crate) struct Settings {
    pub(crate) limits: Limits,
    pub(crate) hub: HubLimits,
    /// The largest publication as a frame.
    pub(crate) push_bytes: usize,
    /// Payloads of so many bytes go to the pool.
    pub(crate) inline_bytes: usize,
    /// Publications that the mailbox holds.
    pub(crate) mailbox: usize,
    /// Bytes of one read.
    pub(crate) piece: usize,
    pub(crate) peer_is_loopback: bool,
}

/// What comes out of a mailbox.
enum Letter {
    Delivery(Delivery),
    Reply(Reply),
    Returned(ConnId),
}

/// The mailboxes, of which one is read.
struct Boxes {
    letters: RefCell<VecDeque<Letter>>,
    room: RefCell<Room>,
}

#[derive(Default)]
struct Room {
    entries: usize,
    reserved: usize,
    capacity: usize,
}

impl Post for Boxes {
    fn reserve(&self, mailbox: MailboxId, _bytes: usize) -> bool {
        let mut room = self.room.borrow_mut();
        let fits = mailbox != OWN || room.entries + room.reserved < room.capacity;
        room.reserved += usize::from(fits && mailbox == OWN);
        fits
    }

    fn release(&self, mailbox: MailboxId, _bytes: usize) {
        self.room.borrow_mut().reserved -= usize::from(mailbox == OWN);
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        if mailbox != OWN {
            return;
        }
        let mut room = self.room.borrow_mut();
        room.reserved -= 1;
        room.entries += 1;
        self.letters.borrow_mut().push_back(Letter::Delivery(delivery));
    }

    fn wake(&self, _mailbox: MailboxId) {}
}

impl Respond for Boxes {
    fn respond(&self, reply: Reply) {
        if reply.to.mailbox == OWN {
            self.letters.borrow_mut().push_back(Letter::Reply(reply));
        }
    }
}

/// One connection with its socket.
struct Client {
    connection: Connection,
    peer: Peer,
    heard: Heard,
    generation: u32,
    rest: Vec<u8>,
    rest_pending: bool,
    /// The peer's stream ended.
    ended: bool,
    shut_down: bool,
    dead: bool,
    /// Bytes that the socket takes before it is full.
    window: usize,
    write_blocked: bool,
    /// An echo that is cut off may stop in the middle of a frame.
    torn: bool,
    /// Answers since the outbox was last empty, and those on their way.
    answers: usize,
    subscribed: Vec<ChannelId>,
}

/// What happened in a world, for the list of outcomes.
#[derive(Debug, Default)]
pub(crate) struct Happened {
    pub(crate) requests: bool,
    pub(crate) socket: bool,
    pub(crate) stream: bool,
    pub(crate) cut_off: bool,
    pub(crate) dropped: bool,
    pub(crate) parked: bool,
    pub(crate) pooled: bool,
    pub(crate) inflated: bool,
}

pub(crate) struct World {
    settings: Settings,
    policy: AccessPolicy,
    hub: Hub,
    boxes: Boxes,
    counters: Counters,
    notes: Notes,
    meter: Meter,
    buffers: BufferPool,
    codec: Codec,
    json: JsonScratch,
    clients: Vec<Client>,
    members: HashMap<u64, Vec<(usize, Encoding)>>,
    parked: VecDeque<Box<Work>>,
    pool: VecDeque<(ConnId, RawWork<Vec<u8>>)>,
    routes: Routes,
    date: DateCache,
    started: Instant,
    now: Ticks,
    draining: bool,
    /// Nobody ended a subscription without asking to be told.
    exact: bool,
    pub(crate) happened: Happened,
}

/// The date of the world's one second.
fn epoch() -> DateCache {
    let mut date = DateCache::default();
    date.at_second(0);
    date
}

/// Lends everything a connection needs from the fields of a world, beside the connection itself.
macro_rules! env {
    ($world:expr) => {
        Env {
            now: $world.now,
            limits: &$world.settings.limits,
            buffers: &mut $world.buffers,
            codec: &mut $world.codec,
            counters: &$world.counters,
            date: &$world.date,
            policy: &$world.policy,
            routes: &$world.routes,
            notes: &$world.notes,
            meter: &$world.meter,
            draining: $world.draining,
            names: $world.hub.names(),
            draw: &mut (Box::new(|| 1_234_567_u64) as Draw),
            leaving: $world.draining,
            away: false,
        }
    };
}

impl World {
    pub(crate) fn new(settings: Settings, clients: usize) -> World {
        let policy =
            AccessPolicy { listener_is_loopback: settings.peer_is_loopback, port: 80, ..AccessPolicy::default() };
        let room = Room { capacity: settings.mailbox, ..Room::default() };
        let mut world = World {
            routes: Routes::new(policy.serves),
            policy,
            hub: Hub::new(settings.hub.clone(), RandomSource::seeded(1)),
            boxes: Boxes { letters: RefCell::default(), room: RefCell::new(room) },
            counters: Counters::default(),
            notes: Notes::default(),
            buffers: BufferPool::default(),
            meter: Meter::new(Arc::clone(&settings.limits.limiter), InForce::NOTHING),
            codec: settings.limits.codec(),
            json: JsonScratch::new(),
            clients: Vec::new(),
            members: HashMap::new(),
            parked: VecDeque::new(),
            pool: VecDeque::new(),
            date: epoch(),
            started: Instant::now(),
            now: 0,
            draining: false,
            exact: true,
            happened: Happened::default(),
            settings,
        };
        for _ in 0..clients {
            let client = world.accept(0);
            world.clients.push(client);
        }
        world
    }

    fn accept(&self, generation: u32) -> Client {
        let peer: IpAddr = if self.settings.peer_is_loopback { [127, 0, 0, 1] } else { [192, 0, 2, 1] }.into();
        Client {
            connection: Connection::new(peer.into(), self.now),
            peer: Peer::new(),
            heard: Heard::new(),
            generation,
            rest: Vec::new(),
            rest_pending: false,
            ended: false,
            shut_down: false,
            dead: false,
            window: usize::MAX,
            write_blocked: false,
            torn: false,
            answers: 0,
            subscribed: Vec::new(),
        }
    }

    fn instant(&self) -> Instant {
        self.started + Duration::from_millis(u64::from(self.now) * TICK_MS)
    }

    fn name(&self, slot: usize) -> ConnId {
        ConnId::here(OWN, slot as u32, self.clients[slot].generation)
    }

    /// The connection that this name means, if it is still there.
    fn find(&self, name: ConnId) -> Option<usize> {
        let slot = name.slot as usize;
        let alive = |client: &Client| client.generation == name.generation && !client.dead;
        self.clients.get(slot).filter(|client| alive(client)).map(|_| slot)
    }

    /// The peer sends bytes.
    pub(crate) fn send(&mut self, slot: usize, bytes: &[u8]) {
        for piece in bytes.chunks(self.settings.piece) {
            let client = &mut self.clients[slot];
            if client.dead || client.ended {
                return;
            }
            client.rest.extend_from_slice(piece);
            self.feed(slot);
        }
    }

    /// The peer sends nothing more.
    pub(crate) fn end(&mut self, slot: usize) {
        self.clients[slot].ended = true;
        self.feed(slot);
    }

    /// The peer's socket takes so many more bytes.
    pub(crate) fn open(&mut self, slot: usize, bytes: usize) {
        let client = &mut self.clients[slot];
        client.window = client.window.saturating_add(bytes);
        client.write_blocked = false;
        self.settle(slot);
    }

    /// The peer's socket is full from here on.
    pub(crate) fn shut(&mut self, slot: usize) {
        self.clients[slot].window = 0;
    }

    /// A new connection in the place of one that is gone.
    pub(crate) fn replace(&mut self, slot: usize) {
        self.kill(slot);
        let generation = self.clients[slot].generation + 1;
        self.clients[slot] = self.accept(generation);
    }

    /// One connection too many.
    pub(crate) fn turn_away(&mut self, slot: usize) {
        self.clients[slot].connection.turn_away(Code::TooManyConnections);
    }

    pub(crate) fn close(&mut self, slot: usize, reason: Code) {
        let client = &mut self.clients[slot];
        if !client.dead {
            client.connection.close(reason, &mut env!(self));
            self.settle(slot);
        }
    }

    /// All memory for what leaves is spent.
    pub(crate) fn overdraw(&mut self, slot: usize) {
        if self.clients[slot].write_blocked {
            self.cut_off(slot, Code::OutboundBudget);
            self.settle(slot);
        }
    }

    pub(crate) fn drain(&mut self) {
        self.draining = true;
        (0..self.clients.len()).for_each(|slot| self.close(slot, Code::ServerShutdown));
    }

    /// Somebody elsewhere asks something of the hub.
    pub(crate) fn ask_elsewhere(&mut self, item: Item) {
        let to = ConnId::here(ELSEWHERE, 0, 0);
        let mut work = Work::one(to, Identities::default().operator, Ticket::default(), item);
        if self.execute(&mut work) == Progress::Blocked {
            self.happened.parked = true;
            give_up(&mut work, Node::open(&self.hub), &self.boxes, self.instant(), 0);
        }
    }

    /// Executes work; pages about the server are made on the spot.
    fn execute(&self, work: &mut Work) -> Progress {
        loop {
            let progress = execute(work, Node::open(&self.hub), &self.boxes, self.instant(), 0);
            if progress != Progress::Away {
                return progress;
            }
            let page = Answer::Page { content_type: "text/plain", body: b"a page".to_vec() };
            self.boxes.respond(work.answer(page).expect("what goes away has an item"));
        }
    }

    /// Time goes by, and every deadline that passed is heard.
    pub(crate) fn wait(&mut self, ticks: Ticks) {
        self.now += ticks;
        for slot in 0..self.clients.len() {
            for round in 0.. {
                let client = &mut self.clients[slot];
                let env = &mut env!(self);
                if client.dead || client.connection.deadline(env) > self.now {
                    break;
                }
                assert!(round < 4, "a deadline that does not move");
                match client.connection.expire(env) {
                    Expired::Continue => self.settle(slot),
                    Expired::Drop(_) => {
                        self.happened.dropped = true;
                        self.kill(slot);
                    }
                }
            }
        }
    }

    /// Lets a connection consume what it was sent.
    fn feed(&mut self, slot: usize) {
        let mut idle = 0;
        loop {
            let client = &mut self.clients[slot];
            if client.dead {
                return;
            }
            client.rest_pending = false;
            if !client.connection.wants_input(&env!(self)) {
                client.rest_pending = !client.rest.is_empty();
                break;
            }
            let mut input = std::mem::take(&mut client.rest);
            let (given, before) = (input.clone(), self.counters.http_heads.get());
            let is_http = client.connection.transport() == Some(Transport::Http);
            let (used, step) = client.connection.step(&mut input, &mut env!(self));
            let (more, work) = match step {
                Step::NeedMore => (false, None),
                Step::Continue => (true, None),
                Step::Work(raw) => (true, Some(owned(raw))),
                Step::Verify(_) => unreachable!("there is no issuer"),
            };
            assert!(used <= input.len());
            client.rest = input.split_off(used);
            let asked = if is_http { client.heard.consumed(&given[..used], &self.settings.limits.head) } else { None };
            if self.counters.http_heads.get() > before {
                let asked = asked.expect("a request that was counted has a head");
                client.peer.asked(asked.is_head);
                client.peer.echo = asked.is_echo;
                self.happened.requests = true;
            }
            if let Some(work) = work {
                self.expect(slot, &work);
                self.submit(slot, work);
            }
            if !more {
                self.check_rest(slot);
                break;
            }
            idle = if used == 0 { idle + 1 } else { 0 };
            assert!(idle < 4, "steps that consume nothing");
            if self.clients[slot].rest.is_empty() && used == 0 {
                break;
            }
        }
        self.settle(slot);
    }

    /// What an incomplete request or frame leaves with the reactor is bounded.
    fn check_rest(&self, slot: usize) {
        let client = &self.clients[slot];
        let most = match client.connection.transport() {
            Some(Transport::WebSocket) => 130,
            Some(Transport::Http | Transport::EventStream | Transport::TurnedAway) | None => 0,
        };
        assert!(client.rest.len() <= most, "{} bytes are left, at most {most}", client.rest.len());
    }

    /// Tells the peer what must be answered, and notes when it cannot be known from where on a peer gets every publication.
    fn expect(&mut self, slot: usize, work: &RawWork<Vec<u8>>) {
        let parsed = match &work.task {
            Task::Message(Session::Tidings(dialect), Kind::Text) => parse_text(&work.payload, &mut self.json, *dialect),
            Task::Message(_, Kind::Binary) => parse_binary(&work.payload, &mut self.json),
            Task::Body(_) => parse_text(&work.payload, &mut self.json, Dialect::Open),
            Task::Message(..) | Task::Request(_) | Task::Several(_) => return,
        };
        let items: Vec<&Item> = match &parsed {
            Parsed::One(item) => vec![item],
            Parsed::Batch(items) => items.iter().collect(),
            Parsed::PlainGet | Parsed::PlainPost(_) | Parsed::Refused(_) => vec![],
        };
        // Who ends a subscription without an id is not told when it ended, so its next one may begin anywhere.
        let leaves_out = |item: &&Item| match item {
            Ok(Request { verb: Verb::Unsubscribe { .. }, id }) => id.is_none(),
            _ => false,
        };
        self.exact &= !items.iter().any(leaves_out);
        if matches!(work.task, Task::Body(_)) {
            return;
        }
        let mut ids = items.iter().map(|item| match item {
            Ok(request) => request.id.as_ref(),
            Err(refused) => refused.id.as_ref(),
        });
        let peer = &mut self.clients[slot].peer;
        if let Parsed::Batch(_) = &parsed {
            peer.expect(Expected::Batch(ids.map(|id| id.map(as_json)).collect()));
        } else if let Some(id) = ids.next().flatten() {
            peer.expect(Expected::Id(as_json(id)));
        }
    }

    fn submit(&mut self, slot: usize, raw: RawWork<Vec<u8>>) {
        let to = self.name(slot);
        let (answers, hold) = if raw.payload.len() >= self.settings.inline_bytes && !raw.task.is_parsed() {
            self.happened.pooled = true;
            self.pool.push_back((to, raw));
            (0, Hold::Elsewhere)
        } else {
            let mut reading = Reading { scratch: &mut self.json, settings: &self.settings.limits.protocol };
            let mut work = Box::new(raw.prepare(to, &mut reading));
            let answers = work.remaining();
            let hold = if work.holds_back() { Hold::Answers } else { Hold::No };
            match self.execute(&mut work) {
                Progress::Done => (answers, hold),
                Progress::Blocked | Progress::Away => {
                    self.park(work);
                    (answers, Hold::Elsewhere)
                }
            }
        };
        self.clients[slot].connection.submitted(answers, hold);
    }

    fn park(&mut self, work: Box<Work>) {
        self.happened.parked = true;
        self.parked.push_back(work);
    }

    /// A worker takes the oldest job.
    pub(crate) fn work(&mut self) {
        let Some((to, raw)) = self.pool.pop_front() else { return };
        let mut reading = Reading { scratch: &mut JsonScratch::new(), settings: &self.settings.limits.protocol };
        let mut work = Box::new(raw.prepare(to, &mut reading));
        match self.execute(&mut work) {
            Progress::Done => self.boxes.letters.borrow_mut().push_back(Letter::Returned(to)),
            Progress::Blocked | Progress::Away => {
                if let Some(slot) = self.find(to) {
                    self.clients[slot].connection.submitted(work.remaining(), Hold::Elsewhere);
                }
                self.park(work);
            }
        }
    }

    /// What waits for room is tried again; with `patient` false what waits longest is given up.
    pub(crate) fn retry(&mut self, patient: bool) {
        let Some(mut work) = self.parked.pop_front() else { return };
        let now = self.instant();
        if self.execute(&mut work) == Progress::Blocked {
            if patient {
                self.parked.push_back(work);
                return;
            }
            give_up(&mut work, Node::open(&self.hub), &self.boxes, now, 0);
        }
        if let Some(slot) = self.find(work.to) {
            self.clients[slot].connection.returned(&mut env!(self));
            self.feed(slot);
        }
    }

    /// Takes at most so many letters out of the mailbox.
    pub(crate) fn deliver(&mut self, letters: usize) {
        for _ in 0..letters {
            let letter = self.boxes.letters.borrow_mut().pop_front();
            match letter {
                None => return,
                Some(Letter::Delivery(Delivery::Publication { channel, publication, exclude, .. })) => {
                    self.boxes.room.borrow_mut().entries -= 1;
                    for (slot, encoding) in self.members.get(&channel.0).cloned().unwrap_or_default() {
                        if self.clients[slot].dead || self.is_slow(slot) {
                            continue;
                        }
                        let connection = &self.clients[slot].connection;
                        if exclude == Some(self.name(slot)) {
                            self.clients[slot].connection.push_excluded(&publication, &mut env!(self));
                        } else if connection.takes_shared(encoding) && connection.outbox.is_empty() {
                            let bytes = encoded(&publication, encoding, &mut self.codec);
                            self.clients[slot].connection.push_shared(bytes, self.now, &mut self.buffers);
                        } else {
                            self.clients[slot].connection.push(&publication, encoding, &mut env!(self));
                        }
                        self.settle(slot);
                    }
                }
                Some(Letter::Delivery(Delivery::Reset { channel, name, position })) => {
                    self.boxes.room.borrow_mut().entries -= 1;
                    for (slot, _) in self.members.get(&channel.0).cloned().unwrap_or_default() {
                        self.clients[slot].connection.push_reset(channel, &name, position, &mut env!(self));
                        self.settle(slot);
                    }
                }
                Some(Letter::Reply(reply)) => self.reply(reply),
                Some(Letter::Returned(to)) => {
                    if let Some(slot) = self.find(to) {
                        self.clients[slot].connection.returned(&mut env!(self));
                        self.feed(slot);
                    }
                }
            }
        }
    }

    fn reply(&mut self, mut reply: Reply) {
        let found = self.find(reply.to).filter(|slot| self.clients[*slot].connection.ending().is_none());
        let Some(slot) = found else {
            if let Answer::Channel { id, live: true, .. } = reply.answer {
                self.hub.leave(id, reply.to);
            }
            return;
        };
        if let Some(refusal) = self.subscribe(slot, &reply) {
            reply.answer = Answer::Refused(refusal);
        }
        self.clients[slot].answers += 1;
        let put_off = self.clients[slot].connection.sign_in(reply, &mut env!(self));
        assert!(put_off.is_none(), "there is no issuer");
        self.feed(slot);
    }

    /// Keeps the table of subscriptions; the refusal to give instead of the answer, if any.
    fn subscribe(&mut self, slot: usize, reply: &Reply) -> Option<Refusal> {
        let client = &mut self.clients[slot];
        match &reply.answer {
            Answer::Channel { id, live: true, .. } => {
                let already = client.subscribed.contains(id);
                if already || client.subscribed.len() == SUBSCRIPTIONS {
                    self.hub.leave(*id, reply.to);
                    return (!already).then(|| Refusal::new(Code::TooManySubscriptions, "too many"));
                }
                client.subscribed.push(*id);
                self.members.entry(id.0).or_default().push((slot, client.connection.encoding(reply.ticket)));
                None
            }
            Answer::Unsubscribe { id, .. } => {
                let id = id.filter(|id| client.subscribed.contains(id));
                let Some(id) = id else { return Some(Refusal::new(Code::NotSubscribed, "not subscribed")) };
                self.forget(slot, id);
                None
            }
            _ => None,
        }
    }

    fn forget(&mut self, slot: usize, id: ChannelId) {
        self.clients[slot].subscribed.retain(|own| *own != id);
        self.members.entry(id.0).or_default().retain(|(own, _)| *own != slot);
        self.hub.leave(id, self.name(slot));
    }

    /// Cuts a reader off that has more bytes left than its limit (law 7).
    fn is_slow(&mut self, slot: usize) -> bool {
        let client = &mut self.clients[slot];
        let limit = client.connection.outbox_limit(&env!(self));
        let slow = client.write_blocked && client.connection.outbox.len() > limit;
        if slow {
            self.cut_off(slot, Code::SlowConsumer);
            self.settle(slot);
        }
        slow
    }

    fn cut_off(&mut self, slot: usize, reason: Code) {
        let client = &mut self.clients[slot];
        match client.connection.ending() {
            None => {
                client.torn = client.peer.echo;
                client.connection.cut_off(reason, &mut env!(self));
                self.happened.cut_off = true;
            }
            Some(Code::SlowConsumer | Code::OutboundBudget) => {}
            Some(_) => self.kill(slot),
        }
    }

    /// Writes what the socket takes, and looks whether the connection is over.
    fn settle(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        if client.dead {
            return;
        }
        match client.connection.transport() {
            Some(Transport::WebSocket) => self.happened.socket = true,
            Some(Transport::EventStream) => self.happened.stream = true,
            _ => {}
        }
        self.write(slot);
        self.check_outbox(slot);
        let client = &mut self.clients[slot];
        if client.connection.ending().is_some() && client.connection.outbox.is_empty() && !client.shut_down {
            client.shut_down = true;
            if !client.torn {
                client.peer.check_end();
            }
        }
        if client.ended && !client.rest_pending {
            let reason = client.connection.end_of_input(client.rest.is_empty());
            let empty = client.connection.outbox.is_empty();
            if reason.is_some_and(|reason| reason == Code::PeerVanished || empty) {
                self.kill(slot);
            }
        }
    }

    fn write(&mut self, slot: usize) {
        let client = &mut self.clients[slot];
        let waited = client.write_blocked;
        while !client.connection.outbox.is_empty() {
            if client.window == 0 {
                client.write_blocked = true;
                return;
            }
            let mut slices = [IoSlice::new(&[]); SLICES_MAX];
            let filled = client.connection.outbox.slices(&mut slices);
            let mut bytes: Vec<u8> = slices[..filled].iter().flat_map(|slice| slice.iter().copied()).collect();
            assert!(!bytes.is_empty(), "an outbox that is not empty has bytes");
            bytes.truncate(client.window);
            client.window = if client.window == usize::MAX { usize::MAX } else { client.window - bytes.len() };
            client.connection.outbox.advance(bytes.len(), &mut self.buffers);
            client.connection.wrote(waited, self.now);
            client.peer.exact = self.exact;
            client.peer.receive(&bytes);
        }
        client.write_blocked = false;
        client.answers = 0;
        self.happened.inflated |= client.peer.inflated > 0;
    }

    /// Law 7: what waits is at most the limit, one publication, and the answers that were under way.
    fn check_outbox(&self, slot: usize) {
        let client = &self.clients[slot];
        let limit = self.settings.limits.outbox_bytes.max(4 * self.settings.limits.echo_frames.message_bytes);
        let answers = client.answers * ANSWER_BYTES + 4 * self.settings.hub.replay_bytes;
        let most = limit + self.settings.push_bytes + answers;
        let waiting = client.connection.outbox.len();
        assert!(waiting <= most, "{waiting} bytes wait, at most {most}");
    }

    /// The connection is gone.
    fn kill(&mut self, slot: usize) {
        self.clients[slot].dead = true;
        for id in std::mem::take(&mut self.clients[slot].subscribed) {
            self.forget(slot, id);
        }
    }

    /// Lets everything come to its end, and checks that nothing is left over.
    pub(crate) fn finish(mut self) -> Happened {
        for slot in 0..self.clients.len() {
            self.clients[slot].window = usize::MAX;
            self.settle(slot);
        }
        for round in 0.. {
            let letters = self.boxes.letters.borrow().len();
            let fed: usize = self.clients.iter().filter(|client| client.rest_pending && !client.dead).count();
            if letters + fed + self.pool.len() + self.parked.len() == 0 {
                break;
            }
            assert!(round < 20_000, "it does not come to an end");
            (0..self.clients.len()).for_each(|slot| self.feed(slot));
            self.work();
            self.deliver(64);
            self.retry(true);
        }
        let live = |client: &&Client| !client.dead && !client.torn;
        self.clients.iter().filter(live).for_each(|client| client.peer.check_boundary());
        let members: usize = self.members.values().map(Vec::len).sum();
        assert_eq!(self.hub.stats().interest, members as u64, "the hub counts what the table holds");
        (0..self.clients.len()).for_each(|slot| self.kill(slot));
        assert_eq!(self.hub.stats().interest, 0);
        let room = self.boxes.room.borrow();
        assert_eq!((room.entries, room.reserved), (0, 0), "room that nobody gave back");
        drop(room);
        self.clients.clear();
        let windows = self.settings.limits.deflate.as_ref().map_or(0, |deflate| deflate.budget.used());
        assert_eq!(windows, 0, "memory of windows that nobody gave back");
        self.happened
    }
}

fn owned(raw: RawWork<Payload<'_>>) -> RawWork<Vec<u8>> {
    let RawWork { task, payload, identity } = raw;
    RawWork { task, payload: payload.as_ref().to_vec(), identity }
}

/// An id as an answer has it: text as serde_json writes it too.
fn as_json(id: &RequestId) -> String {
    match id {
        RequestId::Number(number) => number.to_string(),
        RequestId::Text(text) => serde_json::to_string(text).expect("text"),
    }
}
