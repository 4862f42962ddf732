//! Reads of a log: where a channel is, and publications that are no longer in memory. What needs the files is done by another
//! thread.

use super::Disk;
use super::batch::Batch;
use crate::config::Durability;
use crate::engine::packed;
use crate::engine::rules::Kept;
use crate::engine::{ATTACH_BYTES, ATTACH_COUNT, Event, OrderId};
use crate::hub::{Attach, Fetched, Older, OlderWanted};
use crate::model::code::Code;
use crate::model::name::ChannelName;
use crate::model::publication::{Epoch, Position};
use crate::model::refusal::Refusal;
use crate::store::{Page, ReadError, Reader};
use std::time::Duration;

/// After which time a read may be tried again that found no room, or failed.
const READ_RETRY: Duration = Duration::from_secs(1);

/// Something that is read from the files.
#[derive(Debug)]
pub(super) struct Task {
    pub(super) id: OrderId,
    pub(super) channel: ChannelName,
    /// The epoch in which its offsets count.
    pub(super) epoch: Epoch,
    pub(super) what: Reading,
}

#[derive(Debug)]
pub(super) enum Reading {
    /// The newest up to this offset.
    Newest { at: u64, count: usize },
    /// What the hub wants.
    Older(OlderWanted),
}

impl Disk {
    /// Where a channel is. What waits for its sync is not told of.
    pub(super) fn attach(&mut self, id: OrderId, channel: ChannelName, kept: Kept, events: &mut Vec<Event>) {
        let durability = self.durability(kept);
        let Some((number, at)) = self.find(&channel, durability, &Batch::default()) else {
            let epochs = self.epochs;
            let epoch = self.fresh.epoch(&channel, || epochs.fresh());
            let attach = Attach { at: Position { epoch, offset: 0 }, newest: Vec::new(), gone: 0 };
            return events.push(Event::Attached(id, channel, attach));
        };
        let offset = self.waiting.first(number).map_or(at.offset, |first| first.saturating_sub(1).min(at.offset));
        let count = kept.count.min(ATTACH_COUNT);
        if offset == 0 || count == 0 {
            let attach = Attach { at: Position { offset, ..at }, newest: Vec::new(), gone: offset };
            return events.push(Event::Attached(id, channel, attach));
        }
        let what = Reading::Newest { at: offset, count };
        self.send(Task { id, channel, epoch: at.epoch, what }, events);
    }

    pub(super) fn read(
        &mut self,
        id: OrderId,
        channel: ChannelName,
        wanted: OlderWanted,
        durability: Durability,
        events: &mut Vec<Event>,
    ) {
        let found = self.find(&channel, durability, &Batch::default());
        match found.filter(|(_, at)| at.epoch == wanted.after.epoch) {
            Some((_, at)) => {
                self.send(Task { id, channel, epoch: at.epoch, what: Reading::Older(wanted) }, events);
            }
            None => {
                // Of another epoch, or forgotten: nothing of it can be read.
                let epoch = found.map_or(wanted.after.epoch, |(_, at)| at.epoch);
                events.push(Event::Read(id, Fetched { epoch, publications: Vec::new(), gone: wanted.up_to }));
            }
        }
    }

    fn send(&mut self, task: Task, events: &mut Vec<Event>) {
        self.figures.store_reads.add(1);
        if let Err(task) = self.helpers.read(task) {
            events.push(Event::Refused(task.id, Refusal::from(Code::Busy).until(READ_RETRY)));
        }
    }
}

impl Task {
    /// Reads. Blocks for as long as the files take.
    pub(super) fn perform(self, reader: &Reader) -> Event {
        let Task { id, channel, epoch, what } = self;
        let read = match &what {
            Reading::Newest { at, count } => reader.before(&channel, at + 1, *count, ATTACH_BYTES),
            Reading::Older(wanted) if wanted.newest => {
                reader.before(&channel, wanted.up_to + 1, wanted.count, wanted.bytes)
            }
            Reading::Older(wanted) => reader.after(&channel, wanted.after.offset, wanted.count, wanted.bytes),
        };
        let page = match read {
            // Forgotten meanwhile, or made anew: nothing of it can be read.
            Ok(page) => page
                .filter(|page| Epoch::parse(&page.epoch).is_some_and(|kept| kept.random_part() == epoch.random_part())),
            Err(ReadError::Damaged(damage)) => {
                log::error!(event = "store_damaged"; "publications of {:?} cannot be read, and count as gone: {damage}", &*channel);
                None
            }
            Err(ReadError::Io(error)) => {
                log::error!(event = "store_not_read"; "publications of {:?} were not read: {error}", &*channel);
                return Event::Refused(id, Refusal::from(Code::EngineUnavailable).until(READ_RETRY));
            }
        };
        match what {
            Reading::Newest { at, .. } => {
                let (newest, gone) = page.map_or((Vec::new(), at), |page| newest(page, 0, at, usize::MAX));
                Event::Attached(id, channel, Attach { at: Position { epoch, offset: at }, newest, gone })
            }
            Reading::Older(wanted) => {
                let (publications, gone) = match page {
                    None => (Vec::new(), wanted.up_to),
                    Some(page) if wanted.newest => newest(page, wanted.after.offset, wanted.up_to, wanted.bytes),
                    Some(page) => following(page, &wanted),
                };
                Event::Read(id, Fetched { epoch, publications, gone })
            }
        }
    }
}

