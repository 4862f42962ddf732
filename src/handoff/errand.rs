//! Errands: work whose next answer takes too long for a reactor or a worker, or has to wait for something, on its way to the
//! thread that makes it.

use super::refused::Refused;
use super::wake::Wake;
use crate::node::destination::Destination;
use crate::node::work::Work;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

/// Work that goes away. It comes back to its reactor as [`super::mailbox::Returned`], with its next item answered, or with what
/// that needs.
#[derive(Debug)]
pub struct Errand {
    /// What is left of the work; the item that is to be answered comes next.
    pub work: Box<Work>,
    /// The buffer of the job that it was, if it was one: it travels back too.
    pub buffer: Vec<u8>,
}

impl Errand {
    /// Bytes that it holds.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.work.bytes() + self.buffer.capacity()
    }
}

/// The ways to the threads that errands are for. When all of them are gone, those threads end.
#[derive(Debug, Clone)]
pub struct Errands {
    services: Option<Way>,
    engine: Option<Way>,
}

/// The other end of one of them.
#[derive(Debug)]
pub struct ErrandQueue {
    receiver: Receiver<Errand>,
    room: Arc<Room>,
}

#[derive(Debug, Clone)]
struct Way {
    sender: Sender<Errand>,
    room: Arc<Room>,
}

/// The bytes in a queue, which both ends share.
#[derive(Debug)]
struct Room {
    bytes: AtomicUsize,
    bytes_max: usize,
    refused: Refused,
    bell: Bell,
}

/// Rung for errands where the thread that takes them waits for other things too.
struct Bell(OnceLock<Box<dyn Wake>>);

impl fmt::Debug for Bell {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Bell")
    }
}

impl Errands {
    /// A queue for `max` errands to services, and its other end. Nothing goes to an engine.
    #[must_use]
    pub fn new(max: usize) -> (Errands, ErrandQueue) {
        // Errands to services hold nothing but their work.
        let (services, queue) = Way::new(max, usize::MAX);
        (Errands { services: Some(services), engine: None }, queue)
    }

    /// The same with a queue to an engine, for `max` errands and so many bytes of them, and the other end of that.
    #[must_use]
    pub fn with_engine(self, max: usize, bytes_max: usize) -> (Errands, ErrandQueue) {
        let (engine, queue) = Way::new(max, bytes_max);
        (Errands { engine: Some(engine), ..self }, queue)
    }

    /// Without the way to services, which end although this one stays.
    #[must_use]
    pub fn without_services(&self) -> Errands {
        Errands { services: None, engine: self.engine.clone() }
    }

    /// Sends work away. When there is no room it comes back, and whoever reads the queue wakes the reactors that wait when
    /// there is.
    ///
    /// # Errors
    /// The errand itself, untouched.
    pub fn send(&self, errand: Errand) -> Result<(), Errand> {
        if self.send_with_others(errand)? {
            self.ring();
        }
        Ok(())
    }

    /// The same for one of several; whether the engine is to be woken by a [ring](Errands::ring) after them, and is not before. One
    /// that is woken for each is soon done, sleeps again, and places one in the time of many.
    ///
    /// # Errors
    /// The errand itself, untouched.
    pub fn send_with_others(&self, errand: Errand) -> Result<bool, Errand> {
        let is_for_engine = errand.work.destination() == Some(Destination::Engine);
        let way = match errand.work.destination() {
            Some(Destination::Service) => &self.services,
            Some(Destination::Engine) => &self.engine,
            None => &None,
        };
        match way {
            Some(way) => way.send(errand).map(|()| is_for_engine),
            None => Err(errand),
        }
    }

    /// Wakes the engine for what was sent to it.
    pub fn ring(&self) {
        if let Some(bell) = self.engine.as_ref().and_then(|way| way.room.bell.0.get()) {
            bell.wake();
        }
    }

    /// Errands that wait for the engine, and their bytes.
    #[must_use]
    pub fn queued(&self) -> (usize, usize) {
        let held = |way: &Way| (way.sender.len(), way.room.bytes.load(Ordering::Relaxed));
        self.engine.as_ref().map_or((0, 0), held)
    }
}

impl Way {
    fn new(max: usize, bytes_max: usize) -> (Way, ErrandQueue) {
        let (sender, receiver) = bounded(max);
        let room = Arc::new(Room {
            bytes: AtomicUsize::new(0),
            bytes_max,
            refused: Refused::none(),
            bell: Bell(OnceLock::new()),
        });
        (Way { sender, room: Arc::clone(&room) }, ErrandQueue { receiver, room })
    }

    fn send(&self, errand: Errand) -> Result<(), Errand> {
        let Err(errand) = self.try_send(errand) else { return Ok(()) };
        // Said before the second try, so that room which comes free in between is either seen or announced.
        self.room.refused.note();
        self.try_send(errand)
    }

    fn try_send(&self, errand: Errand) -> Result<(), Errand> {
        let (held, bytes) = (&self.room.bytes, errand.bytes());
        // As with jobs: counted before it fits, and one errand always fits into an empty queue.
        let before = held.fetch_add(bytes, Ordering::AcqRel);
        let sent = if before > 0 && before.saturating_add(bytes) > self.room.bytes_max {
            Err(errand)
        } else {
            self.sender.try_send(errand).map_err(TrySendError::into_inner)
        };
        if sent.is_err() {
            held.fetch_sub(bytes, Ordering::AcqRel);
        }
        sent
    }
}

