//! Finds where publications of a channel are: from the newest segment that has some back to the one where the page begins.

use super::error::{Damage, ReadError};
use super::segment::{self, Segment};
use super::state::{self, Segments, Shared, State};
use std::sync::Arc;

/// What is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Want {
    /// A number of publications from an offset on.
    From(u64, u64),
    /// A number of publications before an offset.
    Before(u64, u64),
}

impl Want {
    /// The first and the last offset, of a channel with this last one.
    fn range(self, last: u64) -> (u64, u64) {
        match self {
            Want::From(from, count) => (from, from.saturating_add(count - 1).min(last)),
            Want::Before(before, count) => {
                let high = before.saturating_sub(1).min(last);
                ((high + 1).saturating_sub(count).max(1), high)
            }
        }
    }
}

/// What was found.
pub(super) struct Located {
    pub(super) channel: u32,
    pub(super) epoch: String,
    pub(super) last: u64,
    /// Newest first.
    pub(super) parts: Vec<Part>,
    /// The oldest offset that is kept, if the walk came to it.
    pub(super) oldest: Option<u64>,
    /// Whether there are publications older than the first one that was wanted.
    pub(super) older: bool,
}

/// Publications in one segment.
pub(super) struct Part {
    pub(super) segment: Arc<Segment>,
    /// The offset of the first one.
    pub(super) first: u64,
    pub(super) source: Source,
}

/// Where it is written where they begin.
pub(super) enum Source {
    Places(Vec<u32>),
    /// These places of the index.
    Index {
        start: u32,
        count: u32,
    },
}

/// A walk from the newest publication to older ones.
struct Walk {
    low: u64,
    high: u64,
    /// The segment to look at, and its slot if its index is in memory.
    at: (u32, u32),
    /// The offset that the next older publication must have.
    expected: u64,
    found: Located,
}

/// Finds publications of a channel; `None` if there is no such channel.
pub(super) fn locate(shared: &Shared, name: &str, want: Want) -> Result<Option<Located>, ReadError> {
    let (mut walk, segments) = {
        let state = shared.lock();
        let Some(mut walk) = begin(&state, name, want) else { return Ok(None) };
        if in_memory(&mut walk, &state) {
            return Ok(Some(walk.found));
        }
        (walk, state.segments.clone())
    };
    in_files(&mut walk, &segments)?;
    Ok(Some(walk.found))
}

fn begin(state: &State, name: &str, want: Want) -> Option<Walk> {
    let number = state.channels.find(name.as_bytes())?;
    let channel = state.channels.get(number)?;
    let (low, high) = want.range(channel.last);
    let epoch = String::from_utf8_lossy(channel.epoch()).into_owned();
    let (parts, oldest) = (Vec::new(), None);
    let found = Located { channel: number, epoch, last: channel.last, parts, oldest, older: false };
    Some(Walk { low, high, at: (channel.home, channel.slot), expected: channel.last, found })
}

impl Walk {
    /// Looks at what a segment has; whether that is all.
    fn look(&mut self, segment: &Arc<Segment>, last: u64, count: u32, source: impl FnOnce(u32, u32) -> Source) {
        let first = (last + 1).saturating_sub(u64::from(count));
        if count == 0 {
            return;
        }
        self.found.oldest = Some(first);
        self.expected = first.saturating_sub(1);
        let (low, high) = (self.low.max(first), self.high.min(last));
        if low <= high {
            let source = source((low - first) as u32, (high - first) as u32);
            self.found.parts.push(Part { segment: segment.clone(), first: low, source });
        }
    }

    /// Whether older segments are of no interest; `has_older` says whether there are any.
    fn is_done(&mut self, has_older: bool) -> bool {
        let Some(oldest) = self.found.oldest else { return !has_older };
        if oldest <= self.low || !has_older {
            self.found.older = oldest < self.low || (oldest == self.low && has_older);
            // What is older than the oldest that was seen was not looked for.
            return true;
        }
        false
    }
}

/// Looks at segments whose indexes are in memory; whether that is all.
fn in_memory(walk: &mut Walk, state: &State) -> bool {
    loop {
        let (number, slot) = walk.at;
        let Some(segment) = state::segment(&state.segments, number) else { return true };
        let Some(growing) = state.growing(number) else { return false };
        let Some((touched, count)) = state::extent(growing, slot) else { return true };
        walk.look(segment, touched.last, count, |low, high| Source::Places(growing.places(slot, low, high)));
        walk.at = (touched.before, touched.before_slot);
        if walk.is_done(state::segment(&state.segments, touched.before).is_some()) {
            return true;
        }
    }
}

/// Looks at segments whose indexes are in files.
fn in_files(walk: &mut Walk, segments: &Segments) -> Result<(), ReadError> {
    while let Some(segment) = state::segment(segments, walk.at.0) {
        let Some(index) = segment.index.get() else { return Err(ReadError::Damaged(damaged_index(segment))) };
        let slot = index.find(walk.found.channel)?;
        let Some(slot) = slot.filter(|slot| slot.count == 0 || slot.last == walk.expected) else {
            return Err(ReadError::Damaged(damaged_index(segment)));
        };
        walk.look(segment, slot.last, slot.count, |low, high| Source::Index {
            start: slot.start + low,
            count: high - low + 1,
        });
        walk.at = (slot.before, 0);
        if walk.is_done(state::segment(segments, slot.before).is_some()) {
            break;
        }
    }
    Ok(())
}

/// The index of a segment says something else than what is known.
pub(super) fn damaged_index(segment: &Segment) -> Damage {
    Damage { file: segment::index_name(segment.number), at: 0, what: "the index is damaged" }
}
