//! What the library's calls share: the hub, the mailboxes, and one way to execute a request.

use super::away::{Back, EngineWay, ended};
use super::error::Error;
use super::publication::{History, Publication, Replay};
use crate::access::{AccessRules, ChannelRules, Identity};
use crate::handoff::callers::Waiting;
use crate::handoff::mailbox::{Inbox, MailboxLimits, Mailboxes, Wake};
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::hub::post::{Delivery, Post};
use crate::model::code::Code;
use crate::model::ids::{ChannelId, ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::model::refusal::Refusal;
use crate::model::request::{PostOptions, Request, Verb};
use crate::model::ticket::Ticket;
use crate::node::answer::{Answer, Reply, Respond};
use crate::node::execute::{Node, Progress, execute, give_up, wall_ms};
use crate::node::work::Work;
use arc_swap::ArcSwap;
use std::cell::RefCell;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

/// See the module. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Inside {
    /// What the program may do.
    pub(crate) identity: Arc<Identity>,
    pub(crate) hub: Arc<Hub>,
    /// What holds for channels, whoever publishes.
    pub(crate) rules: Arc<ArcSwap<AccessRules>>,
    pub(crate) mailboxes: Arc<Mailboxes>,
    /// How long a publication waits for room.
    pub(crate) publish_wait: Duration,
    /// The limits of each subscription's mailbox.
    pub(crate) mailbox_limits: MailboxLimits,
    /// The way to the engine, if positions are given by one.
    pub(crate) engine: Option<EngineWay>,
}

impl Inside {
    /// A POST that is ready to be executed.
    pub(super) fn posting(&self, channel: &str, post: PostOptions) -> Result<Work, Error> {
        Ok(self.work(Verb::Post { channel: name(channel)?, post }, MailboxId::CALLER))
    }

    /// Executes a POST on this thread; waits for room for at most `publish_wait`, and for the engine, if there is one.
    pub(super) fn publish(&self, mut work: Work) -> Result<Position, Error> {
        if let Some(own) = self.own_inbox() {
            work.to = subscriber(own.inbox.id);
            return self.travel(work, own.way, &own.inbox).and_then(position_of);
        }
        let answer = self.when_there_is_room(|now| self.attempt(&mut work, now));
        answer.or_else(|| self.refuse(&mut work)).map_or_else(|| Err(unanswered()), position_of)
    }

    /// Executes a POST on this thread if that needs no wait; the work itself if it does.
    #[cfg(feature = "tokio")]
    pub(super) fn try_publish(&self, mut work: Work) -> Result<Result<Position, Error>, Box<Work>> {
        if self.engine.is_some() {
            return Err(Box::new(work));
        }
        let answer = self.attempt(&mut work, Instant::now());
        self.mailboxes.pay_wakes();
        answer.map(position_of).ok_or_else(|| Box::new(work))
    }

    /// Reads a channel without subscribing to it.
    pub(super) fn history(&self, channel: &str, replay: Replay) -> Result<History, Error> {
        let verb = Verb::Get { channel: name(channel)?, options: replay.options(true) };
        let own = self.own_inbox();
        Ok(self.read(verb, own.as_ref().map(|own| &own.inbox))?.0)
    }

    /// A request of the program's own, which may do everything.
    fn work(&self, verb: Verb, mailbox: MailboxId) -> Work {
        let identity = Arc::clone(&self.identity);
        Work::one(subscriber(mailbox), identity, Ticket::default(), Ok(Request { id: None, verb }))
    }

    fn read(&self, verb: Verb, inbox: Option<&Inbox>) -> Result<(History, ChannelId), Error> {
        let mut work = self.work(verb, inbox.map_or(MailboxId::CALLER, |inbox| inbox.id));
        let answer = match (&self.engine, inbox) {
            (Some(way), Some(inbox)) => self.travel(work, way, inbox)?,
            // A GET needs no room: its answer is handed over here.
            _ => self.attempt(&mut work, Instant::now()).ok_or_else(unanswered)?,
        };
        match answer {
            Answer::Channel { id, position, recovered, publications, .. } => {
                let publications = publications.into_iter().map(Publication::new).collect();
                Ok((History { position, recovered, publications }, id))
            }
            other => Err(unexpected(other)),
        }
    }

