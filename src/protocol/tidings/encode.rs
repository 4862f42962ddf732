//! Publications as the readers of this protocol get them: frames and event-stream blocks.

use crate::hub::publication::Publication;
use crate::protocol::tidings::events::publication_block;
use crate::protocol::tidings::reply::{push_binary, push_json};
use crate::wire::frame::{Opcode, SharedFrame, header};
use crate::wire::sse::write_chunk;

/// The most bytes of an unmasked frame's header (RFC 6455 section 5.2).
const HEADER_BYTES_MAX: usize = 10;
/// Room for everything but a publication's data, in bytes: most names and events fit.
const LABELS_BYTES: usize = 128;

/// A push as a complete text frame.
pub(in crate::protocol) fn text_frame(publication: &Publication) -> SharedFrame {
    let view = publication.view();
    frame(Opcode::Text, view.data.len() + LABELS_BYTES, |out| push_json(out, &view))
}

/// A push as a complete binary frame: a line of JSON, then the raw bytes.
pub(in crate::protocol) fn binary_frame(publication: &Publication) -> SharedFrame {
    let view = publication.view();
    frame(Opcode::Binary, view.data.len() + LABELS_BYTES, |out| push_binary(out, &view))
}

/// A push as an event-stream block in one HTTP chunk.
pub(in crate::protocol) fn event_stream(publication: &Publication) -> SharedFrame {
    let view = publication.view();
    let mut block = Vec::with_capacity(view.data.len() + LABELS_BYTES);
    publication_block(&mut block, publication.epoch(), &view);
    // The size in hexadecimal digits and two line ends.
    let mut chunk = Vec::with_capacity(block.len() + 16);
    write_chunk(&mut chunk, &block);
    chunk.into()
}

/// Writes a payload after room for its header, which is known once the payload is: one copy into the shared frame.
fn frame(opcode: Opcode, size_hint: usize, write: impl FnOnce(&mut Vec<u8>)) -> SharedFrame {
    let mut out = Vec::with_capacity(HEADER_BYTES_MAX + size_hint);
    out.extend_from_slice(&[0; HEADER_BYTES_MAX]);
    write(&mut out);
    let (head, size) = header(opcode, out.len() - HEADER_BYTES_MAX);
    let start = HEADER_BYTES_MAX - size;
    out[start..HEADER_BYTES_MAX].copy_from_slice(&head[..size]);
    out[start..].into()
}
