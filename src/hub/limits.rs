//! Every bound of the hub: what it bounds, and in which unit. Defaults and their reasons are those of the configuration.

use crate::config::{ChannelRule, Config, EngineKind, HistoryConfig};
use std::time::Duration;

/// The hub's limits and settings. They hold for the life of the hub, but for those of histories: [`super::Hub::set_histories`].
#[derive(Debug, Clone)]
pub struct HubLimits {
    /// Publications kept per channel.
    pub history_count: usize,
    /// Bytes kept per channel, as [`super::publication::Publication::weight`] counts them. A publication that weighs
    /// more is delivered and not kept.
    pub history_bytes: usize,
    /// How long a publication is kept.
    pub history_age: Duration,
    /// Channels at a time. A request that needs one more is refused; idle ones make room after `idle_after`.
    pub channels_total: usize,
    /// Bytes of all histories and idempotency keys. A publication that needs more takes the place of its channel's own
    /// oldest, or is delivered and not kept.
    pub history_total_bytes: usize,
    /// Idempotency keys remembered per channel; the oldest goes first.
    pub idempotency_keys: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_ttl: Duration,
    /// How long a channel without subscribers, history and keys stays before it is forgotten. Where other nodes publish too,
    /// one without subscribers, whatever it holds.
    pub idle_after: Duration,
    /// How long a forgotten channel's position is remembered.
    pub position_ttl: Duration,
    /// Positions of forgotten channels remembered at a time; the oldest goes first.
    pub positions: usize,
    /// Publications in one answer.
    pub replay_count: usize,
    /// Bytes of publications in one answer; a batch is one answer.
    pub replay_bytes: usize,
    /// Publications in a snapshot that does not say how many.
    pub snapshot_default: usize,
    /// Whether publications carry the time at which they were accepted.
    pub stamp_time: bool,
    /// Parts the channels are spread over, each with a lock of its own: rounded up to a power of two, at most 64.
    pub shards: usize,
    /// Where publications get their places.
    pub placement: Placement,
}

/// Where publications get their places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Placement {
    /// Here: nothing else holds these channels.
    #[default]
    Here,
    /// From an engine, which keeps the histories too. What is held here is a copy of the newest of it, for as long as there is
    /// room, and the thread of the engine alone advances channels.
    Engine,
    /// The same, and other nodes publish to it too: what is held here is what is read here, and no longer than that.
    Shared,
}

/// What one channel keeps: as its rule says, or as is said for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct HistoryLimits {
    /// Publications.
    pub(super) count: u32,
    /// Bytes of them.
    pub(super) bytes: usize,
    /// How long each is kept.
    pub(super) age: Duration,
}

/// Many more than threads, so that two threads rarely meet.
const SHARDS: usize = 64;

impl HubLimits {
    /// Takes the limits of channels out of a configuration, which says why its defaults are what they are.
    #[must_use]
    pub fn new(config: &Config) -> HubLimits {
        HubLimits {
            history_count: config.history.count,
            history_bytes: config.history.bytes,
            history_age: config.history.age,
            channels_total: config.channels.total,
            history_total_bytes: config.history.total_bytes,
            idempotency_keys: config.history.idempotency_keys,
            idempotency_ttl: config.history.idempotency_ttl,
            idle_after: match config.server.engine {
                EngineKind::Memory | EngineKind::Disk => config.channels.idle_forget,
                EngineKind::Redis => config.redis.linger,
            },
            position_ttl: config.history.position_ttl,
            positions: config.history.positions,
            replay_count: config.history.replay_count,
            replay_bytes: config.history.replay_bytes,
            snapshot_default: config.history.snapshot_count,
            stamp_time: config.history.stamp_time,
            shards: SHARDS,
            placement: match config.server.engine {
                EngineKind::Memory => Placement::Here,
                EngineKind::Disk => Placement::Engine,
                EngineKind::Redis => Placement::Shared,
            },
        }
    }
}

impl HubLimits {
    /// What a channel keeps whose rule says nothing of it.
    pub(super) fn history(&self) -> HistoryLimits {
        HistoryLimits { count: count(self.history_count), bytes: self.history_bytes, age: self.history_age }
    }
}

impl HistoryLimits {
    /// What a channel keeps whose rule says nothing of it.
    pub(super) fn of(history: &HistoryConfig) -> HistoryLimits {
        HistoryLimits { count: count(history.count), bytes: history.bytes, age: history.age }
    }

    /// What the channels of a rule keep, where these are what others keep.
    pub(super) fn by(self, rule: &ChannelRule) -> HistoryLimits {
        HistoryLimits {
            count: rule.history_count.map_or(self.count, count),
            bytes: rule.history_bytes.unwrap_or(self.bytes),
            age: rule.history_age.unwrap_or(self.age),
        }
    }
}

fn count(publications: usize) -> u32 {
    u32::try_from(publications).unwrap_or(u32::MAX)
}

impl Default for HubLimits {
    /// Those of a configuration that says nothing.
    fn default() -> Self {
        HubLimits::new(&Config::default())
    }
}
