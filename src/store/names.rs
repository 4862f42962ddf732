//! The names of channels in one piece of memory: a name that is given up leaves room for the next one of its size.

use super::body::NAME_BYTES;

/// Names begin at multiples of this many bytes.
const UNIT: usize = 8;
const SIZES: usize = NAME_BYTES.div_ceil(UNIT) + 1;

/// All names, each at its place.
pub(super) struct Names {
    arena: Vec<u8>,
    /// By size in units: places that are free.
    free: [Vec<u32>; SIZES],
}

impl Names {
    pub(super) fn new() -> Names {
        Names { arena: Vec::new(), free: std::array::from_fn(|_| Vec::new()) }
    }

    /// Keeps a name; where it is.
    pub(super) fn keep(&mut self, name: &[u8]) -> u32 {
        let units = name.len().div_ceil(UNIT);
        let place = self.free[units].pop().unwrap_or_else(|| {
            let place = self.arena.len() / UNIT;
            self.arena.resize(self.arena.len() + units * UNIT, 0);
            place as u32
        });
        let start = place as usize * UNIT;
        self.arena[start..start + name.len()].copy_from_slice(name);
        place
    }

    pub(super) fn get(&self, place: u32, length: u8) -> &[u8] {
        let start = place as usize * UNIT;
        &self.arena[start..start + usize::from(length)]
    }

    pub(super) fn give_up(&mut self, place: u32, length: u8) {
        self.free[usize::from(length).div_ceil(UNIT)].push(place);
    }

    /// Bytes of memory.
    pub(super) fn bytes(&self) -> usize {
        self.arena.len() + self.free.iter().map(|free| free.capacity() * 4).sum::<usize>()
    }
}
