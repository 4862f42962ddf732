//! What is appended in one write: publications that were given their places, and histories that are emptied.

use super::epochs::Epochs;
use super::keys::Known;
use super::{Disk, full, unavailable};
use crate::config::Durability;
use crate::engine::packed;
use crate::engine::rules::Kept;
use crate::engine::{Entry, Event, Health, Now, OrderId, Publish};
use crate::hub::publication::Draft;
use crate::model::code::Code;
use crate::model::ids::ConnId;
use crate::model::name::ChannelName;
use crate::model::publication::{OFFSET_END, Position};
use crate::model::refusal::Refusal;
use crate::store::{ChannelNo, Key, Record, StoreError};
use hashbrown::HashMap;
use std::ops::Range;

/// Bytes of bodies, and steps, for which a batch keeps its memory.
const KEPT_BYTES: usize = 256 * 1024;
const KEPT_STEPS: usize = 4096;

/// See the module.
#[derive(Debug, Default)]
pub(super) struct Batch {
    /// The bodies of all of them, one after the other.
    bodies: Vec<u8>,
    steps: Vec<Step>,
    /// The last offset of each channel that it has something of; by a quick hash, since no client chooses a number.
    last: HashMap<ChannelNo, u64>,
}

/// Something that happens in a channel.
#[derive(Debug)]
struct Step {
    id: OrderId,
    channel: ChannelName,
    number: ChannelNo,
    /// The publication's, or the channel's.
    place: Position,
    durability: Durability,
    what: Change,
}

#[derive(Debug)]
enum Change {
    Publication {
        draft: Draft,
        exclude: Option<ConnId>,
        body: Range<usize>,
        key: Option<(Box<str>, Known)>,
        /// Whether its channel keeps anything.
        is_kept: bool,
    },
    /// The same publication before, perhaps in this batch.
    Same,
    Cleared,
}

/// An order for a channel, without what is to be done.
pub(super) struct Asked {
    pub(super) id: OrderId,
    pub(super) channel: ChannelName,
    pub(super) durability: Durability,
}

impl Batch {
    /// Bytes of bodies.
    pub(super) fn bytes(&self) -> usize {
        self.bodies.len()
    }

    /// Its memory is used again, unless that is much.
    fn empty(&mut self) {
        self.bodies.clear();
        self.bodies.shrink_to(KEPT_BYTES);
        self.steps.clear();
        self.steps.shrink_to(KEPT_STEPS);
        self.last.clear();
        self.last.shrink_to(KEPT_STEPS);
    }

    fn records(&self, at: u64) -> Vec<Record<'_>> {
        self.steps.iter().filter_map(|step| step.record(&self.bodies, at)).collect()
    }
}

impl Step {
    /// What stands in the log of it.
    fn record<'s>(&'s self, bodies: &'s [u8], at: u64) -> Option<Record<'s>> {
        let (channel, offset) = (self.number, self.place.offset);
        match &self.what {
            Change::Publication { body, key, is_kept: true, .. } => {
                let body = &bodies[body.clone()];
                let key = key.as_ref().map(|(text, known)| Key {
                    key: text.as_bytes(),
                    fingerprint: known.fingerprint,
                    expires: known.expires_ms,
                });
                Some(Record::Publication { channel, offset, at, body, key })
            }
            Change::Publication { is_kept: false, .. } => Some(Record::Skipped { channel, offset }),
            Change::Cleared => Some(Record::Cleared { channel }),
            Change::Same => None,
        }
    }
}

impl Disk {
    /// Gives a publication its place, if it was not published before.
    pub(super) fn place(
        &mut self,
        asked: Asked,
        publish: Publish,
        kept: Kept,
        batch: &mut Batch,
        now: Now,
    ) -> Result<(), (OrderId, Refusal)> {
        let Asked { id, channel, durability } = asked;
        if self.health == Health::Broken {
            return Err((id, unavailable()));
        }
        let (number, at) = self.whereabouts(&channel, durability, batch, now).map_err(|refusal| (id, refusal))?;
        let Publish { draft, key, exclude, if_match, .. } = publish;
        let key = match key {
            None => None,
            Some((text, fingerprint)) => match self.keys.find(number, &text, now.wall_ms) {
                Some(known) if known.fingerprint == fingerprint => {
                    let place = Position { offset: known.offset, ..at };
                    batch.steps.push(Step { id, channel, number, place, durability, what: Change::Same });
                    return Ok(());
                }
                Some(_) => return Err((id, Code::KeyReused.into())),
                None => Some((text, fingerprint)),
            },
        };
        if if_match.is_some_and(|wanted| wanted != at) {
            return Err((id, Refusal::moved(at)));
        }
        let place = Position { offset: at.offset + 1, ..at };
        let start = batch.bodies.len();
        packed::write(&draft, &mut batch.bodies);
        let body = start..batch.bodies.len();
        if body.len() > self.entry_bytes_max || place.offset >= OFFSET_END {
            batch.bodies.truncate(start);
            return Err((id, Code::PublicationTooLarge.into()));
        }
        let key = key.map(|(text, fingerprint)| {
            let expires_ms = now.wall_ms.saturating_add(self.keys_last_ms);
            let known = Known { fingerprint, offset: place.offset, expires_ms };
            // At once: the same may come again in this batch.
            self.keys.remember(number, &text, known);
            (text, known)
        });
        batch.last.insert(number, place.offset);
        let what = Change::Publication { draft, exclude, body, key, is_kept: kept.count > 0 };
        batch.steps.push(Step { id, channel, number, place, durability, what });
        Ok(())
    }

