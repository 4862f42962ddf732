//! The shared encodings of a publication, each made of one wire encoder and one framing.

use crate::wire::deflate::{Codec, WINDOW_BITS_MAX};
use crate::wire::frame::{Opcode, payload_of, write_deflated, write_frame};
use crate::wire::publication::{Epoch, PublicationView};
use crate::wire::reply::{push_binary, push_json};
use crate::wire::sse::{publication_block, write_chunk};
use bytes::Bytes;

/// A push as a complete text frame.
pub(super) fn text_frame(view: &PublicationView<'_>) -> Bytes {
    let mut body = Vec::with_capacity(view.data.len() + 128);
    push_json(&mut body, view);
    frame(Opcode::Text, &body)
}

/// A push as a complete binary frame: a line of JSON, then the raw bytes.
pub(super) fn binary_frame(view: &PublicationView<'_>) -> Bytes {
    let mut body = Vec::with_capacity(view.data.len() + 128);
    push_binary(&mut body, view);
    frame(Opcode::Binary, &body)
}

/// A frame, compressed for everybody who agreed to that; itself when it is not worth it.
pub(super) fn deflated(plain: &Bytes, opcode: Opcode, codec: &mut Codec) -> Bytes {
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
pub(super) fn event_stream(epoch: Epoch, view: &PublicationView<'_>) -> Bytes {
    let mut block = Vec::with_capacity(view.data.len() + 128);
    publication_block(&mut block, epoch, view);
    let mut chunk = Vec::with_capacity(block.len() + 16);
    write_chunk(&mut chunk, &block);
    chunk.into()
}

/// The block inside such a chunk, for readers of HTTP/1.0, which has no chunks. No copy is made.
pub(super) fn without_chunk(chunk: &Bytes) -> Bytes {
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end_of_size| end_of_size + 1);
    chunk.slice(start..chunk.len() - 2)
}

fn frame(opcode: Opcode, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + 10);
    write_frame(&mut out, opcode, body);
    out.into()
}
