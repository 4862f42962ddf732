//! The engine "disk": a log in a folder of this machine. The pump appends to it, one write for all that waits; another thread
//! syncs it, and a third reads pages that are older than what is in memory.

mod batch;
mod epochs;
mod fresh;
mod helpers;
mod keys;
mod opening;
mod reading;
mod waiting;

pub use opening::OpenFault;

use super::rules::{Kept, Rules};
use super::{Engine, Event, Health, Now, Order, What};
use crate::config::Durability;
use crate::hub::Hub;
use crate::metrics::engine::EngineFigures;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::store::{Keep, Step, Store, StoreError};
use arc_swap::ArcSwap;
use batch::{Asked, Batch};
use epochs::Epochs;
use fresh::Fresh;
use helpers::{Done, Helpers};
use keys::Keys;
use std::sync::Arc;
use std::time::{Duration, Instant};
use waiting::Waiting;

/// How often what was only written is synced.
const SYNC_EVERY: Duration = Duration::from_secs(1);
/// How often segments and channels are looked at, when there is nothing else to do.
const UPKEEP_EVERY: Duration = Duration::from_secs(1);
/// After which time a publication may be sent again that found the disk full.
const FULL_RETRY: Duration = Duration::from_secs(1);
/// After which time a publication may be sent again that found the store broken: a restart takes longer than a moment.
const BROKEN_RETRY: Duration = Duration::from_secs(10);

/// See the module.
pub struct Disk {
    store: Store,
    epochs: Epochs,
    keys: Keys,
    fresh: Fresh,
    rules: Arc<ArcSwap<Rules>>,
    /// It may know a channel that is in no record: where that is, it goes on.
    hub: Arc<Hub>,
    /// Nothing is answered before it is synced, whatever rules say: an unclean end of the machine loses nothing then.
    synced_only: bool,
    /// For how long an idempotency key is remembered, in milliseconds.
    keys_last_ms: u64,
    /// Bytes of an entry at most.
    entry_bytes_max: usize,
    /// Bytes of one write at most, unless one entry has more.
    batch_bytes_max: usize,
    orders: Vec<Order>,
    /// Empty between turns: kept for its memory.
    batch: Batch,
    /// What has happened and is in no record.
    unlogged: Vec<Event>,
    waiting: Waiting,
    helpers: Helpers,
    figures: Arc<EngineFigures>,
    health: Health,
    is_syncing: bool,
    sync_at: Instant,
    upkeep_at: Instant,
}

impl Engine for Disk {
    fn submit(&mut self, order: Order, _: Now) {
        self.orders.push(order);
    }

    fn turn(&mut self, now: Now, events: &mut Vec<Event>) {
        while let Some(done) = self.helpers.next_done() {
            match done {
                Done::Read(event) => events.push(event),
                Done::Synced(synced, took) => {
                    self.figures.store_syncs.add(1);
                    self.figures.store_sync_us.add(took.as_micros() as u64);
                    self.is_syncing = false;
                    match self.store.end_sync(synced) {
                        Ok(()) => self.waiting.release(events),
                        Err(error) => self.break_down(&error, events),
                    }
                }
            }
        }
        self.carry_out(now, events);
        self.sync(now, events);
        self.keep_up(now, events);
    }

    fn due(&self, now: Instant) -> Duration {
        if !self.orders.is_empty() {
            return Duration::ZERO;
        }
        self.upkeep_at.min(self.sync_at).saturating_duration_since(now)
    }

    fn is_busy(&self) -> bool {
        self.is_syncing || !self.orders.is_empty() || !self.waiting.is_empty() || self.helpers.is_reading()
    }

    fn health(&self) -> Health {
        self.health
    }

    fn close(self: Box<Self>, now: Now) {
        let Disk { store, helpers, .. } = *self;
        helpers.end();
        match store.close(now.wall_ms) {
            Ok(()) => log::info!(event = "store_closed"; "the store is closed: the next start goes on from here"),
            Err(error) => log::error!(event = "store_not_closed"; "the store could not be closed: {error}"),
        }
    }
}