    /// Executes a request that may have to go to the engine, and waits for its answer.
    fn travel(&self, work: Work, way: &EngineWay, inbox: &Inbox) -> Result<Answer, Error> {
        let mut own = Some(Box::new(work));
        let outcome = self.when_there_is_room(|_| {
            let mut work = own.take()?;
            loop {
                let (progress, answer) = self.run(&mut work, Instant::now());
                match progress {
                    Progress::Done => return Some(answer.ok_or_else(unanswered)),
                    Progress::Blocked => break,
                    Progress::Away => match way.send(work, inbox) {
                        Back::Answered(answer) => return Some(Ok(answer)),
                        Back::Again(again) => work = again,
                        Back::NoRoom(back) => {
                            work = back;
                            work.blocked_since.get_or_insert_with(Instant::now);
                            break;
                        }
                        Back::Never => return Some(Err(ended())),
                    },
                }
            }
            own = Some(work);
            None
        });
        match (outcome, own) {
            (Some(outcome), _) => outcome,
            (None, Some(mut work)) => self.refuse(&mut work).ok_or_else(unanswered),
            (None, None) => Err(unanswered()),
        }
    }

    /// Tries until `attempt` returns something, or `None` after `publish_wait`. Between two tries it waits until room comes
    /// free.
    pub(super) fn when_there_is_room<T>(&self, mut attempt: impl FnMut(Instant) -> Option<T>) -> Option<T> {
        let until = Instant::now() + self.publish_wait;
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let turn = waiting.as_ref().map(Waiting::turn);
            let now = Instant::now();
            let outcome = attempt(now);
            // Also after a try that failed: it may have reserved room in some mailboxes and given it back.
            self.mailboxes.pay_wakes();
            // Asked after a try, so that there is one even if `publish_wait` is 0, and one more after the last wait.
            if outcome.is_some() || now >= until {
                return outcome;
            }
            match (&waiting, turn) {
                (Some(waiting), Some(turn)) => waiting.wait(turn, until),
                // The first failure does not wait: room may have come free before this thread was known to wait.
                _ => waiting = Some(self.mailboxes.callers.begin()),
            }
        }
    }

    /// Executes one request on this thread; `None` when it has to wait for room.
    fn attempt(&self, work: &mut Work, now: Instant) -> Option<Answer> {
        self.run(work, now).1
    }

    /// Executes one request on this thread: how far it has come, and its answer if it has one.
    fn run(&self, work: &mut Work, now: Instant) -> (Progress, Option<Answer>) {
        let caller = self.caller();
        let progress = execute(work, self.node(&self.rules.load().channels), &caller, now, wall_ms(SystemTime::now()));
        (progress, caller.answer.into_inner())
    }

    /// Refuses what has waited for room long enough.
    fn refuse(&self, work: &mut Work) -> Option<Answer> {
        let caller = self.caller();
        give_up(work, self.node(&self.rules.load().channels), &caller, Instant::now(), wall_ms(SystemTime::now()));
        caller.answer.into_inner()
    }

    fn node<'a>(&'a self, rules: &'a ChannelRules) -> Node<'a> {
        Node { hub: &self.hub, rules }
    }

    fn caller(&self) -> Caller {
        Caller { postman: Postman::new(Arc::clone(&self.mailboxes), None), answer: RefCell::new(None) }
    }
}

impl Inside {
    /// A mailbox for the answers to one call, closed when the call is over; `None` where nothing goes away.
    fn own_inbox(&self) -> Option<OwnInbox<'_>> {
        let way = self.engine.as_ref()?;
        Some(OwnInbox { inside: self, way, inbox: self.mailboxes.open_library(self.mailbox_limits, None) })
    }
}

