//! The engine "redis": positions and histories are in a Redis or Valkey that several nodes share, and every node receives on a
//! feed what any of them publishes.
//!
//! Two links: one takes orders, and answers them in their order; the other brings what is published to channels that are read
//! here. The pump polls both; what blocks, which is opening them, is done by another thread.

mod away;
mod clock;
mod control;
mod copies;
mod feeds;
mod held;
mod keys;
mod link;
mod links;
mod message;
mod node;
mod opening;
mod orders;
mod publishing;
mod replies;
mod roster;
mod scripts;
mod sending;
mod speaking;
mod stream;
mod surveys;

pub use node::Node;

use super::bell::{Bell, Heard, Sleeper};
use super::pump::Inbox;
use super::rules::Rules;
use super::{Engine, Event, Health, Now, Order, What};
use crate::config::Config;
use crate::handoff::errand::Errand;
use crate::hub::Hub;
use crate::metrics::engine::EngineFigures;
use crate::node::execute::wall_ms;
use crate::wire::json::JsonScratch;
use crate::wire::resp::RespLimits;
use arc_swap::ArcSwap;
use away::Away;
use clock::Clock;
use copies::Copies;
use feeds::{Feeds, Look};
use keys::Keys;
use links::Links;
use mio::{Events, Poll, Token, Waker};
use opening::{Asking, Opener};
use orders::{Orders, Tickets};
use publishing::Call;
use roster::Roster;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use surveys::ANSWER_BYTES_MAX;

/// What is around the data of a publication in a message.
const AROUND_BYTES: usize = 4 * 1024;
/// Elements of a reply: a page of publications and what is around them.
const ELEMENTS_MAX: usize = 4 * 1024;
const ORDERS: Token = Token(0);
const FEED: Token = Token(1);
const BELL: Token = Token(2);
/// How often channels are looked at, and how many at a time: each about every ten seconds.
const LOOK_EVERY: Duration = Duration::from_millis(100);
const LOOKS_MIN: usize = 20;
/// How long a turn may be away while something waits for a time to pass, and while nothing does.
const TICK: Duration = Duration::from_millis(20);
const IDLE_TICK: Duration = Duration::from_millis(250);

/// See the module.
pub struct Redis {
    poll: Poll,
    ready: Events,
    sleeper: Arc<Sleeper>,
    opener: Opener,
    links: Result<Links, Away>,
    orders: Orders,
    copies: Copies,
    feeds: Feeds,
    keys: Keys,
    clock: Clock,
    tickets: Tickets,
    rules: Arc<ArcSwap<Rules>>,
    hub: Arc<Hub>,
    figures: Arc<EngineFigures>,
    settings: Settings,
    scratch: JsonScratch,
    /// Publications that are about to be sent.
    call: Call,
    look_at: Instant,
    node: Node,
    roster: Roster,
    /// Since when Redis is there, or away, in milliseconds since 1970.
    since_ms: u64,
}

/// What holds for as long as this process runs.
struct Settings {
    /// How long an order may wait for its answer.
    wait: Duration,
    /// How long the positions of channels are kept, in seconds.
    positions_last_s: u64,
    /// How long an idempotency key is remembered, in milliseconds.
    keys_last_ms: u64,
    /// After so long without a link the server is not ready.
    ready_grace: Duration,
    /// The name of this node.
    node: String,
}

impl Redis {
    /// An engine that has no link yet, and asks for one.
    ///
    /// # Errors
    /// The configuration names no server, or the system has no thread or no poll.
    pub fn start(
        config: &Config,
        rules: Arc<ArcSwap<Rules>>,
        hub: Arc<Hub>,
        (bell, heard): (&Bell, &Heard),
        figures: Arc<EngineFigures>,
        own: Node,
    ) -> Result<Redis, io::Error> {
        let now = Instant::now();
        let poll = Poll::new()?;
        let sleeper = bell.sleep_by(Waker::new(poll.registry(), BELL)?, heard);
        let keys = Keys::new(&config.redis.prefix);
        let node: u32 = rand::random();
        let largest = config.websocket.message_bytes.max(config.http.body_bytes).max(ANSWER_BYTES_MAX);
        let asking = Asking {
            target: config.redis_target().map_err(io::Error::other)?,
            keys: keys.clone(),
            keeps_data: config.redis.keeps_data,
            limits: RespLimits { bytes: largest.saturating_add(AROUND_BYTES), elements: ELEMENTS_MAX },
            name: format!("tidings-{node:08x}"),
        };
        let opener = Opener::start(asking, bell.clone())?;
        opener.ask();
        let settings = Settings {
            wait: config.server.publish_wait,
            positions_last_s: config.history.position_ttl.as_secs().max(1),
            keys_last_ms: u64::try_from(config.history.idempotency_ttl.as_millis()).unwrap_or(u64::MAX).max(1),
            ready_grace: config.redis.ready_grace,
            node: format!("{node:08x}"),
        };
        let mut redis = Redis {
            poll,
            ready: Events::with_capacity(8),
            sleeper,
            opener,
            links: Err(Away::from_the_start(now)),
            orders: Orders::default(),
            copies: Copies::new(config.redis.replicas),
            feeds: Feeds::default(),
            keys,
            clock: Clock::default(),
            tickets: Tickets::of_node(node),
            rules,
            hub,
            figures,
            settings,
            scratch: JsonScratch::new(),
            call: Call::default(),
            look_at: now,
            node: own,
            roster: Roster::new(now),
            since_ms: wall_ms(SystemTime::now()),
        };
        // Until Redis was reached for the first time operators are to see which node this is, and since when it waits.
        redis.say(Vec::new());
        Ok(redis)
    }
}

