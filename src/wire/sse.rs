//! The parts of an event stream besides its blocks: the comment that keeps it alive, and the chunks of HTTP/1.1.

/// A comment, which keeps a quiet stream alive.
pub const COMMENT: &[u8] = b":\n\n";

/// What ends a chunked body (RFC 9112 section 7.1).
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

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
    // The size's line ends first: no digit is a line feed.
    let start = chunk.iter().position(|byte| *byte == b'\n').map_or(0, |end_of_size| end_of_size + 1);
    chunk.get(start..chunk.len().saturating_sub(2)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::{LAST_CHUNK, write_chunk};

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
