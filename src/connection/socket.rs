//! A WebSocket: frames in, pongs and closes out, pushes by reference.

mod packing;

use super::compression::DeflateContexts;
use super::env::{Env, Limits, Ticks};
use super::goodbye::LastWord;
use super::outbox::Outbox;
use super::validity::Validity;
use super::{Connection, Expired, Payload, State, Step};
use crate::access::Identity;
use crate::hub::publication::Publication;
use crate::model::code::Code;
use crate::model::encoding::Encoding;
use crate::model::ticket::Ticket;
use crate::protocol::encoders::encoded;
use crate::protocol::task::{RawWork, Task};
use crate::protocol::{self, Heard, Memory, Session};
use crate::wire::deflate::Agreement;
use crate::wire::frame::{
    self, Decoded, Decoder, Event, FrameError, Kind, Opcode, Role, SharedFrame, close_frame, header, payload_of,
    write_frame,
};
use std::num::NonZeroU8;
use std::sync::Arc;

/// A live WebSocket.
#[derive(Debug)]
pub(super) struct Socket {
    pub(super) decoder: Decoder,
    /// What is spoken on it.
    pub(super) session: Session,
    pub(super) identity: Arc<Identity>,
    /// Until when that holds.
    pub(super) validity: Validity,
    /// The window, in bits, with which its messages may be compressed; none when they may not.
    window_bits: Option<NonZeroU8>,
    /// When the message or frame in progress began; [`Ticks::MAX`] while there is none.
    pub(super) begun: Ticks,
    /// What it is to hear while it is silent.
    silent: Silent,
    /// What most sockets do not have most of the time.
    extras: Option<Box<Extras>>,
}

/// How much earlier than it must be a silent socket is pinged, in 1024ths: sockets that came together are not pinged
/// together. The last bit is whether it was pinged since it was heard: a byte of its own would make each socket 8 larger.
#[derive(Debug, Clone, Copy)]
struct Silent(u8);

impl Silent {
    const PINGED: u8 = 1;

    fn new(haste: u8) -> Silent {
        Silent(haste & !Silent::PINGED)
    }

    fn haste(self) -> u8 {
        self.0 & !Silent::PINGED
    }

    fn was_pinged(self) -> bool {
        self.0 & Silent::PINGED != 0
    }

    fn note_ping(&mut self, pinged: bool) {
        self.0 = self.haste() | u8::from(pinged);
    }
}

/// See [`Socket::extras`].
#[derive(Debug, Default)]
struct Extras {
    /// What its session remembers.
    memory: Memory,
    /// The windows that are kept from message to message.
    windows: Option<DeflateContexts>,
    /// How it will end once everything is answered that came before.
    last_word: Option<LastWord>,
}

/// Bytes of a message that have `message_timeout` to come.
const PROGRESS_BYTES: usize = 64 * 1024;

impl Socket {
    pub(super) fn new(
        session: Session,
        (identity, validity): (Arc<Identity>, Validity),
        agreement: Option<&Agreement>,
        windows: Option<DeflateContexts>,
        haste: u8,
    ) -> Socket {
        let decoder =
            if agreement.is_some() { Decoder::with_deflate(Role::Server) } else { Decoder::new(Role::Server) };
        let extras = windows.map(|windows| Box::new(Extras { windows: Some(windows), ..Extras::default() }));
        let window_bits = agreement.and_then(|agreed| NonZeroU8::new(agreed.window_bits()));
        Socket {
            decoder,
            session,
            identity,
            validity,
            window_bits,
            begun: Ticks::MAX,
            silent: Silent::new(haste),
            extras,
        }
    }

    /// For how long it may be silent before it is pinged, or before it is closed once it was.
    #[inline]
    pub(super) fn silence(&self, limits: &Limits) -> Ticks {
        if self.silent.was_pinged() {
            return limits.pong_wait;
        }
        // In 64 bits: a long span times 255 is more than 32 bits hold.
        let early = (u64::from(limits.ping_idle) * u64::from(self.silent.haste()) / 1024) as Ticks;
        limits.ping_idle - early
    }

