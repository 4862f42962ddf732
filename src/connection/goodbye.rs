//! How a connection ends: after what it is owed when it may be, at once when its peer does not read.

use super::env::Env;
use super::responding::RequestContext;
use super::{Connection, Hold, State};
use crate::model::code::Code;
use crate::model::refusal::Refusal;
use crate::protocol::{Event, blocks};
use crate::wire::frame::close_frame_of;

/// A Close that is ready, and why it is sent.
#[derive(Debug)]
pub(super) struct LastWord {
    reason: Code,
    frame: Vec<u8>,
}

impl LastWord {
    /// Programs act on the label, people read the sentence after it: a page must know `too_many_fragments` from
    /// `slow_consumer`, which share a code.
    fn new(reason: Code, sentence: &str) -> LastWord {
        let between = if sentence.is_empty() { "" } else { ": " };
        LastWord { reason, frame: close_frame_of(reason.websocket_code(), [reason.label(), between, sentence]) }
    }

    /// What answers the peer's own Close.
    pub(super) fn answering(frame: Vec<u8>) -> LastWord {
        LastWord { reason: Code::PeerClosed, frame }
    }
}

impl Connection {
    /// Says goodbye for `reason` in the transport's own way, after what is queued. Idempotent.
    pub fn close(&mut self, reason: Code, env: &mut Env) {
        match &self.state {
            State::Http(http) => {
                // A head that waits for who its client is has come before this goodbye: in a drain it is answered, too.
                let is_read = env.draining && self.hold == Hold::Elsewhere;
                if !http.is_idle() || self.in_flight > 0 || is_read {
                    self.close_after_answer();
                    return;
                }
                self.end_idle(reason, env);
            }
            State::Announced => self.end_idle(reason, env),
            State::Socket(_) => self.close_socket(reason, "", env),
            State::Stream(stream) => {
                if reason == Code::ServerShutdown {
                    // Drawn anew: all readers are sent away, and the one that they began with may be hours old.
                    let retry_ms = env.around(env.limits.retry_ms);
                    stream.append(&mut self.outbox, env, |out| blocks::retry_block(out, retry_ms));
                }
                self.end_stream(reason, env);
            }
            State::Ending(..) => {}
        }
    }

    /// Ends a connection that asks nothing. In a drain a request may be on its way, and HTTP/1.1 has no word that tells its client
    /// that nothing more is answered: it has a moment to come, and its answer says that it is the last. The deadline ends
    /// what is silent.
    fn end_idle(&mut self, reason: Code, env: &Env) {
        if env.draining {
            self.since = env.now;
        } else {
            self.end(reason, env);
        }
    }

    /// Tells its client to open another connection after this time, in a protocol that has a message for that; false in others.
    pub fn advise(&mut self, after_ms: u64, env: &mut Env) -> bool {
        match &mut self.state {
            // One that ends as soon as it is answered comes back by itself.
            State::Socket(socket) if !socket.is_echo() && !socket.has_last_word() => {
                socket.say(&Event::Reconnect { after_ms }, &mut self.outbox, env);
                true
            }
            State::Socket(_) | State::Announced | State::Http(_) | State::Stream(_) | State::Ending(..) => false,
        }
    }

    /// Whether it asks nothing and is owed nothing: a request that has not come is nobody's loss.
    #[must_use]
    pub fn is_silent(&self) -> bool {
        let asks_nothing = match &self.state {
            State::Announced => true,
            State::Http(http) => http.is_idle(),
            State::Socket(_) | State::Stream(_) | State::Ending(..) => false,
        };
        asks_nothing && self.is_answered() && self.outbox.is_empty()
    }

