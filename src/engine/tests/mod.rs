//! The pump with a scripted engine: it loses the last entry, answers twice, refuses, fails, comes back with less, and changes
//! the epoch while a gap is filled.

mod scripted;
mod shared;

use super::bell::Bell;
use super::pump::Pump;
use super::{Entry, Event, Health, Now, Order, OrderId, What};
use crate::access::Identities;
use crate::config::{Config, EngineKind};
use crate::handoff::errand::{Errand, Errands};
use crate::handoff::mailbox::{Inbox, Letter, MailboxLimits, Mailboxes, Outcome, Wake};
use crate::handoff::order::Order as ReactorOrder;
use crate::handoff::postman::Postman;
use crate::hub::post::Delivery;
use crate::hub::publication::Draft;
use crate::hub::{Attach, Fetched, Hub, HubLimits, Older, RandomSource};
use crate::model::code::Code;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position};
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, PostOptions, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::Answer;
use crate::node::execute::{Node, Progress, execute};
use crate::node::work::Work;
use bytes::Bytes;
use scripted::{Script, Scripted};
use std::sync::Arc;
use std::time::Instant;

struct Awake;

impl Wake for Awake {
    fn wake(&self) {}
}

/// A pump, its script, and one reactor's mailbox.
struct Rig {
    pump: Pump,
    script: Script,
    hub: Arc<Hub>,
    errands: Errands,
    mailboxes: Arc<Mailboxes>,
    inbox: Inbox,
    began: Instant,
}

/// What a reactor finds in its mailbox, in short.
#[derive(Debug, Clone, PartialEq)]
enum Found {
    Delivered(u64),
    Reset(Position),
    Published(u64),
    Refused(&'static str),
    Read(u64),
    Back,
    Again,
    Leave,
    Ready(bool),
}

fn name(text: &str) -> ChannelName {
    ChannelName::new(text).expect("a name")
}

fn epoch(number: u64) -> Epoch {
    Epoch::of_generation(number, 1)
}

fn at(offset: u64) -> Position {
    Position { epoch: epoch(1), offset }
}

fn draft(offset: u64) -> Draft {
    Draft { data: Data::Json(Bytes::from(offset.to_string())), event: None, time: None }
}

fn entry(channel: &str, place: Position) -> Event {
    Event::Entry(Box::new(Entry { channel: name(channel), place, draft: draft(place.offset), exclude: None }))
}

impl Rig {
    fn new(entries: usize) -> Rig {
        Rig::of(EngineKind::Disk, entries)
    }

    fn of(engine: EngineKind, entries: usize) -> Rig {
        let mut config = Config::default();
        config.server.engine = engine;
        let limits = MailboxLimits { entries, bytes: 1 << 20 };
        let (mailboxes, mut inboxes) = Mailboxes::new(vec![Box::new(Awake)], limits, 1 << 20);
        let (errands, _) = Errands::new(1);
        let (errands, queue) = errands.with_engine(64, 1 << 20);
        let hub = Arc::new(Hub::new(HubLimits::new(&config), RandomSource::seeded(7)));
        let (engine, script) = Scripted::new();
        let postman = Postman::gathering(Arc::clone(&mailboxes));
        let pump = Pump::new(Arc::clone(&hub), postman, queue, Bell::new(), Box::new(engine), Arc::default());
        Rig { pump, script, hub, errands, mailboxes, inbox: inboxes.remove(0), began: Instant::now() }
    }

    /// One with a subscriber of the channel `a`, which is at offset 0 of epoch 1.
    fn with_subscriber(entries: usize) -> Rig {
        Rig::new(entries).subscribed()
    }

    fn subscribed(self) -> Rig {
        let mut rig = self;
        let attach = Attach { at: at(0), newest: Vec::new(), gone: 0 };
        rig.hub.attach(&name("a"), attach, rig.began, 0).expect("there is room");
        let mut work = rig.work(vec![Verb::Get { channel: name("a"), options: GetOptions::default() }]);
        assert_eq!(rig.execute(&mut work), Progress::Done);
        assert_eq!(rig.found(), [Found::Read(0)]);
        rig
    }

    fn work(&self, verbs: Vec<Verb>) -> Work {
        let to = ConnId::here(MailboxId(0), 3, 0);
        let items = verbs.into_iter().map(|verb| Ok(Request { id: None, verb })).collect();
        Work::batch(to, Identities::default().operator, Ticket::default(), items)
    }

    fn execute(&mut self, work: &mut Work) -> Progress {
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        execute(work, Node::open(&self.hub), &postman, self.began, 0)
    }

    /// Sends requests away.
    fn ask(&mut self, verbs: Vec<Verb>) {
        let mut work = self.work(verbs);
        assert_eq!(self.execute(&mut work), Progress::Away);
        self.errands.send(Errand { work: Box::new(work), buffer: Vec::new() }).expect("there is room");
        self.turn();
    }