    /// Whether it ends as soon as everything is answered.
    #[inline]
    pub(super) fn has_last_word(&self) -> bool {
        self.extras.as_ref().is_some_and(|extras| extras.last_word.is_some())
    }

    /// Keeps how it will end; the first last word is the one that counts.
    pub(super) fn keep_last_word(&mut self, last_word: LastWord) {
        self.extras.get_or_insert_default().last_word.get_or_insert(last_word);
    }

    pub(super) fn take_last_word(&mut self) -> Option<LastWord> {
        self.extras.as_mut().and_then(|extras| extras.last_word.take())
    }

    pub(super) fn is_echo(&self) -> bool {
        self.session.is_echo()
    }

    /// When the message in progress must be complete: later the more of it has arrived, up to a limit.
    #[inline]
    pub(super) fn message_deadline(&self, limits: &Limits) -> Ticks {
        if self.begun == Ticks::MAX {
            return Ticks::MAX;
        }
        let parts = self.decoder.received_bytes() / PROGRESS_BYTES + 1;
        let wait = limits.message_wait.saturating_mul(Ticks::try_from(parts).unwrap_or(Ticks::MAX));
        self.begun.saturating_add(wait.min(limits.message_wait_most))
    }

    /// Notes when something began: `incomplete` when part of a frame is left in the input.
    fn note_progress(&mut self, incomplete: bool, env: &Env) {
        if !incomplete && !self.decoder.is_mid_message() {
            self.begun = Ticks::MAX;
        } else if self.begun == Ticks::MAX {
            // Set once for each message: if every byte renewed it, a dripping peer would hold it open for ever.
            self.begun = env.now;
        }
    }

    /// How publications are written for it when a request with this ticket has subscribed it. Compressed for itself alone,
    /// if its window is no one else's: then plain.
    pub(super) fn encoding(&self, ticket: Ticket) -> Encoding {
        let plain = self.session.encoding(ticket);
        if self.shares_compressed() { plain.deflated() } else { plain }
    }

    /// Whether nothing is compressed, and no batch is in progress.
    #[inline]
    pub(super) fn is_plain(&self) -> bool {
        self.extras.is_none() && self.window_bits.is_none()
    }

    /// Whether a publication's frame in its encoding is all that a push to it takes: nothing to compress for it alone, no
    /// window of its own, no batch in progress.
    #[inline]
    pub(super) fn takes_shared(&self, encoding: Encoding) -> bool {
        self.extras.is_none() && self.window_bits.is_some() == encoding.is_deflated()
    }

    /// Queues a publication: the frame that all readers of its encoding share.
    pub(super) fn push(&mut self, publication: &Publication, encoding: Encoding, outbox: &mut Outbox, env: &mut Env) {
        let made = env.codec.compressions();
        let frame = encoded(publication, encoding, env.codec);
        env.counters.compressions.add(env.codec.compressions() - made);
        self.push_frame(publication.channel_id().0, frame, outbox, env);
    }

    /// Says something that belongs to no channel.
    pub(super) fn say(&mut self, event: &protocol::Event<'_>, outbox: &mut Outbox, env: &mut Env) {
        if let Some(frame) = self.session.event(event) {
            self.send_shared(frame, outbox, env);
        }
    }

    /// Queues a frame that belongs to a channel: after the answer to what subscribed it, if that is still to come.
    pub(super) fn push_frame(&mut self, channel: u64, frame: SharedFrame, outbox: &mut Outbox, env: &mut Env) {
        let frame = match &mut self.extras {
            Some(extras) => extras.memory.hold(channel, frame),
            None => Some(frame),
        };
        if let Some(frame) = frame {
            self.send_shared(frame, outbox, env);
        }
    }

