//! `/echo`: messages that go back as they came, the short way when they are small and plain.

use super::env::{Env, Ticks};
use super::{Connection, State};
use crate::wire::frame::{Event, FrameError, Opcode, Payload, header, write_frame};

/// From this size on an echo is written into memory of its own, which is used again, in bytes: what is gathered with others
/// would outgrow theirs.
const LARGE_BYTES_MIN: usize = 64 * 1024;
/// The longest header of a frame that a server sends, in bytes.
const HEADER_BYTES: usize = 10;

/// Echoes of one step: what a connection is asked between them costs more than an echo.
const ECHOES_PER_STEP: u64 = 64;

impl Connection {
    /// Sends back what stands at the start of `input` in plain frames; how many bytes that were, 0 when the first is of
    /// another kind.
    pub(super) fn echo_plain(&mut self, input: &mut [u8], env: &mut Env) -> usize {
        let State::Socket(socket) = &mut self.state else { return 0 };
        if !socket.is_echo() || !socket.is_plain() {
            return 0;
        }
        let (mut consumed, mut messages, mut fault) = (0, 0, None);
        self.outbox.append(env.buffers, |out| {
            while messages < ECHOES_PER_STEP
                && let Some((size, event)) = socket.decoder.take_plain(&mut input[consumed..], &env.limits.echo_frames)
            {
                consumed += size;
                messages += 1;
                match event {
                    Ok(Event::Text(payload)) => write_frame(out, Opcode::Text, &payload),
                    Ok(Event::Binary(payload)) => write_frame(out, Opcode::Binary, &payload),
                    // A plain frame is text or binary.
                    Ok(_) => {}
                    Err(error) => {
                        fault = Some(error);
                        // A message that is refused is neither counted as one that came nor as one that went.
                        messages -= 1;
                        break;
                    }
                }
            }
        });
        if consumed == 0 {
            return 0;
        }
        // Only whole messages were consumed; if part of another follows, its time begins when it is looked at.
        socket.begun = Ticks::MAX;
        env.counters.frames_in.add(messages);
        env.counters.frames_out.add(messages);
        if let Some(FrameError { reason, detail }) = fault {
            env.fault(reason, detail);
            self.close_socket(reason, detail, env);
        }
        consumed
    }

    /// Sends a message back. One that was gathered anyway and is not compressed is not copied again.
    pub(super) fn echo(&mut self, opcode: Opcode, payload: Payload<'_>, env: &mut Env) {
        let State::Socket(socket) = &mut self.state else { return };
        let outbox = &mut self.outbox;
        match payload {
            Payload::Borrowed(bytes) if bytes.len() < LARGE_BYTES_MIN => socket.send(opcode, bytes, outbox, env),
            payload if socket.send_packed(opcode, &payload, outbox, env) => {}
            Payload::Borrowed(bytes) => {
                env.counters.frames_out.add(1);
                let mut frame = env.buffers.take_large(bytes.len() + HEADER_BYTES).unwrap_or_default();
                frame.clear();
                write_frame(&mut frame, opcode, bytes);
                outbox.push_own(frame, env.buffers);
            }
            Payload::Owned(bytes) => {
                env.counters.frames_out.add(1);
                let (head, size) = header(opcode, bytes.len());
                outbox.append(env.buffers, |out| out.extend_from_slice(&head[..size]));
                outbox.push_own(bytes, env.buffers);
            }
        }
    }
}
