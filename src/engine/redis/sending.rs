//! What is sent to Redis: orders as calls of scripts, feeds that are opened, and positions that are asked for.

use super::link::LinkFault;
use super::links::Links;
use super::message;
use super::opening::OpenFault;
use super::orders::{Asked, Waiting, unavailable};
use super::publishing::{BATCH_MAX, Item};
use super::scripts::write_run;
use super::{Away, Redis, Settings, copies};
use crate::engine::rules::Kept;
use crate::engine::{ATTACH_BYTES, ATTACH_COUNT, Event, Now, Publish, What};
use crate::hub::OlderWanted;
use crate::model::name::ChannelName;
use crate::model::publication::Epoch;
use crate::wire::resp::{write_command, write_head, write_part};
use std::time::Instant;

/// The longest that Redis is asked to keep something, in seconds.
const KEEP_MAX_S: u64 = 10 * 366 * 24 * 60 * 60;

impl Redis {
    /// Takes links that were opened, or asks for some.
    pub(super) fn take_links(&mut self, now: Now, events: &mut Vec<Event>) {
        let Err(away) = &mut self.links else { return };
        if away.is_due(now.instant) {
            self.opener.ask();
        }
        let Some(opened) = self.opener.answer() else { return };
        let lasted = away.lasts(now.instant);
        let fault = match opened {
            Ok(opened) => {
                self.clock.set(opened.ahead_ms);
                match Links::begin(*opened, self.poll.registry(), now.instant) {
                    Ok(mut links) => {
                        let own = self.keys.answers(&self.settings.node);
                        let feeds = [b"SUBSCRIBE", &self.keys.control_feed()[..], &self.keys.questions(), &own];
                        write_command(links.feed.output(), &feeds);
                        self.node.control.begin(self.clock.at(now.wall_ms));
                        self.roster.begin(now.instant);
                        self.since_ms = now.wall_ms;
                        log::info!(event = "engine_up", away_ms = lasted.as_millis() as u64; "{} is there; {} channels are attached to it", links.about, self.feeds.len());
                        self.links = Ok(links);
                        return;
                    }
                    Err(error) => OpenFault::Link(error.into()),
                }
            }
            Err(fault) => fault,
        };
        // The first, and then each time that the waits have doubled: often enough to be seen, and no flood.
        if away.attempts().is_power_of_two() || away.attempts() == 0 {
            log::warn!(event = "engine_away", attempts = away.attempts() + 1; "Redis cannot be reached: {fault}; it is tried again, and publishing is refused until it is there");
        }
        away.has_failed(now.instant);
        let hopeless = !away.has_hope(now.instant);
        if hopeless {
            self.orders.give_up(events);
        }
    }

    /// The links are of no use any more.
    pub(super) fn break_links(&mut self, fault: &LinkFault, now: Now, events: &mut Vec<Event>) {
        if let Ok(links) = &self.links {
            log::warn!(event = "engine_lost"; "the connection to {} is lost: {fault}; what is in progress is asked for again", links.about);
        }
        self.figures.redis_lost.add(1);
        self.links = Err(Away::from(now.instant));
        self.since_ms = now.wall_ms;
        for operation in self.orders.lost() {
            self.node.control.again(operation);
        }
        self.copies.lost(events);
        self.feeds.lost(events);
        self.say(Vec::new());
    }

    /// Gives up what has waited for too long.
    pub(super) fn expire(&mut self, now: Instant, events: &mut Vec<Event>) {
        self.orders.expire(now, events);
        self.copies.expire(now, events);
        self.feeds.expire(now, &unavailable(), events);
    }

    /// One exchange with Redis.
    pub(super) fn exchange(&mut self, now: Now, events: &mut Vec<Event>) -> Result<(), LinkFault> {
        // The feed first: what an answer follows is known then.
        self.hear_feed(now, events)?;
        self.hear_orders(now, events)?;
        let Ok(links) = &mut self.links else { return Ok(()) };
        if links.keep_alive(now.instant)? {
            write_command(links.orders.output(), &[b"TIME"]);
            self.orders.sent(Asked::Time(now));
            let generation = links.generation_number.to_string();
            let Links { orders, scripts, run, .. } = links;
            let arguments = [run.as_bytes(), generation.as_bytes()];
            write_run(orders.output(), &scripts.keep, &[&self.keys.generation()], &arguments);
            self.orders.sent(Asked::Generation);
            self.node.control.is_due = true;
        }
        self.subscribe();
        self.speak(now);
        self.send(now);
        match &mut self.links {
            Ok(links) => links.flush(),
            Err(_) => Ok(()),
        }
    }

    fn subscribe(&mut self) {
        let Ok(links) = &mut self.links else { return };
        loop {
            let batch = self.feeds.next_to_subscribe();
            if batch.is_empty() {
                return;
            }
            let out = links.feed.output();
            write_head(out, 1 + batch.len());
            write_part(out, b"SUBSCRIBE");
            for channel in batch {
                write_part(out, self.keys.channel(&channel).feed());
            }
        }
    }

    /// Sends as much as may be in flight, and asks how many replicas have what was changed, if that is to be known.
    fn send(&mut self, now: Now) {
        if self.send_orders(now)
            && let Some(wanted) = self.copies.wanted()
            && let Ok(links) = &mut self.links
        {
            let arguments = [wanted.to_string(), copies::WAIT.as_millis().to_string()];
            write_command(links.orders.output(), &[b"WAIT", arguments[0].as_bytes(), arguments[1].as_bytes()]);
            self.orders.sent(Asked::Copies);
        }
    }