    /// Queues a frame that is ready, compressed first if that has to be done for this socket alone.
    pub(super) fn send_shared(&mut self, frame: SharedFrame, outbox: &mut Outbox, env: &mut Env) {
        // A frame of a publication is text or binary; one that is compressed anew needs the opcode again.
        let opcode = if frame.first().is_some_and(|first| first & 0x0F == 1) { Opcode::Text } else { Opcode::Binary };
        if !self.shares_compressed() && self.send_packed(opcode, payload_of(&frame), outbox, env) {
            return;
        }
        env.counters.frames_out.add(1);
        env.counters.deflated_out.add(u64::from(frame::is_deflated(&frame)));
        outbox.push_shared(frame, env.buffers);
    }

    /// Queues a message of this socket alone.
    pub(super) fn send(&mut self, opcode: Opcode, payload: &[u8], outbox: &mut Outbox, env: &mut Env) {
        if !self.send_packed(opcode, payload, outbox, env) {
            env.counters.frames_out.add(1);
            outbox.append(env.buffers, |out| write_frame(out, opcode, payload));
        }
    }

    /// Bytes of pushes that wait for an answer.
    pub(super) fn held_bytes(&self) -> usize {
        self.extras.as_ref().map_or(0, |extras| extras.memory.held_bytes())
    }

    /// Takes out what its session remembers, while that acts.
    pub(super) fn take_memory(&mut self) -> Memory {
        self.extras.as_mut().map(|extras| std::mem::take(&mut extras.memory)).unwrap_or_default()
    }

    /// Puts it back.
    pub(super) fn keep_memory(&mut self, memory: Memory) {
        if !memory.is_empty() {
            self.extras.get_or_insert_default().memory = memory;
        } else if self.extras.as_ref().is_some_and(|extras| extras.windows.is_none() && extras.last_word.is_none()) {
            self.extras = None;
        }
    }
}

