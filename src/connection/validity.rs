//! For how long a client is who it is: a socket hears before its token expires, and what is not renewed in time ends.

use super::env::{Env, TICK_MS, Ticks, ticks};
use super::{Connection, State};
use crate::access::Identity;
use crate::model::code::Code;
use crate::model::ids::ChannelId;
use crate::model::refusal::Refusal;
use crate::protocol::{Event, blocks};
use std::sync::Arc;
use std::time::Duration;

/// How long before its token expires a client hears of it: enough to fetch another over a slow line.
const NOTICE: Duration = Duration::from_secs(60);

/// When an identity ends, and whether its client has heard that it will.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity {
    until: Ticks,
    noticed: bool,
}

impl Validity {
    /// That of an identity.
    pub(super) fn of(identity: &Identity, env: &Env) -> Validity {
        let until = identity.until.map_or(Ticks::MAX, |until| {
            let left_ms = until.saturating_sub(env.unix_s).saturating_mul(1000);
            // Rounded up: a token holds to the end of its last second.
            let left = Ticks::try_from(left_ms.div_ceil(TICK_MS)).unwrap_or(Ticks::MAX / 2);
            env.now.saturating_add(left)
        });
        Validity { until, noticed: false }
    }

    /// When something is to be done about it.
    #[inline]
    pub(super) fn deadline(self) -> Ticks {
        if self.until == Ticks::MAX || self.noticed { self.until } else { self.until.saturating_sub(ticks(NOTICE)) }
    }
}

impl Connection {
    /// Who its client is; `None` for one that asks over HTTP, or ends.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match &self.state {
            State::Socket(socket) => Some(&socket.identity),
            State::Stream(stream) => Some(&stream.identity),
            State::Http(http) => http.asked().and_then(|asked| asked.identity.as_ref()),
            State::Ending(..) => None,
        }
    }

    /// Makes its client another, as AUTH does.
    #[cfg(test)]
    pub(crate) fn become_another(&mut self, identity: Arc<Identity>) {
        match &mut self.state {
            State::Socket(socket) => socket.identity = identity,
            State::Stream(stream) => stream.identity = identity,
            State::Http(_) | State::Ending(..) => panic!("it has no identity"),
        }
    }

    /// A subscription ended that its client did not end, for this reason. An event stream, which is nothing but its
    /// subscription, ends with it.
    pub fn end_subscription(&mut self, channel: ChannelId, name: &str, refusal: &Refusal, env: &mut Env) {
        env.refuse(refusal.code, &refusal.message);
        match &self.state {
            State::Socket(_) => self.push_event(channel, &Event::Ended { channel: name, refusal }, env),
            State::Stream(_) => self.end_stream_for(refusal, env),
            State::Http(_) | State::Ending(..) => {}
        }
    }

    /// Ends an event stream and says why in it.
    pub(super) fn end_stream_for(&mut self, refusal: &Refusal, env: &mut Env) {
        let retry_ms = env.around(env.limits.retry_ms);
        if let State::Stream(stream) = &self.state {
            stream.append(&mut self.outbox, env, |out| blocks::refused_block(out, retry_ms, refusal));
            self.end_stream(refusal.code, env);
        }
    }

    /// The time of its identity is over, or soon will be; true when something was done about it.
    pub(super) fn expire_identity(&mut self, env: &mut Env) -> bool {
        let (State::Socket(_) | State::Stream(_)) = &self.state else { return false };
        let validity = match &self.state {
            State::Socket(socket) => socket.validity,
            State::Stream(stream) => stream.validity,
            State::Http(_) | State::Ending(..) => return false,
        };
        if validity.deadline() > env.now {
            return false;
        }
        let is_over = validity.until <= env.now;
        match &mut self.state {
            State::Socket(socket) if !is_over => {
                socket.validity.noticed = true;
                let left_s = u64::from(validity.until - env.now) * TICK_MS / 1000;
                socket.say(&Event::Expiring { in_s: left_s }, &mut self.outbox, env);
            }
            State::Socket(_) => self.close_socket(Code::TokenExpired, "", env),
            // A stream has nothing to sign in by again: it goes on to the end.
            State::Stream(stream) if !is_over => stream.validity.noticed = true,
            _ => self.end_stream_for(&Code::TokenExpired.into(), env),
        }
        true
    }
}
