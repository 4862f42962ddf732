//! Upgrades that policy refuses: a browser's page cannot read why a handshake failed, so it gets a socket that says why and
//! ends at once (law 9).

use super::Connection;
use super::env::Env;
use super::plan::Plan;
use crate::metrics::requests::MethodLabel;
use crate::wire::frame::close_frame;
use crate::wire::http::head::{Head, HeadError};
use crate::wire::http::upgrade::{Upgrade, check_upgrade, wants_upgrade, write_switching};

/// Plans a refusal: as a Close for a page that asks for a socket in the right way, as a status for everybody else, and for
/// pages too when as many sockets as may are being told already.
pub(super) fn plan(head: &Head<'_>, error: HeadError, env: &Env) -> Plan {
    if !wants_upgrade(head) || head.origin.is_none() {
        return Plan::Refuse { error, allow: None };
    }
    match check_upgrade(head, &env.limits.subprotocols, |_| None) {
        Ok(upgrade) if env.counters.open_refused.get() < env.limits.refused_sockets => {
            Plan::TurnAway(Box::new((upgrade, error)))
        }
        Ok(_) => Plan::Refuse { error, allow: None },
        Err(malformed) => Plan::Refuse { error: malformed, allow: None },
    }
}

impl Connection {
    /// Opens a socket only to say why it is refused. What the peer sends is dropped unread.
    pub(super) fn turn_away_socket(&mut self, upgrade: &Upgrade, error: &HeadError, env: &mut Env) {
        env.refuse(error.reason, &error.message);
        let text = format!("{}: {}", error.reason.label(), error.message);
        let close = close_frame(error.reason.websocket_code(), &text);
        env.counters.requests.count(MethodLabel::Get, 101);
        self.outbox.append(env.spares, |out| {
            write_switching(out, upgrade, env.date);
            out.extend_from_slice(&close);
        });
        self.turned_away = true;
        self.end(error.reason, env);
    }
}
