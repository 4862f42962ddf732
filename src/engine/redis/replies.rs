//! What comes from Redis: answers to orders, and what is published. None of it is trusted to have the form that it should.

use super::clock::Clock;
use super::copies::Copies;
use super::held::Held;
use super::link::LinkFault;
use super::message::{self, Kind, Message};
use super::opening::{generation_of, is_for_now, time_of};
use super::orders::{Asked, Orders, Waiting, unavailable};
use super::{Node, Redis, feeds::Feeds, roster};
use crate::engine::{Entry, Event, Now, OrderId, What};
use crate::hub::publication::Draft;
use crate::hub::{Attach, Fetched, Older};
use crate::metrics::engine::EngineFigures;
use crate::model::cluster::ClusterNode;
use crate::model::code::Code;
use crate::model::labels::{check_content_type, check_event};
use crate::model::name::ChannelName;
use crate::model::publication::{Data, Epoch, Position};
use crate::model::refusal::Refusal;
use crate::node::execute::wall_ms;
use crate::wire::json::{JsonScratch, validate};
use crate::wire::resp::Reply;
use std::time::{Duration, Instant, SystemTime};

/// After which time a publication may be sent again that found Redis full.
const FULL_RETRY: Duration = Duration::from_secs(1);

impl Redis {
    /// Takes what has come on the feed.
    pub(super) fn hear_feed(&mut self, now: Now, events: &mut Vec<Event>) -> Result<(), LinkFault> {
        let Redis { links, feeds, keys, hub, scratch, figures, node, settings, .. } = self;
        let Ok(links) = links else { return Ok(()) };
        let came = links.feed.receive(|reply| {
            let Reply::List(parts) = reply else { return pong_or_fault(&reply) };
            match &parts[..] {
                [Reply::Bytes(b"message"), Reply::Bytes(feed), Reply::Bytes(payload)] => {
                    let Some(name) = keys.channel_of(feed) else {
                        // Of none: it is from another node.
                        if !node.hear(keys, &settings.node, feed, payload) {
                            figures.redis_unreadable.add(1);
                        }
                        return Ok(());
                    };
                    let read = message::read(payload).filter(|message| is_sound(message, scratch));
                    let Some((message, channel)) = read.zip(ChannelName::new(&name).ok()) else {
                        figures.redis_unreadable.add(1);
                        feeds.unreadable(&name);
                        return Ok(());
                    };
                    take(feeds, message, channel, payload.len(), hub.names(), events);
                }
                [Reply::Bytes(b"subscribe"), Reply::Bytes(feed), _] => {
                    if let Some(name) = keys.channel_of(feed) {
                        feeds.subscribed(&name);
                    }
                }
                // A feed was closed, or a sign of life.
                _ => {}
            }
            Ok(())
        })?;
        links.heard(false, came, now.instant);
        Ok(())
    }

    /// Takes what has come as answers.
    pub(super) fn hear_orders(&mut self, now: Now, events: &mut Vec<Event>) -> Result<(), LinkFault> {
        let Redis { links, feeds, orders, copies, clock, scratch, figures, node, settings, .. } = self;
        let Ok(links) = links else { return Ok(()) };
        let generation = links.generation_number;
        let taker = Taker { feeds, copies, scratch, now, events };
        let mut answers = Answers { taker, orders, clock, figures, node, own: &settings.node, generation, nodes: None };
        let came = links.orders.receive(|reply| match answers.next()? {
            Asked::Several(count) => answers.each(count, &reply),
            asked => answers.take(asked, &reply),
        })?;
        let nodes = answers.nodes;
        links.heard(came, false, now.instant);
        if let Some(nodes) = nodes {
            self.say(nodes);
        }
        Ok(())
    }
}

/// Takes each answer to what it is of.
struct Answers<'t> {
    taker: Taker<'t>,
    orders: &'t mut Orders,
    clock: &'t mut Clock,
    figures: &'t EngineFigures,
    node: &'t mut Node,
    /// The name of this node.
    own: &'t str,
    generation: u32,
    nodes: Option<Vec<ClusterNode>>,
}

