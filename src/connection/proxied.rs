//! Connections of proxies: the PROXY header before the first request, and the clients that requests come from.

use super::decision::Peer;
use super::env::{Env, Ticks};
use super::http::Http;
use super::{Connection, Expired, State, Step};
use crate::model::code::Code;
use crate::model::peer_address::PeerAddress;
use crate::model::refusal::Refusal;
use crate::wire::proxied::{HeaderFault, read_proxy_header};

impl Connection {
    /// A connection that was just accepted from a proxy at `peer`, which says first who its client is.
    #[must_use]
    pub fn announced(peer: PeerAddress, now: Ticks) -> Connection {
        Connection { state: State::Announced, ..Connection::new(peer, now) }
    }

    /// Reads the PROXY header. Until it is complete its bytes stay with the reactor, so that silent connections hold none.
    pub(super) fn step_announced(&mut self, input: &[u8], env: &mut Env) -> (usize, Step<'static>) {
        match read_proxy_header(input) {
            Ok(None) => (0, Step::NeedMore),
            Ok(Some(announced)) => {
                self.peer = announced.client.map_or(self.peer, PeerAddress::from);
                self.state = State::Http(Http::default());
                // The client has not had a moment yet.
                self.since = env.now;
                // The whole connection is the client's: this is its accept.
                if self.turned_away.is_none() {
                    self.turned_away =
                        env.meter.enter_from(self.peer, env.policy, true).err().map(|refusal| refusal.code);
                }
                (announced.used, Step::Continue)
            }
            Err(fault) => {
                self.refuse_announced(fault, env);
                (input.len(), Step::Continue)
            }
        }
    }

    /// No PROXY header came in time.
    pub(super) fn expire_announced(&mut self, env: &Env) -> Expired {
        env.refuse(
            Code::ProxyHeader,
            "no PROXY header came within http.head_timeout; this listener expects one before each connection's first byte",
        );
        Expired::Drop(Code::ProxyHeader)
    }

    /// In words that an HTTP client or a person who looks at the proxy can read: it is a trusted one, with the wrong settings.
    fn refuse_announced(&mut self, fault: HeaderFault, env: &mut Env) {
        self.state = State::Http(Http::default());
        self.refuse_unread(Refusal::new(Code::ProxyHeader, fault.message()), env);
    }

    /// The peer itself, whoever it speaks for.
    pub(super) fn hop(&self) -> PeerAddress {
        match &self.state {
            State::Http(http) => http.proxy().unwrap_or(self.peer),
            _ => self.peer,
        }
    }

    /// The request that was read comes from `address`.
    pub(super) fn come_from(&mut self, address: PeerAddress) {
        if address == self.peer {
            return;
        }
        if let State::Http(http) = &mut self.state {
            http.note_proxy(self.peer);
        }
        self.peer = address;
    }

    pub(super) fn asker(&self, peer: PeerAddress, env: &Env) -> Peer {
        // Who announces its clients is a proxy, wherever it is.
        let is_loopback = peer.is_loopback() && !env.policy.proxy_protocol;
        Peer { address: self.peer, is_loopback, is_proxied: peer != self.peer, turned_away: self.turned_away }
    }
}
