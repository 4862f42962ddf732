//! Whether a configuration says one thing about where histories are kept.

use super::choice::{Durability, EngineKind};
use super::knobs::Config;
use super::units::size_text;

/// What is around the data of a publication in the log, its name, event, media type and key at their longest included.
const AROUND_BYTES: usize = 2048;

impl Config {
    /// What is wrong with the store.
    pub(super) fn store_problems(&self) -> Vec<String> {
        match self.server.engine {
            EngineKind::Memory => self.store_without_disk("this server keeps its histories in memory alone"),
            EngineKind::Redis => self.store_without_disk("what Redis outlives is said there (appendonly, appendfsync)"),
            EngineKind::Disk => self.store_sizes(),
        }
    }

    /// It would be believed to be in use.
    fn store_without_disk(&self, because: &str) -> Vec<String> {
        let needed = format!("needs \"server.engine\" = \"disk\": {because}");
        let mut problems = Vec::new();
        if self.history.durability != Durability::Written {
            problems.push(format!("\"history.durability\" {needed}"));
        }
        if !self.store.folder.is_empty() {
            problems.push(format!("\"store.folder\" {needed}"));
        }
        let rule = self.channel_rules.iter().position(|rule| rule.durability.is_some());
        problems.extend(rule.map(|place| format!("[[channel]] {}: durability {needed}", place + 1)));
        problems
    }

    fn store_sizes(&self) -> Vec<String> {
        let (segment, total) = (self.store.segment_bytes, self.store.total_bytes);
        let mut problems = Vec::new();
        if total / 4 < segment {
            problems.push(format!(
                "\"store.segment_bytes\" ({}) must be at most a quarter of \"store.total_bytes\" ({}): when the log has more, its \
                 oldest segment goes",
                size_text(segment),
                size_text(total)
            ));
        }
        let largest =
            [("websocket.message_bytes", self.websocket.message_bytes), ("http.body_bytes", self.http.body_bytes)];
        for (name, bytes) in largest {
            if bytes.saturating_add(AROUND_BYTES) > segment {
                problems.push(format!(
                    "\"{name}\" ({}) must be less than \"store.segment_bytes\" ({}): a publication is in one segment",
                    size_text(bytes),
                    size_text(segment)
                ));
            }
        }
        problems
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn problems(text: &str) -> String {
        let config = Config::from_toml("t", text).expect("it is readable");
        config.check().err().map_or_else(String::new, |error| error.problems().join("\n"))
    }

    #[test]
    fn what_only_the_disk_does_needs_it_and_fits_into_it() {
        assert_eq!(problems("server.engine = \"disk\"\nhistory.durability = \"synced\"\nstore.folder = \"/a\""), "");
        for (text, expected) in [
            ("history.durability = \"synced\"", "\"history.durability\" needs \"server.engine\" = \"disk\""),
            ("store.folder = \"/a\"", "\"store.folder\" needs"),
            ("[[channel]]\nmatch = \"a\"\ndurability = \"written\"", "[[channel]] 1: durability needs"),
            ("server.engine = \"disk\"\nstore.segment_bytes = \"4GiB\"", "1 MiB to 1 GiB"),
            ("server.engine = \"disk\"\nstore.total_bytes = \"100MiB\"", "at most a quarter of"),
            (
                "server.engine = \"disk\"\nstore.segment_bytes = \"1MiB\"",
                "\"http.body_bytes\" (1 MiB) must be less than",
            ),
        ] {
            let found = Config::from_toml("t", text).map_or_else(|error| error.to_string(), |_| problems(text));
            assert!(found.contains(expected), "{text}: {found}");
        }
    }
}
