//! The server as a library: publish from any thread, subscribe with a callback that runs on a thread of its own.

use super::Server;
use crate::handoff::callers::Waiting;
use crate::handoff::mailbox::{Letter, Mailboxes};
use crate::handoff::postman::Postman;
use crate::hub::Hub;
use crate::hub::execute::{Progress, execute, give_up};
use crate::hub::post::{Answer, Delivery, Form, Post};
use crate::hub::publication::Publication;
use crate::hub::work::Work;
use crate::model::ids::{ChannelId, ConnId, MailboxId};
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Position};
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, PostOptions, Request, Verb};
use crate::wire::json::scanner::trim;
use crate::wire::json::{JsonScratch, validate, without_mark};
use bytes::Bytes;
use std::cell::RefCell;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// A caller of the library has no mailbox: what is posted to this one is handed to it directly.
const CALLER: MailboxId = MailboxId(u32::MAX);

/// Why something could not be published or subscribed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{} ({}): {}", .0.code, .0.status, .0.message)]
pub struct PublishError(pub Refusal);

/// A subscription of the library. Dropping it ends it: a callback that is running is waited for, and none follows.
pub struct Subscription {
    /// Where the channel was when the subscription began: the first publication delivered is the next one.
    pub position: Position,
    hub: Arc<Hub>,
    mailboxes: Arc<Mailboxes>,
    mailbox: MailboxId,
    channel: ChannelId,
    /// Set when it ends: what is still in the mailbox is not delivered any more.
    over: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

/// Takes a subscription out of the hub and closes its mailbox when it goes: at the end of a subscription and when its
/// callback panics, since a mailbox that nobody empties would make publishers wait.
struct Ending {
    hub: Arc<Hub>,
    mailboxes: Arc<Mailboxes>,
    mailbox: MailboxId,
    channel: ChannelId,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.hub.release(self.channel, self.mailbox, 1);
        self.mailboxes.close_library(self.mailbox);
    }
}

impl Server {
    /// Publishes one JSON value. Blocks for at most the configuration's `publish_wait` while subscribers' mailboxes are
    /// full.
    ///
    /// # Errors
    /// A bad name, no JSON, a limit, or 503 `busy` after the wait.
    pub fn publish(&self, channel: &str, json: &str) -> Result<Position, PublishError> {
        let json = without_mark(json.as_bytes());
        validate(json, &mut JsonScratch::default()).map_err(PublishError)?;
        self.publish_data(channel, Data::Json(Bytes::copy_from_slice(trim(json))))
    }

    /// Publishes data that the caller vouches for: JSON must be one valid value. Otherwise as [`Server::publish`].
    ///
    /// # Errors
    /// A bad name, a limit, or 503 `busy` after the wait.
    pub fn publish_data(&self, channel: &str, data: Data) -> Result<Position, PublishError> {
        let channel = ChannelName::new(channel).map_err(|fault| PublishError(fault.into()))?;
        let post = PostOptions { data, event: None, key: None, exclude_self: false, exclude: None };
        let verb = Verb::Post { channel, post };
        match self.ask(verb, CALLER)? {
            Answer::Published { position, .. } => Ok(position),
            other => Err(unexpected(&other)),
        }
    }

    /// Ends a channel's continuity: its history is dropped, a new epoch begins at offset 0, and every subscriber is told by
    /// a reset. `None` for a channel that does not exist. Blocks as [`Server::publish`] does.
    ///
    /// # Errors
    /// 503 `busy` after the wait.
    pub fn reset_channel(&self, channel: &str) -> Result<Option<Position>, PublishError> {
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        self.when_there_is_room(|now| self.hub.reset(channel, &postman, now).ok()).ok_or_else(|| {
            let message = "subscribers cannot take more at the moment; the channel was not reset, try again";
            PublishError(Refusal::new(503, "busy", message))
        })
    }

    /// Tries until it comes to something, or `publish_wait` is over: then `None`. Between two tries it waits until room
    /// comes free.
    fn when_there_is_room<T>(&self, mut attempt: impl FnMut(Instant) -> Option<T>) -> Option<T> {
        let until = Instant::now() + self.publish_wait;
        let mut waiting: Option<Waiting<'_>> = None;
        loop {
            let turn = waiting.as_ref().map(Waiting::turn);
            let now = Instant::now();
            let outcome = attempt(now);
            self.mailboxes.pay_wakes();
            if outcome.is_some() || now >= until {
                return outcome;
            }
            match (&waiting, turn) {
                (Some(waiting), Some(turn)) => waiting.wait(turn, until),
                _ => waiting = Some(self.mailboxes.callers.begin()),
            }
        }
    }

