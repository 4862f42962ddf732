//! What must hold after every turn of a reactor, when everything rests, and when everybody has left.

use super::client::Role;
use super::world::World;
use crate::model::code::Code;
use crate::reactor::RUN_BYTES;
use std::collections::HashMap;

impl World {
    /// After every turn: accounts agree with what is there, and bounds hold (law 5).
    pub(super) fn audit(&mut self) {
        let mut charged = 0;
        for home in &mut self.homes {
            for slot in home.engine.entries.slots() {
                let Some(entry) = home.engine.entries.get(slot) else { continue };
                charged += entry.charged as usize;
                let held = entry.connection.outbox.len();
                // What is about to be written is counted when the socket has not taken it.
                let is_counted = held == entry.charged as usize || entry.writing.is_dirty();
                assert!(is_counted, "{held} bytes wait, and {} are in the budget", entry.charged);
                // What was pushed before a socket was written to: up to half the limit, and then a run.
                let limit = self.limits.outbox_bytes;
                let most = limit.max(limit / 2 + RUN_BYTES) + self.plan.overshoot;
                assert!(held <= most, "an outbox holds {held} bytes of {most}");
                assert!(entry.closed.is_none(), "what is dead is freed in the same turn");
            }
        }
        let boxes = &self.mailboxes;
        for home in &self.homes {
            let (held, most) = (boxes.mailbox_bytes_of(home.engine.inbox.id), self.plan.mailbox_bytes);
            assert!(held <= most, "a mailbox holds {held} bytes of {most}");
        }
        assert_eq!(boxes.outbound_bytes(), boxes.mailbox_bytes() + charged, "the budget counts what is there");
    }

    /// When nothing moves any more: everybody who is served was answered and is where the channel is (laws 1, 2 and 3),
    /// and interest is what the tables say.
    pub(super) fn audit_rest(&mut self) {
        let listed = self.hub.channels(100);
        let positions: HashMap<&str, String> =
            listed.iter().map(|channel| (&*channel.name, channel.position.to_string())).collect();
        for client in self.clients.iter().filter(|client| client.is_served()) {
            match &client.role {
                Role::Socket(socket) => {
                    assert!(socket.is_answered(), "a socket waits for an answer that never comes");
                    for (channel, position) in socket.positions() {
                        assert_eq!(positions.get(channel), Some(&position), "a push was lost on {channel}");
                    }
                }
                Role::Asking(asking) => assert!(asking.is_answered(), "a request waits for ever"),
                Role::Stream(stream) => {
                    let (channel, position) = stream.position().expect("a stream has begun");
                    assert_eq!(positions.get(channel), Some(&position), "a stream misses something");
                }
                Role::Junk => {}
            }
        }
        self.audit_interest();
        assert_eq!(self.mailboxes.mailbox_bytes(), 0, "something is left in a mailbox");
    }

    fn audit_interest(&mut self) {
        let mut held = 0;
        for home in &mut self.homes {
            for slot in home.engine.entries.slots() {
                held += home.engine.entries.get(slot).map_or(0, |entry| entry.memberships.len() as u64);
            }
        }
        let counted: u64 = self.threads.iter().map(|counters| counters.subscriptions.get()).sum();
        assert_eq!((self.hub.stats().interest, counted), (held, held), "interest counts subscriptions");
    }

    /// When everybody has left: nothing of anybody is left.
    pub(super) fn audit_end(&mut self) {
        for home in &self.homes {
            assert_eq!(home.engine.entries.len(), 0, "connections are left");
        }
        self.audit_interest();
        assert_eq!(self.connections.load(std::sync::atomic::Ordering::SeqCst), 0);
        assert_eq!(self.mailboxes.outbound_bytes(), 0, "the budget holds something of nobody's");
        assert_eq!(self.room.held_bytes(), 0, "the queues hold something");
        assert_eq!(self.limits.deflate.as_ref().map(|deflate| deflate.budget.used()), Some(0), "windows are left");
        for counters in self.threads.iter() {
            let open = [&counters.open_http, &counters.open_websocket, &counters.open_sse, &counters.open_refused];
            let open = open.map(|gauge| gauge.get());
            assert_eq!(open, [0; 4], "gauges of transports");
            assert_eq!(counters.outbox_bytes.get(), 0);
            assert_eq!(counters.panics.get(), 0, "something panicked, and was contained");
        }
    }

    /// Adds what the counters know to what happened.
    pub(super) fn count_what_happened(&mut self) {
        let happened = &mut self.ledger.happened;
        for counters in self.threads.iter() {
            happened.parked += counters.publish_waits.get();
            happened.pooled += counters.parsed_pool.get();
            happened.pool_full += counters.pool_full.get();
            happened.stale_letters += counters.stale_ids.get();
            happened.slow_consumers += counters.closed.get(Code::SlowConsumer);
            happened.over_budget += counters.closed.get(Code::OutboundBudget);
            happened.ping_timeouts += counters.closed.get(Code::PingTimeout);
        }
    }
}