    /// Empties a history.
    pub(super) fn clear(&mut self, asked: Asked, batch: &mut Batch) -> Result<(), (OrderId, Refusal)> {
        let Asked { id, channel, durability } = asked;
        if self.health == Health::Broken {
            return Err((id, unavailable()));
        }
        let Some((number, place)) = self.find(&channel, durability, batch) else {
            // One that was read and never published to has no history, and is there.
            return match self.hub.position_of(&channel) {
                Some(at) => {
                    self.unlogged.push(Event::Cleared(id, channel, at));
                    Ok(())
                }
                None => Err((id, Code::UnknownChannel.into())),
            };
        };
        batch.steps.push(Step { id, channel, number, place, durability, what: Change::Cleared });
        Ok(())
    }

    /// A channel's number and position, with what of it is in the batch.
    pub(super) fn find(
        &self,
        channel: &ChannelName,
        durability: Durability,
        batch: &Batch,
    ) -> Option<(ChannelNo, Position)> {
        let (number, state) = self.store.find(channel)?;
        let epoch = self.epochs.shown(&state.epoch, durability)?;
        Some((number, Position { epoch, offset: batch.last.get(&number).copied().unwrap_or(state.last) }))
    }

    /// The same of a channel that is made if the log does not know it: where the hub knows it to be, or where it was read.
    fn whereabouts(
        &mut self,
        channel: &ChannelName,
        durability: Durability,
        batch: &Batch,
        now: Now,
    ) -> Result<(ChannelNo, Position), Refusal> {
        if let Some((number, at)) = self.find(channel, durability, batch) {
            return Ok((number, if at.offset == 0 { self.further(channel, at) } else { at }));
        }
        let known = self.hub.position_of(channel);
        let read = self.fresh.take(channel).map(|epoch| Position { epoch, offset: 0 });
        let at = known.or(read).unwrap_or_else(|| Position { epoch: self.epochs.fresh(), offset: 0 });
        let made = self.store.add_channel(channel, Epochs::kept(&at.epoch, durability), now.wall_ms);
        match made {
            Ok(number) => Ok((number, at)),
            Err(error) => Err(refusal_of(&error)),
        }
    }

    /// One that was made a moment ago and could not be appended to is at 0 in the log, wherever it is.
    fn further(&self, channel: &ChannelName, at: Position) -> Position {
        self.hub.position_of(channel).filter(|known| known.epoch == at.epoch).unwrap_or(at)
    }

    /// Appends a batch, which is empty then; what comes of it is known at once, or after the next sync.
    pub(super) fn append(&mut self, batch: &mut Batch, now: Now, events: &mut Vec<Event>) {
        events.append(&mut self.unlogged);
        if batch.steps.is_empty() {
            return;
        }
        let records = batch.records(now.wall_ms);
        if !records.is_empty() {
            let appended = self.store.append(&records, now.wall_ms);
            if let Err(error) = appended {
                return self.refuse(batch, &error, events);
            }
            self.figures.store_appends.add(1);
            self.figures.store_publications.add(records.len() as u64);
        }
        drop(records);
        for Step { id, channel, number, place, durability, what } in batch.steps.drain(..) {
            let last = match what {
                Change::Publication { draft, exclude, .. } => {
                    let entry = Entry { channel: ChannelName::clone(&channel), place, draft, exclude };
                    self.report(number, durability, place.offset, Event::Entry(Box::new(entry)), events);
                    Event::Placed(id, channel, place)
                }
                Change::Same => Event::Placed(id, channel, place),
                Change::Cleared => Event::Cleared(id, channel, place),
            };
            self.report(number, durability, place.offset + 1, last, events);
        }
        batch.empty();
    }

    /// Makes something of a channel known, or has it wait for the next sync, in order.
    fn report(
        &mut self,
        channel: ChannelNo,
        durability: Durability,
        first: u64,
        event: Event,
        events: &mut Vec<Event>,
    ) {
        if durability == Durability::Synced || self.waiting.holds(channel) {
            self.waiting.hold(channel, first, event);
        } else {
            events.push(event);
        }
    }

    /// Nothing of the batch was appended.
    fn refuse(&mut self, batch: &mut Batch, error: &StoreError, events: &mut Vec<Event>) {
        let mut refusal = refusal_of(error);
        if matches!(error, StoreError::Broken(_)) {
            // Part of it may be in the log.
            refusal = Code::OutcomeUnknown.into();
            self.break_down(error, events);
        }
        for step in batch.steps.drain(..) {
            match step.what {
                Change::Publication { key, .. } => {
                    if *error == StoreError::Full {
                        self.figures.store_full.add(1);
                    }
                    if let Some((text, _)) = key {
                        self.keys.take_back(step.number, &text);
                    }
                }
                // What it repeats is in the log.
                Change::Same if !batch.last.contains_key(&step.number) => {
                    events.push(Event::Placed(step.id, step.channel, step.place));
                    continue;
                }
                Change::Same | Change::Cleared => {}
            }
            events.push(Event::Refused(step.id, refusal.clone()));
        }
        batch.empty();
    }
}

fn refusal_of(error: &StoreError) -> Refusal {
    match error {
        StoreError::Full => full(),
        StoreError::ChannelsFull => Code::ChannelsFull.into(),
        StoreError::TooLarge => Code::PublicationTooLarge.into(),
        StoreError::Broken(_) => unavailable(),
        StoreError::ValuesFull | StoreError::OutOfOrder { .. } | StoreError::UnknownChannel(_) => {
            log::error!(event = "store_refused"; "the store did not take what the server appended: {error}");
            unavailable()
        }
    }
}
