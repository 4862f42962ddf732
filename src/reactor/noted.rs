//! What a reactor logs and counts of its work: why connections ended, and the time that ticks take.

use super::core::Core;
use super::entry::{Entry, Socket};
use crate::journal::{Kind, Notes, Words};
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use std::fmt::Display;
use std::net::SocketAddr;
use std::time::Instant;

impl Core {
    /// Counts a tick, and how long its publications took from their acceptance to the last write attempt of this reactor:
    /// each once, however many readers it has, with the one reading of the clock that the tick takes anyway.
    pub(super) fn count_tick(&mut self, began: Instant, ended: Instant) {
        let us = |since: Instant| ended.saturating_duration_since(since).as_micros() as u64;
        let counters = &self.setup.counters;
        counters.count_tick(us(began));
        for accepted in self.accepted.drain(..) {
            counters.delivery.observe(us(accepted));
        }
    }

    /// Notes that a reader is cut off, while the bytes that wait for it can still be counted.
    pub(super) fn note_slow<S: Socket>(&self, reason: Code, entry: &Entry<S>) {
        let waiting = entry.connection.outbox.len();
        self.notes.note(Kind::SlowReader, self.now_ms(), || {
            let message = match reason {
                Code::OutboundBudget => "a reader was cut off: slow readers hold all of delivery.outbound_total_bytes",
                _ => "a reader was cut off: more than delivery.outbox_bytes waits for it",
            };
            Words::new(reason.label(), message).with("waiting_bytes", waiting)
        });
    }

    /// Notes why a connection is gone, unless that was noted when it was decided, or is no fault.
    pub(super) fn note_end<S: Socket>(&self, reason: Code, entry: &Entry<S>) {
        let message = match reason {
            Code::PeerVanished => "a peer went in the middle of something",
            Code::PingTimeout => "a peer did not answer a ping within websocket.pong_wait",
            Code::CloseTimeout => "a peer did not end its side within websocket.close_wait",
            Code::HeadTimeout => "a peer sent no request within http.head_timeout",
            _ => return,
        };
        self.notes.note(Kind::Lost, self.now_ms(), || Words::new(reason.label(), message));
        if !self.notes.is_empty() {
            self.write_notes(entry);
        }
    }

    /// Closes a connection unless its peer is a proxy that may say who its client is: before anything is read, since what
    /// others say would be believed.
    pub(super) fn judge_proxy<S: Socket>(&mut self, slot: u32, entry: &mut Entry<S>) {
        let env = self.env(entry.listener);
        if env.policy.trusted_proxies.include(entry.connection.peer()) {
            return;
        }
        env.refuse(
            Code::ProxyHeader,
            "this listener takes connections of proxies alone, and its trusted_proxies do not include this peer",
        );
        self.close_now(slot, entry, Code::ProxyHeader);
    }

    /// Has the notes on a connection logged.
    #[cold]
    pub(super) fn write_notes<S: Socket>(&self, entry: &Entry<S>) {
        write_notes(&self.notes, &entry.stream, entry.connection.peer());
    }
}

/// Has notes logged with the client's address: with its port where it is the peer itself, and otherwise with the proxy that
/// is.
#[cold]
pub(super) fn write_notes<S: Socket>(notes: &Notes, stream: &S, client: PeerAddress) {
    let peer = stream.peer();
    let is_client = |peer: &SocketAddr| PeerAddress::from(peer.ip()) == client;
    let (direct, proxy) = (peer.filter(is_client), peer.filter(|peer| !is_client(peer)));
    // The port is gone with the socket, the address is not.
    let address = client.ip();
    let shown = direct.as_ref().map(|peer| peer as &dyn Display).or(address.as_ref().map(|ip| ip as &dyn Display));
    notes.write(shown, proxy.as_ref().map(|proxy| proxy as &dyn Display));
}
