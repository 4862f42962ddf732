//! Publications on their way into an outbox: by reference to bytes that all readers of an encoding share.

use super::buffer_pool::BufferPool;
use super::env::{Env, Ticks};
use super::{Connection, State};
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::encoding::Encoding;
use crate::model::ticket::Ticket;
use crate::protocol::encoders::EVENT_STREAM;
use crate::wire::frame::SharedFrame;

impl Connection {
    /// How publications are written for it when a request with this ticket has subscribed it: the same until it subscribes
    /// again. Over HTTP only what becomes an event stream subscribes.
    #[must_use]
    pub fn encoding(&self, ticket: Ticket) -> Encoding {
        match &self.state {
            State::Socket(socket) => socket.encoding(ticket),
            State::Announced | State::Http(_) | State::Stream(_) | State::Ending(..) => EVENT_STREAM,
        }
    }

    /// Whether a push to it takes nothing but the bytes in its encoding, put unchanged into the outbox.
    #[must_use]
    #[inline]
    pub fn takes_shared(&self, encoding: Encoding) -> bool {
        match &self.state {
            State::Socket(socket) => socket.takes_shared(encoding),
            State::Stream(stream) => stream.takes_shared(),
            State::Announced | State::Http(_) | State::Ending(..) => false,
        }
    }

    /// The same, when they are a frame of a WebSocket: then nothing else is to be done for them than that.
    #[must_use]
    #[inline]
    pub fn takes_shared_frame(&self, encoding: Encoding) -> bool {
        matches!(&self.state, State::Socket(socket) if socket.takes_shared(encoding))
    }

    /// Puts such bytes into the outbox. What was pushed is for the caller to count.
    #[inline]
    pub fn push_shared(&mut self, bytes: SharedFrame, now: Ticks, pool: &mut BufferPool) {
        if let State::Stream(_) = self.state {
            #[cfg(test)]
            crate::hub::mines::step_on("push", &bytes);
            // A stream that is not quiet needs no comment.
            self.since = now;
        }
        self.outbox.push_shared(bytes, pool);
    }

    /// Delivers a publication to this subscriber, whatever else it takes.
    pub fn push(&mut self, publication: &Publication, encoding: Encoding, env: &mut Env) {
        match &mut self.state {
            State::Socket(socket) => {
                socket.push(publication, encoding, &mut self.outbox, env);
                // What waits for the answer to a batch is in no outbox, so no judgement on the outbox would see it.
                if socket.held_bytes() > env.limits.outbox_bytes {
                    self.cut_off(Code::SlowConsumer, env);
                }
            }
            State::Stream(stream) => {
                self.since = env.now;
                stream.push(publication, &mut self.outbox, env);
            }
            State::Announced | State::Http(_) | State::Ending(..) => return,
        }
        env.counters.deliveries.add(1);
    }
}
