//! Every bound of the hub: what it bounds, in which unit, and why its default is what it is.

use crate::model::name::ChannelName;
use std::time::Duration;

/// The hub's limits and settings. They hold for the life of the hub.
#[derive(Debug, Clone)]
pub struct HubLimits {
    /// Publications kept per channel.
    pub history_count: usize,
    /// Bytes kept per channel, as [`super::publication::Publication::weight`] counts them. A publication that weighs
    /// more is delivered and not kept.
    pub history_bytes: usize,
    /// How long a publication is kept.
    pub history_age: Duration,
    /// Channels alive at a time. A request that needs one more is refused; idle ones make room after `idle_after`.
    pub channels_total: usize,
    /// Bytes of all histories and idempotency keys. A publication that needs more takes the place of its channel's own
    /// oldest, or is delivered and not kept.
    pub history_total_bytes: usize,
    /// Idempotency keys remembered per channel; the oldest goes first.
    pub idempotency_keys: usize,
    /// How long an idempotency key is remembered.
    pub idempotency_ttl: Duration,
    /// How long a channel without subscribers, history and keys stays before it is forgotten.
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
    /// How to become an operator, for those who are refused.
    pub operator_advice: Box<str>,
    /// Where plain frames are published.
    pub plain_channel: ChannelName,
    /// Parts the channels are spread over, each with a lock of its own: rounded up to a power of two, at most 64.
    pub shards: usize,
}

impl Default for HubLimits {
    fn default() -> Self {
        HubLimits {
            // A client that was away for a minute at 16 publications a second can still page through all of them.
            history_count: 1_000,
            history_bytes: 1 << 20,
            history_age: Duration::from_secs(3_600),
            // About 300 bytes each when empty: 75 MB at worst.
            channels_total: 250_000,
            history_total_bytes: 256 << 20,
            idempotency_keys: 1_000,
            // Longer than any sane retry schedule of a publisher.
            idempotency_ttl: Duration::from_secs(600),
            idle_after: Duration::from_secs(60),
            // A laptop that was closed overnight comes back without a false alarm.
            position_ttl: Duration::from_secs(24 * 3_600),
            positions: 250_000,
            // A quarter of the default outbox of 1 MiB at most.
            replay_count: 300,
            replay_bytes: 256 << 10,
            snapshot_default: 100,
            stamp_time: false,
            operator_advice: "".into(),
            plain_channel: ChannelName::new("inbox").expect("a valid name"),
            // Many more than threads, so that two threads rarely meet.
            shards: 64,
        }
    }
}
