//! Pages about the server: its metrics, with figures of the operating system, and its channels.

use crate::access::limits::Moment;
use crate::connection::env::Limits;
use crate::handoff::mailbox::Mailboxes;
use crate::hub::Hub;
use crate::metrics::certificates::{AcmeFigures, Expiries};
use crate::metrics::engine::EngineFigures;
use crate::metrics::key_sets::KeySets;
use crate::metrics::process::Process;
use crate::metrics::{Counters, CurrentPhase, Reloads, Shared, exposition};
use crate::model::cluster::{Cluster, ClusterNode};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::model::request::Page;
use crate::node::answer::Answer;
use crate::protocol::admin::reply::Page as Reply;
use crate::protocol::tidings::reply::{Listed, body_channels};
use arc_swap::ArcSwap;
use std::sync::Arc;
use std::time::Instant;

/// Channels listed at most.
pub(super) const LISTED_MAX: usize = 1000;

/// What is said where there is no cluster.
const ALONE: &str = "this server shares its channels with no other (server.engine = \"redis\" lets it)";

/// What pages are made from.
pub struct Pages {
    /// The channels.
    pub hub: Arc<Hub>,
    /// Their memory counts.
    pub mailboxes: Arc<Mailboxes>,
    /// All threads' counters.
    pub threads: Arc<Vec<Arc<Counters>>>,
    /// The limits of connections, for the memory that compression windows take.
    pub limits: Arc<ArcSwap<Limits>>,
    /// Whether the server is draining.
    pub phase: Arc<CurrentPhase>,
    /// The key sets of issuers.
    pub key_sets: Arc<KeySets>,
    /// How often the configuration was read again.
    pub reloads: Arc<Reloads>,
    /// When certificates end.
    pub expiries: Arc<Expiries>,
    /// How orders of one went.
    pub orders: Arc<AcmeFigures>,
    /// What is counted of the engine, if there is one.
    pub engine: Option<Arc<EngineFigures>>,
    /// What is known of other nodes, where there may be some.
    pub cluster: Option<Arc<ArcSwap<Cluster>>>,
    /// When the server started.
    pub started: Instant,
}

impl Pages {
    /// Makes one page.
    #[must_use]
    pub fn make(&self, page: Page, now: Instant) -> Answer {
        match page {
            Page::Metrics => {
                Answer::Page { content_type: "text/plain; version=0.0.4", body: self.metrics(now).into_bytes() }
            }
            Page::Channels => Answer::Page { content_type: "application/json", body: self.channels() },
            Page::Cluster => match &self.cluster {
                Some(cluster) => Answer::Page { content_type: "application/json", body: page_of(&cluster.load()) },
                None => Answer::Refused(Refusal::new(Code::NotWithThisEngine, ALONE)),
            },
        }
    }

    fn metrics(&self, now: Instant) -> String {
        let stats = self.hub.stats();
        let own = self.limits.load();
        let limits = own.limiter.figures(Moment::of(now, self.started));
        // Those that nodes share are counted by their engine.
        let by_nodes = self.engine.as_ref().map_or(0, |engine| engine.redis_publications.get());
        let shared = Shared {
            publications: stats.published + by_nodes,
            not_kept: stats.not_kept,
            channels: stats.channels as u64,
            history_bytes: stats.history_bytes as u64,
            positions: stats.positions as u64,
            interest: stats.interest,
            outbound_bytes: self.mailboxes.outbound_bytes() as u64,
            deflate_window_bytes: own.windows.used() as u64,
            mailbox_bytes: self.mailboxes.mailbox_bytes() as u64,
            limits_busy: limits.busy as u64,
            limits_evicted: limits.evicted,
            limits_capped: limits.capped as u64,
            uptime_s: now.saturating_duration_since(self.started).as_secs(),
            phase: self.phase.get(),
            key_sets: self.key_sets.all(),
            reloads: self.reloads.get(),
            expiries: self.expiries.all(),
            orders: (self.orders.issued.get(), self.orders.failed.get()),
            engine: self.engine.clone(),
        };
        exposition(&self.threads, &shared, &Process::now())
    }

    /// The channels of this node.
    pub(super) fn channels(&self) -> Vec<u8> {
        let channels = self.hub.channels(LISTED_MAX);
        #[cfg(test)]
        channels.iter().for_each(|channel| crate::hub::mines::step_on("page", channel.name.as_bytes()));
        let listed = channels.iter().map(|channel| Listed {
            channel: &channel.name,
            position: channel.position,
            subscribers: channel.subscribers,
        });
        let mut body = Vec::new();
        body_channels(&mut body, listed, self.hub.stats().channels);
        body
    }
}

/// The page about a cluster.
fn page_of(cluster: &Cluster) -> Vec<u8> {
    let Cluster { node, server, is_up, since_ms, generation, feeds, nodes } = cluster;
    Reply::default()
        .text("node", node)
        .text("engine", "redis")
        .text("server", server)
        .flag("up", *is_up)
        .number("since_ms", *since_ms)
        .number("generation", u64::from(*generation))
        .number("feeds", *feeds as u64)
        .list("nodes", nodes, |row, seen| {
            let ClusterNode { id, address, version, started_ms, connections, channels, round_trip_us } = seen;
            row.text("node", id)
                .text("address", address)
                .text("version", version)
                .number("started_ms", *started_ms)
                .number("connections", *connections)
                .number("channels", *channels)
                .number("round_trip_us", *round_trip_us)
        })
        .body()
}
