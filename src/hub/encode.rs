//! The shared encodings of a publication, each made of one wire encoder and one framing.

use crate::wire::publication::{Data, Epoch, PublicationView};
use bytes::Bytes;

const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;

/// A push as a complete text frame.
pub(super) fn text_frame(view: &PublicationView<'_>) -> Bytes {
    let mut body = Vec::with_capacity(view.data.len() + 128);
    push_json(&mut body, view);
    frame(TEXT, &body)
}

/// A push as a complete binary frame: a line of JSON, then the raw bytes.
pub(super) fn binary_frame(view: &PublicationView<'_>) -> Bytes {
    let mut body = Vec::with_capacity(view.data.len() + 128);
    push_binary(&mut body, view);
    frame(BINARY, &body)
}

/// A push as an event-stream block in one HTTP chunk.
pub(super) fn event_stream(epoch: Epoch, view: &PublicationView<'_>) -> Bytes {
    let mut block = Vec::with_capacity(view.data.len() + 128);
    publication_block(&mut block, epoch, view);
    let mut chunk = Vec::with_capacity(block.len() + 16);
    write_chunk(&mut chunk, &block);
    chunk.into()
}

fn frame(opcode: u8, body: &[u8]) -> Bytes {
    let mut out = Vec::with_capacity(body.len() + 10);
    write_frame(&mut out, opcode, body);
    out.into()
}

// What follows stands in for `wire::reply`, `wire::sse` and `wire::frame::encoder`, under their names.

fn write_frame(out: &mut Vec<u8>, opcode: u8, payload: &[u8]) {
    out.push(opcode);
    match payload.len() {
        length @ 0..=125 => out.push(length as u8),
        length @ 126..=0xffff => {
            out.push(126);
            out.extend_from_slice(&(length as u16).to_be_bytes());
        }
        length => {
            out.push(127);
            out.extend_from_slice(&(length as u64).to_be_bytes());
        }
    }
    out.extend_from_slice(payload);
}

fn push_head(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    out.extend_from_slice(b"{\"channel\":");
    text(out, view.channel);
    out.extend_from_slice(format!(",\"offset\":{}", view.offset).as_bytes());
    if let Some(event) = view.event {
        out.extend_from_slice(b",\"event\":");
        text(out, event);
    }
    if let Some(time) = view.time {
        out.extend_from_slice(format!(",\"time\":{time}").as_bytes());
    }
}

fn push_json(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    push_head(out, view);
    match view.data {
        Data::Json(json) => {
            out.extend_from_slice(b",\"data\":");
            out.extend_from_slice(json);
        }
        Data::Binary { bytes, content_type } => {
            out.extend_from_slice(b",\"content_type\":");
            text(out, content_type);
            out.extend_from_slice(b",\"data_base64\":");
            text(out, &data_encoding::BASE64.encode(bytes));
        }
    }
    out.push(b'}');
}

fn push_binary(out: &mut Vec<u8>, view: &PublicationView<'_>) {
    push_head(out, view);
    if let Data::Binary { bytes, content_type } = view.data {
        out.extend_from_slice(b",\"content_type\":");
        text(out, content_type);
        out.extend_from_slice(b"}\n");
        out.extend_from_slice(bytes);
    }
}

fn publication_block(out: &mut Vec<u8>, epoch: Epoch, view: &PublicationView<'_>) {
    out.extend_from_slice(format!("id: {}:{}\n", epoch.as_str(), view.offset).as_bytes());
    if let Some(event) = view.event {
        out.extend_from_slice(format!("event: {event}\n").as_bytes());
    }
    match view.data {
        Data::Json(json) => json.split(|byte| matches!(byte, b'\n' | b'\r')).for_each(|line| {
            out.extend_from_slice(b"data: ");
            out.extend_from_slice(line);
            out.push(b'\n');
        }),
        Data::Binary { bytes, .. } => {
            out.extend_from_slice(format!("data: {}\n", data_encoding::BASE64.encode(bytes)).as_bytes());
        }
    }
    out.push(b'\n');
}

fn write_chunk(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend_from_slice(format!("{:x}\r\n", payload.len()).as_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(b"\r\n");
}

fn text(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(serde_json::Value::from(value).to_string().as_bytes());
}
