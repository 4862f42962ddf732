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

/// How long before its token expires a client hears of it, in seconds: enough to fetch another over a slow line.
const NOTICE_S: u8 = 60;

/// Whether an identity ends, and whether its client has heard that it will. One byte and no moment: a socket has no room for
/// more, and the moment stands in its identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Validity(u8);

impl Validity {
    /// It does not end.
    const ALWAYS: Validity = Validity(u8::MAX);
    /// It ends, and its client has heard that it will.
    const NOTICED: Validity = Validity(u8::MAX - 1);

    /// That of an identity whose client has heard nothing yet: how many seconds before its end it will. Half of what is left
    /// at most: a token for a minute would be announced as ending as soon as it was presented, and a client that renews it
    /// would do nothing else.
    pub(super) fn of(identity: &Identity, now_unix_s: u64) -> Validity {
        let Some(until) = identity.until else { return Validity::ALWAYS };
        let half = until.saturating_sub(now_unix_s).div_ceil(2);
        Validity(u8::try_from(half).unwrap_or(NOTICE_S).min(NOTICE_S))
    }

    /// When something is to be done about it.
    #[inline]
    pub(super) fn deadline(self, identity: &Identity, env: &Env) -> Ticks {
        if self == Validity::ALWAYS { Ticks::MAX } else { self.end(identity, env) }
    }

    // Not inlined: most clients have no token, and asking for their deadline is a part of every turn.
    #[cold]
    fn end(self, identity: &Identity, env: &Env) -> Ticks {
        let notice = if self == Validity::NOTICED { 0 } else { ticks(Duration::from_secs(self.0.into())) };
        end_of(identity, env).saturating_sub(notice)
    }
}

/// When an identity ends; [`Ticks::MAX`] for one that does not.
fn end_of(identity: &Identity, env: &Env) -> Ticks {
    identity.until.map_or(Ticks::MAX, |until| {
        let left_ms = until.saturating_sub(env.unix_s()).saturating_mul(1000);
        // Rounded up: a token holds to the end of its last second.
        let left = Ticks::try_from(left_ms.div_ceil(TICK_MS)).unwrap_or(Ticks::MAX / 2);
        env.now.saturating_add(left)
    })
}

impl Connection {
    /// Who its client is; `None` for one that asks over HTTP, or ends.
    #[must_use]
    pub fn identity(&self) -> Option<&Arc<Identity>> {
        match &self.state {
            State::Socket(socket) => Some(&socket.identity),
            State::Stream(stream) => Some(&stream.identity),
            State::Http(http) => http.asked().and_then(|asked| asked.identity.as_ref()),
            State::Announced | State::Ending(..) => None,
        }
    }

    /// Makes its client another whose time is no other. Over HTTP each request is judged for itself, and that alone has a client
    /// which waits to become an event stream.
    pub fn become_another(&mut self, identity: Arc<Identity>) {
        match &mut self.state {
            State::Socket(socket) => socket.identity = identity,
            State::Stream(stream) => stream.identity = identity,
            State::Http(http) => {
                if let Some((asked, _)) = http.asked_and_memory() {
                    asked.identity = asked.stream.then_some(identity);
                }
            }
            State::Announced | State::Ending(..) => {}
        }
    }

    /// A subscription ended that its client did not end, for this reason. An event stream, which is nothing but its
    /// subscription, ends with it.
    pub fn end_subscription(&mut self, channel: ChannelId, name: &str, refusal: &Refusal, env: &mut Env) {
        env.refuse(refusal.code, &refusal.message);
        match &self.state {
            State::Socket(_) => self.push_event(channel, &Event::Ended { channel: name, refusal }, env),
            State::Stream(_) => self.end_stream_for(refusal, env),
            State::Announced | State::Http(_) | State::Ending(..) => {}
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

    /// Whether the identity of its client has its turn.
    #[inline]
    pub(super) fn is_identity_due(&self, env: &Env) -> bool {
        match &self.state {
            State::Socket(socket) => socket.validity.deadline(&socket.identity, env) <= env.now,
            State::Stream(stream) => stream.validity.deadline(&stream.identity, env) <= env.now,
            State::Announced | State::Http(_) | State::Ending(..) => false,
        }
    }

    /// The time of its identity is over, or soon will be.
    #[cold]
    pub(super) fn expire_identity(&mut self, env: &mut Env) {
        let Some(identity) = self.identity() else { return };
        // Anew and not from what was kept: a clock that was set counts.
        let until = end_of(identity, env);
        let is_over = until <= env.now;
        match &mut self.state {
            State::Socket(socket) if !is_over => {
                socket.validity = Validity::NOTICED;
                let in_s = u64::from(until - env.now) * TICK_MS / 1000;
                socket.say(&Event::Expiring { in_s }, &mut self.outbox, env);
            }
            State::Socket(_) => self.close_socket(Code::TokenExpired, "", env),
            // A stream has nothing to sign in by again: it goes on to the end.
            State::Stream(stream) if !is_over => stream.validity = Validity::NOTICED,
            _ => self.end_stream_for(&Code::TokenExpired.into(), env),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Validity;
    use crate::access::{Grants, Identity, Who};

    #[test]
    fn a_client_hears_a_minute_before_the_end_and_never_before_half_of_the_time_is_over() {
        let until = |until| Identity { until, ..Identity::new(Who::Signed, Grants::default()) };
        assert_eq!(Validity::of(&until(None), 100), Validity::ALWAYS);
        for (left, before) in
            [(0, 0), (1, 1), (2, 1), (3, 2), (30, 15), (119, 60), (120, 60), (121, 60), (3600, 60), (1 << 40, 60)]
        {
            assert_eq!(Validity::of(&until(Some(100 + left)), 100), Validity(before), "{left}");
        }
        assert_eq!(Validity::of(&until(Some(99)), 100), Validity(0), "it is over");
    }
}
