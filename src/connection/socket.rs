//! A WebSocket: frames in, pongs and closes out, pushes by reference.

use super::batch::Batch;
use super::env::{Env, Limits, Ticks};
use super::outbox::Outbox;
use super::task::{RawWork, Rights, Task};
use super::{Connection, Expired, Payload, State, Step};
use crate::close::Reason;
use crate::hub::post::Form;
use crate::hub::publication::Publication;
use crate::wire::frame::{self, Decoded, Decoder, Event, Opcode, Role, close_frame, header, write_frame};
use crate::wire::parse::Dialect;
use crate::wire::publication::Data;
use bytes::Bytes;
use std::sync::Arc;

/// What answers a client's frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Endpoint {
    /// Requests of the protocol.
    Channels(Dialect),
    /// The same message back.
    Echo,
}

/// A live WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    decoder: Decoder,
    endpoint: Endpoint,
    rights: Rights,
    ping_sent: bool,
    /// When the message or frame under way began; [`Ticks::MAX`] while there is none.
    begun: Ticks,
    batch: Option<Box<Batch>>,
}

/// Bytes of a message that have `message_timeout` to come.
const PROGRESS_BYTES: usize = 64 * 1024;

impl Socket {
    pub(super) fn new(endpoint: Endpoint, rights: Rights) -> Socket {
        Socket {
            decoder: Decoder::new(Role::Server),
            endpoint,
            rights,
            ping_sent: false,
            begun: Ticks::MAX,
            batch: None,
        }
    }

    pub(super) fn is_echo(&self) -> bool {
        self.endpoint == Endpoint::Echo
    }

    pub(super) fn wait(&self, limits: &Limits) -> Ticks {
        if self.ping_sent { limits.pong_wait } else { limits.ping_idle }
    }

    /// When what is under way must have come as a whole: the more of it is here, the later.
    pub(super) fn message_deadline(&self, limits: &Limits) -> Ticks {
        let parts = self.decoder.received_bytes() / PROGRESS_BYTES + 1;
        let wait = limits.message_wait.saturating_mul(Ticks::try_from(parts).unwrap_or(Ticks::MAX));
        self.begun.saturating_add(wait)
    }

    /// Notes when something began: `incomplete` when part of a frame is left in the input.
    fn note_progress(&mut self, incomplete: bool, now: Ticks) {
        if !incomplete && !self.decoder.is_mid_message() {
            self.begun = Ticks::MAX;
        } else if self.begun == Ticks::MAX {
            self.begun = now;
        }
    }

    pub(super) fn push(&mut self, publication: &Arc<Publication>, binary: bool, outbox: &mut Outbox, env: &mut Env) {
        let as_binary = binary && matches!(publication.view().data, Data::Binary { .. });
        let frame = if as_binary { publication.binary_frame() } else { publication.text_frame() };
        self.push_frame(publication.channel_id().0, frame, outbox, env);
    }

    /// Queues a frame that belongs to a channel: behind a batch that subscribed it and is still unanswered.
    pub(super) fn push_frame(&mut self, channel: u64, frame: Bytes, outbox: &mut Outbox, env: &mut Env) {
        match &mut self.batch {
            Some(batch) if batch.holds(channel) => batch.hold(channel, frame),
            _ => {
                outbox.push_shared(frame, env.spares);
                env.counters.frames_out.add(1);
            }
        }
    }

    /// The batch under way ended a subscription.
    pub(super) fn unsubscribed_in_batch(&mut self, channel: u64) {
        if let Some(batch) = &mut self.batch {
            batch.unsubscribed(channel);
        }
    }

    /// Bytes of pushes that wait behind an unanswered batch.
    pub(super) fn held_bytes(&self) -> usize {
        self.batch.as_ref().map_or(0, |batch| batch.held_bytes())
    }

    /// Adds an answer to the batch under way; the whole batch when it was the last.
    pub(super) fn add_to_batch(
        &mut self,
        of: u8,
        subscribed: Option<u64>,
        write: impl FnOnce(&mut Vec<u8>),
    ) -> Option<Box<Batch>> {
        let batch = self.batch.get_or_insert_with(|| Box::new(Batch::new(of)));
        if batch.add(subscribed, write) { self.batch.take() } else { None }
    }
}

