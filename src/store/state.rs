//! What is known of the log in memory, and how each record changes it: the same when it is appended and when it is recovered.

use super::body::{Key, Named, value_parts};
use super::channels::{Channel, Channels};
use super::growing::{Growing, Touched};
use super::record::{CUT, KEYED, Kind, REMOVED, View};
use super::segment::Segment;
use super::slot::Slot;
use super::values::Values;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What the owner of a store and its readers share. Nobody holds the lock while files are read or written.
pub(super) struct Shared(Mutex<State>);

impl Shared {
    pub(super) fn new(state: State) -> Shared {
        Shared(Mutex::new(state))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All segments, oldest first.
pub(super) type Segments = Arc<Vec<Arc<Segment>>>;

/// The segment with a number.
pub(super) fn segment(segments: &[Arc<Segment>], number: u32) -> Option<&Arc<Segment>> {
    segments.binary_search_by_key(&number, |segment| segment.number).ok().map(|at| &segments[at])
}

/// What is known of the log.
pub(super) struct State {
    pub(super) channels: Channels,
    pub(super) segments: Segments,
    /// Indexes of segments that have none in a file, oldest first.
    pub(super) growing: VecDeque<(u32, Growing)>,
    pub(super) values: Values,
}

impl State {
    pub(super) fn new(channels_max: u32) -> State {
        State {
            channels: Channels::new(channels_max),
            segments: Arc::default(),
            growing: VecDeque::new(),
            values: Values::default(),
        }
    }

    /// The index of a segment that is in memory.
    pub(super) fn growing(&self, number: u32) -> Option<&Growing> {
        self.growing.iter().rev().find(|(of, _)| *of == number).map(|(_, growing)| growing)
    }

    /// Adds the newest segment.
    pub(super) fn begin(&mut self, segment: Arc<Segment>) {
        self.growing.push_back((segment.number, Growing::default()));
        Arc::make_mut(&mut self.segments).push(segment);
    }

    /// What a record of the newest segment says; false if it makes no sense there.
    pub(super) fn apply(&mut self, view: &View<'_>) -> bool {
        match view.kind {
            Kind::Name | Kind::Reset => self.apply_name(view),
            Kind::Publication | Kind::Cleared | Kind::Skipped | Kind::Forgotten => self.apply_change(view),
            Kind::Value => self.apply_value(view),
            Kind::Mark | Kind::Opened | Kind::End | Kind::Hole => true,
        }
    }

    fn apply_name(&mut self, view: &View<'_>) -> bool {
        let Some(named) = Named::parse(view.body) else { return false };
        let Some((number, growing)) = self.growing.back_mut() else { return false };
        // Records that are lost, since damage was accepted, leave a hole: what is older than it is no longer kept.
        let known = self.channels.get(view.channel);
        let continues = known.is_none_or(|known| known.last == view.offset && known.epoch() == named.epoch);
        let cut = view.kind == Kind::Reset || view.flags & CUT != 0 || !continues;
        let channel = self.channels.set(view.channel, named.name, named.epoch);
        (channel.last, channel.total) = (view.offset, named.total);
        channel.active = seconds(view.at);
        channel.announced = true;
        if channel.home != *number {
            let before = if cut { (0, 0) } else { (channel.home, channel.slot) };
            channel.slot = growing.touch(view.channel, view.place as u32, before);
            channel.home = *number;
        } else if cut {
            growing.cut(channel.slot);
        }
        channel.empty |= cut;
        if let Some(touched) = growing.get_mut(channel.slot) {
            (touched.last, touched.total) = (channel.last, channel.total);
            (touched.head, touched.forgotten) = (view.place as u32, false);
        }
        true
    }

    fn apply_change(&mut self, view: &View<'_>) -> bool {
        let Some((number, growing)) = self.growing.back_mut() else { return false };
        let is_told = |channel: &&mut Channel| channel.announced && channel.home == *number;
        let Some(channel) = self.channels.get_mut(view.channel).filter(is_told) else { return false };
        let slot = channel.slot;
        let continues = view.kind == Kind::Publication && view.offset == channel.last.wrapping_add(1);
        if !continues {
            growing.cut(slot);
            channel.empty = true;
        }
        channel.active = seconds(view.at);
        match view.kind {
            Kind::Publication => {
                growing.push(slot, view.place as u32);
                growing.newest_at = growing.newest_at.max(view.at);
                channel.last = view.offset;
                channel.total += view.body.len() as u64;
                channel.empty = false;
                if let Some((key, _)) = (view.flags & KEYED != 0).then(|| Key::split(view.body)).flatten() {
                    growing.keys_expire = growing.keys_expire.max(key.expires);
                }
            }
            Kind::Skipped => channel.last = view.offset,
            _ => {}
        }
        if let Some(touched) = growing.get_mut(slot) {
            (touched.last, touched.total, touched.at) = (channel.last, channel.total, view.at);
            touched.forgotten = view.kind == Kind::Forgotten;
        }
        if view.kind == Kind::Forgotten {
            self.channels.remove(view.channel);
        }
        true
    }

    fn apply_value(&mut self, view: &View<'_>) -> bool {
        let Some((space, key, content)) = value_parts(view.body) else { return false };
        let Some((number, growing)) = self.growing.back_mut() else { return false };
        growing.values.push(view.place as u32);
        self.values.apply(space, key, (view.flags & REMOVED == 0).then_some(content), *number);
        true
    }

    /// What the index of a segment says of a channel, after all older segments. Its name is read later, from there.
    pub(super) fn apply_slot(&mut self, number: u32, slot: &Slot) {
        if slot.forgotten {
            return self.channels.remove(slot.channel);
        }
        let channel = self.channels.pending(slot.channel);
        (channel.last, channel.total) = (slot.last, slot.total);
        (channel.home, channel.slot) = (number, slot.head);
        channel.active = seconds(slot.at);
        // One whose name was written and nothing else goes on in older segments.
        channel.empty = slot.count == 0 && slot.before == 0;
    }
}

/// What is known of a channel of which somebody reads.
pub(super) fn extent(growing: &Growing, slot: u32) -> Option<(Touched, u32)> {
    growing.get(slot).map(|touched| (*touched, growing.count(slot)))
}

/// Seconds since 1970, as channels have them: until 2106.
pub(super) fn seconds(milliseconds: u64) -> u32 {
    u32::try_from(milliseconds / 1000).unwrap_or(u32::MAX)
}
