//! How a world is set up: limits small enough that all of them are met.

use crate::config::{Config, ListenAt, ListenerConfig};
use crate::model::serves::Serves;
use rand::RngExt;
use rand::rngs::StdRng;
use std::time::Duration;

/// What is no setting of a server.
#[derive(Debug, Clone)]
pub(super) struct Plan {
    pub(super) reactors: usize,
    pub(super) workers: usize,
    pub(super) clients: usize,
    pub(super) channels: usize,
    pub(super) steps: usize,
    /// How likely a client does not read for a while.
    pub(super) stalls: f64,
    /// How likely a client goes at any step.
    pub(super) vanishing: f64,
    /// Whether continuities are ended on purpose.
    pub(super) resets: bool,
    /// What an outbox may hold beyond its limit: a publication, an answer with its replay, and small things.
    pub(super) overshoot: usize,
    /// What one mailbox may hold: its limit, or one publication whatever its size when it was empty.
    pub(super) mailbox_bytes: usize,
}

/// The largest message, body and publication, in bytes.
pub(super) const MESSAGE_BYTES: usize = 4096;

/// Draws a configuration and a plan.
pub(super) fn settings(random: &mut StdRng) -> (Config, Plan) {
    let mut config = Config::default();
    // Metrics are open, so that there are errands.
    let at = ListenAt::Address("127.0.0.1:8080".parse().expect("an address"));
    config.listeners = vec![ListenerConfig::new(at, Serves::CLIENTS.and(Serves::METRICS))];
    config.server.listen.clear();
    config.http.head_bytes = 2048;
    config.http.target_bytes = 1024;
    config.http.body_bytes = MESSAGE_BYTES;
    config.websocket.message_bytes = MESSAGE_BYTES;
    config.websocket.echo_message_bytes = MESSAGE_BYTES;
    config.websocket.ping_idle = pick(random, [Duration::from_secs(1), Duration::from_secs(20)]);
    config.websocket.pong_wait = Duration::from_secs(1);
    config.websocket.close_wait = Duration::from_millis(500);
    config.websocket.deflate_takeover = random.random_bool(0.2);
    config.websocket.deflate_min_bytes = 32;
    config.websocket.deflate_memory_bytes = 1 << 20;
    config.delivery.outbox_bytes = MESSAGE_BYTES * pick(random, [1, 1, 2, 8]);
    config.delivery.mailbox_entries = pick(random, [2, 5, 200]);
    config.delivery.mailbox_bytes = pick(random, [MESSAGE_BYTES, 1 << 20]);
    config.delivery.worker_queue_jobs = pick(random, [1, 3, 100]);
    config.delivery.service_queue = pick(random, [1, 100]);
    config.delivery.worker_queue_bytes = pick(random, [MESSAGE_BYTES, 1 << 20]);
    let total = config.delivery.outbox_bytes.max(config.delivery.mailbox_bytes);
    config.delivery.outbound_total_bytes = total * pick(random, [1, 2, 1000]);
    config.history.count = pick(random, [0, 5, 50]);
    config.history.replay_count = pick(random, [3, 300]);
    config.history.replay_bytes = config.delivery.outbox_bytes / 4;
    config.history.snapshot_count = 5;
    config.history.age = pick(random, [Duration::from_secs(1), Duration::from_secs(3600)]);
    config.channels.per_connection = pick(random, [2, 1000]);
    config.channels.idle_forget = pick(random, [Duration::from_millis(100), Duration::from_secs(60)]);
    config.server.inline_parse_bytes = pick(random, [0, 150, usize::MAX]);
    config.server.publish_wait = Duration::from_millis(200);
    let plan = Plan {
        reactors: random.random_range(1..4),
        workers: random.random_range(1..3),
        clients: random.random_range(3..9),
        channels: random.random_range(1..4),
        steps: random.random_range(150..400),
        stalls: pick(random, [0.0, 0.3, 0.9]),
        vanishing: pick(random, [0.0, 0.002, 0.02]),
        resets: random.random_bool(0.5),
        mailbox_bytes: config.delivery.mailbox_bytes.max(MESSAGE_BYTES + 1024),
        overshoot: 3 * MESSAGE_BYTES + config.history.replay_bytes,
    };
    (config, plan)
}

fn pick<T: Copy, const N: usize>(random: &mut StdRng, from: [T; N]) -> T {
    from[random.random_range(0..N)]
}
