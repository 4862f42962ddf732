//! How a WebSocket compresses its messages, alone or with others, and inflates those of its peer.

use super::Socket;
use crate::connection::compression::DeflateContexts;
use crate::connection::env::Env;
use crate::connection::outbox::Outbox;
use crate::wire::deflate::WINDOW_BITS_MAX;
use crate::wire::frame::{self, Event, FrameError, Kind, Opcode, write_deflated};

impl Socket {
    /// Whether its messages may be compressed.
    pub(in crate::connection) fn may_pack(&self) -> bool {
        self.window_bits.is_some()
    }

    /// Whether the compressed frames of publications that others share are right for it.
    pub(super) fn shares_compressed(&self) -> bool {
        let is_large = self.window_bits.is_some_and(|bits| bits.get() == WINDOW_BITS_MAX);
        let own = self.extras.as_ref().and_then(|extras| extras.windows.as_ref());
        // A peer with a smaller window cannot inflate what was compressed for the largest. And one that keeps its
        // window would take frames into it that our own compressor never saw (RFC 7692 section 7.2.3.2).
        is_large && !own.is_some_and(|own| own.contexts.keep_deflate())
    }

    /// Queues a message compressed; false when it should be sent plain.
    pub(in crate::connection) fn send_packed(
        &mut self,
        opcode: Opcode,
        payload: &[u8],
        outbox: &mut Outbox,
        env: &mut Env,
    ) -> bool {
        let Some(bits) = self.window_bits else { return false };
        let made = env.codec.compressions();
        let packed = match self.windows() {
            Some(own) if own.contexts.keep_deflate() => env.codec.deflate_on(&mut own.contexts, payload),
            _ => env.codec.deflate(bits.get(), payload),
        };
        let is_packed = packed.is_some();
        if let Some(packed) = packed {
            env.counters.frames_out.add(1);
            env.counters.deflated_out.add(1);
            outbox.append(env.buffers, |out| write_deflated(out, opcode, packed));
        }
        // Also what was compressed and is sent plain, since it became no smaller: it cost the same.
        env.counters.compressions.add(env.codec.compressions() - made);
        is_packed
    }

    /// A compressed message as what it is.
    pub(super) fn inflate(
        &mut self,
        kind: Kind,
        payload: &[u8],
        limit: usize,
        env: &mut Env,
    ) -> Result<Event<'static>, FrameError> {
        let message = match self.windows() {
            Some(own) => env.codec.inflate_on(&mut own.contexts, payload, limit),
            None => env.codec.inflate(payload, limit),
        };
        let message = frame::Payload::Owned(message?);
        env.counters.deflated_in.add(1);
        Ok(match kind {
            Kind::Text => {
                // The decoder saw compressed bytes: only here can a text be checked for UTF-8 (RFC 6455 section 8.1).
                frame::check_text(&message)?;
                Event::Text(message)
            }
            Kind::Binary => Event::Binary(message),
        })
    }

    fn windows(&mut self) -> Option<&mut DeflateContexts> {
        self.extras.as_mut().and_then(|extras| extras.windows.as_mut())
    }
}
