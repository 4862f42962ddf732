//! What a store does besides appending: indexes of full segments, dropping old ones, forgetting channels. One small step at
//! a time, so that appending never waits long.

use super::chores::{Dropping, Step};
use super::encoder::Record;
use super::error::StoreError;
use super::files;
use super::handle::{Store, bytes};
use super::number::ChannelNo;
use super::options::Keep;
use super::sealing::Sealing;
use super::segment::{self, Segment};
use super::slot::Slot;
use super::state::seconds;
use std::io;
use std::sync::Arc;

/// Slots of an index, channels or values that one step looks at.
const PER_STEP: u32 = 256;
/// Where more than this many of each hundred channels are in use, those without anything are forgotten sooner.
const CROWDED: u64 = 95;
/// Milliseconds without activity after which they are, then.
const SOON_MS: u64 = 60_000;

impl Store {
    /// Does a little of what is to be done. `keep` says what a channel keeps. Some of it waits for the next
    /// [`Store::sync`].
    ///
    /// # Errors
    /// As [`Store::append`].
    pub fn upkeep(&mut self, now: u64, keep: &dyn Fn(&str) -> Keep) -> Result<Step, StoreError> {
        self.whole()?;
        let sealed = self.seal();
        match sealed {
            // Without room for an index, what is old may go all the same.
            Ok(Step::Idle) | Err(StoreError::Full) => {}
            other => return other,
        }
        if self.chores.dropping.is_none() && self.is_to_go(now, keep)? {
            self.chores.dropping = Some(Dropping::Channels(0));
        }
        match self.drop_oldest(now)? {
            Step::More => Ok(Step::More),
            Step::Idle => self.forget(now).and(sealed),
        }
    }

    /// Makes the index of the oldest segment that has none and is full.
    fn seal(&mut self) -> Result<Step, StoreError> {
        let outcome = match self.chores.sealing.take() {
            None => self.begin_sealing(),
            Some(sealing) => self.go_on_sealing(sealing),
        };
        match outcome {
            Ok(step) => Ok(step),
            // The index stays in memory until there is room.
            Err(error) if files::is_full(&error) => Err(StoreError::Full),
            Err(error) => Err(self.fail("write an index", &error)),
        }
    }

    fn begin_sealing(&mut self) -> io::Result<Step> {
        let state = self.shared.lock();
        let Some((number, growing)) = state.growing.front() else { return Ok(Step::Idle) };
        let is_unsynced = self.unsynced.iter().any(|segment| segment.number == *number);
        if *number == self.active.number || is_unsynced {
            return Ok(Step::Idle);
        }
        let Some(segment) = super::state::segment(&state.segments, *number) else { return Ok(Step::Idle) };
        let file = self.files.create(&segment::index_name(*number))?;
        self.chores.sealing = Some(Sealing::new(file, *number, segment.length(), segment.salt, growing));
        Ok(Step::More)
    }

    fn go_on_sealing(&mut self, mut sealing: Sealing) -> io::Result<Step> {
        let mut step = Step::More;
        if !sealing.is_gathered() {
            let state = self.shared.lock();
            if let Some(growing) = state.growing(sealing.number()) {
                sealing.gather(growing);
            }
        } else if sealing.written().is_none() {
            if sealing.write()? {
                self.changes += 1;
                self.chores.sealed = self.changes;
            }
        } else if self.changes_synced < self.chores.sealed {
            step = Step::Idle;
        } else {
            let index = sealing.finish()?;
            let mut state = self.shared.lock();
            if let Some(segment) = super::state::segment(&state.segments, sealing.number()) {
                let _ = segment.index.set(index);
            }
            let gone = state.growing.pop_front();
            // Giving its memory back takes a while.
            drop(state);
            drop(gone);
            return Ok(step);
        }
        self.chores.sealing = Some(sealing);
        Ok(step)
    }

    /// The oldest segment, if it may be dropped at all.
    fn oldest(&self) -> Option<Arc<Segment>> {
        let state = self.shared.lock();
        let oldest = state.segments.first()?;
        (oldest.number != self.active.number && oldest.index.get().is_some()).then(|| oldest.clone())
    }

    /// Whether the oldest segment is to be dropped: for its size, or since nothing in it is kept.
    fn is_to_go(&mut self, now: u64, keep: &dyn Fn(&str) -> Keep) -> Result<bool, StoreError> {
        let Some(oldest) = self.oldest() else { return Ok(false) };
        if bytes(&self.shared.lock()) > self.options.bytes_max {
            return Ok(true);
        }
        let Some(index) = oldest.index.get() else { return Ok(false) };
        if self.chores.kept.0 != oldest.number {
            self.chores.kept = (oldest.number, 0);
        }
        let from = self.chores.kept.1;
        for slot in from..index.header.slots.min(from + PER_STEP) {
            let read = index.slots(slot, 1);
            let read = read.map_err(|error| self.fail("read an index", &error))?;
            if read.first().is_some_and(|slot| self.is_kept(slot, now, keep)) {
                return Ok(false);
            }
            self.chores.kept.1 = slot + 1;
        }
        Ok(self.chores.kept.1 >= index.header.slots)
    }

