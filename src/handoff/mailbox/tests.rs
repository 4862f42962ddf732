//! What a letter weighs, whom a mailbox wakes, and which number it gets.

use super::{Letter, MailboxLimits, Mailboxes, Outcome, Returned, Wake};
use crate::handoff::postman::Postman;
use crate::hub::post::Delivery;
use crate::hub::publication::Publication;
use crate::model::ids::{ConnId, MailboxId};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::time::Duration;

const ROOMY: MailboxLimits = MailboxLimits { entries: 100, bytes: 1 << 20 };

/// Counts its wakes.
#[derive(Default)]
struct Counted(AtomicUsize);

impl Wake for Arc<Counted> {
    fn wake(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Mailboxes of two reactors, and how often the first was woken.
fn two_reactors(outbound_limit: usize) -> (Arc<Mailboxes>, Arc<Counted>) {
    let first = Arc::new(Counted::default());
    let wakers: Vec<Box<dyn Wake>> = vec![Box::new(Arc::clone(&first)), Box::new(Arc::new(Counted::default()))];
    (Mailboxes::new(wakers, ROOMY, outbound_limit).0, first)
}

/// Closes its own mailbox when it is woken, as an executor does that polls in place and drops the stream.
struct Closing(Arc<OnceLock<(Weak<Mailboxes>, MailboxId)>>);

impl Wake for Closing {
    fn wake(&self) {
        let (boxes, own) = self.0.get().expect("it is set before the first wake");
        boxes.upgrade().expect("the mailboxes are there").close_library(*own);
    }
}

/// A mailbox holds thousands of letters, and histories as many publications.
#[test]
fn letters_deliveries_and_publications_are_small() {
    assert_eq!((size_of::<Letter>(), size_of::<Delivery>(), size_of::<Publication>()), (128, 56, 168));
}

/// The waker ran under the lock of the library's mailboxes, and waited for itself.
#[test]
fn a_subscriber_that_ends_while_it_is_woken_does_not_wait_for_its_own_waker() {
    let (boxes, _) = two_reactors(1 << 20);
    let place = Arc::new(OnceLock::new());
    let inbox = boxes.open_library(ROOMY, Some(Box::new(Closing(Arc::clone(&place)))));
    place.set((Arc::downgrade(&boxes), inbox.id)).expect("it is set once");
    assert!(boxes.reserve(inbox.id, 10));
    let (done, is_done) = mpsc::channel();
    // On a thread of its own, which a failure leaves behind.
    std::thread::spawn({
        let boxes = Arc::clone(&boxes);
        move || {
            boxes.wake(inbox.id);
            done.send(boxes.outbound_bytes()).expect("the test waits");
        }
    });
    assert_eq!(is_done.recv_timeout(Duration::from_secs(10)), Ok(0), "it ended, and its room is free");
}

/// Only what was freed in the mailbox that refused, or a refusal of a reactor's mailbox, woke those that wait.
#[test]
fn whoever_the_budget_refused_is_woken_by_whatever_frees_some() {
    let (boxes, woken) = two_reactors(100);
    let slow = boxes.open_library(ROOMY, None).id;
    let (waits, other) = (MailboxId(0), MailboxId(1));
    let wakes = || {
        boxes.begin_drain(waits);
        woken.0.swap(0, Ordering::Relaxed)
    };
    boxes.set_waiting(waits, true);
    assert!(boxes.reserve(slow, 50));
    boxes.charge_outbox(50);
    assert!(!boxes.reserve(slow, 10));
    boxes.credit_outbox(50);
    assert_eq!(wakes(), 1, "an outbox was written");
    assert!(boxes.reserve(other, 50) && !boxes.reserve(slow, 10));
    boxes.free(other, 1, 50);
    assert_eq!(wakes(), 1, "another mailbox was read");
    let closed = boxes.open_library(ROOMY, None).id;
    assert!(boxes.reserve(closed, 50) && !boxes.reserve(slow, 10));
    boxes.close_library(closed);
    assert_eq!(wakes(), 1, "another mailbox was closed");
    boxes.free(slow, 1, 50);
    assert_eq!(wakes(), 1, "the mailbox that refused was read");
    boxes.charge_outbox(10);
    boxes.credit_outbox(10);
    assert_eq!((wakes(), boxes.outbound_bytes()), (0, 0), "nobody was refused since");
}

/// Else a publication that one of several mailboxes refuses would be tried again and again.
#[test]
fn a_publisher_that_the_budget_refused_does_not_wake_itself_with_what_it_gives_back() {
    let (boxes, woken) = two_reactors(100);
    let slow = boxes.open_library(ROOMY, None).id;
    assert!(boxes.reserve(slow, 50));
    boxes.set_waiting(MailboxId(0), true);
    assert!(boxes.reserve(MailboxId(1), 40) && !boxes.reserve(slow, 40));
    boxes.release(MailboxId(1), 40);
    boxes.pay_wakes();
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
}

/// After 2^32 subscriptions they began again at 0, the number of a reactor.
#[test]
fn numbers_of_library_mailboxes_never_meet_those_in_use() {
    let (boxes, _) = two_reactors(100);
    let lasting: Vec<MailboxId> = (0..2).map(|_| boxes.open_library(ROOMY, None).id).collect();
    assert_eq!(lasting, [2, 3].map(MailboxId));
    boxes.next_library_id.store(u32::MAX as usize - 1, Ordering::Relaxed);
    let later: Vec<MailboxId> = (0..3).map(|_| boxes.open_library(ROOMY, None).id).collect();
    assert_eq!(later, [u32::MAX - 1, 4, 5].map(MailboxId), "the callers' number is left out as well");
}

/// The thread of an engine has no mailbox, and waits for room as a reactor does.
#[test]
fn the_pump_is_woken_by_room_while_it_waits_for_some() {
    let (boxes, _) = two_reactors(1 << 20);
    let pump = Arc::new(Counted::default());
    boxes.set_pump(Box::new(Arc::clone(&pump)));
    let slow = boxes.open_library(MailboxLimits { entries: 1, bytes: 100 }, None).id;
    let wakes = || pump.0.swap(0, Ordering::Relaxed);
    assert!(boxes.reserve(slow, 10) && !boxes.reserve(slow, 10));
    boxes.free(slow, 1, 10);
    assert_eq!(wakes(), 0, "it does not wait");
    boxes.set_pump_waiting(true);
    assert!(boxes.reserve(slow, 10) && !boxes.reserve(slow, 10));
    boxes.free(slow, 1, 10);
    assert_eq!(wakes(), 1);
    boxes.set_pump_waiting(false);
    assert!(boxes.reserve(slow, 10) && !boxes.reserve(slow, 10));
    boxes.free(slow, 1, 10);
    assert_eq!((wakes(), boxes.outbound_bytes()), (0, 0));
}

/// Else a publication that waits before it has a place would wait out its time.
#[test]
fn a_look_that_finds_no_room_is_announced_as_a_refusal_is() {
    let (boxes, woken) = two_reactors(100);
    let (waits, slow) = (MailboxId(0), boxes.open_library(MailboxLimits { entries: 1, bytes: 50 }, None).id);
    let wakes = || {
        boxes.begin_drain(waits);
        woken.0.swap(0, Ordering::Relaxed)
    };
    boxes.set_waiting(waits, true);
    assert!(boxes.has_room(slow, 1_000), "an empty mailbox takes one publication of any size");
    assert!(boxes.reserve(slow, 10) && !boxes.has_room(slow, 10));
    boxes.free(slow, 1, 10);
    assert_eq!(wakes(), 1, "its only entry was read");
    assert!(boxes.has_room(slow, 50));
    boxes.charge_outbox(90);
    assert!(boxes.has_room(slow, 50), "over the budget it takes one too");
    assert!(boxes.reserve(MailboxId(1), 10) && !boxes.has_room(MailboxId(1), 10));
    boxes.credit_outbox(90);
    assert_eq!((wakes(), boxes.has_room(MailboxId(1), 10)), (1, true));
    boxes.close_library(slow);
    assert!(boxes.has_room(slow, 1_000), "nobody waits for a mailbox that is gone");
    boxes.free(MailboxId(1), 1, 10);
    assert_eq!(boxes.outbound_bytes(), 0, "a look reserves nothing");
}

/// One wake for all that a turn posts.
#[test]
fn a_postman_that_gathers_wakes_when_its_turn_is_over() {
    let (boxes, woken) = two_reactors(1 << 20);
    let postman = Postman::gathering(Arc::clone(&boxes));
    let to = ConnId::here(MailboxId(0), 1, 1);
    for _ in 0..3 {
        postman.give_back(Returned { to, buffer: Vec::new(), outcome: Outcome::Done });
    }
    assert_eq!(woken.0.load(Ordering::Relaxed), 0);
    postman.pay_wakes();
    assert_eq!(woken.0.load(Ordering::Relaxed), 1);
}
