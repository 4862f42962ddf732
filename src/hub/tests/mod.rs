//! What the hub's tests share: mailboxes of small capacity, and short ways to ask.

mod copies;
mod get;
mod older;
mod order;
mod publish;
mod sweep;

use super::limits::HubLimits;
use super::post::{Delivery, Post};
use super::publication::Draft;
use super::{Hub, HubStats, Placed, RandomSource};
use crate::access::Identities;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Position};
use crate::model::request::{GetOptions, Item, PostOptions, RareOptions, Request, RequestId, Since, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::{Answer, Reply, Respond};
use crate::node::execute::{Node, Progress, execute};
use crate::node::work::Work;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// What was put into a mailbox.
#[derive(Debug)]
pub(super) enum Posted {
    Delivery(Delivery),
    Reply(Reply),
}

/// One mailbox: a queue, the room taken for what is to come, and how much room there is.
#[derive(Default)]
struct Slot {
    queue: Vec<Posted>,
    entries: usize,
    reserved: usize,
    reserved_bytes: usize,
    wakes: usize,
    capacity: Option<usize>,
}

/// Mailboxes in memory that hold `capacity` publications each, and any number of replies.
pub(super) struct VecPost {
    slots: Mutex<HashMap<MailboxId, Slot>>,
    capacity: usize,
    /// A mailbox whose posting panics.
    pub(super) broken: Option<MailboxId>,
}

impl VecPost {
    pub(super) fn new(capacity: usize) -> Self {
        VecPost { slots: Mutex::default(), capacity, broken: None }
    }

    fn with<T>(&self, mailbox: u32, act: impl FnOnce(&mut Slot) -> T) -> T {
        let mut slots = self.slots.lock().expect("no test panics while it holds this lock");
        act(slots.entry(MailboxId(mailbox)).or_default())
    }

    /// Takes everything out of a mailbox.
    pub(super) fn drain(&self, mailbox: u32) -> Vec<Posted> {
        self.with(mailbox, |slot| {
            slot.entries = 0;
            std::mem::take(&mut slot.queue)
        })
    }

    /// Gives a mailbox room of its own size.
    pub(super) fn set_capacity(&self, mailbox: u32, capacity: usize) {
        self.with(mailbox, |slot| slot.capacity = Some(capacity));
    }

    /// Whether no room is reserved anywhere.
    pub(super) fn nothing_is_reserved(&self) -> bool {
        let slots = self.slots.lock().expect("no test panics while it holds this lock");
        slots.values().all(|slot| slot.reserved == 0 && slot.reserved_bytes == 0)
    }

    pub(super) fn wakes(&self, mailbox: u32) -> usize {
        self.with(mailbox, |slot| slot.wakes)
    }
}

impl Post for VecPost {
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.with(mailbox.0, |slot| {
            let room = slot.entries + slot.reserved < slot.capacity.unwrap_or(self.capacity);
            slot.reserved += usize::from(room);
            slot.reserved_bytes += if room { bytes } else { 0 };
            room
        })
    }

    fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.with(mailbox.0, |slot| {
            slot.reserved -= 1;
            slot.reserved_bytes -= bytes;
        });
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        assert!(self.broken != Some(mailbox), "broken on purpose");
        self.with(mailbox.0, |slot| {
            slot.reserved -= 1;
            slot.reserved_bytes -= delivery.weight();
            slot.entries += 1;
            slot.queue.push(Posted::Delivery(delivery));
        });
    }

    fn wake(&self, mailbox: MailboxId) {
        self.with(mailbox.0, |slot| slot.wakes += 1);
    }
}

impl Respond for VecPost {
    fn respond(&self, reply: Reply) {
        let mailbox = reply.to.mailbox;
        assert!(self.broken != Some(mailbox), "broken on purpose");
        self.with(mailbox.0, |slot| slot.queue.push(Posted::Reply(reply)));
    }
}

pub(super) fn conn(mailbox: u32) -> ConnId {
    ConnId::here(MailboxId(mailbox), 1, 1)
}

/// One shard, so that limits which are shared out are met exactly.
pub(super) fn small() -> HubLimits {
    HubLimits { shards: 1, ..HubLimits::default() }
}

pub(super) fn json(text: &str) -> Data {
    Data::Json(bytes::Bytes::copy_from_slice(text.as_bytes()))
}

/// A publication that was given its place elsewhere.
pub(super) fn placed(place: Position, data: &str, accepted: Instant) -> Placed {
    let draft = Draft { data: json(data), event: None, time: None };
    Placed { place, draft, exclude: None, accepted }
}

