//! All rules for channels of a configuration, and whether they are compatible.

use super::knobs::Config;
use super::text::quoted;
use super::units::size_text;

/// How many rules there may be at most: a channel names its own by two bytes.
const CHANNEL_RULES_MAX: usize = 10_000;

impl Config {
    /// What is wrong with the rules. What is wrong with a block names it by its number, from 1.
    pub(super) fn channel_problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if self.channel_rules.len() > CHANNEL_RULES_MAX {
            let count = self.channel_rules.len();
            problems
                .push(format!("there are {count} [[channel]] blocks, and at most {CHANNEL_RULES_MAX} are possible"));
        }
        for (index, rule) in self.channel_rules.iter().enumerate() {
            let number = index + 1;
            if let Some(first) = self.channel_rules[..index].iter().position(|other| other.channels == rule.channels) {
                problems.push(format!(
                    "[[channel]] {number}: {} is the pattern of [[channel]] {} already, which counts since it comes first",
                    quoted(rule.channels.as_str()),
                    first + 1
                ));
            }
            if let Some((setting, total)) = self.history_room()
                && let Some(bytes) = rule.history_bytes.filter(|bytes| *bytes > total)
            {
                problems.push(format!(
                    "[[channel]] {number}: history_bytes ({}) must be at most \"{setting}\" ({}): all channels \
                     together must hold at least one",
                    size_text(bytes),
                    size_text(total)
                ));
            }
        }
        problems
    }
}