impl Engine for Redis {
    fn submit(&mut self, order: Order, now: Now) {
        let until = (!order.is_patient).then(|| now.instant + self.settings.wait);
        if let Err(away) = &self.links
            && until.is_some()
            && !away.has_hope(now.instant)
        {
            return self.orders.refuse(order.id);
        }
        match (&order.what, until) {
            (What::Attach, Some(until)) => self.feeds.attach(order.id, &order.channel, until, now.instant),
            _ => self.orders.push(order, until, self.tickets.next(), now.wall_ms),
        }
    }

    fn has_room(&self) -> bool {
        self.orders.have_room()
    }

    fn wait(&mut self, inbox: &Inbox<'_>, due: Duration) -> Option<Errand> {
        let takes = self.orders.have_room();
        let is_awake = self.sleeper.lie_down(|| takes && !inbox.queue.receiver().is_empty());
        let due = if is_awake { Duration::ZERO } else { due };
        if let Err(error) = self.poll.poll(&mut self.ready, Some(due))
            && error.kind() != io::ErrorKind::Interrupted
        {
            log::error!(event = "engine_poll_failed"; "the engine cannot wait for Redis: {error}");
        }
        self.sleeper.get_up();
        inbox.heard.hear();
        if let Ok(links) = &mut self.links {
            for event in &self.ready {
                links.is_ready(event.token() == FEED, event.token() == ORDERS);
            }
        }
        if takes { inbox.queue.receiver().try_recv().ok() } else { None }
    }

    fn turn(&mut self, now: Now, events: &mut Vec<Event>) {
        self.take_links(now, events);
        if self.links.is_ok()
            && let Err(fault) = self.exchange(now, events)
        {
            self.break_links(&fault, now, events);
        }
        self.expire(now.instant, events);
        self.look(now.instant);
        self.note(now.instant);
    }

    fn due(&self, now: Instant) -> Duration {
        match &self.links {
            Ok(links) if links.may_read() || self.has_work() => Duration::ZERO,
            Ok(_) if self.feeds.wait_for_time() || self.orders.wait_for_time() || !self.copies.is_empty() => TICK,
            Ok(_) => IDLE_TICK,
            Err(away) => away.due(now).min(IDLE_TICK),
        }
    }

    fn is_busy(&self) -> bool {
        self.orders.wait_for_time() || self.feeds.wait_for_time() || !self.copies.is_empty()
    }

    fn health(&self) -> Health {
        if self.links.is_ok() { Health::Up } else { Health::Away }
    }

    fn is_ready(&self, now: Instant) -> bool {
        match &self.links {
            Ok(_) => true,
            Err(away) => away.is_ready(now, self.settings.ready_grace),
        }
    }

    fn close(self: Box<Self>, _: Now) {
        // What was answered is with Redis; what was not is known to be unanswered.
        drop(self);
    }
}

impl Redis {
    /// Whether something could be sent at once.
    fn has_work(&self) -> bool {
        self.links.as_ref().is_ok_and(|links| links.takes_orders()) && self.orders.may_send()
    }

    /// Looks at a part of the channels: whether they are still read here, and whether their positions are to be compared.
    fn look(&mut self, now: Instant) {
        if now < self.look_at {
            return;
        }
        self.look_at = now + LOOK_EVERY;
        let count = (self.feeds.len() / 100).max(LOOKS_MIN).min(self.feeds.len());
        for _ in 0..count {
            let hub = &self.hub;
            if let Look::Close(channel) = self.feeds.look(|name| hub.position_of(name).is_some(), now)
                && let Ok(links) = &mut self.links
            {
                links.unsubscribe(self.keys.channel(&channel).feed());
            }
        }
    }

    fn note(&self, now: Instant) {
        let figures = &self.figures;
        figures.redis_feeds.set(self.feeds.len() as u64);
        figures.redis_in_flight.set(self.orders.in_flight() as u64);
        // While Redis is away it grows on: who watches it sees the same as where something stands still.
        let age = match &self.links {
            Ok(links) => links.feed_age(now),
            Err(away) => away.lasts(now),
        };
        figures.redis_feed_age_ms.set(age.as_millis() as u64);
    }
}