impl Connection {
    pub(super) fn step_socket<'b>(&'b mut self, input: &'b mut [u8], env: &mut Env) -> (usize, Step<'b>) {
        if input.is_empty() {
            return (0, Step::NeedMore);
        }
        // Only bytes come this far: a turn that read nothing is no sign of life.
        self.since = env.now;
        if let State::Socket(socket) = &mut self.state {
            socket.silent.note_ping(false);
        }
        let echoed = self.echo_plain(input, env);
        if echoed > 0 {
            return (echoed, Step::Continue);
        }
        let State::Socket(socket) = &mut self.state else { return (input.len(), Step::NeedMore) };
        let given = input.len();
        let (consumed, decoded) = if socket.is_echo() {
            // Echoes alone give it back: what goes to a worker does not return here.
            socket.decoder.decode_lent(input, &env.limits.echo_frames, |least| env.buffers.take_large(least))
        } else {
            socket.decoder.decode(input, &env.limits.frames)
        };
        self.heard((consumed, given), decoded, env)
    }

    /// Where the next bytes of a large message may be read to instead of into an input; [`Connection::filled`] takes note.
    pub fn room(&mut self) -> Option<&mut [u8]> {
        match &mut self.state {
            State::Socket(socket) => socket.decoder.room(),
            _ => None,
        }
    }

    /// `count` bytes were read into [`Connection::room`]: what came of it. What was read after them is an input.
    pub fn filled(&mut self, count: usize, env: &mut Env) -> Step<'static> {
        let State::Socket(socket) = &mut self.state else { return Step::Continue };
        self.since = env.now;
        socket.silent.note_ping(false);
        let decoded = socket.decoder.filled(count);
        self.heard((0, 0), decoded, env).1
    }

    /// Acts on what was found in the first `consumed` of `given` bytes.
    #[inline(always)]
    fn heard<'b>(
        &mut self,
        (consumed, given): (usize, usize),
        decoded: Result<Decoded<'b>, FrameError>,
        env: &mut Env,
    ) -> (usize, Step<'b>) {
        let State::Socket(socket) = &mut self.state else { return (given, Step::NeedMore) };
        let limits = if socket.is_echo() { &env.limits.echo_frames } else { &env.limits.frames };
        let decoded = match decoded {
            Ok(Decoded::Event(Event::Deflated(kind, payload))) => {
                socket.inflate(kind, &payload, limits.message_bytes, env).map(Decoded::Event)
            }
            other => other,
        };
        socket.note_progress(matches!(decoded, Ok(Decoded::NeedMore)) && consumed < given, env);
        let last_word = match decoded {
            Ok(Decoded::NeedMore) => return (consumed, Step::NeedMore),
            Ok(Decoded::Event(event)) => {
                env.counters.frames_in.add(1);
                match event {
                    Event::Text(payload) => return self.message(Kind::Text, payload, consumed, env),
                    Event::Binary(payload) => return self.message(Kind::Binary, payload, consumed, env),
                    Event::Ping(payload) => {
                        // Pings in any number: nothing is read while a quarter of the outbox's limit waits.
                        self.outbox.append(env.buffers, |out| write_frame(out, Opcode::Pong, payload));
                    }
                    // A compressed message was inflated above, so none comes here.
                    Event::Pong(_) | Event::Deflated(..) => {}
                    Event::Close(said) => {
                        let frame = match said {
                            Some((code, _)) => close_frame(code, ""),
                            // A Close without a code is answered by one without a code (RFC 6455 section 5.5.1).
                            None => header(Opcode::Close, 0).0[..2].to_vec(),
                        };
                        self.end_after_answers(LastWord::answering(frame), env);
                        return (consumed, Step::Continue);
                    }
                }
                return (consumed, Step::Continue);
            }
            Err(error) => (error.reason, error.detail),
        };
        env.fault(last_word.0, last_word.1);
        self.close_socket(last_word.0, last_word.1, env);
        (consumed, Step::Continue)
    }

    /// Gives a message to the session.
    #[inline(always)]
    fn message<'b>(
        &mut self,
        kind: Kind,
        payload: frame::Payload<'b>,
        consumed: usize,
        env: &mut Env,
    ) -> (usize, Step<'b>) {
        let State::Socket(socket) = &mut self.state else { return (consumed, Step::Continue) };
        match socket.session.heard(kind, &env.scope()) {
            Heard::Ask => {
                let task = Task::Message(socket.session, kind);
                let work = RawWork { task, payload: payload.into(), identity: Arc::clone(&socket.identity) };
                return (consumed, Step::Work(work));
            }
            Heard::SendBack => self.echo(kind.opcode(), payload, env),
            Heard::Close(code, detail) => {
                env.fault(code, detail);
                self.close_socket(code, detail, env);
            }
        }
        (consumed, Step::Continue)
    }

    pub(super) fn expire_socket(&mut self, env: &mut Env) -> Expired {
        let (is_read, waits_for_us) = (self.wants_input(env), self.waits_for_us());
        let State::Socket(socket) = &mut self.state else { return Expired::Continue };
        if socket.message_deadline(env.limits) <= env.now {
            if is_read {
                env.fault(Code::MessageTimeout, "");
                self.close_socket(Code::MessageTimeout, "", env);
            } else {
                // The rest may be waiting in the kernel: it has its time again.
                socket.begun = env.now;
            }
            return Expired::Continue;
        }
        // A full outbox alone does not count: there the peer is the one that does not read.
        if waits_for_us {
            // Its pong may be waiting in the kernel, which is not read before its requests are answered.
            self.since = env.now;
            return Expired::Continue;
        }
        if socket.silent.was_pinged() {
            self.close_socket(Code::PingTimeout, "", env);
            return Expired::Continue;
        }
        socket.silent.note_ping(true);
        self.since = env.now;
        self.outbox.append(env.buffers, |out| write_frame(out, Opcode::Ping, b""));
        Expired::Continue
    }
}

impl<'b> From<frame::Payload<'b>> for Payload<'b> {
    fn from(payload: frame::Payload<'b>) -> Payload<'b> {
        match payload {
            frame::Payload::Borrowed(bytes) => Payload::Borrowed(bytes),
            frame::Payload::Owned(bytes) => Payload::Owned(bytes),
        }
    }
}
