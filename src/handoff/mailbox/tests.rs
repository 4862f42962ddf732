//! What a letter weighs, and whom a mailbox wakes.

use super::{Letter, MailboxLimits, Mailboxes, Wake};
use crate::hub::post::Delivery;
use crate::hub::publication::Publication;
use crate::model::ids::MailboxId;
use std::sync::{Arc, OnceLock, Weak, mpsc};
use std::time::Duration;

const ROOMY: MailboxLimits = MailboxLimits { entries: 100, bytes: 1 << 20 };

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
    let (boxes, _) = Mailboxes::new(Vec::new(), ROOMY, 1 << 20);
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