    /// Sends orders of clients, then positions that are asked for. Whether any changes something.
    fn send_orders(&mut self, now: Now) -> bool {
        let mut changes = false;
        while self.links.as_ref().is_ok_and(Links::takes_orders) && self.orders.may_ask() {
            if self.send_publications(now) {
                changes = true;
                continue;
            }
            if let Some(waiting) = self.orders.next() {
                changes |= matches!(waiting.order.what, What::Clear);
                self.write(&waiting);
                self.orders.sent(Asked::Order(waiting));
            } else if let Some((channel, is_wanted, reading)) = self.feeds.next_to_read() {
                self.write_attach(&channel, is_wanted);
                self.orders.sent(Asked::Position(channel, reading));
            } else {
                break;
            }
        }
        changes
    }

    fn write(&mut self, waiting: &Waiting) {
        let channel = &waiting.order.channel;
        match &waiting.order.what {
            What::Read(wanted) => self.write_read(channel, wanted),
            What::Clear => {
                let Ok(links) = &mut self.links else { return };
                let keys = self.keys.channel(channel);
                let Links { orders, scripts, generation, .. } = links;
                let arguments = [keys.feed(), generation.as_bytes()];
                write_run(
                    orders.output(),
                    &scripts.clear,
                    &[&keys.meta().concat(), &keys.history().concat()],
                    &arguments,
                );
            }
            // Sent together with others, and of the feeds.
            What::Publish(_) | What::Attach => {}
        }
    }

    /// Sends as many of the publications that are next as one call takes; whether there were any.
    fn send_publications(&mut self, now: Now) -> bool {
        let mut batch = Vec::new();
        while batch.len() < BATCH_MAX
            && !self.call.is_large()
            && let Some(mut waiting) = self.orders.next_publication()
        {
            let generation = self.links.as_ref().map_or(0, |links| links.generation_number);
            let is_lost = *waiting.sent_in.get_or_insert(generation) != generation;
            if let What::Publish(publish) = &waiting.order.what {
                self.add(&waiting, publish, is_lost, now);
            }
            batch.push(waiting);
        }
        let Ok(links) = &mut self.links else { return false };
        if batch.is_empty() {
            return false;
        }
        let Links { orders, scripts, generation, .. } = links;
        self.call.write(orders.output(), &scripts.publish, generation);
        self.orders.sent(Asked::Several(batch.len()));
        batch.into_iter().for_each(|waiting| self.orders.sent(Asked::Order(waiting)));
        true
    }

    /// Whether what showed that it was published `is_lost`, if it was.
    fn add(&mut self, waiting: &Waiting, publish: &Publish, is_lost: bool, now: Now) {
        let Publish { draft, key, exclude, exclude_elsewhere, if_match } = publish;
        let channel = &waiting.order.channel;
        let kept = self.rules.load().of(channel);
        let ticket = waiting.ticket.text();
        let own = exclude.map(|connection| self.hub.names().name(connection));
        let exclude = own.as_deref().or(exclude_elsewhere.as_deref());
        message::write_publication(self.call.body(), &ticket, waiting.at_ms, exclude, draft);
        let follows = if_match.as_ref().map(ToString::to_string);
        let left_ms = waiting.left(now.instant, self.settings.wait).as_millis() as u64;
        self.call.add(&Item {
            keys: &self.keys.channel(channel),
            kept,
            lasting: self.settings.lasting(kept),
            until_ms: self.clock.at(now.wall_ms) + left_ms,
            epoch: fresh_epoch().as_str(),
            key: key.as_ref().map(|(text, hash)| (&**text, *hash, self.settings.keys_last_ms)),
            again: waiting.again.then_some(&*ticket),
            is_lost,
            if_match: follows.as_deref().unwrap_or_default(),
        });
    }

    fn write_read(&mut self, channel: &ChannelName, wanted: &OlderWanted) {
        let Ok(links) = &mut self.links else { return };
        let keys = self.keys.channel(channel);
        let OlderWanted { after, up_to, count, bytes, newest } = wanted;
        let texts = [
            links.generation.clone(),
            after.epoch.as_str().to_owned(),
            after.offset.to_string(),
            up_to.to_string(),
            (*count).clamp(1, super::ELEMENTS_MAX - 2).to_string(),
            bytes.to_string(),
            if *newest { "1" } else { "" }.to_owned(),
        ];
        let arguments: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let Links { orders, scripts, .. } = links;
        write_run(orders.output(), &scripts.read, &[&keys.meta().concat(), &keys.history().concat()], &arguments);
    }

    fn write_attach(&mut self, channel: &ChannelName, is_wanted: bool) {
        let Ok(links) = &mut self.links else { return };
        let kept = self.rules.load().of(channel);
        let keys = self.keys.channel(channel);
        let count = if is_wanted { kept.count.min(ATTACH_COUNT) } else { 0 };
        let (_, position_s) = self.settings.lasting(kept);
        let texts = [
            fresh_epoch().as_str().to_owned(),
            links.generation.clone(),
            position_s.to_string(),
            count.to_string(),
            ATTACH_BYTES.to_string(),
        ];
        let arguments: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
        let Links { orders, scripts, .. } = links;
        write_run(orders.output(), &scripts.attach, &[&keys.meta().concat(), &keys.history().concat()], &arguments);
    }
}

impl Settings {
    /// How many seconds a history and a position are kept after their last change. A position outlives its history.
    fn lasting(&self, kept: Kept) -> (u64, u64) {
        let history_s = kept.age.as_millis().div_ceil(1000).clamp(1, u128::from(KEEP_MAX_S)) as u64;
        (history_s, self.positions_last_s.max(history_s).min(KEEP_MAX_S))
    }
}

/// The random part of a new channel's epoch.
fn fresh_epoch() -> Epoch {
    Epoch::from_random(rand::random())
}
