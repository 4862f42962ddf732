//! From HTTP to a WebSocket: the handshake, and sockets that are opened only to say why they are refused, since a
//! browser's page cannot read why a handshake failed (law 9).

use super::compression::DeflateContexts;
use super::decision::{Decision, Switch, TurnedAway};
use super::env::Env;
use super::socket::Socket;
use super::validity::Validity;
use super::{Connection, Payload, State};
use crate::access::{Identity, TOKEN_SUBPROTOCOL};
use crate::metrics::requests::MethodLabel;
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::protocol::pages::draining;
use crate::protocol::plan::{Opening, Refused};
use crate::protocol::task::{RawWork, Task};
use crate::wire::deflate::Extension;
use crate::wire::frame::close_frame;
use crate::wire::http::head::Head;
use crate::wire::http::upgrade::{check_upgrade, wants_upgrade, write_switching};
use std::sync::Arc;

/// Checks the handshake of a socket that may be opened.
pub(super) fn open(head: &Head<'_>, opening: Opening, env: &Env) -> Decision {
    // A refusal below drops it, which gives its memory back to the budget.
    let mut share = None;
    let agree = |offers: &[Extension<'_>]| {
        let (agreement, taken) = env.limits.deflate.as_ref()?.agree(offers)?;
        share = taken;
        Some(agreement)
    };
    match check_upgrade(head, &env.limits.subprotocols, agree) {
        // A page cannot read the status of a failed handshake, so it gets its socket and a Close (law 9); every other
        // client can read the status.
        Ok(_) if env.draining && head.origin.is_none() => draining().into(),
        // A browser fails a socket whose answer chooses none of what it offered, and a token is never chosen: it would be
        // shown by every tool that lists subprotocols.
        Ok(upgrade) if upgrade.protocol.is_none() && offers_token(head) => {
            let message = "a token is no subprotocol that is spoken: offer tidings.v1 or chat beside it";
            Refused::from(Refusal::new(Code::BadRequest, message)).into()
        }
        Ok(upgrade) => {
            let session = (opening.session)(upgrade.protocol.as_deref());
            Decision::Switch(Box::new(Switch { upgrade, share, session, first: opening.first }))
        }
        Err(error) => Refused::from(error).into(),
    }
}

/// Whether a token is among the subprotocols.
fn offers_token(head: &Head<'_>) -> bool {
    let mut names = head.upgrade.protocols.iter().flat_map(|list| list.split(','));
    names.any(|name| name.trim().starts_with(TOKEN_SUBPROTOCOL))
}

/// Refuses: with a Close for a page whose handshake is well-formed, with a status for every other client, and for pages too
/// once `websocket.refused_sockets` are open.
pub(super) fn refuse(head: &Head<'_>, refused: Refused, env: &Env) -> Decision {
    if !wants_upgrade(head) || head.origin.is_none() {
        return refused.into();
    }
    match check_upgrade(head, &env.limits.subprotocols, |_| None) {
        Ok(upgrade) if env.counters.open_refused.get() < env.limits.refused_sockets => {
            Decision::TurnAway(Box::new(TurnedAway { upgrade, refusal: refused.refusal }))
        }
        Ok(_) => refused.into(),
        Err(malformed) => Refused::from(malformed).into(),
    }
}

impl Connection {
    /// Switches to a WebSocket; what its path asked for, as work.
    pub(super) fn become_socket(
        &mut self,
        switch: Switch,
        identity: Arc<Identity>,
        env: &mut Env,
    ) -> Option<RawWork<Payload<'static>>> {
        let Switch { upgrade, share, session, first } = switch;
        env.counters.requests.count(MethodLabel::Get, 101);
        self.outbox.append(env.buffers, |out| write_switching(out, &upgrade, env.date.as_str()));
        self.outbox.pin(env.buffers);
        let agreement = upgrade.deflate.as_ref();
        let windows = agreement.zip(share).map(|(agreed, share)| DeflateContexts::new(agreed, share, env.codec));
        let validity = Validity::of(&identity, env.unix_s());
        let haste = (env.draw)() as u8;
        self.state = State::Socket(Socket::new(session, (Arc::clone(&identity), validity), agreement, windows, haste));
        self.since = env.now;
        // Only a page comes this far: it can read a Close and no status. All others were refused by their handshake.
        let draining = env.draining.then_some(Code::ServerShutdown);
        if let Some(reason) = draining.or(self.turned_away) {
            self.close_socket(reason, "", env);
            return None;
        }
        Some(RawWork { task: Task::Several(first?), payload: Payload::Borrowed(&[]), identity })
    }

    /// Opens a socket only to say why it is refused. What the peer sends is dropped unread.
    pub(super) fn turn_away_socket(&mut self, refused: &TurnedAway, env: &mut Env) {
        let TurnedAway { upgrade, refusal } = refused;
        env.refuse(refusal.code, &refusal.message);
        let text = format!("{}: {}", refusal.label(), refusal.message);
        let close = close_frame(refusal.code.websocket_code(), &text);
        env.counters.requests.count(MethodLabel::Get, 101);
        self.outbox.append(env.buffers, |out| {
            write_switching(out, upgrade, env.date.as_str());
            out.extend_from_slice(&close);
        });
        // It has a second for each thing it does, and counts among `websocket.refused_sockets`.
        self.turned_away = Some(refusal.code);
        self.end(refusal.code, env);
    }
}