impl Answers<'_> {
    /// What the next answer is of.
    fn next(&mut self) -> Result<Asked, LinkFault> {
        let asked = self.orders.answered();
        asked.ok_or_else(|| LinkFault::Refused("an answer came to nothing that was asked".to_owned()))
    }

    /// One answer to each of several publications, or a refusal of all.
    fn each(&mut self, count: usize, reply: &Reply<'_>) -> Result<(), LinkFault> {
        let parts = match reply {
            Reply::List(parts) if parts.len() == count => &parts[..],
            Reply::Error(_) => &[],
            _ => return Err(LinkFault::Refused("publications were answered with something else".to_owned())),
        };
        for number in 0..count {
            let asked = self.next()?;
            match parts.get(number).unwrap_or(reply) {
                Reply::Bytes([b'E', text @ ..]) => self.take(asked, &Reply::Error(text))?,
                one => self.take(asked, one)?,
            }
        }
        Ok(())
    }

    fn take(&mut self, asked: Asked, reply: &Reply<'_>) -> Result<(), LinkFault> {
        if let Reply::Error(text) = reply {
            let text = String::from_utf8_lossy(text);
            let cause = cause_of(&text);
            if is_for_now(cause) {
                // The whole server: what was asked has not happened, and is asked again.
                self.orders.not_answered(asked);
                return Err(LinkFault::Refused(cause.to_owned()));
            }
            self.figures.redis_errors.add(1);
            if matches!(asked, Asked::Control) {
                self.node.control.not_read();
            }
            self.taker.refused(asked, cause);
            return Ok(());
        }
        match asked {
            Asked::Order(waiting) => {
                let is_placed = matches!(reply, Reply::Bytes([b'P', ..]));
                if is_placed && matches!(waiting.order.what, What::Publish(_)) {
                    self.figures.redis_publications.add(1);
                }
                self.taker.answered(*waiting, reply);
            }
            Asked::Position(channel, reading) => self.taker.position(&channel, reading, reply),
            Asked::Time(asked) => {
                self.node.round_trip = self.taker.now.instant.saturating_duration_since(asked.instant);
                if let Some(its_ms) = time_of(reply) {
                    self.clock.compare(its_ms, asked.wall_ms, wall_ms(SystemTime::now()));
                }
            }
            Asked::Generation if generation_of(reply) != Some(self.generation) => {
                return Err(LinkFault::Refused("the data is of another generation".to_owned()));
            }
            Asked::Copies => match reply {
                Reply::Number(replicas) => self.taker.copied(usize::try_from(*replicas).unwrap_or(0)),
                _ => self.taker.copied(0),
            },
            Asked::Control => self.node.control.read(reply, self.own),
            Asked::Roster => self.nodes = Some(roster::all(reply)),
            Asked::Several(_) | Asked::Generation | Asked::Told(_) | Asked::Nothing => {}
        }
        Ok(())
    }
}

/// What is no list on the feed: a sign of life, or the end.
fn pong_or_fault(reply: &Reply<'_>) -> Result<(), LinkFault> {
    match reply {
        Reply::Error(text) => Err(LinkFault::Refused(String::from_utf8_lossy(text).into_owned())),
        _ => Ok(()),
    }
}

/// Takes a message of a channel.
fn take(
    feeds: &mut Feeds,
    message: Message<'_>,
    channel: ChannelName,
    bytes: usize,
    names: &crate::hub::names::Names,
    events: &mut Vec<Event>,
) {
    let place = message.place;
    let event = match message.what {
        Kind::Publication { exclude, draft, .. } => {
            // Of a name that another node gave nobody is known here.
            let exclude = exclude.and_then(|name| names.find(name).ok().flatten());
            Event::Entry(Box::new(Entry { channel, place, draft, exclude }))
        }
        Kind::Cleared => Event::Cleared(OrderId::NOBODY, channel, place),
    };
    feeds.message(event, place, bytes, events);
}

/// Takes answers.
struct Taker<'t> {
    feeds: &'t mut Feeds,
    copies: &'t mut Copies,
    scratch: &'t mut JsonScratch,
    now: Now,
    events: &'t mut Vec<Event>,
}

