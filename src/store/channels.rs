//! What is known of each channel: 56 bytes, its name, and a slot of a hash table.

use super::body::EPOCH_BYTES;
use super::names::Names;
use std::hash::{BuildHasher as _, RandomState};

/// No segment, no slot.
pub(super) const NONE: u32 = 0;
/// Slots of the hash table for each three channels.
const SLOTS_PER_THREE: u64 = 4;

/// A channel.
#[derive(Debug, Clone, Copy)]
pub(super) struct Channel {
    /// The offset of its last publication.
    pub(super) last: u64,
    /// Bytes of bodies that it ever had in this epoch.
    pub(super) total: u64,
    epoch: [u8; EPOCH_BYTES],
    name: u32,
    /// The newest segment that says something of it; `NONE` before its first record.
    pub(super) home: u32,
    /// Its slot in the index of that segment while that is in memory.
    pub(super) slot: u32,
    /// When something last happened to it, in seconds since 1970.
    pub(super) active: u32,
    /// Its place in the batch that is being made, counted from 1.
    pub(super) staged: u32,
    name_length: u8,
    epoch_length: u8,
    /// Whether nothing of it is kept.
    pub(super) empty: bool,
    /// Whether its name is in that segment.
    pub(super) announced: bool,
}

impl Channel {
    /// A channel without anything.
    const NEW: Channel = Channel {
        last: 0,
        total: 0,
        epoch: [0; EPOCH_BYTES],
        name: 0,
        home: NONE,
        slot: 0,
        active: 0,
        staged: 0,
        name_length: 0,
        epoch_length: 0,
        empty: true,
        announced: false,
    };

    pub(super) fn epoch(&self) -> &[u8] {
        &self.epoch[..usize::from(self.epoch_length)]
    }

    pub(super) fn set_epoch(&mut self, epoch: &[u8]) {
        self.epoch = [0; EPOCH_BYTES];
        self.epoch[..epoch.len()].copy_from_slice(epoch);
        self.epoch_length = epoch.len() as u8;
    }

    /// What is left of a channel that is forgotten: where its number was used last, since it has one slot in each segment.
    fn vacated(&self) -> Channel {
        Channel { home: self.home, slot: self.slot, empty: true, ..Channel::NEW }
    }

    /// Goes on with what was known before its name was.
    pub(super) fn resume(&mut self, known: &Channel) {
        (self.last, self.total, self.active, self.empty) = (known.last, known.total, known.active, known.empty);
        (self.home, self.slot, self.announced) = (known.home, known.slot, true);
    }

    /// Whether its number is in use, by a channel whose name is known.
    pub(super) fn is_named(&self) -> bool {
        self.name_length > 0
    }
}

/// All channels, by number and by name.
pub(super) struct Channels {
    list: Vec<Channel>,
    free: Vec<u32>,
    names: Names,
    /// Numbers of channels by the hash of their names: linear probing. Its memory counts only where it was written.
    slots: Vec<u32>,
    hasher: RandomState,
    count: u32,
    most: u32,
}

impl Channels {
    pub(super) fn new(most: u32) -> Channels {
        let slots = u64::from(most) * SLOTS_PER_THREE / 3 + 8;
        // Room for all of them: what is not used takes no memory, and nothing is ever moved. Number 0 is no channel.
        let mut list = Vec::with_capacity(most as usize + 1);
        list.push(Channel::NEW);
        Channels {
            list,
            free: Vec::new(),
            names: Names::new(),
            slots: vec![NONE; usize::try_from(slots).unwrap_or(usize::MAX)],
            hasher: RandomState::new(),
            count: 0,
            most,
        }
    }

    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// The greatest number that was ever given.
    pub(super) fn greatest(&self) -> u32 {
        self.list.len() as u32 - 1
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= self.most
    }

    /// A channel in use.
    pub(super) fn get(&self, number: u32) -> Option<&Channel> {
        self.list.get(number as usize).filter(|channel| channel.is_named())
    }

    /// A channel in use, to change.
    pub(super) fn get_mut(&mut self, number: u32) -> Option<&mut Channel> {
        self.list.get_mut(number as usize).filter(|channel| channel.is_named())
    }

    pub(super) fn name(&self, channel: &Channel) -> &[u8] {
        self.names.get(channel.name, channel.name_length)
    }

    /// The channel that has a name.
    pub(super) fn find(&self, name: &[u8]) -> Option<u32> {
        let slot = self.probe(name);
        (self.slots[slot] != NONE).then(|| self.slots[slot])
    }

