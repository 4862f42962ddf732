//! Makes the bytes of a batch: each record checked against what is known of its channel, with the name before the first
//! record of a channel in a segment.

use super::body::{EPOCH_BYTES, Key, NAME_BYTES, Named, value_head};
use super::error::StoreError;
use super::number::ChannelNo;
use super::options::Options;
use super::record::{self, CUT, HEADER, Head, KEYED, Kind, REMOVED};
use super::state::State;
use super::values;

/// What is appended.
#[derive(Debug, Clone, Copy)]
pub enum Record<'a> {
    /// A publication. One whose offset is not the next after the last is the first that is kept of its channel.
    Publication {
        /// The channel.
        channel: ChannelNo,
        /// Its offset, greater than the channel's last one.
        offset: u64,
        /// When it was made, in milliseconds since 1970.
        at: u64,
        /// What a reader receives.
        body: &'a [u8],
        /// The key that it was published with.
        key: Option<Key<'a>>,
    },
    /// A publication of which nothing is kept, nor of those before it.
    Skipped {
        /// The channel.
        channel: ChannelNo,
        /// Its offset, greater than the channel's last one.
        offset: u64,
    },
    /// The history of a channel is emptied; its position stays.
    Cleared {
        /// The channel.
        channel: ChannelNo,
    },
    /// A channel has a new epoch, and nothing of the old one.
    Reset {
        /// The channel.
        channel: ChannelNo,
        /// The epoch.
        epoch: &'a str,
        /// Its last offset in this epoch, usually 0.
        offset: u64,
    },
    /// A channel is forgotten; another may receive its number.
    Forgotten {
        /// The channel.
        channel: ChannelNo,
    },
    /// A small value is set or removed.
    Value {
        /// What kind of values it belongs to.
        space: u8,
        /// Its key.
        key: &'a [u8],
        /// What it is from now on; `None` removes it.
        value: Option<&'a [u8]>,
    },
}

/// What a batch says of a channel so far.
struct Staged {
    channel: u32,
    last: u64,
    total: u64,
    is_named: bool,
    is_forgotten: bool,
}

/// A batch that is being made.
pub(super) struct Encoder<'a> {
    pub(super) state: &'a mut State,
    options: &'a Options,
    buffer: &'a mut Vec<u8>,
    /// The segment that it is made for, and where in it.
    segment: u32,
    salt: u32,
    base: u64,
    now: u64,
    staged: Vec<Staged>,
    values: u64,
}

