//! Orders on their way: those that wait to be sent, and those that Redis works on, in the order in which it answers.

use super::message::TICKET_CHARS;
use crate::engine::{Event, Now, Order, OrderId, What};
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::operation::Operation;
use crate::model::refusal::Refusal;
use data_encoding::BASE64URL_NOPAD;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// Orders that wait here at most: more wait in the pump's queue, which is bounded by a setting.
const WAITING_MAX: usize = 1024;
/// Orders that Redis may work on: enough for a turn of its own and the way there and back.
const IN_FLIGHT_MAX: usize = 1024;
/// How much longer than it may wait an order that was sent is given: Redis refuses what is too late by its own clock.
const GRACE: Duration = Duration::from_millis(250);
/// After which time something may be tried again that Redis could not be asked for.
const AWAY_RETRY: Duration = Duration::from_secs(1);

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Orders {
    waiting: VecDeque<Waiting>,
    in_flight: VecDeque<Asked>,
    /// Those that were refused at once.
    refused: Vec<OrderId>,
}

/// An order, and what a publication of it is known by.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) order: Order,
    /// When it is given up; never for what no client waits for.
    until: Option<Instant>,
    pub(super) ticket: Ticket,
    /// When it came, in milliseconds since 1970.
    pub(super) at_ms: u64,
    /// Whether it was sent before, and may have been carried out.
    pub(super) again: bool,
    /// The generation in which it was sent first: what shows in another one that it was not carried out may be gone as well.
    pub(super) sent_in: Option<u32>,
}

/// What an answer will be of.
#[derive(Debug)]
pub(super) enum Asked {
    /// Publications that one script was asked for: of the next so many one each, in one answer.
    Several(usize),
    /// An order.
    Order(Box<Waiting>),
    /// Where a channel is, and which read of it this is.
    Position(ChannelName, u64),
    /// The time; when it was asked for.
    Time(Now),
    /// Which generation the data is of.
    Generation,
    /// How many replicas have all that was sent before.
    Copies,
    /// Whether an operator's wish was written for the other nodes.
    Told(Operation),
    /// What they were asked.
    Control,
    /// Which nodes there are.
    Roster,
    /// Nobody waits for it any more.
    Nothing,
}

/// By which a publication is found again in a history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ticket {
    node: u32,
    serial: u64,
}

/// Where tickets come from.
#[derive(Debug)]
pub(super) struct Tickets(Ticket);

/// A ticket as it stands in a message: 16 characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TicketText([u8; TICKET_CHARS]);

impl std::ops::Deref for TicketText {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.0).expect("base64 is ASCII")
    }
}

impl Tickets {
    pub(super) fn of_node(node: u32) -> Tickets {
        Tickets(Ticket { node, serial: 0 })
    }

    pub(super) fn next(&mut self) -> Ticket {
        self.0.serial += 1;
        self.0
    }
}

impl Ticket {
    /// As it stands in a message.
    pub(super) fn text(self) -> TicketText {
        let mut bytes = [0; 12];
        bytes[..4].copy_from_slice(&self.node.to_be_bytes());
        bytes[4..].copy_from_slice(&self.serial.to_be_bytes());
        let mut text = [0; TICKET_CHARS];
        BASE64URL_NOPAD.encode_mut(&bytes, &mut text);
        TicketText(text)
    }
}

impl Orders {
    /// Whether one more may come.
    pub(super) fn have_room(&self) -> bool {
        self.waiting.len() < WAITING_MAX
    }

