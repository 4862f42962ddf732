//! What of a configuration a server that runs can change, and what holds from its start to its end.

use super::knobs::Config;

/// Settings that hold until the server starts anew, since threads, queues, tables and files are made by them at its start.
const AT_START: &[&str] = &[
    "server.defer_accept",
    "server.reactors",
    "server.workers",
    "server.publish_wait",
    "server.operator_key",
    "server.operator_key_file",
    "server.operator_key_folder",
    "server.handover",
    "server.engine",
    "access.revocations",
    "delivery.outbound_total_bytes",
    "delivery.mailbox_entries",
    "delivery.mailbox_bytes",
    "delivery.worker_queue_jobs",
    "delivery.worker_queue_bytes",
    "delivery.service_queue",
    "io.flush",
    "history.total_bytes",
    "history.replay_count",
    "history.replay_bytes",
    "history.snapshot_count",
    "history.position_ttl",
    "history.positions",
    "history.idempotency_keys",
    "history.idempotency_ttl",
    "history.stamp_time",
    "store.folder",
    "store.total_bytes",
    "store.segment_bytes",
    "store.accept_loss",
    "store.queue",
    "store.queue_bytes",
    "redis.url",
    "redis.password_file",
    "redis.user",
    "redis.sentinels",
    "redis.primary",
    "redis.sentinel_password_file",
    "redis.ca_file",
    "redis.prefix",
    "redis.keeps_data",
    "redis.replicas",
    "redis.queue",
    "redis.queue_bytes",
    "redis.linger",
    "redis.ready_grace",
    "channels.total",
    "channels.idle_forget",
    "limits.tracked",
    "log.format",
];

/// What a server goes on with that has read its configuration again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Next {
    /// What holds from now on: as it was read, but for the settings that hold until a restart.
    pub config: Config,
    /// The settings and kinds of blocks that changed, in the order of the sections.
    pub changed: Vec<&'static str>,
    /// The settings that were read with other values than those in force, and hold after a restart.
    pub needs_restart: Vec<&'static str>,
}

/// The settings that hold until the server starts anew.
#[must_use]
pub fn at_start() -> &'static [&'static str] {
    AT_START
}

impl Config {
    /// What a server goes on with that runs with this and has read `read`.
    #[must_use]
    pub fn next(&self, read: &Config) -> Next {
        let differing = read.differing_from(self);
        let (needs_restart, mut changed): (Vec<_>, Vec<_>) =
            differing.into_iter().partition(|name| AT_START.contains(name));
        let mut config = read.clone();
        for name in &needs_restart {
            config.take(name, self);
        }
        let blocks = [
            ("[[listener]]", self.listeners != read.listeners),
            ("[[certificate]]", self.certificates != read.certificates),
            ("[[channel]]", self.channel_rules != read.channel_rules),
            ("[[issuer]]", self.issuers != read.issuers),
            ("[[key]]", self.keys != read.keys),
        ];
        changed.extend(blocks.into_iter().filter(|(_, differ)| *differ).map(|(name, _)| name));
        Next { config, changed, needs_restart }
    }
}

#[cfg(test)]
mod tests {
    use super::{AT_START, Next};
    use crate::config::{Config, knobs};

    #[test]
    fn what_holds_until_a_restart_is_a_setting() {
        let names: Vec<String> = knobs().into_iter().map(|knob| knob.path).collect();
        for name in AT_START {
            assert!(names.iter().any(|known| known == name), "{name}");
        }
    }

    #[test]
    fn every_other_setting_changes_and_is_named_and_so_is_what_needs_a_restart() {
        let old = Config::from_toml("old", "[http]\nheaders = 50\n[server]\nreactors = 2\n").expect("valid");
        let text = "[server]\nreactors = 3\nconnections = 5\n[[channel]]\nmatch = \"a\"\nread = [\"anyone\"]\n";
        let read = Config::from_toml("new", text).expect("valid");
        let Next { config, changed, needs_restart } = old.next(&read);
        assert_eq!(changed, ["server.connections", "http.headers", "[[channel]]"]);
        assert_eq!(needs_restart, ["server.reactors"]);
        assert_eq!((config.server.reactors, config.server.connections, config.http.headers), (2, 5, 100));
        assert_eq!(config.channel_rules, read.channel_rules);
        // The next time, the old value is as far away.
        assert_eq!(config.next(&read).needs_restart, ["server.reactors"]);
        assert_eq!(config.next(&config), Next { config: config.clone(), changed: vec![], needs_restart: vec![] });
    }
}