    fn post(&mut self, channel: &str) -> Order {
        let data = Data::Json(Bytes::from_static(b"1"));
        let post = PostOptions::of(data);
        self.ask(vec![Verb::Post { channel: name(channel), post }]);
        self.script.order()
    }

    fn turn(&mut self) {
        self.pump.turn(None, Now { instant: self.began, wall_ms: 0 });
    }

    /// This happens, and the pump finds out.
    fn happens(&mut self, events: impl IntoIterator<Item = Event>) {
        events.into_iter().for_each(|event| self.script.happens(event));
        self.turn();
    }

    /// What is in the mailbox; room is given back.
    fn found(&mut self) -> Vec<Found> {
        std::iter::from_fn(|| self.inbox.next()).map(|letter| self.in_short(letter)).collect()
    }

    fn in_short(&self, letter: Letter) -> Found {
        match letter {
            Letter::Delivery(delivery) => {
                self.mailboxes.free(MailboxId(0), 1, delivery.weight());
                match delivery {
                    Delivery::Publication { publication, .. } => Found::Delivered(publication.offset()),
                    Delivery::Reset { position, .. } => Found::Reset(position),
                }
            }
            Letter::Reply(reply) => match reply.answer {
                Answer::Published { position, .. } => Found::Published(position.offset),
                Answer::Refused(refusal) => Found::Refused(refusal.label()),
                Answer::Channel { position, .. } => Found::Read(position.offset),
                other => panic!("{other:?}"),
            },
            Letter::Returned(returned) => match returned.outcome {
                Outcome::Answered(_) => Found::Back,
                Outcome::Fetched(_) => Found::Again,
                other => panic!("{other:?}"),
            },
            Letter::Order(ReactorOrder::Leave) => Found::Leave,
            Letter::Order(ReactorOrder::Ready(is_ready)) => Found::Ready(is_ready),
            Letter::Order(other) => panic!("{other:?}"),
        }
    }