    /// Calls `callback` for each publication from here on, in order, on a thread of its own. A callback that is slower
    /// than its publishers fills this subscription's mailbox and makes them wait (law 7, `reliable`).
    ///
    /// # Errors
    /// A bad name, a limit, or no thread.
    pub fn subscribe(
        &self,
        channel: &str,
        mut callback: impl FnMut(&Publication) + Send + 'static,
    ) -> Result<Subscription, PublishError> {
        let channel = ChannelName::new(channel).map_err(|fault| PublishError(fault.into()))?;
        let inbox = self.mailboxes.open_library(self.mailbox_limits);
        let mailbox = inbox.id;
        let verb = Verb::Get { channel, options: GetOptions::default() };
        let answer = self.ask(verb, mailbox).inspect_err(|_| self.mailboxes.close_library(mailbox))?;
        let Answer::Channel { id, position, .. } = answer else { return Err(unexpected(&answer)) };
        let mailboxes = Arc::clone(&self.mailboxes);
        let over = Arc::new(AtomicBool::new(false));
        let ending = Ending { hub: Arc::clone(&self.hub), mailboxes: Arc::clone(&mailboxes), mailbox, channel: id };
        let stop = Arc::clone(&over);
        let deliver = move || {
            let _ending = ending;
            for letter in inbox.receiver.iter() {
                if stop.load(Ordering::Acquire) {
                    break;
                }
                if let Letter::Delivery(delivery) = letter {
                    if let Delivery::Publication { publication, .. } = &delivery {
                        callback(publication);
                    }
                    mailboxes.free(inbox.id, 1, delivery.weight());
                }
            }
        };
        let thread = std::thread::Builder::new().name("subscriber".to_owned()).spawn(deliver);
        let mut subscription = Subscription {
            position,
            hub: Arc::clone(&self.hub),
            mailboxes: Arc::clone(&self.mailboxes),
            mailbox,
            channel: id,
            over,
            thread: None,
        };
        let failed = |error: std::io::Error| PublishError(Refusal::new(503, "no_thread", error.to_string()));
        subscription.thread = Some(thread.map_err(failed)?);
        Ok(subscription)
    }

    /// Executes one request on this thread. Interest of a subscription is counted for `mailbox`.
    fn ask(&self, verb: Verb, mailbox: MailboxId) -> Result<Answer, PublishError> {
        let postman = Postman::new(Arc::clone(&self.mailboxes), None);
        let caller = Caller { postman, mailbox, answer: RefCell::new(None) };
        let to = ConnId::here(mailbox, 0, 0);
        let mut work = Work::one(to, Form::Text, Ok(Request { id: None, verb })).allowing(true, true);
        let done = self.when_there_is_room(|now| match execute(&mut work, &self.hub, &caller, now, wall_ms()) {
            Progress::Done => Some(()),
            Progress::Blocked => None,
        });
        if done.is_none() {
            give_up(&mut work, &self.hub, &caller, Instant::now(), wall_ms());
        }
        match caller.answer.into_inner() {
            Some(Answer::Refused(refusal)) => Err(PublishError(refusal)),
            Some(answer) => Ok(answer),
            None => Err(PublishError(Refusal::new(500, "internal_error", "the request was not answered"))),
        }
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.over.store(true, Ordering::Release);
        self.hub.release(self.channel, self.mailbox, 1);
        self.mailboxes.close_library(self.mailbox);
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
            && thread.join().is_err()
        {
            log::error!(event = "callback_panicked"; "a subscriber's callback panicked");
        }
    }
}

/// The mailboxes, with the caller's own replies caught on the way.
struct Caller {
    postman: Postman,
    mailbox: MailboxId,
    answer: RefCell<Option<Answer>>,
}

impl Post for Caller {
    fn reserve(&self, mailbox: MailboxId, bytes: usize) -> bool {
        self.postman.reserve(mailbox, bytes)
    }

    fn release(&self, mailbox: MailboxId, bytes: usize) {
        self.postman.release(mailbox, bytes);
    }

    fn post(&self, mailbox: MailboxId, delivery: Delivery) {
        match delivery {
            Delivery::Reply(reply) if mailbox == self.mailbox => *self.answer.borrow_mut() = Some(reply.answer),
            delivery => self.postman.post(mailbox, delivery),
        }
    }

    fn wake(&self, mailbox: MailboxId) {
        self.postman.wake(mailbox);
    }
}

fn unexpected(answer: &Answer) -> PublishError {
    PublishError(Refusal::new(500, "internal_error", format!("an answer of another kind came: {answer:?}")))
}

fn wall_ms() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}