impl Taker<'_> {
    fn answered(&mut self, waiting: Waiting, reply: &Reply<'_>) {
        let (id, ends) = (waiting.id(), waiting.ends());
        let channel = waiting.order.channel;
        match waiting.order.what {
            What::Publish(publish) => {
                let fingerprint = publish.key.as_ref().map(|(_, hash)| *hash);
                match placed(reply, fingerprint) {
                    Ok(place) => self.carry_out(Held::Placed(id, channel, place), ends),
                    Err(refusal) => self.events.push(Event::Refused(id, refusal)),
                }
            }
            What::Read(wanted) => {
                let page = page(reply, self.scratch);
                let epoch = page.as_ref().and_then(|page| page.at).map_or(wanted.after.epoch, |at| at.epoch);
                let (publications, gone) =
                    page.map_or((Vec::new(), wanted.up_to), |page| (page.publications, page.gone));
                let gone = if epoch == wanted.after.epoch { gone } else { wanted.up_to };
                self.events.push(Event::Read(id, Fetched { epoch, publications, gone }));
            }
            What::Clear => match position(reply) {
                Some(place) => self.carry_out(Held::Cleared(id, channel, place), ends),
                None => self.events.push(Event::Refused(id, Code::UnknownChannel.into())),
            },
            What::Attach => {}
        }
    }

    fn carry_out(&mut self, held: Held, ends: Option<Instant>) {
        if let Some(held) = self.copies.hold(held, ends) {
            self.feeds.carried_out(held, self.now.instant, self.events);
        }
    }

    /// So many replicas have what was carried out before.
    fn copied(&mut self, replicas: usize) {
        for held in self.copies.counted(replicas, self.events) {
            self.feeds.carried_out(held, self.now.instant, self.events);
        }
    }

    fn position(&mut self, channel: &ChannelName, reading: u64, reply: &Reply<'_>) {
        match page(reply, self.scratch).and_then(|page| Some((page.at?, page))) {
            Some((at, page)) => {
                let attach = Attach { at, newest: page.publications, gone: page.gone };
                self.feeds.read((channel, reading), attach, page.fresh, self.now.instant, self.events);
            }
            None => self.feeds.not_read(channel, &unavailable(), self.events),
        }
    }

    /// An order was refused, and nothing of it has happened, unless it was sent before.
    fn refused(&mut self, asked: Asked, text: &str) {
        let refusal = refusal_of(text);
        match asked {
            Asked::Order(waiting) => self.events.push(Event::Refused(waiting.id(), waiting.refused(refusal))),
            Asked::Position(channel, _) => self.feeds.not_read(&channel, &refusal, self.events),
            // A server that knows no WAIT, or does not let this user ask: none is known to have it.
            Asked::Copies => self.copied(0),
            _ => {}
        }
    }
}

/// What is wrong, of an error that a script may have come by: before version 7 Redis puts where that was in front of it.
fn cause_of(text: &str) -> &str {
    let of_script = text.rsplit_once("@user_script: ").and_then(|(_, place)| place.split_once(": "));
    of_script.map_or(text, |(_, cause)| cause.trim_start_matches('-'))
}

fn refusal_of(text: &str) -> Refusal {
    if text.starts_with("OOM") {
        return Refusal::from(Code::StoreFull).until(FULL_RETRY);
    }
    log::error!(event = "engine_refused"; "Redis refused what it was asked: {}", &text[..text.floor_char_boundary(200)]);
    unavailable()
}

/// The place that a publication was given.
fn placed(reply: &Reply<'_>, fingerprint: Option<u128>) -> Result<Position, Refusal> {
    let unknown = || Refusal::from(Code::OutcomeUnknown);
    let Reply::Bytes(text) = reply else { return Err(unknown()) };
    let text = std::str::from_utf8(text).map_err(|_| unknown())?;
    match text.split_at_checked(1) {
        Some(("P", place)) => Position::parse(place).ok_or_else(unknown),
        Some(("K", record)) => {
            let (place, hash) = record.split_once(' ').ok_or_else(unknown)?;
            if fingerprint != u128::from_str_radix(hash, 16).ok() {
                return Err(Code::KeyReused.into());
            }
            Position::parse(place).ok_or_else(unknown)
        }
        Some(("M", place)) => Err(Position::parse(place).map_or_else(unknown, Refusal::moved)),
        // It came too late: nothing was published.
        Some(("L", "")) => Err(unavailable()),
        // Sent again, and what would show whether it was published the first time is gone ("U").
        _ => Err(unknown()),
    }
}

fn position(reply: &Reply<'_>) -> Option<Position> {
    match reply {
        Reply::Bytes(text) => Position::parse(std::str::from_utf8(text).ok()?),
        _ => None,
    }
}

