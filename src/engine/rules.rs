//! What channels keep, and what their publications outlive, by their names: as an engine is told by the configuration.

use crate::config::{Config, Durability};
use crate::model::glob_map::GlobMap;
use std::time::Duration;

/// See the module.
#[derive(Debug)]
pub struct Rules {
    by_names: GlobMap<Kept>,
    otherwise: Kept,
}

/// What holds for a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Kept {
    /// What a publication outlives from its answer on.
    pub(super) durability: Durability,
    /// Publications.
    pub(super) count: usize,
    /// Bytes of them.
    pub(super) bytes: usize,
    /// How long each is kept.
    pub(super) age: Duration,
}

impl Rules {
    /// Those of a configuration.
    #[must_use]
    pub fn new(config: &Config) -> Rules {
        let history = &config.history;
        let otherwise =
            Kept { durability: history.durability, count: history.count, bytes: history.bytes, age: history.age };
        let by_names = GlobMap::new(config.channel_rules.iter().map(|rule| {
            let kept = Kept {
                durability: rule.durability.unwrap_or(otherwise.durability),
                count: rule.history_count.unwrap_or(otherwise.count),
                bytes: rule.history_bytes.unwrap_or(otherwise.bytes),
                age: rule.history_age.unwrap_or(otherwise.age),
            };
            (rule.channels.clone(), kept)
        }));
        Rules { by_names, otherwise }
    }

    /// What holds for the channel of this name.
    pub(super) fn of(&self, name: &str) -> Kept {
        self.by_names.first(name).map_or(self.otherwise, |(_, kept)| *kept)
    }
}

#[cfg(test)]
mod tests {
    use super::Rules;
    use crate::config::{Config, Durability};

    #[test]
    fn the_first_rule_that_matches_says_it_and_what_it_leaves_out_is_as_for_all() {
        let text = "server.engine = \"disk\"\nhistory.count = 5\n[[channel]]\nmatch = \"pay:*\"\ndurability = \"synced\"\n\
            [[channel]]\nmatch = \"pay:a\"\nhistory_count = 9\n";
        let rules = Rules::new(&Config::from_toml("t", text).expect("valid"));
        assert_eq!((rules.of("pay:a").durability, rules.of("pay:a").count), (Durability::Synced, 5));
        assert_eq!((rules.of("other").durability, rules.of("other").count), (Durability::Written, 5));
    }
}