/// The newest of a page in (after, up to], as many as fit, and the offset up to which older ones are gone; 0 when there may be
/// older ones.
fn newest(page: Page, after: u64, up_to: u64, bytes: usize) -> (Vec<Older>, u64) {
    let has_more = page.more;
    let mut newest: Vec<Older> = Vec::new();
    let (mut weight, mut next) = (0, up_to);
    let mut is_whole = true;
    for kept in page.publications.into_iter().rev().filter(|kept| kept.offset <= up_to) {
        // Contiguous: what is missing is the end of what can be told.
        if kept.offset <= after || kept.offset != next {
            break;
        }
        let Some(older) = older(kept.offset, kept.at, &kept.body) else { break };
        weight += older.draft.weight();
        if !newest.is_empty() && weight > bytes {
            is_whole = false;
            break;
        }
        next -= 1;
        newest.push(older);
    }
    newest.reverse();
    // Everything that is there was taken, and it did not reach what was asked for.
    let gone = if is_whole && !has_more && next > after { next } else { 0 };
    (newest, gone)
}

/// The first of a page after a position, as many as fit; none when the first is gone, and then up to which offset.
fn following(page: Page, wanted: &OlderWanted) -> (Vec<Older>, u64) {
    let first = page.publications.first().map_or(wanted.up_to + 1, |kept| kept.offset);
    if first != wanted.after.offset + 1 {
        return (Vec::new(), (first - 1).min(wanted.up_to));
    }
    let mut following: Vec<Older> = Vec::new();
    let (mut weight, mut next) = (0, first);
    for kept in page.publications.into_iter().take_while(|kept| kept.offset <= wanted.up_to) {
        let Some(older) = older(kept.offset, kept.at, &kept.body).filter(|older| older.offset == next) else { break };
        weight += older.draft.weight();
        if !following.is_empty() && weight > wanted.bytes {
            break;
        }
        next += 1;
        following.push(older);
    }
    (following, 0)
}

/// A publication as the hub takes it; `None` for what no version has written, though its checksum is right.
fn older(offset: u64, at_ms: u64, body: &[u8]) -> Option<Older> {
    let draft = packed::read(body)
        .inspect_err(
            |fault| log::error!(event = "store_unreadable"; "publication {offset} has an unknown form: {fault:?}"),
        )
        .ok()?;
    Some(Older { offset, at_ms, draft })
}

#[cfg(test)]
mod tests {
    use super::{following, newest};
    use crate::hub::{Older, OlderWanted};
    use crate::model::publication::{Epoch, Position};
    use crate::store::{Kept, Page};

    fn page(offsets: std::ops::RangeInclusive<u64>, more: bool) -> Page {
        let last = *offsets.end();
        let kept = |offset| Kept { offset, at: 1, body: b"1\x00{}".to_vec() };
        Page { epoch: "abcdefghij".to_owned(), last, publications: offsets.map(kept).collect(), more }
    }

    fn wanted(after: u64, up_to: u64, bytes: usize) -> OlderWanted {
        let after = Position { epoch: Epoch::from_random(1), offset: after };
        OlderWanted { after, up_to, count: 100, bytes, newest: false }
    }

    fn offsets((publications, gone): (Vec<Older>, u64)) -> (Vec<u64>, u64) {
        (publications.iter().map(|older| older.offset).collect(), gone)
    }

    #[test]
    fn what_follows_is_whole_or_said_to_be_gone() {
        assert_eq!(offsets(following(page(4..=9, false), &wanted(3, 6, 1 << 20))), (vec![4, 5, 6], 0));
        assert_eq!(offsets(following(page(6..=9, false), &wanted(3, 9, 1 << 20))), (vec![], 5));
        assert_eq!(offsets(following(page(7..=9, false), &wanted(3, 5, 1 << 20))), (vec![], 5));
        assert_eq!(offsets(following(page(4..=9, false), &wanted(3, 9, 1))), (vec![4], 0), "one at least");
    }

    #[test]
    fn the_newest_end_where_older_ones_are_gone_and_say_so() {
        assert_eq!(offsets(newest(page(4..=9, true), 0, 8, usize::MAX)), (vec![4, 5, 6, 7, 8], 0));
        assert_eq!(offsets(newest(page(4..=9, false), 0, 9, usize::MAX)), (vec![4, 5, 6, 7, 8, 9], 3));
        assert_eq!(offsets(newest(page(4..=9, false), 6, 9, usize::MAX)), (vec![7, 8, 9], 0));
        assert_eq!(offsets(newest(page(4..=9, false), 0, 9, 1)), (vec![9], 0), "one at least");
    }
}
