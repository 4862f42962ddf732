//! Publications on their way into an outbox: by reference to bytes that all readers of an encoding share.

use super::env::Env;
use super::{Connection, State};
use crate::close::Reason;
use crate::hub::post::Form;
use crate::hub::publication::Publication;
use crate::model::encoding::Encoding;
use crate::protocol::encoders::EVENT_STREAM;

impl Connection {
    /// How publications are written for it when a request in this form has subscribed it: the same until it subscribes
    /// again. Over HTTP only what becomes an event stream subscribes.
    #[must_use]
    pub fn encoding(&self, form: Form) -> Encoding {
        match &self.state {
            State::Socket(socket) => socket.encoding(form == Form::Binary),
            State::Http(_) | State::Stream(_) | State::Ending(..) => EVENT_STREAM,
        }
    }

    /// Whether a publication's text frame, put into the outbox, is all that a push to it takes.
    #[must_use]
    #[inline]
    pub fn is_plain_socket(&self) -> bool {
        matches!(&self.state, State::Socket(socket) if socket.is_plain())
    }

    /// Delivers a publication to this subscriber, whatever else it takes.
    pub fn push(&mut self, publication: &Publication, encoding: Encoding, env: &mut Env) {
        match &mut self.state {
            State::Socket(socket) => {
                socket.push(publication, encoding, &mut self.outbox, env);
                if socket.held_bytes() > env.limits.outbox_bytes {
                    self.cut_off(Reason::SlowConsumer, env);
                }
            }
            State::Stream(stream) => {
                self.since = env.now;
                stream.push(publication, &mut self.outbox, env);
            }
            State::Http(_) | State::Ending(..) => return,
        }
        env.counters.deliveries.add(1);
    }
}