impl ErrandQueue {
    /// Waits for the next errand; `None` when there will be no more.
    #[must_use]
    pub fn wait(&self) -> Option<Errand> {
        self.receiver.recv().ok()
    }

    /// The next errand, if there is one.
    #[must_use]
    pub fn next(&self) -> Option<Errand> {
        self.receiver.try_recv().ok()
    }

    /// Has this woken for errands to an engine from now on.
    pub fn ring(&self, bell: Box<dyn Wake>) {
        // A second one has nothing to add: a queue has one reader.
        let _ = self.room.bell.0.set(bell);
    }

    /// Where errands come out, for a thread that waits for other things as well.
    #[must_use]
    pub fn receiver(&self) -> &Receiver<Errand> {
        &self.receiver
    }

    /// An errand was taken out: true when somebody had been refused and should be woken.
    #[must_use]
    pub fn took(&self, errand: &Errand) -> bool {
        // Before the flag is read, as where jobs are taken.
        self.room.bytes.fetch_sub(errand.bytes(), Ordering::AcqRel);
        self.room.refused.take()
    }
}

#[cfg(test)]
mod tests {
    use super::{Errand, Errands, Wake};
    use crate::access::Identities;
    use crate::handoff::mailbox::{MailboxLimits, Mailboxes};
    use crate::handoff::postman::Postman;
    use crate::hub::{Hub, HubLimits, Placement, RandomSource};
    use crate::model::ids::{ConnId, MailboxId};
    use crate::model::publication::Data;
    use crate::model::request::{Page, PostOptions, Request, Verb};
    use crate::model::ticket::Ticket;
    use crate::node::execute::{Node, Progress, execute};
    use crate::node::work::Work;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::time::Instant;

    /// A work that has gone away with what it asks.
    fn errand(verb: Verb) -> Errand {
        let to = ConnId::here(MailboxId(0), 0, 0);
        let item = Ok(Request { id: None, verb });
        let mut work = Work::one(to, Identities::default().operator, Ticket::default(), item);
        let limits = HubLimits { placement: Placement::Engine, ..HubLimits::default() };
        let hub = Hub::new(limits, RandomSource::seeded(1));
        let (mailboxes, _) = Mailboxes::new(Vec::new(), MailboxLimits { entries: 1, bytes: 1 }, 1);
        let postman = Postman::new(mailboxes, None);
        assert_eq!(execute(&mut work, Node::open(&hub), &postman, Instant::now(), 0), Progress::Away);
        Errand { work: Box::new(work), buffer: Vec::new() }
    }

    fn post(bytes: usize) -> Errand {
        let data = Data::Json(vec![b'1'; bytes].into());
        let post = PostOptions::of(data);
        errand(Verb::Post { channel: "a".try_into().expect("a name"), post })
    }

    #[test]
    fn each_goes_its_own_way_within_its_own_bounds() {
        let (services, pages) = Errands::new(1);
        assert!(services.send(post(1)).is_err(), "there is no engine");
        let (errands, orders) = services.with_engine(2, 100);
        assert!(errands.send(errand(Verb::Inspect(Page::Metrics))).is_ok());
        assert!(errands.send(errand(Verb::Inspect(Page::Metrics))).is_err());
        assert!(errands.send(post(1_000)).is_ok(), "one always fits");
        assert_eq!(errands.queued(), (1, 1_000));
        let back = errands.send(post(1)).expect_err("so many bytes are enough");
        assert_eq!((errands.queued(), back.bytes()), ((1, 1_000), 1));
        let taken = orders.next().expect("the first");
        assert!(orders.took(&taken), "somebody waits");
        assert!(errands.send(back).is_ok() && errands.send(post(99)).is_ok());
        assert!(errands.send(post(0)).is_err(), "two are enough");
        let first = orders.receiver().try_recv().expect("it is there");
        assert!(orders.took(&first));
        assert_eq!(errands.queued(), (1, 99));
        let page = pages.next().expect("the page");
        assert!(pages.took(&page) && page.work.errand().is_some());
    }

    /// Counts how often it is woken.
    #[derive(Clone, Default)]
    struct Rung(Arc<AtomicUsize>);

    impl Wake for Rung {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn an_engine_is_woken_once_for_several_and_once_for_one() {
        let (errands, orders) = Errands::new(1).0.with_engine(9, 1_000);
        let rung = Rung::default();
        orders.ring(Box::new(rung.clone()));
        assert!(errands.send_with_others(post(1)).is_ok() && errands.send_with_others(post(1)).is_ok());
        assert_eq!((rung.0.load(Ordering::SeqCst), errands.queued()), (0, (2, 2)));
        errands.ring();
        assert_eq!(rung.0.load(Ordering::SeqCst), 1);
        assert!(errands.send(post(1)).is_ok());
        assert_eq!(rung.0.load(Ordering::SeqCst), 2);
    }

    #[test]
    fn services_end_though_somebody_may_still_ask_the_engine() {
        let (services, pages) = Errands::new(1);
        let (errands, orders) = services.with_engine(1, 100);
        let kept = errands.without_services();
        drop(errands);
        assert!(pages.wait().is_none());
        assert!(kept.send(errand(Verb::Inspect(Page::Metrics))).is_err());
        assert!(kept.send(post(1)).is_ok() && orders.next().is_some());
    }
}
