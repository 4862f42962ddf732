//! Small values by namespace and key, in memory, each with the segment that holds it.

use std::collections::BTreeMap;
use std::ops::Bound;

/// What a value takes in memory besides key and content, in bytes; about.
const OVERHEAD: u64 = 80;

type Address = (u8, Vec<u8>);

/// All small values.
#[derive(Default)]
pub(super) struct Values {
    map: BTreeMap<Address, (Vec<u8>, u32)>,
    bytes: u64,
}

impl Values {
    /// Sets or removes a value, as a record in a segment says.
    pub(super) fn apply(&mut self, space: u8, key: &[u8], content: Option<&[u8]>, segment: u32) {
        let address = (space, key.to_vec());
        let old = match content {
            Some(content) => {
                self.bytes += size(key, content);
                self.map.insert(address, (content.to_vec(), segment))
            }
            None => self.map.remove(&address),
        };
        self.bytes -= old.map_or(0, |(old, _)| size(key, &old));
    }

    pub(super) fn get(&self, space: u8, key: &[u8]) -> Option<&[u8]> {
        self.map.get(&(space, key.to_vec())).map(|(content, _)| content.as_slice())
    }

    /// All of one namespace, by key.
    pub(super) fn all(&self, space: u8) -> impl Iterator<Item = (&[u8], &[u8])> {
        let of_it = move |address: &&Address| address.0 == space;
        let from = self.map.range((space, Vec::new())..);
        from.take_while(move |(address, _)| of_it(address))
            .map(|((_, key), (content, _))| (key.as_slice(), content.as_slice()))
    }

    /// The next few after one, and which of these are held by a segment.
    pub(super) fn held_by(
        &self,
        segment: u32,
        after: Option<&Address>,
        most: usize,
    ) -> (Vec<Address>, Option<Address>) {
        let from = after.map_or(Bound::Unbounded, Bound::Excluded);
        let mut held = Vec::new();
        let mut last = None;
        for (address, (_, home)) in self.map.range::<Address, _>((from, Bound::Unbounded)).take(most) {
            last = Some(address);
            if *home == segment {
                held.push(address.clone());
            }
        }
        (held, last.cloned())
    }

    /// Bytes of memory, about.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }
}

/// Bytes of memory that a value takes.
pub(super) fn size(key: &[u8], content: &[u8]) -> u64 {
    (key.len() + content.len()) as u64 + OVERHEAD
}