    /// Answers the order that reads what is missing after an offset.
    fn fill(&mut self, after: u64, epoch: Epoch, offsets: impl IntoIterator<Item = u64>) {
        let Order { id, what: What::Read(wanted), .. } = self.script.order() else { panic!("no read") };
        assert_eq!(wanted.after.offset, after);
        let older = |offset| Older { offset, at_ms: 0, draft: draft(offset) };
        let publications = offsets.into_iter().map(older).collect();
        self.happens([Event::Read(id, Fetched { epoch, publications, gone: 0 })]);
    }
}

fn placed(id: OrderId, offset: u64) -> Event {
    Event::Placed(id, name("a"), at(offset))
}

#[test]
fn a_publisher_that_subscribes_has_its_push_before_its_answer() {
    let mut rig = Rig::with_subscriber(9);
    let id = rig.post("a").id;
    assert_eq!(rig.found(), []);
    rig.happens([entry("a", at(1)), placed(id, 1)]);
    assert_eq!(rig.found(), [Found::Delivered(1), Found::Published(1), Found::Back]);
}

#[test]
fn publications_of_a_batch_go_together_and_are_answered_in_their_order() {
    let mut rig = Rig::with_subscriber(9);
    let post = || PostOptions::of(Data::Json(Bytes::from_static(b"1")));
    rig.ask(vec![Verb::Post { channel: name("a"), post: post() }, Verb::Post { channel: name("b"), post: post() }]);
    let (one, two) = (rig.script.order(), rig.script.order());
    assert_eq!((&*one.channel, &*two.channel), ("a", "b"));
    rig.happens([Event::Refused(two.id, Refusal::from(Code::StoreFull))]);
    assert_eq!(rig.found(), []);
    rig.happens([entry("a", at(1)), placed(one.id, 1)]);
    assert_eq!(rig.found(), [Found::Delivered(1), Found::Published(1), Found::Refused("store_full"), Found::Back]);
}

#[test]
fn an_entry_that_is_lost_is_read_before_the_answer_and_a_second_answer_is_none() {
    let mut rig = Rig::with_subscriber(9);
    let id = rig.post("a").id;
    rig.happens([placed(id, 1)]);
    assert_eq!(rig.found(), []);
    rig.fill(0, epoch(1), [1]);
    assert_eq!(rig.found(), [Found::Delivered(1), Found::Published(1), Found::Back]);
    rig.happens([placed(id, 1), entry("a", at(1)), entry("a", at(1))]);
    assert_eq!((rig.found(), rig.script.is_idle()), (vec![], true));
}

#[test]
fn an_entry_that_is_gone_holds_no_answer() {
    let mut rig = Rig::with_subscriber(9);
    let id = rig.post("a").id;
    rig.happens([placed(id, 1)]);
    rig.fill(0, epoch(1), []);
    assert_eq!(rig.found(), [Found::Published(1), Found::Back]);
    // Its readers learn of it with the next.
    rig.happens([entry("a", at(2))]);
    rig.fill(0, epoch(1), []);
    assert_eq!(rig.found(), [Found::Reset(at(1)), Found::Delivered(2)]);
}

#[test]
fn a_gap_is_filled_and_what_comes_meanwhile_waits() {
    let mut rig = Rig::with_subscriber(9);
    rig.happens([entry("a", at(1)), entry("a", at(4)), entry("a", at(5)), entry("b", at(1))]);
    assert_eq!(rig.found(), [Found::Delivered(1)]);
    // In two steps, as far as each read goes.
    rig.fill(1, epoch(1), [2]);
    assert_eq!(rig.found(), [Found::Delivered(2)]);
    rig.happens([entry("a", at(6))]);
    rig.fill(2, epoch(1), [3, 4]);
    assert_eq!(rig.found(), [3, 4, 5, 6].map(Found::Delivered));
    assert!(rig.script.is_idle());
}

#[test]
fn a_gap_that_cannot_be_filled_is_told() {
    let mut rig = Rig::with_subscriber(9);
    rig.happens([entry("a", at(9))]);
    // The oldest that is there is not the next.
    rig.fill(0, epoch(1), [7, 8]);
    assert_eq!(rig.found(), [Found::Reset(at(6)), Found::Delivered(7), Found::Delivered(8), Found::Delivered(9)]);
    rig.happens([entry("a", at(12))]);
    let Order { id, .. } = rig.script.order();
    rig.happens([Event::Refused(id, Refusal::from(Code::EngineUnavailable))]);
    assert_eq!(rig.found(), [Found::Reset(at(11)), Found::Delivered(12)]);
}

#[test]
fn an_epoch_that_changes_while_a_gap_is_filled_is_a_reset() {
    let mut rig = Rig::with_subscriber(9);
    rig.happens([entry("a", at(1)), entry("a", at(3))]);
    let other = |offset| Position { epoch: epoch(2), offset };
    rig.fill(1, epoch(2), [1, 2]);
    rig.happens([entry("a", other(3))]);
    // What waited of the epoch before is part of what was lost.
    let expected = [Found::Delivered(1), Found::Reset(other(0)), Found::Delivered(1), Found::Delivered(2)];
    assert_eq!(
        (rig.found().as_slice(), rig.hub.position_of("a")),
        ([&expected[..], &[Found::Delivered(3)]].concat().as_slice(), Some(other(3)))
    );
}

#[test]
fn an_engine_that_comes_back_with_less_resets_the_channel() {
    let mut rig = Rig::with_subscriber(9);
    rig.happens([entry("a", at(1)), entry("a", at(2))]);
    let back = Position { epoch: epoch(1).in_generation(2), offset: 1 };
    rig.happens([Event::Moved(name("a"), back), entry("a", Position { offset: 2, ..back })]);
    assert_eq!(rig.found(), [Found::Delivered(1), Found::Delivered(2), Found::Reset(back), Found::Delivered(2)]);
}

#[test]
fn a_full_mailbox_holds_its_channels_and_no_other() {
    let mut rig = Rig::with_subscriber(2);
    let orders = [rig.post("a"), rig.post("b")];
    rig.happens((1..=3).map(|offset| entry("a", at(offset))).chain([placed(orders[0].id, 3)]));
    rig.happens([entry("b", at(1)), Event::Placed(orders[1].id, name("b"), at(1))]);
    // Taking them out makes room, and what was held follows at the next turn.
    assert_eq!(rig.found(), [Found::Delivered(1), Found::Delivered(2), Found::Published(1), Found::Back]);
    rig.turn();
    assert_eq!(rig.found(), [Found::Delivered(3), Found::Published(3), Found::Back]);
}

#[test]
fn a_channel_that_is_not_held_is_attached_and_its_get_comes_back() {
    let mut rig = Rig::new(9);
    rig.ask(vec![Verb::Get { channel: name("a"), options: GetOptions::default() }]);
    let Order { id, channel, what: What::Attach, .. } = rig.script.order() else { panic!("no attach") };
    let newest = vec![Older { offset: 4, at_ms: 0, draft: draft(4) }];
    rig.happens([Event::Attached(id, channel, Attach { at: at(4), newest, gone: 0 })]);
    assert_eq!((rig.found(), rig.hub.position_of("a")), (vec![Found::Again], Some(at(4))));
}

#[test]
fn a_server_whose_engine_fails_is_not_ready() {
    let mut rig = Rig::new(9);
    rig.script.becomes(Health::Broken);
    rig.turn();
    rig.turn();
    assert_eq!(rig.found(), [Found::Leave]);
}