/// See [`Inside::own_inbox`].
struct OwnInbox<'i> {
    inside: &'i Inside,
    way: &'i EngineWay,
    inbox: Inbox,
}

impl Drop for OwnInbox<'_> {
    fn drop(&mut self) {
        self.inside.mailboxes.close_library(self.inbox.id);
    }
}

/// The only subscriber of a library mailbox, as a connection.
fn subscriber(mailbox: MailboxId) -> ConnId {
    ConnId::here(mailbox, 0, 0)
}

fn name(channel: &str) -> Result<ChannelName, Error> {
    ChannelName::new(channel).map_err(|fault| Refusal::from(fault).into())
}

fn position_of(answer: Answer) -> Result<Position, Error> {
    match answer {
        Answer::Published { position, .. } => Ok(position),
        other => Err(unexpected(other)),
    }
}

/// A subscription's mailbox and its interest in a channel.
pub(super) struct Seat {
    pub(super) inbox: Inbox,
    hub: Arc<Hub>,
    mailboxes: Arc<Mailboxes>,
    channel: ChannelId,
}

impl Seat {
    /// Subscribes: what is replayed comes with it, everything else by its mailbox. `waker` learns of letters.
    pub(super) fn take(
        inside: &Inside,
        channel: &str,
        replay: Replay,
        waker: Option<Box<dyn Wake>>,
    ) -> Result<(Seat, History), Error> {
        let name = name(channel)?;
        // Before the interest is counted: from then on publications are posted to it.
        let inbox = inside.mailboxes.open_library(inside.mailbox_limits, waker);
        let verb = Verb::Get { channel: name, options: replay.options(false) };
        let read = inside.read(verb, Some(&inbox)).inspect_err(|_| inside.mailboxes.close_library(inbox.id));
        let (history, channel) = read?;
        let (hub, mailboxes) = (Arc::clone(&inside.hub), Arc::clone(&inside.mailboxes));
        Ok((Seat { inbox, hub, mailboxes, channel }, history))
    }

    /// Gives back the room of one letter.
    pub(super) fn free(&self, weight: usize) {
        self.mailboxes.free(self.inbox.id, 1, weight);
    }

    /// From here on wakes are counted anew: called before the mailbox is looked into.
    #[cfg(feature = "tokio")]
    pub(super) fn begin_drain(&self) {
        self.mailboxes.begin_drain(self.inbox.id);
    }

    /// Ends the interest and closes the mailbox. Idempotent: the hub knows no interest of this mailbox the second time.
    pub(super) fn leave(&self) {
        // The interest first, under the shard's lock: after it no publication looks for room in this mailbox.
        self.hub.leave(self.channel, subscriber(self.inbox.id));
        self.mailboxes.close_library(self.inbox.id);
    }
}

/// The mailboxes, with answers caught on the way: nobody but the caller asks.
struct Caller {
    postman: Postman,
    answer: RefCell<Option<Answer>>,
}

impl Post for Caller {
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.postman.reserve(mailbox, bytes)
    }

    fn has_room(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.postman.has_room(mailbox, bytes)
    }

    fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.postman.release(mailbox, bytes);
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        self.postman.post(mailbox, delivery);
    }

    fn wake(&self, mailbox: MailboxId) {
        self.postman.wake(mailbox);
    }
}

impl Respond for Caller {
    fn respond(&self, reply: Reply) {
        *self.answer.borrow_mut() = Some(reply.answer);
    }
}

fn unexpected(answer: Answer) -> Error {
    match answer {
        Answer::Refused(refusal) => refusal.into(),
        other => Error::new(Code::InternalError, format!("unexpected answer: {other:?}")),
    }
}

fn unanswered() -> Error {
    Error::new(Code::InternalError, "the request was not answered")
}
