//! The relations between limits, and the refusal to publish openly outside loopback.

use super::choice::EngineKind;
use super::error::ConfigError;
use super::knobs::Config;
use super::units::{size_text, time_text};
use crate::model::origin::is_anybodys;

impl Config {
    /// Whether a server can run with this: every value in its range, and every relation between values kept.
    ///
    /// # Errors
    /// All mistakes, each with its reason.
    pub fn check(&self) -> Result<(), ConfigError> {
        let mut problems: Vec<String> = self.entries().iter().filter_map(out_of_range).collect();
        problems.extend(self.sizes().into_iter().filter_map(Relation::problem));
        problems.extend(self.counts().into_iter().filter_map(Relation::problem));
        problems.extend(self.threshold());
        problems.extend(self.drain());
        problems.extend(self.listener_problems());
        problems.extend(self.certificate_problems());
        problems.extend(self.acme_problems());
        problems.extend(self.store_problems());
        problems.extend(self.redis_problems());
        problems.extend(self.channel_problems());
        problems.extend(self.issuer_problems());
        problems.extend(self.key_problems());
        problems.extend(self.open_publishing());
        problems.extend(self.two_answers());
        problems.extend(self.credentials());
        ConfigError::unless_empty(problems)
    }

    fn sizes(&self) -> Vec<Relation> {
        let Config { http, websocket, delivery, history, .. } = self;
        let outbox = ("delivery.outbox_bytes", delivery.outbox_bytes);
        let message = ("websocket.message_bytes", websocket.message_bytes);
        let body = ("http.body_bytes", http.body_bytes);
        let mailbox = ("delivery.mailbox_bytes", delivery.mailbox_bytes);
        let queue = ("delivery.worker_queue_bytes", delivery.worker_queue_bytes);
        let total = ("delivery.outbound_total_bytes", delivery.outbound_total_bytes);
        let sizes = |left, right, because| Relation { left, right, because, text: size_text };
        let mut relations = vec![
            sizes(
                ("history.replay_bytes", history.replay_bytes),
                ("a quarter of delivery.outbox_bytes", delivery.outbox_bytes / 4),
                "otherwise a replay makes its own reader a slow one",
            ),
            sizes(
                ("http.target_bytes", http.target_bytes),
                ("http.head_bytes", http.head_bytes),
                "the target is part of the head",
            ),
            sizes(message, outbox, "otherwise no reader can be sent the largest message"),
            sizes(body, outbox, "otherwise no reader can be sent the largest body"),
            sizes(message, mailbox, "otherwise the largest message never finds room"),
            sizes(body, mailbox, "otherwise the largest body never finds room"),
            sizes(message, queue, "otherwise the largest message never finds room"),
            sizes(body, queue, "otherwise the largest body never finds room"),
            sizes(outbox, total, "all outboxes together must hold at least one"),
            sizes(mailbox, total, "all mailboxes together must hold at least one"),
            sizes(
                ("websocket.echo_message_bytes", websocket.echo_message_bytes),
                total,
                "otherwise the largest echo is never answered",
            ),
        ];
        let room = self
            .history_room()
            .map(|room| sizes(("history.bytes", history.bytes), room, "all channels together must hold at least one"));
        relations.extend(room);
        relations
    }

    /// The setting that bounds all histories together, and how many bytes it allows; none of this server in Redis. On disk memory
    /// holds a copy of what is newest, as far as it has room.
    pub(super) fn history_room(&self) -> Option<(&'static str, usize)> {
        match self.server.engine {
            EngineKind::Memory => Some(("history.total_bytes", self.history.total_bytes)),
            EngineKind::Disk => Some(("store.total_bytes", self.store.total_bytes)),
            EngineKind::Redis => None,
        }
    }

    fn counts(&self) -> Vec<Relation> {
        let channels = &self.channels;
        let text = |count: usize| count.to_string();
        vec![Relation {
            left: ("channels.per_connection", channels.per_connection),
            right: ("channels.total", channels.total),
            because: "a connection cannot subscribe to more channels than exist",
            text,
        }]
    }

    fn threshold(&self) -> Option<String> {
        let (threshold, limit) = (self.server.inline_parse_bytes, self.websocket.message_bytes);
        // `usize::MAX` is how "inf" is kept.
        (threshold != usize::MAX && threshold >= limit).then(|| {
            format!(
                "\"server.inline_parse_bytes\" ({}) must be less than \"websocket.message_bytes\" ({}), otherwise no \
                 message reaches a worker; write \"inf\" if that is meant",
                size_text(threshold),
                size_text(limit)
            )
        })
    }

    fn credentials(&self) -> Option<String> {
        let anybodys = self.server.allow_origin.iter().find(|origin| is_anybodys(origin))?;
        self.http.allow_credentials.then(|| {
            format!(
                "\"http.allow_credentials\" cannot be combined with the origin {anybodys} in \"server.allow_origin\": any page can \
                 have it, and could act as the user who looks at it. Name the origins whose pages you trust, or leave credentials off"
            )
        })
    }

    fn drain(&self) -> Option<String> {
        let (spread, timeout) = (self.server.drain_spread, self.server.drain_timeout);
        (spread > timeout).then(|| {
            format!(
                "\"server.drain_spread\" ({}) must be at most \"server.drain_timeout\" ({}): otherwise connections are \
                 cut off before they receive their Close",
                time_text(spread),
                time_text(timeout)
            )
        })
    }

    /// Whether nothing is configured that says who may do what: then the server is open, to this machine or to everyone.
    /// The operators' key does not count.
    #[must_use]
    pub fn is_open(&self) -> bool {
        self.channel_rules.is_empty() && self.issuers.is_empty() && self.keys.is_empty()
    }

    fn two_answers(&self) -> Option<String> {
        (!self.is_open() && self.server.allow_anonymous_publish).then(|| {
            "\"server.allow_anonymous_publish\" is for a server without rules: with [[channel]] rules, keys or issuers, let \
             everyone publish by a last rule with match = \"**\" and write = [\"anyone\"]"
                .to_owned()
        })
    }

    fn open_publishing(&self) -> Option<String> {
        let clients = self.all_listeners().into_iter().filter(|listener| listener.serves.clients());
        // Unix sockets are not asked about: the mode of the file says who reaches them.
        let outside = clients.into_iter().find_map(|listener| listener.is_open_to_networks())?;
        // Where something says who may do what, the network may reach it.
        (self.is_open() && !self.server.allow_anonymous_publish).then(|| {
            format!(
                "{outside} is not a loopback address, and everyone who reaches it could read and publish. Say who may \
                 with [[channel]] rules, listen on 127.0.0.1:{} behind a proxy that authenticates clients, or allow it with \
                 server.allow_anonymous_publish",
                outside.port()
            )
        })
    }
}

fn out_of_range(entry: &super::table::Entry) -> Option<String> {
    entry.problem.as_ref().map(|problem| format!("\"{}.{}\" {problem}", entry.section, entry.key))
}

/// Two values of which the left must not be larger.
struct Relation {
    left: (&'static str, usize),
    right: (&'static str, usize),
    because: &'static str,
    text: fn(usize) -> String,
}

impl Relation {
    fn problem(self) -> Option<String> {
        let Relation { left, right, because, text } = self;
        (left.1 > right.1).then(|| {
            let right_name = if right.0.contains(' ') { right.0.to_owned() } else { format!("\"{}\"", right.0) };
            format!("\"{}\" ({}) must be at most {right_name} ({}): {because}", left.0, text(left.1), text(right.1))
        })
    }
}
