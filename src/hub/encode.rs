//! The shared encodings of a publication, each made of one wire encoder and one framing.

use crate::model::publication::{Epoch, PublicationView};
use crate::wire::deflate::{Codec, WINDOW_BITS_MAX};
use crate::wire::frame::{Opcode, SharedFrame, header, payload_of, write_deflated};
use crate::wire::reply::{push_binary, push_json};
use crate::wire::sse::{publication_block, write_chunk};

/// The most bytes of an unmasked frame's header (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 10;

/// A push as a complete text frame.
pub(super) fn text_frame(view: &PublicationView<'_>) -> SharedFrame {
    frame(Opcode::Text, view.data.len() + 128, |out| push_json(out, view))
}

/// A push as a complete binary frame: a line of JSON, then the raw bytes.
pub(super) fn binary_frame(view: &PublicationView<'_>) -> SharedFrame {
    frame(Opcode::Binary, view.data.len() + 128, |out| push_binary(out, view))
}

/// A frame, compressed for everybody who agreed to that; itself when it is not worth it.
pub(super) fn deflated(plain: &SharedFrame, opcode: Opcode, codec: &mut Codec) -> SharedFrame {
    match codec.deflate(WINDOW_BITS_MAX, payload_of(plain)) {
        None => plain.clone(),
        Some(packed) => {
            let mut out = Vec::with_capacity(packed.len() + 10);
            write_deflated(&mut out, opcode, packed);
            out.into()
        }
    }
}

/// A push as an event-stream block in one HTTP chunk.
pub(super) fn event_stream(epoch: Epoch, view: &PublicationView<'_>) -> SharedFrame {
    let mut block = Vec::with_capacity(view.data.len() + 128);
    publication_block(&mut block, epoch, view);
    let mut chunk = Vec::with_capacity(block.len() + 16);
    write_chunk(&mut chunk, &block);
    chunk.into()
}

/// Writes a payload behind room for its header, which is known when the payload is: one copy into the shared frame.
fn frame(opcode: Opcode, size_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> SharedFrame {
    let mut out = Vec::with_capacity(HEADER_BYTES_MAX + size_hint);
    out.extend_from_slice(&[0; HEADER_BYTES_MAX]);
    write(&mut out);
    let (head, size) = header(opcode, out.len() - HEADER_BYTES_MAX);
    let start = HEADER_BYTES_MAX - size;
    out[start..HEADER_BYTES_MAX].copy_from_slice(&head[..size]);
    out[start..].into()
}
