//! Models of where threads meet: the real mailboxes and the real hub under a checker that tries many orders of their steps.
//!
//! ```sh
//! tests/run models
//! ```
//! A wake that is lost, or room that nobody is told of, leaves a thread waiting for ever, which the checker calls a
//! deadlock; it prints the schedule with which a failure runs again.

use crate::access::Identities;
use crate::handoff::mailbox::{Inbox, Letter, MailboxLimits, Mailboxes, Wake};
use crate::handoff::postman::Postman;
use crate::hub::post::Delivery;
use crate::hub::publication::{Draft, Publication};
use crate::hub::{Hub, HubLimits, RandomSource};
use crate::model::encoding::Encoding;
use crate::model::ids::{ConnId, MailboxId};
use crate::model::publication::{Data, Epoch, Position};
use crate::model::request::{GetOptions, PostOptions, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::Answer;
use crate::node::execute::{Node, Progress, execute};
use crate::node::work::Work;
use bytes::Bytes;
use shuttle::sync::{Condvar, Mutex};
use shuttle::thread;
use std::sync::Arc;
use std::time::Instant;

/// Orders that are tried of each model.
const ORDERS: usize = 3_000;

/// Tries orders at random, and orders that change hands rarely and at bad moments (PCT).
fn try_orders(model: fn()) {
    shuttle::check_random(model, ORDERS);
    shuttle::check_pct(model, ORDERS, 3);
}

/// What a reactor sleeps on.
#[derive(Default)]
struct Bell {
    rung: Mutex<bool>,
    ringing: Condvar,
}

struct Ringer(Arc<Bell>);

impl Wake for Ringer {
    fn wake(&self) {
        *self.0.rung.lock().expect("nobody panics here") = true;
        self.0.ringing.notify_one();
    }
}

impl Bell {
    fn wait(&self) {
        let mut rung = self.rung.lock().expect("nobody panics here");
        while !*rung {
            rung = self.ringing.wait(rung).expect("nobody panics here");
        }
        *rung = false;
    }
}

/// Mailboxes of so many reactors, each with room for `entries` publications.
fn mailboxes(reactors: usize, entries: usize) -> (Arc<Mailboxes>, Vec<(Inbox, Arc<Bell>)>) {
    let bells: Vec<Arc<Bell>> = (0..reactors).map(|_| Arc::default()).collect();
    let wakers = bells.iter().map(|bell| Box::new(Ringer(Arc::clone(bell))) as Box<dyn Wake>).collect();
    let (boxes, inboxes) = Mailboxes::new(wakers, MailboxLimits { entries, bytes: 1 << 20 }, 1 << 30);
    (boxes, inboxes.into_iter().zip(bells).collect())
}

fn name(mailbox: u32, slot: u32) -> ConnId {
    ConnId::here(MailboxId(mailbox), slot, 0)
}

fn get(to: ConnId) -> Work {
    let verb = Verb::Get { channel: "c".try_into().expect("a name"), options: GetOptions::default() };
    Work::one(to, Identities::default().reader, Ticket::default(), Ok(Request { id: None, verb }))
}

fn post(to: ConnId) -> Work {
    let data = Data::Json(Bytes::from_static(b"1"));
    let options = PostOptions::of(data);
    let verb = Verb::Post { channel: "c".try_into().expect("a name"), post: options };
    Work::one(to, Identities::default().publisher, Ticket::default(), Ok(Request { id: None, verb }))
}

fn hub() -> Arc<Hub> {
    Arc::new(Hub::new(HubLimits { shards: 1, ..HubLimits::default() }, RandomSource::seeded(1)))
}

/// Does what a reactor does in a turn: takes its letters and gives their room back. The offsets of what was published, and
/// the activations.
fn take(boxes: &Mailboxes, inbox: &Inbox, offsets: &mut Vec<u64>, activations: &mut usize) {
    boxes.begin_drain(inbox.id);
    while let Some(letter) = inbox.next() {
        match letter {
            Letter::Delivery(Delivery::Publication { publication, .. }) => {
                offsets.push(publication.offset());
                boxes.free(inbox.id, 1, publication.weight());
            }
            Letter::Reply(reply) => {
                *activations += usize::from(matches!(reply.answer, Answer::Channel { live: true, .. }));
            }
            _ => {}
        }
    }
}

/// Two publishers on other threads, one reactor that sleeps whenever it found nothing: nothing is left unread.
#[test]
fn no_wake_is_lost() {
    try_orders(|| {
        let (boxes, mut owners) = mailboxes(1, 100);
        let (inbox, bell) = owners.pop().expect("one reactor");
        let hub = hub();
        let subscriber = Postman::new(Arc::clone(&boxes), Some(MailboxId(0)));
        let now = Instant::now();
        execute(&mut get(name(0, 1)), Node::open(&hub), &subscriber, now, 0);
        let publishers: Vec<_> = (0..2)
            .map(|_| {
                let (hub, boxes) = (Arc::clone(&hub), Arc::clone(&boxes));
                thread::spawn(move || {
                    let postman = Postman::new(boxes, None);
                    let progress = execute(&mut post(name(9, 0)), Node::open(&hub), &postman, now, 0);
                    assert!(matches!(progress, Progress::Done));
                })
            })
            .collect();
        let (mut offsets, mut activations) = (Vec::new(), 0);
        while offsets.len() < 2 {
            take(&boxes, &inbox, &mut offsets, &mut activations);
            if offsets.len() < 2 && inbox.receiver.is_empty() {
                bell.wait();
            }
        }
        assert_eq!((offsets, activations), (vec![1, 2], 1));
        publishers.into_iter().for_each(|publisher| publisher.join().expect("it does not panic"));
        assert_eq!(boxes.outbound_bytes(), 0);
    });
}

/// Two reactors with room for one publication each are subscribed and publish at the same time. Whoever finds no room
/// waits until told, and everybody gets everything in order: room is neither lost nor given twice.
#[test]
fn room_in_several_mailboxes_is_reserved_and_announced() {
    try_orders(|| {
        let (boxes, owners) = mailboxes(2, 1);
        let hub = hub();
        let now = Instant::now();
        for mailbox in 0..2 {
            let postman = Postman::new(Arc::clone(&boxes), Some(MailboxId(mailbox)));
            execute(&mut get(name(mailbox, 1)), Node::open(&hub), &postman, now, 0);
        }
        let reactors: Vec<_> = owners
            .into_iter()
            .map(|(inbox, bell)| {
                let (hub, boxes) = (Arc::clone(&hub), Arc::clone(&boxes));
                thread::spawn(move || {
                    let postman = Postman::new(Arc::clone(&boxes), Some(inbox.id));
                    let (mut offsets, mut activations) = (Vec::new(), 0);
                    let mut parked = Some(post(name(inbox.id.0, 1)));
                    let mut waits = false;
                    while offsets.len() < 2 || parked.is_some() {
                        take(&boxes, &inbox, &mut offsets, &mut activations);
                        if let Some(mut work) = parked.take() {
                            let blocked =
                                matches!(execute(&mut work, Node::open(&hub), &postman, now, 0), Progress::Blocked);
                            postman.pay_wakes();
                            parked = blocked.then_some(work);
                            if blocked && !waits {
                                // Having said so, it tries once more, as a reactor does.
                                waits = true;
                                boxes.set_waiting(inbox.id, true);
                                continue;
                            }
                        }
                        if inbox.receiver.is_empty() && (offsets.len() < 2 || parked.is_some()) {
                            bell.wait();
                        }
                    }
                    boxes.set_waiting(inbox.id, false);
                    assert_eq!((offsets, activations), (vec![1, 2], 1));
                })
            })
            .collect();
        reactors.into_iter().for_each(|reactor| reactor.join().expect("it does not panic"));
        assert_eq!((boxes.outbound_bytes(), boxes.mailbox_bytes()), (0, 0));
    });
}

/// Subscriptions come and go on two reactors while somebody publishes: interest is what is left, and who is subscribed
/// from before gets every publication.
#[test]
fn interest_is_counted_whatever_meets() {
    try_orders(|| {
        let (boxes, owners) = mailboxes(2, 100);
        let hub = hub();
        let now = Instant::now();
        let reactors: Vec<_> = owners
            .into_iter()
            .map(|(inbox, _)| {
                let (hub, boxes) = (Arc::clone(&hub), Arc::clone(&boxes));
                thread::spawn(move || {
                    let postman = Postman::new(boxes, Some(inbox.id));
                    // One stays, and one closes before its activation is looked at.
                    for slot in 1..=2 {
                        execute(&mut get(name(inbox.id.0, slot)), Node::open(&hub), &postman, now, 0);
                    }
                    let mut stays = None;
                    while let Some(letter) = inbox.next() {
                        let Letter::Reply(reply) = letter else { continue };
                        let Answer::Channel { id, position, live: true, .. } = reply.answer else { continue };
                        if reply.to.slot == 2 {
                            hub.leave(id, reply.to);
                        } else {
                            stays = Some(position.offset);
                        }
                    }
                    (inbox, stays.expect("it was activated"))
                })
            })
            .collect();
        let publisher = {
            let (hub, boxes) = (Arc::clone(&hub), Arc::clone(&boxes));
            thread::spawn(move || {
                let postman = Postman::new(boxes, None);
                for _ in 0..2 {
                    execute(&mut post(name(9, 0)), Node::open(&hub), &postman, now, 0);
                }
            })
        };
        publisher.join().expect("it does not panic");
        for reactor in reactors {
            let (_, position) = reactor.join().expect("it does not panic");
            assert!(position <= 2);
        }
        assert_eq!(hub.stats().interest, 2, "one of each reactor is left");
    });
}

/// Two reactors need an encoding at once: both may make it, and both end with the same bytes.
#[test]
fn an_encoding_is_shared_whoever_makes_it() {
    try_orders(|| {
        let draft = Draft { data: Data::Json(Bytes::from_static(b"{}")), event: None, time: None };
        let position = Position { epoch: Epoch::from_random(1), offset: 1 };
        let publication = Arc::new(Publication::new(
            "c".try_into().expect("a name"),
            crate::model::ids::ChannelId(1),
            position,
            draft,
        ));
        let ask = |publication: Arc<Publication>, rows: [u8; 3]| {
            thread::spawn(move || {
                let mut made = rows.map(|row| {
                    let bytes = publication.encoded(Encoding::of_row(row), |_| [row][..].into());
                    (bytes[0], bytes.as_ptr() as usize)
                });
                made.sort_unstable();
                made
            })
        };
        let (one, two) = (ask(Arc::clone(&publication), [0, 1, 2]), ask(publication, [2, 1, 0]));
        assert_eq!(one.join().expect("it does not panic"), two.join().expect("it does not panic"));
    });
}
