//! What a GET replays: which publications, from which position, and whether they follow the reader's `since` directly.

use super::history::History;
use super::limits::HubLimits;
use super::publication::Publication;
use crate::model::publication::Position;
use crate::model::request::{GetOptions, Since};
use std::sync::Arc;

/// References only: encoding comes after the lock.
#[derive(Debug)]
pub(super) struct Replay {
    pub(super) position: Position,
    pub(super) recovered: Option<bool>,
    pub(super) publications: Vec<Arc<Publication>>,
    /// Their bytes.
    pub(super) bytes: usize,
}

/// Publications with consecutive offsets, up to the channel's newest.
pub(super) trait Held {
    /// All after `offset`, oldest first; `None` when the first of them is missing. Only for an offset below the channel's.
    fn since(&self, offset: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Publication>>>;
    /// All, newest first.
    fn newest(&self) -> impl Iterator<Item = &Arc<Publication>>;
}

impl Held for History {
    fn since(&self, offset: u64) -> Option<impl ExactSizeIterator<Item = &Arc<Publication>>> {
        self.since(offset)
    }

    fn newest(&self) -> impl Iterator<Item = &Arc<Publication>> {
        self.newest()
    }
}

/// How much an answer may hold.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    pub(super) count: usize,
    pub(super) bytes: usize,
    /// None of the budget is used yet. Then the first publication is given whatever it weighs: otherwise paging would stop
    /// for good before a large one, and a snapshot would omit it.
    pub(super) whole: bool,
}

impl Room {
    /// That of an answer; `left` is what remains of `replay_bytes` (a batch shares them).
    pub(super) fn new(options: &GetOptions, limits: &HubLimits, left: usize) -> Room {
        let asked = options.limit.map_or(usize::MAX, |limit| limit as usize);
        Room { count: asked.min(limits.replay_count), bytes: left, whole: left >= limits.replay_bytes }
    }
}

/// How many of the newest a reader wants that does not resume.
pub(super) fn newest_wanted(options: &GetOptions, limits: &HubLimits) -> usize {
    let default = if options.once && options.since.is_none() { limits.snapshot_default } else { 0 };
    // None by default for a reader that has lost its place: it has to decide what to load.
    options.last.map_or(default, |last| last as usize)
}

/// Reads what is held for a GET; `left` is what remains of `replay_bytes`.
pub(super) fn replay(
    history: &impl Held,
    current: Position,
    options: &GetOptions,
    limits: &HubLimits,
    left: usize,
) -> Replay {
    let (room, last) = (Room::new(options, limits, left), newest_wanted(options, limits));
    let Some(since) = options.since else {
        return newest(history, current, None, last, room);
    };
    let resumed = match since {
        Since::Position(from) => resume(history, current, from, options.once, room),
        Since::Unreadable => None,
    };
    resumed.unwrap_or_else(|| newest(history, current, Some(false), last, room))
}

/// Everything after `from` (a page of it, with `once`); `None` when that would leave a hole.
fn resume(history: &impl Held, current: Position, from: Position, once: bool, room: Room) -> Option<Replay> {
    if from.epoch != current.epoch || from.offset > current.offset {
        return None;
    }
    // Before the history is asked, which may be empty: a reader that missed nothing resumes even then.
    if from.offset == current.offset {
        return Some(Replay { position: current, recovered: Some(true), publications: Vec::new(), bytes: 0 });
    }
    let after = history.since(from.offset)?;
    let needed = after.len();
    // Only a page has to advance at any price. A subscription that cannot have it all receives `recovered: false`,
    // and may page.
    let room = Room { whole: room.whole && once, ..room };
    // A subscription goes on with what is new, so a part of the replay would leave a hole after it.
    if !once && needed > room.count {
        return None;
    }
    let (publications, bytes) = fitting(after, room);
    let complete = publications.len() == needed;
    let position = Position { offset: from.offset + publications.len() as u64, ..current };
    (once || complete).then_some(Replay { position, recovered: Some(true), publications, bytes })
}

/// The newest publications, in offset order, with the current position.
fn newest(history: &impl Held, position: Position, recovered: Option<bool>, last: usize, room: Room) -> Replay {
    let room = Room { count: last.min(room.count), ..room };
    let (mut publications, bytes) = fitting(history.newest(), room);
    publications.reverse();
    Replay { position, recovered, publications, bytes }
}

/// As many as fit, from the first on.
fn fitting<'a>(publications: impl Iterator<Item = &'a Arc<Publication>>, room: Room) -> (Vec<Arc<Publication>>, usize) {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    for publication in publications.take(room.count) {
        let weight = publication.weight();
        let first = room.whole && taken.is_empty();
        if !first && bytes + weight > room.bytes {
            // No smaller one after it is taken instead: what is replayed has no hole.
            break;
        }
        bytes += weight;
        taken.push(Arc::clone(publication));
    }
    (taken, bytes)
}