impl Connection {
    pub(super) fn step_socket<'b>(&'b mut self, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        if input.is_empty() {
            return (0, Step::NeedMore);
        }
        let State::Socket(socket) = &mut self.state else { return (input.len(), Step::NeedMore) };
        self.since = env.now;
        socket.ping_sent = false;
        let limits = if socket.is_echo() { &env.limits.echo_frames } else { &env.limits.frames };
        let given = input.len();
        let (consumed, decoded) = socket.decoder.decode(input, limits);
        socket.note_progress(matches!(decoded, Ok(Decoded::NeedMore)) && consumed < given, env.now);
        let last_word = match decoded {
            Ok(Decoded::NeedMore) => return (consumed, Step::NeedMore),
            Ok(Decoded::Event(event)) => {
                env.counters.frames_in.add(1);
                match event {
                    Event::Text(payload) => match socket.endpoint {
                        Endpoint::Echo => echo(&mut self.outbox, env, Opcode::Text, payload),
                        Endpoint::Channels(dialect) => {
                            return work(consumed, Form::Text, Task::Text(dialect), payload, socket.rights);
                        }
                    },
                    Event::Binary(payload) => match socket.endpoint {
                        Endpoint::Echo => echo(&mut self.outbox, env, Opcode::Binary, payload),
                        Endpoint::Channels(_) if !env.limits.binary => {
                            env.counters.refused.count(Reason::UnsupportedData);
                            self.close_socket(Reason::UnsupportedData, "binary messages are not taken here", env);
                        }
                        Endpoint::Channels(_) => {
                            return work(consumed, Form::Binary, Task::Binary, payload, socket.rights);
                        }
                    },
                    Event::Ping(payload) => {
                        self.outbox.append(env.spares, |out| write_frame(out, Opcode::Pong, payload));
                    }
                    Event::Pong(_) => {}
                    Event::Close(said) => {
                        let frame = match said {
                            Some((code, _)) => close_frame(code, ""),
                            // A Close without a code is answered by one without a code (RFC 6455 section 5.5.1).
                            None => header(Opcode::Close, 0).0[..2].to_vec(),
                        };
                        self.outbox.append(env.spares, |out| out.extend_from_slice(&frame));
                        self.end(Reason::PeerClosed, env);
                        return (consumed, Step::Continue);
                    }
                }
                return (consumed, Step::Continue);
            }
            Err(error) => (error.reason, error.detail),
        };
        env.counters.refused.count(last_word.0);
        self.close_socket(last_word.0, last_word.1, env);
        (consumed, Step::Continue)
    }

    pub(super) fn close_socket(&mut self, reason: Reason, detail: &str, env: &mut Env) {
        let code = reason.websocket_code();
        let text = if detail.is_empty() { reason.label() } else { detail };
        self.outbox.append(env.spares, |out| {
            let mut payload = code.to_be_bytes().to_vec();
            payload.extend_from_slice(text.as_bytes());
            write_frame(out, Opcode::Close, &payload);
        });
        self.end(reason, env);
    }

    pub(super) fn expire_socket(&mut self, env: &mut Env) -> Expired {
        let is_read = self.wants_input(env);
        let State::Socket(socket) = &mut self.state else { return Expired::Continue };
        if socket.message_deadline(env.limits) <= env.now {
            if is_read {
                env.counters.refused.count(Reason::MessageTimeout);
                self.close_socket(Reason::MessageTimeout, "", env);
            } else {
                // The rest may be waiting in the kernel: it has its time again.
                socket.begun = env.now;
            }
            return Expired::Continue;
        }
        if socket.ping_sent {
            self.close_socket(Reason::PingTimeout, "", env);
            return Expired::Continue;
        }
        socket.ping_sent = true;
        self.since = env.now;
        self.outbox.append(env.spares, |out| write_frame(out, Opcode::Ping, b""));
        Expired::Continue
    }
}

/// Sends a message back. One that was gathered anyway is not copied again.
fn echo(outbox: &mut Outbox, env: &mut Env, opcode: Opcode, payload: frame::Payload<'_>) {
    env.counters.frames_out.add(1);
    match payload {
        frame::Payload::Borrowed(bytes) => outbox.append(env.spares, |out| write_frame(out, opcode, bytes)),
        frame::Payload::Owned(bytes) => {
            let (head, size) = header(opcode, bytes.len());
            outbox.append(env.spares, |out| out.extend_from_slice(&head[..size]));
            outbox.push_shared(Bytes::from(bytes), env.spares);
        }
    }
}

fn work<'b>(consumed: usize, form: Form, task: Task, payload: frame::Payload<'b>, rights: Rights) -> (usize, Step<'b>) {
    let payload = match payload {
        frame::Payload::Borrowed(bytes) => Payload::Borrowed(bytes),
        frame::Payload::Owned(bytes) => Payload::Owned(bytes),
    };
    (consumed, Step::Work(RawWork { form, task, payload, rights }))
}