pub(super) fn post_options(data: &str) -> PostOptions {
    PostOptions::of(json(data))
}

/// The same, for all but the connection of this name.
pub(super) fn excluding(name: &str, data: &str) -> PostOptions {
    let rare = RareOptions { exclude: Some(name.into()), ..RareOptions::default() }.boxed();
    PostOptions { rare, ..post_options(data) }
}

fn item(verb: Verb) -> Item {
    Ok(Request { id: Some(RequestId::Number(7)), verb })
}

pub(super) fn get(channel: &str, options: GetOptions) -> Item {
    item(Verb::Get { channel: channel.try_into().expect("a name"), options })
}

pub(super) fn post(channel: &str, options: PostOptions) -> Item {
    item(Verb::Post { channel: channel.try_into().expect("a name"), post: options })
}

pub(super) fn delete(channel: &str) -> Item {
    item(Verb::DeleteHistory { channel: channel.try_into().expect("a name") })
}

pub(super) fn one(mailbox: u32, item: Item) -> Work {
    Work::one(conn(mailbox), Identities::default().operator, Ticket::default(), item)
}

pub(super) fn since(position: Position) -> GetOptions {
    GetOptions { since: Some(Since::Position(position)), ..GetOptions::default() }
}

pub(super) fn once() -> GetOptions {
    GetOptions { once: true, ..GetOptions::default() }
}

/// What a channel was answered with: position, recovered, the offsets replayed.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Read {
    pub(super) position: Position,
    pub(super) recovered: Option<bool>,
    pub(super) offsets: Vec<u64>,
}

/// A hub with its mailboxes and a clock that stands still unless moved.
pub(super) struct Bench {
    pub(super) hub: Hub,
    pub(super) post: VecPost,
    pub(super) now: Instant,
}

impl Bench {
    pub(super) fn new(limits: HubLimits, capacity: usize) -> Self {
        Bench { hub: Hub::new(limits, RandomSource::seeded(1)), post: VecPost::new(capacity), now: Instant::now() }
    }

    pub(super) fn run(&self, work: &mut Work) -> Progress {
        execute(work, Node::open(&self.hub), &self.post, self.now, 1_700_000_000_000)
    }

    /// Executes one item for a mailbox and takes everything that was posted to it.
    pub(super) fn deliveries(&self, mailbox: u32, item: Item) -> Vec<Posted> {
        assert_eq!(self.run(&mut one(mailbox, item)), Progress::Done);
        self.post.drain(mailbox)
    }

    /// Executes one item for a mailbox that nobody reads otherwise, and takes its answer.
    pub(super) fn ask(&self, item: Item) -> Answer {
        let last = self.deliveries(99, item).pop();
        reply(last.expect("every item is answered")).answer
    }

    pub(super) fn publish(&self, channel: &str, data: &str) -> Position {
        published(self.ask(post(channel, post_options(data))))
    }

    pub(super) fn read(&self, channel: &str, options: GetOptions) -> Read {
        read(self.ask(get(channel, options)))
    }

    pub(super) fn stats(&self) -> HubStats {
        self.hub.stats()
    }
}

pub(super) fn reply(posted: Posted) -> Reply {
    match posted {
        Posted::Reply(reply) => reply,
        other => panic!("not a reply: {other:?}"),
    }
}

pub(super) fn published(answer: Answer) -> Position {
    match answer {
        Answer::Published { position, .. } => position,
        other => panic!("not published: {other:?}"),
    }
}

pub(super) fn read(answer: Answer) -> Read {
    match answer {
        Answer::Channel { position, recovered, publications, .. } => {
            Read { position, recovered, offsets: publications.iter().map(|one| one.offset()).collect() }
        }
        other => panic!("not a channel: {other:?}"),
    }
}

pub(super) fn code(answer: &Answer) -> (u16, &'static str) {
    match answer {
        Answer::Refused(refusal) => (refusal.status(), refusal.label()),
        other => panic!("not refused: {other:?}"),
    }
}

pub(super) fn offset_of(posted: &Posted) -> u64 {
    match posted {
        Posted::Delivery(Delivery::Publication { publication, .. }) => publication.offset(),
        other => panic!("not a publication: {other:?}"),
    }
}

pub(super) fn name(text: &str) -> ChannelName {
    ChannelName::new(text).expect("a valid name")
}

pub(super) fn read_position(hub: &Hub, channel: &str) -> Position {
    let mut listed = hub.channels(usize::MAX).into_iter();
    listed.find(|listed| &*listed.name == channel).expect("the channel is there").position
}
