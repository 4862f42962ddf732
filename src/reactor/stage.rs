//! The pages that need more than a connection knows: metrics and the list of channels.

use crate::connection::env::{Backstage, Limits};
use crate::handoff::mailbox::Mailboxes;
use crate::hub::Hub;
use crate::metrics::{Counters, Shared, exposition};
use crate::wire::reply::{Listed, body_channels};
use std::sync::Arc;
use std::time::Instant;

/// Channels listed at most.
const LISTED_MAX: usize = 1000;

/// See the module.
pub(super) struct Stage {
    pub(super) hub: Arc<Hub>,
    pub(super) mailboxes: Arc<Mailboxes>,
    pub(super) threads: Arc<Vec<Arc<Counters>>>,
    pub(super) limits: Arc<Limits>,
    pub(super) started: Instant,
}

impl Backstage for Stage {
    fn metrics(&self) -> String {
        let stats = self.hub.stats();
        let shared = Shared {
            publications: stats.published,
            channels: stats.channels as u64,
            history_bytes: stats.history_bytes as u64,
            positions: stats.positions as u64,
            interest: stats.interest,
            outbound_bytes: self.mailboxes.outbound_bytes() as u64,
            deflate_window_bytes: self.limits.deflate.as_ref().map_or(0, |deflate| deflate.budget.used() as u64),
            mailbox_bytes: self.mailboxes.mailbox_bytes() as u64,
            uptime_s: self.started.elapsed().as_secs(),
        };
        exposition(&self.threads, &shared)
    }

    fn channels(&self) -> Vec<u8> {
        let channels = self.hub.channels(LISTED_MAX);
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
