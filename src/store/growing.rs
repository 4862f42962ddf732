//! The index of a segment while it grows, in memory: which channels are in it, and where their publications begin.

/// No link.
const NONE: u32 = u32::MAX;

/// A publication that is kept: 16 bytes. `jump` is a link further back, so that any one is found in few steps.
#[derive(Debug, Clone, Copy)]
struct Link {
    place: u32,
    back: u32,
    jump: u32,
    /// How many of its channel are before it, since the history was last cut.
    depth: u32,
}

/// A channel in the segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Touched {
    pub(super) channel: u32,
    /// Where its newest record of name and epoch begins.
    pub(super) head: u32,
    /// The segment before this one with publications that belong to the same history; 0 if there is none.
    pub(super) before: u32,
    /// Its slot there, while the index of that segment is in memory.
    pub(super) before_slot: u32,
    newest: u32,
    /// The offset of its last publication.
    pub(super) last: u64,
    /// Bytes of bodies that it had in this epoch up to here.
    pub(super) total: u64,
    /// When it was last published to, in milliseconds since 1970.
    pub(super) at: u64,
    pub(super) forgotten: bool,
}

/// The index of one segment.
#[derive(Default)]
pub(super) struct Growing {
    channels: Vec<Touched>,
    links: Vec<Link>,
    /// Where records of small values begin.
    pub(super) values: Vec<u32>,
    /// Until when a key in it counts, at most.
    pub(super) keys_expire: u64,
    /// When the newest publication was made.
    pub(super) newest_at: u64,
}

/// Where a walk through the publications of a channel is, from the newest to the oldest.
#[derive(Debug, Clone, Copy)]
pub(super) struct Walk(u32);

impl Growing {
    /// A channel's first record in this segment; its slot.
    pub(super) fn touch(&mut self, channel: u32, head: u32, (before, before_slot): (u32, u32)) -> u32 {
        let slot = self.channels.len() as u32;
        let (newest, last, total, at) = (NONE, 0, 0, 0);
        self.channels.push(Touched { channel, head, before, before_slot, newest, last, total, at, forgotten: false });
        slot
    }

    pub(super) fn get(&self, slot: u32) -> Option<&Touched> {
        self.channels.get(slot as usize)
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut Touched> {
        self.channels.get_mut(slot as usize)
    }

    /// Nothing before now belongs to the history of a channel.
    pub(super) fn cut(&mut self, slot: u32) {
        if let Some(touched) = self.channels.get_mut(slot as usize) {
            (touched.newest, touched.before) = (NONE, 0);
        }
    }

    /// Adds the next publication of a channel.
    pub(super) fn push(&mut self, slot: u32, place: u32) {
        let Some(touched) = self.channels.get_mut(slot as usize) else { return };
        let number = self.links.len() as u32;
        let link = match self.links.get(touched.newest as usize) {
            None => Link { place, back: NONE, jump: number, depth: 0 },
            Some(back) => {
                // Jumps of two equal lengths in a row are taken together, as in a skew-binary number.
                let over = self.links[back.jump as usize];
                let joins = back.depth - over.depth == over.depth - self.links[over.jump as usize].depth;
                let jump = if joins && back.depth > 0 { over.jump } else { touched.newest };
                Link { place, back: touched.newest, jump, depth: back.depth + 1 }
            }
        };
        touched.newest = number;
        self.links.push(link);
    }

    /// How many publications of a channel there are.
    pub(super) fn count(&self, slot: u32) -> u32 {
        self.get(slot).and_then(|touched| self.links.get(touched.newest as usize)).map_or(0, |link| link.depth + 1)
    }

    /// Where publications of a channel begin, by their depth: ascending, both ends included.
    pub(super) fn places(&self, slot: u32, first: u32, last: u32) -> Vec<u32> {
        let Some(touched) = self.get(slot) else { return Vec::new() };
        let mut at = touched.newest;
        while let Some(link) = self.links.get(at as usize).filter(|link| link.depth > last) {
            let jump = self.links[link.jump as usize];
            at = if jump.depth >= last && link.jump != at { link.jump } else { link.back };
        }
        let mut places = Vec::with_capacity((last.saturating_sub(first) as usize + 1).min(4096));
        while let Some(link) = self.links.get(at as usize).filter(|link| link.depth >= first) {
            places.push(link.place);
            at = link.back;
        }
        places.reverse();
        places
    }

    /// A walk from the newest publication of a channel.
    pub(super) fn walk(&self, slot: u32) -> Walk {
        Walk(self.get(slot).map_or(NONE, |touched| touched.newest))
    }

    /// The place of the next older one.
    pub(super) fn step(&self, walk: &mut Walk) -> Option<u32> {
        let link = self.links.get(walk.0 as usize)?;
        walk.0 = link.back;
        Some(link.place)
    }

    pub(super) fn channels(&self) -> usize {
        self.channels.len()
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.channels.capacity() * size_of::<Touched>()
            + self.links.capacity() * size_of::<Link>()
            + self.values.capacity() * 4
    }
}