    /// The slot of a name, or the free one where it would be.
    fn probe(&self, name: &[u8]) -> usize {
        let mut slot = self.ideal(name);
        loop {
            let number = self.slots[slot];
            if number == NONE || self.name(&self.list[number as usize]) == name {
                return slot;
            }
            slot = (slot + 1) % self.slots.len();
        }
    }

    /// A store that had more channels before than it may have now still reads all of them.
    fn make_room(&mut self) {
        // At most seven of eight slots are taken.
        if (self.count as usize + 1) * 8 < self.slots.len() * 7 {
            return;
        }
        self.slots = vec![NONE; self.slots.len() * 2];
        for number in 1..self.list.len() as u32 {
            if let Some(channel) = self.get(number) {
                let slot = self.probe(self.name(channel));
                self.slots[slot] = number;
            }
        }
    }

    fn ideal(&self, name: &[u8]) -> usize {
        let hash = u128::from(self.hasher.hash_one(name));
        ((hash * self.slots.len() as u128) >> 64) as usize
    }

    /// A number for a new channel; `None` if there are as many as there may be.
    pub(super) fn add(&mut self, name: &[u8], epoch: &[u8]) -> Option<u32> {
        if self.is_full() {
            return None;
        }
        let number = self.free.pop().unwrap_or(self.list.len() as u32);
        self.set(number, name, epoch);
        Some(number)
    }

    /// Gives a number a name and an epoch, as records say that it has them.
    pub(super) fn set(&mut self, number: u32, name: &[u8], epoch: &[u8]) -> &mut Channel {
        let at = number as usize;
        if self.list.len() <= at {
            self.list.resize(at + 1, Channel::NEW);
        }
        let same = self.list[at].is_named() && self.name(&self.list[at]) == name;
        if !same {
            // What was said of a number before its name was known stays.
            if self.list[at].is_named() {
                self.unname(number);
                self.list[at] = self.list[at].vacated();
            }
            if let Some(other) = self.find(name) {
                self.unname(other);
                self.list[other as usize] = self.list[other as usize].vacated();
            }
            self.make_room();
            let slot = self.probe(name);
            self.slots[slot] = number;
            self.list[at].name = self.names.keep(name);
            self.list[at].name_length = name.len() as u8;
            self.count += 1;
        }
        self.list[at].set_epoch(epoch);
        self.list[at].staged = 0;
        &mut self.list[at]
    }

    /// A channel whose name will be known later: it may be another one than the number had.
    pub(super) fn pending(&mut self, number: u32) -> &mut Channel {
        let at = number as usize;
        if self.list.len() <= at {
            self.list.resize(at + 1, Channel::NEW);
        }
        if self.list[at].is_named() {
            self.unname(number);
        }
        self.list[at].staged = 1;
        &mut self.list[at]
    }

    /// What is known of a channel whose name is still to be known.
    pub(super) fn still_pending(&self, number: u32) -> Option<Channel> {
        self.list.get(number as usize).filter(|channel| channel.staged > 0).copied()
    }

    /// Forgets a channel; its number is free.
    pub(super) fn remove(&mut self, number: u32) {
        if self.get(number).is_some() {
            self.unname(number);
            self.free.push(number);
        }
        if let Some(channel) = self.list.get_mut(number as usize) {
            *channel = channel.vacated();
        }
    }

    /// After all records were read: the numbers that none has are free.
    pub(super) fn settle(&mut self) {
        self.free = (1..self.list.len() as u32).rev().filter(|number| self.get(*number).is_none()).collect();
    }

    fn unname(&mut self, number: u32) {
        let Channel { name, name_length, .. } = self.list[number as usize];
        let mut hole = self.probe(self.names.get(name, name_length));
        // Those after it that are there only since its slot was taken move up.
        let slots = self.slots.len();
        let mut next = hole;
        loop {
            next = (next + 1) % slots;
            let moved = self.slots[next];
            if moved == NONE {
                break;
            }
            let ideal = self.ideal(self.name(&self.list[moved as usize]));
            if (next + slots - ideal) % slots >= (next + slots - hole) % slots {
                self.slots[hole] = moved;
                hole = next;
            }
        }
        self.slots[hole] = NONE;
        self.names.give_up(name, name_length);
        self.list[number as usize].name_length = 0;
        self.count -= 1;
    }

    /// Bytes of memory that are in use.
    pub(super) fn bytes(&self) -> usize {
        let table = self.slots.len().min(self.count as usize * 1024) * 4;
        self.list.len() * size_of::<Channel>() + self.names.bytes() + table + self.free.capacity() * 4
    }
}
