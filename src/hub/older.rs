//! What a GET asks of an engine's history, and what it is given.

use super::Hub;
use super::publication::{Draft, Publication};
use crate::model::ids::ChannelId;
use crate::model::name::ChannelName;
use crate::model::publication::{Epoch, Position};
use std::sync::Arc;

/// How often one GET asks. Where publications come faster than they are read, it is answered with what is here.
const ROUNDS_MAX: u32 = 8;

/// A publication as an engine keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Older {
    /// Its offset.
    pub offset: u64,
    /// When it was published, in milliseconds since 1970.
    pub at_ms: u64,
    /// What was published.
    pub draft: Draft,
}

/// What a GET needs of an engine's history: publications of one channel after one offset, up to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OlderWanted {
    /// They come after this position.
    pub after: Position,
    /// The last that is wanted.
    pub up_to: u64,
    /// So many at most.
    pub count: usize,
    /// So many bytes at most, as [`Draft::weight`] counts them; but one publication, whatever it weighs.
    pub bytes: usize,
    /// Which are given if not all fit: the newest, or else the oldest. Their order is the same: oldest first.
    pub newest: bool,
}

/// What an engine gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fetched {
    /// The channel's epoch.
    pub epoch: Epoch,
    /// With consecutive offsets, oldest first. None when the oldest are wanted and the first of them is gone.
    pub publications: Vec<Older>,
    /// Publications up to this offset are known to be gone; 0 when none is.
    pub gone: u64,
}

/// What a GET has asked of an engine, and has been given so far.
#[derive(Debug)]
pub struct Asked {
    wanted: OlderWanted,
    /// As it came, not looked at yet.
    fetched: Option<Fetched>,
    /// The channel that the publications were made for, once something was given.
    of: Option<ChannelId>,
    /// The offset that they come after: that of the first question, if later ones went on from there.
    after: u64,
    /// With consecutive offsets.
    publications: Vec<Arc<Publication>>,
    rounds: u32,
    /// Whether the engine was asked where the channel is, since the reader knows more than is held here.
    looked_up: bool,
    /// Whether that is what it is asked now.
    looks_up: bool,
}

impl Asked {
    /// What is to be read.
    #[must_use]
    pub fn wanted(&self) -> &OlderWanted {
        &self.wanted
    }

    /// Takes what was read.
    pub fn give(&mut self, fetched: Fetched) {
        self.fetched = Some(fetched);
    }

    /// Asks where the channel is that is held at this position: a reader has been further, or in another epoch.
    pub(super) fn look_up(at: Position) -> Box<Asked> {
        let wanted = OlderWanted { after: at, up_to: at.offset, count: 0, bytes: 0, newest: false };
        let (fetched, of, publications, after, rounds) = (None, None, Vec::new(), at.offset, 0);
        Box::new(Asked { wanted, fetched, of, after, publications, rounds, looked_up: true, looks_up: true })
    }

    /// Whether the engine is asked where the channel is, and for no publications.
    #[must_use]
    pub fn looks_up(&self) -> bool {
        self.looks_up
    }

    /// Whether it was asked that before.
    pub(super) fn has_looked_up(&self) -> bool {
        self.looked_up
    }

    /// Asks, or asks again: for what follows what was given, or for something else.
    pub(super) fn next(before: Option<Box<Asked>>, wanted: OlderWanted) -> Box<Asked> {
        let after = wanted.after.offset;
        let looked_up = before.as_ref().is_some_and(|before| before.looked_up);
        let (publications, looks_up) = (Vec::new(), false);
        let fresh = Asked { wanted, fetched: None, of: None, after, publications, rounds: 1, looked_up, looks_up };
        let Some(mut asked) = before.filter(|before| !before.looks_up) else { return Box::new(fresh) };
        let rounds = asked.rounds + 1;
        let goes_on = !wanted.newest && !asked.wanted.newest && asked.last() == Some(after);
        *asked = if goes_on { Asked { wanted, rounds, ..*asked } } else { Asked { rounds, ..fresh } };
        asked
    }

    /// What was given for this channel and epoch, once something was, which may be that there is nothing.
    pub(super) fn given(&self, id: ChannelId, epoch: Epoch) -> Option<&[Arc<Publication>]> {
        (self.of == Some(id) && self.wanted.after.epoch == epoch).then_some(&self.publications)
    }

    /// The offset that what was given comes after.
    pub(super) fn after(&self) -> u64 {
        self.after
    }

    /// Whether the engine gave less than there is, for want of room.
    pub(super) fn is_short(&self) -> bool {
        self.last().is_some_and(|last| last < self.wanted.up_to)
    }

    /// Whether it has asked often enough.
    pub(super) fn is_over(&self) -> bool {
        self.rounds >= ROUNDS_MAX
    }

    fn last(&self) -> Option<u64> {
        self.publications.last().map(|last| last.offset())
    }

    /// Takes publications in that follow what it has and lie where it asked for them.
    fn take_in(&mut self, id: ChannelId, name: &ChannelName, publications: impl Iterator<Item = Older>) {
        if self.of.is_some_and(|of| of != id) {
            // The channel was forgotten and attached again meanwhile.
            (self.publications, self.after) = (Vec::new(), self.wanted.after.offset);
        }
        self.of = Some(id);
        let OlderWanted { after, up_to, newest, .. } = self.wanted;
        let mut next = if newest { None } else { Some(after.offset + 1) };
        for Older { offset, draft, .. } in publications {
            if next.is_some_and(|next| offset != next) || offset > up_to || offset <= after.offset {
                break;
            }
            next = Some(offset + 1);
            let position = Position { offset, ..after };
            self.publications.push(Arc::new(Publication::new(ChannelName::clone(name), id, position, draft)));
        }
        if newest && self.last() != Some(up_to) {
            // It would not meet what is held here.
            self.publications.clear();
        }
    }
}

impl Hub {
    /// Makes publications of what an engine gave, under no lock, and notes what is gone there or too old to be read.
    pub(super) fn unpack(&self, name: &ChannelName, asked: &mut Asked, wall_ms: u64) {
        let Some(Fetched { epoch, mut publications, gone }) = asked.fetched.take() else { return };
        let (mut shard, hash) = self.shard_for(name);
        let Some(slot) = shard.find(name, hash) else { return };
        let channel = shard.channel(slot);
        if channel.position.epoch != epoch || asked.wanted.after.epoch != epoch {
            // What was asked for ended meanwhile.
            return;
        }
        let age_ms = u64::try_from(channel.kept.age.as_millis()).unwrap_or(u64::MAX);
        let is_old = |older: &&Older| wall_ms.saturating_sub(older.at_ms) >= age_ms;
        let old = publications.iter().take_while(is_old).count();
        let gone = publications[..old].last().map_or(gone, |last| last.offset.max(gone));
        channel.gone = channel.gone.max(gone.min(channel.position.offset));
        let (name, id) = (ChannelName::clone(&channel.name), channel.id);
        drop(shard);
        asked.take_in(id, &name, publications.drain(old..));
    }
}
