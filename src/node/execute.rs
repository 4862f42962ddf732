//! The one way to the hub: every request of every transport is executed here, and answered by a reply in a mailbox.

use super::answer::{Answer, Reply, Respond};
use super::asker::Asker;
use super::destination::Destination;
use super::excluded::excluded;
use super::gate::judge;
use super::work::Work;
use crate::access::ChannelRules;
use crate::hub::outgoing::Outgoing;
use crate::hub::publication::{Draft, weight};
use crate::hub::publish::{Incoming, Published, Stop};
use crate::hub::read::{Found, View, Wanted};
use crate::hub::{Asked, Hub};
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::refusal::Refusal;
use crate::model::request::{GetOptions, Item, PostOptions, RequestId, Verb};
use std::sync::LazyLock;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// What requests act on.
#[derive(Clone, Copy)]
pub struct Node<'a> {
    /// The channels.
    pub hub: &'a Hub,
    /// Who may do what with them.
    pub rules: &'a ChannelRules,
}

impl<'a> Node<'a> {
    /// In open mode.
    #[must_use]
    pub fn open(hub: &'a Hub) -> Node<'a> {
        static OPEN: LazyLock<ChannelRules> = LazyLock::new(ChannelRules::default);
        Node { hub, rules: &OPEN }
    }
}

/// How far a work has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// Every item was answered.
    Done,
    /// The next item is a publication that found a mailbox full; nothing of it has happened. Call [`execute`] again when
    /// there is room, or [`give_up`] when it has waited long enough.
    Blocked,
    /// The answer to the next item is made elsewhere. Send the work on that errand; when it comes back with the item
    /// answered, call [`execute`] again. An errand that finds no room is as [`Progress::Blocked`].
    Away,
}

/// Executes what is left of `work`, in order, and posts one reply per item to `work.to.mailbox`: after the deliveries it
/// caused, and a GET's under the lock that counts it. `wall_ms` is the time for stamps.
pub fn execute<P: Respond>(work: &mut Work, node: Node<'_>, post: &P, now: Instant, wall_ms: u64) -> Progress {
    // One `Outgoing` for all items: what a batch posts to a mailbox wakes its owner once, after the last.
    Turn { node, out: Outgoing::new(post), now, wall_ms, patient: true }.run(work)
}

/// Refuses the item that `work` is blocked on with 503 `busy` and executes the rest; each further one that finds a
/// mailbox full is refused at once, so it comes back done, or away.
pub fn give_up<P: Respond>(work: &mut Work, node: Node<'_>, post: &P, now: Instant, wall_ms: u64) -> Progress {
    let mut turn = Turn { node, out: Outgoing::new(post), now, wall_ms, patient: false };
    // Otherwise the next item was not tried yet, and is executed like the rest.
    if work.blocked_since.is_some()
        && let Some(reply) = work.answer(Answer::Refused(busy(work.destination())))
    {
        respond(&mut turn.out, reply);
    }
    turn.run(work)
}

/// A wall clock's time as publications carry it: milliseconds since 1970. A clock that is set before that gives 0.
#[must_use]
pub fn wall_ms(wall: SystemTime) -> u64 {
    wall.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as u64)
}

/// One run over a work.
struct Turn<'a, P: Respond> {
    node: Node<'a>,
    out: Outgoing<'a, P>,
    now: Instant,
    wall_ms: u64,
    /// Whether a publication may wait for room.
    patient: bool,
}

/// The outcome of an item.
enum Served {
    /// To be answered.
    Answer(Answer),
    /// Answered already, under the lock.
    Posted,
    /// Nothing happened: a mailbox is full.
    Blocked,
    /// Nothing happened: the service answers it.
    Away,
    /// Nothing happened: an engine is asked first, for this if it is a GET that lacks publications.
    AwayToEngine(Option<Box<Asked>>),
}

