//! What is counted of an engine that keeps histories elsewhere than in the hub: its pump alone writes it.

use super::Counter;

macro_rules! figures {
    ($($(#[doc = $help:literal])+ $field:ident: $kind:literal $name:literal;)*) => {
        /// See the module.
        #[derive(Debug, Default)]
        pub struct EngineFigures {
            $($(#[doc = $help])+ pub $field: Counter,)*
        }

        impl EngineFigures {
            /// Every family: its name, kind, help, and value.
            pub(super) fn families(&self) -> Vec<(&'static str, &'static str, &'static str, u64)> {
                vec![$((concat!("tidings_", $name), $kind, concat!($($help),+), self.$field.get()),)*]
            }
        }
    };
}

figures! {
    /// 1 while the engine does what it is asked, 0 while it refuses everything.
    up: "gauge" "engine_up";
    /// 1 while the engine lets this server be ready.
    ready: "gauge" "engine_ready";
    /// Requests that wait for the engine.
    queue: "gauge" "engine_queue";
    /// Requests that the engine works on.
    in_progress: "gauge" "engine_in_progress";
    /// Publications that came from the engine a second time, and were dropped.
    repeated: "counter" "engine_repeated_total";
    /// Channels whose feed of Redis is open or to be opened.
    redis_feeds: "gauge" "redis_feeds";
    /// Orders that Redis works on.
    redis_in_flight: "gauge" "redis_in_flight";
    /// Milliseconds since something came on the feed of Redis, which is asked for a sign of life each second.
    redis_feed_age_ms: "gauge" "redis_feed_age_milliseconds";
    /// Publications of this node's own clients that Redis gave an offset.
    redis_publications: "counter" "redis_publications_total";
    /// Times that the connection to Redis was lost.
    redis_lost: "counter" "redis_lost_total";
    /// Orders that Redis refused with an error.
    redis_errors: "counter" "redis_errors_total";
    /// Messages of Redis that no node could have sent.
    redis_unreadable: "counter" "redis_unreadable_total";
    /// Bytes of the log.
    store_bytes: "gauge" "store_bytes";
    /// Segments of the log.
    store_segments: "gauge" "store_segments";
    /// Channels that the log knows.
    store_channels: "gauge" "store_channels";
    /// Bytes that were written and are not synced yet.
    store_unsynced_bytes: "gauge" "store_unsynced_bytes";
    /// Writes to the log, each of all that waited.
    store_appends: "counter" "store_appends_total";
    /// Publications that were written to the log.
    store_publications: "counter" "store_publications_total";
    /// Times that the log was synced to its disk.
    store_syncs: "counter" "store_syncs_total";
    /// Microseconds in which it was synced.
    store_sync_us: "counter" "store_sync_microseconds_total";
    /// Publications that were refused since the disk was full.
    store_full: "counter" "store_full_total";
    /// Idempotency keys that are remembered.
    store_keys: "gauge" "store_keys";
    /// Reads of publications that are older than what is in memory.
    store_reads: "counter" "store_reads_total";
}