    /// How many Redis works on.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.len()
    }

    /// Whether one that waits may be sent.
    pub(super) fn may_send(&self) -> bool {
        !self.waiting.is_empty() && self.may_ask()
    }

    /// Whether Redis may be asked for something more.
    pub(super) fn may_ask(&self) -> bool {
        self.in_flight.len() < IN_FLIGHT_MAX
    }

    /// Whether any may be given up.
    pub(super) fn wait_for_time(&self) -> bool {
        !self.waiting.is_empty()
            || !self.refused.is_empty()
            || self.in_flight.iter().any(|asked| matches!(asked, Asked::Order(_)))
    }

    /// One comes.
    pub(super) fn push(&mut self, order: Order, until: Option<Instant>, ticket: Ticket, at_ms: u64) {
        self.waiting.push_back(Waiting { order, until, ticket, at_ms, again: false, sent_in: None });
    }

    /// One is refused, since Redis has been away for too long.
    pub(super) fn refuse(&mut self, id: OrderId) {
        self.refused.push(id);
    }

    /// The next that is to be sent.
    pub(super) fn next(&mut self) -> Option<Box<Waiting>> {
        self.waiting.pop_front().map(Box::new)
    }

    /// The next that is to be sent, if it is a publication.
    pub(super) fn next_publication(&mut self) -> Option<Box<Waiting>> {
        self.waiting.pop_front_if(|waiting| matches!(waiting.order.what, What::Publish(_))).map(Box::new)
    }

    /// Something was sent.
    pub(super) fn sent(&mut self, asked: Asked) {
        self.in_flight.push_back(asked);
    }

    /// What the answer that has come is of.
    pub(super) fn answered(&mut self) -> Option<Asked> {
        self.in_flight.pop_front()
    }

    /// It was no answer: the link is to be broken.
    pub(super) fn not_answered(&mut self, asked: Asked) {
        self.in_flight.push_front(asked);
    }

    /// The links are gone: what was sent is sent again, in its order and before everything else.
    /// What is to be written for other nodes comes back.
    pub(super) fn lost(&mut self) -> Vec<Operation> {
        let mut told = Vec::new();
        for asked in self.in_flight.drain(..).rev() {
            match asked {
                Asked::Order(mut waiting) => {
                    waiting.again = true;
                    self.waiting.push_front(*waiting);
                }
                Asked::Told(operation) => told.push(operation),
                _ => {}
            }
        }
        told
    }

    /// Gives up those whose time is over.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<Event>) {
        events.extend(self.refused.drain(..).map(|id| Event::Refused(id, unavailable())));
        if self.waiting.iter().any(|waiting| waiting.is_over(now, Duration::ZERO)) {
            self.waiting.retain(|waiting| {
                let is_over = waiting.is_over(now, if waiting.again { GRACE } else { Duration::ZERO });
                if is_over {
                    events.push(waiting.given_up());
                }
                !is_over
            });
        }
        for asked in &mut self.in_flight {
            match asked {
                Asked::Order(waiting) if waiting.is_over(now, GRACE) => {
                    waiting.again = true;
                    events.push(waiting.given_up());
                    *asked = Asked::Nothing;
                }
                // Those after it came later.
                Asked::Order(waiting) if waiting.until.is_some() => break,
                _ => {}
            }
        }
    }

    /// Refuses all that could be refused: none may hope to be sent in time.
    pub(super) fn give_up(&mut self, events: &mut Vec<Event>) {
        self.waiting.retain(|waiting| {
            let stays = waiting.until.is_none() || waiting.again;
            if !stays {
                events.push(waiting.given_up());
            }
            stays
        });
    }
}

impl Waiting {
    /// When its answer comes too late.
    pub(super) fn ends(&self) -> Option<Instant> {
        self.until.map(|until| until + GRACE)
    }

    fn is_over(&self, now: Instant, grace: Duration) -> bool {
        self.until.is_some_and(|until| until + grace <= now)
    }

    fn given_up(&self) -> Event {
        Event::Refused(self.order.id, self.refused(unavailable()))
    }

    /// What its client hears: of what was sent before nobody knows whether it has happened.
    pub(super) fn refused(&self, refusal: Refusal) -> Refusal {
        let changes = matches!(self.order.what, What::Publish(_) | What::Clear);
        if self.again && changes { Code::OutcomeUnknown.into() } else { refusal }
    }

    /// How long it may still wait; for what no client waits for, as long as another may in all.
    pub(super) fn left(&self, now: Instant, wait: Duration) -> Duration {
        self.until.map_or(wait, |until| until.saturating_duration_since(now))
    }

    pub(super) fn id(&self) -> OrderId {
        self.order.id
    }
}

/// What a client is told while Redis cannot be asked: nothing was done.
pub(super) fn unavailable() -> Refusal {
    Refusal::from(Code::EngineUnavailable).until(AWAY_RETRY)
}

#[cfg(test)]
pub(super) mod tests {
    use super::{Asked, Orders, Tickets};
    use crate::engine::{Event, Order, OrderId, Publish, What};
    use crate::hub::OlderWanted;
    use crate::hub::publication::Draft;
    use crate::model::publication::{Data, Epoch, Position};
    use std::time::{Duration, Instant};

    fn order(serial: u64, what: What) -> Order {
        let channel = "a".try_into().expect("a name");
        Order { id: OrderId { serial, place: 0 }, channel, is_patient: false, what }
    }

