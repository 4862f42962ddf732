//! Lines: what waits for its turn in a channel, since something before it cannot be made known yet. Most channels have none.

use super::{Entry, OrderId};
use crate::hub::post::Post;
use crate::hub::{AppendRefused, Fetched, Hub, NotAppended, Placed};
use crate::model::name::ChannelName;
use crate::model::publication::Position;
use crate::node::answer::Answer;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

/// Publications that wait in one line, and bytes of them.
const ITEMS_MAX: usize = 512;
const BYTES_MAX: usize = 256 * 1024;

/// The lines of channels, by their names.
#[derive(Debug, Default)]
pub(super) struct Lines(HashMap<ChannelName, Line>);

/// What waits in one channel, in order.
#[derive(Debug)]
struct Line {
    items: VecDeque<Item>,
    /// Whether the engine reads what is missing before the first of them.
    is_filling: bool,
}

/// Something that is to be made known of a channel.
#[derive(Debug)]
pub(super) enum Item {
    /// A publication.
    Entry(Box<Entry>),
    /// The answer to a publication, which follows its entry: unless it `is_certain` that the entry will not come.
    Placed { id: OrderId, place: Position, is_certain: bool },
    /// The history was emptied.
    Cleared(OrderId, Position),
    /// The channel goes on from here.
    Moved(Position),
    /// The channel has come as far as this: what is missing before it is read, unless it `is_certain` that there is none.
    At { place: Position, is_certain: bool, id: Option<OrderId> },
    /// The engine has what came after this.
    Has(Position),
}

/// Why an item has to wait.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// A mailbox is full.
    NoRoom,
    /// Publications after this position are missing, up to this offset.
    Gap(Position, u64),
}

/// What an item needs to be made known.
pub(super) struct Out<'a, P: Post> {
    pub(super) hub: &'a Hub,
    pub(super) post: &'a P,
    pub(super) now: Instant,
}

/// What became of items: answers, and where publications are missing.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    pub(super) answers: Vec<(OrderId, Answer)>,
    pub(super) gaps: Vec<(ChannelName, Position, u64)>,
    /// Publications that came twice.
    pub(super) repeated: u64,
    /// Orders whose channel has come as far as they need.
    pub(super) reached: Vec<OrderId>,
    /// The last publication that was made known: its answer comes next, and need not ask the hub where the channel is.
    last: Option<(ChannelName, Position)>,
}

impl Lines {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether something waits for room in a mailbox.
    pub(super) fn wait_for_room(&self) -> bool {
        self.0.values().any(|line| !line.is_filling)
    }

    /// Makes an item known, or lets it wait where its channel has a line or it cannot be made known yet.
    pub(super) fn add<P: Post>(&mut self, channel: ChannelName, item: Item, out: &Out<'_, P>, outcome: &mut Outcome) {
        if !self.0.is_empty()
            && let Some(line) = self.0.get_mut(&channel)
        {
            line.push(item);
            return;
        }
        if let Err((item, stop)) = out.make_known(&channel, item, outcome) {
            let is_filling = note(&channel, stop, outcome);
            self.0.insert(channel, Line { items: VecDeque::from([item]), is_filling });
        }
    }

    /// Goes on with all lines that wait for room.
    pub(super) fn go_on<P: Post>(&mut self, out: &Out<'_, P>, outcome: &mut Outcome) {
        self.0.retain(|channel, line| {
            if !line.is_filling {
                line.advance(channel, out, outcome);
            }
            !line.items.is_empty()
        });
    }

    /// The engine has read what was missing in a channel; `None` when it could not.
    pub(super) fn fill<P: Post>(
        &mut self,
        channel: &ChannelName,
        fetched: Option<Fetched>,
        out: &Out<'_, P>,
        outcome: &mut Outcome,
    ) {
        let Some(line) = self.0.get_mut(channel) else { return };
        line.is_filling = false;
        line.take(channel, out.hub.position_of(channel), fetched);
        line.advance(channel, out, outcome);
        if line.items.is_empty() {
            self.0.remove(channel);
        }
    }
}

/// Notes why a line waits; whether the engine is to read for it.
fn note(channel: &ChannelName, stop: Stop, outcome: &mut Outcome) -> bool {
    match stop {
        Stop::NoRoom => false,
        Stop::Gap(from, to) => {
            outcome.gaps.push((ChannelName::clone(channel), from, to));
            true
        }
    }
}

impl Line {
    /// Lets an item wait. Of very many, the later publications are read again when their turn comes: the engine has them.
    fn push(&mut self, item: Item) {
        let is_full = self.items.len() >= ITEMS_MAX || self.bytes() >= BYTES_MAX;
        match (item, self.items.back_mut()) {
            (Item::Entry(entry), Some(Item::At { place, is_certain: false, id: None })) if is_full => {
                *place = entry.place
            }
            (Item::Entry(entry), _) if is_full => {
                self.items.push_back(Item::At { place: entry.place, is_certain: false, id: None });
            }
            (item, _) => self.items.push_back(item),
        }
    }

    /// Bytes of the publications that wait: a few hundred at most are counted, and only while something waits.
    fn bytes(&self) -> usize {
        let weight = |item: &Item| if let Item::Entry(entry) = item { entry.draft.weight() } else { 0 };
        self.items.iter().map(weight).sum()
    }

    fn advance<P: Post>(&mut self, channel: &ChannelName, out: &Out<'_, P>, outcome: &mut Outcome) {
        while let Some(item) = self.items.pop_front() {
            if let Err((item, stop)) = out.make_known(channel, item, outcome) {
                self.items.push_front(item);
                self.is_filling = note(channel, stop, outcome);
                return;
            }
        }
    }

