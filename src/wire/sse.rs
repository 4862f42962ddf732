//! Event streams: the first block with the position, one block per publication, comments, resets, and HTTP chunks.

use super::json::text::{write_number, write_string};
use super::publication::{Data, Epoch, Position, PublicationView};
use super::reply::base64_members;

/// A comment, which keeps a quiet stream alive.
pub const COMMENT: &[u8] = b":\n\n";

/// What ends a chunked body (RFC 9112 section 7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// The first block of every stream: how long to wait before a new attempt, and where the channel is.
pub fn first_block(out: &mut Vec<u8>, retry_ms: u64, position: &Position, recovered: bool) {
    out.extend_from_slice(b"retry: ");
    write_number(out, retry_ms);
    out.extend_from_slice(b"\nevent: position\n");
    id_line(out, position.epoch, position.offset);
    out.extend_from_slice(b"data: {\"epoch\":");
    write_string(out, position.epoch.as_str());
    out.extend_from_slice(b",\"offset\":");
    write_number(out, position.offset);
    out.extend_from_slice(if recovered { b",\"recovered\":true}\n\n" } else { b",\"recovered\":false}\n\n" });
}

/// One publication: its id, its event if it has one, and its data alone.
///
/// Binary data is written as `{"content_type","data_base64"}`.
pub fn publication_block(out: &mut Vec<u8>, epoch: Epoch, view: &PublicationView<'_>) {
    id_line(out, epoch, view.offset);
    if let Some(event) = view.event {
        out.extend_from_slice(b"event: ");
        out.extend_from_slice(event.as_bytes());
        out.push(b'\n');
    }
    match view.data {
        Data::Json(json) => data_lines(out, json),
        Data::Binary { bytes, content_type } => {
            out.extend_from_slice(b"data: {");
            base64_members(out, content_type, bytes);
            out.extend_from_slice(b"}\n");
        }
    }
    out.push(b'\n');
}

/// Tells that the channel's continuity was lost and that offsets count anew in `epoch`.
pub fn reset_block(out: &mut Vec<u8>, epoch: Epoch) {
    out.extend_from_slice(b"event: reset\n");
    id_line(out, epoch, 0);
    out.extend_from_slice(b"data: {\"epoch\":");
    write_string(out, epoch.as_str());
    out.extend_from_slice(b",\"offset\":0,\"reset\":true}\n\n");
}

/// Writes `bytes` as one chunk of a chunked body; no bytes make no chunk, since an empty one would end the body.
pub fn write_chunk(out: &mut Vec<u8>, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let digits = (usize::BITS - bytes.len().leading_zeros()).div_ceil(4);
    for place in (0..digits).rev() {
        out.push(b"0123456789abcdef"[bytes.len() >> (4 * place) & 15]);
    }
    out.extend_from_slice(b"\r\n");
    out.extend_from_slice(bytes);
    out.extend_from_slice(b"\r\n");
}

/// The block inside such a chunk, for readers of HTTP/1.0, which has no chunks.
#[must_use]
pub fn without_chunk(chunk: &[u8]) -> &[u8] {
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end_of_size| end_of_size + 1);
    chunk.get(start..chunk.len().saturating_sub(2)).unwrap_or_default()
}

fn id_line(out: &mut Vec<u8>, epoch: Epoch, offset: u64) {
    out.extend_from_slice(b"id: ");
    out.extend_from_slice(epoch.as_str().as_bytes());
    out.push(b':');
    write_number(out, offset);
    out.push(b'\n');
}

/// Each line of `json` behind a `data:` of its own; a line ends with CR LF, LF or CR (all white space in JSON).
fn data_lines(out: &mut Vec<u8>, json: &[u8]) {
    let mut rest = json;
    loop {
        let end = rest.iter().position(|byte| matches!(byte, b'\r' | b'\n')).unwrap_or(rest.len());
        let (line, tail) = rest.split_at(end);
        out.extend_from_slice(b"data: ");
        out.extend_from_slice(line);
        out.push(b'\n');
        rest = match tail {
            [] => return,
            [b'\r', b'\n', more @ ..] | [_, more @ ..] => more,
        };
    }
}

#[cfg(test)]
mod tests {
    use super::{LAST_CHUNK, first_block, publication_block, reset_block, write_chunk};
    use crate::wire::publication::{Data, Epoch, Position, PublicationView};

    fn epoch() -> Epoch {
        Epoch::parse("abcdefgh").expect("an epoch")
    }

    fn block(data: &Data, event: Option<&str>) -> String {
        let mut out = Vec::new();
        publication_block(&mut out, epoch(), &PublicationView { channel: "x", offset: 7, event, time: Some(1), data });
        String::from_utf8(out).expect("UTF-8")
    }

    #[test]
    fn the_first_block_tells_the_position() {
        let position = Position { epoch: epoch(), offset: 41 };
        let mut out = Vec::new();
        first_block(&mut out, 3000, &position, true);
        first_block(&mut out, 0, &position, false);
        let expected = "retry: 3000\nevent: position\nid: abcdefgh:41\ndata: {\"epoch\":\"abcdefgh\",\"offset\":41,\"recovered\":true}\n\n\
                        retry: 0\nevent: position\nid: abcdefgh:41\ndata: {\"epoch\":\"abcdefgh\",\"offset\":41,\"recovered\":false}\n\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn a_publication_is_its_data_alone() {
        let data = Data::Json("{\"a\": 1.10}".into());
        assert_eq!(block(&data, None), "id: abcdefgh:7\ndata: {\"a\": 1.10}\n\n");
        assert_eq!(block(&data, Some("price")), "id: abcdefgh:7\nevent: price\ndata: {\"a\": 1.10}\n\n");
        let data = Data::Binary { bytes: bytes::Bytes::from_static(b"\n"), content_type: "a/b".into() };
        assert_eq!(block(&data, None), "id: abcdefgh:7\ndata: {\"content_type\":\"a/b\",\"data_base64\":\"Cg==\"}\n\n");
    }

    #[test]
    fn raw_line_ends_become_lines() {
        for (json, lines) in [
            ("[\r\n1]", "data: [\ndata: 1]\n"),
            ("[\r1]", "data: [\ndata: 1]\n"),
            ("[\n\r1]", "data: [\ndata: \ndata: 1]\n"),
            ("[\n1\n\n]", "data: [\ndata: 1\ndata: \ndata: ]\n"),
        ] {
            let data = Data::Json(json.into());
            assert_eq!(block(&data, None), format!("id: abcdefgh:7\n{lines}\n"), "{json:?}");
        }
    }

    #[test]
    fn a_reset_names_the_new_epoch() {
        let mut out = Vec::new();
        reset_block(&mut out, epoch());
        let expected = "event: reset\nid: abcdefgh:0\ndata: {\"epoch\":\"abcdefgh\",\"offset\":0,\"reset\":true}\n\n";
        assert_eq!(String::from_utf8(out).expect("UTF-8"), expected);
    }

    #[test]
    fn chunks_are_framed_and_never_empty() {
        for (length, size) in [(1, "1"), (15, "f"), (16, "10"), (255, "ff"), (256, "100"), (65_536, "10000")] {
            let bytes = vec![b'x'; length];
            let mut out = Vec::new();
            write_chunk(&mut out, &bytes);
            assert_eq!(out, [size.as_bytes(), b"\r\n", &bytes, b"\r\n"].concat());
        }
        let mut out = Vec::new();
        write_chunk(&mut out, b"");
        assert!(out.is_empty());
        assert_eq!(LAST_CHUNK, b"0\r\n\r\n");
    }
}