    /// Ends it for a reason that its client is told in the transport's own way. Over HTTP a request that is in progress is
    /// answered first, since it was judged when it came, unless it waits to become an event stream.
    pub fn end_for(&mut self, refusal: &Refusal, env: &mut Env) {
        match &self.state {
            State::Socket(_) => self.close_socket(refusal.code, &refusal.message, env),
            State::Stream(_) => self.end_stream_for(refusal, env),
            State::Http(http) => match http.asked().filter(|asked| asked.stream).cloned() {
                Some(asked) => {
                    self.answer_refusal(&RequestContext { keep_alive: false, ..asked }, refusal.clone(), env);
                }
                None => self.close(refusal.code, env),
            },
            State::Announced => self.close(refusal.code, env),
            State::Ending(..) => {}
        }
    }

    /// The work of this connection panicked. Its client gets a 500 where a response can still begin; elsewhere part of a
    /// frame may have been written, and whatever followed would be read as the rest of it.
    pub fn after_panic(&mut self, env: &mut Env) {
        let State::Http(http) = &self.state else { return self.cut_off(Code::InternalError, env) };
        let asked = http.asked().cloned();
        let refusal = Refusal::new(
            Code::InternalError,
            "the server failed while it handled this request or one that was sent with it, which may or may not have been carried out; nothing else is affected",
        );
        match asked {
            Some(asked) => self.answer_refusal(&RequestContext { keep_alive: false, ..asked }, refusal, env),
            None => self.refuse_unread(refusal, env),
        }
    }

    /// Closes a socket whose client sent more bytes than it may, and than can be read later.
    pub fn refuse_sender(&mut self, refusal: &Refusal, env: &mut Env) {
        env.refuse(refusal.code, &refusal.message);
        self.close_socket(refusal.code, &refusal.message, env);
    }

    /// Drops what is queued for a peer that does not read, and says only why.
    pub fn cut_off(&mut self, reason: Code, env: &mut Env) {
        match &self.state {
            // A message may lie in two pieces, so nobody knows where one ends and a Close could begin.
            State::Socket(socket) if socket.is_echo() => {
                self.outbox.clear(env.buffers);
                self.end(reason, env);
                return;
            }
            State::Socket(_) => {
                self.outbox.cut(env.buffers);
                self.end_socket(&LastWord::new(reason, ""), env);
                return;
            }
            State::Stream(_) => self.outbox.cut(env.buffers),
            State::Announced | State::Http(_) | State::Ending(..) => {}
        }
        // Over HTTP this may only wait for an answer, which this peer would not read: the end follows in any case.
        self.close(reason, env);
        self.end(reason, env);
    }

    /// Says goodbye to a socket, after the answers that are still on their way.
    pub(super) fn close_socket(&mut self, reason: Code, sentence: &str, env: &mut Env) {
        self.end_after_answers(LastWord::new(reason, sentence), env);
    }

    /// Law 2: what was read before a Close is answered before the Close is, so it waits for what is in flight, with a
    /// worker or parked. Nothing is read meanwhile.
    pub(super) fn end_after_answers(&mut self, last_word: LastWord, env: &mut Env) {
        if self.is_answered() {
            return self.end_socket(&last_word, env);
        }
        let State::Socket(socket) = &mut self.state else { return };
        socket.keep_last_word(last_word);
        // `Hold::Elsewhere` stays: `returned` ends it, while `Answers` would end with the last answer in flight.
        if self.hold == Hold::No {
            self.hold = Hold::Answers;
        }
    }

    /// Ends a socket that was only waiting for its answers.
    #[inline]
    pub(super) fn end_if_answered(&mut self, env: &mut Env) {
        if matches!(&self.state, State::Socket(socket) if socket.has_last_word()) && self.is_answered() {
            self.say_last_word(env);
        }
    }

    #[cold]
    fn say_last_word(&mut self, env: &mut Env) {
        let State::Socket(socket) = &mut self.state else { return };
        if let Some(last_word) = socket.take_last_word() {
            self.end_socket(&last_word, env);
        }
    }

    fn end_socket(&mut self, last_word: &LastWord, env: &mut Env) {
        self.outbox.append(env.buffers, |out| out.extend_from_slice(&last_word.frame));
        self.end(last_word.reason, env);
    }
}