    fn is_kept(&self, slot: &Slot, now: u64, keep: &dyn Fn(&str) -> Keep) -> bool {
        let state = self.shared.lock();
        let Some(channel) = state.channels.get(slot.channel).filter(|channel| !channel.empty) else { return false };
        // After a reset its offsets began again.
        if slot.count == 0 || channel.last < slot.last {
            return false;
        }
        let name = String::from_utf8_lossy(state.channels.name(channel)).into_owned();
        let (count, bytes) = (channel.last - slot.last, channel.total.saturating_sub(slot.total));
        drop(state);
        let keep = keep(&name);
        count < keep.count && bytes < keep.bytes && now.saturating_sub(slot.at) <= keep.age
    }

    /// Gives the oldest segment up: what is nowhere else is written into the newest one; when that is durable, it goes.
    fn drop_oldest(&mut self, now: u64) -> Result<Step, StoreError> {
        let Some(dropping) = self.chores.dropping.take() else { return Ok(Step::Idle) };
        let Some(oldest) = self.oldest() else { return Ok(Step::Idle) };
        let (next, step) = match dropping {
            Dropping::Channels(from) => (self.carry_channels(&oldest, from, now), Step::More),
            Dropping::Values(after) => (self.carry_values(&oldest, after.as_ref(), now), Step::More),
            Dropping::Waiting if self.synced >= self.appended && self.changes == self.changes_synced => {
                return self.remove(&oldest).map(|()| Step::More);
            }
            Dropping::Waiting => (Ok(Dropping::Waiting), Step::Idle),
        };
        match next {
            Ok(next) => {
                self.chores.dropping = Some(next);
                Ok(step)
            }
            Err(error) => {
                // To begin again harms nothing: what was carried is no longer there only.
                self.chores.dropping = Some(Dropping::Channels(0));
                Err(error)
            }
        }
    }

    fn carry_channels(&mut self, oldest: &Segment, from: u32, now: u64) -> Result<Dropping, StoreError> {
        let Some(index) = oldest.index.get() else { return Ok(Dropping::Channels(0)) };
        let slots = index.slots(from, PER_STEP).map_err(|error| self.fail("read an index", &error))?;
        self.commit(now, |encoder| {
            for slot in &slots {
                let is_here = |channel: &super::channels::Channel| channel.home == oldest.number;
                if encoder.state.channels.get(slot.channel).is_some_and(is_here) {
                    encoder.carried(ChannelNo::new(slot.channel))?;
                }
            }
            Ok(())
        })?;
        let next = from + PER_STEP;
        Ok(if next < index.header.slots { Dropping::Channels(next) } else { Dropping::Values(None) })
    }

    fn carry_values(
        &mut self,
        oldest: &Segment,
        after: Option<&(u8, Vec<u8>)>,
        now: u64,
    ) -> Result<Dropping, StoreError> {
        let (held, last) = self.shared.lock().values.held_by(oldest.number, after, PER_STEP as usize);
        self.commit(now, |encoder| {
            for (space, key) in &held {
                let content = encoder.state.values.get(*space, key).map(<[u8]>::to_vec);
                encoder.value(*space, key, content.as_deref())?;
            }
            Ok(())
        })?;
        Ok(last.map_or(Dropping::Waiting, |last| Dropping::Values(Some(last))))
    }

    fn remove(&mut self, oldest: &Segment) -> Result<(), StoreError> {
        {
            let mut state = self.shared.lock();
            Arc::make_mut(&mut state.segments).retain(|segment| segment.number != oldest.number);
        }
        self.changes += 1;
        let names = [segment::file_name(oldest.number), segment::index_name(oldest.number)];
        for name in &names {
            match self.files.remove(name) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    return Err(self.fail("remove a segment", &error));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Forgets channels that have nothing, and to which nothing happened for long.
    fn forget(&mut self, now: u64) -> Result<(), StoreError> {
        let from = self.chores.hand.max(1);
        let idle: Vec<ChannelNo> = {
            let state = self.shared.lock();
            let (count, most) = (u64::from(state.channels.count()), u64::from(self.options.channels_max));
            let is_crowded = count * 100 > most * CROWDED;
            let patience = if is_crowded { SOON_MS.min(self.options.forget_after) } else { self.options.forget_after };
            let before = seconds(now.saturating_sub(patience));
            self.chores.hand = if from + PER_STEP > state.channels.greatest() { 1 } else { from + PER_STEP };
            let is_idle = |number: &u32| {
                state.channels.get(*number).is_some_and(|channel| channel.empty && channel.active < before)
            };
            (from..from + PER_STEP).filter(is_idle).map(ChannelNo::new).collect()
        };
        let records: Vec<Record<'_>> = idle.iter().map(|channel| Record::Forgotten { channel: *channel }).collect();
        self.append(&records, now)
    }
}