impl Disk {
    /// Does what was submitted: what is appended in one write, or a few.
    fn carry_out(&mut self, now: Now, events: &mut Vec<Event>) {
        if self.orders.is_empty() {
            return;
        }
        let rules = self.rules.load_full();
        let (mut orders, mut batch) = (std::mem::take(&mut self.orders), std::mem::take(&mut self.batch));
        for Order { id, channel, what, .. } in orders.drain(..) {
            let kept = rules.of(&channel);
            let durability = self.durability(kept);
            if batch.bytes() >= self.batch_bytes_max {
                self.append(&mut batch, now, events);
            }
            let refused = match what {
                What::Publish(publish) => {
                    self.place(Asked { id, channel, durability }, *publish, kept, &mut batch, now)
                }
                What::Clear => self.clear(Asked { id, channel, durability }, &mut batch),
                What::Attach => {
                    self.attach(id, channel, kept, events);
                    Ok(())
                }
                What::Read(wanted) => {
                    self.read(id, channel, wanted, durability, events);
                    Ok(())
                }
            };
            if let Err((id, refusal)) = refused {
                events.push(Event::Refused(id, refusal));
            }
        }
        self.append(&mut batch, now, events);
        (self.orders, self.batch) = (orders, batch);
    }

    fn durability(&self, kept: Kept) -> Durability {
        if self.synced_only { Durability::Synced } else { kept.durability }
    }

    /// Begins to sync what waits for it, or what was written a while ago.
    fn sync(&mut self, now: Now, events: &mut Vec<Event>) {
        let is_due = now.instant >= self.sync_at;
        if is_due {
            self.sync_at = now.instant + SYNC_EVERY;
        }
        if self.is_syncing || self.health == Health::Broken || (self.waiting.is_empty() && !is_due) {
            return;
        }
        match self.store.begin_sync() {
            Some(syncing) => {
                self.waiting.begin_sync();
                self.is_syncing = self.helpers.sync(syncing);
                if !self.is_syncing {
                    self.break_down(&StoreError::Broken("the thread that syncs it has ended".to_owned()), events);
                }
            }
            // Everything is synced already.
            None => {
                self.waiting.begin_sync();
                self.waiting.release(events);
            }
        }
    }

    fn keep_up(&mut self, now: Now, events: &mut Vec<Event>) {
        if now.instant < self.upkeep_at {
            return;
        }
        if self.health == Health::Broken {
            self.upkeep_at = now.instant + UPKEEP_EVERY;
            return;
        }
        self.note();
        self.keys.expire(now.wall_ms);
        let rules = self.rules.load_full();
        let keep = |name: &str| {
            let kept = rules.of(name);
            Keep { count: kept.count as u64, bytes: kept.bytes as u64, age: kept.age.as_millis() as u64 }
        };
        let step = self.store.upkeep(now.wall_ms, &keep);
        self.upkeep_at = match step {
            Ok(Step::More) => now.instant,
            Ok(Step::Idle) => now.instant + UPKEEP_EVERY,
            Err(StoreError::Broken(why)) => {
                self.break_down(&StoreError::Broken(why), events);
                now.instant + UPKEEP_EVERY
            }
            // Tried again.
            Err(_) => now.instant + UPKEEP_EVERY,
        };
    }

    /// The store has failed for good: what waits for its sync may be kept or not, and everything later is refused.
    fn break_down(&mut self, error: &StoreError, events: &mut Vec<Event>) {
        if self.health == Health::Up {
            log::error!(event = "store_failed"; "{error}; publishing is refused until this server starts anew, and what is in memory is still read");
        }
        self.health = Health::Broken;
        self.waiting.fail(events);
    }

    fn note(&self) {
        let (stats, figures) = (self.store.stats(), &self.figures);
        figures.store_bytes.set(stats.bytes);
        figures.store_segments.set(u64::from(stats.segments));
        figures.store_channels.set(u64::from(stats.channels));
        figures.store_unsynced_bytes.set(stats.unsynced);
        figures.store_keys.set(self.keys.len() as u64);
    }
}

/// What a publisher is told of a store that failed.
fn unavailable() -> Refusal {
    Refusal::from(Code::EngineUnavailable).until(BROKEN_RETRY)
}

fn full() -> Refusal {
    Refusal::from(Code::StoreFull).until(FULL_RETRY)
}
