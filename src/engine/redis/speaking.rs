//! What nodes say to each other by way of Redis: that they are there, and what operators ask of all of them.

use super::control::{KEEP_COUNT, READ_COUNT, members_of};
use super::orders::Asked;
use super::roster::{LEASE_MS, written};
use super::scripts::write_run;
use super::{Links, Redis};
use crate::engine::Now;
use crate::model::cluster::{Cluster, ClusterNode};
use crate::wire::resp::{write_command, write_head, write_part};
use std::sync::Arc;

impl Redis {
    /// Says what there is to be said, and asks what the others have said.
    pub(super) fn speak(&mut self, now: Now) {
        let Ok(links) = &mut self.links else { return };
        if self.roster.is_due(now.instant) {
            let round_trip_us = self.node.round_trip.as_micros() as u64;
            let own = ClusterNode { id: self.settings.node.clone(), round_trip_us, ..(self.node.own)() };
            let (nodes, lease) = (self.keys.nodes(), self.keys.node(&own.id));
            let said = written(&own);
            let arguments = [own.id.as_bytes(), said.as_bytes(), LEASE_MS.as_bytes(), &self.keys.node("")];
            let Links { orders, scripts, .. } = links;
            write_run(orders.output(), &scripts.roster, &[&nodes, &lease], &arguments);
            self.orders.sent(Asked::Roster);
        }
        let stream = self.keys.control();
        while self.orders.may_ask()
            && let Some(operation) = self.node.control.next()
        {
            let members = members_of(&operation);
            let out = links.orders.output();
            write_head(out, 8 + 2 * members.len());
            for part in [b"XADD", &stream[..], b"MAXLEN", b"~", KEEP_COUNT.as_bytes(), b"*"] {
                write_part(out, part);
            }
            write_part(out, b"node");
            write_part(out, self.settings.node.as_bytes());
            for (name, value) in members {
                write_part(out, name.as_bytes());
                write_part(out, value.as_bytes());
            }
            write_command(out, &[b"PUBLISH", &self.keys.control_feed(), b""]);
            self.orders.sent(Asked::Told(operation));
            self.orders.sent(Asked::Nothing);
        }
        while self.orders.may_ask()
            && let Some(said) = self.node.surveys.next(&self.settings.node, now.instant)
        {
            let feed = said.to.map_or_else(|| self.keys.questions(), |node| self.keys.answers(&node));
            write_command(links.orders.output(), &[b"PUBLISH", &feed, &said.payload]);
            self.orders.sent(Asked::Nothing);
        }
        if let Some(from) = self.node.control.next_read() {
            let parts = [b"XRANGE", &stream[..], from.as_bytes(), b"+", b"COUNT", READ_COUNT.as_bytes()];
            write_command(links.orders.output(), &parts);
            self.orders.sent(Asked::Control);
        }
    }

    /// Makes known which nodes there are; none while Redis is away.
    pub(super) fn say(&mut self, nodes: Vec<ClusterNode>) {
        let links = self.links.as_ref().ok();
        self.node.cluster.store(Arc::new(Cluster {
            node: self.settings.node.clone(),
            server: links.map_or_else(String::new, |links| links.about.clone()),
            is_up: links.is_some(),
            since_ms: self.since_ms,
            generation: links.map_or(0, |links| links.generation_number),
            feeds: self.feeds.len(),
            nodes,
        }));
    }
}
