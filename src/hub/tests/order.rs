//! Law 1 under threads: replay and live meet exactly, in every mailbox, whatever is full in between.

use super::super::post::Delivery;
use super::{
    Bench, GetOptions, Hub, MailboxId, Post, Posted, VecPost, conn, get, one, post, post_options, since, small,
};
use crate::access::Identities;
use crate::hub::{HubLimits, RandomSource};
use crate::model::publication::Position;
use crate::model::ticket::Ticket;
use crate::node::answer::{Answer, Reply, Respond};
use crate::node::execute::{Node, Progress, execute};
use crate::node::work::Work;
use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Instant;

const CHANNELS: [&str; 3] = ["a", "b", "c"];
const PUBLISHERS: u32 = 4;
const EACH: usize = 600;

fn until_done(bench: &Bench, mut work: Work, blocked: &AtomicUsize) {
    while execute(&mut work, Node::open(&bench.hub), &bench.post, bench.now, 0) == Progress::Blocked {
        blocked.fetch_add(1, Ordering::Relaxed);
        std::thread::yield_now();
    }
}

/// Walks one mailbox in its order; says the last offset seen per channel.
fn check(log: Vec<Posted>) -> HashMap<String, u64> {
    let mut seen: HashMap<String, u64> = HashMap::new();
    for posted in log {
        match posted {
            Posted::Delivery(Delivery::Publication { publication, .. }) => {
                let last = seen.get_mut(&**publication.channel()).expect("no push before the activation");
                assert_eq!(publication.offset(), *last + 1, "no gap, no duplicate");
                *last += 1;
            }
            Posted::Reply(reply) => match reply.answer {
                Answer::Channel { channel, position, recovered, publications, .. } => {
                    assert_eq!(recovered, Some(true));
                    let offsets: Vec<u64> = publications.iter().map(|one| one.offset()).collect();
                    assert_eq!(offsets, (1..=position.offset).collect::<Vec<_>>(), "the replay is everything so far");
                    let before = seen.insert(channel.to_string(), position.offset);
                    assert!(before.is_none_or(|before| before == position.offset), "replay and live meet exactly");
                }
                Answer::Published { channel, position, .. } => {
                    let last = seen.get(&*channel);
                    assert!(last.is_none_or(|last| *last >= position.offset), "the push comes before the reply");
                }
                other => panic!("unexpected: {other:?}"),
            },
            Posted::Delivery(Delivery::Reset { .. }) => panic!("nobody resets"),
        }
    }
    seen
}

#[test]
fn four_publishers_and_joining_subscribers_in_tiny_mailboxes() {
    let all = EACH * PUBLISHERS as usize;
    let limits = HubLimits { history_count: all, replay_count: all, replay_bytes: 1 << 30, ..HubLimits::default() };
    let bench = Bench::new(HubLimits { history_bytes: 1 << 30, history_total_bytes: 1 << 30, ..limits }, 5);
    let starts: Vec<Position> = CHANNELS.iter().map(|channel| bench.read(channel, super::once()).position).collect();
    let (over, blocked) = (AtomicBool::new(false), AtomicUsize::new(0));
    let logs: Vec<Mutex<Vec<Posted>>> = (0..PUBLISHERS).map(|_| Mutex::default()).collect();
    let drain = |mailbox: u32| {
        let mut log = logs[mailbox as usize].lock().expect("only this thread writes");
        log.extend(bench.post.drain(mailbox));
    };
    std::thread::scope(|scope| {
        for mailbox in 0..PUBLISHERS {
            let (over, drain) = (&over, &drain);
            scope.spawn(move || {
                while !over.load(Ordering::Acquire) {
                    drain(mailbox);
                    std::thread::yield_now();
                }
                drain(mailbox);
            });
        }
        let workers: Vec<_> = (0..PUBLISHERS)
            .map(|mailbox| {
                let (bench, starts, blocked) = (&bench, &starts, &blocked);
                scope.spawn(move || {
                    for step in 0..EACH {
                        let channel = step % CHANNELS.len();
                        if step % (61 + 6 * mailbox as usize) == 20 {
                            until_done(bench, one(mailbox, get(CHANNELS[channel], since(starts[channel]))), blocked);
                        }
                        until_done(bench, one(mailbox, post(CHANNELS[channel], post_options("1"))), blocked);
                    }
                })
            })
            .collect();
        for worker in workers {
            worker.join().expect("no publisher panics");
        }
        over.store(true, Ordering::Release);
    });
    for log in logs {
        let seen = check(log.into_inner().expect("nobody panicked"));
        for channel in CHANNELS {
            assert_eq!(seen.get(channel), Some(&((all / CHANNELS.len()) as u64)), "everything arrived");
        }
    }
    assert!(bench.post.nothing_is_reserved());
    assert!(blocked.load(Ordering::Relaxed) > 0, "mailboxes were full at times");
}