impl<P: Respond> Turn<'_, P> {
    fn run(&mut self, work: &mut Work) -> Progress {
        loop {
            let progress = self.run_items(work);
            if progress != Progress::Done || !work.go_on() {
                return progress;
            }
        }
    }

    #[inline(always)]
    fn run_items(&mut self, work: &mut Work) -> Progress {
        while let Some((mut asker, item)) = work.next_item() {
            match self.serve(&mut asker, item) {
                Served::Answer(answer) => self.reply(&asker, item, answer),
                Served::Posted => {}
                Served::Blocked if self.patient => {
                    work.away = None;
                    // Kept from the first try, however often it is tried again.
                    work.blocked_since.get_or_insert(self.now);
                    return Progress::Blocked;
                }
                // Not a question of patience: whether there is room where it goes is not known here.
                Served::Away => {
                    work.away = Some(Destination::Service);
                    return Progress::Away;
                }
                Served::AwayToEngine(asked) => {
                    work.leave_for_engine(asked, self.node.hub, self.node.rules);
                    return Progress::Away;
                }
                Served::Blocked => self.reply(&asker, item, Answer::Refused(Code::Busy.into())),
            }
            work.advance();
        }
        Progress::Done
    }

    fn serve(&mut self, asker: &mut Asker<'_>, item: &mut Item) -> Served {
        let request = match item {
            Ok(request) => request,
            Err(refused) => return Served::Answer(Answer::Refused(refused.refusal.clone())),
        };
        if let Err(refusal) = judge(asker.identity, &request.verb, self.node.rules) {
            return refused(refusal);
        }
        match &mut request.verb {
            Verb::Get { channel, options } => self.get(asker, request.id.as_ref(), channel, options),
            Verb::Post { channel, post } => self.post(asker.to, channel, post),
            Verb::DeleteHistory { .. } if self.node.hub.is_a_copy() => Served::AwayToEngine(None),
            Verb::DeleteHistory { channel } => Served::Answer(self.delete_history(channel)),
            Verb::Unsubscribe { channel } => {
                // Interest is ended by the reactor when it comes to the answer, after all pushes that were posted
                // before it (law 2).
                let id = self.node.hub.id_of(channel);
                Served::Answer(Answer::Unsubscribe { channel: ChannelName::clone(channel), id })
            }
            Verb::Livez => Served::Answer(Answer::Alive),
            Verb::Limits => Served::Answer(Answer::Limits),
            // Judged by the route: a listener may show its metrics to every client.
            Verb::Inspect(_) => Served::Away,
            Verb::Operate(_) => Served::Away,
            // The connection keeps its identity, so the connection decides whether the token is good.
            Verb::Auth { token } => Served::Answer(Answer::SignIn { token: std::mem::take(token) }),
        }
    }

    /// The activation is posted under the lock that takes the replay and counts the interest (law 1).
    fn get(
        &mut self,
        asker: &mut Asker<'_>,
        id: Option<&RequestId>,
        channel: &ChannelName,
        options: &GetOptions,
    ) -> Served {
        let left = asker.replay_left(self.node.hub.limits().replay_bytes);
        let (to, ticket, id) = (asker.to, asker.ticket, id.cloned());
        let live = !options.once;
        let post = |View { channel, id: known, position, recovered, publications }| {
            let answer = Answer::Channel { channel, id: known, position, recovered, publications, live };
            respond(&mut self.out, Reply { to, ticket, id, answer });
        };
        let wanted = Wanted { name: channel, options, who: to, left };
        let hub = self.node.hub;
        if hub.is_a_copy() {
            let mut asked = asker.take_asked();
            return match hub.read_copy(wanted, &mut asked, (self.now, self.wall_ms), post) {
                Found::Posted(bytes) => {
                    asker.replayed(left, bytes);
                    Served::Posted
                }
                Found::NotHeld | Found::Lacks => Served::AwayToEngine(asked),
            };
        }
        match hub.read(wanted, self.now, post) {
            Ok(bytes) => {
                asker.replayed(left, bytes);
                Served::Posted
            }
            Err(refusal) => Served::Answer(Answer::Refused(refusal)),
        }
    }

    fn post(&mut self, to: ConnId, channel: &ChannelName, post: &mut PostOptions) -> Served {
        let Ok(exclude) = excluded(self.node.hub, to, post) else {
            return refused(Code::BadExclude.into());
        };
        if self.node.hub.is_a_copy() {
            return self.place(channel, post);
        }
        let draft = Draft::take_from(post, self.stamp());
        let if_match = post.if_match();
        let key = post.key.as_deref().map(|key| self.node.hub.key(key, &draft));
        let answer = |Published { position, kept }| {
            let channel = ChannelName::clone(channel);
            Answer::Published { channel, position, kept }
        };
        let incoming = Incoming { draft, key, exclude, if_match };
        let published = self.node.hub.publish(channel, incoming, &mut self.out, self.now);
        served(published.map(answer), |draft| draft.give_back(post))
    }

    /// The place comes from the engine; what waits for readers here waits before it has one, as it does without an engine.
    fn place(&self, channel: &ChannelName, post: &PostOptions) -> Served {
        if self.node.hub.has_room(channel, weight(&post.data, post.event.as_deref()), self.out.post) {
            Served::AwayToEngine(None)
        } else {
            Served::Blocked
        }
    }

    fn delete_history(&self, channel: &ChannelName) -> Answer {
        match self.node.hub.delete_history(channel, self.now) {
            Some(position) => Answer::HistoryDeleted { channel: ChannelName::clone(channel), position },
            None => Answer::Refused(Code::UnknownChannel.into()),
        }
    }

    fn reply(&mut self, asker: &Asker<'_>, item: &Item, answer: Answer) {
        respond(&mut self.out, asker.reply(item, answer));
    }

    fn stamp(&self) -> Option<u64> {
        self.node.hub.limits().stamp_time.then_some(self.wall_ms)
    }
}

/// What is answered where no room came free in time.
fn busy(destination: Option<Destination>) -> Refusal {
    let message = "The engine cannot take more at the moment; nothing was done. Try again later (store.queue and \
        store.queue_bytes say how much may wait, server.publish_wait for how long).";
    match destination {
        Some(Destination::Engine) => Refusal::new(Code::Busy, message),
        Some(Destination::Service) | None => Code::Busy.into(),
    }
}

fn respond<P: Respond>(out: &mut Outgoing<'_, P>, reply: Reply) {
    let mailbox = reply.to.mailbox;
    out.post.respond(reply);
    out.owe_wake(mailbox);
}

/// The outcome of a publication. `give_back` takes what could not be published yet.
fn served(published: Result<Answer, Stop>, give_back: impl FnOnce(Draft)) -> Served {
    match published {
        Ok(answer) => Served::Answer(answer),
        Err(Stop::Refused(refusal)) => refused(refusal),
        Err(Stop::Blocked(draft)) => {
            give_back(*draft);
            Served::Blocked
        }
    }
}

fn refused(refusal: Refusal) -> Served {
    Served::Answer(Answer::Refused(refusal))
}
