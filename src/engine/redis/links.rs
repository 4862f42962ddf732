//! Both links to one server while they are open, and whether it still answers.

use super::link::{Link, LinkFault};
use super::opening::Opened;
use super::scripts::Scripts;
use super::{FEED, ORDERS};
use crate::model::publication::Epoch;
use crate::wire::resp::write_command;
use mio::unix::SourceFd;
use mio::{Interest, Registry};
use std::io;
use std::time::{Duration, Instant};

/// Bytes that may wait to be sent as orders.
const UNSENT_MAX: usize = 4 * 1024 * 1024;
/// How often each link is asked for a sign of life, and how long it may owe one.
const ASK_EVERY: Duration = Duration::from_secs(1);
const SILENCE_MAX: Duration = Duration::from_secs(3);

/// See the module.
pub(super) struct Links {
    pub(super) orders: Link,
    pub(super) feed: Link,
    pub(super) scripts: Scripts,
    /// As it stands in epochs, and as it stands in Redis.
    pub(super) generation: String,
    pub(super) generation_number: u32,
    pub(super) run: String,
    /// What the server says that it is.
    pub(super) about: String,
    /// Since when each owes an answer.
    orders_owe: Option<Instant>,
    feed_owes: Option<Instant>,
    feed_heard: Instant,
    ask_at: Instant,
}

impl Links {
    /// Begins to poll links that were opened.
    pub(super) fn begin(opened: Opened, registry: &Registry, now: Instant) -> io::Result<Links> {
        let Opened { orders, feed, generation: generation_number, run, scripts, about, .. } = opened;
        for (link, token) in [(&orders, ORDERS), (&feed, FEED)] {
            let descriptor = link.begin_polling()?;
            registry.register(&mut SourceFd(&descriptor), token, Interest::READABLE | Interest::WRITABLE)?;
        }
        let epoch = Epoch::of_generation(0, generation_number);
        Ok(Links {
            orders,
            feed,
            scripts,
            generation: epoch.generation_digits().unwrap_or_default().to_owned(),
            generation_number,
            run,
            about,
            orders_owe: None,
            feed_owes: None,
            feed_heard: now,
            ask_at: now,
        })
    }

    /// The poll has something to say of them.
    pub(super) fn is_ready(&mut self, feed: bool, orders: bool) {
        self.feed.may_read |= feed;
        self.orders.may_read |= orders;
    }

    /// Whether there may be more to read.
    pub(super) fn may_read(&self) -> bool {
        self.feed.may_read || self.orders.may_read
    }

    /// Whether there is room for orders.
    pub(super) fn takes_orders(&self) -> bool {
        self.orders.unsent() < UNSENT_MAX
    }

    /// Has the server close a feed.
    pub(super) fn unsubscribe(&mut self, feed: &[u8]) {
        write_command(self.feed.output(), &[b"UNSUBSCRIBE", feed]);
    }

    /// Something came by them.
    pub(super) fn heard(&mut self, orders: bool, feed: bool, now: Instant) {
        if orders {
            self.orders_owe = None;
        }
        if feed {
            (self.feed_owes, self.feed_heard) = (None, now);
        }
    }

    /// How long ago anything came on the feed.
    pub(super) fn feed_age(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.feed_heard)
    }

    /// Asks for a sign of life now and then. Whether the orders' link is to be asked for the time and the generation.
    ///
    /// # Errors
    /// One of them has owed an answer for too long.
    pub(super) fn keep_alive(&mut self, now: Instant) -> Result<bool, LinkFault> {
        let owed = [self.orders_owe, self.feed_owes];
        if owed.iter().flatten().any(|since| now.saturating_duration_since(*since) >= SILENCE_MAX) {
            return Err(LinkFault::Silent(SILENCE_MAX.as_secs()));
        }
        if now < self.ask_at {
            return Ok(false);
        }
        self.ask_at = now + ASK_EVERY;
        if self.feed_owes.is_none() {
            write_command(self.feed.output(), &[b"PING"]);
        }
        self.feed_owes.get_or_insert(now);
        self.orders_owe.get_or_insert(now);
        Ok(true)
    }

    /// Sends what the sockets take.
    pub(super) fn flush(&mut self) -> Result<(), LinkFault> {
        self.orders.flush()?;
        self.feed.flush()
    }
}