/// A part of a history as it was read.
struct Page {
    /// Where the channel is; `None` when there is none.
    at: Option<Position>,
    gone: u64,
    publications: Vec<Older>,
    /// How many of them, from the newest back, are of the very epoch: the others are of a generation before.
    fresh: usize,
}

fn page(reply: &Reply<'_>, scratch: &mut JsonScratch) -> Option<Page> {
    let Reply::List(parts) = reply else { return None };
    let (head, rest) = parts.split_first()?;
    let (gone, entries) = rest.split_first()?;
    let Reply::Bytes(gone) = gone else { return None };
    let gone = std::str::from_utf8(gone).ok()?.parse().ok()?;
    let at = position(head);
    let (publications, fresh) = at.map_or_else(Default::default, |at| older(at.epoch, entries, scratch));
    Some(Page { at, gone, publications, fresh })
}

/// Publications of an epoch, as far as they are sound and follow each other up to the last; and how many of the last are of this
/// generation.
fn older(epoch: Epoch, entries: &[Reply<'_>], scratch: &mut JsonScratch) -> (Vec<Older>, usize) {
    let mut all: Vec<Older> = Vec::with_capacity(entries.len());
    let mut fresh = 0;
    for entry in entries {
        let Reply::Bytes(bytes) = entry else { continue };
        let read = message::read(bytes).filter(|message| is_sound(message, scratch));
        let Some(Message { place, what: Kind::Publication { at_ms, draft, .. } }) = read else {
            // What was before it does not reach what comes after.
            all.clear();
            fresh = 0;
            continue;
        };
        // Those of another generation are the same channel's.
        if place.epoch.random_part() != epoch.random_part()
            || all.last().is_some_and(|last| last.offset + 1 != place.offset)
        {
            all.clear();
            fresh = 0;
        }
        fresh = if place.epoch == epoch { fresh + 1 } else { 0 };
        all.push(Older { offset: place.offset, at_ms, draft });
    }
    (all, fresh)
}

/// Whether what came can be sent to clients: every text is what a publisher could have sent.
fn is_sound(message: &Message<'_>, scratch: &mut JsonScratch) -> bool {
    let Kind::Publication { draft, .. } = &message.what else { return true };
    let Draft { data, event, .. } = draft;
    let data_is_sound = match data {
        Data::Json(json) => validate(json, scratch),
        Data::Binary { content_type, .. } => check_content_type(content_type),
    };
    data_is_sound.and_then(|()| event.as_deref().map_or(Ok(()), check_event)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::{Data, Draft, Epoch, JsonScratch, Kind, Message, Position, cause_of, is_sound};

    fn is_taken(data: Data, event: Option<&str>) -> bool {
        let draft = Draft { data, event: event.map(Into::into), time: None };
        let place = Position { epoch: Epoch::of_generation(1, 1), offset: 1 };
        let what = Kind::Publication { at_ms: 0, exclude: None, draft };
        is_sound(&Message { place, what }, &mut JsonScratch::new())
    }

    /// A publication whose event has an empty name was taken from its publisher and delivered to nobody.
    #[test]
    fn what_a_publisher_may_send_comes_by_and_nothing_else() {
        let json = |text: &'static str| Data::Json(text.as_bytes().into());
        let binary =
            |content_type: &str| Data::Binary { bytes: b"x".as_slice().into(), content_type: content_type.into() };
        assert!(is_taken(json("{}"), None) && is_taken(json("1"), Some("tick")) && is_taken(json("1"), Some("")));
        assert!(is_taken(binary("a/b"), None));
        assert!(!is_taken(json("{"), None) && !is_taken(binary(""), None) && !is_taken(binary("a\nb"), None));
        // Readers would take them for the server's own.
        assert!(!is_taken(json("1"), Some("reset")) && !is_taken(json("1"), Some("a\ndata: b")));
    }

    #[test]
    fn what_is_wrong_is_found_in_errors_of_every_version() {
        let readonly = "READONLY You can't write against a read only replica.";
        let whole = "ERR Error running script (call to f_ab): @user_script:4: @user_script: 4: -";
        assert_eq!(cause_of(readonly), readonly);
        assert_eq!(cause_of(&format!("@user_script: 4: -{readonly}")), readonly);
        assert_eq!(cause_of(&format!("{whole}{readonly}")), readonly);
        assert_eq!(
            cause_of("user_script:4: attempt to index a nil value"),
            "user_script:4: attempt to index a nil value"
        );
    }
}
