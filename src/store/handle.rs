//! A store that is open: what it holds, and what it knows of itself.

use super::body::EPOCH_BYTES;
use super::channels::Channel;
use super::error::StoreError;
use super::files::{Files, Lock};
use super::meta::Meta;
use super::number::ChannelNo;
use super::options::Options;
use super::segment::{Place, Segment};
use super::state::{Shared, State};
use std::io;
use std::ops::Deref;
use std::sync::Arc;

/// A durable log of publications, positions and small values. It has one owner; others read by [`Reader`](super::Reader).
pub struct Store {
    pub(super) files: Arc<dyn Files>,
    pub(super) options: Options,
    pub(super) meta: Meta,
    pub(super) shared: Arc<Shared>,
    /// The newest segment, and the length up to which it is good.
    pub(super) active: Arc<Segment>,
    pub(super) length: u64,
    /// What is written next.
    pub(super) buffer: Vec<u8>,
    /// The end of what was appended for somebody, and up to where everything is on the device.
    pub(super) appended: Place,
    pub(super) synced: Place,
    /// Full segments of which not everything is on the device.
    pub(super) unsynced: Vec<Arc<Segment>>,
    /// How often files were made or removed, and how many of these are durable.
    pub(super) changes: u64,
    pub(super) changes_synced: u64,
    /// Why nothing more is taken.
    pub(super) broken: Option<String>,
    pub(super) chores: super::chores::Chores,
    /// Held as long as the store is open.
    pub(super) _lock: Box<dyn Lock>,
}

/// What a store knows of a channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChannelState {
    /// Its epoch.
    pub epoch: KeptEpoch,
    /// The offset of its last publication; 0 if there was none.
    pub last: u64,
    /// When something last happened to it, in milliseconds since 1970, to the second.
    pub active: u64,
}

impl ChannelState {
    fn of(channel: &Channel) -> ChannelState {
        ChannelState {
            epoch: KeptEpoch::of(channel.epoch()),
            last: channel.last,
            active: u64::from(channel.active) * 1000,
        }
    }
}

/// The epoch of a channel, as text: what is not UTF-8 is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeptEpoch {
    bytes: [u8; EPOCH_BYTES],
    length: u8,
}

impl KeptEpoch {
    fn of(kept: &[u8]) -> KeptEpoch {
        let mut bytes = [0; EPOCH_BYTES];
        bytes[..kept.len()].copy_from_slice(kept);
        KeptEpoch { bytes, length: kept.len() as u8 }
    }
}

impl Deref for KeptEpoch {
    type Target = str;

    fn deref(&self) -> &str {
        std::str::from_utf8(&self.bytes[..usize::from(self.length)]).unwrap_or_default()
    }
}

/// What a store takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stats {
    /// Bytes of its files.
    pub bytes: u64,
    /// Its segments.
    pub segments: u32,
    /// Its channels.
    pub channels: u32,
    /// Bytes that are written and not yet known to be on the device; those of full segments are not counted.
    pub unsynced: u64,
    /// Bytes of memory for channels.
    pub channel_memory: u64,
    /// Bytes of memory for indexes that are not yet in files.
    pub index_memory: u64,
    /// Bytes of memory for small values.
    pub value_memory: u64,
}

impl Store {
    /// The number of a channel.
    #[cfg(test)]
    pub fn channel(&self, name: &str) -> Option<ChannelNo> {
        self.find(name).map(|(number, _)| number)
    }

    /// A channel's number, and what is known of it.
    pub fn find(&self, name: &str) -> Option<(ChannelNo, ChannelState)> {
        let state = self.shared.lock();
        let number = state.channels.find(name.as_bytes())?;
        Some((ChannelNo::new(number), ChannelState::of(state.channels.get(number)?)))
    }

    /// What is known of a channel.
    pub fn state(&self, channel: ChannelNo) -> Option<ChannelState> {
        self.shared.lock().channels.get(channel.get()).map(ChannelState::of)
    }

    /// Channels by number, from one number on: at most `most`, so that nobody waits long. To go on, begin after the last.
    pub fn channels(&self, from: u32, most: usize) -> Vec<(ChannelNo, String, ChannelState)> {
        let state = self.shared.lock();
        let known = |number| {
            let channel = state.channels.get(number)?;
            let name = String::from_utf8_lossy(state.channels.name(channel)).into_owned();
            Some((ChannelNo::new(number), name, ChannelState::of(channel)))
        };
        (from..=state.channels.greatest()).filter_map(known).take(most).collect()
    }

    /// A small value.
    pub fn value(&self, space: u8, key: &[u8]) -> Option<Vec<u8>> {
        self.shared.lock().values.get(space, key).map(<[u8]>::to_vec)
    }

    /// All small values of a namespace, by key.
    pub fn values(&self, space: u8) -> Vec<(Vec<u8>, Vec<u8>)> {
        self.shared.lock().values.all(space).map(|(key, content)| (key.to_vec(), content.to_vec())).collect()
    }

    /// The generation: it rises each time that something acknowledged may be gone.
    pub fn generation(&self) -> u32 {
        self.meta.generation
    }

    /// What it takes.
    pub fn stats(&self) -> Stats {
        let state = self.shared.lock();
        let before = if self.synced.segment == self.active.number { self.synced.at } else { 0 };
        Stats {
            bytes: bytes(&state),
            segments: state.segments.len() as u32,
            channels: state.channels.count(),
            unsynced: if self.synced < self.appended { self.length - before } else { 0 },
            channel_memory: state.channels.bytes() as u64,
            index_memory: state.growing.iter().map(|(_, growing)| growing.bytes() as u64).sum(),
            value_memory: state.values.bytes(),
        }
    }

    /// Refuses when it failed before.
    pub(super) fn whole(&self) -> Result<(), StoreError> {
        self.broken.as_ref().map_or(Ok(()), |why| Err(StoreError::Broken(why.clone())))
    }

    /// What the device holds is no longer known: nothing more is taken.
    pub(super) fn fail(&mut self, what: &str, error: &io::Error) -> StoreError {
        let why = format!("{what}: {error}");
        self.broken = Some(why.clone());
        StoreError::Broken(why)
    }
}

/// Bytes of all files.
pub(super) fn bytes(state: &State) -> u64 {
    state.segments.iter().map(|segment| segment.bytes()).sum()
}