    /// Puts what was read before what waits. What could not be read is lost to those who read on: they receive a reset.
    fn take(&mut self, channel: &ChannelName, at: Option<Position>, fetched: Option<Fetched>) {
        if let (Some(at), Some(fetched)) = (at, &fetched)
            && at.epoch != fetched.epoch
        {
            // The channel goes on in another epoch: what waits of the one before is not made known after that.
            self.items.retain(|item| !matches!(item, Item::Entry(entry) if entry.place.epoch == at.epoch));
        }
        let until = match self.items.front_mut() {
            Some(Item::Entry(entry)) => Some(entry.place),
            Some(Item::Placed { is_certain, .. } | Item::At { is_certain, .. }) => {
                // Read until nothing more comes: an answer is not held for what is gone.
                *is_certain = fetched.as_ref().is_none_or(|fetched| fetched.publications.is_empty());
                None
            }
            Some(Item::Cleared(..) | Item::Moved(_) | Item::Has(_)) | None => None,
        };
        let (epoch, mut older) =
            fetched.map_or((None, Vec::new()), |fetched| (Some(fetched.epoch), fetched.publications));
        let next = at.filter(|at| epoch == Some(at.epoch)).map_or(0, |at| at.offset + 1);
        older.retain(|older| older.offset >= next);
        let first = match (older.first(), epoch, until) {
            (Some(first), Some(epoch), _) => Some(Position { epoch, offset: first.offset }),
            _ => until,
        };
        if let Some(epoch) = epoch {
            for older in older.into_iter().rev() {
                let place = Position { epoch, offset: older.offset };
                let channel = ChannelName::clone(channel);
                let entry = Entry { channel, place, draft: older.draft, exclude: None };
                self.items.push_front(Item::Entry(Box::new(entry)));
            }
        }
        if let Some(first) =
            first.filter(|first| at.is_none_or(|at| at.epoch != first.epoch || at.offset + 1 != first.offset))
        {
            self.items.push_front(Item::Moved(before(first)));
        }
    }
}

/// The position that a publication follows.
fn before(place: Position) -> Position {
    Position { offset: place.offset.saturating_sub(1), ..place }
}

impl<P: Post> Out<'_, P> {
    fn make_known(&self, channel: &ChannelName, item: Item, outcome: &mut Outcome) -> Result<(), (Item, Stop)> {
        match item {
            Item::Entry(entry) => {
                let place = entry.place;
                self.append(*entry, outcome)?;
                outcome.last = Some((ChannelName::clone(channel), place));
                Ok(())
            }
            Item::Placed { id, place, is_certain } => {
                let was_last = |(last, at): (ChannelName, Position)| at == place && last == *channel;
                if !is_certain && !outcome.last.take().is_some_and(was_last) {
                    let at = self.hub.position_of(channel);
                    if let Some(at) = at.filter(|at| at.epoch == place.epoch && at.offset < place.offset) {
                        return Err((item, Stop::Gap(at, place.offset)));
                    }
                }
                let channel = ChannelName::clone(channel);
                outcome.answers.push((id, Answer::Published { channel, position: place, kept: true }));
                Ok(())
            }
            Item::Cleared(id, position) => {
                self.hub.cleared(channel, position);
                let channel = ChannelName::clone(channel);
                outcome.answers.push((id, Answer::HistoryDeleted { channel, position }));
                Ok(())
            }
            Item::At { place, is_certain, id } => match self.hub.position_of(channel) {
                Some(at) if at.epoch == place.epoch && at.offset < place.offset && !is_certain => {
                    Err((item, Stop::Gap(at, place.offset)))
                }
                Some(at) if at.epoch != place.epoch || at.offset < place.offset => {
                    let reset = self.hub.reset_to(channel, place, self.post, self.now);
                    reset.map_err(|_| (item, Stop::NoRoom))?;
                    outcome.reached.extend(id);
                    Ok(())
                }
                // It is further already, or nobody listens.
                _ => {
                    outcome.reached.extend(id);
                    Ok(())
                }
            },
            Item::Has(after) => {
                self.hub.has_after(channel, after);
                Ok(())
            }
            Item::Moved(at) => {
                self.hub.reset_to(channel, at, self.post, self.now).map_err(|_| (Item::Moved(at), Stop::NoRoom))
            }
        }
    }

    fn append(&self, entry: Entry, outcome: &mut Outcome) -> Result<(), (Item, Stop)> {
        let Entry { channel, place, draft, exclude } = entry;
        let placed = Placed { place, draft, exclude, accepted: self.now };
        let Err(refused) = self.hub.append_at(&channel, placed, self.post, self.now) else { return Ok(()) };
        let NotAppended { why, placed: Placed { place, draft, exclude, .. } } = *refused;
        let stop = match why {
            AppendRefused::Blocked => Stop::NoRoom,
            AppendRefused::NotNext(at) if at.epoch == place.epoch && at.offset >= place.offset => {
                outcome.repeated += 1;
                return Ok(());
            }
            AppendRefused::NotNext(at) if at.epoch == place.epoch => Stop::Gap(at, before(place).offset),
            AppendRefused::NotNext(_) => match self.hub.reset_to(&channel, before(place), self.post, self.now) {
                // It follows now, so that this is not repeated.
                Ok(()) => return self.append(Entry { channel, place, draft, exclude }, outcome),
                Err(_) => Stop::NoRoom,
            },
            // Nobody listens, or no client could count so far.
            AppendRefused::ChannelsFull | AppendRefused::BadOffset => return Ok(()),
        };
        Err((Item::Entry(Box::new(Entry { channel, place, draft, exclude })), stop))
    }
}
