//! Values by patterns of channel names: the first pattern that matches a name counts.

use super::glob::Glob;
use std::collections::HashMap;

/// Patterns in an order, each with a value. Looking a name up takes about as long with a thousand of them as with ten: only
/// those are tried that begin as the name does.
#[derive(Debug, Clone)]
pub struct GlobMap<T> {
    entries: Vec<(Glob, T)>,
    /// The entries by the text before their first star, in order; empty when they are few.
    by_prefix: HashMap<Box<str>, Vec<Candidate>>,
    /// The lengths of these texts, each once, the shortest first.
    lengths: Vec<usize>,
}

/// An entry, with the end of what follows its last star: where a thousand begin alike, most are ruled out without a look at
/// the pattern, which is elsewhere in memory.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    index: u32,
    tail: u32,
    /// The bits of `tail` that count: the text may be shorter.
    mask: u32,
}

impl Candidate {
    fn new(index: usize, glob: &Glob) -> Candidate {
        let bytes = glob.suffix().len().min(size_of::<u32>());
        let mask = u32::MAX.checked_shr(u32::BITS - 8 * bytes as u32).unwrap_or(0);
        Candidate { index: index as u32, tail: tail(glob.suffix()) & mask, mask }
    }

    fn may_match(&self, tail: u32) -> bool {
        tail & self.mask == self.tail
    }
}

/// The last four bytes of a text, or zeros and all of it.
fn tail(text: &str) -> u32 {
    match text.as_bytes().last_chunk() {
        Some(last) => u32::from_be_bytes(*last),
        None => text.bytes().fold(0, |tail, byte| tail << 8 | u32::from(byte)),
    }
}

/// As many patterns are tried one after the other in the time that looking for their prefixes would take.
const FEW: usize = 8;

impl<T> GlobMap<T> {
    /// Takes patterns with their values, in order.
    pub fn new(entries: impl IntoIterator<Item = (Glob, T)>) -> GlobMap<T> {
        let entries: Vec<(Glob, T)> = entries.into_iter().collect();
        let mut by_prefix: HashMap<Box<str>, Vec<Candidate>> = HashMap::new();
        let mut lengths = Vec::new();
        if entries.len() > FEW {
            for (index, (glob, _)) in entries.iter().enumerate() {
                let prefix = glob.prefix();
                by_prefix.entry(prefix.into()).or_default().push(Candidate::new(index, glob));
                lengths.push(prefix.len());
            }
            lengths.sort_unstable();
            lengths.dedup();
        }
        GlobMap { entries, by_prefix, lengths }
    }

    /// The first entry whose pattern matches a name, with its place in the order.
    #[must_use]
    #[inline]
    pub fn first(&self, name: &str) -> Option<(usize, &T)> {
        let index = if self.lengths.is_empty() {
            self.entries.iter().position(|(glob, _)| glob.matches(name))?
        } else {
            self.first_by_prefix(name)?
        };
        Some((index, &self.entries[index].1))
    }

    fn first_by_prefix(&self, name: &str) -> Option<usize> {
        let (mut best, tail) = (None, tail(name));
        for length in self.lengths.iter().take_while(|length| **length <= name.len()) {
            // Prefixes are whole characters; a cut inside one of the name's is a prefix of none.
            let Some(entries) = name.get(..*length).and_then(|prefix| self.by_prefix.get(prefix)) else { continue };
            for index in entries.iter().filter(|entry| entry.may_match(tail)).map(|entry| entry.index as usize) {
                if best.is_some_and(|best| best < index) {
                    break;
                }
                if self.entries[index].0.matches(name) {
                    best = Some(index);
                    break;
                }
            }
        }
        best
    }

    /// All entries in order.
    pub fn iter(&self) -> impl Iterator<Item = (&Glob, &T)> {
        self.entries.iter().map(|(glob, value)| (glob, value))
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }
}

impl<T> Default for GlobMap<T> {
    fn default() -> GlobMap<T> {
        GlobMap::new([])
    }
}

#[cfg(test)]
mod tests {
    use super::{FEW, Glob, GlobMap};
    use proptest::prelude::{prop_assert_eq, proptest};

    fn map(patterns: &[String]) -> GlobMap<usize> {
        GlobMap::new(patterns.iter().enumerate().map(|(index, text)| (Glob::parse(text).expect(text), index * 10)))
    }

    #[test]
    fn the_first_match_counts_and_is_named_by_its_place() {
        let few = ["a:*", "a:b", "**"].map(str::to_owned);
        assert_eq!(map(&few).first("a:b"), Some((0, &0)));
        assert_eq!(map(&few).first("x"), Some((2, &20)));
        assert_eq!(map(&few[..2]).first("x"), None);
        assert!(map(&[]).is_empty() && map(&[]).first("x").is_none());
    }

    proptest! {
        #[test]
        fn many_patterns_are_searched_as_few_are(
            patterns in proptest::collection::vec("[abä:]{0,3}\\*{0,2}[ab]{0,2}(\\*[aä]{0,6})?", 1..40),
            names in proptest::collection::vec("[abä:]{1,6}a{0,4}", 20),
        ) {
            let patterns: Vec<String> = patterns.into_iter().filter(|text| Glob::parse(text).is_ok()).collect();
            let map = map(&patterns);
            prop_assert_eq!(map.lengths.is_empty(), patterns.len() <= FEW);
            for name in names {
                let plainly = patterns.iter().position(|text| Glob::parse(text).expect("one").matches(&name));
                prop_assert_eq!(map.first(&name).map(|(index, _)| index), plainly, "{}", name);
            }
        }
    }
}
