//! All keys of a configuration, and whether they are told apart.

use super::key::KeySettings;
use super::knobs::Config;

/// How many keys there may be at most: each request with a key is compared with all of them.
const KEYS_MAX: usize = 1000;

impl Config {
    /// What is wrong with the keys. What is wrong with a block names it by its number, from 1.
    pub(super) fn key_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.keys.len() > KEYS_MAX {
            problems.push(format!("there are {} keys, and at most {KEYS_MAX} are possible", self.keys.len()));
        }
        for (index, key) in self.keys.iter().enumerate() {
            let before = &self.keys[..index];
            let twice = || {
                let same = |other: &KeySettings| match () {
                    () if other.name == key.name => Some("name"),
                    () if other.secret == key.secret => Some("secret"),
                    () => None,
                };
                let (place, what) = before.iter().enumerate().find_map(|(at, other)| Some((at + 1, same(other)?)))?;
                Some(format!("it has the {what} of [[key]] {place}; each key has its own"))
            };
            let problem = key.check().err().or_else(twice);
            problems.extend(problem.map(|problem| format!("[[key]] {}: {problem}", index + 1)));
        }
        problems
    }
}