#[test]
fn the_publishers_push_precedes_its_reply_and_the_wake_comes_last() {
    let bench = Bench::new(small(), 8);
    bench.deliveries(1, get("a", GetOptions::default()));
    let wakes = bench.post.wakes(1);
    let deliveries = bench.deliveries(1, post("a", post_options("1")));
    assert!(matches!(deliveries[..], [Posted::Delivery(Delivery::Publication { .. }), Posted::Reply(_)]));
    assert_eq!(bench.post.wakes(1), wakes + 1, "one wake for both");
}

#[test]
fn a_panic_under_the_lock_neither_poisons_nor_keeps_room() {
    let mut bench = Bench::new(small(), 8);
    for mailbox in [1, 2, 3] {
        bench.deliveries(mailbox, get("a", GetOptions::default()));
    }
    bench.post.broken = Some(MailboxId(2));
    let panicked = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        let mut work =
            Work::one(conn(1), Identities::default().operator, Ticket::default(), post("a", post_options("1")));
        bench.run(&mut work)
    }));
    assert!(panicked.is_err());
    bench.post.broken = None;
    // The room of the broken mailbox is the broken mailbox's to account for.
    bench.post.release(MailboxId(2), reserved_bytes(&bench.post, 2));
    assert!(bench.post.nothing_is_reserved());
    assert_eq!(bench.publish("a", "2").offset, 2);
    assert_eq!(bench.read("a", super::once()).offsets, [1, 2]);
}

fn reserved_bytes(post: &VecPost, mailbox: u32) -> usize {
    post.with(mailbox, |slot| slot.reserved_bytes)
}

/// Mailboxes that look whether the only shard's lock is held while they are called.
struct Probe<'a> {
    hub: &'a Hub,
    inner: VecPost,
}

impl Probe<'_> {
    fn locked(&self) -> bool {
        self.hub.shards[0].try_lock().is_err()
    }
}

impl Post for Probe<'_> {
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        assert!(self.locked(), "room is reserved under the lock");
        self.inner.reserve(mailbox, bytes)
    }

    fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.inner.release(mailbox, bytes);
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        assert!(self.locked(), "what the order depends on is posted under the lock: {delivery:?}");
        self.inner.post(mailbox, delivery);
    }

    fn wake(&self, mailbox: MailboxId) {
        assert!(!self.locked(), "wakes come after the unlock");
        self.inner.wake(mailbox);
    }
}

impl Respond for Probe<'_> {
    fn respond(&self, reply: Reply) {
        let is_ordered = matches!(reply.answer, Answer::Channel { .. });
        assert!(!is_ordered || self.locked(), "what the order depends on is posted under the lock: {reply:?}");
        self.inner.respond(reply);
    }
}

#[test]
fn activations_and_deliveries_are_posted_under_the_lock_and_wakes_after_it() {
    let hub = Hub::new(small(), RandomSource::seeded(1));
    let (probe, now) = (Probe { hub: &hub, inner: VecPost::new(8) }, Instant::now());
    let items = vec![get("a", GetOptions::default()), post("a", post_options("1")), get("a", super::once())];
    let mut work = Work::batch(conn(1), Identities::default().publisher, Ticket::default(), items);
    assert_eq!(execute(&mut work, Node::open(&hub), &probe, now, 0), Progress::Done);
    hub.reset("a", &probe, now).expect("room");
    let place = Position { offset: 1, ..super::read_position(&hub, "a") };
    hub.append_at(&super::name("a"), super::placed(place, "1", now), &probe, now).expect("the next place");
    assert_eq!((probe.inner.drain(1).len(), probe.inner.wakes(1)), (6, 3));
}