    /// The orders that were refused, and how.
    pub(in crate::engine::redis) fn refused(events: &mut Vec<Event>) -> Vec<(u64, &'static str)> {
        let label = |event| match event {
            Event::Refused(id, refusal) => (id.serial, refusal.label()),
            other => panic!("{other:?}"),
        };
        events.drain(..).map(label).collect()
    }

    #[test]
    fn what_was_sent_is_sent_again_first_and_nobody_knows_what_became_of_it() {
        let (mut orders, mut tickets, now, mut events) =
            (Orders::default(), Tickets::of_node(7), Instant::now(), Vec::new());
        let until = now + Duration::from_secs(1);
        for serial in 1..=3 {
            orders.push(order(serial, What::Clear), Some(until), tickets.next(), 0);
        }
        let after = Position { epoch: Epoch::from_random(1), offset: 0 };
        let wanted = OlderWanted { after, up_to: 1, count: 1, bytes: 1, newest: false };
        orders.push(order(4, What::Read(wanted)), None, tickets.next(), 0);
        for _ in 0..2 {
            let next = orders.next().expect("it waits");
            orders.sent(Asked::Order(next));
        }
        orders.sent(Asked::Generation);
        assert!(orders.lost().is_empty());
        let again: Vec<_> = orders.waiting.iter().map(|waiting| (waiting.id().serial, waiting.again)).collect();
        assert_eq!(again, [(1, true), (2, true), (3, false), (4, false)]);
        orders.give_up(&mut events);
        assert_eq!(refused(&mut events), [(3, "engine_unavailable")]);
        orders.expire(until, &mut events);
        assert_eq!(refused(&mut events), [], "they may still be answered");
        orders.expire(until + Duration::from_millis(250), &mut events);
        assert_eq!(refused(&mut events), [(1, "outcome_unknown"), (2, "outcome_unknown")]);
        assert_eq!(orders.waiting.len(), 1, "what nobody waits for stays");
    }

    #[test]
    fn what_is_sent_and_not_answered_is_given_up_in_its_time() {
        let (mut orders, mut tickets, now, mut events) =
            (Orders::default(), Tickets::of_node(7), Instant::now(), Vec::new());
        for serial in 1..=2 {
            let until = now + Duration::from_secs(serial);
            orders.push(order(serial, What::Clear), Some(until), tickets.next(), 0);
            let next = orders.next().expect("it waits");
            orders.sent(Asked::Order(next));
        }
        orders.expire(now + Duration::from_millis(1_250), &mut events);
        assert_eq!(refused(&mut events), [(1, "outcome_unknown")]);
        assert!(matches!(orders.answered(), Some(Asked::Nothing)));
        assert!(matches!(orders.answered(), Some(Asked::Order(waiting)) if waiting.id().serial == 2));
    }

    #[test]
    fn publications_go_together_up_to_what_is_none() {
        let (mut orders, mut tickets, now) = (Orders::default(), Tickets::of_node(7), Instant::now());
        let draft = Draft { data: Data::Json(b"1".as_slice().into()), event: None, time: None };
        let publish = || {
            What::Publish(Box::new(Publish {
                draft: draft.clone(),
                key: None,
                exclude: None,
                exclude_elsewhere: None,
                if_match: None,
            }))
        };
        for (serial, what) in (1..).zip([publish(), publish(), What::Clear, publish()]) {
            orders.push(order(serial, what), Some(now), tickets.next(), 0);
        }
        let batch: Vec<_> = std::iter::from_fn(|| orders.next_publication()).collect();
        assert_eq!(batch.iter().map(|waiting| waiting.id().serial).collect::<Vec<_>>(), [1, 2]);
        orders.sent(Asked::Several(batch.len()));
        batch.into_iter().for_each(|waiting| orders.sent(Asked::Order(waiting)));
        // The first was answered, and the link is gone then.
        assert!(matches!(orders.answered(), Some(Asked::Several(2))));
        assert!(matches!(orders.answered(), Some(Asked::Order(waiting)) if waiting.id().serial == 1));
        assert!(orders.lost().is_empty());
        let again: Vec<_> = orders.waiting.iter().map(|waiting| (waiting.id().serial, waiting.again)).collect();
        assert_eq!(again, [(2, true), (3, false), (4, false)]);
    }

    #[test]
    fn tickets_are_sixteen_characters_and_never_the_same() {
        let mut tickets = Tickets::of_node(u32::MAX);
        let (one, two) = (tickets.next().text(), tickets.next().text());
        assert_eq!((one.len(), two.len()), (16, 16));
        assert_ne!(one, two);
    }
}