impl<'a> Encoder<'a> {
    pub(super) fn new(
        state: &'a mut State,
        options: &'a Options,
        buffer: &'a mut Vec<u8>,
        (segment, salt, base): (u32, u32, u64),
        now: u64,
    ) -> Encoder<'a> {
        buffer.clear();
        Encoder { state, options, buffer, segment, salt, base, now, staged: Vec::new(), values: 0 }
    }

    /// Adds a record.
    pub(super) fn record(&mut self, record: &Record<'_>) -> Result<(), StoreError> {
        match *record {
            Record::Publication { channel, offset, at, body, key } => self.publication(channel, offset, at, body, key),
            Record::Skipped { channel, offset } => {
                let staged = self.next(channel, offset)?;
                self.staged[staged].last = offset;
                self.put(Kind::Skipped, 0, channel.get(), (offset, self.now), &[])
            }
            Record::Cleared { channel } => {
                let staged = self.named(channel, false)?;
                self.put(Kind::Cleared, 0, channel.get(), (self.staged[staged].last, self.now), &[])
            }
            Record::Reset { channel, epoch, offset } => {
                let staged = self.stage(channel)?;
                let fits = epoch.len() <= EPOCH_BYTES;
                (self.staged[staged].last, self.staged[staged].total) = (offset, 0);
                self.staged[staged].is_named = true;
                if fits { self.name(Kind::Reset, 0, staged, Some(epoch)) } else { Err(StoreError::TooLarge) }
            }
            Record::Forgotten { channel } => {
                let staged = self.named(channel, false)?;
                self.staged[staged].is_forgotten = true;
                self.put(Kind::Forgotten, 0, channel.get(), (self.staged[staged].last, self.now), &[])
            }
            Record::Value { space, key, value } => {
                self.values += value.map_or(0, |value| values::size(key, value));
                if self.values > 0 && self.state.values.bytes() + self.values > self.options.values_bytes_max {
                    return Err(StoreError::ValuesFull);
                }
                self.value(space, key, value)
            }
        }
    }

    fn publication(
        &mut self,
        channel: ChannelNo,
        offset: u64,
        at: u64,
        body: &[u8],
        key: Option<Key<'_>>,
    ) -> Result<(), StoreError> {
        let staged = self.next(channel, offset)?;
        let start = self.buffer.len();
        match key {
            None => self.put(Kind::Publication, 0, channel.get(), (offset, at), &[body])?,
            Some(key) => {
                self.put(Kind::Publication, KEYED, channel.get(), (offset, at), &[&key.head(), key.key, body])?
            }
        }
        self.staged[staged].last = offset;
        self.staged[staged].total += u64::from(record::u32_at(self.buffer, start));
        Ok(())
    }

    /// A channel whose offset moves on.
    fn next(&mut self, channel: ChannelNo, offset: u64) -> Result<usize, StoreError> {
        let staged = self.named(channel, false)?;
        let last = self.staged[staged].last;
        if offset > last { Ok(staged) } else { Err(StoreError::OutOfOrder { channel, offset, last }) }
    }

    /// Says in this segment where a channel is, and that nothing of it is in older ones.
    pub(super) fn carried(&mut self, channel: ChannelNo) -> Result<(), StoreError> {
        self.named(channel, true).map(drop)
    }

    /// Adds a small value.
    pub(super) fn value(&mut self, space: u8, key: &[u8], value: Option<&[u8]>) -> Result<(), StoreError> {
        let flags = if value.is_some() { 0 } else { REMOVED };
        self.put(Kind::Value, flags, 0, (0, self.now), &[&value_head(space, key), key, value.unwrap_or_default()])
    }

    /// Adds the record of an end in order.
    pub(super) fn end(&mut self) -> Result<(), StoreError> {
        self.put(Kind::End, 0, 0, (0, self.now), &[])
    }

    /// What the batch knows of a channel.
    fn stage(&mut self, channel: ChannelNo) -> Result<usize, StoreError> {
        let unknown = StoreError::UnknownChannel(channel);
        let Some(known) = self.state.channels.get_mut(channel.get()) else { return Err(unknown) };
        if known.staged == 0 {
            let is_named = known.announced && known.home == self.segment;
            let (channel, last, total) = (channel.get(), known.last, known.total);
            self.staged.push(Staged { channel, last, total, is_named, is_forgotten: false });
            known.staged = self.staged.len() as u32;
        }
        let staged = known.staged as usize - 1;
        if self.staged[staged].is_forgotten { Err(unknown) } else { Ok(staged) }
    }

    /// The same, named in this segment.
    fn named(&mut self, channel: ChannelNo, cut: bool) -> Result<usize, StoreError> {
        let staged = self.stage(channel)?;
        if !self.staged[staged].is_named {
            self.staged[staged].is_named = true;
            let empty = self.state.channels.get(channel.get()).is_some_and(|known| known.empty);
            self.name(Kind::Name, if cut || empty { CUT } else { 0 }, staged, None)?;
        }
        Ok(staged)
    }

    fn name(&mut self, kind: Kind, flags: u8, staged: usize, epoch: Option<&str>) -> Result<(), StoreError> {
        let Staged { channel, last, total, .. } = self.staged[staged];
        let Some(known) = self.state.channels.get(channel) else { return Ok(()) };
        let epoch = epoch.map_or(known.epoch(), str::as_bytes);
        let named = Named { total, epoch, name: self.state.channels.name(known) };
        // A channel that is carried on is no younger for it.
        let at = if flags & CUT != 0 && last > 0 { u64::from(known.active) * 1000 } else { self.now };
        let head = Head { kind, flags, channel, offset: last, at };
        record::encode(self.buffer, self.base, self.salt, &head, &[&named.head(), epoch, named.name]);
        Ok(())
    }

    fn put(
        &mut self,
        kind: Kind,
        flags: u8,
        channel: u32,
        (offset, at): (u64, u64),
        body: &[&[u8]],
    ) -> Result<(), StoreError> {
        let bytes: usize = body.iter().map(|part| part.len()).sum();
        if bytes + HEADER > self.options.record_bytes_max as usize {
            return Err(StoreError::TooLarge);
        }
        record::encode(self.buffer, self.base, self.salt, &Head { kind, flags, channel, offset, at }, body);
        Ok(())
    }

    /// The batch is made, or given up: its notes go.
    pub(super) fn finish(self) {
        for staged in &self.staged {
            if let Some(known) = self.state.channels.get_mut(staged.channel) {
                known.staged = 0;
            }
        }
    }
}

/// Whether a channel may have this name and epoch.
pub(super) fn fits(name: &str, epoch: &str) -> bool {
    (1..=NAME_BYTES).contains(&name.len()) && epoch.len() <= EPOCH_BYTES
}
